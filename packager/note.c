/* Taking over what pre-image matches found, with every contradiction an error that names both witnesses.
 *
 * The linker places an input section as a whole, so one found symbol of a section gives the address of everything in it: the
 * unit of knowledge is the section for what an object defines itself, the name for global symbols. Mergeable sections are the
 * exception (their pieces are spread); they are compared by content while matching and not noted.
 */
#include "packager/internal.h"
#include "packager/tls.h"

#include <inttypes.h>

#include "base/escape.h"

static struct hp_known *
known_of(struct hp_pk *pk, const char *name, struct hp_err *err)
{
	uint64_t v;
	struct hp_known *k;

	if (hp_map_get_str(&pk->names, name, &v))
		return (struct hp_known *)(uintptr_t)v;
	k = hp_arena_alloc(&pk->arena, sizeof(*k));
	if (k == NULL) {
		(void)hp_err_set(err, HP_E_NOMEM, "no memory");
		return NULL;
	}
	if (hp_map_put_str(&pk->names, name, (uintptr_t)k, err) < 0)
		return NULL;
	return k;
}

struct hp_known *
hp_known_name(const struct hp_pk *pk, const char *name)
{
	uint64_t v;

	return hp_map_get_str(&pk->names, name, &v) ? (struct hp_known *)(uintptr_t)v : NULL;
}

static int
agree(bool *has, uint64_t *have, uint64_t value, const char *what, const char *name, const char *first, const char *from,
      struct hp_err *err)
{
	if (*has && *have != value)
		return hp_err_set(err, HP_E_BASELINE, "contradiction: %s of '%s' is 0x%" PRIx64 " by %s, but 0x%" PRIx64 " by %s",
		                  what, hp_esc(name), *have, first, value, from);
	*has = true;
	*have = value;
	return 0;
}

int
hp_note_section(struct hp_pk *pk, struct hp_pk_obj *obj, uint32_t sec_idx, uint64_t va, const char *from, struct hp_err *err)
{
	struct hp_known *k = &obj->secs[sec_idx];

	(void)pk;
	if (k->from == NULL)
		k->from = from;
	return agree(&k->has_addr, &k->addr, va, "address of section", obj->pair->old_obj->elf->secs[sec_idx].name, k->from, from,
	             err);
}

/* The symbol table must know an address that the code uses under this name. Names without any entry there are fine: stripped. */
static int
check_symtab(struct hp_pk *pk, const char *name, uint64_t va, const char *from, struct hp_err *err)
{
	uint32_t first, cnt = hp_module_named(pk->mod, name, &first);
	uint64_t other = 0;
	bool any = false;

	for (uint32_t i = 0; i < cnt; i++) {
		const struct hp_mod_sym *s = &pk->mod->syms[pk->mod->by_name[first + i]];

		if (s->type == STT_TLS)
			continue;
		if (s->va == va)
			return 0;
		if (s->bind != STB_LOCAL) {
			any = true;
			other = s->va;
		}
	}
	if (!any)
		return 0;
	return hp_err_set(err, HP_E_BASELINE,
	                  "contradiction: '%s' is at 0x%" PRIx64 " by the symbol table, but at 0x%" PRIx64 " by %s", hp_esc(name),
	                  other, va, from);
}

static bool
is_merged(const struct hp_parts *parts, const struct hp_sym *sym)
{
	return (parts->elf->secs[sym->sec_idx].flags & SHF_MERGE) != 0;
}

static bool
is_defined(const struct hp_elf *elf, const struct hp_sym *sym)
{
	return sym->sec_idx != HP_SEC_UNDEF && sym->sec_idx < elf->secs_cnt;
}

static int
note_addr(struct hp_pk *pk, struct hp_pk_obj *obj, const struct hp_sym *sym, bool branch, uint64_t va, const char *from,
          struct hp_err *err)
{
	const struct hp_parts *parts = obj->pair->old_obj->parts;
	const struct hp_mod_plt *plt = hp_module_plt_at(pk->mod, va);
	struct hp_known *k;
	int r;

