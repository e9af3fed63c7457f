#include "formats/dwarf_types.h"

#include <stdlib.h>

#include "formats/dwarf_compat.h"

#define SCOPES_MAX 16u

static int
add_item(struct hp_dw_items *items, const struct hp_dw_item *item, struct hp_err *err)
{
	if (items->cnt == items->cap) {
		size_t cap = items->cap == 0 ? 1024 : items->cap * 2;
		struct hp_dw_item *more = realloc(items->v, cap * sizeof(*more));

		if (more == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory for %zu types", cap);
		items->v = more;
		items->cap = cap;
	}
	items->v[items->cnt] = *item;
	items->v[items->cnt].order = (uint32_t)items->cnt;
	items->cnt++;
	return 0;
}

static bool
in_scope(uint16_t tag)
{
	return tag == DW_TAG_namespace || hp_dw_is_record(tag);
}

/* "outer::inner::name" for C++; plain names, which is all of C, are not copied. NULL: no memory. */
static const char *
qualified(struct hp_dwarf *dw, uint32_t n, const char *name)
{
	const char *scope[SCOPES_MAX];
	unsigned cnt = 0;
	struct hp_buf b = { 0 };
	const char *ret = NULL;
	int r = 0;

	if (dw->names_budget < SCOPES_MAX * 256)
		return NULL;
	for (uint32_t p = hp_dw_scope(dw, n); in_scope(dw->nodes[p].tag) && cnt < SCOPES_MAX; p = hp_dw_scope(dw, p))
		scope[cnt++] = dw->nodes[p].name != NULL ? dw->nodes[p].name : "(anonymous)";
	if (cnt == 0)
		return name;
	while (cnt > 0 && r == 0) {
		cnt--;
		r = hp_buf_add(&b, scope[cnt], strnlen(scope[cnt], 256), NULL);
		if (r == 0)
			r = hp_buf_add(&b, "::", 2, NULL);
	}
	if (r == 0)
		r = hp_buf_add(&b, name, strnlen(name, 256) + 1, NULL);
	if (r == 0)
		ret = hp_arena_strndup(&dw->arena, (const char *)b.p, b.len - 1);
	dw->names_budget -= b.len;
	hp_buf_release(&b);
	return ret;
}

static const char *
symbol_name(struct hp_dwarf *dw, uint32_t n)
{
	const struct hp_dw_node *x = &dw->nodes[n];

	return x->linkage != NULL ? x->linkage : x->name != NULL ? qualified(dw, n, x->name) : "";
}

/* A lambda's class has no name, but an operator(). Lambdas are known by the function that they are in; its several ones are told
 * apart by what they hold. */
static bool
is_closure(const struct hp_dwarf *dw, uint32_t n)
{
	for (uint32_t i = n + 1; i < dw->nodes[n].end; i = dw->nodes[i].end)
		if (dw->nodes[i].tag == DW_TAG_subprogram && dw->nodes[i].name != NULL &&
		    strcmp(dw->nodes[i].name, "operator()") == 0)
			return true;
	return false;
}

static const char *
closure_name(struct hp_dwarf *dw, uint32_t n)
{
	const char *function = NULL, *ret;

	for (uint32_t p = dw->nodes[n].parent; p != 0 && function == NULL; p = dw->nodes[p].parent)
		if (dw->nodes[p].tag == DW_TAG_subprogram)
			function = dw->nodes[hp_dw_origin(dw, p)].name;
	if (dw->names_budget < 2 * 256)
		return NULL;
	ret = hp_arena_printf(&dw->arena, "lambda%s%.256s", function != NULL ? " in " : "", function != NULL ? function : "");
	if (ret != NULL)
		dw->names_budget -= strlen(ret) + 1;
	return ret;
}

/* Fills name, node and kind; an empty name = not compared on its own. NULL name: no memory. */
static void
classify_type(struct hp_dwarf *dw, uint32_t n, struct hp_dw_item *it)
{
	const struct hp_dw_node *x = &dw->nodes[n];

	if (x->tag == DW_TAG_enumerator) {
		/* Of an anonymous enum each enumerator stands for itself, like a #define. */
		if (dw->nodes[x->parent].name == NULL && x->name != NULL)
			*it = (struct hp_dw_item){ .kind = HP_DW_I_ENUM, .name = qualified(dw, x->parent, x->name), .node = n };
		return;
	}
	if ((x->flags & HP_DW_DECLARATION) != 0 || (x->flags & HP_DW_HAS_SIZE) == 0)
		return;
	if (x->name == NULL) {
		if (hp_dw_is_record(x->tag) && is_closure(dw, n))
			*it = (struct hp_dw_item){ .kind = HP_DW_I_TYPE, .name = closure_name(dw, n), .node = n };
		return;
	}
	if (x->tag == DW_TAG_enumeration_type)
		*it = (struct hp_dw_item){ .kind = HP_DW_I_ENUM, .name = qualified(dw, n, x->name), .node = n };
	else if (hp_dw_is_record(x->tag))
		*it = (struct hp_dw_item){ .kind = HP_DW_I_TYPE, .name = qualified(dw, n, x->name), .node = n };
}

static void
classify_symbol(struct hp_dwarf *dw, uint32_t n, struct hp_dw_item *it)
{
	const struct hp_dw_node *x = &dw->nodes[n];
	uint32_t o, f;

	if (x->tag == DW_TAG_subprogram) {
		if ((x->flags & HP_DW_DECLARATION) != 0 || (x->flags & HP_DW_HAS_CODE) == 0)
			return;
		o = hp_dw_origin(dw, n);
		if (dw->nodes[o].tag == DW_TAG_subprogram)
			*it = (struct hp_dw_item){ .kind = HP_DW_I_FUNCTION, .name = symbol_name(dw, o), .node = o };
		return;
	}
	if (x->tag != DW_TAG_variable || (x->flags & HP_DW_HAS_LOC) == 0 || (x->flags & HP_DW_DECLARATION) != 0)
		return;
	f = hp_dw_function_of(dw, n);
	if (f != 0 && (x->flags & HP_DW_HAS_ADDR) == 0)
		return;
	o = hp_dw_origin(dw, n);
	if (dw->nodes[o].tag != DW_TAG_variable || dw->nodes[o].name == NULL)
		return;
	*it = (struct hp_dw_item){ .kind = HP_DW_I_VARIABLE, .node = x->type != 0 ? n : o };
	if (f == 0)
		it->name = symbol_name(dw, o);
	else if (dw->names_budget < 2 * 256)
		it->name = NULL;
	else
		it->name = hp_arena_printf(&dw->arena, "%.256s.%.256s", dw->nodes[f].name != NULL ? dw->nodes[f].name : "?",
		                           dw->nodes[o].name);
	if (f != 0 && it->name != NULL)
		dw->names_budget -= strlen(it->name) + 1;
}

static int
by_key(const void *a, const void *b)
{
	const struct hp_dw_item *x = a, *y = b;
	int c;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->unit != y->unit)
		return x->unit < y->unit ? -1 : 1;
	c = strcmp(x->name, y->name);
	if (c != 0)
		return c;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Names of nested scopes are spelled out once an item: their sum is kept in proportion to the input. */
int
hp_dw_items(struct hp_dwarf *dw, const uint32_t *unit_ids, struct hp_dw_items *ret, struct hp_err *err)
{
	dw->names_budget = 16 * (uint64_t)dw->sect[HP_DW_INFO].len + ((uint64_t)1 << 20);
	for (uint32_t u = 0; u < dw->units_cnt; u++) {
		uint32_t end = u + 1 < dw->units_cnt ? dw->units[u + 1].node : dw->nodes_cnt;

		for (uint32_t n = dw->units[u].node; n < end; n++) {
			struct hp_dw_item it = { .name = "" };
			int r;

			classify_type(dw, n, &it);
			classify_symbol(dw, n, &it);
			if (it.name == NULL)
				return hp_err_set(err, HP_E_LIMIT,
				                  "no memory for names of types, or they are longer than all entries");
			if (it.name[0] == '\0')
				continue;
			it.unit = unit_ids[u];
			r = add_item(ret, &it, err);
			if (r < 0)
				return r;
		}
	}
	if (ret->cnt > 0)
		qsort(ret->v, ret->cnt, sizeof(*ret->v), by_key);
	return 0;
}
