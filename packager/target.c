/* What a reference of included code means at run time. The rules are those of DESIGN section 5. */
#include "packager/import.h"

#include <inttypes.h>

#include "base/escape.h"
#include "packager/peer.h"

int
hp_refuse(const struct hp_use *use, struct hp_err *err, const char *text)
{
	const struct hp_item *item = use->item;

	return hp_err_set(err, HP_E_REFUSED, "'%s': function or data '%s' refers to '%s': %s",
	                  item->obj != NULL ? hp_esc(item->obj->pair->path) : "?",
	                  item->obj != NULL ? hp_esc(hp_part_name(item->obj->pair->new_obj->parts, item->part_idx)) : "?",
	                  hp_esc(use->name), text);
}

static const struct hp_sym *
symbol_of(const struct hp_use *use)
{
	return use->rel == NULL ? NULL : &use->item->obj->pair->new_obj->elf->syms[use->rel->sym_idx];
}

static bool
is_global(const struct hp_sym *sym)
{
	return sym != NULL && sym->bind != STB_LOCAL && sym->name[0] != '\0' && sym->type != STT_SECTION;
}

/* May the dynamic linker bind this name to another module's definition? With -Bsymbolic-functions nothing in the dynamic section
 * says so, but the code of the baseline does: it uses its own definition directly. */
static bool
is_preemptible(const struct hp_pk *pk, const struct hp_sym *sym)
{
	const struct hp_known *k = hp_known_name(pk, sym->name);
	uint64_t idx;

	if (sym->vis != STV_DEFAULT || !hp_module_preemptible(pk->mod, sym->name) || (k != NULL && k->has_addr))
		return false;
	if (!pk->direct_functions || !hp_map_get_str(&pk->mod->exports, sym->name, &idx))
		return true;
	return pk->mod->elf->dynsyms[idx].type != STT_FUNC;
}

static void
to_module(struct hp_target *ret, uint64_t va, int64_t off)
{
	*ret = (struct hp_target){ .kind = HP_FIX_MODULE, .value = va, .off = off };
}

/* A slot that holds the address of the symbol itself. One for lazy calls does not, until the first call. */
static const struct hp_mod_slot *
address_slot(const struct hp_pk *pk, const struct hp_import_name *want)
{
	const struct hp_mod_slot *slot = hp_module_slot_of(pk->mod, want->name, want->version, HP_SLOT_GLOB_DAT);

	if (slot == NULL && pk->mod->bind_now)
		slot = hp_module_slot_of(pk->mod, want->name, want->version, HP_SLOT_JUMP);
	return slot;
}

/* An imported or preemptible symbol, through what the baseline has for it, else as a new import. */
static int
find_import(struct hp_pk *pk, const struct hp_use *use, struct hp_target *ret, struct hp_err *err)
{
	const struct hp_known *k = hp_known_name(pk, use->name);
	const struct hp_mod_slot *slot;
	const struct hp_mod_plt *plt;
	const struct hp_sym *imp;
	struct hp_import_name want;
	int r = hp_peer_find(pk, use, ret, err);

	if (r == 0)
		r = hp_import_name(pk, use, &want, err);
	else if (r > 0)
		return 0;
	if (r < 0)
		return r;
	imp = hp_module_import(pk->mod, want.name);
	slot = address_slot(pk, &want);
	if (!use->ref.branch && imp != NULL && imp->value != 0) {
		to_module(ret, imp->value, use->ref.off); /* canonical address in a non-PIE executable */
		return 0;
	}
	if (!use->ref.branch && slot != NULL && !use->ref.pc_rel) {
		*ret = (struct hp_target){ .kind = HP_FIX_SLOT, .value = slot->va, .off = use->ref.off };
		return 0;
	}
	if (!use->ref.branch)
		return hp_import_new(pk, use, &want, ret, err);
	plt = hp_module_plt_of(pk->mod, want.name, want.version);
	if (plt != NULL || (k != NULL && k->has_plt)) {
		to_module(ret, plt != NULL ? plt->va : k->plt, use->ref.off);
		return 0;
	}
	if (slot == NULL)
		slot = hp_module_slot_of(pk->mod, want.name, want.version, HP_SLOT_JUMP);
	if (slot == NULL)
		return hp_import_new(pk, use, &want, ret, err);
	ret->item = hp_item_stub(pk, use->name, slot->va, err);
	if (ret->item == NULL)
		return HP_E_NOMEM;
	ret->kind = HP_FIX_ITEM;
	ret->off = use->ref.off;
	return 0;
}

