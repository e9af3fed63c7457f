#include "formats/dwarf_types.h"

#include <stdlib.h>

#include "formats/dwarf_compat.h"

#define DEPTH_MAX 256u  /* nested types; C programs stay below 20 */
#define CHAIN_MAX 128u  /* typedefs and qualifiers in a row */

bool
hp_dw_is_record(uint16_t tag)
{
	return tag == DW_TAG_structure_type || tag == DW_TAG_union_type || tag == DW_TAG_class_type ||
	       tag == DW_TAG_interface_type;
}

bool
hp_dw_is_data(const struct hp_dw_node *n)
{
	return n->tag == DW_TAG_inheritance ||
	       (n->tag == DW_TAG_member && (n->flags & (HP_DW_EXTERNAL | HP_DW_DECLARATION)) == 0);
}

bool
hp_dw_is_param(const struct hp_dw_node *n)
{
	return n->tag == DW_TAG_formal_parameter || n->tag == DW_TAG_unspecified_parameters;
}

bool
hp_dw_is_enumerator(const struct hp_dw_node *n)
{
	return n->tag == DW_TAG_enumerator;
}

bool
hp_dw_is_subrange(const struct hp_dw_node *n)
{
	return n->tag == DW_TAG_subrange_type || n->tag == DW_TAG_enumeration_type;
}

bool
hp_dw_is_virtual(const struct hp_dw_node *n)
{
	return n->tag == DW_TAG_subprogram && (n->flags & HP_DW_VIRTUAL) != 0;
}

uint32_t
hp_dw_next(const struct hp_dwarf *dw, uint32_t parent, uint32_t child, bool (*want)(const struct hp_dw_node *n))
{
	uint32_t end = dw->nodes[parent].end, i = child == 0 ? parent + 1 : dw->nodes[child].end;

	while (i < end && !want(&dw->nodes[i]))
		i = dw->nodes[i].end;
	return i < end ? i : 0;
}

static unsigned
qualifier(uint16_t tag)
{
	switch (tag) {
	case DW_TAG_const_type:
		return HP_DW_CONST;
	case DW_TAG_volatile_type:
		return HP_DW_VOLATILE;
	case DW_TAG_restrict_type:
		return HP_DW_RESTRICT;
	case DW_TAG_atomic_type:
		return HP_DW_ATOMIC;
	default:
		return 0;
	}
}

/* An entry without contents that stands for a type unit's type leads there. (A definition leads to its declaration, by
 * DW_AT_specification.) */
static uint32_t
definition(const struct hp_dwarf *dw, uint32_t n)
{
	const struct hp_dw_node *x = &dw->nodes[n];
	uint32_t to = 0;

	if (x->origin != 0 && (x->flags & HP_DW_HAS_SIZE) == 0)
		to = hp_dw_find(dw, x->origin);
	return to != 0 && dw->nodes[to].tag == x->tag ? to : n;
}

uint32_t
hp_dw_strip(const struct hp_dwarf *dw, uint32_t off, unsigned *ret_quals)
{
	*ret_quals = 0;
	for (unsigned i = 0; i < CHAIN_MAX; i++) {
		uint32_t n = hp_dw_find(dw, off);
		uint16_t tag = dw->nodes[n].tag;

		if (n == 0)
			return 0;
		if (tag != DW_TAG_typedef && tag != DW_TAG_template_alias && qualifier(tag) == 0) {
			return definition(dw, n);
		}
		*ret_quals |= qualifier(tag);
		off = dw->nodes[n].type;
	}
	return 0;
}

bool
hp_dw_type_size(const struct hp_dwarf *dw, uint32_t off, uint64_t *ret)
{
	uint64_t times = 1;
	unsigned quals;

	for (unsigned i = 0; i < CHAIN_MAX; i++) {
		uint32_t n = hp_dw_strip(dw, off, &quals);
		const struct hp_dw_node *t = &dw->nodes[n];

		if (n == 0)
			return false;
		if ((t->flags & HP_DW_HAS_SIZE) != 0)
			return !__builtin_mul_overflow(times, t->size, ret);
		if (t->tag != DW_TAG_array_type)
			return false;
		for (uint32_t d = hp_dw_next(dw, n, 0, hp_dw_is_subrange); d != 0; d = hp_dw_next(dw, n, d, hp_dw_is_subrange)) {
			if ((dw->nodes[d].flags & HP_DW_HAS_VALUE) == 0 ||
			    __builtin_mul_overflow(times, dw->nodes[d].value, &times))
				return false;
		}
		off = t->type;
	}
	return false;
}

