#include "formats/dwarf_types.h"

#include <stdarg.h>

#include "base/escape.h"
#include "formats/dwarf_compat.h"

#define NEST_MAX 3 /* function types in parameters of function types ... */

__attribute__((format(printf, 2, 3))) static void
add(struct hp_dw_text *t, const char *fmt, ...)
{
	size_t used = strlen(t->s);
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = vsnprintf(t->s + used, sizeof(t->s) - used, fmt, ap);
	va_end(ap);
	if (r < 0 || (size_t)r >= sizeof(t->s) - used)
		memcpy(t->s + sizeof(t->s) - 4, "...", 4);
}

/* t = before + t */
static void
prepend(struct hp_dw_text *t, const char *before)
{
	struct hp_dw_text old = *t;

	t->s[0] = '\0';
	add(t, "%s%s", before, old.s);
}

const char *
hp_dw_kind_word(uint16_t tag)
{
	switch (tag) {
	case DW_TAG_structure_type:
		return "struct";
	case DW_TAG_union_type:
		return "union";
	case DW_TAG_class_type:
		return "class";
	case DW_TAG_enumeration_type:
		return "enum";
	default:
		return "type";
	}
}

static void add_type(const struct hp_dwarf *dw, uint32_t off, int nest, struct hp_dw_text *t);

static void
add_params(const struct hp_dwarf *dw, uint32_t n, int nest, struct hp_dw_text *t)
{
	const char *sep = "";

	add(t, "(");
	if (nest >= NEST_MAX) {
		add(t, "...)");
		return;
	}
	for (uint32_t p = hp_dw_next(dw, n, 0, hp_dw_is_param); p != 0 && strlen(t->s) < HP_DW_TEXT - 4;
	     p = hp_dw_next(dw, n, p, hp_dw_is_param)) {
		add(t, "%s", sep);
		sep = ", ";
		if (dw->nodes[p].tag == DW_TAG_unspecified_parameters)
			add(t, "...");
		else
			add_type(dw, dw->nodes[p].type, nest + 1, t);
	}
	if (*sep == '\0' && (dw->nodes[n].flags & HP_DW_PROTOTYPED) != 0)
		add(t, "void");
	add(t, ")");
}

static void
add_dims(const struct hp_dwarf *dw, uint32_t n, struct hp_dw_text *decl)
{
	for (uint32_t d = hp_dw_next(dw, n, 0, hp_dw_is_subrange); d != 0 && strlen(decl->s) < HP_DW_TEXT - 4;
	     d = hp_dw_next(dw, n, d, hp_dw_is_subrange)) {
		if ((dw->nodes[d].flags & HP_DW_HAS_VALUE) != 0)
			add(decl, "[%llu]", (unsigned long long)dw->nodes[d].value);
		else
			add(decl, "[]");
	}
}

static void
add_qualifiers(unsigned quals, struct hp_dw_text *t)
{
	add(t, "%s%s%s%s", quals & HP_DW_CONST ? "const " : "", quals & HP_DW_VOLATILE ? "volatile " : "",
	    quals & HP_DW_RESTRICT ? "restrict " : "", quals & HP_DW_ATOMIC ? "_Atomic " : "");
}

/* The innermost type, which stands first in C: "const struct x". */
static void
add_base(const struct hp_dwarf *dw, uint32_t n, struct hp_dw_text *t)
{
	const struct hp_dw_node *x = &dw->nodes[n];

	if (n == 0)
		add(t, "void");
	else if (!hp_dw_is_record(x->tag) && x->tag != DW_TAG_enumeration_type)
		add(t, "%s", x->name != NULL ? hp_esc(x->name) : "?");
	else if ((x->flags & HP_DW_ALIAS) != 0)
		add(t, "%s", hp_esc(x->name));
	else
		add(t, "%s %s", hp_dw_kind_word(x->tag), x->name != NULL ? hp_esc(x->name) : "{...}");
}

/* Steps over qualifiers only: a typedef's name is what a reader knows. */
static uint32_t
strip_quals(const struct hp_dwarf *dw, uint32_t off, unsigned *ret_quals)
{
	static const struct {
		uint16_t tag;
		unsigned qual;
	} t[] = { { DW_TAG_const_type, HP_DW_CONST }, { DW_TAG_volatile_type, HP_DW_VOLATILE },
		  { DW_TAG_restrict_type, HP_DW_RESTRICT }, { DW_TAG_atomic_type, HP_DW_ATOMIC } };

	*ret_quals = 0;
	for (int steps = 0; steps < 16; steps++) {
		uint32_t n = hp_dw_find(dw, off);
		unsigned qual = 0;

		for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
			qual |= n != 0 && dw->nodes[n].tag == t[i].tag ? t[i].qual : 0;
		if (qual == 0)
			return n;
		*ret_quals |= qual;
		off = dw->nodes[n].type;
	}
	return 0;
}

/* C's declarator syntax: pointers are put before what is there, arrays and functions behind it, in parentheses when a
 * pointer came last. */
static void
add_type(const struct hp_dwarf *dw, uint32_t off, int nest, struct hp_dw_text *t)
{
	struct hp_dw_text decl = { "" };
	bool pointer = false;
	unsigned quals, carried = 0; /* those of an array belong to its elements */

	for (int steps = 0; steps < 32; steps++) {
		uint32_t n = strip_quals(dw, off, &quals);
		uint16_t tag = dw->nodes[n].tag;
		struct hp_dw_text q = { "" };

		quals |= carried;
		carried = tag == DW_TAG_array_type ? quals : 0;
		if (tag == DW_TAG_pointer_type || tag == DW_TAG_reference_type || tag == DW_TAG_rvalue_reference_type) {
			add(&q, "%s", tag == DW_TAG_pointer_type ? "*" : tag == DW_TAG_reference_type ? "&" : "&&");
			add_qualifiers(quals, &q);
			prepend(&decl, q.s);
			pointer = true;
		} else if (tag == DW_TAG_array_type || tag == DW_TAG_subroutine_type) {
			if (pointer) {
				prepend(&decl, "(");
				add(&decl, ")");
			}
			pointer = false;
			if (tag == DW_TAG_array_type)
				add_dims(dw, n, &decl);
			else
				add_params(dw, n, nest, &decl);
		} else {
			add_qualifiers(quals, t);
			add_base(dw, n, t);
			break;
		}
		off = dw->nodes[n].type;
	}
	add(t, "%s%s", decl.s[0] == '*' || decl.s[0] == '&' || decl.s[0] == '(' ? " " : "", decl.s);
}

struct hp_dw_text
hp_dw_type_text(const struct hp_dwarf *dw, uint32_t off)
{
	struct hp_dw_text t = { "" };

	add_type(dw, off, 0, &t);
	return t;
}

struct hp_dw_text
hp_dw_signature_text(const struct hp_dwarf *dw, uint32_t n)
{
	struct hp_dw_text t = { "" };

	add_type(dw, dw->nodes[n].type, 1, &t);
	add(&t, " ");
	add_params(dw, n, 0, &t);
	return t;
}
