/* Jumps of two lengths. Without -ffunction-sections the assembler resolves jumps between functions of one section, and within
 * a function always; a target that is near gets a jump of 2 bytes, a far one 5 or 6. When another function grows, a jump over it
 * gets longer, what follows in its own function moves, and nops that align loops become more or fewer. That is no change.
 *
 * Two steps. The shape: both versions are walked instruction by instruction; the same opcodes and registers, or jumps of the
 * two lengths with the same condition; nops may be more or fewer where what follows is aligned on both sides. That gives the
 * shift of each place. Then the meaning: each operand must be equal, references as in compare.c, and places in the function,
 * those of jumps and those of jump tables, must be the same place according to the shift. Exception tables hold distances
 * without references, so they differ when anything moves: such a function stays changed. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "differ/internal.h"
#include "formats/insn_x86.h"

#define ALIGN_MIN 8 /* compilers align loops and labels to at least that (gcc: .p2align 4,,10; .p2align 3) */

/* From these offsets on, up to the next one. */
struct shift {
	uint64_t old_off, new_off;
};

struct hp_relax {
	struct shift *v; /* sorted; [0] is 0, 0 */
	uint32_t cnt;    /* 0: all lengths are the same, or there is no common shape */
	uint32_t cap;
};

/* The same place of both versions, and the instructions there. */
struct walk {
	struct hp_view old_code, new_code;
	uint64_t old_base, new_base; /* section offsets, for alignment */
	uint64_t o, n;
	struct hp_insn a, b;
	bool uneven; /* a jump of two lengths was seen, or other padding */
};

static int
no_memory(const struct hp_cmp *cmp, struct hp_err *err)
{
	return hp_err_set(err, HP_E_NOMEM, "no memory to compare jumps of '%s'", hp_esc(cmp->pair->path));
}

static bool
is_pad(struct hp_view code, uint64_t off, struct hp_insn *insn)
{
	return hp_insn_decode(code, off, insn) && insn->nop && code.p[off] != 0xcc;
}

/* Step over nops. Unequal runs of them only align what follows. */
static bool
skip_padding(struct walk *w)
{
	uint64_t o = w->o, n = w->n;

	while (is_pad(w->old_code, o, &w->a))
		o += w->a.len;
	while (is_pad(w->new_code, n, &w->b))
		n += w->b.len;
	if (o - w->o == n - w->n) {
		if (o > w->o && memcmp(w->old_code.p + w->o, w->new_code.p + w->n, (size_t)(o - w->o)) != 0)
			return false;
	} else if ((w->old_base + o) % ALIGN_MIN != 0 || (w->new_base + n) % ALIGN_MIN != 0) {
		return false;
	}
	w->uneven |= o - w->o != n - w->n;
	w->o = o;
	w->n = n;
	return true;
}

/* A jump or conditional jump as 16 bits: its prefixes' length and what it does, 0 = something else. */
static unsigned
jump_kind(const uint8_t *p, const struct hp_insn *insn)
{
	unsigned at = insn->rel_len == 1 ? insn->rel_off - 1u : 0;

	if (insn->call || insn->rel_len == 0)
		return 0;
	if (insn->rel_len == 1)
		return p[at] == 0xeb ? at << 8 | 0xe9 : (p[at] & 0xf0) == 0x70 ? at << 8 | (p[at] + 0x10u) : 0;
	if (insn->rel_len != 4)
		return 0;
	if (p[insn->rel_off - 1] == 0xe9)
		return (insn->rel_off - 1u) << 8 | 0xe9;
	if (insn->rel_off >= 2 && p[insn->rel_off - 2] == 0x0f && (p[insn->rel_off - 1] & 0xf0) == 0x80)
		return (insn->rel_off - 2u) << 8 | p[insn->rel_off - 1];
	return 0;
}

static bool
in_operand(const struct hp_insn *insn, uint8_t i)
{
	return (insn->rel_len > 0 && i >= insn->rel_off && i < insn->rel_off + insn->rel_len) ||
	       (insn->disp_len > 0 && i >= insn->disp_off && i < insn->disp_off + insn->disp_len) ||
	       (insn->imm_len > 0 && i >= insn->imm_off && i < insn->imm_off + insn->imm_len);
}

/* Both instructions have one shape. */
static bool
same_shape(const struct walk *w)
{
	const uint8_t *o = w->old_code.p + w->o, *n = w->new_code.p + w->n;
	const struct hp_insn *a = &w->a, *b = &w->b;
	unsigned kind = jump_kind(o, a);

	if (kind != 0 && kind == jump_kind(n, b))
		return memcmp(o, n, kind >> 8) == 0;
	if (a->len != b->len || a->rel_off != b->rel_off || a->rel_len != b->rel_len || a->disp_off != b->disp_off ||
	    a->disp_len != b->disp_len || a->imm_off != b->imm_off || a->imm_len != b->imm_len)
		return false;
	for (uint8_t i = 0; i < a->len; i++)
		if (o[i] != n[i] && !in_operand(a, i))
			return false;
	return true;
}

