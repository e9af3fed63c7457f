/* Comparison of types between two files: shared by formats/dwarf_{equal,text,match,compare}.c. Nobody else includes this.
 *
 * Equality is structural and coinductive: a pair of types under comparison is taken for equal when it comes up again. A named
 * struct, union, class or enum is compared at its users by kind, name and size only; its own members are compared once, as an
 * item of its own (see dwarf_match.c). So comparing stays shallow and linear.
 */
#ifndef HP_FORMATS_DWARF_TYPES_H
#define HP_FORMATS_DWARF_TYPES_H

#include "formats/dwarf_internal.h"

enum hp_dw_state {
	HP_DW_UNKNOWN,
	HP_DW_ASSUMED, /* being compared, or found equal */
	HP_DW_DIFFERENT,
};

struct hp_dw_memo {
	uint32_t twin; /* node of the new side */
	uint8_t state; /* enum hp_dw_state */
};

struct hp_dw_cmp {
	struct hp_dwarf *old_dw, *new_dw;
	struct hp_dw_memo *memo;  /* per node of the old side: the last comparison */
	uint32_t *trail;          /* old nodes assumed equal, in order; undone when an assumption above them fails */
	size_t trail_cnt, trail_cap;
	uint64_t steps;           /* that may still be made */
	unsigned depth;
	bool failed;              /* steps, depth or memory ran out: results mean nothing */
};

/* hp_dw_strip(dw, off, ret_quals): follow typedefs from DIE offset ${off} to the node of the type, collecting
 * qualifiers as bits; 0 = void. */
enum hp_dw_qual { HP_DW_CONST = 1, HP_DW_VOLATILE = 2, HP_DW_RESTRICT = 4, HP_DW_ATOMIC = 8 };
uint32_t hp_dw_strip(const struct hp_dwarf *dw, uint32_t off, unsigned *ret_quals);

/* hp_dw_same_type(cmp, a, b): the types at DIE offset ${a} of the old side and ${b} of the new one are the same for a user. */
bool hp_dw_same_type(struct hp_dw_cmp *cmp, uint32_t a, uint32_t b);
/* hp_dw_same_node(cmp, a, b): the two type nodes are the same, members included. */
bool hp_dw_same_node(struct hp_dw_cmp *cmp, uint32_t a, uint32_t b);
/* hp_dw_same_layout(cmp, a, b): two complete struct, union, class or enum nodes have equal contents, whatever their names. */
bool hp_dw_same_layout(struct hp_dw_cmp *cmp, uint32_t a, uint32_t b);
/* hp_dw_same_member(cmp, a, b): two members or base classes are equal in name, place and type. */
bool hp_dw_same_member(struct hp_dw_cmp *cmp, uint32_t a, uint32_t b);
/* hp_dw_same_signature(cmp, a, b): two subprograms or subroutine types. */
bool hp_dw_same_signature(struct hp_dw_cmp *cmp, uint32_t a, uint32_t b);
/* hp_dw_type_size(dw, off, ret): bytes of a type, through typedefs and arrays; false = not known. */
bool hp_dw_type_size(const struct hp_dwarf *dw, uint32_t off, uint64_t *ret);

bool hp_dw_is_record(uint16_t tag); /* struct, union, class */
/* hp_dw_is_data(n): a child that makes up the layout: data member or base class, not a static member. */
bool hp_dw_is_data(const struct hp_dw_node *n);
/* hp_dw_next(dw, parent, child, want): next child of ${parent} behind ${child} (0: the first) that ${want} accepts, 0 = none. */
uint32_t hp_dw_next(const struct hp_dwarf *dw, uint32_t parent, uint32_t child, bool (*want)(const struct hp_dw_node *n));
/* hp_dw_next_paid(cmp, dw, parent, child, want): *child = the next one; false: the budget is used up. */
bool hp_dw_next_paid(struct hp_dw_cmp *cmp, const struct hp_dwarf *dw, uint32_t parent, uint32_t *child,
                     bool (*want)(const struct hp_dw_node *n));
bool hp_dw_is_param(const struct hp_dw_node *n);
bool hp_dw_is_enumerator(const struct hp_dw_node *n);
bool hp_dw_is_subrange(const struct hp_dw_node *n);
bool hp_dw_is_virtual(const struct hp_dw_node *n);

/* Text of types for messages. */
#define HP_DW_TEXT 256
struct hp_dw_text {
	char s[HP_DW_TEXT];
};
/* hp_dw_type_text(dw, off): "char[1025]", "struct x *", "int (*)(int, ...)"; names are escaped; long text ends in "...". */
struct hp_dw_text hp_dw_type_text(const struct hp_dwarf *dw, uint32_t off);
/* hp_dw_signature_text(dw, n): "int (char *, ...)" of a subprogram. */
struct hp_dw_text hp_dw_signature_text(const struct hp_dwarf *dw, uint32_t n);
const char *hp_dw_kind_word(uint16_t tag); /* "struct" */

/* One thing of one side that is compared on its own. */
enum hp_dw_item_kind { HP_DW_I_TYPE, HP_DW_I_ENUM, HP_DW_I_FUNCTION, HP_DW_I_VARIABLE };
struct hp_dw_item {
	const char *name; /* qualified */
	uint32_t node;
	uint32_t unit;    /* number shared by the units that belong together */
	uint32_t order;   /* of input */
	uint8_t kind;     /* enum hp_dw_item_kind */
	bool taken;       /* has its twin */
};
struct hp_dw_items {
	struct hp_dw_item *v;
	size_t cnt, cap;
};

/* dwarf_items.c */
/* hp_dw_items(dw, unit_ids, ret, err): collect, sorted by (kind, unit, name, order). ret->v is malloc'ed. */
HP_MUST_CHECK int hp_dw_items(struct hp_dwarf *dw, const uint32_t *unit_ids, struct hp_dw_items *ret,
                              struct hp_err *err);

/* dwarf_users.c */
/* hp_dw_is_brief(cmp, dw, type): nothing that has the type at node ${type} can outlive a function: there are only local variables
 * and parameters of it, no pointers to it, no members, no variables with static storage. */
bool hp_dw_is_brief(struct hp_dw_cmp *cmp, const struct hp_dwarf *dw, uint32_t type);

/* dwarf_report.c */
/* hp_dw_same_item(cmp, a, b): the twins need no report. */
bool hp_dw_same_item(struct hp_dw_cmp *cmp, const struct hp_dw_item *a, const struct hp_dw_item *b);
/* hp_dw_report(cmp, a, b, ret, err): say how they differ; strings in the new side's arena. */
HP_MUST_CHECK int hp_dw_report(struct hp_dw_cmp *cmp, const struct hp_dw_item *a, const struct hp_dw_item *b,
                               struct hp_type_diff *ret, struct hp_err *err);

#endif
