#include "differ/result.h"

#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "formats/waivers.h"

void
hp_result_release(struct hp_result *result)
{
	hp_object_free(result->pair.old_obj);
	hp_object_free(result->pair.new_obj);
	hp_arena_release(&result->arena);
	*result = (struct hp_result){ 0 };
}

static int
no_memory(struct hp_err *err)
{
	return hp_err_set(err, HP_E_NOMEM, "no memory for the result");
}

static int
take_reasons(struct hp_reasons *all, const struct hp_reasons *some, struct hp_err *err)
{
	for (size_t i = 0; i < some->cnt; i++) {
		const struct hp_reason *s = &some->v[i];
		int r = hp_reason_add(all, hp_rule_find(s->rule)->id, s->object, s->symbol, s->source, err, "%s", s->message);

		if (r < 0)
			return r;
	}
	return 0;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int
merge_producers(struct hp_result *results, size_t cnt, struct hp_patchset *set, struct hp_err *err)
{
	size_t total = 0, n = 0;

	for (size_t i = 0; i < cnt; i++)
		total += results[i].producers_cnt;
	set->toolchain = hp_arena_array(&set->arena, total, sizeof(*set->toolchain));
	if (set->toolchain == NULL)
		return no_memory(err);
	for (size_t i = 0; i < cnt; i++)
		for (size_t k = 0; k < results[i].producers_cnt; k++)
			if ((set->toolchain[n++] = hp_arena_strdup(&set->arena, results[i].producers[k])) == NULL)
				return no_memory(err);
	if (n > 0)
		qsort(set->toolchain, n, sizeof(*set->toolchain), by_text);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || strcmp(set->toolchain[set->toolchain_cnt - 1], set->toolchain[i]) != 0)
			set->toolchain[set->toolchain_cnt++] = set->toolchain[i];
	return 0;
}

static int
check_machine(struct hp_patchset *set, const struct hp_result *result, struct hp_err *err)
{
	if (result->machine == 0)
		return 0;
	if (set->machine != 0 && set->machine != result->machine)
		return hp_err_set(err, HP_E_ARCH, "'%s' is for CPU %u, objects before it are for CPU %u",
		                  hp_esc(result->pair.path), result->machine, set->machine);
	set->machine = result->machine;
	return 0;
}

/* How many functions of the set changed, or are new. */
static size_t
count_functions(const struct hp_patchset *set, enum hp_change change)
{
	size_t n = 0;

	for (size_t i = 0; i < set->pairs_cnt; i++) {
		const struct hp_object *obj = set->pairs[i].new_obj;

		for (uint32_t k = 0; obj != NULL && k < obj->parts->cnt; k++)
			n += obj->parts->v[k].kind == HP_PART_FUNC && set->pairs[i].new_change[k] == change;
	}
	return n;
}

/* Whether a short function has padding behind it is seen in the baseline. */
static void
leave_to_packager(struct hp_reasons *all)
{
	for (size_t i = 0; i < all->cnt; i++)
		if (all->v[i].rule == hp_rule_get(HP_RULE_TOO_SHORT)->name)
			all->v[i].refuse = false;
}

static int
apply_waivers(struct hp_reasons *all, const struct hp_diff_options *opts, struct hp_err *err)
{
	struct hp_waiver *v;
	size_t cnt;
	int r = opts->waivers_path == NULL ? 0 : hp_waivers_read(opts->waivers_path, all->arena, &v, &cnt, err);

	if (opts->waivers_path == NULL || r < 0)
		return r;
	for (size_t i = 0; i < all->cnt; i++)
		for (size_t k = 0; k < cnt; k++)
			if (all->v[i].refuse && strcmp(v[k].rule, all->v[i].rule) == 0 &&
			    (strcmp(v[k].symbol, "*") == 0 || strcmp(v[k].symbol, all->v[i].symbol) == 0) &&
			    (opts->today == NULL || strcmp(opts->today, v[k].expires) <= 0))
				all->v[i].waived = true;
	return 0;
}

static int
decide(struct hp_patchset *set, struct hp_reasons *all, struct hp_err *err)
{
	bool refused = false;
	int r;

	for (size_t i = 0; i < all->cnt; i++)
		refused |= all->v[i].refuse && !all->v[i].waived;
	set->verdict = HP_HOTPATCHABLE;
	if (refused)
		set->verdict = HP_REFUSED;
	else if (count_functions(set, HP_CHANGED) == 0)
		set->verdict = HP_NOTHING;
	if (set->verdict == HP_NOTHING && count_functions(set, HP_NEW) > 0) {
		r = hp_reason_add(all, HP_RULE_UNREACHED, NULL, NULL, NULL, err,
		                  "functions were added, but no existing code changed to use them");
		if (r < 0)
			return r;
	}
	hp_reasons_sort(all);
	set->reasons = all->v;
	set->reasons_cnt = all->cnt;
	return 0;
}

int
hp_result_merge(struct hp_result *results, size_t cnt, const struct hp_diff_options *opts, struct hp_patchset *set,
                struct hp_err *err)
{
	struct hp_reasons all = { .arena = &set->arena };
	int r = 0;

	set->objects_cnt = cnt;
	set->pairs = hp_arena_array(&set->arena, cnt, sizeof(*set->pairs));
	if (set->pairs == NULL)
		return no_memory(err);
	for (size_t i = 0; i < cnt && r == 0; i++) {
		r = check_machine(set, &results[i], err);
		if (r == 0)
			r = take_reasons(&all, &results[i].reasons, err);
		if (r < 0 || !results[i].keep)
			continue;
		set->pairs[set->pairs_cnt++] = results[i].pair;
		results[i].pair = (struct hp_pair){ 0 };
	}
	if (r == 0)
		r = merge_producers(results, cnt, set, err);
	if (opts->baseline_known)
		leave_to_packager(&all);
	if (r == 0)
		r = apply_waivers(&all, opts, err);
	return r < 0 ? r : decide(set, &all, err);
}
