#include "packager/prove.h"

#include <stdlib.h>
#include <string.h>

#include "packager/internal.h"

enum { STARTUP_LEN_MAX = 320 }; /* bytes: crt1.o and crtbegin.o, or crti.o and crtend.o, with padding */

/* A stretch of the module that is proven. */
struct claim {
	uint64_t va, end;
};

static int
cmp_claim(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;

	return x->va < y->va ? -1 : x->va > y->va;
}

static bool
is_func(const struct hp_parts *parts, uint32_t i)
{
	return parts->v[i].kind == HP_PART_FUNC && parts->v[i].len > 0;
}

static enum hp_prove_state
state_of(const struct hp_place *place)
{
	switch (place->state) {
	case HP_FUNC_PROVEN:
		return place->by_place ? HP_PROVE_WEAK : HP_PROVE_PROVEN;
	case HP_FUNC_MISMATCH:
		return HP_PROVE_DIFFERS;
	case HP_FUNC_AMBIGUOUS:
		return HP_PROVE_AMBIGUOUS;
	case HP_FUNC_ABSENT:
		return HP_PROVE_ABSENT;
	case HP_FUNC_UNKNOWN:
		break;
	}
	return HP_PROVE_UNKNOWN;
}

static int
list_funcs(const struct hp_pk_obj *obj, struct hp_prove_object *ret, struct hp_arena *arena, struct hp_err *err)
{
	const struct hp_parts *parts = obj->pair->old_obj->parts;
	uint32_t n = 0;

	ret->funcs = hp_arena_array(arena, ret->funcs_cnt, sizeof(*ret->funcs));
	if (ret->funcs == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	for (uint32_t i = 0; i < parts->cnt; i++)
		if (is_func(parts, i))
			ret->funcs[n++] = (struct hp_prove_func){ hp_part_name(parts, i), state_of(&obj->places[i]),
				                                  obj->places[i].va, parts->v[i].len };
	return 0;
}

static void
count(const struct hp_pk_obj *obj, struct hp_prove_object *ret)
{
	const struct hp_parts *parts = obj->pair->old_obj->parts;

	*ret = (struct hp_prove_object){ .path = ret->path,
		                         .obj = ret->obj,
		                         .must_match = ret->must_match,
		                         .in_module = obj->in_module,
		                         .first_va = UINT64_MAX };
	for (uint32_t i = 0; i < parts->cnt; i++) {
		const struct hp_place *place = &obj->places[i];

		if (!is_func(parts, i))
			continue;
		ret->funcs_cnt++;
		ret->differ_cnt += place->state == HP_FUNC_MISMATCH;
		ret->absent_cnt += place->state == HP_FUNC_ABSENT;
		if (place->state != HP_FUNC_PROVEN)
			continue;
		ret->proven_cnt++;
		ret->proven_len += parts->v[i].len;
		if (place->va < ret->first_va)
			ret->first_va = place->va;
	}
}

/* Do both claim the same place for some function? */
static bool
share_a_place(const struct hp_pk_obj *a, const struct hp_pk_obj *b)
{
	const struct hp_parts *pa = a->pair->old_obj->parts, *pb = b->pair->old_obj->parts;

	for (uint32_t i = 0; i < pa->cnt; i++)
		for (uint32_t j = 0; j < pb->cnt && is_func(pa, i) && a->places[i].state == HP_FUNC_PROVEN; j++)
			if (is_func(pb, j) && b->places[j].state == HP_FUNC_PROVEN && b->places[j].va == a->places[i].va)
				return true;
	return false;
}

/* Two objects of one source (libtool compiles with and without -fPIC) have the same code in functions that need no address: the
 * one with more proven functions is the one that was linked. */
static bool
is_better(const struct hp_prove_object *b, const struct hp_prove_object *a, bool first)
{
	if (b->proven_len != a->proven_len)
		return b->proven_len > a->proven_len;
	return b->differ_cnt != a->differ_cnt ? b->differ_cnt < a->differ_cnt : first;
}

static void
drop_doubles(struct hp_pk *pk, struct hp_prove_object *objects)
{
	for (size_t i = 0; i < pk->objs_cnt; i++)
		for (size_t j = 0; j < pk->objs_cnt && objects[i].in_module; j++)
			if (i != j && objects[j].in_module && objects[i].proven_cnt > 0 && pk->objs[i].file[0] != '\0' &&
			    strcmp(pk->objs[i].file, pk->objs[j].file) == 0 && is_better(&objects[j], &objects[i], j < i) &&
			    share_a_place(&pk->objs[i], &pk->objs[j]))
				objects[i].in_module = false;
}

static int
claims_of(struct hp_pk *pk, const struct hp_prove_object *objects, struct claim **ret, size_t *ret_cnt, struct hp_err *err)
{
	size_t cap = 0, n = 0, merged = 0;
	struct claim *v;

	for (size_t o = 0; o < pk->objs_cnt; o++)
		cap += pk->objs[o].pair->old_obj->parts->cnt;
	v = hp_arena_array(&pk->arena, cap, sizeof(*v));
	if (v == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	for (size_t o = 0; o < pk->objs_cnt; o++) {
		const struct hp_parts *parts = pk->objs[o].pair->old_obj->parts;

		for (uint32_t i = 0; i < parts->cnt && objects[o].in_module; i++)
			if (is_func(parts, i) && pk->objs[o].places[i].state == HP_FUNC_PROVEN)
				v[n++] = (struct claim){ pk->objs[o].places[i].va, pk->objs[o].places[i].va + parts->v[i].len };
	}
	if (n > 0)
		qsort(v, n, sizeof(*v), cmp_claim);
	for (size_t i = 0; i < n; i++) {
		if (merged > 0 && v[i].va <= v[merged - 1].end) {
			if (v[i].end > v[merged - 1].end)
				v[merged - 1].end = v[i].end;
		} else {
			v[merged++] = v[i];
		}
	}
	*ret = v;
	*ret_cnt = merged;
	return 0;
}

/* Fillers of assemblers and linkers: int3, zero, and the nop sequences, which are recognised by their opcodes. */
static uint64_t
skip_padding(struct hp_view v, uint64_t pos, uint64_t end)
{
	while (pos < end) {
		const uint8_t *p = v.p + pos;
		uint64_t left = end - pos, n = 0;

		if (p[0] == 0xcc || p[0] == 0 || p[0] == 0x90 || p[0] == 0x66 || p[0] == 0x2e)
			n = 1; /* also the prefixes of a long nop */
		else if (left >= 3 && p[0] == 0x0f && p[1] == 0x1f)
			n = p[2] == 0x00 ? 3 : p[2] == 0x40 ? 4 : p[2] == 0x44 ? 5 : p[2] == 0x80 ? 7 : p[2] == 0x84 ? 8 : 0;
		if (n == 0 || n > left)
			return pos;
		pos += n;
	}
	return end;
}

static bool
is_startup(const struct hp_module *mod, uint64_t va, uint64_t len)
{
	static const char *const names[] = { "_start",
		                             "_dl_relocate_static_pie",
		                             "deregister_tm_clones",
		                             "register_tm_clones",
		                             "__do_global_dtors_aux",
		                             "frame_dummy",
		                             "_init",
		                             "_fini" };

	if (len > STARTUP_LEN_MAX)
		return false;
	if (mod->kind != HP_MAN_SHARED && mod->elf->entry >= va && mod->elf->entry < va + len)
		return true;
	for (uint32_t i = 0, first, n = hp_module_at(mod, va, &first); i < n; i++)
		for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++)
			if (strcmp(mod->syms[first + i].name, names[j]) == 0)
				return true;
	/* The first words of .init_array and .fini_array are crtbegin.o's frame_dummy and __do_global_dtors_aux. */
	for (uint32_t i = 1; i < mod->elf->secs_cnt; i++) {
		const struct hp_sec *s = &mod->elf->secs[i];
		const struct hp_mod_slot *slot =
			s->type == SHT_INIT_ARRAY || s->type == SHT_FINI_ARRAY ? hp_module_slot_at(mod, s->addr) : NULL;

		if (slot != NULL && (uint64_t)slot->addend >= va && (uint64_t)slot->addend < va + len)
			return true;
	}
	return false;
}

/* The symbol of the code at ${va}, NULL = none. */
static const struct hp_mod_sym *
symbol_at(const struct hp_module *mod, uint64_t va)
{
	uint32_t first, n = hp_module_at(mod, va, &first);

	for (uint32_t i = 0; i < n; i++)
		if (mod->syms[first + i].type != STT_OBJECT && mod->syms[first + i].type != STT_TLS)
			return &mod->syms[first + i];
	return NULL;
}

/* ${from}..${to} of a section's code is not claimed, and holds at most one symbol, at its start. */
static int
add_piece(const struct hp_module *mod, const struct hp_sec *sec, uint64_t from, uint64_t to, struct hp_prove_report *rep,
          struct hp_err *err)
{
	uint64_t pos = skip_padding(sec->data, from - sec->addr, to - sec->addr), va = sec->addr + pos;
	const struct hp_mod_sym *sym = symbol_at(mod, from);
	struct hp_prove_gap *g = &rep->gaps[rep->gaps_cnt];

	if (va >= to)
		return 0;
	*g = (struct hp_prove_gap){ .va = va, .len = to - va, .startup = is_startup(mod, va, to - va),
		                    .name = hp_arena_strdup(&rep->arena, sym != NULL ? sym->name : ""),
		                    .section = hp_arena_strdup(&rep->arena, sec->name) };
	if (g->name == NULL || g->section == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	rep->gaps_cnt++;
	*(g->startup ? &rep->startup_len : &rep->gaps_len) += to - va;
	return 0;
}

static int
add_gap(const struct hp_module *mod, const struct hp_sec *sec, uint64_t from, uint64_t to, struct hp_prove_report *rep,
        struct hp_err *err)
{
	int r = 0;

	while (from < to && r == 0) {
		const struct hp_mod_sym *sym = symbol_at(mod, from);
		uint64_t next = hp_module_next_func(mod, from);

		next = next < to ? next : to;
		if (sym != NULL && sym->size > 0 && sym->size < next - from)
			next = from + sym->size; /* what follows is padding, or has no name */
		r = add_piece(mod, sec, from, next, rep, err);
		from = next;
	}
	return r;
}

static bool
is_code(const struct hp_sec *sec)
{
	return (sec->flags & SHF_EXECINSTR) != 0 && (sec->flags & SHF_ALLOC) != 0 && sec->data.len > 0 &&
	       strncmp(sec->name, ".plt", 4) != 0 && strcmp(sec->name, ".iplt") != 0 && strcmp(sec->name, ".init") != 0 &&
	       strcmp(sec->name, ".fini") != 0;
}

static int
find_gaps(struct hp_pk *pk, const struct hp_prove_object *objects, struct hp_prove_report *rep, struct hp_err *err)
{
	const struct hp_elf *elf = pk->mod->elf;
	struct claim *v = NULL;
	size_t cnt = 0;
	int r = claims_of(pk, objects, &v, &cnt, err);

	if (r < 0)
		return r;
	rep->gaps = hp_arena_array(&rep->arena, cnt + elf->secs_cnt + 2ull * pk->mod->syms_cnt, sizeof(*rep->gaps));
	if (rep->gaps == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	for (uint32_t s = 1; s < elf->secs_cnt && r == 0; s++) {
		const struct hp_sec *sec = &elf->secs[s];
		uint64_t at = sec->addr, end = sec->addr + sec->data.len;

		if (!is_code(sec))
			continue;
		for (size_t i = 0; i < cnt && r == 0; i++) {
			if (v[i].va < sec->addr || v[i].end > end)
				continue;
			if (v[i].va > at)
				r = add_gap(pk->mod, sec, at, v[i].va, rep, err);
			rep->proven_len += v[i].end - v[i].va;
			at = v[i].end;
		}
		if (r == 0 && at < end)
			r = add_gap(pk->mod, sec, at, end, rep, err);
	}
	return r;
}

static int
must_match(const struct hp_pk *pk, const struct hp_pk_obj *obj, struct hp_err *err)
{
	uint32_t i = hp_first_mismatch(obj);

	return i != HP_NONE ? hp_say_mismatch(pk, obj, i, err) : 0;
}

static int
prove(struct hp_pk *pk, struct hp_prove_object *objects, struct hp_prove_report *ret, struct hp_err *err)
{
	struct hp_prove_report rep = { 0 };
	int r = hp_locate(pk, err);

	if (r == 0)
		r = hp_judge_members(pk, err);
	if (r < 0)
		return r;
	for (size_t o = 0; o < pk->objs_cnt; o++)
		count(&pk->objs[o], &objects[o]);
	drop_doubles(pk, objects);
	r = hp_drop_copies(pk, objects, err);
	for (size_t o = 0; o < pk->objs_cnt && r == 0; o++)
		if (objects[o].must_match && objects[o].in_module)
			r = must_match(pk, &pk->objs[o], err);
	if (ret == NULL || r < 0)
		return r;
	r = find_gaps(pk, objects, &rep, err);
	for (size_t o = 0; o < pk->objs_cnt && r == 0; o++)
		r = list_funcs(&pk->objs[o], &objects[o], &rep.arena, err);
	if (r < 0)
		hp_arena_release(&rep.arena);
	else
		*ret = rep;
	return r;
}

int
hp_prove(struct hp_prove_object *objects, size_t cnt, const struct hp_pack_baseline *base, struct hp_prove_report *ret,
         struct hp_err *err)
{
	struct hp_arena arena = { 0 };
	struct hp_patchset set = { .machine = EM_X86_64,
		                   .pairs = hp_arena_array(&arena, cnt, sizeof(*set.pairs)),
		                   .pairs_cnt = cnt };
	struct hp_pk pk = { .set = &set, .base = base, .lenient = true };
	int r = set.pairs == NULL ? hp_err_set(err, HP_E_NOMEM, "no memory") : 0;

	for (size_t i = 0; i < cnt && r == 0; i++) {
		set.pairs[i] = (struct hp_pair){ .path = objects[i].path, .old_obj = objects[i].obj };
		if (objects[i].obj->elf->machine != EM_X86_64)
			r = hp_err_set(err, HP_E_ARCH, "'%s': ELF machine %u", objects[i].path, objects[i].obj->elf->machine);
	}
	if (r == 0)
		r = hp_pk_start(&pk, err);
	if (r == 0)
		r = prove(&pk, objects, ret, err);
	hp_pk_finish(&pk);
	hp_arena_release(&arena);
	return r;
}

void
hp_prove_release(struct hp_prove_report *report)
{
	hp_arena_release(&report->arena);
}
