/* Exception tables (LSDA) of included functions: what an unwinder needs to run clean-ups and find handlers in them.
 *
 * A table is copied as it is, because all that it says of code counts from the function's start. The two things that lead out of
 * it, its types and the personality routine that reads it, are pointed to through words of the payload's own (the encoding
 * indirect|pcrel|sdata4, whatever the object had), so that only these words need fixups. Sources: Itanium C++ ABI, "Exception
 * Handling Tables"; LSB 5.0 core "Exception Frames".
 */
#include "packager/ehframe.h"

#include "base/escape.h"
#include "base/le.h"

enum { PE_UDATA4 = 0x03, PE_INDIRECT_PCREL_SDATA4 = 0x9b, PE_INDIRECT = 0x80, PE_OMIT = 0xff, POINTER_LEN = 4 };

static int
refuse(const struct hp_item *item, struct hp_err *err, const char *what)
{
	return hp_err_set(err, HP_E_REFUSED, "'%s': function '%s' has an exception table %s", hp_esc(item->obj->pair->path),
	                  hp_esc(item->name), what);
}

/* An indirect pointer leads to a word of the object (DW.ref.NAME, or a stub of clang's) that holds the address: the relocation of
 * that word, and its section. */
static const struct hp_rel *
behind(struct hp_elf *elf, const struct hp_rel *rel, uint32_t *ret_sec, struct hp_err *err)
{
	const struct hp_sym *sym = &elf->syms[rel->sym_idx];

	if (sym->sec_idx == HP_SEC_UNDEF || sym->sec_idx >= elf->secs_cnt || hp_elf_load_rels(elf, sym->sec_idx, err) < 0)
		return NULL;
	*ret_sec = sym->sec_idx;
	return hp_elf_rel_at(&elf->secs[sym->sec_idx], sym->value + (uint64_t)rel->addend);
}

static bool
is_relro(const struct hp_module *mod, uint64_t va)
{
	for (uint32_t i = 0; i < mod->elf->segs_cnt; i++) {
		const struct hp_seg *s = &mod->elf->segs[i];

		if (s->type == PT_GNU_RELRO && va >= s->va && va - s->va < s->mem_len)
			return true;
	}
	return false;
}

/* A word that the dynamic linker fills with the address of ${name} and that nobody changes afterwards: DW.ref.NAME, or one in
 * RELRO. A personality routine's address is stored by nobody else than unwind tables. */
static const struct hp_mod_slot *
constant_slot(const struct hp_module *mod, const char *name)
{
	bool personality = strncmp(name, "__g", 3) == 0 && strstr(name, "_personality_") != NULL;

	for (uint32_t i = 0; i < mod->slots_cnt; i++) {
		const struct hp_mod_slot *s = &mod->slots[i];
		uint32_t first, cnt;

		if (s->kind != HP_SLOT_ABS64 || s->addend != 0 || strcmp(s->name, name) != 0)
			continue;
		if (personality || is_relro(mod, s->va))
			return s;
		cnt = hp_module_at(mod, s->va, &first);
		for (uint32_t k = 0; k < cnt; k++)
			if (strncmp(mod->syms[first + k].name, "DW.ref.", 7) == 0)
				return s;
	}
	return NULL;
}

/* A word of the payload with the address that ${rel}, a relocation of section ${sec}, is about. NULL: failed. */
static struct hp_item *
make_cell(struct hp_pk *pk, struct hp_item *func, uint32_t sec, const struct hp_rel *rel, bool indirect, struct hp_err *err)
{
	struct hp_object *obj = func->obj->pair->new_obj;
	const struct hp_parts *parts = obj->parts;
	struct hp_ref_cursor cur = HP_REF_CURSOR_INIT;
	struct hp_use use = { .item = func };
	const struct hp_mod_slot *slot;
	struct hp_target target = { 0 };
	uint32_t part;

	use.rel = indirect ? behind(obj->elf, rel, &sec, err) : rel;
	if (use.rel == NULL || (indirect && use.rel->type != R_X86_64_64)) {
		(void)refuse(func, err, "with an indirect pointer that leads nowhere");
		return NULL;
	}
	part = hp_parts_at(parts, sec, use.rel->off);
	if (part == HP_NONE)
		part = parts->sec_first[sec];
	if (hp_ref_resolve(parts, part, use.rel, &cur, &use.ref, err) < 0)
		return NULL;
	use.name = obj->elf->syms[use.rel->sym_idx].name;
	use.ref.pc_rel = false;
	slot = constant_slot(pk->mod, use.name);
	if (slot != NULL)
		target = (struct hp_target){ .kind = HP_FIX_SLOT, .value = slot->va };
	else if (hp_target_find(pk, &use, &target, err) < 0)
		return NULL;
	return hp_item_cell(pk, &target, use.name, err);
}

