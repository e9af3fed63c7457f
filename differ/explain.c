/* Where and why a function differs, for people; and which of the changed ones are noise. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "differ/internal.h"
#include "formats/insn_x86.h"

#define TEXT_MAX 200

struct text {
	char s[TEXT_MAX];
};

static struct text
piece_text(const struct hp_side *side, const struct hp_ref *ref)
{
	const struct hp_sec *sec = &side->elf->secs[hp_side_part(side, ref->part_idx)->sec_idx];
	struct text t = { "anonymous data" };
	struct hp_view v;
	uint64_t start;
	size_t n = 0;

	if (ref->off < 0 || !hp_merge_piece(side->parts, ref->part_idx, (uint64_t)ref->off, &start, &v))
		return t;
	if ((sec->flags & SHF_STRINGS) && sec->entsize == 1) {
		struct hp_escaped e = hp_escape_strn((const char *)v.p, v.len - 1 > 48 ? 48 : v.len - 1);

		(void)snprintf(t.s, sizeof(t.s), "\"%.150s%s\"", e.text, v.len - 1 > 48 ? "..." : "");
		return t;
	}
	for (size_t i = 0; i < v.len && i < 32 && n < sizeof(t.s); i++)
		n += (size_t)snprintf(t.s + n, sizeof(t.s) - n, "%s%02x", i == 0 ? "constant " : "", v.p[i]);
	return t;
}

static struct text
target_text(const struct hp_side *side, const struct hp_edge *e)
{
	struct text t = { "" };
	const char *name;

	if (e->ref.part_idx != HP_NONE && hp_side_part(side, e->ref.part_idx)->kind == HP_PART_MERGE)
		return piece_text(side, &e->ref);
	if (e->ref.part_idx == HP_NONE)
		name = side->elf->syms_cnt > 0 ? side->elf->syms[e->ref.sym_idx].name : "";
	else if (hp_side_part(side, e->ref.part_idx)->sym_idx == HP_NONE)
		name = "anonymous data";
	else
		name = hp_part_name(side->parts, e->ref.part_idx);
	if (e->ref.off != 0 && e->ref.part_idx != HP_NONE && hp_side_part(side, e->ref.part_idx)->sym_idx != HP_NONE)
		(void)snprintf(t.s, sizeof(t.s), "%.150s%+lld", hp_esc(name), (long long)e->ref.off);
	else
		(void)snprintf(t.s, sizeof(t.s), "%.180s", hp_esc(name));
	return t;
}

/* Start of the instruction that holds byte ${at} of a part. */
static uint64_t
insn_start(const struct hp_side *side, uint32_t part, uint64_t at)
{
	struct hp_view code = hp_part_bytes(side->parts, part);
	struct hp_insn insn;
	uint64_t off = 0;

	if (side->elf->machine != EM_X86_64)
		return at & ~(uint64_t)3;
	while (off < code.len) {
		uint64_t len = hp_insn_decode(code, off, &insn) ? insn.len : 1;

		if (at < off + len)
			break;
		off += len;
	}
	return off;
}

static const char *
bytes_text(struct hp_cmp *cmp, uint32_t old_part, uint32_t new_part, uint64_t at)
{
	struct hp_arena *arena = &cmp->new_side.elf->arena;
	struct hp_view o = hp_part_bytes(cmp->old_side.parts, old_part), n = hp_part_bytes(cmp->new_side.parts, new_part);
	char was[120], is[120];
	struct hp_insn a, b;

	if (cmp->new_side.elf->machine != EM_X86_64)
		return hp_arena_printf(arena, "instruction at +0x%llx differs", (unsigned long long)at);
	if (hp_insn_decode(o, at, &a) && hp_insn_decode(n, at, &b) && a.len == b.len && a.imm_len > 0 && a.imm_len == b.imm_len &&
	    a.imm_off == b.imm_off && a.imm != b.imm && memcmp(o.p + at, n.p + at, a.imm_off) == 0)
		return hp_arena_printf(arena, "immediate 0x%llx became 0x%llx", (unsigned long long)a.imm,
		                       (unsigned long long)b.imm);
	hp_insn_text(o, at, at, was, sizeof(was));
	hp_insn_text(n, at, at, is, sizeof(is));
	return hp_arena_printf(arena, "instruction at +0x%llx: '%s' became '%s'", (unsigned long long)at, was, is);
}

static const char *
edge_text(struct hp_cmp *cmp, uint32_t old_part, uint32_t new_part, const struct hp_mismatch *mis)
{
	struct hp_arena *arena = &cmp->new_side.elf->arena;
	const struct hp_edge *o, *n;
	struct text was, is;

	if (mis->old_edge == HP_NONE || mis->new_edge == HP_NONE)
		return bytes_text(cmp, old_part, new_part, insn_start(&cmp->new_side, new_part, mis->off));
	o = &cmp->old_side.edges[old_part][mis->old_edge];
	n = &cmp->new_side.edges[new_part][mis->new_edge];
	if (o->type == HP_EDGE_LSDA)
		return "its exception table changed";
	was = target_text(&cmp->old_side, o);
	is = target_text(&cmp->new_side, n);
	if (strcmp(was.s, is.s) == 0 && n->ref.part_idx != HP_NONE && cmp->new_side.ident[n->ref.part_idx] == HP_IDENT_CONTENT)
		return hp_arena_printf(arena, "%s that it reads changed%s",
		                       strcmp(is.s, "anonymous data") == 0 ? "a jump table or constant" : is.s, "");
	if (was.s[0] == '"' && is.s[0] == '"')
		return hp_arena_printf(arena, "string %s became %s", was.s, is.s);
	if (strncmp(was.s, "constant ", 9) == 0 && strncmp(is.s, "constant ", 9) == 0)
		return hp_arena_printf(arena, "%s became %s", was.s, is.s + 9);
	if (o->ref.call && n->ref.call)
		return hp_arena_printf(arena, "calls %s where it called %s", is.s, was.s);
	if (o->ref.branch && n->ref.branch)
		return hp_arena_printf(arena, "jumps to %s where it jumped to %s", is.s, was.s);
	return hp_arena_printf(arena, "refers to %s where it referred to %s", is.s, was.s);
}

