#include "cli/diff_print.h"

#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "cli/opts.h"
#include "cli/out.h"
#include "differ/rules.h"

const char *const hp_change_names[] = { "same", "changed", "new", "removed", "noise" };
static const char *const verdict_names[] = { "hotpatchable", "nothing", "refused" };

/* "src/a.c:12" as people read it: "a.c:12". */
static const char *
short_source(const char *source)
{
	const char *slash = strrchr(source, '/');

	return slash != NULL ? slash + 1 : source;
}

/* The object and part whose symbols name a part: those of the original where it has them, since these are in the running program
 * ("f.isra.16", even if the patched build calls it "f.isra.19"). */
static const struct hp_object *
naming_part(const struct hp_pair *pair, bool old_side, uint32_t *part)
{
	if (!old_side && pair->old_obj != NULL && pair->new_twin[*part] != HP_NONE) {
		*part = pair->new_twin[*part];
		return pair->old_obj;
	}
	return old_side ? pair->old_obj : pair->new_obj;
}

static void
each_name(const struct hp_object *obj, uint32_t part, struct hp_diff_row *row,
          void (*each)(void *ctx, const struct hp_diff_row *row), void *ctx)
{
	const struct hp_part *p = &obj->parts->v[part];
	for (uint32_t k = 0; k < p->syms_cnt; k++) {
		const struct hp_sym *sym = &obj->elf->syms[obj->parts->part_syms[p->syms_first + k]];

		/* Labels inside assembly are named only where nothing else is. */
		if (row->func && sym->type != STT_FUNC && sym->type != STT_GNU_IFUNC &&
		    obj->parts->part_syms[p->syms_first + k] != p->sym_idx)
			continue;
		row->name = sym->name;
		each(ctx, row);
	}
}

void
hp_diff_rows(const struct hp_pair *pair, bool old_side, void (*each)(void *ctx, const struct hp_diff_row *row), void *ctx)
{
	const struct hp_object *obj = old_side ? pair->old_obj : pair->new_obj;
	const uint8_t *change = old_side ? pair->old_change : pair->new_change;

	for (uint32_t i = 0; obj != NULL && i < obj->parts->cnt; i++) {
		const struct hp_part *p = &obj->parts->v[i];
		struct hp_diff_row row = {
			.change = (enum hp_change)change[i], .section = obj->elf->secs[p->sec_idx].name, .source = "", .why = ""
		};
		const struct hp_object *names;
		uint32_t part = i;

		if (row.change == HP_SAME || (old_side && row.change != HP_REMOVED && !hp_pair_is_joined(pair, i)))
			continue;
		row.func = p->kind == HP_PART_FUNC;
		if (!old_side && pair->diff[i].why != NULL) {
			row.source = pair->diff[i].source;
			row.why = pair->diff[i].why;
		}
		names = naming_part(pair, old_side, &part);
		each_name(names, part, &row, each, ctx);
	}
}

struct lists {
	json_t *functions, *data;
	bool failed;
};

static void
add_row(void *ctx, const struct hp_diff_row *row)
{
	struct lists *lists = ctx;
	json_t *v;

	if (row->func)
		v = json_pack("{s:o, s:s, s:o, s:o}", "name", hp_json_text(row->name), "change", hp_change_names[row->change],
		              "source", hp_json_text(short_source(row->source)), "why", hp_json_text(row->why));
	else
		v = json_pack("{s:o, s:o, s:s}", "name", hp_json_text(row->name), "section", hp_json_text(row->section), "change",
		              hp_change_names[row->change]);
	if (v == NULL || json_array_append_new(row->func ? lists->functions : lists->data, v) < 0)
		lists->failed = true;
}

static json_t *
object_json(const struct hp_pair *pair)
{
	struct lists lists = { json_array(), json_array(), false };
	const char *change = pair->old_obj == NULL ? "new" : pair->new_obj == NULL ? "removed" : "changed";

	hp_diff_rows(pair, false, add_row, &lists);
	hp_diff_rows(pair, true, add_row, &lists);
	if (lists.failed) {
		json_decref(lists.functions);
		json_decref(lists.data);
		return NULL;
	}
	return json_pack("{s:o, s:s, s:o, s:o}", "path", hp_json_text(pair->path), "change", change, "functions", lists.functions,
	                 "data", lists.data);
}

static json_t *
reason_json(const struct hp_reason *r)
{
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:b}", "rule", r->rule, "severity", r->refuse ? "refuse" : "note",
	                 "object", hp_json_text(r->object), "symbol", hp_json_text(r->symbol), "source",
	                 hp_json_text(short_source(r->source)), "message", hp_json_text(r->message), "waived", r->waived);
}

json_t *
hp_diff_json_reasons(const struct hp_patchset *set)
{
	json_t *reasons = json_array();
	bool ok = reasons != NULL;

	for (size_t i = 0; i < set->reasons_cnt && ok; i++)
		ok = json_array_append_new(reasons, reason_json(&set->reasons[i])) == 0;
	if (ok)
		return reasons;
	json_decref(reasons);
	return NULL;
}

json_t *
hp_diff_json(const struct hp_patchset *set)
{
	json_t *objects = json_array(), *reasons = hp_diff_json_reasons(set);
	bool ok = objects != NULL && reasons != NULL;

	for (size_t i = 0; i < set->pairs_cnt && ok; i++)
		ok = json_array_append_new(objects, object_json(&set->pairs[i])) == 0;
	if (ok)
		return json_pack("{s:s, s:s, s:o, s:o, s:I}", "schema", "hpbuild.diff/1", "verdict", verdict_names[set->verdict],
		                 "objects", objects, "reasons", reasons, "compared", (json_int_t)set->objects_cnt);
	json_decref(objects);
	json_decref(reasons);
	return NULL;
}

