/* Line-number noise: functions whose only difference is that __LINE__ has another value.
 *
 * A false "noise" would leave a fix out, so each differing immediate must be proven to be a line number:
 *   - everything else is equal, all references included, and so is the length: same instructions at the same places;
 *   - it is an operand that a value passed to a function takes: moved to a register, pushed or stored. A compare, an add or a
 *     mask is never noise, whatever its value;
 *   - on each side it equals the source line that the line table gives for this very instruction or for one before the next
 *     call (the call that the value is passed to), the same instruction on both sides, in the same file. So it moved exactly as
 * far as its source line did. __LINE__ in a statement over several lines may be a few lines below: see is_statement_line(). Or,
 * in inlined code, the line of a call that was inlined into this function (its caller passed
 *     __LINE__ down): then this instruction's own line must lie in the inlined function, behind its declaration.
 * A constant that happens to equal the line on which it stands, and that a fix changes to the line on which it then stands,
 * cannot be told from __LINE__ by anyone; every other real change is seen. kpatch has a list of kernel functions instead and
 * knows nothing of assert(); klp-build rewrites the patch and builds again.
 *
 * Line and column at the start of what gcc's sanitizer hands to its handlers are noise by their place (differ/content.c), without
 * DWARF and on every CPU. */
#include <string.h>

#include "differ/internal.h"
#include "formats/insn_x86.h"

#define NEAR_MAX 64      /* instructions to look ahead for the call */
#define STATEMENT_MAX 16 /* lines of one statement */

/* mov reg/mem, imm; push imm. Prefixes: operand size, REX. */
static bool
takes_values(const uint8_t *p, size_t len)
{
	size_t i = 0;

	while (i < len && (p[i] == 0x66 || (p[i] & 0xf0) == 0x40))
		i++;
	return i < len && ((p[i] >= 0xb8 && p[i] <= 0xbf) || p[i] == 0xc7 || p[i] == 0x68 || p[i] == 0x6a);
}

static bool
in_immediate(const struct hp_insn *insn, struct hp_view o, struct hp_view n, uint64_t off)
{
	for (uint8_t i = 0; i < insn->len; i++)
		if (o.p[off + i] != n.p[off + i] && (i < insn->imm_off || i >= insn->imm_off + insn->imm_len))
			return false;
	return insn->imm_len > 0;
}

static bool
line_at(struct hp_side *side, uint32_t part, uint64_t off, const char **ret_file, uint64_t *ret_line)
{
	const struct hp_part *p = hp_side_part(side, part);
	const char *slash;

	if (hp_dwarf_line(side->dw, p->sec_idx, p->off + off, ret_file, ret_line, NULL) <= 0)
		return false;
	slash = strrchr(*ret_file, '/');
	*ret_file = slash != NULL ? slash + 1 : *ret_file;
	return true;
}

/* A row of the line table in (line, imm] belongs to another statement than the one at ${line}. */
static bool
is_one_statement(struct hp_side *side, uint32_t part, const char *file, uint64_t line, uint64_t imm)
{
	struct hp_view code = hp_part_bytes(side->parts, part);
	struct hp_insn insn;

	for (uint64_t off = 0; line < imm && off < code.len; off += insn.len) {
		const char *row_file;
		uint64_t row;

		if (!hp_insn_decode(code, off, &insn))
			return false;
		if (line_at(side, part, off, &row_file, &row) && row > line && row <= imm && strcmp(row_file, file) == 0)
			return false;
	}
	return true;
}

/* The two sides of one instruction. */
struct spot {
	struct hp_cmp *cmp;
	uint32_t old_part, new_part;
	uint64_t off;
	uint64_t old_imm, new_imm;
};

/* Statements over several lines: __LINE__ may be a line below the one that the line table has for the statement. The distance
 * must be small, equal on both sides, and no other statement of this function may begin in between. */
