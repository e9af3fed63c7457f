#include "formats/dwarf_internal.h"

#include <stdlib.h>

#include "base/escape.h"
#include "formats/dwarf_compat.h"

static enum hp_dw_kind
kind_of(uint64_t tag)
{
	switch (tag) {
	case DW_TAG_compile_unit:
	case DW_TAG_type_unit:
	case DW_TAG_partial_unit:
	case DW_TAG_skeleton_unit:
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
	case DW_TAG_interface_type:
	case DW_TAG_enumeration_type:
	case DW_TAG_enumerator:
	case DW_TAG_member:
	case DW_TAG_inheritance:
	case DW_TAG_base_type:
	case DW_TAG_unspecified_type:
	case DW_TAG_typedef:
	case DW_TAG_template_alias:
	case DW_TAG_const_type:
	case DW_TAG_volatile_type:
	case DW_TAG_restrict_type:
	case DW_TAG_atomic_type:
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
	case DW_TAG_ptr_to_member_type:
	case DW_TAG_array_type:
	case DW_TAG_subrange_type:
	case DW_TAG_subroutine_type:
	case DW_TAG_subprogram:
	case DW_TAG_lexical_block:
	case DW_TAG_inlined_subroutine:
	case DW_TAG_try_block:
	case DW_TAG_catch_block:
		return HP_DW_KEEP;
	case DW_TAG_formal_parameter:
	case DW_TAG_unspecified_parameters:
		return HP_DW_PARAM;
	case DW_TAG_variable:
		return HP_DW_VAR;
	default:
		return HP_DW_DROP;
	}
}

static enum hp_dw_action
unit_action(uint64_t at)
{
	switch (at) {
	case DW_AT_language:
		return HP_DW_A_LANG;
	case DW_AT_producer:
		return HP_DW_A_PRODUCER;
	case DW_AT_comp_dir:
		return HP_DW_A_COMP_DIR;
	case DW_AT_stmt_list:
		return HP_DW_A_STMT_LIST;
	case DW_AT_str_offsets_base:
		return HP_DW_A_STR_BASE;
	case DW_AT_addr_base:
	case DW_AT_GNU_addr_base:
		return HP_DW_A_ADDR_BASE;
	case DW_AT_dwo_name:
	case DW_AT_GNU_dwo_name:
		return HP_DW_A_DWO;
	case DW_AT_name:
		return HP_DW_A_NAME;
	default:
		return HP_DW_A_SKIP;
	}
}

static enum hp_dw_action
action_of(uint64_t at)
{
	static const struct {
		uint16_t at;
		uint8_t action;
	} t[] = {
		{ DW_AT_name, HP_DW_A_NAME },
		{ DW_AT_linkage_name, HP_DW_A_LINKAGE },
		{ DW_AT_MIPS_linkage_name, HP_DW_A_LINKAGE },
		{ DW_AT_type, HP_DW_A_TYPE },
		{ DW_AT_abstract_origin, HP_DW_A_ORIGIN },
		{ DW_AT_specification, HP_DW_A_ORIGIN },
		{ DW_AT_signature, HP_DW_A_ORIGIN },
		{ DW_AT_byte_size, HP_DW_A_SIZE },
		{ DW_AT_bit_size, HP_DW_A_BIT_SIZE },
		{ DW_AT_data_bit_offset, HP_DW_A_BIT_OFF },
		{ DW_AT_bit_offset, HP_DW_A_OLD_BIT_OFF },
		{ DW_AT_data_member_location, HP_DW_A_MEMBER },
		{ DW_AT_const_value, HP_DW_A_CONST },
		{ DW_AT_upper_bound, HP_DW_A_UPPER },
		{ DW_AT_count, HP_DW_A_COUNT },
		{ DW_AT_encoding, HP_DW_A_ENCODING },
		{ DW_AT_declaration, HP_DW_A_DECLARATION },
		{ DW_AT_external, HP_DW_A_EXTERNAL },
		{ DW_AT_low_pc, HP_DW_A_LOW_PC },
		{ DW_AT_ranges, HP_DW_A_RANGES },
		{ DW_AT_location, HP_DW_A_LOCATION },
		{ DW_AT_prototyped, HP_DW_A_PROTOTYPED },
		{ DW_AT_artificial, HP_DW_A_ARTIFICIAL },
		{ DW_AT_decl_file, HP_DW_A_FILE },
		{ DW_AT_decl_line, HP_DW_A_LINE },
		/* An inlined instance has no declaration of its own; its "line" is where it was called. */
		{ DW_AT_call_file, HP_DW_A_FILE },
		{ DW_AT_call_line, HP_DW_A_LINE },
		{ DW_AT_vtable_elem_location, HP_DW_A_SLOT },
		{ DW_AT_virtuality, HP_DW_A_VIRTUAL },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		if (t[i].at == at)
			return (enum hp_dw_action)t[i].action;
	}
	return HP_DW_A_SKIP;
}

