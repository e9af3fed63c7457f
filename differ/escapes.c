/* Does the address of a constant leave direct reads? Then unchanged code may hold the old address.
 *
 * Who can name it is answered by symbols and by the references of all other parts. A function that refers to it may read through
 * the reference at once (`mov table(,%rax,4), %eax`) or, always in position-independent code, put the address in a register
 * first. Such a register is followed: over all paths of the function, from each instruction to all that may come next, until
 * nothing changes any more. As long as it is only an address to read from, moved to other registers, stepped (p++), or compared
 * with another address of the same constant (the end of a loop), nothing has left. Everything else is an escape: a store, also to
 * the stack; an operand of any other instruction; a register that a call may pass or that the function may return. What a call
 * may pass is what the callee's declaration says (DWARF); without one, all six. So is a jump to an address that we do not know.
 *
 * A table of labels (computed gotos) is read to jump: such a jump goes to one of its labels, whatever else is in registers. It
 * must be certain on every path that the place was read from this table, and all indirect jumps of the function must be such.
 *
 * "May hold an address of it" is enough to escape. For comparisons it must be one on every path, because comparing an unknown
 * pointer with it tells whether that one is the old address. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "differ/internal.h"
#include "formats/insn_x86.h"

#define CALL_ARGS 0x07c7u  /* rax (variadic), rcx, rdx, rsi, rdi, r8, r9, r10 (nested functions): all that a call may pass */
#define CALLEE_SAVED 0xf028u /* rbx, rbp, r12 to r15 */
#define RESULTS 0x0005u    /* rax, rdx */

/* Registers that hold an address of the constant; bit n = register n. */
struct taint {
	uint16_t may, must;
	uint16_t label; /* hold what was read from a table of labels, on every path */
};

struct walk {
	struct hp_side *side;
	uint32_t func, target; /* parts */
	struct hp_view code;
	struct taint *at;      /* [code.len] before the instruction there */
	uint8_t *state;        /* [code.len] enum */
	uint32_t *todo;        /* stack of offsets */
	uint32_t todo_cnt;
	bool labels;           /* the constant is a table of labels of this function, and nothing else: computed gotos */
	bool exact;            /* all paths are known */
	bool lands;            /* exceptions may land in it */
	bool escapes;
};
enum { SEEN = 1, QUEUED = 2 };

/* An instruction, and where it refers to the constant. */
struct step {
	uint64_t off;
	struct hp_insn insn;
	struct hp_insn_flow flow;
	bool in_memory, in_imm;
	const struct hp_edge *branch; /* reference of its branch operand, NULL = none */
};

/* Another object can name it. */
static bool
is_visible(const struct hp_side *side, uint32_t part)
{
	const struct hp_part *p = hp_side_part(side, part);

	for (uint32_t k = 0; k < p->syms_cnt; k++)
		if (side->elf->syms[side->parts->part_syms[p->syms_first + k]].bind != STB_LOCAL)
			return true;
	return false;
}

static void
reach(struct walk *w, uint64_t off, struct taint t)
{
	struct taint *at;

	if (off >= w->code.len) {
		w->escapes |= t.may != 0; /* falls out of the function */
		return;
	}
	at = &w->at[off];
	if (w->state[off] & SEEN) {
		t.may |= at->may;
		t.must &= at->must;
		t.label &= at->label;
		if (t.may == at->may && t.must == at->must && t.label == at->label)
			return;
	}
	*at = t;
	w->state[off] |= SEEN;
	if ((w->state[off] & QUEUED) == 0)
		w->todo[w->todo_cnt++] = (uint32_t)off;
	w->state[off] |= QUEUED;
}

static bool
fetch(struct walk *w, uint64_t off, struct step *s)
{
	const struct hp_side *side = w->side;
	uint32_t lo = 0, hi = side->edges_cnt[w->func];

	*s = (struct step){ .off = off };
	if (!hp_insn_decode(w->code, off, &s->insn) || !hp_insn_flow(w->code, off, &s->flow))
		return false;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (side->edges[w->func][mid].off < off)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < side->edges_cnt[w->func] && side->edges[w->func][lo].off < off + s->insn.len; lo++) {
		const struct hp_edge *e = &side->edges[w->func][lo];
		uint64_t field = e->off - off;

		if (s->insn.rel_len > 0 && field == s->insn.rel_off)
			s->branch = e;
		if (e->ref.part_idx != w->target)
			continue;
		if (s->insn.disp_len == 4 && field == s->insn.disp_off && !e->ref.got)
			s->in_memory = true;
		else if (s->insn.imm_len >= 4 && field == s->insn.imm_off)
			s->in_imm = true;
		else
			w->escapes = true;
	}
	return true;
}