static bool
is_statement_line(const struct spot *s, const char *file, uint64_t old_line, uint64_t new_line)
{
	if (s->old_imm < old_line || s->old_imm - old_line > STATEMENT_MAX || s->new_imm - new_line != s->old_imm - old_line)
		return false;
	return is_one_statement(&s->cmp->old_side, s->old_part, file, old_line, s->old_imm) &&
	       is_one_statement(&s->cmp->new_side, s->new_part, file, new_line, s->new_imm);
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* ${line} of ${file} lies in what call v[i] inlined, or in what was inlined into that in turn. */
static bool
is_within(const struct hp_dwarf_call *v, size_t cnt, size_t i, const char *file, uint64_t line)
{
	unsigned depth = v[i].depth;

	do {
		if (v[i].callee_line > 0 && line >= v[i].callee_line && strcmp(base_name(v[i].callee_file), file) == 0)
			return true;
		i++;
	} while (i < cnt && v[i].depth > depth);
	return false;
}

/* Is ${line} of ${file} the line of a call that was inlined here, at an instruction that lies in what was inlined? The lists of
 * both sides run in parallel because the code is the same; if they do not, nothing is proven. */
static bool
is_inlined_line(const struct spot *s, const char *file, uint64_t old_line, uint64_t new_line)
{
	const char *old_name = hp_part_name(s->cmp->old_side.parts, s->old_part),
		   *name = hp_part_name(s->cmp->new_side.parts, s->new_part);
	const struct hp_dwarf_call *o, *n;
	size_t o_cnt, n_cnt;

	if (hp_dwarf_inlined(s->cmp->old_side.dw, old_name, hp_name_base_len(old_name), &o, &o_cnt, NULL) != 1 ||
	    hp_dwarf_inlined(s->cmp->new_side.dw, name, hp_name_base_len(name), &n, &n_cnt, NULL) != 1 || o_cnt != n_cnt)
		return false;
	for (size_t i = 0; i < n_cnt; i++) {
		const char *call_file = base_name(n[i].file);

		if (strcmp(base_name(o[i].file), call_file) == 0 && is_within(o, o_cnt, i, file, old_line) &&
		    is_within(n, n_cnt, i, file, new_line) && is_statement_line(s, call_file, o[i].line, n[i].line))
			return true;
	}
	return false;
}

/* The immediates are line numbers: of this instruction or one up to the next call, or of a call inlined around it. */
static bool
is_line(const struct spot *s)
{
	struct hp_view code = hp_part_bytes(s->cmp->new_side.parts, s->new_part);
	struct hp_insn insn;
	uint64_t off = s->off;

	for (unsigned i = 0; i < NEAR_MAX && hp_insn_decode(code, off, &insn); i++) {
		const char *old_file, *new_file;
		uint64_t old_line, new_line;

		if (line_at(&s->cmp->old_side, s->old_part, off, &old_file, &old_line) &&
		    line_at(&s->cmp->new_side, s->new_part, off, &new_file, &new_line) && strcmp(old_file, new_file) == 0 &&
		    (is_statement_line(s, new_file, old_line, new_line) || is_inlined_line(s, new_file, old_line, new_line)))
			return true;
		if (insn.call || insn.ret)
			return false;
		off += insn.len;
	}
	return false;
}

static int
edges_equal(struct hp_cmp *cmp, uint32_t old_part, uint32_t new_part, struct hp_err *err)
{
	const struct hp_side *os = &cmp->old_side, *ns = &cmp->new_side;

	if (os->edges_cnt[old_part] != ns->edges_cnt[new_part])
		return 0;
	for (uint32_t i = 0; i < ns->edges_cnt[new_part]; i++) {
		int r;

		if (os->edges[old_part][i].off != ns->edges[new_part][i].off)
			return 0;
		r = hp_compare_edges(cmp, &os->edges[old_part][i], &ns->edges[new_part][i], err);
		if (r != 1)
			return r;
	}
	return 1;
}

/* The field of a reference in the instruction at [off, off + len): its bytes say nothing. */
static const struct hp_edge *
edge_in(const struct hp_side *side, uint32_t part, uint32_t *cur, uint64_t off, uint64_t end)
{
	while (*cur < side->edges_cnt[part] && side->edges[part][*cur].off < off)
		++*cur;
	return *cur < side->edges_cnt[part] && side->edges[part][*cur].off < end ? &side->edges[part][*cur] : NULL;
}

static int
only_immediates(struct hp_cmp *cmp, uint32_t old_part, uint32_t new_part, struct hp_err *err)
{
	struct hp_view o = hp_part_bytes(cmp->old_side.parts, old_part), n = hp_part_bytes(cmp->new_side.parts, new_part);
	struct hp_insn a, b;
	uint32_t cur = 0;
	int r;

	if (cmp->new_side.elf->machine != EM_X86_64 || o.len != n.len || o.len == 0)
		return 0;
	if ((r = hp_side_dwarf(&cmp->old_side, err)) != 1 || (r = hp_side_dwarf(&cmp->new_side, err)) != 1 ||
	    (r = edges_equal(cmp, old_part, new_part, err)) != 1)
		return r;
	for (uint64_t off = 0; off < n.len; off += b.len) {
		const struct hp_edge *e;

		if (!hp_insn_decode(o, off, &a) || !hp_insn_decode(n, off, &b) || a.len != b.len)
			return 0;
		if (memcmp(o.p + off, n.p + off, b.len) == 0)
			continue;
		e = edge_in(&cmp->new_side, new_part, &cur, off, off + b.len);
		if (e != NULL && e->type == HP_EDGE_RESOLVED)
			continue;
		if (e != NULL || !in_immediate(&b, o, n, off) || a.imm_off != b.imm_off || a.imm_len != b.imm_len ||
		    !takes_values(n.p + off, b.len) || !is_line(&(struct spot){ cmp, old_part, new_part, off, a.imm, b.imm }))
			return 0;
	}
	return 1;
}

int
hp_noise_check(struct hp_cmp *cmp, uint32_t old_part, uint32_t new_part, struct hp_err *err)
{
	struct hp_mismatch mis;
	int r;

	cmp->loose = true;
	r = hp_compare_parts(cmp, old_part, new_part, &mis, err);
	if (r == 0)
		r = only_immediates(cmp, old_part, new_part, err);
	cmp->loose = false;
	return r;
}
