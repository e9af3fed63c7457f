/* Telling apart the members of a group: parts that share a plain name, such as the static locals "n.1" and "n.2" of two
 * functions, or "sort.constprop.0" and "sort.constprop.1".
 *
 * Each level takes the pairs that are unique on it and passes the rest on; no level overrules an earlier one:
 *   1. DWARF: enclosing function, declared name, how many of that name before it. Where both sides have this and it
 *      differs, the two are not the same, however few are left.
 *   2. the source file (STT_FILE) of local symbols, for objects joined by ld -r.
 *   3. equal contents, relocations included (by name of what they refer to).
 *   4. the same users.
 *   5. as many left on both sides: by position, because compilers number and emit in one order. Otherwise nothing is guessed:
 *      what is left is new and removed, and marked as ambiguous, which the verdict refuses for writable data. */
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "differ/internal.h"

#define TAKEN (UINT64_MAX - 1) /* key seen twice on a side */

struct keys {
	struct hp_cmp *cmp;
	uint64_t *old_keys, *new_keys; /* per member; 0 = has none */
};

static int
no_memory(const struct hp_cmp *cmp, struct hp_err *err)
{
	return hp_err_set(err, HP_E_NOMEM, "no memory to match '%s'", hp_esc(cmp->pair->path));
}