static uint16_t
first_args(unsigned cnt)
{
	static const uint8_t order[] = { 7, 6, 2, 1, 8, 9 };
	uint16_t regs = 0;

	for (unsigned i = 0; i < cnt && i < sizeof(order); i++)
		regs |= (uint16_t)(1u << order[i]);
	return regs;
}

static bool
is_local(const struct hp_side *side, const struct hp_edge *e)
{
	return e->ref.part_idx != HP_NONE || side->elf->syms_cnt == 0 ||
	       side->elf->syms[e->ref.sym_idx].bind == STB_LOCAL;
}

/* What a call or a jump to ${e} may pass. Compilers change how functions of their own file are called. */
static uint16_t
passed(struct walk *w, const struct hp_edge *e)
{
	struct hp_dwarf_regs regs;

	if (e == NULL || is_local(w->side, e) || hp_side_dwarf(w->side, NULL) <= 0 ||
	    hp_dwarf_regs(w->side->dw, w->side->elf->syms[e->ref.sym_idx].name, &regs, NULL) <= 0)
		return CALL_ARGS;
	return first_args(regs.args);
}

static uint16_t
returned(struct walk *w)
{
	const char *name = hp_part_name(w->side->parts, w->func);
	char *plain = hp_arena_strndup(&w->side->cmp->arena, name, hp_name_base_len(name));
	struct hp_dwarf_regs regs;

	if (plain == NULL || hp_side_dwarf(w->side, NULL) <= 0 || hp_dwarf_regs(w->side->dw, plain, &regs, NULL) <= 0)
		return RESULTS;
	return regs.rets == 0 ? 0 : regs.rets == 1 ? 1 : RESULTS;
}

static void
walk_call(struct walk *w, const struct step *s, struct taint t)
{
	if ((t.may & s->flow.read) != 0 || (t.may != 0 && (t.may & passed(w, s->branch)) != 0)) {
		w->escapes = true;
		return;
	}
	/* A function of this file may leave registers alone that others clobber (gcc -fipa-ra). */
	if (s->branch == NULL || !is_local(w->side, s->branch))
		t.may &= CALLEE_SAVED;
	t.must &= t.may & CALLEE_SAVED;
	t.label &= CALLEE_SAVED;
	w->escapes |= w->lands && t.may != 0;
	if (s->off + s->insn.len < w->code.len) /* else it does not return */
		reach(w, s->off + s->insn.len, t);
}

/* The memory operand is an entry of the table of labels. */
static bool
reads_label(const struct walk *w, const struct step *s, struct taint t)
{
	uint16_t base = t.may & s->flow.addr;

	if (!w->labels || s->flow.stores)
		return false;
	return s->in_memory ? base == 0 : base != 0 && (base & (base - 1)) == 0 && (t.must & base) == base;
}

static void
walk_indirect(struct walk *w, const struct step *s, struct taint t)
{
	const struct hp_edge *entries = w->side->edges[w->target];
	bool from_register = s->flow.addr == 0 && s->flow.read != 0 && (s->flow.read & ~t.label) == 0;

	if (!w->labels) {
		w->escapes |= t.may != 0;
	} else if (!from_register && !reads_label(w, s, t)) {
		w->escapes = true;
	} else {
		for (uint32_t i = 0; i < w->side->edges_cnt[w->target]; i++)
			reach(w, (uint64_t)entries[i].ref.off, t);
	}
}

