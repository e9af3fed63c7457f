/* Equal in meaning: bytes outside of references, and references pairwise.
 *
 * A reference is equal when it leads to the twin of the same part at the same offset, to the same undefined symbol, or to equal
 * anonymous content (differ/content.c). Symbol indexes, section symbols and raw addends are never compared: ".text+0x30" on one
 * side and "f+0x10" on the other are the same place.
 *
 * Functions are not followed into the functions they call: a caller of a changed function is itself unchanged. */
#include <string.h>

#include "base/escape.h"
#include "differ/internal.h"

/* The linker may treat these alike; the code around them is compared by its bytes. */
static bool
same_type_class(const struct hp_side *side, const struct hp_edge *o, const struct hp_edge *n)
{
	if (o->type == n->type)
		return true;
	if (o->ref.tls || n->ref.tls || side->elf->machine != EM_X86_64 || o->type == HP_EDGE_LSDA || n->type == HP_EDGE_LSDA)
		return false;
	return o->ref.width == n->ref.width && o->ref.pc_rel == n->ref.pc_rel && o->ref.got == n->ref.got &&
	       o->ref.branch == n->ref.branch;
}

static const struct hp_sym *
ref_sym(const struct hp_side *side, const struct hp_ref *ref)
{
	return side->elf->syms_cnt > 0 ? &side->elf->syms[ref->sym_idx] : NULL;
}

/* Objects of no size have no bytes, so they are no parts; only their address could matter. Known by the plain name of the symbol,
 * or of the section when the assembler wrote a section symbol (the kernel's empty lock keys: .bss.__key.51039). */
static int
empty_equal(struct hp_cmp *cmp, const struct hp_sym *os, const struct hp_sym *ns, const struct hp_ref *o, const struct hp_ref *n)
{
	const char *a = os->type == STT_SECTION ? cmp->old_side.elf->secs[os->sec_idx].name : os->name;
	const char *b = ns->type == STT_SECTION ? cmp->new_side.elf->secs[ns->sec_idx].name : ns->name;

	a = hp_name_plain(&cmp->arena, a);
	b = hp_name_plain(&cmp->arena, b);
	return a != NULL && b != NULL && o->off == n->off && os->type == ns->type && strcmp(a, b) == 0;
}

static bool
is_inside(const struct hp_side *side, const struct hp_sym *sym)
{
	return sym->sec_idx != HP_SEC_UNDEF && sym->sec_idx < side->elf->secs_cnt;
}

/* At least one side leads out of the object. The same name is the same thing when it is a global one: a function that moved into
 * or out of this file is still what the symbol means. */
static int
outer_equal(struct hp_cmp *cmp, const struct hp_ref *o, const struct hp_ref *n)
{
	const struct hp_sym *os = ref_sym(&cmp->old_side, o), *ns = ref_sym(&cmp->new_side, n);
	bool inner = o->part_idx != HP_NONE || n->part_idx != HP_NONE;

	if (os == NULL || ns == NULL)
		return os == ns && o->off == n->off;
	if (!inner && is_inside(&cmp->old_side, os) && is_inside(&cmp->new_side, ns))
		return empty_equal(cmp, os, ns, o, n);
	if (inner && (os->bind == STB_LOCAL || ns->bind == STB_LOCAL))
		return 0;
	if (o->off != n->off || strcmp(os->name, ns->name) != 0)
		return 0;
	return os->name[0] != '\0' || (os->sec_idx == ns->sec_idx && os->value == ns->value && os->type != STT_SECTION);
}

/* Static locals that kernel macros make in every place that uses them (pr_debug()'s descriptor with its line number, ...): taken
 * for equal by name, as klp-diff and kpatch do, where their contents are reported with the kernel's tables. Elsewhere nobody
 * reports them, and any driver may have a table of that name. */
static bool
is_kernel_static(const struct hp_side *side, uint32_t part)
{
	return side->kernel && hp_side_part(side, part)->sym_idx != HP_NONE &&
	       hp_name_is_kernel_table(side->elf->secs[hp_side_part(side, part)->sec_idx].name) &&
	       !hp_name_is_content(hp_part_name(side->parts, part), false);
}

