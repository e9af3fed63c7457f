/* Where two versions of a function first differ for a reader. The first differing byte is often far before the change: a jump
 * over the changed code is longer, a jump table has other distances, one more variable moves all others to other registers. So
 * both streams of instructions are walked together, each at its own pace: moves between registers and stack are stepped over, the
 * others compared without registers and distances, their references by meaning. The first pair that differs even so is what is
 * shown; when there is none (only registers or jumps differ), the first differing byte. For messages only; what counts as
 * changed is decided in compare.c. */
#include <string.h>

#include "differ/internal.h"
#include "formats/insn_x86.h"

#define NEAR_MAX 16 /* instructions to look ahead for the call */

struct stream {
	struct hp_side *side;
	uint32_t part;
	struct hp_view code;
	uint64_t off;
	uint32_t edge; /* first edge at or behind off */
	struct hp_insn insn;
	uint64_t gist; /* 0 = end, or no valid instruction */
};

/* To the next instruction that matters. */
static void
advance(struct stream *s)
{
	bool glue = true;

	for (s->gist = 0; glue && s->off < s->code.len; s->off += glue ? s->insn.len : 0) {
		s->gist = hp_insn_gist(s->code, s->off, &glue);
		if (s->gist == 0 || !hp_insn_decode(s->code, s->off, &s->insn))
			return;
	}
	if (glue)
		s->gist = 0;
	while (s->edge < s->side->edges_cnt[s->part] && s->side->edges[s->part][s->edge].off < s->off)
		s->edge++;
}

static const struct hp_edge *
edge_at(const struct stream *s, uint32_t i)
{
	const struct hp_edge *e = &s->side->edges[s->part][s->edge + i];

	return s->edge + i < s->side->edges_cnt[s->part] && e->off < s->off + s->insn.len ? e : NULL;
}

/* Is ${imm} the line of this instruction's statement, or of one before the next call? */
static bool
is_own_line(const struct stream *s, uint64_t imm)
{
	struct hp_side *side = s->side;
	const struct hp_part *p = hp_side_part(side, s->part);
	struct hp_insn insn;
	uint64_t off = s->off;

	for (unsigned i = 0; i < NEAR_MAX && hp_insn_decode(s->code, off, &insn); i++, off += insn.len) {
		const char *file;
		uint64_t line;

		if (hp_dwarf_line(side->dw, p->sec_idx, p->off + off, &file, &line, NULL) == 1 && line == imm)
			return true;
		if (insn.call)
			return false;
	}
	return false;
}

/* Both pass their line number on. */
static bool
are_lines(const struct stream *o, const struct stream *n)
{
	return o->insn.imm_len > 0 && o->insn.imm_len == n->insn.imm_len && o->insn.len == n->insn.len &&
	       memcmp(o->code.p + o->off, n->code.p + n->off, o->insn.imm_off) == 0 && hp_side_dwarf(o->side, NULL) == 1 &&
	       hp_side_dwarf(n->side, NULL) == 1 && is_own_line(o, o->insn.imm) && is_own_line(n, n->insn.imm);
}

/* Tables without a name that hold distances or addresses: they differ whenever any code around their targets does. */
static bool
is_table(const struct stream *s, const struct hp_edge *e)
{
	const struct hp_part *p = e->ref.part_idx != HP_NONE ? hp_side_part(s->side, e->ref.part_idx) : NULL;

	return p != NULL && p->kind == HP_PART_ANON && p->rels_cnt > 0;
}

/* A jump within the function. */
static bool
is_inner(const struct stream *s, const struct hp_edge *e)
{
	return e->ref.branch && e->ref.part_idx == s->part;
}

static int
edges_differ(struct hp_cmp *cmp, const struct stream *o, const struct stream *n, struct hp_mismatch *ret, struct hp_err *err)
{
	for (uint32_t i = 0;; i++) {
		const struct hp_edge *a = edge_at(o, i), *b = edge_at(n, i);
		int r;

		if (a == NULL && b == NULL)
			return 0;
		if (a != NULL && b != NULL && ((is_table(o, a) && is_table(n, b)) || (is_inner(o, a) && is_inner(n, b))))
			continue;
		r = a != NULL && b != NULL ? hp_compare_edges(cmp, a, b, err) : 0;
		if (r < 0)
			return r;
		if (r == 1)
			continue;
		*ret = (struct hp_mismatch){ .kind = HP_MIS_EDGE,
			                     .off = n->off,
			                     .old_edge = a != NULL ? o->edge + i : HP_NONE,
			                     .new_edge = b != NULL ? n->edge + i : HP_NONE };
		return 1;
	}
}

int
hp_align_first(struct hp_cmp *cmp, uint32_t old_part, uint32_t new_part, struct hp_mismatch *ret, uint64_t *ret_old,
               struct hp_err *err)
{
	struct stream o = { .side = &cmp->old_side, .part = old_part, .code = hp_part_bytes(cmp->old_side.parts, old_part) };
	struct stream n = { .side = &cmp->new_side, .part = new_part, .code = hp_part_bytes(cmp->new_side.parts, new_part) };
	int r = hp_side_edges(o.side, old_part, err);

	if (r == 0)
		r = hp_side_edges(n.side, new_part, err);
	if (r < 0 || n.side->elf->machine != EM_X86_64)
		return r;
	for (;; o.off += o.insn.len, n.off += n.insn.len) {
		struct hp_mismatch mis = { .kind = HP_MIS_BYTES, .old_edge = HP_NONE, .new_edge = HP_NONE };

		advance(&o);
		advance(&n);
		if (o.gist == 0 || n.gist == 0)
			return 0; /* one is the beginning of the other */
		r = o.gist != n.gist ? !are_lines(&o, &n) : edges_differ(cmp, &o, &n, &mis, err);
		if (r == 0)
			continue;
		if (r == 1) {
			mis.off = n.off;
			*ret = mis;
			*ret_old = o.off;
		}
		return r;
	}
}
