/* Twins: which part of the original is which part of the patched object (DESIGN section 4).
 *
 * Two passes. First, exact names: a name that the compiler did not number and that one part has on each side is the same
 * thing, whatever its scope, section or place ("static int f" that became "int f" is still f). All symbols of a part count, so
 * aliases find each other. Then what is left is grouped by its plain name ("n.2345" and "n.2351" are both "n."; two objects'
 * "helper" after ld -r) and differ/group.c tells the members apart. What finds no twin is new or removed.
 *
 * klp-diff does the same in several rounds over all symbols; kpatch takes the first match by mangled name and had to repair
 * static locals afterwards. Tried and dropped: matching by section name first, which fails as soon as a function becomes
 * unlikely. */
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "differ/internal.h"

enum class { CLASS_NONE, CLASS_FUNC, CLASS_DATA };

#define AMBIGUOUS UINT64_MAX
#define ROUNDS_MAX 8

static int
no_memory(const struct hp_cmp *cmp, struct hp_err *err)
{
	return hp_err_set(err, HP_E_NOMEM, "no memory to match '%s'", hp_esc(cmp->pair->path));
}

static enum class part_class(const struct hp_side *side, uint32_t part) {
	if (side->ident[part] != HP_IDENT_NAME) return CLASS_NONE;
	return hp_part_is_func(hp_side_part(side, part)) ? CLASS_FUNC : CLASS_DATA;
}

void
hp_twin_set(struct hp_cmp *cmp, uint32_t old_part, uint32_t new_part)
{
	cmp->old_side.twin[old_part] = new_part;
	cmp->new_side.twin[new_part] = old_part;
}

static bool
is_numbered(struct hp_cmp *cmp, const char *name, int *fail)
{
	const char *plain = hp_name_plain(&cmp->arena, name);

	if (plain == NULL)
		*fail = HP_E_NOMEM;
	return plain != name;
}

/* Names of one side and class -> part; AMBIGUOUS when two parts have it. */
static int
index_names(struct hp_cmp *cmp, const struct hp_side *side, enum class class, struct hp_map *map, struct hp_err *err)
{
	for (uint32_t i = 0; i < side->parts->cnt; i++) {
		const struct hp_part *p = hp_side_part(side, i);

		if (part_class(side, i) != class)
			continue;
		for (uint32_t k = 0; k < p->syms_cnt; k++) {
			const char *name = side->elf->syms[side->parts->part_syms[p->syms_first + k]].name;
			uint64_t known = i;
			int r;

			if (hp_map_get_str(map, name, &known) && known != i)
				known = AMBIGUOUS;
			r = hp_map_put_str(map, name, known, err);
			if (r < 0)
				return r;
		}
	}
	(void)cmp;
	return 0;
}

/* The old part that has one of this part's names; the primary name goes first. */
static int
find_by_name(struct hp_cmp *cmp, uint32_t new_part, const struct hp_map *olds, const struct hp_map *news, uint32_t *ret)
{
	const struct hp_side *side = &cmp->new_side;
	const struct hp_part *p = hp_side_part(side, new_part);
	int fail = 0;

	*ret = HP_NONE;
	for (uint32_t k = 0; k <= p->syms_cnt && *ret == HP_NONE; k++) {
		uint32_t sym = k == 0 ? p->sym_idx : side->parts->part_syms[p->syms_first + k - 1];
		const char *name = side->elf->syms[sym].name;
		uint64_t old_part, self;

		if (!hp_map_get_str(news, name, &self) || self == AMBIGUOUS || is_numbered(cmp, name, &fail) || fail < 0)
			continue;
		if (hp_map_get_str(olds, name, &old_part) && old_part != AMBIGUOUS && cmp->old_side.twin[old_part] == HP_NONE)
			*ret = (uint32_t)old_part;
	}
	return fail;
}

static int
match_exact(struct hp_cmp *cmp, enum class class, struct hp_err *err)
{
	HP_AUTO(hp_map) struct hp_map olds = { 0 };
	HP_AUTO(hp_map) struct hp_map news = { 0 };
	int r = index_names(cmp, &cmp->old_side, class, &olds, err);

	if (r == 0)
		r = index_names(cmp, &cmp->new_side, class, &news, err);
	for (uint32_t i = 0; i < cmp->new_side.parts->cnt && r == 0; i++) {
		uint32_t old_part;

		if (part_class(&cmp->new_side, i) != class || cmp->new_side.twin[i] != HP_NONE)
			continue;
		if (find_by_name(cmp, i, &olds, &news, &old_part) < 0)
			return no_memory(cmp, err);
		if (old_part != HP_NONE)
			hp_twin_set(cmp, old_part, i);
	}
	return r;
}

/* Chains of the parts that share a plain name. */
struct chains {
	struct hp_map map; /* plain name -> group number */
	uint32_t *old_head, *new_head, *old_next, *new_next;
	uint32_t *olds_cnt, *news_cnt;
	uint32_t cnt;
};

static int
chain_side(struct hp_cmp *cmp, struct hp_side *side, enum class class, struct chains *c, uint32_t *head, uint32_t *next,
           uint32_t *cnt, struct hp_err *err)
{
	for (uint32_t i = side->parts->cnt; i-- > 0;) {
		const char *key;
		uint64_t group;

		if (part_class(side, i) != class || side->twin[i] != HP_NONE)
			continue;
		key = hp_name_plain(&cmp->arena, hp_part_name(side->parts, i));
		if (key == NULL)
			return no_memory(cmp, err);
		if (!hp_map_get_str(&c->map, key, &group)) {
			int r = hp_map_put_str(&c->map, key, group = c->cnt, err);

			if (r < 0)
				return r;
			head[c->cnt] = HP_NONE;
			c->cnt++;
		}
		next[i] = cnt[group] == 0 ? HP_NONE : head[group];
		head[group] = i;
		cnt[group]++;
	}
	return 0;
}

