/* One function of the baseline, claimed by several objects of the tree: libtool compiles each source twice (foo.o, .libs/foo.o),
 * `ld -r` joins objects that stay beside the result. When their original code is equal all of them are proven at one place, but
 * only one was linked, and only its new code is the fixed build's.
 *
 * The linked one is: in a shared library libtool's .libs/ object, in an executable the other; then the one that proves more
 * functions (a joined object); then any, if the new code has the same size everywhere. Objects all of whose changed functions are
 * claimed by a better one are not part of the module; of others (inline functions of C++ headers) only those functions are not.
 *
 * A weak definition loses against a strong one of another object, known here or not. Its code is not in the module, or only
 * because both are equal; the place of that name tells nothing about this object and must not be redirected to its code. */
#include "packager/internal.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/escape.h"

struct claim {
	uint64_t va;
	struct hp_pk_obj *obj;
	uint32_t part; /* of the patched side */
	bool libs;     /* the path fits the kind of module */
	uint32_t proven;
};

static bool
is_weak(const struct hp_parts *parts, uint32_t part)
{
	const struct hp_part *p = &parts->v[part];

	for (uint32_t j = 0; j < p->syms_cnt; j++)
		if (parts->elf->syms[parts->part_syms[p->syms_first + j]].bind != STB_WEAK)
			return false;
	return p->syms_cnt > 0;
}

/* Does another object of the tree have this name, by a strong definition if ${strong}, with the code that stands at ${va}? */
static int
defined_elsewhere(struct hp_pk *pk, const struct hp_pk_obj *obj, const char *name, uint64_t va, bool strong, struct hp_err *err)
{
	for (size_t o = 0; o < pk->objs_cnt; o++) {
		const struct hp_object *old = pk->objs[o].pair->old_obj;

		if (&pk->objs[o] == obj || old == NULL)
			continue;
		for (uint32_t i = 1; i < old->elf->syms_cnt; i++) {
			const struct hp_sym *sym = &old->elf->syms[i];
			uint32_t part = old->parts->sym_part[i], cnt;
			int r;

			if (part == HP_NONE || sym->bind == STB_LOCAL || (strong && sym->bind == STB_WEAK) ||
			    old->parts->v[part].kind != HP_PART_FUNC || sym->value != old->parts->v[part].off ||
			    old->parts->v[part].rels_cnt > pk->finds_max || strcmp(sym->name, name) != 0)
				continue;
			r = hp_preimage_match(old->parts, part, pk->mod, va, pk->finds, &cnt, NULL, err);
			if (r != 0)
				return r;
		}
	}
	return 0;
}

/* The module's own symbol keeps place and binding of the definition that was linked. 1 a strong one, or one elsewhere; -1: the
 * module has no such symbol. */
static int
bound_strongly(const struct hp_pk *pk, const char *name, uint64_t va)
{
	uint32_t first, cnt = hp_module_named(pk->mod, name, &first);
	int r = -1;

	for (uint32_t i = 0; i < cnt; i++) {
		const struct hp_mod_sym *s = &pk->mod->syms[pk->mod->by_name[first + i]];

		if (s->bind == STB_LOCAL)
			continue;
		if (s->va == va)
			return s->bind != STB_WEAK;
		r = 1;
	}
	return r;
}

static int
has_lost(struct hp_pk *pk, const struct hp_pk_obj *obj, uint32_t part, struct hp_err *err)
{
	const struct hp_place *place = &obj->places[part];
	const char *name = hp_part_name(obj->pair->old_obj->parts, part);
	const struct hp_known *k = hp_known_name(pk, name);
	int strong = bound_strongly(pk, name, place->va);

	/* Proven code means another place by this name; the weak code is there all the same, but nobody calls it. */
	if (strong == 1 || (k != NULL && k->has_addr && k->addr != place->va))
		return 1;
	if (strong < 0)
		return defined_elsewhere(pk, obj, name, place->va, place->state == HP_FUNC_PROVEN, err);
	return place->state == HP_FUNC_MISMATCH ? defined_elsewhere(pk, obj, name, place->va, false, err) : 0;
}

int
hp_mark_lost(struct hp_pk *pk, struct hp_err *err)
{
	for (size_t o = 0; o < pk->objs_cnt; o++) {
		struct hp_pk_obj *obj = &pk->objs[o];
		const struct hp_object *old = obj->pair->old_obj;

		if (!obj->changed || old == NULL)
			continue;
		for (uint32_t i = 0; i < old->parts->cnt; i++) {
			struct hp_place *place = &obj->places[i];
			int r;

			if (old->parts->v[i].kind != HP_PART_FUNC || !is_weak(old->parts, i) ||
			    (place->state != HP_FUNC_PROVEN && place->state != HP_FUNC_MISMATCH))
				continue;
			r = has_lost(pk, obj, i, err);
			if (r < 0)
				return r;
			if (r > 0)
				place->state = HP_FUNC_ABSENT;
		}
	}
	return 0;
}

static bool
fits_kind(const struct hp_pk *pk, const struct hp_pk_obj *obj)
{
	const char *path = obj->pair->path;
	bool libs = strncmp(path, ".libs/", 6) == 0 || strstr(path, "/.libs/") != NULL;

	return libs == (pk->mod->kind == HP_MAN_SHARED);
}

static uint32_t
proven_cnt(const struct hp_pk_obj *obj)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < obj->pair->old_obj->parts->cnt; i++)
		n += obj->places[i].state == HP_FUNC_PROVEN;
	return n;
}