static void
walk_branch(struct walk *w, const struct step *s, struct taint t)
{
	uint64_t to = s->off + s->insn.len + (uint64_t)s->insn.rel;
	const struct hp_edge *e = s->branch;
	size_t len;

	if (s->insn.rel_len == 0) {
		walk_indirect(w, s, t);
		return;
	}
	if (e != NULL && e->ref.part_idx == w->func && e->ref.off >= 0)
		reach(w, (uint64_t)e->ref.off, t);
	else if (e == NULL && to < w->code.len)
		reach(w, to, t);
	else if (e == NULL || e->ref.off != 0 ||
	         (e->ref.part_idx != HP_NONE && hp_name_is_piece(hp_part_name(w->side->parts, e->ref.part_idx), &len)))
		w->escapes |= t.may != 0;
	else
		w->escapes |= t.may != 0 && (t.may & (passed(w, e) | CALLEE_SAVED)) != 0;
	if (s->insn.cond)
		reach(w, s->off + s->insn.len, t);
}

static bool
compares(const struct walk *w, const struct step *s, uint16_t dst, uint16_t src, struct taint t)
{
	bool dst_may = (t.may & dst) != 0, src_may = (t.may & src) != 0 || s->in_imm;

	if (!dst_may && !src_may)
		return true;
	return w->exact && (t.must & dst) != 0 && (s->in_imm || (t.must & src) != 0);
}

/* ${dst} takes ${from}. */
static void
give(struct taint *t, uint16_t dst, struct taint from)
{
	t->may = (uint16_t)((t->may & ~dst) | (from.may != 0 ? dst : 0));
	t->must = (uint16_t)((t->must & ~dst) | (from.must != 0 ? dst : 0));
}

static bool
computes(const struct walk *w, const struct step *s, struct taint *t)
{
	const struct hp_insn_flow *f = &s->flow;
	uint16_t dst = f->dst < 0 ? 0 : (uint16_t)(1u << f->dst), src = f->src < 0 ? 0 : (uint16_t)(1u << f->src);
	struct taint from = { .may = s->in_imm ? 1 : t->may & src, .must = s->in_imm ? 1 : t->must & src };
	struct taint mine = { .may = t->may & dst, .must = t->must & dst };

	switch (f->move) {
	case HP_FLOW_LEA:
		from = (struct taint){ .may = s->in_memory ? 1 : t->may & f->addr, .must = s->in_memory ? 1 : t->must & f->addr };
		give(t, dst, from);
		return true;
	case HP_FLOW_COPY:
		give(t, dst, from);
		return true;
	case HP_FLOW_CHOOSE:
		give(t, dst, (struct taint){ .may = from.may | mine.may, .must = from.must != 0 && mine.must != 0 });
		return true;
	case HP_FLOW_ADD:
		give(t, dst, (struct taint){ .may = from.may | mine.may, .must = from.must | mine.must });
		return from.may == 0 || mine.may == 0;
	case HP_FLOW_SUB:
		if (from.may == 0)
			return true;
		give(t, dst, (struct taint){ .may = 0 }); /* a distance */
		return w->exact && from.must != 0 && mine.must != 0;
	case HP_FLOW_COMPARE:
		return compares(w, s, dst, src, *t);
	case HP_FLOW_OTHER:
		break;
	}
	t->may &= (uint16_t)~f->replaced;
	t->must &= (uint16_t)~f->touched;
	return !s->in_imm;
}

/* Registers that hold a label when the instruction is done. */
static uint16_t
labels_after(const struct walk *w, const struct step *s, struct taint t)
{
	const struct hp_insn_flow *f = &s->flow;
	bool takes = f->move == HP_FLOW_COPY && f->dst >= 0 &&
	             (f->src < 0 ? reads_label(w, s, t) : (t.label & 1u << f->src) != 0);

	return (uint16_t)((t.label & ~f->touched) | (takes ? 1u << f->dst : 0));
}

static void
walk_one(struct walk *w, uint64_t off)
{
	struct taint t = w->at[off];
	struct step s;

	if (!fetch(w, off, &s)) {
		w->escapes |= t.may != 0;
		return;
	}
	/* The only stores that may be near are those of other values to other places. */
	if ((t.may & s.flow.addr_stored) != 0 || (s.in_memory && s.flow.stores)) {
		w->escapes = true;
	} else if (s.insn.call) {
		walk_call(w, &s, t);
	} else if (s.insn.ret) {
		w->escapes |= t.may != 0 && (t.may & (returned(w) | CALLEE_SAVED)) != 0;
	} else if (s.insn.branch) {
		walk_branch(w, &s, t);
	} else {
		uint16_t label = labels_after(w, &s, t);

		if ((t.may & s.flow.read) != 0 || !computes(w, &s, &t)) {
			w->escapes = true;
			return;
		}
		t.label = label;
		reach(w, off + s.insn.len, t);
	}
}

