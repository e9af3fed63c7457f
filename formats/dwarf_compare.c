#include "formats/dwarf_types.h"

#include <stdlib.h>

#include "base/escape.h"

#define CANDIDATES_MAX 64u /* of one name that a leftover is tried against */

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* ids[i] of each compile unit that has none yet = what ${map} says of its name; with ${next} unknown names are added. */
static int
number_units(const struct hp_dwarf *dw, struct hp_map *map, bool by_base, uint32_t *ids, uint32_t *next, struct hp_err *err)
{
	for (uint32_t i = 0; i < dw->units_cnt; i++) {
		const char *name = by_base ? base_name(dw->units[i].id.name) : dw->units[i].id.name;
		uint64_t id;
		int r;

		if (dw->units[i].is_type || ids[i] != 0)
			continue;
		if (hp_map_get_str(map, name, &id)) {
			ids[i] = (uint32_t)id;
		} else if (next != NULL) {
			ids[i] = ++*next;
			r = hp_map_put_str(map, name, *next, err);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int
pool_unpaired(const struct hp_dw_cmp *cmp, uint32_t *old_ids, const uint32_t *new_ids, uint32_t max_id, struct hp_err *err)
{
	bool *used = calloc((size_t)max_id + 1, sizeof(*used));

	if (used == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %u units", max_id);
	for (uint32_t i = 0; i < cmp->new_dw->units_cnt; i++)
		used[new_ids[i]] = true;
	for (uint32_t i = 0; i < cmp->old_dw->units_cnt; i++)
		old_ids[i] = used[old_ids[i]] ? old_ids[i] : 0;
	free(used);
	return 0;
}

/* The units of both sides that are versions of each other get the same number: by name; a unit whose name changed (an absolute
 * path in another folder) by its last path component. Those that have no partner are compared as one lot, number 0, with
 * the type units, which belong to all: so a difference is not missed because a file was renamed. */
static int
pair_units(struct hp_dw_cmp *cmp, uint32_t *old_ids, uint32_t *new_ids, struct hp_err *err)
{
	struct hp_map names = { 0 }, bases = { 0 };
	uint32_t next = 0;
	int r;

	if (cmp->old_dw->ids_cnt <= 1 && cmp->new_dw->ids_cnt <= 1)
		return 0; /* one pair, whatever they are called */
	r = number_units(cmp->old_dw, &names, false, old_ids, &next, err);
	if (r == 0)
		r = number_units(cmp->new_dw, &names, false, new_ids, NULL, err);
	for (uint32_t i = 0; r == 0 && i < cmp->old_dw->units_cnt; i++) {
		if (old_ids[i] != 0)
			r = hp_map_put_str(&bases, base_name(cmp->old_dw->units[i].id.name), old_ids[i], err);
	}
	if (r == 0)
		r = number_units(cmp->new_dw, &bases, true, new_ids, NULL, err);
	if (r == 0)
		r = pool_unpaired(cmp, old_ids, new_ids, next, err);
	hp_map_release(&names);
	hp_map_release(&bases);
	return r;
}

struct diffs {
	struct hp_type_diff *v; /* malloc'ed while it grows */
	size_t cnt, cap;
};

static int
add_diff(struct diffs *d, const struct hp_type_diff *diff, struct hp_err *err)
{
	if (d->cnt == d->cap) {
		size_t cap = d->cap == 0 ? 16 : d->cap * 2;
		struct hp_type_diff *more = realloc(d->v, cap * sizeof(*more));

		if (more == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory for %zu differences", cap);
		d->v = more;
		d->cap = cap;
	}
	d->v[d->cnt++] = *diff;
	return 0;
}

static int
key_cmp(const struct hp_dw_item *a, const struct hp_dw_item *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->unit != b->unit)
		return a->unit < b->unit ? -1 : 1;
	return strcmp(a->name, b->name);
}

static size_t
run_len(const struct hp_dw_item *v, size_t cnt)
{
	size_t n = 1;

	while (n < cnt && key_cmp(&v[0], &v[n]) == 0)
		n++;
	return n;
}

static bool
try_pair(struct hp_dw_cmp *cmp, struct hp_dw_item *a, struct hp_dw_item *b)
{
	if (a->taken || b->taken)
		return false;
	cmp->trail_cnt = 0; /* what earlier pairs assumed has been confirmed */
	if (!hp_dw_same_item(cmp, a, b))
		return false;
	a->taken = b->taken = true;
	return true;
}

/* All things of one name: normally one on each side. Several (types of one name in different functions): equal ones are twins,
 * first in order, then any; what is left over is paired in order and reported. More on one side than on the other is
 * no difference: those are new or gone. */
static int
match_run(struct hp_dw_cmp *cmp, struct hp_dw_item *a, size_t a_cnt, struct hp_dw_item *b, size_t b_cnt, struct diffs *d,
          struct hp_err *err)
{
	size_t j = 0;
	int r = 0;

	for (size_t i = 0; i < a_cnt && i < b_cnt; i++)
		(void)try_pair(cmp, &a[i], &b[i]);
	for (size_t i = 0; i < a_cnt; i++) {
		for (size_t k = 0; k < b_cnt && k < CANDIDATES_MAX && !a[i].taken; k++)
			(void)try_pair(cmp, &a[i], &b[k]);
	}
	for (size_t i = 0; i < a_cnt && r == 0; i++) {
		struct hp_type_diff diff;

		if (a[i].taken)
			continue;
		while (j < b_cnt && b[j].taken)
			j++;
		if (j == b_cnt)
			break;
		cmp->trail_cnt = 0;
		r = hp_dw_report(cmp, &a[i], &b[j++], &diff, err);
		if (r == 0)
			r = add_diff(d, &diff, err);
	}
	return r;
}

static int
match_all(struct hp_dw_cmp *cmp, const struct hp_dw_items *a, const struct hp_dw_items *b, struct diffs *d, struct hp_err *err)
{
	size_t i = 0, j = 0;

	while (i < a->cnt && j < b->cnt && !cmp->failed) {
		int c = key_cmp(&a->v[i], &b->v[j]), r;
		size_t a_cnt, b_cnt;

		if (c < 0) {
			i++;
			continue;
		}
		if (c > 0) {
			j++;
			continue;
		}
		a_cnt = run_len(&a->v[i], a->cnt - i);
		b_cnt = run_len(&b->v[j], b->cnt - j);
		r = match_run(cmp, &a->v[i], a_cnt, &b->v[j], b_cnt, d, err);
		if (r < 0)
			return r;
		i += a_cnt;
		j += b_cnt;
	}
	if (cmp->failed)
		return hp_err_set(err, HP_E_LIMIT, "'%s': types are nested too deeply or too entangled to compare",
		                  hp_esc(cmp->new_dw->elf->path));
	return 0;
}

static int
by_kind(const void *a, const void *b)
{
	const struct hp_type_diff *x = a, *y = b;
	int c;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	c = strcmp(x->name, y->name);
	if (c == 0)
		c = strcmp(x->source, y->source);
	return c != 0 ? c : strcmp(x->message, y->message);
}

static int
finish(struct hp_dwarf *dw, struct diffs *d, struct hp_type_diff **ret, size_t *ret_cnt, struct hp_err *err)
{
	struct hp_type_diff *v = hp_arena_array(&dw->arena, d->cnt, sizeof(*v));
	size_t cnt = 0;

	if (v == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %zu differences", d->cnt);
	if (d->cnt > 0)
		qsort(d->v, d->cnt, sizeof(*d->v), by_kind);
	for (size_t i = 0; i < d->cnt; i++) {
		if (i == 0 || by_kind(&d->v[i - 1], &d->v[i]) != 0)
			v[cnt++] = d->v[i];
	}
	*ret = v;
	*ret_cnt = cnt;
	return 0;
}

static int
prepare(struct hp_dw_cmp *cmp, struct hp_dw_items *a, struct hp_dw_items *b, struct hp_err *err)
{
	struct hp_dwarf *old_dw = cmp->old_dw, *new_dw = cmp->new_dw;
	uint32_t *old_ids = calloc((size_t)old_dw->units_cnt + 1, sizeof(*old_ids));
	uint32_t *new_ids = calloc((size_t)new_dw->units_cnt + 1, sizeof(*new_ids));
	int r = 0;

	cmp->memo = calloc((size_t)old_dw->nodes_cnt + 1, sizeof(*cmp->memo));
	cmp->steps = 64 * ((uint64_t)old_dw->nodes_cnt + new_dw->nodes_cnt) + 100000;
	if (old_ids == NULL || new_ids == NULL || cmp->memo == NULL)
		r = hp_err_set(err, HP_E_NOMEM, "no memory to compare %u debug entries", old_dw->nodes_cnt);
	if (r == 0)
		r = pair_units(cmp, old_ids, new_ids, err);
	if (r == 0)
		r = hp_dw_items(old_dw, old_ids, a, err);
	if (r == 0)
		r = hp_dw_items(new_dw, new_ids, b, err);
	free(old_ids);
	free(new_ids);
	return r;
}

int
hp_dwarf_compare_types(struct hp_dwarf *old_dw, struct hp_dwarf *new_dw, struct hp_type_diff **ret, size_t *ret_cnt,
                       struct hp_err *err)
{
	struct hp_dw_cmp cmp = { .old_dw = old_dw, .new_dw = new_dw };
	struct hp_dw_items a = { 0 }, b = { 0 };
	struct diffs d = { 0 };
	int r = hp_dw_read(old_dw, err);

	if (r == 0)
		r = hp_dw_read(new_dw, err);
	if (r == 0)
		r = prepare(&cmp, &a, &b, err);
	if (r == 0)
		r = match_all(&cmp, &a, &b, &d, err);
	if (r == 0)
		r = finish(new_dw, &d, ret, ret_cnt, err);
	free(a.v);
	free(b.v);
	free(d.v);
	free(cmp.memo);
	free(cmp.trail);
	return r;
}
