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

/* A call or jump by the name of its target, anything else in Intel syntax. */
static struct text
insn_words(struct hp_side *side, uint32_t part, uint64_t at)
{
	struct hp_view code = hp_part_bytes(side->parts, part);
	struct hp_insn insn;
	struct text t;

	if (hp_insn_decode(code, at, &insn) && insn.rel_len > 0 && side->edges[part] != NULL) {
		for (uint32_t k = 0; k < side->edges_cnt[part]; k++) {
			if (side->edges[part][k].off != at + insn.rel_off)
				continue;
			(void)snprintf(t.s, sizeof(t.s), "%s %.150s", insn.call ? "call" : "jump to",
			               target_text(side, &side->edges[part][k]).s);
			return t;
		}
	}
	hp_insn_text(code, at, at, t.s, sizeof(t.s));
	return t;
}

static const char *
bytes_text(struct hp_cmp *cmp, uint32_t old_part, uint32_t new_part, uint64_t old_at, uint64_t at)
{
	struct hp_arena *arena = &cmp->new_side.elf->arena;
	struct hp_view o = hp_part_bytes(cmp->old_side.parts, old_part), n = hp_part_bytes(cmp->new_side.parts, new_part);
	struct text was, is;
	struct hp_insn a, b;

	if (cmp->new_side.elf->machine != EM_X86_64)
		return hp_arena_printf(arena, "instruction at +0x%llx differs", (unsigned long long)at);
	if (!hp_insn_decode(o, old_at, &a) || !hp_insn_decode(n, at, &b))
		return hp_arena_printf(arena, "code at +0x%llx differs", (unsigned long long)at);
	if (a.len == b.len && a.imm_len > 0 && a.imm_len == b.imm_len && a.imm_off == b.imm_off && a.imm != b.imm &&
	    memcmp(o.p + old_at, n.p + at, a.imm_off) == 0)
		return hp_arena_printf(arena, "immediate 0x%llx became 0x%llx", (unsigned long long)a.imm,
		                       (unsigned long long)b.imm);
	was = insn_words(&cmp->old_side, old_part, old_at);
	is = insn_words(&cmp->new_side, new_part, at);
	if (a.rel_len > 0 && b.rel_len > 0 && !a.call && !b.call)
		return hp_arena_printf(arena, "the jump at +0x%llx goes to another place", (unsigned long long)at);
	return hp_arena_printf(arena, "instruction at +0x%llx: '%s' became '%s'", (unsigned long long)at, was.s, is.s);
}