static enum hp_dw_action
attr_action(const struct hp_dw_abbrev *a, uint64_t at)
{
	if (at == DW_AT_sibling)
		return a->kind == HP_DW_DROP ? HP_DW_A_SIBLING : HP_DW_A_SKIP;
	if (a->tag == DW_TAG_compile_unit || a->tag == DW_TAG_type_unit || a->tag == DW_TAG_partial_unit ||
	    a->tag == DW_TAG_skeleton_unit)
		return unit_action(at);
	if (a->kind == HP_DW_DROP)
		return HP_DW_A_SKIP;
	return action_of(at);
}

/* While the table's size is unknown, entries collect here. */
struct building {
	struct hp_buf abbrevs, attrs;
	uint32_t abbrevs_cnt, attrs_cnt;
};

/* Neighbouring attributes that do not matter and have fixed sizes become one skip. */
static int
add_attr(struct building *b, struct hp_dw_abbrev *a, struct hp_dw_attr attr, const struct hp_dw_unit *u, struct hp_err *err)
{
	int len = attr.action == HP_DW_A_SKIP ? hp_dw_form_len(u, attr.form) : -1;

	if (len >= 0) {
		attr = (struct hp_dw_attr){ .value = len };
		if (a->attrs_cnt > 0) {
			struct hp_dw_attr last;
			uint8_t *at = b->attrs.p + (b->attrs_cnt - 1) * sizeof(last);

			memcpy(&last, at, sizeof(last));
			if (last.action == HP_DW_A_SKIP && last.form == 0) {
				last.value += len;
				memcpy(at, &last, sizeof(last));
				return 0;
			}
		}
	}
	a->attrs_cnt++;
	b->attrs_cnt++;
	return hp_buf_add(&b->attrs, &attr, sizeof(attr), err);
}

static int
read_entry(struct building *b, const struct hp_dw_unit *u, struct hp_dw_cur *c, uint64_t code, struct hp_err *err)
{
	uint64_t tag = hp_dw_uleb(c);
	struct hp_dw_abbrev a = {
		.code = code, .tag = tag < UINT16_MAX ? (uint16_t)tag : UINT16_MAX, .kind = (uint8_t)kind_of(tag),
		.children = hp_dw_get(c, 1) != 0, .attrs_idx = b->attrs_cnt,
	};

	uint64_t seen = 0; /* actions; a second attribute of one kind is malformed and skipped, which keeps the list short */

	for (;;) {
		uint64_t at = hp_dw_uleb(c), form = hp_dw_uleb(c);
		int64_t implicit = form == DW_FORM_implicit_const ? hp_dw_sleb(c) : 0;
		enum hp_dw_action action = attr_action(&a, at);
		int r;

		if (c->bad || (at == 0 && form == 0))
			break;
		if (form == 0 || form > UINT16_MAX)
			return hp_err_set(err, HP_E_FORMAT, "abbreviation %llu: form 0x%llx is not known",
			                  (unsigned long long)code, (unsigned long long)form);
		if ((seen >> action & 1) != 0)
			action = HP_DW_A_SKIP;
		seen |= (uint64_t)1 << action;
		r = add_attr(b, &a, (struct hp_dw_attr){ (uint8_t)action, (uint16_t)form, implicit }, u, err);
		if (r < 0)
			return r;
	}
	b->abbrevs_cnt++;
	return hp_buf_add(&b->abbrevs, &a, sizeof(a), err);
}

