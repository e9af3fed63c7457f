/* Which places of anonymous data are referred to; and each function's exception table. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "differ/internal.h"

struct found {
	uint32_t sec_idx;
	uint64_t off;
};

struct finder {
	struct hp_side *side;
	bool *wanted; /* [secs] has anonymous parts */
	struct found *v;
	size_t cnt, cap;
};

static int
no_memory(const struct hp_side *side, struct hp_err *err)
{
	return hp_err_set(err, HP_E_NOMEM, "no memory for references of '%s'", hp_esc(side->elf->path));
}

static int
add_point(struct finder *f, uint32_t sec_idx, uint64_t off, struct hp_err *err)
{
	if (f->cnt == f->cap) {
		size_t cap = f->cap ? f->cap * 2 : 256;
		struct found *v = realloc(f->v, cap * sizeof(*v));

		if (v == NULL)
			return no_memory(f->side, err);
		f->v = v;
		f->cap = cap;
	}
	f->v[f->cnt++] = (struct found){ sec_idx, off };
	return 0;
}

/* Decoding is the dear part, so parts that do not refer to a wanted section are passed over by their relocations alone. */
static bool
refers_to_wanted(const struct finder *f, uint32_t part)
{
	const struct hp_part *p = hp_side_part(f->side, part);
	const struct hp_rel *rels = hp_part_rels(f->side->parts, part);
	const struct hp_elf *elf = f->side->elf;

	if (f->side->lsda_rel != NULL && f->side->lsda_rel[part] != HP_NONE)
		return true;
	for (uint32_t i = 0; i < p->rels_cnt; i++) {
		uint32_t sec = elf->syms_cnt > 0 ? elf->syms[rels[i].sym_idx].sec_idx : HP_SEC_UNDEF;

		if (sec < elf->secs_cnt && f->wanted[sec])
			return true;
	}
	return false;
}

static int
points_of_part(struct finder *f, uint32_t part, struct hp_err *err)
{
	struct hp_side *side = f->side;
	int r = hp_side_edges(side, part, err);

	for (uint32_t i = 0; i < side->edges_cnt[part] && r == 0; i++) {
		const struct hp_ref *ref = &side->edges[part][i].ref;
		const struct hp_part *to;

		if (ref->part_idx == HP_NONE || side->ident[ref->part_idx] == HP_IDENT_NAME)
			continue;
		to = hp_side_part(side, ref->part_idx);
		if (f->wanted[to->sec_idx])
			r = add_point(f, to->sec_idx, to->off + (uint64_t)ref->off, err);
	}
	return r;
}

/* Exception tables refer to clang's unnamed pointers to type_info objects, one after the other in .data. */
static bool
is_lsda_section(const struct hp_side *side, uint32_t sec_idx)
{
	return strncmp(side->elf->secs[sec_idx].name, ".gcc_except_table", 17) == 0;
}

static int
by_place(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->sec_idx != y->sec_idx)
		return x->sec_idx < y->sec_idx ? -1 : 1;
	return x->off < y->off ? -1 : x->off > y->off;
}

static int
store_points(struct finder *f, struct hp_err *err)
{
	uint64_t *all = hp_arena_array(&f->side->cmp->arena, f->cnt + 1, sizeof(*all));

	if (all == NULL)
		return no_memory(f->side, err);
	if (f->cnt > 0)
		qsort(f->v, f->cnt, sizeof(*f->v), by_place);
	for (size_t i = 0; i < f->cnt; i++) {
		all[i] = f->v[i].off;
		if (i == 0 || f->v[i].sec_idx != f->v[i - 1].sec_idx)
			f->side->points[f->v[i].sec_idx] = &all[i];
		f->side->points_cnt[f->v[i].sec_idx]++;
	}
	return 0;
}

