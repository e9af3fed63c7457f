/* Who refers to a part, as one hash: the sum over the distinct base names of its users. A function and its pieces count as one
 * user, so a reference that moved into a .cold piece changes nothing. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "differ/internal.h"

struct use {
	uint32_t target;
	uint64_t owner;
};

static int
by_target(const void *a, const void *b)
{
	const struct use *x = a, *y = b;

	if (x->target != y->target)
		return x->target < y->target ? -1 : 1;
	return x->owner < y->owner ? -1 : x->owner > y->owner;
}

static int
no_memory(const struct hp_side *side, struct hp_err *err)
{
	return hp_err_set(err, HP_E_NOMEM, "no memory for the users in '%s'", hp_esc(side->elf->path));
}

static int
collect(struct hp_side *side, struct use **v, size_t *cnt, struct hp_err *err)
{
	size_t cap = 0;

	for (uint32_t i = 0; i < side->parts->cnt; i++) {
		uint64_t owner = hp_side_owner(side, i);
		int r;

		if (side->ident[i] != HP_IDENT_NAME)
			continue;
		r = hp_side_edges(side, i, err);
		if (r < 0)
			return r;
		for (uint32_t k = 0; k < side->edges_cnt[i]; k++) {
			uint32_t target = side->edges[i][k].ref.part_idx;

			if (target == HP_NONE || target == i)
				continue;
			if (*cnt == cap) {
				struct use *bigger = realloc(*v, (cap = cap ? cap * 2 : 1024) * sizeof(*bigger));

				if (bigger == NULL)
					return no_memory(side, err);
				*v = bigger;
			}
			(*v)[(*cnt)++] = (struct use){ target, owner };
		}
	}
	return 0;
}

int
hp_side_referrers(struct hp_side *side, struct hp_err *err)
{
	HP_AUTO(hp_mem) struct use *v = NULL;
	uint64_t *sums;
	size_t cnt = 0;
	int r;

	if (side->referrers != NULL)
		return 0;
	sums = hp_arena_array(&side->cmp->arena, side->parts->cnt, sizeof(*sums));
	if (sums == NULL)
		return no_memory(side, err);
	r = collect(side, &v, &cnt, err);
	if (r < 0)
		return r;
	if (cnt > 0)
		qsort(v, cnt, sizeof(*v), by_target);
	for (size_t i = 0; i < cnt; i++)
		if (i == 0 || by_target(&v[i - 1], &v[i]) != 0)
			sums[v[i].target] += hp_hash_mix(v[i].owner, 1);
	side->referrers = sums;
	return 0;
}