static const char *
mismatch_text(struct hp_cmp *cmp, uint32_t old_part, uint32_t new_part, const struct hp_mismatch *mis, uint64_t at)
{
	struct hp_arena *arena = &cmp->new_side.elf->arena;

	switch (mis->kind) {
	case HP_MIS_EDGE:
		return edge_text(cmp, old_part, new_part, mis);
	case HP_MIS_BYTES:
		return bytes_text(cmp, old_part, new_part, at);
	case HP_MIS_LEN:
		return hp_arena_printf(arena, "%llu bytes became %llu",
		                       (unsigned long long)hp_side_part(&cmp->old_side, old_part)->len,
		                       (unsigned long long)hp_side_part(&cmp->new_side, new_part)->len);
	case HP_MIS_KIND:
	case HP_MIS_NONE:
		break;
	}
	return "another kind of section";
}

static int
explain_changed(struct hp_cmp *cmp, uint32_t part, struct hp_err *err)
{
	struct hp_first_diff *diff = &cmp->pair->diff[part];
	uint32_t old_part = cmp->new_side.twin[part];
	struct hp_mismatch mis = { .kind = HP_MIS_NONE };
	uint64_t at;
	int r;

	if (cmp->table[part] != HP_NONE) {
		diff->why = hp_arena_printf(&cmp->new_side.elf->arena, "reads constant '%s', which changed",
		                            hp_esc(hp_part_name(cmp->new_side.parts, cmp->table[part])));
		diff->source = hp_side_line(&cmp->new_side, part, 0);
		return diff->why != NULL ? 0 : hp_err_set(err, HP_E_NOMEM, "no memory to explain a difference");
	}
	r = hp_compare_parts(cmp, old_part, part, &mis, err);
	if (r < 0)
		return r;
	at = insn_start(&cmp->new_side, part, mis.off);
	diff->why = mismatch_text(cmp, old_part, part, &mis, at);
	diff->source = hp_side_line(&cmp->new_side, part, at);
	r = hp_noise_check(cmp, old_part, part, err);
	if (r == 1) {
		cmp->new_side.change[part] = cmp->old_side.change[old_part] = HP_NOISE;
		diff->why =
			hp_arena_printf(&cmp->new_side.elf->arena, "only line numbers: %s", diff->why != NULL ? diff->why : "");
	}
	if (diff->why == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory to explain a difference");
	return r < 0 ? r : 0;
}

/* A piece is a part of its parent: f.cold changed, so f changed, and it is f's entry that will be redirected. */
static int
spread_pieces(struct hp_cmp *cmp, struct hp_err *err)
{
	HP_AUTO(hp_map) struct hp_map names = { 0 };
	struct hp_side *side = &cmp->new_side;
	int r = hp_side_functions(side, &names, err);

	for (uint32_t i = 0; i < side->parts->cnt && r == 0; i++) {
		const char *name = hp_part_name(side->parts, i);
		uint64_t parent;
		size_t len;

		if (side->change[i] != HP_CHANGED || !hp_part_is_func(hp_side_part(side, i)) || !hp_name_is_piece(name, &len) ||
		    !hp_map_get(&names, name, len, &parent) || side->change[parent] == HP_CHANGED ||
		    side->twin[parent] == HP_NONE)
			continue;
		side->change[parent] = cmp->old_side.change[side->twin[parent]] = HP_CHANGED;
		cmp->pair->diff[parent].source = cmp->pair->diff[i].source;
		cmp->pair->diff[parent].why = hp_arena_printf(&side->elf->arena, "its piece %s changed", hp_esc(name));
		if (cmp->pair->diff[parent].why == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory to explain a difference");
	}
	return r;
}

int
hp_explain_pair(struct hp_cmp *cmp, struct hp_err *err)
{
	for (uint32_t i = 0; i < cmp->new_side.parts->cnt; i++) {
		struct hp_first_diff *diff = &cmp->pair->diff[i];
		int r = 0;

		*diff = (struct hp_first_diff){ "", "" };
		if (!hp_part_is_func(hp_side_part(&cmp->new_side, i)))
			continue;
		if (cmp->new_side.change[i] == HP_CHANGED)
			r = explain_changed(cmp, i, err);
		else if (cmp->new_side.change[i] == HP_NEW)
			*diff = (struct hp_first_diff){ hp_side_line(&cmp->new_side, i, 0), "not in the original" };
		if (r < 0)
			return r;
	}
	return spread_pieces(cmp, err);
}