	if (is_defined(parts->elf, sym) && is_merged(parts, sym))
		return 0;
	if (sym->bind != STB_LOCAL && sym->name[0] != '\0') {
		k = known_of(pk, sym->name, err);
		if (k == NULL)
			return HP_E_NOMEM;
		if (k->from == NULL)
			k->from = from;
		if (plt != NULL) {
			const struct hp_mod_slot *slot = &pk->mod->slots[plt->slot_idx];

			if (slot->name[0] != '\0' && !hp_module_slot_is(slot, sym->name))
				return hp_err_set(err, HP_E_BASELINE,
				                  "contradiction: %s refers to '%s', the baseline there to '%s'", from,
				                  hp_esc(sym->name), hp_esc(slot->name));
			k->has_plt = true;
			k->plt = va;
			if (branch)
				return 0;
		} else {
			r = check_symtab(pk, sym->name, va, from, err);
			if (r < 0)
				return r;
		}
		r = agree(&k->has_addr, &k->addr, va, "address", sym->name, k->from, from, err);
		if (r < 0)
			return r;
		if (plt == NULL && branch && hp_module_preemptible(pk->mod, sym->name))
			pk->direct_functions = true;
	}
	/* A weak definition may have lost against another object's, which is then what is meant. */
	if (plt != NULL || !is_defined(parts->elf, sym) || sym->bind == STB_WEAK || sym->type == STT_TLS)
		return 0;
	return hp_note_section(pk, obj, sym->sec_idx, va - sym->value, from, err);
}

/* A GOT slot: bound to a name, or filled with an address of the module itself. */
static int
note_slot(struct hp_pk *pk, struct hp_pk_obj *obj, const struct hp_sym *sym, uint64_t slot_va, const char *from,
          struct hp_err *err)
{
	const struct hp_mod_slot *slot = hp_module_slot_at(pk->mod, slot_va);
	struct hp_view v;
	struct hp_known *k;

	if (slot != NULL && slot->name[0] != '\0' && sym->name[0] != '\0' && !hp_module_slot_is(slot, sym->name))
		return hp_err_set(err, HP_E_BASELINE, "contradiction: %s uses the GOT slot of '%s', the baseline's is of '%s'",
		                  from, hp_esc(sym->name), hp_esc(slot->name));
	if (sym->bind != STB_LOCAL && sym->name[0] != '\0') {
		k = known_of(pk, sym->name, err);
		if (k == NULL)
			return HP_E_NOMEM;
		k->has_slot = true;
		k->slot = slot_va;
	}
	if (slot != NULL && slot->kind == HP_SLOT_RELATIVE)
		return note_addr(pk, obj, sym, false, (uint64_t)slot->addend, from, err);
	if (slot == NULL && pk->mod->kind == HP_MAN_EXEC && hp_elf_bytes_at(pk->mod->elf, slot_va, 8, &v) &&
	    hp_le64_get(v.p) != 0)
		return note_addr(pk, obj, sym, false, hp_le64_get(v.p), from, err);
	return 0;
}

static int
note_tls(struct hp_pk *pk, struct hp_pk_obj *obj, const struct hp_sym *sym, const struct hp_find *f, const char *from,
         struct hp_err *err)
{
	const struct hp_elf *elf = obj->pair->old_obj->elf;
	const struct hp_mod_slot *slot;
	uint64_t off = f->value;
	struct hp_known *k;

