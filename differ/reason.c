#include "differ/reason.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
grow(struct hp_reasons *list, struct hp_err *err)
{
	size_t cap = list->cap ? list->cap * 2 : 16;
	struct hp_reason *v = hp_arena_array(list->arena, cap, sizeof(*v));

	if (v == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %zu reasons", cap);
	if (list->cnt > 0)
		memcpy(v, list->v, list->cnt * sizeof(*v));
	list->v = v;
	list->cap = cap;
	return 0;
}

static const char *
copy(struct hp_reasons *list, const char *s)
{
	return s == NULL || s[0] == '\0' ? "" : hp_arena_strdup(list->arena, s);
}

int
hp_reason_add(struct hp_reasons *list, enum hp_rule_id id, const char *object, const char *symbol, const char *source,
              struct hp_err *err, const char *fmt, ...)
{
	struct hp_reason *r;
	char text[1024];
	va_list ap;

	if (list->cnt == list->cap) {
		int fail = grow(list, err);

		if (fail < 0)
			return fail;
	}
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r = &list->v[list->cnt];
	*r = (struct hp_reason){
		.rule = hp_rule_get(id)->name,
		.refuse = hp_rule_refuses(id),
		.object = copy(list, object),
		.symbol = copy(list, symbol),
		.source = copy(list, source),
		.message = copy(list, text),
	};
	if (r->object == NULL || r->symbol == NULL || r->source == NULL || r->message == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for a reason");
	list->cnt++;
	return 0;
}

static int
by_order(const void *a, const void *b)
{
	const struct hp_reason *x = a, *y = b;
	int c;

	if (x->refuse != y->refuse)
		return x->refuse ? -1 : 1;
	if ((c = strcmp(x->rule, y->rule)) != 0 || (c = strcmp(x->object, y->object)) != 0 ||
	    (c = strcmp(x->symbol, y->symbol)) != 0 || (c = strcmp(x->source, y->source)) != 0)
		return c;
	return strcmp(x->message, y->message);
}

void
hp_reasons_sort(struct hp_reasons *list)
{
	size_t n = 0;

	if (list->cnt == 0)
		return;
	qsort(list->v, list->cnt, sizeof(*list->v), by_order);
	for (size_t i = 0; i < list->cnt; i++)
		if (n == 0 || by_order(&list->v[n - 1], &list->v[i]) != 0)
			list->v[n++] = list->v[i];
	list->cnt = n;
}
