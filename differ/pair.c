/* One pair of objects from reading to reasons. */
#include <limits.h>
#include <string.h>

#include "base/escape.h"
#include "differ/internal.h"
#include "differ/result.h"

static int
check_object(const struct hp_elf *elf, struct hp_err *err)
{
	if (elf->type != ET_REL)
		return hp_err_set(err, HP_E_FORMAT, "'%s': not a relocatable object (ELF type %u)", hp_esc(elf->path), elf->type);
	for (uint32_t s = 1; s < elf->secs_cnt; s++)
		if (strncmp(elf->secs[s].name, ".gnu.lto_", 9) == 0)
			return hp_err_set(err, HP_E_FORMAT,
			                  "'%s': compiled with -flto: it holds bytecode (section '%s'), the code is made when "
			                  "linking; build without -flto",
			                  hp_esc(elf->path), hp_esc(elf->secs[s].name));
	return 0;
}

static int
check_pair(const struct hp_pair *pair, struct hp_err *err)
{
	const struct hp_elf *o = pair->old_obj != NULL ? pair->old_obj->elf : NULL;
	const struct hp_elf *n = pair->new_obj != NULL ? pair->new_obj->elf : NULL;
	int r = o != NULL ? check_object(o, err) : 0;

	if (r == 0 && n != NULL)
		r = check_object(n, err);
	if (r == 0 && o != NULL && n != NULL &&
	    (o->machine != n->machine || o->big_endian != n->big_endian || o->flags != n->flags))
		return hp_err_set(err, HP_E_ARCH,
		                  "'%s': the original is for CPU %u (flags 0x%x), the patched for CPU %u (flags 0x%x)",
		                  hp_esc(pair->path), o->machine, o->flags, n->machine, n->flags);
	return r;
}