static const char *
edge_text(struct hp_cmp *cmp, uint32_t old_part, uint32_t new_part, const struct hp_mismatch *mis, uint64_t old_at)
{
	struct hp_arena *arena = &cmp->new_side.elf->arena;
	const struct hp_edge *o, *n;
	struct text was, is;

	if (mis->old_edge == HP_NONE || mis->new_edge == HP_NONE)
		return bytes_text(cmp, old_part, new_part, old_at, insn_start(&cmp->new_side, new_part, mis->off));
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
mismatch_text(struct hp_cmp *cmp, uint32_t old_part, uint32_t new_part, const struct hp_mismatch *mis, uint64_t old_at,
              uint64_t at)
{
	struct hp_arena *arena = &cmp->new_side.elf->arena;

	switch (mis->kind) {
	case HP_MIS_EDGE:
		return edge_text(cmp, old_part, new_part, mis, old_at);
	case HP_MIS_BYTES:
		return bytes_text(cmp, old_part, new_part, old_at, at);
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

/* The function whose source ${line} of ${file} lies in: the one declared last before it, of those inlined into ${part} and
 * itself. NULL: ${part} itself, or unknown. */
static const char *
inlined_function(struct hp_side *side, uint32_t part, const char *file, uint64_t line)
{
	const char *name = hp_part_name(side->parts, part), *own_file, *best = NULL;
	const struct hp_dwarf_call *v;
	uint64_t own_line, best_line = 0;
	size_t cnt;
	char *plain = hp_arena_strndup(&side->cmp->arena, name, hp_name_base_len(name));

	if (plain == NULL || hp_dwarf_inlined(side->dw, plain, strlen(plain), &v, &cnt, NULL) != 1)
		return NULL;
	if (hp_dwarf_decl(side->dw, plain, &own_file, &own_line, NULL) == 1 && strcmp(own_file, file) == 0 && own_line <= line)
		best_line = own_line;
	for (size_t i = 0; i < cnt; i++) {
		if (v[i].callee_line > line || v[i].callee_line <= best_line || strcmp(v[i].callee_file, file) != 0)
			continue;
		best = v[i].callee;
		best_line = v[i].callee_line;
	}
	return best;
}

/* Fill in ${diff->source}, and say through which inlined function the code at ${at} came. */
static int
explain_place(struct hp_cmp *cmp, uint32_t part, uint64_t at, struct hp_first_diff *diff, struct hp_err *err)
{
	struct hp_side *side = &cmp->new_side;
	const struct hp_part *p = hp_side_part(side, part);
	const char *file, *inlined;
	uint64_t line;

	diff->source = hp_side_line(side, part, at);
	if (diff->why == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory to explain a difference");
	if (diff->source[0] == '\0' || hp_dwarf_line(side->dw, p->sec_idx, p->off + at, &file, &line, NULL) <= 0)
		return 0;
	inlined = inlined_function(side, part, file, line);
	if (inlined != NULL)
		diff->why = hp_arena_printf(&side->elf->arena, "%s, in %s(), inlined", diff->why, hp_esc(inlined));
	return diff->why != NULL ? 0 : hp_err_set(err, HP_E_NOMEM, "no memory to explain a difference");
}

static int
explain_constant(struct hp_cmp *cmp, uint32_t part, struct hp_err *err)
{
	struct hp_first_diff *diff = &cmp->pair->diff[part];
	struct hp_side *side = &cmp->new_side;
	uint64_t at = 0;

	for (uint32_t k = side->edges_cnt[part]; k > 0; k--)
		if (side->edges[part][k - 1].ref.part_idx == cmp->table[part])
			at = side->edges[part][k - 1].off;
	diff->why = hp_arena_printf(&side->elf->arena, "reads constant '%s', which changed",
	                            hp_esc(hp_part_name(side->parts, cmp->table[part])));
	return explain_place(cmp, part, insn_start(side, part, at), diff, err);
}

static int
explain_changed(struct hp_cmp *cmp, uint32_t part, struct hp_err *err)
{
	struct hp_first_diff *diff = &cmp->pair->diff[part];
	uint32_t old_part = cmp->new_side.twin[part];
	struct hp_mismatch mis = { .kind = HP_MIS_NONE };
	uint64_t at, old_at;
	int r, noise;

	if (cmp->table[part] != HP_NONE)
		return explain_constant(cmp, part, err);
	r = hp_compare_parts(cmp, old_part, part, &mis, err);
	if (r < 0)
		return r;
	at = old_at = insn_start(&cmp->new_side, part, mis.off);
	noise = hp_noise_check(cmp, old_part, part, err);
	r = noise == 0 ? hp_align_first(cmp, old_part, part, &mis, &old_at, err) : noise;
	if (r < 0)
		return r;
	if (noise == 0 && r == 1)
		at = mis.off;
	diff->why = mismatch_text(cmp, old_part, part, &mis, old_at, at);
	r = explain_place(cmp, part, at, diff, err);
	if (r < 0 || noise == 0)
		return r;
	cmp->new_side.change[part] = cmp->old_side.change[old_part] = HP_NOISE;
	diff->why = hp_arena_printf(&cmp->new_side.elf->arena, "only line numbers: %s",
	                            mis.kind == HP_MIS_EDGE ? "the place that the sanitizer reports" : diff->why);
	return diff->why != NULL ? 0 : hp_err_set(err, HP_E_NOMEM, "no memory to explain a difference");
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