static int
to_item(struct hp_pk *pk, struct hp_pk_obj *obj, uint32_t part_idx, int64_t off, struct hp_target *ret, struct hp_err *err)
{
	struct hp_item *item = hp_item_of_part(pk, obj, part_idx);

	if (item == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	*ret = (struct hp_target){ .kind = HP_FIX_ITEM, .item = item, .off = off };
	return 0;
}

/* A variable without a twin that is not new: it was a common symbol in the original. */
static bool
is_old_common(const struct hp_pk_obj *obj, uint32_t part_idx)
{
	const struct hp_part *p = &obj->pair->new_obj->parts->v[part_idx];

	return obj->pair->old_obj != NULL && obj->pair->new_change[part_idx] == HP_SAME && p->sym_idx != HP_NONE &&
	       obj->pair->new_obj->elf->syms[p->sym_idx].bind != STB_LOCAL && p->kind != HP_PART_FUNC;
}

/* The unchanged twin's place in the baseline. */
static int
to_twin(struct hp_pk *pk, const struct hp_use *use, struct hp_pk_obj *obj, uint32_t part_idx, int64_t off,
        struct hp_target *ret, struct hp_err *err)
{
	uint32_t twin = obj->pair->new_twin != NULL ? obj->pair->new_twin[part_idx] : HP_NONE;
	uint64_t va;
	int r;

	if (twin != HP_NONE)
		r = hp_address_of_part(pk, obj, twin, &va, err);
	else if (is_old_common(obj, part_idx))
		r = hp_address_of_name(pk, hp_part_name(obj->pair->new_obj->parts, part_idx), &va, err);
	else
		return hp_refuse(use, err, "it is new, yet not part of the patch");
	if (r < 0)
		return hp_err_add(err, "'%s': resolving '%s'", hp_esc(obj->pair->path), hp_esc(use->name));
	if (r == 0)
		return hp_err_set(err, HP_E_BASELINE, "'%s': '%s' refers to '%s', whose address in the baseline is not known: %s",
		                  hp_esc(use->item->obj->pair->path), hp_esc(use->item->name), hp_esc(use->name),
		                  "no symbol of that name, and no matched code refers to it (give the --debug-file)");
	to_module(ret, va, off);
	return 0;
}

/* A call goes to the new body. An address that is taken stays the old one, which jumps to the new: pointers stay equal. A
 * place inside the body (a label of a jump table) is only meant by the body itself. */
static int
find_function(struct hp_pk *pk, const struct hp_use *use, struct hp_pk_obj *obj, uint32_t part_idx, int64_t off,
              struct hp_target *ret, struct hp_err *err)
{
	const struct hp_pair *pair = obj->pair;
	bool included = pair->include != NULL && pair->include[part_idx];

	if (!included)
		return to_twin(pk, use, obj, part_idx, off, ret, err);
	if (use->ref.branch || off != 0 || obj->redirects[part_idx] == HP_REDIRECT_NONE)
		return to_item(pk, obj, part_idx, off, ret, err);
	if (obj->redirects[part_idx] == HP_REDIRECT_DIRECT)
		return hp_refuse(use, err, "its address is taken, but other functions share that address in the baseline");
	to_module(ret, obj->places[pair->new_twin[part_idx]].va, off);
	return 0;
}

static int
find_piece(struct hp_pk *pk, const struct hp_use *use, struct hp_pk_obj *obj, uint32_t part_idx, int64_t off,
           struct hp_target *ret, struct hp_err *err)
{
	const struct hp_parts *parts = obj->pair->new_obj->parts;
	const struct hp_sec *sec = &parts->elf->secs[parts->v[part_idx].sec_idx];
	uint64_t start, align = sec->align == 0 ? 1 : sec->align > 4096 ? 4096 : sec->align;
	struct hp_view piece;

	if (off < 0 || !hp_merge_piece(parts, part_idx, (uint64_t)off, &start, &piece))
		return hp_refuse(use, err, "it is no whole string or constant");
	while (align > 1 && (start & (align - 1)) != 0)
		align >>= 1;
	ret->item = hp_item_of_piece(pk, piece, align);
	if (ret->item == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	ret->kind = HP_FIX_ITEM;
	ret->off = off - (int64_t)start;
	return 0;
}

static int
find_part(struct hp_pk *pk, const struct hp_use *use, struct hp_pk_obj *obj, uint32_t part_idx, int64_t off,
          struct hp_target *ret, struct hp_err *err)
{
	switch (obj->pair->new_obj->parts->v[part_idx].kind) {
	case HP_PART_FUNC:
		return find_function(pk, use, obj, part_idx, off, ret, err);
	case HP_PART_MERGE:
		return find_piece(pk, use, obj, part_idx, off, ret, err);
	case HP_PART_ANON:
		return to_item(pk, obj, part_idx, off, ret, err); /* unnamed constants: a copy is as good */
	case HP_PART_DATA:
	case HP_PART_BSS:
	case HP_PART_RODATA:
		if (obj->pair->include != NULL && obj->pair->include[part_idx])
			return to_item(pk, obj, part_idx, off, ret, err);
		return to_twin(pk, use, obj, part_idx, off, ret, err);
	case HP_PART_TLS:
		return hp_refuse(use, err, "a thread-local variable, used in a way that is not supported");
	case HP_PART_CODE:
		return hp_refuse(use, err, "code outside of any function symbol");
	case HP_PART_SPECIAL:
		break;
	}
	return hp_refuse(use, err, "a section of a special kind");
}

static bool
is_ifunc(const struct hp_pk *pk, const char *name)
{
	uint32_t first, cnt = hp_module_named(pk->mod, name, &first);

	for (uint32_t i = 0; i < cnt; i++)
		if (pk->mod->syms[pk->mod->by_name[first + i]].type == STT_GNU_IFUNC)
			return true;
	return false;
}

bool
hp_is_lost(const struct hp_pk_obj *obj, uint32_t part)
{
	uint32_t twin = obj->pair->new_twin != NULL ? obj->pair->new_twin[part] : HP_NONE;

	return twin != HP_NONE && obj->places != NULL && obj->places[twin].state == HP_FUNC_ABSENT;
}

/* A weak (or unique) name that this object defines and another one too: what was linked is meant, in every object. 0: as usual.
 */
static int
find_weak(struct hp_pk *pk, const struct hp_use *use, const struct hp_sym *sym, struct hp_target *ret, struct hp_err *err)
{
	struct hp_pk_obj *obj = use->item->obj;
	uint32_t part = use->ref.part_idx;
	int64_t off = use->ref.off - (int64_t)(sym->value - obj->pair->new_obj->parts->v[part].off);
	uint64_t v;
	int r;

	if (hp_map_get_str(&pk->new_defs, sym->name, &v)) {
		const struct hp_new_def *def = (const struct hp_new_def *)(uintptr_t)v;

		if (def->obj == obj && def->part_idx == part)
			return 0;
		r = find_part(pk, use, def->obj, def->part_idx, (int64_t)def->off + off, ret, err);
		return r < 0 ? r : 1;
	}
	if (!hp_is_lost(obj, part))
		return 0;
	r = hp_address_of_name(pk, sym->name, &v, err);
	if (r == 0)
		return 0; /* nowhere in the module: nobody but this object can mean it */
	if (r > 0)
		to_module(ret, v, off);
	return r;
}

int
hp_target_find(struct hp_pk *pk, const struct hp_use *use, struct hp_target *ret, struct hp_err *err)
{
	struct hp_pk_obj *obj = use->item->obj;
	const struct hp_sym *sym = symbol_of(use);
	const struct hp_known *k;
	uint64_t v;
	int r;

	memset(ret, 0, sizeof(*ret));
	if (is_global(sym) && (sym->type == STT_GNU_IFUNC || is_ifunc(pk, sym->name))) {
		k = hp_known_name(pk, sym->name);
		if (!use->ref.branch || k == NULL || !k->has_plt)
			return hp_refuse(use, err, "an IFUNC, used in a way that the baseline's code does not show");
		to_module(ret, k->plt, use->ref.off);
		return 0;
	}
	if (is_global(sym) && is_preemptible(pk, sym))
		return find_import(pk, use, ret, err);
	if (is_global(sym) && sym->bind != STB_GLOBAL && use->ref.part_idx != HP_NONE && obj->pair->include != NULL &&
	    obj->pair->include[use->ref.part_idx]) {
		r = find_weak(pk, use, sym, ret, err);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	if (use->ref.part_idx != HP_NONE)
		return find_part(pk, use, obj, use->ref.part_idx, use->ref.off, ret, err);
	if (!is_global(sym) || sym->sec_idx == HP_SEC_ABS || sym->sec_idx == HP_SEC_OTHER)
		return hp_refuse(use, err, "neither code nor data");
	if (strcmp(sym->name, "_GLOBAL_OFFSET_TABLE_") == 0)
		return hp_refuse(use, err, "the address of the GOT itself");
	if (hp_map_get_str(&pk->new_defs, sym->name, &v)) {
		const struct hp_new_def *def = (const struct hp_new_def *)(uintptr_t)v;

		return find_part(pk, use, def->obj, def->part_idx, (int64_t)def->off + use->ref.off, ret, err);
	}
	r = hp_address_of_name(pk, sym->name, &v, err);
	if (r < 0)
		return r;
	if (r == 0)
		return find_import(pk, use, ret, err);
	to_module(ret, v, use->ref.off);
	return 0;
}

int
hp_target_slot(struct hp_pk *pk, const struct hp_use *use, bool branch, uint64_t *ret_slot, struct hp_err *err)
{
	const struct hp_sym *sym = symbol_of(use);
	const struct hp_mod_slot *slot;
	struct hp_import_name want;
	uint64_t v;
	int r;

	if (!is_global(sym))
		return 0;
	if (sym->type == STT_GNU_IFUNC || is_ifunc(pk, sym->name)) {
		const struct hp_known *k = hp_known_name(pk, sym->name);

		/* The module's own, called with -fno-plt: the slot holds the resolver's answer. */
		slot = k != NULL && k->has_slot ? hp_module_slot_at(pk->mod, k->slot) : NULL;
		if (slot != NULL && slot->kind == HP_SLOT_IRELATIVE) {
			*ret_slot = slot->va;
			return 1;
		}
	}
	if (!is_preemptible(pk, sym)) {
		if (use->ref.part_idx != HP_NONE || hp_map_get_str(&pk->new_defs, sym->name, &v))
			return 0;
		r = hp_address_of_name(pk, sym->name, &v, err);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	r = hp_import_name(pk, use, &want, err);
	if (r < 0)
		return r;
	slot = address_slot(pk, &want);
	if (slot == NULL && branch)
		slot = hp_module_slot_of(pk->mod, want.name, want.version, HP_SLOT_JUMP);
	if (slot == NULL)
		return 0; /* a word of our own */
	*ret_slot = slot->va;
	return 1;
}