/* To the next pair of instructions: 1 there, 0 both ended together, -1 no common shape. */
static int
next_pair(struct walk *w)
{
	if (!skip_padding(w))
		return -1;
	if (w->o == w->old_code.len || w->n == w->new_code.len)
		return w->o == w->old_code.len && w->n == w->new_code.len ? 0 : -1;
	if (!hp_insn_decode(w->old_code, w->o, &w->a) || !hp_insn_decode(w->new_code, w->n, &w->b) || !same_shape(w))
		return -1;
	return 1;
}

static struct walk
start(const struct hp_cmp *cmp, uint32_t old_part, uint32_t new_part)
{
	return (struct walk){ .old_code = hp_part_bytes(cmp->old_side.parts, old_part),
		              .new_code = hp_part_bytes(cmp->new_side.parts, new_part),
		              .old_base = hp_side_part(&cmp->old_side, old_part)->off,
		              .new_base = hp_side_part(&cmp->new_side, new_part)->off };
}

static int
add_shift(struct hp_cmp *cmp, struct hp_relax *map, uint64_t o, uint64_t n, struct hp_err *err)
{
	if (map->cnt > 0 && o - map->v[map->cnt - 1].old_off == n - map->v[map->cnt - 1].new_off)
		return 0;
	if (map->cnt == map->cap) {
		uint32_t cap = map->cap ? map->cap * 2 : 8;
		struct shift *v = hp_arena_array(&cmp->arena, cap, sizeof(*v));

		if (v == NULL)
			return no_memory(cmp, err);
		if (map->cnt > 0)
			memcpy(v, map->v, map->cnt * sizeof(*v));
		map->v = v;
		map->cap = cap;
	}
	map->v[map->cnt++] = (struct shift){ o, n };
	return 0;
}

/* May the assembler have chosen? Only among several functions of one section. */
static bool
is_candidate(const struct hp_cmp *cmp, uint32_t old_part, uint32_t new_part)
{
	const struct hp_side *os = &cmp->old_side, *ns = &cmp->new_side;
	uint32_t o = hp_side_part(os, old_part)->sec_idx, n = hp_side_part(ns, new_part)->sec_idx;

	return ns->elf->machine == EM_X86_64 && hp_part_is_func(hp_side_part(os, old_part)) &&
	       hp_part_is_func(hp_side_part(ns, new_part)) && os->parts->sec_first[o + 1] - os->parts->sec_first[o] > 1 &&
	       ns->parts->sec_first[n + 1] - ns->parts->sec_first[n] > 1;
}

/* The shape of two versions; computed once for twins. */
static int
shape(struct hp_cmp *cmp, uint32_t old_part, uint32_t new_part, const struct hp_relax **ret, struct hp_err *err)
{
	bool twins = cmp->new_side.twin[new_part] == old_part; /* else one of the joined, see hp_pair_is_joined() */
	struct walk w = start(cmp, old_part, new_part);
	struct hp_relax *map;
	int r, found;

	if (cmp->relax == NULL)
		cmp->relax = hp_arena_array(&cmp->arena, cmp->new_side.parts->cnt, sizeof(*cmp->relax));
	if (cmp->relax == NULL)
		return no_memory(cmp, err);
	*ret = twins ? cmp->relax[new_part] : NULL;
	if (*ret != NULL)
		return 0;
	map = hp_arena_alloc(&cmp->arena, sizeof(*map));
	if (map == NULL)
		return no_memory(cmp, err);
	*ret = map;
	if (twins)
		cmp->relax[new_part] = map;
	if (!is_candidate(cmp, old_part, new_part) || hp_view_eq(w.old_code, w.new_code))
		return 0;
	r = add_shift(cmp, map, 0, 0, err);
	if (r < 0)
		return r;
	while ((found = next_pair(&w)) == 1) {
		r = add_shift(cmp, map, w.o, w.n, err);
		if (r < 0)
			return r;
		w.uneven |= w.a.len != w.b.len;
		w.o += w.a.len;
		w.n += w.b.len;
	}
	if (found == 0)
		r = add_shift(cmp, map, w.o, w.n, err);
	if (found < 0 || !w.uneven)
		map->cnt = 0;
	return r;
}

static bool
same_place(const struct hp_relax *map, uint64_t old_off, uint64_t new_off)
{
	uint32_t lo = 0, hi = map->cnt;

	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (map->v[mid].old_off <= old_off)
			lo = mid;
		else
			hi = mid;
	}
	return old_off - map->v[lo].old_off == new_off - map->v[lo].new_off;
}