/* Key -> member; TAKEN when two members have it. */
static int
index_keys(struct hp_map *map, const uint64_t *keys, const uint32_t *parts, uint32_t cnt, struct hp_err *err)
{
	for (uint32_t i = 0; i < cnt; i++) {
		uint64_t seen;
		int r;

		if (parts[i] == HP_NONE || keys[i] == 0)
			continue;
		r = hp_map_put(map, &keys[i], sizeof(keys[i]), hp_map_get(map, &keys[i], sizeof(keys[i]), &seen) ? TAKEN : i,
		               err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* DWARF knows both as static locals, and not as the same one. */
static bool
kept_apart(const struct keys *dwarf, uint64_t o, uint64_t n)
{
	return dwarf->old_keys[o] != 0 && dwarf->new_keys[n] != 0 && dwarf->old_keys[o] != dwarf->new_keys[n];
}

static int
match_unique(struct hp_group *g, const struct keys *dwarf, const uint64_t *old_keys, const uint64_t *new_keys, struct hp_err *err)
{
	HP_AUTO(hp_map) struct hp_map olds = { 0 };
	HP_AUTO(hp_map) struct hp_map news = { 0 };
	int r = index_keys(&olds, old_keys, g->olds, g->olds_cnt, err);

	if (r == 0)
		r = index_keys(&news, new_keys, g->news, g->news_cnt, err);
	for (uint32_t i = 0; i < g->news_cnt && r == 0; i++) {
		uint64_t o, n;

		if (g->news[i] == HP_NONE || new_keys[i] == 0 || !hp_map_get(&news, &new_keys[i], sizeof(new_keys[i]), &n) ||
		    n != i)
			continue;
		if (!hp_map_get(&olds, &new_keys[i], sizeof(new_keys[i]), &o) || o >= TAKEN || kept_apart(dwarf, o, i))
			continue;
		hp_twin_set(dwarf->cmp, g->olds[o], g->news[i]);
		g->matched = true;
		g->olds[o] = g->news[i] = HP_NONE;
	}
	return r;
}

/* A hash of function, name and ordinal for each member that DWARF knows as a static local. */
static int
dwarf_keys(struct hp_side *side, const uint32_t *parts, uint32_t cnt, uint64_t *ret, struct hp_err *err)
{
	const struct hp_dwarf_static *v;
	size_t n;
	int r = hp_side_dwarf(side, err);

	if (r <= 0)
		return r;
	if (!side->statics_ready) {
		r = hp_dwarf_statics(side->dw, &v, &n, err);
		if (r < 0)
			return r;
		for (size_t i = 0; i < n; i++) {
			uint32_t part =
				v[i].sec_idx < side->elf->secs_cnt ? hp_parts_at(side->parts, v[i].sec_idx, v[i].off) : HP_NONE;
			const char *name = hp_name_plain(&side->cmp->arena, v[i].name); /* __UNIQUE_ID_name12 */

			if (part == HP_NONE)
				continue;
			if (side->statics == NULL)
				side->statics = hp_arena_array(&side->cmp->arena, side->parts->cnt, sizeof(*side->statics));
			if (side->statics == NULL || name == NULL)
				return no_memory(side->cmp, err);
			side->statics[part] = hp_hash_mix(hp_hash(v[i].function, strlen(v[i].function)),
			                                  hp_hash_mix(hp_hash(name, strlen(name)), v[i].ordinal));
		}
		side->statics_ready = true;
	}
	for (uint32_t i = 0; i < cnt; i++)
		ret[i] = parts[i] == HP_NONE || side->statics == NULL ? 0 : side->statics[parts[i]];
	return 0;
}

static void
file_keys(const struct hp_side *side, const uint32_t *parts, uint32_t cnt, uint64_t *ret)
{
	for (uint32_t i = 0; i < cnt; i++) {
		const struct hp_sym *sym = parts[i] == HP_NONE ? NULL : &side->elf->syms[hp_side_part(side, parts[i])->sym_idx];
		const char *file = sym == NULL || sym->file_idx == HP_NONE ? NULL : side->elf->syms[sym->file_idx].name;

		ret[i] = file == NULL ? 0 : hp_hash(file, strlen(file));
	}
}

/* Contents by meaning: twins where they are known, else names, strings and constants of what is referred to. */
static uint64_t
edge_key(const struct hp_side *side, const struct hp_edge *e)
{
	uint64_t h = hp_hash_mix(e->off, e->ref.branch), start;
	struct hp_view piece;
	const char *name = "";

	if (e->ref.part_idx != HP_NONE && side->twin[e->ref.part_idx] != HP_NONE) {
		uint32_t old_part = side == &side->cmp->old_side ? e->ref.part_idx : side->twin[e->ref.part_idx];

		return hp_hash_mix(h, hp_hash_mix(old_part, (uint64_t)e->ref.off));
	}
	if (e->ref.part_idx == HP_NONE)
		name = side->elf->syms_cnt > 0 ? side->elf->syms[e->ref.sym_idx].name : "";
	else if (side->ident[e->ref.part_idx] == HP_IDENT_NAME)
		name = hp_part_name(side->parts, e->ref.part_idx);
	else if (hp_side_part(side, e->ref.part_idx)->kind == HP_PART_MERGE && e->ref.off >= 0 &&
	         hp_merge_piece(side->parts, e->ref.part_idx, (uint64_t)e->ref.off, &start, &piece))
		return hp_hash_mix(h, hp_hash(piece.p, piece.len));
	else
		return h;
	return hp_hash_mix(h, hp_hash_mix(hp_side_name_hash(side, name), (uint64_t)e->ref.off));
}

static int
content_keys(struct hp_side *side, const uint32_t *parts, uint32_t cnt, uint64_t *ret, struct hp_err *err)
{
	for (uint32_t i = 0; i < cnt; i++) {
		struct hp_view bytes;
		uint64_t h, pos = 0;
		int r;

		ret[i] = 0;
		if (parts[i] == HP_NONE)
			continue;
		r = hp_side_edges(side, parts[i], err);
		if (r < 0)
			return r;
		bytes = hp_part_bytes(side->parts, parts[i]);
		h = hp_hash_mix(hp_side_part(side, parts[i])->len, hp_side_part(side, parts[i])->kind);
		for (uint32_t k = 0; k < side->edges_cnt[parts[i]]; k++) {
			const struct hp_edge *e = &side->edges[parts[i]][k];

			if (e->off > pos && e->off <= bytes.len)
				h = hp_hash_mix(h, hp_hash(bytes.p + pos, (size_t)(e->off - pos)));
			h = hp_hash_mix(h, edge_key(side, e));
			pos = e->off + e->ref.width > pos ? e->off + e->ref.width : pos;
		}
		if (pos < bytes.len)
			h = hp_hash_mix(h, hp_hash(bytes.p + pos, (size_t)(bytes.len - pos)));
		ret[i] = h | 1;
	}
	return 0;
}

static int
referrer_keys(struct hp_side *side, const uint32_t *parts, uint32_t cnt, uint64_t *ret, struct hp_err *err)
{
	int r = hp_side_referrers(side, err);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < cnt; i++)
		ret[i] = parts[i] == HP_NONE ? 0 : side->referrers[parts[i]];
	return 0;
}

static uint32_t
left(const uint32_t *parts, uint32_t cnt)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < cnt; i++)
		n += parts[i] != HP_NONE;
	return n;
}

