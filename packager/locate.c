/* Where the original objects lie in the baseline.
 *
 * Three sources of candidates for a function: the module's symbols of its name, the place of its section once something that
 * refers to it has been proven, and (without a symbol table) a search for its bytes. A candidate counts only when its
 * bytes match. Each match gives more places, so it goes round until nothing new is found.
 */
#include "packager/internal.h"

#include <inttypes.h>

#include "base/escape.h"

enum { CANDIDATES_MAX = 64, SEARCH_MAX = 1024, SMALL_LEN = 32 };

static bool
is_func(const struct hp_parts *parts, uint32_t i)
{
	return parts->v[i].kind == HP_PART_FUNC && parts->v[i].len > 0;
}

/* Match at one address; on success take over what it shows. 1 proven, 0 differs. */
static int
try_at(struct hp_pk *pk, struct hp_pk_obj *obj, uint32_t i, uint64_t va, bool keep_diff, struct hp_err *err)
{
	const struct hp_parts *parts = obj->pair->old_obj->parts;
	struct hp_place *place = &obj->places[i];
	struct hp_preimage_diff diff;
	uint32_t cnt;
	int r = hp_preimage_match(parts, i, pk->mod, va, pk->finds, &cnt, &diff, err);

	if (r < 0)
		return hp_err_add(err, "matching '%s' of '%s'", hp_esc(hp_part_name(parts, i)), hp_esc(obj->pair->path));
	if (r == 0) {
		if (!keep_diff || place->diff != NULL)
			return 0;
		place->diff = hp_arena_alloc(&pk->arena, sizeof(diff));
		if (place->diff == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory");
		*place->diff = diff;
		place->state = HP_FUNC_MISMATCH;
		place->va = va;
		return 0;
	}
	if (pk->lenient && !hp_finds_agree(pk, obj, pk->finds, cnt))
		return 0;
	place->state = HP_FUNC_PROVEN;
	place->va = va;
	r = hp_note_section(pk, obj, parts->v[i].sec_idx, va - parts->v[i].off, hp_part_name(parts, i), err);
	if (r == 0)
		r = hp_note_finds(pk, obj, i, pk->finds, cnt, err);
	if (r == HP_E_BASELINE && pk->lenient) {
		*place = (struct hp_place){ .state = HP_FUNC_UNKNOWN }; /* equal bytes of another function */
		return 0;
	}
	if (r == HP_E_BASELINE)
		return hp_say_contradiction(pk, obj, err);
	return r < 0 ? r : 1;
}

static bool
add_candidate(uint64_t *v, uint32_t *cnt, uint64_t va)
{
	for (uint32_t i = 0; i < *cnt; i++)
		if (v[i] == va)
			return false;
	if (*cnt < CANDIDATES_MAX)
		v[(*cnt)++] = va;
	return true;
}

/* Code symbols of the module with one of the part's names; for a local name those of the object's own source file, if any. */
static uint32_t
candidates(const struct hp_pk *pk, const struct hp_pk_obj *obj, uint32_t part_idx, uint64_t *v)
{
	const struct hp_parts *parts = obj->pair->old_obj->parts;
	const struct hp_part *part = &parts->v[part_idx];
	uint32_t cnt = 0;

	for (uint32_t j = 0; j < part->syms_cnt; j++) {
		const struct hp_sym *sym = &parts->elf->syms[parts->part_syms[part->syms_first + j]];
		uint32_t first, n, own = 0;

		if (sym->name[0] == '\0')
			continue;
		n = hp_module_named(pk->mod, sym->name, &first);
		for (int pass = 0; pass < 2 && (pass == 0 || own == 0); pass++) {
			for (uint32_t i = 0; i < n; i++) {
				const struct hp_mod_sym *s = &pk->mod->syms[pk->mod->by_name[first + i]];
				bool mine = sym->bind == STB_LOCAL
				                    ? strcmp(s->file, obj->file) == 0 && s->bind == STB_LOCAL
				                    : s->bind != STB_LOCAL || s->file[0] == '\0' || s->vis != STV_DEFAULT;

				if (s->type == STT_TLS || s->type == STT_OBJECT || (pass == 0 && !mine))
					continue;
				/* A static function has no global symbol: that is another object's (.dynsym has only those). */
				if (sym->bind == STB_LOCAL && s->bind != STB_LOCAL)
					continue;
				/* A weak definition lost: this is another object's, perhaps with equal code. */
				if (sym->bind == STB_WEAK && s->bind == STB_GLOBAL)
					continue;
				own += mine;
				(void)add_candidate(v, &cnt, s->va);
			}
		}
	}
	return cnt;
}

/* 1 something new, 0 nothing. */
static int
try_candidates(struct hp_pk *pk, struct hp_pk_obj *obj, uint32_t i, const uint64_t *v, uint32_t cnt, bool keep_diff,
               struct hp_err *err)
{
	const struct hp_parts *parts = obj->pair->old_obj->parts;
	uint64_t hit = 0;
	uint32_t hits = 0, finds_cnt;

	if (cnt == 1)
		return try_at(pk, obj, i, v[0], keep_diff, err);
	for (uint32_t c = 0; c < cnt; c++) {
		int r = hp_preimage_match(parts, i, pk->mod, v[c], pk->finds, &finds_cnt, NULL, err);

		if (r < 0)
			return r;
		if (r > 0 && hp_finds_agree(pk, obj, pk->finds, finds_cnt)) {
			hit = v[c];
			hits++;
		}
	}
	if (hits == 1)
		return try_at(pk, obj, i, hit, keep_diff, err);
	if (hits > 1)
		obj->places[i].state = HP_FUNC_AMBIGUOUS;
	else if (cnt > 0 && keep_diff)
		return try_at(pk, obj, i, v[0], true, err);
	return 0;
}

/* A symbol table would name the function. */
static bool
would_be_named(const struct hp_module *mod, const struct hp_parts *parts, uint32_t i)
{
	bool is_static = true;

	for (uint32_t j = 0; j < parts->v[i].syms_cnt; j++)
		is_static &= parts->elf->syms[parts->part_syms[parts->v[i].syms_first + j]].bind == STB_LOCAL;
	return mod->has_symtab && (mod->has_statics || !is_static);
}

static int
by_name(struct hp_pk *pk, struct hp_pk_obj *obj, struct hp_err *err)
{
	const struct hp_parts *parts = obj->pair->old_obj->parts;
	uint64_t v[CANDIDATES_MAX];

	for (uint32_t i = 0; i < parts->cnt; i++) {
		uint32_t cnt;
		int r;

		if (!is_func(parts, i))
			continue;
		cnt = candidates(pk, obj, i, v);
		if (cnt == 0) {
			obj->places[i].state = would_be_named(pk->mod, parts, i) ? HP_FUNC_ABSENT : HP_FUNC_UNKNOWN;
			continue;
		}
		r = try_candidates(pk, obj, i, v, cnt, true, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Functions and constants whose section has been found meanwhile. Returns 1 when that gave something new. */
static int
by_section(struct hp_pk *pk, struct hp_pk_obj *obj, struct hp_err *err)
{
	const struct hp_parts *parts = obj->pair->old_obj->parts;
	int progress = 0;

	for (uint32_t i = 0; i < parts->cnt; i++) {
		const struct hp_part *part = &parts->v[i];
		const struct hp_known *sec = &obj->secs[part->sec_idx];
		bool data = part->kind == HP_PART_RODATA || part->kind == HP_PART_ANON;
		int r;

		if (!sec->has_addr || obj->places[i].state == HP_FUNC_PROVEN || part->len == 0 || (!data && !is_func(parts, i)))
			continue;
		if (data && obj->places[i].state == HP_FUNC_MISMATCH)
			continue;
		if (obj->places[i].state == HP_FUNC_MISMATCH && obj->places[i].va == sec->addr + part->off)
			continue;
		obj->places[i].diff = NULL;
		r = try_at(pk, obj, i, sec->addr + part->off, true, err);
		if (r < 0)
			return r;
		progress |= r;
	}
	return progress;
}

/* What a global name of this object was found to be elsewhere. */
static int
by_known_names(struct hp_pk *pk, struct hp_pk_obj *obj, struct hp_err *err)
{
	const struct hp_parts *parts = obj->pair->old_obj->parts;
	int progress = 0;

	for (uint32_t i = 0; i < parts->cnt; i++) {
		const struct hp_part *part = &parts->v[i];

		if (!is_func(parts, i) || (obj->places[i].state != HP_FUNC_UNKNOWN && obj->places[i].state != HP_FUNC_AMBIGUOUS))
			continue;
		for (uint32_t j = 0; j < part->syms_cnt; j++) {
			const struct hp_sym *sym = &parts->elf->syms[parts->part_syms[part->syms_first + j]];
			const struct hp_known *k = sym->bind == STB_LOCAL ? NULL : hp_known_name(pk, sym->name);
			int r;

			if (k == NULL || !k->has_addr)
				continue;
			r = try_at(pk, obj, i, k->addr, false, err);
			if (r < 0)
				return r;
			progress |= r;
			break;
		}
	}
	return progress;
}

static int
spread(struct hp_pk *pk, struct hp_err *err)
{
	int progress;

	do {
		progress = 0;
		for (size_t o = 0; o < pk->objs_cnt; o++) {
			struct hp_pk_obj *obj = &pk->objs[o];
			int r;

			if (!obj->changed || obj->pair->old_obj == NULL)
				continue;
			r = by_section(pk, obj, err);
			if (r < 0)
				return r;
			progress |= r;
			r = by_known_names(pk, obj, err);
			if (r < 0)
				return r;
			progress |= r;
		}
	} while (progress != 0);
	return 0;
}

/* Like try_candidates(), but even a single place must agree with what is known before it is taken. */
static int
try_searched(struct hp_pk *pk, struct hp_pk_obj *obj, uint32_t i, const uint64_t *v, uint32_t cnt, struct hp_err *err)
{
	uint64_t hit = 0;
	uint32_t hits = 0, finds_cnt;

	for (uint32_t c = 0; c < cnt; c++) {
		int r = hp_preimage_match(obj->pair->old_obj->parts, i, pk->mod, v[c], pk->finds, &finds_cnt, NULL, err);

		if (r < 0)
			return r;
		if (r > 0 && hp_finds_agree(pk, obj, pk->finds, finds_cnt)) {
			hit = v[c];
			hits++;
		}
	}
	return hits == 1 ? try_at(pk, obj, i, hit, false, err) : 0;
}

/* Without a symbol table: look for the bytes. Only a single match in the whole module counts. */
static int
by_content(struct hp_pk *pk, struct hp_pk_obj *obj, struct hp_err *err)
{
	const struct hp_parts *parts = obj->pair->old_obj->parts;
	uint64_t *v = hp_arena_array(&pk->arena, SEARCH_MAX, sizeof(*v));

	if (v == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	for (uint32_t i = 0; i < parts->cnt; i++) {
		uint32_t cnt;
		int r;

		if (!is_func(parts, i) || obj->places[i].state != HP_FUNC_UNKNOWN)
			continue;
		cnt = hp_preimage_search(parts, i, pk->mod, SEARCH_MAX, v);
		if (cnt == 0 || cnt == SEARCH_MAX)
			continue;
		r = try_searched(pk, obj, i, v, cnt, err);
		if (r < 0)
			return r;
		if (r > 0) {
			r = spread(pk, err);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* The next part of code in the object, in the order in which linkers place its sections; HP_NONE at the end. Sections of another
 * kind (.text.unlikely, .text.startup) are gathered elsewhere. */
static uint32_t
neighbour(const struct hp_parts *parts, uint32_t i, int step)
{
	const char *own = parts->elf->secs[parts->v[i].sec_idx].name;
	bool plain = strncmp(own, ".text.unlikely", 14) != 0 && strncmp(own, ".text.startup", 13) != 0;

	for (uint32_t j = i + (uint32_t)step; j < parts->cnt; j += (uint32_t)step) {
		const char *name = parts->elf->secs[parts->v[j].sec_idx].name;
		bool other = strncmp(name, ".text.unlikely", 14) != 0 && strncmp(name, ".text.startup", 13) != 0;

		if (is_func(parts, j) && plain == other)
			return j;
	}
	return HP_NONE;
}

/* A few bytes may be those of another object's function, when the linker has dropped this one: that counts for the coverage,
 * but teaches nothing and is not enough to redirect an entry. */
static int
try_small(struct hp_pk *pk, struct hp_pk_obj *obj, uint32_t i, uint64_t va, struct hp_err *err)
{
	uint32_t cnt;
	int r = hp_preimage_match(obj->pair->old_obj->parts, i, pk->mod, va, pk->finds, &cnt, NULL, err);

	if (r > 0 && !hp_finds_agree(pk, obj, pk->finds, cnt))
		return 0;
	if (r > 0)
		obj->places[i] = (struct hp_place){ .state = HP_FUNC_PROVEN, .va = va, .by_place = true };
	return r;
}

/* Functions that nothing refers to: right beside a proven neighbour, where the linker puts the object's next section. 1 when
 * one was proven. */
static int
by_neighbour(struct hp_pk *pk, struct hp_pk_obj *obj, struct hp_err *err)
{
	const struct hp_parts *parts = obj->pair->old_obj->parts;
	int progress = 0;

	for (uint32_t i = 0; i < parts->cnt; i++) {
		for (int step = -1; step <= 1 && is_func(parts, i) && obj->places[i].state == HP_FUNC_UNKNOWN; step += 2) {
			uint32_t j = neighbour(parts, i, step);
			uint64_t align = parts->elf->secs[parts->v[i].sec_idx].align, len = parts->v[i].len, va;
			int r;

			if (j == HP_NONE || obj->places[j].state != HP_FUNC_PROVEN || align == 0 || (align & (align - 1)) != 0)
				continue;
			va = step < 0 ? obj->places[j].va + parts->v[j].len + align - 1 : obj->places[j].va - len;
			va &= ~(align - 1);
			r = len < SMALL_LEN ? try_small(pk, obj, i, va, err) : try_at(pk, obj, i, va, false, err);
			if (r < 0)
				return r;
			progress |= r;
		}
	}
	return progress;
}

/* Until nothing is found any more. */
static int
by_neighbours(struct hp_pk *pk, struct hp_pk_obj *obj, struct hp_err *err)
{
	int r;

	do {
		r = by_neighbour(pk, obj, err);
		if (r > 0) {
			int s = spread(pk, err);

			if (s < 0)
				return s;
		}
	} while (r > 0);
	return r;
}

static void
name_of_file(struct hp_pk_obj *obj)
{
	const struct hp_elf *elf = obj->pair->old_obj->elf;

	obj->file = "";
	for (uint32_t i = 1; i < elf->syms_cnt; i++)
		if (elf->syms[i].type == STT_FILE)
			obj->file = elf->syms[i].name;
}

static int
prepare(struct hp_pk *pk, struct hp_pk_obj *obj, uint32_t *max_rels, struct hp_err *err)
{
	const struct hp_object *old = obj->pair->old_obj, *new = obj->pair->new_obj;

	if (new != NULL) {
		obj->items = hp_arena_array(&pk->arena, new->parts->cnt, sizeof(struct hp_item *));
		obj->redirects = hp_arena_array(&pk->arena, new->parts->cnt, sizeof(*obj->redirects));
		if (obj->items == NULL || obj->redirects == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory");
		for (uint32_t i = 0; i < new->parts->cnt && obj->pair->include != NULL; i++)
			obj->changed |= obj->pair->include[i];
	}
	obj->changed |= pk->lenient;
	if (old == NULL)
		return 0;
	obj->secs = hp_arena_array(&pk->arena, old->elf->secs_cnt, sizeof(*obj->secs));
	obj->places = hp_arena_array(&pk->arena, old->parts->cnt, sizeof(*obj->places));
	if (obj->secs == NULL || obj->places == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	name_of_file(obj);
	for (uint32_t i = 0; i < old->parts->cnt; i++)
		if (old->parts->v[i].rels_cnt > *max_rels)
			*max_rels = old->parts->v[i].rels_cnt;
	return 0;
}

int
hp_locate(struct hp_pk *pk, struct hp_err *err)
{
	uint32_t max_rels = 0;
	int r;

	for (size_t o = 0; o < pk->objs_cnt; o++) {
		r = prepare(pk, &pk->objs[o], &max_rels, err);
		if (r < 0)
			return r;
	}
	pk->finds_max = max_rels;
	pk->finds = hp_arena_array(&pk->arena, max_rels, sizeof(*pk->finds));
	if (pk->finds == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	for (size_t o = 0; o < pk->objs_cnt; o++) {
		if (!pk->objs[o].changed || pk->objs[o].pair->old_obj == NULL)
			continue;
		r = by_name(pk, &pk->objs[o], err);
		if (r < 0)
			return r;
	}
	r = spread(pk, err);
	if (r < 0)
		return r;
	for (size_t o = 0; o < pk->objs_cnt && !(pk->mod->has_symtab && pk->mod->has_statics); o++) {
		if (!pk->objs[o].changed || pk->objs[o].pair->old_obj == NULL)
			continue;
		r = by_content(pk, &pk->objs[o], err);
		if (r == 0)
			r = by_neighbours(pk, &pk->objs[o], err);
		if (r < 0)
			return r;
	}
	return 0;
}