	if (sym->bind != STB_LOCAL && sym->name[0] != '\0') {
		k = known_of(pk, sym->name, err);
		if (k == NULL)
			return HP_E_NOMEM;
		if (f->kind == HP_FIND_TLS_SLOT && f->module_wide)
			return 0;
		if (f->kind == HP_FIND_TLS_SLOT) {
			k->has_tls_slot = true;
			k->tls_slot = f->value;
			return 0;
		}
		if (f->kind == HP_FIND_DTPOFF)
			return agree(&k->has_dtpoff, &k->dtpoff, f->value, "TLS block offset", sym->name, from, from, err);
		return agree(&k->has_tpoff, &k->tpoff, f->value, "thread-local offset", sym->name, from, from, err);
	}
	if (!is_defined(elf, sym))
		return 0;
	k = &obj->secs[sym->sec_idx];
	slot = f->kind == HP_FIND_TLS_SLOT ? hp_module_slot_at(pk->mod, f->value) : NULL;
	if (f->kind == HP_FIND_TLS_SLOT && (slot == NULL || f->module_wide || !hp_tls_slot_offset(pk->mod, slot, &off)))
		return 0;
	if (f->kind != HP_FIND_TPOFF)
		return agree(&k->has_dtpoff, &k->dtpoff, off - sym->value, "TLS block offset of section",
		             elf->secs[sym->sec_idx].name, from, from, err);
	return agree(&k->has_tpoff, &k->tpoff, f->value - sym->value, "thread-local offset of section",
	             elf->secs[sym->sec_idx].name, from, from, err);
}

/* One find against what is known. */
static bool
agrees(const struct hp_pk *pk, const struct hp_pk_obj *obj, const struct hp_find *f)
{
	const struct hp_elf *elf = obj->pair->old_obj->elf;
	const struct hp_sym *sym = &elf->syms[f->sym_idx];
	bool global = sym->bind != STB_LOCAL && sym->name[0] != '\0';
	const struct hp_known *k = global ? hp_known_name(pk, sym->name) : NULL;
	const struct hp_mod_plt *plt = f->kind == HP_FIND_ADDR ? hp_module_plt_at(pk->mod, f->value) : NULL;
	const struct hp_mod_slot *slot = f->kind == HP_FIND_SLOT ? hp_module_slot_at(pk->mod, f->value) : NULL;

	if (plt != NULL)
		slot = &pk->mod->slots[plt->slot_idx];
	if (slot != NULL && slot->name[0] != '\0')
		return !global || hp_module_slot_is(slot, sym->name);
	if (f->kind != HP_FIND_ADDR || plt != NULL)
		return true;
	if (k != NULL && k->has_addr && k->addr != f->value)
		return false;
	if (!is_defined(elf, sym) || sym->bind == STB_WEAK || (elf->secs[sym->sec_idx].flags & SHF_MERGE) != 0)
		return true;
	return !obj->secs[sym->sec_idx].has_addr || obj->secs[sym->sec_idx].addr + sym->value == f->value;
}

bool
hp_finds_agree(const struct hp_pk *pk, const struct hp_pk_obj *obj, const struct hp_find *finds, uint32_t cnt)
{
	for (uint32_t i = 0; i < cnt; i++)
		if (!agrees(pk, obj, &finds[i]))
			return false;
	return true;
}

int
hp_note_finds(struct hp_pk *pk, struct hp_pk_obj *obj, uint32_t part_idx, const struct hp_find *finds, uint32_t cnt,
              struct hp_err *err)
{
	const struct hp_object *old = obj->pair->old_obj;
	const char *from;
	int r = 0;

	if (cnt == 0)
		return 0;
	from = hp_arena_printf(&pk->arena, "%s of '%s'", hp_esc(hp_part_name(old->parts, part_idx)), hp_esc(obj->pair->path));
	if (from == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	for (uint32_t i = 0; i < cnt && r == 0; i++) {
		const struct hp_sym *sym = &old->elf->syms[finds[i].sym_idx];

		switch (finds[i].kind) {
		case HP_FIND_ADDR:
			r = note_addr(pk, obj, sym, finds[i].branch, finds[i].value, from, err);
			break;
		case HP_FIND_SLOT:
			r = note_slot(pk, obj, sym, finds[i].value, from, err);
			break;
		case HP_FIND_TPOFF:
		case HP_FIND_DTPOFF:
		case HP_FIND_TLS_SLOT:
			r = note_tls(pk, obj, sym, &finds[i], from, err);
			break;
		case HP_FIND_NAME:
			break;
		}
	}
	return r;
}
