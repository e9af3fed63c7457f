/* Who uses a type: may objects of it outlive the function that made them? */
#include "formats/dwarf_compat.h"
#include "formats/dwarf_types.h"

/* The same type: also its declarations without contents, and its copies in other units. */
static bool
is_type(const struct hp_dwarf *dw, uint32_t n, uint32_t type)
{
	const struct hp_dw_node *x = &dw->nodes[n], *t = &dw->nodes[type];

	return n == type || (x->tag == t->tag && x->name != NULL && t->name != NULL && strcmp(x->name, t->name) == 0);
}

/* What ${off} leads to through typedefs, qualifiers and arrays is the type. */
static bool
holds(const struct hp_dwarf *dw, uint32_t off, uint32_t type)
{
	unsigned quals;
	uint32_t n = hp_dw_strip(dw, off, &quals);

	for (unsigned i = 0; i < 16 && dw->nodes[n].tag == DW_TAG_array_type; i++)
		n = hp_dw_strip(dw, dw->nodes[n].type, &quals);
	return n != 0 && is_type(dw, n, type);
}

static bool
is_chain(uint16_t tag)
{
	return tag == DW_TAG_typedef || tag == DW_TAG_const_type || tag == DW_TAG_volatile_type || tag == DW_TAG_restrict_type ||
	       tag == DW_TAG_atomic_type || tag == DW_TAG_array_type || tag == DW_TAG_template_alias;
}

/* Something of the type that lives in a frame only: a local variable; what a function of this file alone takes or returns. */
static bool
is_brief(const struct hp_dwarf *dw, uint32_t n)
{
	const struct hp_dw_node *x = &dw->nodes[n], *f = x;

	if (x->tag == DW_TAG_variable)
		return (x->flags & (HP_DW_HAS_ADDR | HP_DW_SPLIT | HP_DW_EXTERNAL | HP_DW_DECLARATION)) == 0 &&
		       hp_dw_function_of(dw, n) != 0;
	if (x->tag == DW_TAG_formal_parameter)
		f = &dw->nodes[x->parent];
	return f->tag == DW_TAG_subprogram && (f->flags & (HP_DW_EXTERNAL | HP_DW_DECLARATION)) == 0;
}

bool
hp_dw_is_brief(struct hp_dw_cmp *cmp, const struct hp_dwarf *dw, uint32_t type)
{
	uint64_t price = dw->nodes_cnt / 32 + 1;

	if (cmp->steps / 2 < price) /* not at the cost of the comparison */
		return false;
	cmp->steps -= price;
	for (uint32_t n = 1; n < dw->nodes_cnt; n++) {
		uint32_t of = dw->nodes[n].type;

		if (of == 0 && dw->nodes[n].tag == DW_TAG_variable) /* an instance: its type is in the abstract one */
			of = dw->nodes[hp_dw_origin(dw, n)].type;
		if (of != 0 && !is_chain(dw->nodes[n].tag) && holds(dw, of, type) && !is_brief(dw, n))
			return false;
	}
	return true;
}