static int
kernel_static_equal(struct hp_cmp *cmp, const struct hp_ref *o, const struct hp_ref *n)
{
	const char *a = hp_name_plain(&cmp->arena, hp_part_name(cmp->old_side.parts, o->part_idx));
	const char *b = hp_name_plain(&cmp->arena, hp_part_name(cmp->new_side.parts, n->part_idx));

	return a != NULL && b != NULL && o->off == n->off && strcmp(a, b) == 0;
}

/* A local constant without a twin: one that the other side has under another name (gcc makes static ones of const locals) is as
 * good, when the contents are equal. */
static bool
is_lone_constant(const struct hp_side *side, uint32_t part)
{
	const struct hp_part *p = hp_side_part(side, part);

	return side->twin[part] == HP_NONE && p->kind == HP_PART_RODATA && p->sym_idx != HP_NONE && p->syms_cnt == 1 &&
	       side->elf->syms[p->sym_idx].bind == STB_LOCAL;
}

static int
named_equal(struct hp_cmp *cmp, const struct hp_ref *o, const struct hp_ref *n, struct hp_err *err)
{
	struct hp_ref old_whole = { .part_idx = o->part_idx }, new_whole = { .part_idx = n->part_idx };

	if (cmp->old_side.twin[o->part_idx] == n->part_idx)
		return hp_relax_same_place(cmp, o->part_idx, n->part_idx, o->off, n->off, err);
	if (o->off != n->off || !is_lone_constant(&cmp->old_side, o->part_idx) || !is_lone_constant(&cmp->new_side, n->part_idx))
		return 0;
	return hp_content_equal(cmp, &old_whole, &new_whole, err);
}

int
hp_compare_edges(struct hp_cmp *cmp, const struct hp_edge *old_edge, const struct hp_edge *new_edge, struct hp_err *err)
{
	const struct hp_ref *o = &old_edge->ref, *n = &new_edge->ref;

	if (!same_type_class(&cmp->old_side, old_edge, new_edge))
		return 0;
	if (o->part_idx == HP_NONE || n->part_idx == HP_NONE)
		return outer_equal(cmp, o, n);
	if (cmp->old_side.ident[o->part_idx] == HP_IDENT_NAME && cmp->new_side.ident[n->part_idx] == HP_IDENT_NAME)
		return named_equal(cmp, o, n, err);
	if (cmp->old_side.ident[o->part_idx] == HP_IDENT_NAME || cmp->new_side.ident[n->part_idx] == HP_IDENT_NAME)
		return 0;
	if (is_kernel_static(&cmp->old_side, o->part_idx) && is_kernel_static(&cmp->new_side, n->part_idx))
		return kernel_static_equal(cmp, o, n);
	return hp_content_equal(cmp, o, n, err);
}

static bool
bytes_differ(struct hp_view o, uint64_t old_at, struct hp_view n, uint64_t new_at, uint64_t len, uint64_t *ret)
{
	struct hp_view a, b;

	if (!hp_view_sub(o, old_at, len, &a) || !hp_view_sub(n, new_at, len, &b) || memcmp(a.p, b.p, len) == 0)
		return false; /* no contents (.bss): nothing differs */
	while (a.p[*ret] == b.p[*ret])
		++*ret;
	return true;
}

