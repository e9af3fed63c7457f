/* Anonymous content: strings, constant pools, jump tables, compiler-made objects. Two references are equal when what lies there
 * is equal, relocations included, however deep.
 *
 * How much lies there? For a mergeable section, the string or the entry. For a compiler-made object with a symbol, the object.
 * For anonymous bytes there is no size in the file; we compare from the place referred to up to the next place that anybody
 * refers to, or the end. Sound, because compilers do not share a table between functions (what may be shared is in mergeable
 * sections): behind the next place begins another function's content, or content of the same function that is reached through a
 * reference of its own, and that one is compared as well. It may compare too much (padding, an unused table), which can only make
 * a function changed that is not. A longer stretch on one side is equal only when the surplus is padding: fewer zero bytes than
 * the section's alignment. Tried and dropped: up to the next place of another function; then the padding between two tables of
 * one function counts, and it changes when functions are reordered. Code without a symbol is no table, it runs on: see
 * code_extent().
 *
 * Contents may refer to each other in circles. A pair under comparison is assumed equal (coinduction). "Equal" found under an
 * assumption is kept only when the outermost comparison holds; "different" is always final. */
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "differ/internal.h"
#include "formats/insn_x86.h"

enum { DIFFERENT = 0, EQUAL = 1, UNKNOWN = 2 };

#define DEPTH_MAX 64
#define CODE_MAX 4096 /* bytes to look for the end of code without a symbol */

struct key {
	uint32_t old_part, new_part;
	int64_t old_off, new_off;
	uint64_t loose; /* hp_cmp.loose */
};

static int
no_memory(const struct hp_cmp *cmp, struct hp_err *err)
{
	return hp_err_set(err, HP_E_NOMEM, "no memory to compare contents of '%s'", hp_esc(cmp->pair->path));
}