static int
new_arrays(struct hp_pair *pair, struct hp_err *err)
{
	if (pair->old_obj != NULL) {
		struct hp_arena *arena = &pair->old_obj->elf->arena;
		size_t cnt = pair->old_obj->parts->cnt;

		pair->old_change = hp_arena_array(arena, cnt, sizeof(*pair->old_change));
		pair->old_twin = hp_arena_array(arena, cnt, sizeof(*pair->old_twin));
		if (pair->old_change == NULL || pair->old_twin == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory for '%s'", hp_esc(pair->path));
	}
	if (pair->new_obj != NULL) {
		struct hp_arena *arena = &pair->new_obj->elf->arena;
		size_t cnt = pair->new_obj->parts->cnt;

		pair->new_change = hp_arena_array(arena, cnt, sizeof(*pair->new_change));
		pair->new_twin = hp_arena_array(arena, cnt, sizeof(*pair->new_twin));
		pair->include = hp_arena_array(arena, cnt, sizeof(*pair->include));
		pair->diff = hp_arena_array(arena, cnt, sizeof(*pair->diff));
		if (pair->new_change == NULL || pair->new_twin == NULL || pair->include == NULL || pair->diff == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory for '%s'", hp_esc(pair->path));
	}
	return 0;
}

static int
compare_both(struct hp_cmp *cmp, struct hp_err *err)
{
	size_t cnt = cmp->new_side.parts->cnt;
	int r;

	cmp->table = hp_arena_array(&cmp->arena, cnt, sizeof(*cmp->table));
	cmp->ambiguous = hp_arena_array(&cmp->arena, cnt, sizeof(*cmp->ambiguous));
	if (cmp->table == NULL || cmp->ambiguous == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for '%s'", hp_esc(cmp->pair->path));
	memset(cmp->table, 0xff, cnt * sizeof(*cmp->table));
	r = hp_correlate(cmp, err);
	if (r == 0)
		r = hp_compare_all(cmp, err);
	if (r == 0)
		r = hp_compare_commons(cmp, err);
	if (r == 0)
		r = hp_explain_pair(cmp, err);
	if (r == 0)
		r = hp_include(cmp, err);
	if (r == 0 && cmp->pair->old_obj != NULL && cmp->pair->new_obj != NULL)
		r = hp_gate(cmp, err);
	if (r == 0)
		r = hp_verdict_pair(cmp, err);
	return r;
}

static bool
any_change(const uint8_t *change, const struct hp_object *obj)
{
	for (uint32_t i = 0; obj != NULL && i < obj->parts->cnt; i++)
		if (change[i] != HP_SAME)
			return true;
	return false;
}

/* A missing object is compared as an empty one: everything on the other side is new, or removed. */
static int
empty_object(struct hp_cmp *cmp, struct hp_object *obj, const char *path, struct hp_err *err)
{
	obj->elf = hp_arena_alloc(&cmp->arena, sizeof(*obj->elf));
	obj->parts = hp_arena_alloc(&cmp->arena, sizeof(*obj->parts));
	if (obj->elf == NULL || obj->parts == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for '%s'", hp_esc(path));
	obj->elf->path = path;
	obj->parts->elf = obj->elf;
	obj->parts->sec_first = hp_arena_array(&cmp->arena, 2, sizeof(*obj->parts->sec_first));
	return obj->parts->sec_first != NULL ? 0 : hp_err_set(err, HP_E_NOMEM, "no memory for '%s'", hp_esc(path));
}

static int
fill(struct hp_cmp *cmp, struct hp_err *err)
{
	struct hp_pair *pair = cmp->pair;
	struct hp_object none = { .elf = NULL };
	int r = 0;

	if (pair->old_obj == NULL || pair->new_obj == NULL)
		r = empty_object(cmp, &none, pair->path, err);
	if (r == 0)
		r = hp_side_init(cmp, &cmp->old_side, pair->old_obj != NULL ? pair->old_obj : &none, pair->old_twin,
		                 pair->old_change, err);
	if (r == 0)
		r = hp_side_init(cmp, &cmp->new_side, pair->new_obj != NULL ? pair->new_obj : &none, pair->new_twin,
		                 pair->new_change, err);
	if (r == 0 && pair->old_obj == NULL)
		r = hp_reason_add(cmp->reasons, HP_RULE_OBJECT_NEW, pair->path, NULL, NULL, err, "not in the original tree");
	if (r == 0 && pair->new_obj == NULL)
		r = hp_reason_add(cmp->reasons, HP_RULE_OBJECT_REMOVED, pair->path, NULL, NULL, err, "not in the patched tree");
	return r < 0 ? r : compare_both(cmp, err);
}

static bool
has_changed_function(const struct hp_pair *pair)
{
	for (uint32_t i = 0; pair->new_obj != NULL && i < pair->new_obj->parts->cnt; i++)
		if (pair->new_change[i] == HP_CHANGED && pair->new_obj->parts->v[i].kind == HP_PART_FUNC)
			return true;
	return false;
}

static int
note_producers(struct hp_cmp *cmp, struct hp_result *ret, struct hp_err *err)
{
	const struct hp_dwarf_unit *units;
	size_t cnt;
	int r;

	if (!has_changed_function(cmp->pair))
		return 0;
	r = hp_side_dwarf(&cmp->new_side, err);
	if (r <= 0)
		return r;
	r = hp_dwarf_units(cmp->new_side.dw, &units, &cnt, err);
	if (r < 0)
		return r;
	ret->producers = hp_arena_array(&ret->arena, cnt, sizeof(*ret->producers));
	for (size_t i = 0; ret->producers != NULL && i < cnt; i++) {
		ret->producers[i] = hp_arena_strdup(&ret->arena, units[i].producer);
		if (ret->producers[i] == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory for '%s'", hp_esc(cmp->pair->path));
		ret->producers_cnt = i + 1;
	}
	return 0;
}

/* Sources have paths relative to the folder that the compiler ran in. Where that is a folder of the tree (comp_dir
 * "/build/prog/src" for src/cache.o, or for src/.libs/cache.o), "cache.c" is src/cache.c. Bytes of pair->path, 0 = the top. */
static size_t
source_dir_len(const struct hp_pair *pair, const char *comp_dir)
{
	size_t dir_len = strlen(comp_dir);

	for (size_t len = strlen(pair->path); len > 0; len--)
		if (pair->path[len] == '/' && dir_len > len && comp_dir[dir_len - len - 1] == '/' &&
		    memcmp(comp_dir + dir_len - len, pair->path, len) == 0)
			return len;
	return 0;
}

static int
prefix_source(struct hp_arena *arena, const char *dir, size_t len, const char **source, struct hp_err *err)
{
	if ((*source)[0] == '\0' || (*source)[0] == '/')
		return 0;
	*source = hp_arena_printf(arena, "%.*s/%s", (int)len, dir, *source);
	return *source != NULL ? 0 : hp_err_set(err, HP_E_NOMEM, "no memory for a source line");
}

static int
prefix_sources(struct hp_cmp *cmp, struct hp_result *ret, struct hp_err *err)
{
	struct hp_pair *pair = cmp->pair;
	struct hp_dwarf *dw = cmp->new_side.dw != NULL ? cmp->new_side.dw : cmp->old_side.dw;
	const struct hp_dwarf_unit *units;
	size_t cnt, len;
	int r = 0;

	if (dw == NULL || strchr(pair->path, '/') == NULL)
		return 0;
	r = hp_dwarf_units(dw, &units, &cnt, err);
	len = r == 0 && cnt > 0 ? source_dir_len(pair, units[0].comp_dir) : 0;
	if (len == 0 || len > INT_MAX)
		return r;
	for (size_t i = 0; i < ret->reasons.cnt && r == 0; i++)
		r = prefix_source(&ret->arena, pair->path, len, &ret->reasons.v[i].source, err);
	for (uint32_t i = 0; pair->new_obj != NULL && i < pair->new_obj->parts->cnt && r == 0; i++)
		if (pair->diff[i].source != NULL)
			r = prefix_source(&pair->new_obj->elf->arena, pair->path, len, &pair->diff[i].source, err);
	return r;
}

int
hp_pair_compare(struct hp_result *ret, struct hp_err *err)
{
	struct hp_pair *pair = &ret->pair;
	struct hp_cmp cmp = { .pair = pair, .baseline_known = ret->baseline_known, .reasons = &ret->reasons };
	int r = check_pair(pair, err);

	ret->reasons.arena = &ret->arena;
	ret->machine = (pair->new_obj != NULL ? pair->new_obj : pair->old_obj)->elf->machine;
	if (r == 0)
		r = new_arrays(pair, err);
	if (r == 0)
		r = fill(&cmp, err);
	if (r == 0)
		r = note_producers(&cmp, ret, err);
	if (r == 0)
		r = prefix_sources(&cmp, ret, err);
	if (r == 0)
		ret->keep = any_change(pair->old_change, pair->old_obj) || any_change(pair->new_change, pair->new_obj) ||
		            pair->old_obj == NULL || pair->new_obj == NULL;
	hp_side_release(&cmp.old_side);
	hp_side_release(&cmp.new_side);
	hp_map_release(&cmp.content);
	hp_arena_release(&cmp.arena);
	return r < 0 ? hp_err_add(err, "comparing '%s'", hp_esc(pair->path)) : 0;
}