static int
by_code(const void *a, const void *b)
{
	const struct hp_dw_abbrev *x = a, *y = b;

	return x->code < y->code ? -1 : x->code > y->code;
}

static int
finish(struct hp_dwarf *dw, const struct building *b, struct hp_dw_abbrevs *t, struct hp_err *err)
{
	t->v = hp_arena_alloc(&dw->arena, b->abbrevs.len);
	t->attrs = hp_arena_alloc(&dw->arena, b->attrs.len);
	if (t->v == NULL || t->attrs == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for abbreviations");
	if (b->abbrevs.len > 0)
		memcpy(t->v, b->abbrevs.p, b->abbrevs.len);
	if (b->attrs.len > 0)
		memcpy(t->attrs, b->attrs.p, b->attrs.len);
	t->cnt = b->abbrevs_cnt;
	t->dense = true;
	for (uint32_t i = 0; i < t->cnt; i++)
		t->dense = t->dense && t->v[i].code == (uint64_t)i + 1;
	if (!t->dense)
		qsort(t->v, t->cnt, sizeof(*t->v), by_code);
	return 0;
}

static int
read_table(struct hp_dwarf *dw, const struct hp_dw_unit *u, struct building *b, struct hp_err *err)
{
	struct hp_view sect = dw->sect[HP_DW_ABBREV], v;
	struct hp_dw_cur c;
	int r = 0;

	if (u->abbrev_off >= sect.len || !hp_view_sub(sect, u->abbrev_off, sect.len - u->abbrev_off, &v))
		return hp_err_set(err, HP_E_FORMAT, "abbreviations at offset %llu of %zu", (unsigned long long)u->abbrev_off,
		                  sect.len);
	c = (struct hp_dw_cur){ v.p, v.p + v.len, dw->elf->big_endian, false };
	for (;;) {
		uint64_t code = hp_dw_uleb(&c), used;

		if (c.bad || code == 0)
			break;
		r = read_entry(b, u, &c, code, err);
		if (r < 0)
			return r;
		used = (uint64_t)(c.p - v.p);
		if (used > dw->abbrev_budget)
			return hp_err_set(err, HP_E_LIMIT, "abbreviation tables overlap");
	}
	dw->abbrev_budget -= (uint64_t)(c.p - v.p) < dw->abbrev_budget ? (uint64_t)(c.p - v.p) : dw->abbrev_budget;
	return 0;
}

int
hp_dw_abbrevs_get(struct hp_dwarf *dw, const struct hp_dw_unit *u, struct hp_dw_abbrevs **ret, struct hp_err *err)
{
	struct hp_dw_abbrevs *t, probe = { 0 };
	struct building b = { 0 };
	uint64_t found;
	int r;

	probe.key.off = u->abbrev_off;
	probe.key.shape = (uint64_t)u->addr_len | (uint64_t)u->off_len << 8 | (uint64_t)(u->version <= 2) << 16;
	if (hp_map_get(&dw->abbrev_map, &probe.key, sizeof(probe.key), &found)) {
		*ret = (struct hp_dw_abbrevs *)(uintptr_t)found;
		return 0;
	}
	t = hp_arena_alloc(&dw->arena, sizeof(*t));
	if (t == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for abbreviations");
	t->key = probe.key;
	r = read_table(dw, u, &b, err);
	if (r == 0)
		r = finish(dw, &b, t, err);
	hp_buf_release(&b.abbrevs);
	hp_buf_release(&b.attrs);
	if (r < 0)
		return r;
	r = hp_map_put(&dw->abbrev_map, &t->key, sizeof(t->key), (uint64_t)(uintptr_t)t, err);
	if (r == 0)
		*ret = t;
	return r;
}

const struct hp_dw_abbrev *
hp_dw_abbrev_find(const struct hp_dw_abbrevs *t, uint64_t code)
{
	uint32_t lo = 0, hi = t->cnt;

	if (t->dense)
		return code - 1 < t->cnt ? &t->v[code - 1] : NULL;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (t->v[mid].code < code)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < t->cnt && t->v[lo].code == code ? &t->v[lo] : NULL;
}