/* Those of a chain that have no twin so far. */
static int
fill_group(struct hp_cmp *cmp, const struct hp_side *side, uint32_t head, const uint32_t *next, uint32_t cnt, uint32_t **ret,
           uint32_t *ret_cnt, struct hp_err *err)
{
	*ret_cnt = 0;
	*ret = hp_arena_array(&cmp->arena, cnt, sizeof(uint32_t));
	if (*ret == NULL)
		return no_memory(cmp, err);
	for (uint32_t i = head; cnt > 0; cnt--, i = next[i])
		if (side->twin[i] == HP_NONE)
			(*ret)[(*ret_cnt)++] = i;
	return 0;
}

static int
match_group(struct hp_cmp *cmp, const struct chains *c, uint32_t g, bool last, bool *ret_matched, struct hp_err *err)
{
	struct hp_group group = { .last = last };
	int r;

	if (c->olds_cnt[g] == 0 || c->news_cnt[g] == 0)
		return 0;
	r = fill_group(cmp, &cmp->old_side, c->old_head[g], c->old_next, c->olds_cnt[g], &group.olds, &group.olds_cnt, err);
	if (r == 0)
		r = fill_group(cmp, &cmp->new_side, c->new_head[g], c->new_next, c->news_cnt[g], &group.news, &group.news_cnt,
		               err);
	if (r == 0 && group.olds_cnt > 0 && group.news_cnt > 0)
		r = hp_group_match(cmp, &group, err);
	*ret_matched |= group.matched;
	return r;
}

static int
match_groups(struct hp_cmp *cmp, enum class class, struct hp_err *err)
{
	size_t olds = cmp->old_side.parts->cnt, news = cmp->new_side.parts->cnt, all = olds + news;
	struct chains c = { .old_head = hp_arena_array(&cmp->arena, all, sizeof(uint32_t)),
		            .new_head = hp_arena_array(&cmp->arena, all, sizeof(uint32_t)),
		            .old_next = hp_arena_array(&cmp->arena, olds, sizeof(uint32_t)),
		            .new_next = hp_arena_array(&cmp->arena, news, sizeof(uint32_t)),
		            .olds_cnt = hp_arena_array(&cmp->arena, all, sizeof(uint32_t)),
		            .news_cnt = hp_arena_array(&cmp->arena, all, sizeof(uint32_t)) };
	int r;

	if (c.old_head == NULL || c.new_head == NULL || c.old_next == NULL || c.new_next == NULL || c.olds_cnt == NULL ||
	    c.news_cnt == NULL)
		return no_memory(cmp, err);
	r = chain_side(cmp, &cmp->old_side, class, &c, c.old_head, c.old_next, c.olds_cnt, err);
	if (r == 0)
		r = chain_side(cmp, &cmp->new_side, class, &c, c.new_head, c.new_next, c.news_cnt, err);
	/* Again as long as it helps: what the members of one group refer to may be told apart only in a later group. */
	for (unsigned round = 0; round <= ROUNDS_MAX && r == 0; round++) {
		bool matched = false;

		for (uint32_t g = 0; g < c.cnt && r == 0; g++)
			r = match_group(cmp, &c, g, round == ROUNDS_MAX, &matched, err);
		if (!matched && round < ROUNDS_MAX)
			round = ROUNDS_MAX - 1;
	}
	hp_map_release(&c.map);
	return r;
}

/* Functions that became one: the original had f and g with bodies of their own, the patched object has one body under both names
 * (the source made g an alias, or the fix made both equal and gcc folded them). The new body's twin is f; g has not gone, what it
 * is called now does what that body does. So g points to it, but not the other way round. */
static int
join_aliases(struct hp_cmp *cmp, struct hp_err *err)
{
	HP_AUTO(hp_map) struct hp_map news = { 0 };
	struct hp_side *os = &cmp->old_side, *ns = &cmp->new_side;
	int r = index_names(cmp, ns, CLASS_FUNC, &news, err), fail = 0;

	for (uint32_t i = 0; i < os->parts->cnt && r == 0; i++) {
		const struct hp_part *p = hp_side_part(os, i);

		for (uint32_t k = 0; part_class(os, i) == CLASS_FUNC && k < p->syms_cnt && os->twin[i] == HP_NONE; k++) {
			const char *name = os->elf->syms[os->parts->part_syms[p->syms_first + k]].name;
			uint64_t now;

			if (!hp_map_get_str(&news, name, &now) || now == AMBIGUOUS || is_numbered(cmp, name, &fail))
				continue;
			if (ns->twin[now] != HP_NONE)
				os->twin[i] = (uint32_t)now;
		}
		if (fail < 0)
			return no_memory(cmp, err);
	}
	return r;
}

int
hp_correlate(struct hp_cmp *cmp, struct hp_err *err)
{
	int r = match_exact(cmp, CLASS_FUNC, err);

	if (r == 0)
		r = match_exact(cmp, CLASS_DATA, err);
	/* Functions first: which function uses a variable tells static locals of one name apart. */
	if (r == 0)
		r = match_groups(cmp, CLASS_FUNC, err);
	if (r == 0)
		r = match_groups(cmp, CLASS_DATA, err);
	return r < 0 ? r : join_aliases(cmp, err);
}