/* By place, the best first. */
static int
cmp_claim(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;

	if (x->va != y->va)
		return x->va < y->va ? -1 : 1;
	if (x->libs != y->libs)
		return x->libs ? -1 : 1;
	if (x->proven != y->proven)
		return x->proven > y->proven ? -1 : 1;
	return strcmp(x->obj->pair->path, y->obj->pair->path);
}

static bool
claims(const struct hp_pk_obj *obj, uint32_t part, uint64_t *ret_va)
{
	const struct hp_pair *pair = obj->pair;
	uint32_t twin = pair->new_twin[part];

	if (pair->new_obj->parts->v[part].kind != HP_PART_FUNC || !pair->include[part] || twin == HP_NONE ||
	    obj->places[twin].state != HP_FUNC_PROVEN || obj->places[twin].by_place)
		return false;
	*ret_va = obj->places[twin].va;
	return true;
}

static bool
may_claim(const struct hp_pk_obj *obj)
{
	return obj->in_module && obj->pair->old_obj != NULL && obj->pair->new_obj != NULL && obj->pair->include != NULL;
}

static size_t
collect(struct hp_pk *pk, struct claim *v)
{
	size_t cnt = 0;
	uint64_t va;

	for (size_t o = 0; o < pk->objs_cnt; o++) {
		struct hp_pk_obj *obj = &pk->objs[o];
		bool libs;
		uint32_t proven;

		if (!may_claim(obj))
			continue;
		libs = fits_kind(pk, obj);
		proven = proven_cnt(obj);
		for (uint32_t i = 0; i < obj->pair->new_obj->parts->cnt; i++)
			if (claims(obj, i, &va)) {
				if (v != NULL)
					v[cnt] = (struct claim){ va, obj, i, libs, proven };
				cnt++;
			}
	}
	return cnt;
}

static const char *
name_of(const struct claim *c)
{
	return hp_part_name(c->obj->pair->new_obj->parts, c->part);
}

static bool
in_group(const struct claim *c)
{
	const struct hp_parts *parts = c->obj->pair->new_obj->parts;

	return parts->elf->secs[parts->v[c->part].sec_idx].group != NULL;
}

/* The same code with the fix, as far as bytes and global names tell. COMDAT functions are the same by the language's rule; equal
 * lengths show that they were compiled alike. */
static bool
same_code(const struct claim *a, const struct claim *b)
{
	const struct hp_parts *pa = a->obj->pair->new_obj->parts, *pb = b->obj->pair->new_obj->parts;
	const struct hp_rel *ra = hp_part_rels(pa, a->part), *rb = hp_part_rels(pb, b->part);

	if (pa->v[a->part].len != pb->v[b->part].len)
		return false;
	if (in_group(a) && in_group(b))
		return true;
	if (pa->v[a->part].rels_cnt != pb->v[b->part].rels_cnt ||
	    !hp_view_eq(hp_part_bytes(pa, a->part), hp_part_bytes(pb, b->part)))
		return false;
	for (uint32_t i = 0; i < pa->v[a->part].rels_cnt; i++) {
		const struct hp_sym *x = &pa->elf->syms[ra[i].sym_idx], *y = &pb->elf->syms[rb[i].sym_idx];

		if (ra[i].off - pa->v[a->part].off != rb[i].off - pb->v[b->part].off || ra[i].type != rb[i].type ||
		    (x->bind != STB_LOCAL && strcmp(x->name, y->name) != 0))
			return false;
	}
	return true;
}

/* Two claims of one place under one name; folded functions have names of their own and are judged elsewhere. */
static bool
is_same(const struct claim *a, const struct claim *b)
{
	return a->va == b->va && a->obj != b->obj && strcmp(name_of(a), name_of(b)) == 0;
}

static bool
wins(const struct claim *v, size_t i)
{
	for (size_t k = i; k > 0 && v[k - 1].va == v[i].va; k--)
		if (is_same(&v[k - 1], &v[i]))
			return false;
	return true;
}

static int
check_choice(const struct claim *best, const struct claim *other, struct hp_err *err)
{
	if (best->libs != other->libs || best->proven != other->proven || same_code(best, other))
		return 0;
	return hp_err_set(err, HP_E_BASELINE,
	                  "'%s' and '%s' both fit function '%s' of the baseline at 0x%" PRIx64
	                  ", but not each other with the fix: give only the objects that were linked",
	                  hp_esc(best->obj->pair->path), hp_esc(other->obj->pair->path), hp_esc(name_of(best)), best->va);
}

/* What stays in an object that lost its claim: as if the linker had dropped it. */
static void
lose(const struct claim *c)
{
	c->obj->places[c->obj->pair->new_twin[c->part]].state = HP_FUNC_ABSENT;
}

int
hp_drop_duplicates(struct hp_pk *pk, struct hp_err *err)
{
	size_t cnt = collect(pk, NULL);
	struct claim *v = hp_arena_array(&pk->arena, cnt, sizeof(*v));

	if (v == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	if (cnt < 2)
		return 0;
	(void)collect(pk, v);
	qsort(v, cnt, sizeof(*v), cmp_claim);
	for (size_t i = 0; i < cnt; i++)
		v[i].obj->in_module = false;
	for (size_t i = 0; i < cnt; i++)
		v[i].obj->in_module |= wins(v, i);
	for (size_t i = 0; i < cnt; i++)
		if (v[i].obj->in_module && !wins(v, i))
			lose(&v[i]);
	for (size_t i = 1; i < cnt; i++) {
		int r = is_same(&v[i - 1], &v[i]) ? check_choice(&v[i - 1], &v[i], err) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}