/* What is needed to know before: jumps to unknown places, and exceptions. Then walk from the entry, and from references that no
 * known path leads to. */
static void
walk_all(struct walk *w)
{
	struct step s;

	for (uint64_t off = 0; off < w->code.len; off += s.insn.len) {
		if (!fetch(w, off, &s))
			s.insn.len = 1;
		else if (s.insn.branch && !s.insn.call && s.insn.rel_len == 0)
			w->exact = false;
	}
	w->exact &= !w->lands;
	reach(w, 0, (struct taint){ .may = 0 });
	for (uint64_t off = 0; off < w->code.len && !w->escapes; off += s.insn.len) {
		if (!fetch(w, off, &s))
			s.insn.len = 1;
		else if ((s.in_memory || s.in_imm) && (w->state[off] & SEEN) == 0)
			reach(w, off, (struct taint){ .may = 0 });
		while (w->todo_cnt > 0 && !w->escapes) {
			uint32_t next = w->todo[--w->todo_cnt];

			w->state[next] &= (uint8_t)~QUEUED;
			walk_one(w, next);
		}
	}
}

/* Each word of the table is the address of a place inside ${func}. */
static bool
is_label_table(const struct hp_side *side, uint32_t func, uint32_t table)
{
	const struct hp_part *p = hp_side_part(side, table);

	for (uint32_t i = 0; i < side->edges_cnt[table]; i++) {
		const struct hp_edge *e = &side->edges[table][i];

		if (e->type != R_X86_64_64 || e->off != 8u * i || e->ref.part_idx != func || e->ref.off <= 0)
			return false;
	}
	return side->edges_cnt[table] > 0 && p->len == 8u * side->edges_cnt[table];
}

/* The address of ${target} leaves function ${func}. */
static int
leaves(struct hp_side *side, uint32_t func, uint32_t target, struct hp_err *err)
{
	struct hp_view code = hp_part_bytes(side->parts, func);
	HP_AUTO(hp_mem) struct taint *at = calloc(code.len + 1, sizeof(*at));
	HP_AUTO(hp_mem) uint8_t *state = calloc(code.len + 1, sizeof(*state));
	HP_AUTO(hp_mem) uint32_t *todo = calloc(code.len + 1, sizeof(*todo));
	struct walk w = { .side = side, .func = func, .target = target, .code = code, .at = at, .state = state, .todo = todo };
	int r;

	if (at == NULL || state == NULL || todo == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory to follow '%s'", hp_esc(hp_part_name(side->parts, func)));
	if (code.len == 0 || code.len > UINT32_MAX)
		return 1;
	w.exact = true;
	w.lands = side->lsda_rel != NULL && side->lsda_rel[func] != HP_NONE;
	r = hp_side_edges(side, target, err);
	if (r < 0)
		return r;
	w.labels = !w.lands && is_label_table(side, func, target);
	walk_all(&w);
	if (w.escapes && w.labels) {
		/* Without optimisation no register need hold the table at a jump. */
		memset(state, 0, code.len);
		w.todo_cnt = 0;
		w.escapes = w.labels = false;
		walk_all(&w);
	}
	return w.escapes;
}

int
hp_verdict_escapes(struct hp_side *side, uint32_t part, struct hp_err *err)
{
	if (is_visible(side, part) || side->elf->machine != EM_X86_64)
		return 1;
	for (uint32_t i = 0; i < side->parts->cnt; i++) {
		bool refers = false;
		int r;

		if (side->ident[i] == HP_IDENT_WHOLE || i == part)
			continue;
		r = hp_side_edges(side, i, err);
		if (r < 0)
			return r;
		for (uint32_t k = 0; k < side->edges_cnt[i] && !refers; k++)
			refers = side->edges[i][k].ref.part_idx == part;
		if (!refers)
			continue;
		r = hp_part_is_func(hp_side_part(side, i)) ? leaves(side, i, part, err) : 1;
		if (r != 0)
			return r;
	}
	return 0;
}