int
hp_side_points(struct hp_side *side, struct hp_err *err)
{
	HP_AUTO(hp_mem) bool *wanted = calloc((size_t)side->elf->secs_cnt + 1, sizeof(*wanted));
	struct finder f = { .side = side, .wanted = wanted };
	int r = 0;

	if (side->points_ready)
		return 0;
	if (wanted == NULL)
		return no_memory(side, err);
	for (uint32_t i = 0; i < side->parts->cnt; i++) {
		const struct hp_part *p = hp_side_part(side, i);

		wanted[p->sec_idx] |= p->kind == HP_PART_ANON || p->kind == HP_PART_SPECIAL ||
		                      (side->ident[i] == HP_IDENT_CONTENT && p->sym_idx == HP_NONE && p->kind != HP_PART_MERGE);
	}
	for (uint32_t i = 0; i < side->parts->cnt && r == 0; i++)
		if ((hp_side_part(side, i)->kind != HP_PART_SPECIAL || is_lsda_section(side, hp_side_part(side, i)->sec_idx)) &&
		    refers_to_wanted(&f, i))
			r = points_of_part(&f, i, err);
	if (r == 0)
		r = store_points(&f, err);
	free(f.v);
	side->points_ready = r == 0;
	return r;
}

/* The place that relocation ${rel} names in a section of this object. */
static bool
rel_place(const struct hp_elf *elf, const struct hp_rel *rel, uint32_t *ret_sec, uint64_t *ret_off)
{
	const struct hp_sym *sym = elf->syms_cnt > 0 ? &elf->syms[rel->sym_idx] : NULL;

	if (sym == NULL || sym->sec_idx == HP_SEC_UNDEF || sym->sec_idx >= elf->secs_cnt)
		return false;
	*ret_sec = sym->sec_idx;
	*ret_off = sym->value + (uint64_t)rel->addend;
	return true;
}

/* An FDE's first relocation is its function, at byte 8; a further one in it is the exception table (LSB 10.6.1.1). The
 * augmentation need not be parsed for that. */
static void
walk_eh_frame(struct hp_side *side, const struct hp_sec *sec)
{
	const struct hp_rel *rels = sec->rels;
	uint32_t rel = 0, len, id;

	for (uint64_t at = 0; hp_elf_u32(side->elf, sec->data, at, &len) && len > 4 && len < 0xfffffff0u;) {
		uint64_t end = at + 4 + len, off;
		uint32_t part = HP_NONE, target;

		if (!hp_elf_u32(side->elf, sec->data, at + 4, &id))
			return;
		for (; rel < sec->rels_cnt && rels[rel].off < end; rel++) {
			if (id == 0 || !rel_place(side->elf, &rels[rel], &target, &off))
				continue;
			if (rels[rel].off == at + 8)
				part = hp_parts_at(side->parts, target, off);
			else if (part != HP_NONE && rels[rel].off > at + 8 &&
			         is_lsda_section(side, target))
				side->lsda_rel[part] = rel;
		}
		at = end;
	}
}

int
hp_side_lsda(struct hp_side *side, struct hp_err *err)
{
	bool any = false;

	for (uint32_t s = 1; s < side->elf->secs_cnt && !any; s++)
		any = is_lsda_section(side, s);
	if (!any)
		return 0;
	side->eh_sec = hp_elf_find_sec(side->elf, ".eh_frame");
	if (side->eh_sec == HP_NONE || side->elf->secs[side->eh_sec].rels_cnt == 0)
		return 0;
	side->lsda_rel = hp_arena_array(&side->cmp->arena, side->parts->cnt, sizeof(*side->lsda_rel));
	if (side->lsda_rel == NULL)
		return no_memory(side, err);
	memset(side->lsda_rel, 0xff, side->parts->cnt * sizeof(*side->lsda_rel));
	walk_eh_frame(side, &side->elf->secs[side->eh_sec]);
	return 0;
}

uint32_t
hp_side_lsda_edge(const struct hp_side *side, uint32_t part, struct hp_edge *ret)
{
	const struct hp_rel *rel = &side->elf->secs[side->eh_sec].rels[side->lsda_rel[part]];
	uint32_t sec, target;
	uint64_t off;

	if (!rel_place(side->elf, rel, &sec, &off) || (target = hp_parts_at(side->parts, sec, off)) == HP_NONE)
		return 0;
	*ret = (struct hp_edge){
		.off = hp_side_part(side, part)->len,
		.type = HP_EDGE_LSDA,
		.ref = { .part_idx = target, .off = (int64_t)(off - hp_side_part(side, target)->off) },
	};
	return 1;
}