uint32_t
hp_edges_first(const struct hp_side *side, uint32_t part, uint64_t off)
{
	uint32_t lo = 0, hi = side->edges_cnt[part];

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (side->edges[part][mid].off < off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int
differ_at(struct hp_mismatch *ret, int kind, uint64_t off, uint32_t old_edge, uint32_t new_edge)
{
	*ret = (struct hp_mismatch){ .kind = kind, .off = off, .old_edge = old_edge, .new_edge = new_edge };
	return 0;
}

int
hp_compare_range(struct hp_cmp *cmp, uint32_t old_part, uint64_t old_off, uint32_t new_part, uint64_t new_off, uint64_t len,
                 struct hp_mismatch *ret, struct hp_err *err)
{
	struct hp_view ob = hp_part_bytes(cmp->old_side.parts, old_part), nb = hp_part_bytes(cmp->new_side.parts, new_part);
	uint64_t pos = 0, at = 0;
	uint32_t o, n;
	int r = hp_side_edges(&cmp->old_side, old_part, err);

	if (r == 0)
		r = hp_side_edges(&cmp->new_side, new_part, err);
	if (r < 0)
		return r;
	o = hp_edges_first(&cmp->old_side, old_part, old_off);
	n = hp_edges_first(&cmp->new_side, new_part, new_off);
	for (;; o++, n++) {
		const struct hp_edge *oe = o < cmp->old_side.edges_cnt[old_part] ? &cmp->old_side.edges[old_part][o] : NULL;
		const struct hp_edge *ne = n < cmp->new_side.edges_cnt[new_part] ? &cmp->new_side.edges[new_part][n] : NULL;
		uint64_t oo = oe != NULL && oe->off - old_off <= len ? oe->off - old_off : UINT64_MAX;
		uint64_t no = ne != NULL && ne->off - new_off <= len ? ne->off - new_off : UINT64_MAX;
		uint64_t next = oo < no ? oo : no, stop = next < len ? next : len;

		/* The exception table's edge stands at the end of a function; no other part has an edge there. */
		if (next == len && (oe == NULL || oe->type != HP_EDGE_LSDA) && (ne == NULL || ne->type != HP_EDGE_LSDA))
			next = UINT64_MAX;
		if (stop > pos && bytes_differ(ob, old_off + pos, nb, new_off + pos, stop - pos, &at))
			return differ_at(ret, HP_MIS_BYTES, pos + at, HP_NONE, HP_NONE);
		if (next == UINT64_MAX)
			return 1;
		if (oo != no)
			return differ_at(ret, HP_MIS_EDGE, next, oo == next ? o : HP_NONE, no == next ? n : HP_NONE);
		r = hp_compare_edges(cmp, oe, ne, err);
		if (r < 0)
			return r;
		if (r == 0)
			return differ_at(ret, HP_MIS_EDGE, next, o, n);
		if (next + oe->ref.width > pos)
			pos = next + oe->ref.width;
	}
}

static bool
all_zero(struct hp_view v)
{
	for (size_t i = 0; i < v.len; i++)
		if (v.p[i] != 0)
			return false;
	return true;
}

/* Kinds that may stand for each other: zero data in .data and .bss. */
static bool
same_kind(const struct hp_cmp *cmp, uint32_t old_part, uint32_t new_part)
{
	const struct hp_part *o = hp_side_part(&cmp->old_side, old_part), *n = hp_side_part(&cmp->new_side, new_part);

	if (o->kind == n->kind)
		return true;
	if (!((o->kind == HP_PART_DATA && n->kind == HP_PART_BSS) || (o->kind == HP_PART_BSS && n->kind == HP_PART_DATA)))
		return false;
	return o->rels_cnt == 0 && n->rels_cnt == 0 && all_zero(hp_part_bytes(cmp->old_side.parts, old_part)) &&
	       all_zero(hp_part_bytes(cmp->new_side.parts, new_part));
}

int
hp_compare_parts(struct hp_cmp *cmp, uint32_t old_part, uint32_t new_part, struct hp_mismatch *ret, struct hp_err *err)
{
	const struct hp_part *o = hp_side_part(&cmp->old_side, old_part), *n = hp_side_part(&cmp->new_side, new_part);
	uint64_t len = o->len < n->len ? o->len : n->len;
	int r;

	if (hp_surely_equal(cmp, old_part, new_part))
		return o->len == n->len ? 1 : differ_at(ret, HP_MIS_LEN, len, HP_NONE, HP_NONE);
	if (!same_kind(cmp, old_part, new_part))
		return differ_at(ret, HP_MIS_KIND, 0, HP_NONE, HP_NONE);
	r = hp_compare_range(cmp, old_part, 0, new_part, 0, len, ret, err);
	if (r == 1 && o->len != n->len)
		r = differ_at(ret, HP_MIS_LEN, len, HP_NONE, HP_NONE);
	return r == 0 && hp_part_is_func(n) ? hp_relax_equal(cmp, old_part, new_part, err) : r;
}

/* A changed constant makes its readers changed: they must read the package's copy. Constants that hold the address of a changed
 * constant are readers too. */
static int
spread_constants(struct hp_cmp *cmp, struct hp_err *err)
{
	struct hp_side *side = &cmp->new_side;
	bool again = true;

	for (uint32_t round = 0; again && round < 64; round++) {
		again = false;
		for (uint32_t i = 0; i < side->parts->cnt; i++) {
			const struct hp_part *p = hp_side_part(side, i);
			int r;

			if (side->ident[i] != HP_IDENT_NAME || side->change[i] != HP_SAME ||
			    (p->kind != HP_PART_FUNC && p->kind != HP_PART_RODATA))
				continue;
			r = hp_side_edges(side, i, err);
			if (r < 0)
				return r;
			for (uint32_t k = 0; k < side->edges_cnt[i] && side->change[i] == HP_SAME; k++) {
				uint32_t to = side->edges[i][k].ref.part_idx;

				if (to == HP_NONE || to == i || side->change[to] != HP_CHANGED ||
				    hp_side_part(side, to)->kind != HP_PART_RODATA)
					continue;
				side->change[i] = HP_CHANGED;
				cmp->old_side.change[side->twin[i]] = HP_CHANGED;
				cmp->table[i] = to;
				again |= p->kind == HP_PART_RODATA;
			}
		}
	}
	return 0;
}

/* Data that holds addresses of places inside a changed function (the labels of computed gotos) changes with it, even when the
 * places are the same on both sides: the new body would read the old table and jump into the old body (clang -O2, a dispatch
 * table whose labels did not move). Addresses of entries stay what they are. Returns 1 when some data changed. */
static int
spread_labels(struct hp_cmp *cmp, struct hp_err *err)
{
	struct hp_side *side = &cmp->new_side;
	int found = 0;

	for (uint32_t i = 0; i < side->parts->cnt; i++) {
		int r;

		if (side->ident[i] != HP_IDENT_NAME || side->change[i] != HP_SAME || hp_part_is_func(hp_side_part(side, i)) ||
		    hp_side_part(side, i)->rels_cnt == 0)
			continue;
		r = hp_side_edges(side, i, err);
		if (r < 0)
			return r;
		for (uint32_t k = 0; k < side->edges_cnt[i] && side->change[i] == HP_SAME; k++) {
			const struct hp_ref *ref = &side->edges[i][k].ref;

			if (ref->part_idx == HP_NONE || ref->off == 0 || side->change[ref->part_idx] != HP_CHANGED ||
			    !hp_part_is_func(hp_side_part(side, ref->part_idx)))
				continue;
			side->change[i] = cmp->old_side.change[side->twin[i]] = HP_CHANGED;
			cmp->table[i] = ref->part_idx;
			found = 1;
		}
	}
	return found;
}

/* Old parts that the loop over the new ones does not reach. */
static int
compare_unpaired(struct hp_cmp *cmp, uint32_t old_part, struct hp_err *err)
{
	struct hp_side *os = &cmp->old_side;
	struct hp_mismatch mis;
	int r;

	if (os->ident[old_part] != HP_IDENT_NAME)
		return 0;
	if (os->twin[old_part] == HP_NONE) {
		os->change[old_part] = HP_REMOVED;
	} else if (hp_pair_is_joined(cmp->pair, old_part)) {
		r = hp_compare_parts(cmp, old_part, os->twin[old_part], &mis, err);
		if (r < 0)
			return r;
		os->change[old_part] = r == 1 ? HP_SAME : HP_CHANGED;
	}
	return 0;
}

int
hp_compare_all(struct hp_cmp *cmp, struct hp_err *err)
{
	struct hp_side *os = &cmp->old_side, *ns = &cmp->new_side;
	bool constants = false, code = false;
	int labels;

	for (uint32_t i = 0; i < ns->parts->cnt; i++) {
		struct hp_mismatch mis;
		int r;

		if (ns->ident[i] != HP_IDENT_NAME)
			continue;
		if (ns->twin[i] == HP_NONE) {
			ns->change[i] = HP_NEW;
			continue;
		}
		r = hp_compare_parts(cmp, ns->twin[i], i, &mis, err);
		if (r < 0)
			return r;
		if (r == 0) {
			ns->change[i] = os->change[ns->twin[i]] = HP_CHANGED;
			constants |= hp_side_part(ns, i)->kind == HP_PART_RODATA;
			code |= hp_side_part(ns, i)->kind == HP_PART_FUNC;
		}
	}
	for (uint32_t i = 0; i < os->parts->cnt; i++) {
		int r = compare_unpaired(cmp, i, err);

		if (r < 0)
			return r;
	}
	labels = code ? spread_labels(cmp, err) : 0;
	if (labels < 0)
		return labels;
	return constants || labels > 0 ? spread_constants(cmp, err) : 0;
}
