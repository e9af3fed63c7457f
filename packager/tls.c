/* Existing thread-local variables, in the models that compilers use. New ones cannot exist: threads have their blocks already.
 * Source: "ELF Handling For Thread-Local Storage" 3.4.6 (x86-64 is variant II), 4.1.6, 4.2.6, 4.3.6, 4.4.6. */
#include "packager/tls.h"

#include <string.h>

static const struct hp_sym *
symbol_of(const struct hp_use *use)
{
	return use->rel == NULL ? NULL : &use->item->obj->pair->new_obj->elf->syms[use->rel->sym_idx];
}

static bool
is_global(const struct hp_sym *sym)
{
	return sym->bind != STB_LOCAL && sym->name[0] != '\0' && sym->type != STT_SECTION;
}

/* Offset in the module's TLS block by the symbol table. */
static bool
offset_of_symbol(const struct hp_pk *pk, const struct hp_sym *sym, const struct hp_pk_obj *obj, uint64_t *ret)
{
	uint32_t first, cnt = hp_module_named(pk->mod, sym->name, &first), hits = 0;

	for (uint32_t i = 0; i < cnt; i++) {
		const struct hp_mod_sym *s = &pk->mod->syms[pk->mod->by_name[first + i]];

		if (s->type != STT_TLS || (sym->bind == STB_LOCAL && strcmp(s->file, obj->file) != 0))
			continue;
		*ret = s->va;
		hits++;
	}
	return hits == 1;
}

/* What is known of a variable: the section of its original and the offset there, or its name. */
struct variable {
	const struct hp_known *known; /* NULL = nothing */
	uint64_t off;                 /* bytes from what known is about */
	const struct hp_sym *sym;     /* for the symbol table, NULL = none */
};

static int
find_variable(struct hp_pk *pk, const struct hp_use *use, struct variable *ret, struct hp_err *err)
{
	const struct hp_pk_obj *obj = use->item->obj;
	const struct hp_sym *sym = symbol_of(use);
	uint32_t part = use->ref.part_idx, twin;
	const struct hp_part *p;

	*ret = (struct variable){ 0 };
	if (sym == NULL)
		return hp_refuse(use, err, "a thread-local variable without a symbol");
	if (is_global(sym)) {
		ret->known = hp_known_name(pk, sym->name);
		ret->sym = sym;
		return 0;
	}
	twin = part != HP_NONE && obj->pair->new_twin != NULL ? obj->pair->new_twin[part] : HP_NONE;
	if (twin == HP_NONE)
		return hp_refuse(use, err, "a thread-local variable that is new");
	p = &obj->pair->old_obj->parts->v[twin];
	ret->known = &obj->secs[p->sec_idx];
	ret->off = p->off;
	ret->sym = p->sym_idx != HP_NONE ? &obj->pair->old_obj->elf->syms[p->sym_idx] : NULL;
	return 0;
}

int
hp_target_tpoff(struct hp_pk *pk, const struct hp_use *use, uint64_t *ret, struct hp_err *err)
{
	const struct hp_seg *tls = pk->mod->tls;
	struct variable var;
	uint64_t align, off;
	int r = find_variable(pk, use, &var, err);

	if (r < 0)
		return r;
	if (pk->mod->kind == HP_MAN_SHARED)
		return hp_refuse(use, err, "a local-exec access to a thread-local variable of a shared library");
	if (var.known != NULL && var.known->has_tpoff) {
		*ret = var.known->tpoff + var.off;
		return 0;
	}
	if (tls == NULL || var.sym == NULL || !offset_of_symbol(pk, var.sym, use->item->obj, &off))
		return hp_refuse(use, err,
		                 "a thread-local variable that the baseline does not define, or whose offset is not known");
	align = tls->align > 1 ? tls->align : 1;
	*ret = off - (tls->mem_len + align - 1) / align * align; /* the executable's block ends at the thread pointer */
	return 0;
}

int
hp_target_dtpoff(struct hp_pk *pk, const struct hp_use *use, uint64_t *ret, struct hp_err *err)
{
	struct variable var;
	int r = find_variable(pk, use, &var, err);

	if (r < 0)
		return r;
	if (pk->mod->kind != HP_MAN_SHARED)
		return hp_refuse(use, err, "a dynamic thread-local access in an executable");
	if (var.known != NULL && var.known->has_dtpoff) {
		*ret = var.known->dtpoff + var.off;
		return 0;
	}
	if (var.sym == NULL || !offset_of_symbol(pk, var.sym, use->item->obj, ret))
		return hp_refuse(use, err, "a thread-local variable whose offset in the baseline is not known");
	return 0;
}

bool
hp_tls_slot_offset(const struct hp_module *mod, const struct hp_mod_slot *slot, uint64_t *ret)
{
	struct hp_view next;

	if (slot->name[0] != '\0')
		return false;
	if (slot->kind == HP_SLOT_TPOFF || slot->kind == HP_SLOT_TLSDESC) {
		*ret = (uint64_t)slot->addend;
		return true;
	}
	/* The second word of a pair is known when linking, so the file has it and no relocation does. */
	if (slot->kind != HP_SLOT_DTPMOD || hp_module_slot_at(mod, slot->va + 8) != NULL ||
	    !hp_elf_bytes_at(mod->elf, slot->va + 8, 8, &next))
		return false;
	*ret = hp_le64_get(next.p);
	return true;
}

static const struct hp_mod_slot *
slot_of_offset(const struct hp_module *mod, enum hp_slot_kind kind, uint64_t off)
{
	uint64_t have;

	for (uint32_t i = 0; i < mod->slots_cnt; i++)
		if (mod->slots[i].kind == kind && hp_tls_slot_offset(mod, &mod->slots[i], &have) && have == off)
			return &mod->slots[i];
	return NULL;
}

/* A variable that cannot be preempted has a slot without a name, if any. */
static const struct hp_mod_slot *
slot_of_own(struct hp_pk *pk, const struct hp_use *use, enum hp_slot_kind kind)
{
	uint64_t off;

	return hp_target_dtpoff(pk, use, &off, NULL) < 0 ? NULL : slot_of_offset(pk->mod, kind, off);
}

int
hp_target_tls_slot(struct hp_pk *pk, const struct hp_use *use, enum hp_slot_kind kind, uint64_t *ret, struct hp_err *err)
{
	bool local = use->rel->type == R_X86_64_TLSLD;
	const struct hp_sym *sym = symbol_of(use);
	const struct hp_mod_slot *slot = NULL;
	const struct hp_known *k;

	if (local) {
		slot = slot_of_offset(pk->mod, kind, 0); /* this module's block */
	} else if (sym != NULL && is_global(sym)) {
		slot = hp_module_slot_of(pk->mod, sym->name, NULL, kind);
		k = hp_known_name(pk, sym->name);
		if (slot == NULL && k != NULL && k->has_tls_slot)
			slot = hp_module_slot_at(pk->mod, k->tls_slot);
	}
	if (slot != NULL && slot->kind != kind)
		slot = NULL; /* of another model, which the baseline uses as well */
	if (slot == NULL && !local && pk->mod->kind == HP_MAN_SHARED)
		slot = slot_of_own(pk, use, kind);
	if (slot == NULL)
		return hp_refuse(use, err, "a thread-local variable for which the baseline has no GOT slot of this access model");
	*ret = slot->va;
	return 0;
}
