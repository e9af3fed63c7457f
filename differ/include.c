/* What goes into the payload: changed functions, and what they need that the baseline has not.
 *
 * Followed are references to new functions and new data, changed constants, and anonymous or compiler-made content (the
 * baseline's copy has no name to find it by). Not followed: what is unchanged and named; the baseline has it. New global
 * functions and data are included even when this object does not use them: another one may. Hooks are included: nobody calls
 * them but the applier. A function and its .cold piece jump
 * into each other's middle, so they are replaced together. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "differ/internal.h"

struct work {
	struct hp_cmp *cmp;
	uint32_t *todo; /* parts that were included and not followed yet */
	uint32_t cnt;
};

static void
include_part(struct work *w, uint32_t part)
{
	if (w->cmp->pair->include[part])
		return;
	w->cmp->pair->include[part] = true;
	w->todo[w->cnt++] = part;
}

static bool
is_needed(const struct hp_side *side, uint32_t part)
{
	const struct hp_part *p = hp_side_part(side, part);

	if (side->ident[part] == HP_IDENT_CONTENT)
		return true;
	if (side->change[part] == HP_NEW)
		return true;
	return side->change[part] == HP_CHANGED && (p->kind == HP_PART_FUNC || p->kind == HP_PART_RODATA);
}

static int
follow(struct work *w, uint32_t part, struct hp_err *err)
{
	struct hp_side *side = &w->cmp->new_side;
	int r = hp_side_edges(side, part, err);

	for (uint32_t i = 0; i < side->edges_cnt[part] && r == 0; i++) {
		const struct hp_edge *e = &side->edges[part][i];

		if (e->ref.part_idx != HP_NONE && e->type != HP_EDGE_LSDA && is_needed(side, e->ref.part_idx))
			include_part(w, e->ref.part_idx);
	}
	return r;
}

static int
follow_all(struct work *w, struct hp_err *err)
{
	int r = 0;

	while (w->cnt > 0 && r == 0)
		r = follow(w, w->todo[--w->cnt], err);
	return r;
}

/* Parent or piece included: both. Returns 1 when something was added. */
static int
join_pieces(struct work *w, struct hp_map *names, struct hp_err *err)
{
	struct hp_side *side = &w->cmp->new_side;
	int added = 0;

	for (uint32_t i = 0; i < side->parts->cnt; i++) {
		const char *name = hp_part_name(side->parts, i);
		uint64_t parent;
		size_t len;
		bool with_piece, with_parent;

		if (!hp_part_is_func(hp_side_part(side, i)) || !hp_name_is_piece(name, &len) ||
		    !hp_map_get(names, name, len, &parent))
			continue;
		with_piece = w->cmp->pair->include[i];
		with_parent = w->cmp->pair->include[parent];
		if (with_piece == with_parent)
			continue;
		if (side->change[with_piece ? parent : i] != HP_NEW) {
			int r = hp_reason_add(w->cmp->reasons, HP_RULE_PIECES, w->cmp->pair->path,
			                      hp_part_name(side->parts, with_piece ? (uint32_t)parent : i), NULL, err,
			                      "unchanged, but goes with '%s', which changed",
			                      hp_esc(hp_part_name(side->parts, with_piece ? i : (uint32_t)parent)));

			if (r < 0)
				return r;
		}
		include_part(w, with_piece ? (uint32_t)parent : i);
		added = 1;
	}
	return added;
}

static bool
is_seed(const struct hp_side *side, uint32_t part)
{
	const struct hp_part *p = hp_side_part(side, part);

	if (hp_side_is_hook(side, part))
		return true;
	if (side->change[part] == HP_CHANGED)
		return p->kind == HP_PART_FUNC || p->kind == HP_PART_RODATA;
	return side->change[part] == HP_NEW && p->sym_idx != HP_NONE && side->elf->syms[p->sym_idx].bind != STB_LOCAL;
}

int
hp_include(struct hp_cmp *cmp, struct hp_err *err)
{
	HP_AUTO(hp_map) struct hp_map names = { 0 };
	struct hp_side *side = &cmp->new_side;
	HP_AUTO(hp_mem) uint32_t *todo = calloc((size_t)side->parts->cnt + 1, sizeof(*todo));
	struct work w = { cmp, todo, 0 };
	int r = todo == NULL ? hp_err_set(err, HP_E_NOMEM, "no memory for %u parts", side->parts->cnt) : 0;

	if (r == 0)
		r = hp_side_functions(side, &names, err);
	for (uint32_t i = 0; i < side->parts->cnt && r == 0; i++)
		if (is_seed(side, i))
			include_part(&w, i);
	while (r == 0) {
		r = follow_all(&w, err);
		if (r == 0)
			r = join_pieces(&w, &names, err);
		if (r == 0)
			return 0;
		r = r == 1 ? 0 : r;
	}
	return r;
}