static bool
same_str(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* False when the budget is gone: then the whole comparison fails. */
static bool
step(struct hp_dw_cmp *cmp)
{
	if (cmp->steps == 0 || cmp->depth >= DEPTH_MAX) {
		cmp->failed = true;
		return false;
	}
	cmp->steps--;
	return true;
}

static bool
is_scope(uint16_t tag)
{
	return tag == DW_TAG_namespace || hp_dw_is_record(tag);
}

/* Namespaces and classes around two types have equal names. */
static bool
same_scope(const struct hp_dw_cmp *cmp, uint32_t a, uint32_t b)
{
	const struct hp_dw_node *x = cmp->old_dw->nodes, *y = cmp->new_dw->nodes;

	for (unsigned i = 0; i < 32; i++) {
		a = hp_dw_scope(cmp->old_dw, a);
		b = hp_dw_scope(cmp->new_dw, b);
		if (!is_scope(x[a].tag) || !is_scope(y[b].tag))
			return is_scope(x[a].tag) == is_scope(y[b].tag);
		if (!same_str(x[a].name, y[b].name))
			return false;
	}
	return true;
}

static uint16_t
tag_kind(uint16_t tag)
{
	return tag == DW_TAG_class_type ? DW_TAG_structure_type : tag;
}

bool
hp_dw_same_member(struct hp_dw_cmp *cmp, uint32_t a, uint32_t b)
{
	const struct hp_dw_node *x = &cmp->old_dw->nodes[a], *y = &cmp->new_dw->nodes[b];

	if (x->tag != y->tag || x->value != y->value || ((x->flags ^ y->flags) & (HP_DW_BITFIELD | HP_DW_OPAQUE)) != 0)
		return false;
	if ((x->flags & HP_DW_BITFIELD) != 0 && x->size != y->size)
		return false;
	return same_str(x->name, y->name) && hp_dw_same_type(cmp, x->type, y->type);
}

static bool
same_slot(struct hp_dw_cmp *cmp, uint32_t a, uint32_t b)
{
	const struct hp_dw_node *x = &cmp->old_dw->nodes[a], *y = &cmp->new_dw->nodes[b];

	return x->value == y->value && same_str(x->name, y->name) && same_str(x->linkage, y->linkage);
}

/* hp_dw_next() that pays for what it steps over, so that long lists of other children cannot make the search quadratic. */
bool
hp_dw_next_paid(struct hp_dw_cmp *cmp, const struct hp_dwarf *dw, uint32_t parent, uint32_t *child,
                bool (*want)(const struct hp_dw_node *n))
{
	uint32_t from = *child != 0 ? *child : parent, to;
	uint64_t price;

	*child = hp_dw_next(dw, parent, *child, want);
	to = *child != 0 ? *child : dw->nodes[parent].end;
	price = 1 + (to - from) / 32;
	if (cmp->steps < price) {
		cmp->failed = true;
		return false;
	}
	cmp->steps -= price;
	return true;
}

static bool
same_children(struct hp_dw_cmp *cmp, uint32_t a, uint32_t b, bool (*want)(const struct hp_dw_node *n),
              bool (*same)(struct hp_dw_cmp *cmp, uint32_t a, uint32_t b))
{
	uint32_t x = 0, y = 0;

	do {
		if (!hp_dw_next_paid(cmp, cmp->old_dw, a, &x, want) || !hp_dw_next_paid(cmp, cmp->new_dw, b, &y, want))
			return false;
	} while (x != 0 && y != 0 && same(cmp, x, y));
	return x == 0 && y == 0;
}

/* Every old enumerator is there with its value; more of them are fine. The search goes on where the last one was found. */
static bool
same_enumerators(struct hp_dw_cmp *cmp, uint32_t a, uint32_t b)
{
	const struct hp_dw_node *on = cmp->old_dw->nodes, *nn = cmp->new_dw->nodes;
	uint32_t y = 0;

	for (uint32_t x = hp_dw_next(cmp->old_dw, a, 0, hp_dw_is_enumerator); x != 0;
	     x = hp_dw_next(cmp->old_dw, a, x, hp_dw_is_enumerator)) {
		uint32_t start = y;
		bool wrapped = false;

		do {
			if (!hp_dw_next_paid(cmp, cmp->new_dw, b, &y, hp_dw_is_enumerator))
				return false;
			if (y == 0) {
				if (wrapped)
					return false;
				wrapped = true;
				if (start == 0)
					return false;
				continue;
			}
			if (same_str(on[x].name, nn[y].name))
				break;
			if (wrapped && y == start)
				return false;
		} while (true);
		if (on[x].value != nn[y].value)
			return false;
	}
	return true;
}

bool
hp_dw_same_layout(struct hp_dw_cmp *cmp, uint32_t a, uint32_t b)
{
	const struct hp_dw_node *x = &cmp->old_dw->nodes[a], *y = &cmp->new_dw->nodes[b];

	if (tag_kind(x->tag) != tag_kind(y->tag) || ((x->flags ^ y->flags) & HP_DW_DECLARATION) != 0 || x->size != y->size)
		return false;
	if (x->tag == DW_TAG_enumeration_type)
		return same_enumerators(cmp, a, b);
	return same_children(cmp, a, b, hp_dw_is_data, hp_dw_same_member) &&
	       same_children(cmp, a, b, hp_dw_is_virtual, same_slot);
}

static bool
same_unqualified(struct hp_dw_cmp *cmp, uint32_t a, uint32_t b)
{
	unsigned xq, yq;
	uint32_t x = hp_dw_strip(cmp->old_dw, a, &xq), y = hp_dw_strip(cmp->new_dw, b, &yq);

	return x == 0 || y == 0 ? x == y : hp_dw_same_node(cmp, x, y);
}

/* Qualifiers of a parameter itself are no part of the function's type (C11 6.7.6.3p15). */
static bool
same_param(struct hp_dw_cmp *cmp, uint32_t a, uint32_t b)
{
	const struct hp_dw_node *x = &cmp->old_dw->nodes[a], *y = &cmp->new_dw->nodes[b];

	return x->tag == y->tag && same_unqualified(cmp, x->type, y->type);
}

bool
hp_dw_same_signature(struct hp_dw_cmp *cmp, uint32_t a, uint32_t b)
{
	const struct hp_dw_node *x = &cmp->old_dw->nodes[a], *y = &cmp->new_dw->nodes[b];

	if (((x->flags ^ y->flags) & HP_DW_PROTOTYPED) != 0)
		return false;
	return hp_dw_same_type(cmp, x->type, y->type) && same_children(cmp, a, b, hp_dw_is_param, same_param);
}

static bool
same_bound(struct hp_dw_cmp *cmp, uint32_t a, uint32_t b)
{
	const struct hp_dw_node *x = &cmp->old_dw->nodes[a], *y = &cmp->new_dw->nodes[b];

	return x->value == y->value && ((x->flags ^ y->flags) & HP_DW_HAS_VALUE) == 0;
}

/* A named type at its user. Returns -1 when names do not decide. */
static int
same_by_name(const struct hp_dw_cmp *cmp, uint32_t a, uint32_t b, bool by_value)
{
	const struct hp_dw_node *x = &cmp->old_dw->nodes[a], *y = &cmp->new_dw->nodes[b];

	if (x->name == NULL || y->name == NULL || strcmp(x->name, y->name) != 0 || !same_scope(cmp, a, b))
		return -1;
	return !by_value || x->size == y->size || ((x->flags | y->flags) & HP_DW_DECLARATION) != 0;
}

/* As hp_dw_strip(). Qualifiers of an array are those of its elements (C11 6.7.3p9); compilers say one, the other or both. */
static uint32_t
strip_array(const struct hp_dwarf *dw, uint32_t off, unsigned *ret_quals)
{
	uint32_t n = hp_dw_strip(dw, off, ret_quals), e = n;

	for (unsigned i = 0; i < 16 && dw->nodes[e].tag == DW_TAG_array_type; i++) {
		unsigned quals;

		e = hp_dw_strip(dw, dw->nodes[e].type, &quals);
		*ret_quals |= quals;
	}
	return n;
}

static bool
same_target(struct hp_dw_cmp *cmp, uint32_t a, uint32_t b)
{
	unsigned xq, yq;
	uint32_t x = strip_array(cmp->old_dw, a, &xq), y = strip_array(cmp->new_dw, b, &yq);
	uint16_t xt = tag_kind(cmp->old_dw->nodes[x].tag), yt = tag_kind(cmp->new_dw->nodes[y].tag);

	if (x == 0 || y == 0 || xq != yq || xt != yt)
		return x == 0 && y == 0 && xq == yq;
	if ((hp_dw_is_record(xt) || xt == DW_TAG_enumeration_type) && same_by_name(cmp, x, y, false) == 1)
		return true;
	return hp_dw_same_node(cmp, x, y);
}

static bool
compare(struct hp_dw_cmp *cmp, uint32_t a, uint32_t b)
{
	const struct hp_dw_node *x = &cmp->old_dw->nodes[a], *y = &cmp->new_dw->nodes[b];

	switch (x->tag) {
	case DW_TAG_base_type:
		return x->encoding == y->encoding && x->size == y->size;
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
	case DW_TAG_interface_type:
	case DW_TAG_enumeration_type:
		/* Two without name and contents (lambdas in type units): nothing says that they differ. */
		if (((x->flags | y->flags) & HP_DW_DECLARATION) != 0)
			return (x->flags & y->flags & HP_DW_DECLARATION) != 0 && x->name == NULL && y->name == NULL;
		return hp_dw_same_layout(cmp, a, b);
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
	case DW_TAG_ptr_to_member_type:
		/* clang gives no size of pointers. */
		return ((x->flags & y->flags & HP_DW_HAS_SIZE) == 0 || x->size == y->size) && same_target(cmp, x->type, y->type);
	case DW_TAG_array_type:
		return same_children(cmp, a, b, hp_dw_is_subrange, same_bound) && same_unqualified(cmp, x->type, y->type);
	case DW_TAG_subroutine_type:
		return hp_dw_same_signature(cmp, a, b);
	default:
		return x->size == y->size && same_str(x->name, y->name);
	}
}

static bool
assume(struct hp_dw_cmp *cmp, uint32_t a, uint32_t b)
{
	if (cmp->trail_cnt == cmp->trail_cap) {
		size_t cap = cmp->trail_cap == 0 ? 1024 : cmp->trail_cap * 2;
		uint32_t *more = realloc(cmp->trail, cap * sizeof(*more));

		if (more == NULL) {
			cmp->failed = true;
			return false;
		}
		cmp->trail = more;
		cmp->trail_cap = cap;
	}
	cmp->trail[cmp->trail_cnt++] = a;
	cmp->memo[a] = (struct hp_dw_memo){ b, HP_DW_ASSUMED };
	return true;
}

/* A pair that comes up again while it is being compared is taken for equal. When it then turns out different, everything
 * found equal since may rest on that assumption and is forgotten. */
static bool
compare_memoised(struct hp_dw_cmp *cmp, uint32_t a, uint32_t b)
{
	size_t mark = cmp->trail_cnt;
	bool same;

	if (cmp->memo[a].twin == b && cmp->memo[a].state != HP_DW_UNKNOWN)
		return cmp->memo[a].state == HP_DW_ASSUMED;
	if (!step(cmp) || !assume(cmp, a, b))
		return false;
	cmp->depth++;
	same = compare(cmp, a, b);
	cmp->depth--;
	if (!same) {
		while (cmp->trail_cnt > mark)
			cmp->memo[cmp->trail[--cmp->trail_cnt]].state = HP_DW_UNKNOWN;
		cmp->memo[a] = (struct hp_dw_memo){ b, HP_DW_DIFFERENT };
	}
	return same;
}

bool
hp_dw_same_node(struct hp_dw_cmp *cmp, uint32_t a, uint32_t b)
{
	const struct hp_dw_node *x = &cmp->old_dw->nodes[a], *y = &cmp->new_dw->nodes[b];

	if (tag_kind(x->tag) != tag_kind(y->tag))
		return false;
	if (x->tag == DW_TAG_base_type)
		return compare(cmp, a, b);
	if (hp_dw_is_record(x->tag) || x->tag == DW_TAG_enumeration_type) {
		int r = same_by_name(cmp, a, b, true);

		if (r >= 0)
			return r == 1;
	}
	return compare_memoised(cmp, a, b);
}

bool
hp_dw_same_type(struct hp_dw_cmp *cmp, uint32_t a, uint32_t b)
{
	unsigned xq, yq;
	uint32_t x = strip_array(cmp->old_dw, a, &xq), y = strip_array(cmp->new_dw, b, &yq);

	if (xq != yq || x == 0 || y == 0)
		return xq == yq && x == y;
	return hp_dw_same_node(cmp, x, y);
}
