#include "formats/dwarf_internal.h"

#include <stdlib.h>

#include "formats/dwarf_compat.h"

/* A static local while they are sorted. */
struct found {
	struct hp_dwarf_static s;
	uint32_t function; /* node */
	uint32_t var;      /* node that has the name */
};

static const char *
or_empty(const char *s)
{
	return s != NULL ? s : "";
}

/* The variable may be described in the abstract instance, the concrete one and each inlined one; it is one variable, known
 * by its entry in the abstract instance. */
static int
collect(struct hp_dwarf *dw, struct hp_buf *all, struct hp_err *err)
{
	for (uint32_t n = 1; n < dw->nodes_cnt; n++) {
		const struct hp_dw_node *x = &dw->nodes[n];
		struct found f = { 0 };
		int r;

		if (x->tag != DW_TAG_variable || (x->flags & HP_DW_HAS_ADDR) == 0)
			continue;
		f.var = hp_dw_origin(dw, n);
		f.function = hp_dw_function_of(dw, f.var);
		if (f.function == 0 || dw->nodes[f.var].name == NULL || !hp_dw_place(dw, x->value, &f.s.sec_idx, &f.s.off))
			continue;
		f.s.name = dw->nodes[f.var].name;
		f.s.function = or_empty(dw->nodes[f.function].name);
		f.s.decl_line = dw->nodes[f.var].decl_line;
		r = hp_buf_add(all, &f, sizeof(f), err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int
by_variable(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	int c;

	if (x->function != y->function)
		return x->function < y->function ? -1 : 1;
	c = strcmp(x->s.name, y->s.name);
	if (c != 0)
		return c;
	if (x->var != y->var)
		return x->var < y->var ? -1 : 1;
	if (x->s.sec_idx != y->s.sec_idx)
		return x->s.sec_idx < y->s.sec_idx ? -1 : 1;
	return x->s.off < y->s.off ? -1 : x->s.off > y->s.off;
}

static bool
same_place(const struct found *x, const struct found *y)
{
	return x->var == y->var && x->s.sec_idx == y->s.sec_idx && x->s.off == y->s.off;
}

static size_t
number(struct found *v, size_t cnt, struct hp_dwarf_static *ret)
{
	uint32_t ordinal = 0;
	size_t n = 0;

	for (size_t i = 0; i < cnt; i++) {
		if (i > 0 && same_place(&v[i - 1], &v[i]))
			continue;
		if (i == 0 || v[i - 1].function != v[i].function || strcmp(v[i - 1].s.name, v[i].s.name) != 0)
			ordinal = 0;
		else if (v[i - 1].var != v[i].var)
			ordinal++;
		ret[n] = v[i].s;
		ret[n++].ordinal = ordinal;
	}
	return n;
}

int
hp_dwarf_statics(struct hp_dwarf *dw, const struct hp_dwarf_static **ret, size_t *ret_cnt, struct hp_err *err)
{
	struct hp_buf all = { 0 };
	int r = hp_dw_read(dw, err);

	if (r == 0 && !dw->statics_read) {
		r = collect(dw, &all, err);
		dw->statics = r == 0 ? hp_arena_array(&dw->arena, all.len / sizeof(struct found), sizeof(*dw->statics)) : NULL;
		if (r == 0 && dw->statics == NULL)
			r = hp_err_set(err, HP_E_NOMEM, "no memory for static variables");
		if (r == 0 && all.len > 0) {
			struct found *v = (struct found *)(void *)all.p;

			qsort(v, all.len / sizeof(*v), sizeof(*v), by_variable);
			dw->statics_cnt = number(v, all.len / sizeof(*v), dw->statics);
		}
		dw->statics_read = r == 0;
		hp_buf_release(&all);
	}
	if (r < 0)
		return r;
	*ret = dw->statics;
	*ret_cnt = dw->statics_cnt;
	return 0;
}

/* A definition is better than a declaration, which only stands in when there is no other. */
static int
add_decl(struct hp_dwarf *dw, const char *name, uint32_t n, bool definition, struct hp_err *err)
{
	uint64_t old;

	if (name == NULL || (!definition && hp_map_get_str(&dw->decl_map, name, &old)))
		return 0;
	return hp_map_put_str(&dw->decl_map, name, n, err);
}

static int
read_decls(struct hp_dwarf *dw, struct hp_err *err)
{
	int r = hp_dw_read(dw, err);

	if (r < 0 || dw->decls_read)
		return r;
	for (uint32_t n = 1; n < dw->nodes_cnt; n++) {
		const struct hp_dw_node *x = &dw->nodes[n];
		const struct hp_dw_node *named = x;
		bool definition;

		if ((x->tag != DW_TAG_subprogram && x->tag != DW_TAG_variable) || x->decl_line == 0 ||
		    (x->tag == DW_TAG_variable && hp_dw_function_of(dw, n) != 0))
			continue;
		/* A definition after a declaration has a line of its own, the name is in the declaration. */
		if (x->name == NULL)
			named = &dw->nodes[hp_dw_origin(dw, n)];
		if (named->tag != x->tag)
			continue;
		definition = (x->flags & HP_DW_DECLARATION) == 0;
		r = add_decl(dw, named->name, n, definition, err);
		if (r == 0)
			r = add_decl(dw, named->linkage, n, definition, err);
		if (r < 0)
			return r;
	}
	dw->decls_read = true;
	return 0;
}

int
hp_dwarf_decl(struct hp_dwarf *dw, const char *symbol, const char **ret_file, uint64_t *ret_line, struct hp_err *err)
{
	uint64_t n;
	int r = read_decls(dw, err);

	if (r < 0)
		return r;
	if (!hp_map_get_str(&dw->decl_map, symbol, &n))
		return 0;
	return hp_dw_source(dw, (uint32_t)n, ret_file, ret_line, err);
}