static int
failed(const struct hp_err *err)
{
	return err != NULL && err->code != 0 ? err->code : HP_E_NOMEM;
}

static bool
read_uleb(struct hp_view v, uint64_t *pos, uint64_t *ret)
{
	*ret = 0;
	for (unsigned shift = 0; *pos < v.len && shift < 63; shift += 7) {
		uint8_t b = v.p[(*pos)++];

		*ret |= (uint64_t)(b & 0x7f) << shift;
		if ((b & 0x80) == 0)
			return true;
	}
	return false;
}

/* Where the types end, from which they are counted backwards; 0 = the table has none. */
static int
find_types(const struct hp_item *func, struct hp_view v, uint64_t *ret_end, struct hp_err *err)
{
	uint64_t pos = 2, off;

	*ret_end = 0;
	if (v.len < 4)
		return refuse(func, err, "that is cut short");
	if (v.p[0] != PE_OMIT)
		return refuse(func, err, "with landing pads outside of the function");
	if (v.p[1] == PE_OMIT)
		return 0;
	if (v.p[1] != PE_UDATA4 && v.p[1] != PE_INDIRECT_PCREL_SDATA4)
		return refuse(func, err, "whose types are encoded in a way that is not supported");
	if (!read_uleb(v, &pos, &off) || off > v.len - pos)
		return refuse(func, err, "that is cut short");
	*ret_end = pos + off;
	return 0;
}

/* Types that are caught. A zero without relocation catches all and stays. */
static int
add_types(struct hp_pk *pk, struct hp_item *func, const struct hp_lsda *l, uint64_t types_end, bool indirect, struct hp_err *err)
{
	const struct hp_sec *sec = &func->obj->pair->new_obj->elf->secs[l->sec_idx];

	for (uint32_t i = 0; i < sec->rels_cnt; i++) {
		const struct hp_rel *rel = &sec->rels[i];
		struct hp_target target = { .kind = HP_FIX_ITEM };
		uint64_t at = rel->off - l->off;
		int r;

		if (rel->off < l->off || at >= l->len)
			continue;
		if (at >= types_end || (types_end - at) % POINTER_LEN != 0 ||
		    rel->type != (indirect ? (uint32_t)R_X86_64_PC32 : (uint32_t)R_X86_64_32))
			return refuse(func, err, "with a relocation outside of its types");
		target.item = make_cell(pk, func, l->sec_idx, rel, indirect, err);
		if (target.item == NULL)
			return failed(err);
		r = hp_fix_new(pk, l->item, at, HP_FORM_PC32, &target, 0, "a type", err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int
copy_table(struct hp_pk *pk, struct hp_item *func, struct hp_lsda *l, struct hp_err *err)
{
	struct hp_elf *elf = func->obj->pair->new_obj->elf;
	struct hp_view v;
	uint64_t types_end;
	bool indirect;
	int r;

	if (!hp_view_sub(elf->secs[l->sec_idx].data, l->off, l->len, &v))
		return refuse(func, err, "that is cut short");
	r = find_types(func, v, &types_end, err);
	if (r == 0)
		r = hp_elf_load_rels(elf, l->sec_idx, err);
	if (r < 0)
		return r;
	indirect = (v.p[1] & PE_INDIRECT) != 0;
	l->item = hp_item_new(pk, HP_ITEM_RODATA, "", v.p, v.len, POINTER_LEN);
	if (l->item == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	if (types_end > 0)
		l->item->bytes[1] = PE_INDIRECT_PCREL_SDATA4;
	return add_types(pk, func, l, types_end, indirect, err);
}

int
hp_lsda_resolve(struct hp_pk *pk, struct hp_item *func, struct hp_err *err)
{
	struct hp_pk_obj *obj = func->obj;
	struct hp_lsda *l;
	int r = obj->lsdas == NULL ? hp_eh_scan(pk, obj, err) : 0;

	if (r < 0)
		return r;
	l = &obj->lsdas[func->part_idx];
	if (l->personality_rel == NULL)
		return 0;
	if ((l->personality_enc != PE_UDATA4 && l->personality_enc != PE_INDIRECT_PCREL_SDATA4) ||
	    (l->sec_idx != HP_NONE && (l->table_enc & 0x07) != PE_UDATA4))
		return refuse(func, err, "with pointers of the large code model");
	l->personality =
		make_cell(pk, func, l->eh_sec, l->personality_rel, (l->personality_enc & PE_INDIRECT) != 0, err);
	if (l->personality == NULL)
		return failed(err);
	return l->sec_idx != HP_NONE ? copy_table(pk, func, l, err) : 0;
}
