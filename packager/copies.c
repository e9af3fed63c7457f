/* Objects of other programs that hold a copy of this module's code: a test that includes the source file it tests, a client and a
 * server with one static function in common.
 *
 * Both objects prove the shared functions at one place. Had both been linked, there would be two copies in the module: the copy
 * belongs to one, which is the one that is proven to a larger part, and the other is not in the module when nothing else of it
 * is. Only COMDAT functions really are shared by the objects of one module; whoever has one of them in the module stays.
 * (Seen: redis-cli.o and redis-benchmark.o in redis-server, the tests of cJSON in its library.) */
#include "packager/internal.h"

#include <stdlib.h>

#include "packager/prove.h"

struct claim {
	uint64_t va;
	uint32_t obj;
};

static int
cmp_claim(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;

	if (x->va != y->va)
		return x->va < y->va ? -1 : 1;
	return x->obj < y->obj ? -1 : x->obj > y->obj;
}

static bool
is_proven(const struct hp_pk_obj *obj, uint32_t i)
{
	const struct hp_part *part = &obj->pair->old_obj->parts->v[i];

	return part->kind == HP_PART_FUNC && part->len > 0 && obj->places[i].state == HP_FUNC_PROVEN;
}

static uint64_t
code_len(const struct hp_pk_obj *obj)
{
	const struct hp_parts *parts = obj->pair->old_obj->parts;
	uint64_t len = 0;

	for (uint32_t i = 0; i < parts->cnt; i++)
		len += parts->v[i].kind == HP_PART_FUNC ? parts->v[i].len : 0;
	return len;
}

/* Is a larger part of ${a}'s code proven than of ${b}'s? Lengths are bounded by the size of a file: no overflow. */
static bool
has_larger_share(const struct hp_pk *pk, const struct hp_prove_object *objects, uint32_t a, uint32_t b)
{
	return objects[a].proven_len * code_len(&pk->objs[b]) > objects[b].proven_len * code_len(&pk->objs[a]);
}

/* Does an object with a larger share of proven code have this place, too? */
static bool
is_anothers(const struct hp_pk *pk, const struct hp_prove_object *objects, uint32_t obj, uint64_t va, const struct claim *v,
            size_t cnt)
{
	size_t lo = 0, hi = cnt;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (v[mid].va < va)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < cnt && v[lo].va == va; lo++)
		if (v[lo].obj != obj && objects[v[lo].obj].in_module && has_larger_share(pk, objects, v[lo].obj, obj))
			return true;
	return false;
}

static bool
is_copy(const struct hp_pk *pk, const struct hp_prove_object *objects, uint32_t obj, const struct claim *v, size_t cnt)
{
	const struct hp_parts *parts = pk->objs[obj].pair->old_obj->parts;

	if (objects[obj].proven_cnt == 0 || objects[obj].proven_cnt == objects[obj].funcs_cnt)
		return false;
	for (uint32_t i = 0; i < parts->cnt; i++)
		if (is_proven(&pk->objs[obj], i) && (parts->elf->secs[parts->v[i].sec_idx].group != NULL ||
		                                     !is_anothers(pk, objects, obj, pk->objs[obj].places[i].va, v, cnt)))
			return false;
	return true;
}

int
hp_drop_copies(struct hp_pk *pk, struct hp_prove_object *objects, struct hp_err *err)
{
	size_t cap = 0, n = 0;
	struct claim *v;

	for (size_t o = 0; o < pk->objs_cnt; o++)
		cap += objects[o].in_module ? objects[o].proven_cnt : 0;
	v = hp_arena_array(&pk->arena, cap, sizeof(*v));
	if (v == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	for (uint32_t o = 0; o < pk->objs_cnt; o++)
		for (uint32_t i = 0; i < pk->objs[o].pair->old_obj->parts->cnt && objects[o].in_module; i++)
			if (is_proven(&pk->objs[o], i))
				v[n++] = (struct claim){ pk->objs[o].places[i].va, o };
	if (n > 0)
		qsort(v, n, sizeof(*v), cmp_claim);
	for (uint32_t o = 0; o < pk->objs_cnt; o++)
		if (objects[o].in_module && is_copy(pk, objects, o, v, n))
			objects[o].in_module = false;
	return 0;
}