/* By position, when as many are left on both sides; members that DWARF tells to be different things stay apart. That is proven
 * right when the functions that use them turn out equal with it; the verdict refuses where they do not. */
static void
match_rest(struct hp_cmp *cmp, struct hp_group *g, const struct keys *dwarf)
{
	uint32_t olds = left(g->olds, g->olds_cnt), news = left(g->news, g->news_cnt), o = 0;

	for (uint32_t n = 0; n < g->news_cnt && olds == news && olds > 0; n++) {
		if (g->news[n] == HP_NONE)
			continue;
		while (o < g->olds_cnt && g->olds[o] == HP_NONE)
			o++;
		if (o < g->olds_cnt && !kept_apart(dwarf, o, n)) {
			cmp->ambiguous[g->news[n]] = olds > 1;
			hp_twin_set(cmp, g->olds[o], g->news[n]);
		}
		o++;
	}
	for (uint32_t n = 0; n < g->news_cnt && olds != news && olds > 0; n++)
		for (uint32_t i = 0; i < g->olds_cnt && g->news[n] != HP_NONE && !cmp->ambiguous[g->news[n]]; i++)
			cmp->ambiguous[g->news[n]] =
				g->olds[i] != HP_NONE && (dwarf->old_keys[i] == 0 || dwarf->new_keys[n] == 0);
}

int
hp_group_match(struct hp_cmp *cmp, struct hp_group *g, struct hp_err *err)
{
	struct keys dwarf = { cmp, hp_arena_array(&cmp->arena, g->olds_cnt, 8), hp_arena_array(&cmp->arena, g->news_cnt, 8) };
	struct keys keys = { cmp, hp_arena_array(&cmp->arena, g->olds_cnt, 8), hp_arena_array(&cmp->arena, g->news_cnt, 8) };
	bool data = !hp_part_is_func(hp_side_part(&cmp->old_side, g->olds[0]));
	int r = 0;

	if (dwarf.old_keys == NULL || dwarf.new_keys == NULL || keys.old_keys == NULL || keys.new_keys == NULL)
		return no_memory(cmp, err);
	if (data)
		r = dwarf_keys(&cmp->old_side, g->olds, g->olds_cnt, dwarf.old_keys, err);
	if (r == 0 && data)
		r = dwarf_keys(&cmp->new_side, g->news, g->news_cnt, dwarf.new_keys, err);
	if (r == 0)
		r = match_unique(g, &dwarf, dwarf.old_keys, dwarf.new_keys, err);
	if (r < 0 || left(g->news, g->news_cnt) == 0 || left(g->olds, g->olds_cnt) == 0)
		return r;
	if (g->olds_cnt > 1 || g->news_cnt > 1) {
		file_keys(&cmp->old_side, g->olds, g->olds_cnt, keys.old_keys);
		file_keys(&cmp->new_side, g->news, g->news_cnt, keys.new_keys);
		r = match_unique(g, &dwarf, keys.old_keys, keys.new_keys, err);
		if (r == 0)
			r = content_keys(&cmp->old_side, g->olds, g->olds_cnt, keys.old_keys, err);
		if (r == 0)
			r = content_keys(&cmp->new_side, g->news, g->news_cnt, keys.new_keys, err);
		if (r == 0)
			r = match_unique(g, &dwarf, keys.old_keys, keys.new_keys, err);
		if (r == 0)
			r = referrer_keys(&cmp->old_side, g->olds, g->olds_cnt, keys.old_keys, err);
		if (r == 0)
			r = referrer_keys(&cmp->new_side, g->news, g->news_cnt, keys.new_keys, err);
		if (r == 0)
			r = match_unique(g, &dwarf, keys.old_keys, keys.new_keys, err);
		if (r < 0)
			return r;
	}
	if (g->last)
		match_rest(cmp, g, &dwarf);
	return 0;
}