static void
print_row(void *ctx, const struct hp_diff_row *row)
{
	(void)ctx;
	/* Noise is listed with -v only, under the reasons it has a line anyway. */
	if (row->change == HP_NOISE && hp_arg_verbose == 0)
		return;
	hp_out("    %-8s %s%s%s%s%s%s\n", hp_change_names[row->change], hp_esc(row->name), row->func ? "" : " (data)",
	       row->source[0] != '\0' ? "  " : "", hp_esc(short_source(row->source)), row->why[0] != '\0' ? "  " : "", row->why);
}

static const char *
rule_title(const char *name)
{
	const struct hp_rule *rule = hp_rule_find(name);

	return rule != NULL ? rule->title : "";
}

int
hp_diff_text_order(const struct hp_reason *a, const struct hp_reason *b)
{
	int c = strcmp(a->rule, b->rule);

	if (c == 0)
		c = strcmp(a->symbol, b->symbol);
	if (c == 0)
		c = strcmp(a->message, b->message);
	return c != 0 ? c : strcmp(a->source, b->source);
}

static int
by_text(const void *x, const void *y)
{
	const struct hp_reason *const *a = x, *const *b = y;
	int c = hp_diff_text_order(*a, *b);

	return c != 0 ? c : strcmp((*a)->object, (*b)->object);
}

static void
print_reason(const struct hp_reason *r, size_t cnt)
{
	hp_out("    %s%s%s%s  -- %s", hp_esc(r->symbol), r->symbol[0] != '\0' ? ": " : "", r->message,
	       r->waived ? " [waived]" : "", hp_esc(r->object));
	if (cnt > 1)
		hp_out(" and %zu more", cnt - 1);
	hp_out("%s%s\n", r->source[0] != '\0' ? ", " : "", hp_esc(short_source(r->source)));
}

const struct hp_reason **
hp_diff_by_text(const struct hp_patchset *set, bool refuse, size_t *ret_cnt)
{
	const struct hp_reason **v = calloc(set->reasons_cnt + 1, sizeof(*v));

	*ret_cnt = 0;
	for (size_t i = 0; v != NULL && i < set->reasons_cnt; i++)
		if (set->reasons[i].refuse == refuse)
			v[(*ret_cnt)++] = &set->reasons[i];
	if (*ret_cnt > 0)
		qsort(v, *ret_cnt, sizeof(*v), by_text);
	return v;
}

static void
print_reasons(const struct hp_patchset *set, bool refuse)
{
	size_t cnt, same;
	const struct hp_reason **v = hp_diff_by_text(set, refuse, &cnt);

	for (size_t i = 0; i < cnt; i += same) {
		for (same = 1; i + same < cnt && hp_diff_text_order(v[i], v[i + same]) == 0; same++)
			;
		if (i == 0 || strcmp(v[i - 1]->rule, v[i]->rule) != 0)
			hp_out("  %s %s\n", v[i]->rule, rule_title(v[i]->rule));
		print_reason(v[i], same);
	}
	free(v);
}

static void
count_row(void *ctx, const struct hp_diff_row *row)
{
	size_t *counts = ctx;

	if (row->func)
		counts[row->change]++;
}

static bool
any_reason(const struct hp_patchset *set, bool refuse)
{
	for (size_t i = 0; i < set->reasons_cnt; i++)
		if (set->reasons[i].refuse == refuse)
			return true;
	return false;
}

void
hp_diff_print(const struct hp_patchset *set)
{
	static const char *const heads[] = { "HOTPATCHABLE", "NOTHING TO PATCH", "REFUSED: this change needs a restart" };
	size_t counts[5] = { 0 };

	for (size_t i = 0; i < set->pairs_cnt; i++) {
		hp_diff_rows(&set->pairs[i], false, count_row, counts);
		hp_diff_rows(&set->pairs[i], true, count_row, counts);
	}
	hp_out("%s\n", heads[set->verdict]);
	hp_out("  %zu object%s compared, %zu differ%s; functions: %zu changed, %zu new, %zu removed, %zu differ in line numbers "
	       "only\n",
	       set->objects_cnt, set->objects_cnt == 1 ? "" : "s", set->pairs_cnt, set->pairs_cnt == 1 ? "s" : "",
	       counts[HP_CHANGED], counts[HP_NEW], counts[HP_REMOVED], counts[HP_NOISE]);
	if (any_reason(set, true)) {
		hp_out("\nWhy it is refused ('hpbuild explain RULE' says more):\n");
		print_reasons(set, true);
	}
	if (set->pairs_cnt > 0)
		hp_out("\nWhat changed:\n");
	for (size_t i = 0; i < set->pairs_cnt; i++) {
		const struct hp_pair *pair = &set->pairs[i];

		hp_out("  %s%s\n", hp_esc(pair->path),
		       pair->old_obj == NULL   ? " (new object)"
		       : pair->new_obj == NULL ? " (removed object)"
		                               : "");
		hp_diff_rows(pair, false, print_row, NULL);
		hp_diff_rows(pair, true, print_row, NULL);
	}
	if (any_reason(set, false)) {
		hp_out("\nNotes:\n");
		print_reasons(set, false);
	}
}