int
hp_relax_same_place(struct hp_cmp *cmp, uint32_t old_part, uint32_t new_part, int64_t old_off, int64_t new_off,
                    struct hp_err *err)
{
	const struct hp_relax *map;
	int r;

	if (old_off <= 0 || new_off <= 0 || !hp_part_is_func(hp_side_part(&cmp->new_side, new_part)))
		return old_off == new_off;
	r = shape(cmp, old_part, new_part, &map, err);
	if (r < 0)
		return r;
	return map->cnt == 0 ? old_off == new_off : same_place(map, (uint64_t)old_off, (uint64_t)new_off);
}

/* The edges of one side in order. */
struct cursor {
	const struct hp_side *side;
	uint32_t part, at;
};

static const struct hp_edge *
edge_within(struct cursor *c, uint64_t from, uint64_t to)
{
	while (c->at < c->side->edges_cnt[c->part] && c->side->edges[c->part][c->at].off < from)
		c->at++;
	if (c->at == c->side->edges_cnt[c->part] || c->side->edges[c->part][c->at].off >= to)
		return NULL;
	return &c->side->edges[c->part][c->at++];
}

/* The operand of a reference is compared as such: by the edge, or as a place in this function. */
static int
same_operands(struct hp_cmp *cmp, const struct hp_relax *map, const struct walk *w, struct cursor *oc, struct cursor *nc,
              struct hp_err *err)
{
	const uint8_t *o = w->old_code.p + w->o, *n = w->new_code.p + w->n;
	bool relative = w->a.rel_len > 0 || w->a.rip_rel, seen = false;
	uint8_t o_at = w->a.rel_len > 0 ? w->a.rel_off : w->a.disp_off, n_at = w->b.rel_len > 0 ? w->b.rel_off : w->b.disp_off;
	uint8_t len = w->a.rel_len > 0 ? w->a.rel_len : w->a.disp_len;
	struct hp_insn skip = { .len = 0 };

	for (;;) {
		const struct hp_edge *x = edge_within(oc, w->o, w->o + w->a.len), *y = edge_within(nc, w->n, w->n + w->b.len);
		bool own = relative && x != NULL && y != NULL && x->off == w->o + o_at && y->off == w->n + n_at;
		int r;

		if (x == NULL && y == NULL)
			break;
		if (x == NULL || y == NULL || (!own && (x->off - w->o != y->off - w->n || w->a.len != w->b.len)))
			return 0;
		r = hp_compare_edges(cmp, x, y, err);
		if (r != 1)
			return r;
		seen |= own;
		if (x->off - w->o == w->a.imm_off) {
			skip.imm_off = w->a.imm_off;
			skip.imm_len = w->a.imm_len;
		} else if (x->off - w->o == w->a.disp_off) {
			skip.disp_off = w->a.disp_off;
			skip.disp_len = w->a.disp_len;
		}
	}
	if (relative && !seen) {
		uint64_t old_to = w->o + w->a.len + (uint64_t)(w->a.rel_len > 0 ? w->a.rel : w->a.disp);
		uint64_t new_to = w->n + w->b.len + (uint64_t)(w->b.rel_len > 0 ? w->b.rel : w->b.disp);

		if (old_to > w->old_code.len || new_to > w->new_code.len || !same_place(map, old_to, new_to))
			return 0;
	}
	if (w->a.len != w->b.len)
		return 1; /* a jump of two lengths has nothing else */
	for (uint8_t i = 0; i < w->a.len; i++)
		if (o[i] != n[i] && !in_operand(&skip, i) && !(relative && i >= o_at && i < o_at + len))
			return 0;
	return 1;
}

static int
same_meaning(struct hp_cmp *cmp, const struct hp_relax *map, uint32_t old_part, uint32_t new_part, struct hp_err *err)
{
	struct cursor oc = { &cmp->old_side, old_part, 0 }, nc = { &cmp->new_side, new_part, 0 };
	struct walk w = start(cmp, old_part, new_part);
	int found, r;

	while ((found = next_pair(&w)) == 1) {
		r = same_operands(cmp, map, &w, &oc, &nc, err);
		if (r != 1)
			return r;
		w.o += w.a.len;
		w.n += w.b.len;
	}
	/* What is left, besides nothing, is the exception table. */
	return found == 0 && edge_within(&oc, w.o, UINT64_MAX) == NULL && edge_within(&nc, w.n, UINT64_MAX) == NULL;
}

int
hp_relax_equal(struct hp_cmp *cmp, uint32_t old_part, uint32_t new_part, struct hp_err *err)
{
	const struct hp_relax *map;
	int r = shape(cmp, old_part, new_part, &map, err);

	if (r == 0)
		r = hp_side_edges(&cmp->old_side, old_part, err);
	if (r == 0)
		r = hp_side_edges(&cmp->new_side, new_part, err);
	if (r < 0 || map->cnt == 0)
		return r;
	return same_meaning(cmp, map, old_part, new_part, err);
}
