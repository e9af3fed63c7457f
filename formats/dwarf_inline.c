/* Calls that were inlined: where a line number inside inlined code may come from. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "formats/dwarf_compat.h"
#include "formats/dwarf_internal.h"

struct found {
	const char *function;
	uint32_t node;
	unsigned depth;
};

/* Name of the function with code that node ${n} was inlined into, NULL = none; and how many inlined calls are in between. */
static const char *
outer_function(const struct hp_dwarf *dw, uint32_t n, unsigned *ret_depth)
{
	*ret_depth = 0;
	for (uint32_t p = dw->nodes[n].parent; p != 0; p = dw->nodes[p].parent) {
		*ret_depth += dw->nodes[p].tag == DW_TAG_inlined_subroutine;
		if (dw->nodes[p].tag == DW_TAG_subprogram)
			return (dw->nodes[p].flags & HP_DW_HAS_CODE) != 0 ? dw->nodes[hp_dw_origin(dw, p)].name : NULL;
	}
	return NULL;
}

static int
by_function(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	int c = strcmp(x->function, y->function);

	return c != 0 ? c : x->node < y->node ? -1 : x->node > y->node;
}

static int
fill_call(struct hp_dwarf *dw, uint32_t n, struct hp_dwarf_call *ret, struct hp_err *err)
{
	const char *name = dw->nodes[hp_dw_origin(dw, n)].name;

	int r;

	*ret = (struct hp_dwarf_call){ .file = "", .callee = name != NULL ? name : "", .callee_file = "" };
	r = hp_dw_source(dw, n, &ret->file, &ret->line, err);
	if (r >= 0)
		r = hp_dw_source(dw, hp_dw_origin(dw, n), &ret->callee_file, &ret->callee_line, err);
	return r < 0 ? r : 0;
}

static int
read_calls(struct hp_dwarf *dw, struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf all = { 0 };
	struct found *v;
	int r = hp_dw_read(dw, err);

	for (uint32_t n = 1; n < dw->nodes_cnt && r == 0; n++) {
		struct found f = { .node = n };

		if (dw->nodes[n].tag == DW_TAG_inlined_subroutine)
			f.function = outer_function(dw, n, &f.depth);
		if (f.function != NULL)
			r = hp_buf_add(&all, &f, sizeof(f), err);
	}
	if (r < 0)
		return r;
	dw->calls_cnt = all.len / sizeof(*v);
	dw->calls = hp_arena_array(&dw->arena, dw->calls_cnt, sizeof(*dw->calls));
	dw->calls_function = hp_arena_array(&dw->arena, dw->calls_cnt, sizeof(*dw->calls_function));
	if (dw->calls == NULL || dw->calls_function == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %zu inlined calls", dw->calls_cnt);
	v = (struct found *)(void *)all.p;
	if (dw->calls_cnt > 0)
		qsort(v, dw->calls_cnt, sizeof(*v), by_function);
	for (size_t i = 0; i < dw->calls_cnt && r == 0; i++) {
		dw->calls_function[i] = v[i].function;
		r = fill_call(dw, v[i].node, &dw->calls[i], err);
		dw->calls[i].depth = v[i].depth;
	}
	dw->calls_read = r == 0;
	return r;
}

/* Order of ${name} against the first ${len} bytes of ${function}. */
static int
name_order(const char *name, const char *function, size_t len)
{
	int c = strncmp(name, function, len);

	return c != 0 ? c : name[len] != '\0';
}

int
hp_dwarf_inlined(struct hp_dwarf *dw, const char *function, size_t function_len, const struct hp_dwarf_call **ret,
                 size_t *ret_cnt, struct hp_err *err)
{
	int r = dw->calls_read ? 0 : read_calls(dw, err);
	size_t lo = 0, hi = dw->calls_cnt, end;

	if (r < 0)
		return r;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (name_order(dw->calls_function[mid], function, function_len) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (end = lo; end < dw->calls_cnt && name_order(dw->calls_function[end], function, function_len) == 0; end++)
		;
	*ret = dw->calls + lo;
	*ret_cnt = end - lo;
	return end > lo;
}