/* First place behind section offset ${off} that something refers to. */
static uint64_t
next_point(const struct hp_side *side, uint32_t sec_idx, uint64_t off)
{
	const uint64_t *v = side->points[sec_idx];
	uint32_t lo = 0, hi = side->points_cnt[sec_idx];

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (v[mid] <= off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < side->points_cnt[sec_idx] ? v[lo] : UINT64_MAX;
}

/* Code without a symbol, such as the kernel's .altinstr_aux, where each place that tests a feature has a few instructions: up to
 * the first one that nothing runs on from, and behind all jumps. UINT64_MAX: that cannot be told. */
static uint64_t
code_extent(const struct hp_side *side, const struct hp_ref *ref)
{
	const struct hp_edge *edges = side->edges[ref->part_idx];
	uint32_t edges_cnt = side->edges_cnt[ref->part_idx];
	struct hp_view code = hp_part_bytes(side->parts, ref->part_idx);
	uint64_t from = (uint64_t)ref->off, reach = from;
	uint32_t k = hp_edges_first(side, ref->part_idx, from);
	struct hp_insn insn;

	if (side->elf->machine != EM_X86_64)
		return UINT64_MAX;
	for (uint64_t off = from; off - from < CODE_MAX && hp_insn_decode(code, off, &insn);) {
		uint64_t field = off + insn.rel_off, to = off + insn.len + (uint64_t)insn.rel;

		while (k < edges_cnt && edges[k].off < field)
			k++;
		if (insn.rel_len > 0 && (k == edges_cnt || edges[k].off != field)) {
			if (to < from || to >= code.len)
				return UINT64_MAX;
			reach = to > reach ? to : reach;
		}
		off += insn.len;
		if ((insn.ret || (insn.branch && !insn.call && !insn.cond)) && off > reach)
			return off - from;
	}
	return UINT64_MAX;
}

/* Bytes from ref->off on that belong to the content referred to; UINT64_MAX: unknown. */
static int
extent(struct hp_side *side, const struct hp_ref *ref, uint64_t *ret, struct hp_err *err)
{
	const struct hp_part *p = hp_side_part(side, ref->part_idx);
	uint64_t end, from = (uint64_t)ref->off;
	int r;

	*ret = p->len - from;
	if (p->sym_idx != HP_NONE)
		return 0;
	if (strncmp(side->elf->secs[p->sec_idx].name, ".toc", 4) == 0) {
		*ret = *ret < 8 ? *ret : 8; /* ppc64's table of contents: one address an entry */
		return 0;
	}
	r = p->kind == HP_PART_CODE ? hp_side_edges(side, ref->part_idx, err) : hp_side_points(side, err);
	if (r < 0)
		return r;
	if (p->kind == HP_PART_CODE) {
		*ret = code_extent(side, ref);
		return 0;
	}
	end = next_point(side, p->sec_idx, p->off + from);
	if (end != UINT64_MAX && end - p->off - from < *ret)
		*ret = end - p->off - from;
	return 0;
}

/* The longer side's surplus is only padding. */
static bool
surplus_is_padding(struct hp_side *side, uint32_t part, uint64_t off, uint64_t len)
{
	const struct hp_part *p = hp_side_part(side, part);
	struct hp_view v;

	if (len >= side->elf->secs[p->sec_idx].align || p->sym_idx != HP_NONE ||
	    !hp_view_sub(hp_part_bytes(side->parts, part), off, len, &v))
		return false;
	for (size_t i = 0; i < v.len; i++)
		if (v.p[i] != 0)
			return false;
	for (uint32_t k = 0; k < side->edges_cnt[part]; k++)
		if (side->edges[part][k].off >= off && side->edges[part][k].off - off < len)
			return false;
	return true;
}

/* What gcc's sanitizer hands to its handlers begins with a place in the source: file, line, column (ubsan_create_data()). It is
 * known by its label, which names its section with -fdata-sections. */
#define LOCATION_FILE_LEN 8
#define LOCATION_LEN 16

static bool
is_location(const struct hp_side *side, const struct hp_ref *ref)
{
	return ref->off == 0 && hp_side_part(side, ref->part_idx)->off == 0 &&
	       strstr(side->elf->secs[hp_side_part(side, ref->part_idx)->sec_idx].name, "..Lubsan_data") != NULL;
}

/* Code of unknown extent: the same distance from equal wholes, which are compared once. */
static int
code_equal(struct hp_cmp *cmp, const struct hp_ref *o, const struct hp_ref *n, struct hp_err *err)
{
	const struct hp_ref old_whole = { .part_idx = o->part_idx, .off = -1 };
	const struct hp_ref new_whole = { .part_idx = n->part_idx, .off = -1 };

	return o->off == n->off ? hp_content_equal(cmp, &old_whole, &new_whole, err) : 0;
}

static int
stretch_equal(struct hp_cmp *cmp, const struct hp_ref *o, const struct hp_ref *n, struct hp_err *err)
{
	struct hp_mismatch mis;
	uint64_t old_len, new_len, len, from = 0;
	int r = extent(&cmp->old_side, o, &old_len, err);

	if (r == 0)
		r = extent(&cmp->new_side, n, &new_len, err);
	if (r < 0)
		return r;
	if (old_len == UINT64_MAX || new_len == UINT64_MAX)
		return code_equal(cmp, o, n, err);
	len = old_len < new_len ? old_len : new_len;
	if (cmp->loose && len >= LOCATION_LEN && is_location(&cmp->old_side, o) && is_location(&cmp->new_side, n)) {
		r = hp_compare_range(cmp, o->part_idx, 0, n->part_idx, 0, LOCATION_FILE_LEN, &mis, err);
		from = LOCATION_LEN;
	}
	if (r >= 0 && (from == 0 || r == 1))
		r = hp_compare_range(cmp, o->part_idx, (uint64_t)o->off + from, n->part_idx, (uint64_t)n->off + from, len - from,
		                     &mis, err);
	if (r != 1)
		return r;
	if (old_len > len)
		return surplus_is_padding(&cmp->old_side, o->part_idx, (uint64_t)o->off + len, old_len - len);
	return new_len == len || surplus_is_padding(&cmp->new_side, n->part_idx, (uint64_t)n->off + len, new_len - len);
}

static int
merge_equal(const struct hp_cmp *cmp, const struct hp_ref *o, const struct hp_ref *n)
{
	struct hp_view a, b;
	uint64_t old_start, new_start;

	if (!hp_merge_piece(cmp->old_side.parts, o->part_idx, (uint64_t)o->off, &old_start, &a) ||
	    !hp_merge_piece(cmp->new_side.parts, n->part_idx, (uint64_t)n->off, &new_start, &b))
		return 0;
	return (uint64_t)o->off - old_start == (uint64_t)n->off - new_start && hp_view_eq(a, b);
}

/* Outside of the part (a base below the table, one past its end): the same distance from equal wholes. */
static int
outside_equal(struct hp_cmp *cmp, const struct hp_ref *o, const struct hp_ref *n, struct hp_err *err)
{
	struct hp_mismatch mis;
	uint64_t old_len = hp_side_part(&cmp->old_side, o->part_idx)->len;

	if (o->off != n->off || old_len != hp_side_part(&cmp->new_side, n->part_idx)->len)
		return 0;
	return hp_compare_range(cmp, o->part_idx, 0, n->part_idx, 0, old_len, &mis, err);
}

static bool
inside(const struct hp_side *side, const struct hp_ref *ref)
{
	return ref->off >= 0 && (uint64_t)ref->off < hp_side_part(side, ref->part_idx)->len;
}

static int
push_trail(struct hp_cmp *cmp, struct key *key, struct hp_err *err)
{
	if (cmp->trail_cnt == cmp->trail_cap) {
		size_t cap = cmp->trail_cap ? cmp->trail_cap * 2 : 64;
		void **v = hp_arena_array(&cmp->arena, cap, sizeof(*v));

		if (v == NULL)
			return no_memory(cmp, err);
		if (cmp->trail_cnt > 0)
			memcpy(v, cmp->trail, cmp->trail_cnt * sizeof(*v));
		cmp->trail = v;
		cmp->trail_cap = cap;
	}
	cmp->trail[cmp->trail_cnt++] = key;
	return hp_map_put(&cmp->content, key, sizeof(*key), EQUAL, err);
}

/* What was found equal since ${from} rested on an assumption that failed: forget it. */
static int
drop_trail(struct hp_cmp *cmp, size_t from, struct hp_err *err)
{
	while (cmp->trail_cnt > from) {
		struct key *key = cmp->trail[--cmp->trail_cnt];
		uint64_t known;
		int r;

		if (hp_map_get(&cmp->content, key, sizeof(*key), &known) && known == EQUAL) {
			r = hp_map_put(&cmp->content, key, sizeof(*key), UNKNOWN, err);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int
compare_assuming(struct hp_cmp *cmp, struct key *key, const struct hp_ref *o, const struct hp_ref *n, struct hp_err *err)
{
	size_t from = cmp->trail_cnt;
	int r = push_trail(cmp, key, err), fail;

	if (r < 0)
		return r;
	cmp->depth++;
	if (inside(&cmp->old_side, o) && inside(&cmp->new_side, n))
		r = stretch_equal(cmp, o, n, err);
	else
		r = outside_equal(cmp, o, n, err);
	cmp->depth--;
	if (r == 0) {
		fail = drop_trail(cmp, from, err);
		if (fail == 0)
			fail = hp_map_put(&cmp->content, key, sizeof(*key), DIFFERENT, err);
		if (fail < 0)
			return fail;
	}
	if (cmp->depth == 0)
		cmp->trail_cnt = 0;
	return r;
}

int
hp_content_equal(struct hp_cmp *cmp, const struct hp_ref *o, const struct hp_ref *n, struct hp_err *err)
{
	bool old_merge = hp_side_part(&cmp->old_side, o->part_idx)->kind == HP_PART_MERGE;
	bool new_merge = hp_side_part(&cmp->new_side, n->part_idx)->kind == HP_PART_MERGE;
	struct key *key;
	uint64_t known;

	if (old_merge && new_merge && o->off >= 0 && n->off >= 0)
		return merge_equal(cmp, o, n);
	if (old_merge != new_merge || cmp->depth > DEPTH_MAX)
		return 0;
	key = hp_arena_alloc(&cmp->arena, sizeof(*key));
	if (key == NULL)
		return no_memory(cmp, err);
	*key = (struct key){ o->part_idx, n->part_idx, o->off, n->off, cmp->loose };
	if (hp_map_get(&cmp->content, key, sizeof(*key), &known) && known != UNKNOWN)
		return known == EQUAL;
	return compare_assuming(cmp, key, o, n, err);
}
