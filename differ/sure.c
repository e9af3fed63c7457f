/* Most functions of two builds have equal bytes and equal relocations: the same types, places and addends. Then all that decoding
 * would tell (where the CPU counts from, what is a branch) is the same on both sides and need not be known; it is enough that
 * each pair of symbols surely means the same. What is not sure here takes the long way of compare.c. */
#include <string.h>

#include "differ/internal.h"

/* The only part of its section, HP_NONE: none or several. */
static uint32_t
sole_part(const struct hp_side *side, uint32_t sec_idx)
{
	uint32_t first = side->parts->sec_first[sec_idx];

	return side->parts->sec_first[sec_idx + 1] - first == 1 ? first : HP_NONE;
}

static const struct hp_sym *
rel_sym(const struct hp_side *side, const struct hp_rel *rel)
{
	return &side->elf->syms[rel->sym_idx];
}

static bool
is_inside(const struct hp_side *side, const struct hp_sym *sym)
{
	return sym->sec_idx != HP_SEC_UNDEF && sym->sec_idx < side->elf->secs_cnt;
}

/* ${rel}'s symbol is inside of one part, whatever is added to it: that part; else HP_NONE. */
static uint32_t
named_part(const struct hp_side *side, const struct hp_rel *rel)
{
	const struct hp_sym *sym = rel_sym(side, rel);

	if (!is_inside(side, sym))
		return HP_NONE;
	return sym->type == STT_SECTION ? sole_part(side, sym->sec_idx) : side->parts->sym_part[rel->sym_idx];
}

/* Both lead to the same place of twins. */
static bool
same_named(const struct hp_cmp *cmp, const struct hp_rel *orel, const struct hp_rel *nrel)
{
	const struct hp_side *os = &cmp->old_side, *ns = &cmp->new_side;
	uint32_t o = named_part(os, orel), n = named_part(ns, nrel);

	return o != HP_NONE && n != HP_NONE && os->twin[o] == n &&
	       rel_sym(os, orel)->value - hp_side_part(os, o)->off == rel_sym(ns, nrel)->value - hp_side_part(ns, n)->off;
}

/* Nothing but anonymous content that cannot be written to. */
static bool
is_content(const struct hp_side *side, uint32_t sec_idx)
{
	const struct hp_sec *sec = &side->elf->secs[sec_idx];

	for (uint32_t i = side->parts->sec_first[sec_idx]; i < side->parts->sec_first[sec_idx + 1]; i++)
		if (side->ident[i] != HP_IDENT_CONTENT)
			return false;
	return (sec->flags & SHF_WRITE) == 0 && sec->data.len > 0;
}

/* Jump tables: every entry leads to the same place of a named function. */
static bool
same_rels(const struct hp_cmp *cmp, const struct hp_sec *o, const struct hp_sec *n)
{
	if (o->rels_cnt != n->rels_cnt)
		return false;
	for (uint32_t i = 0; i < o->rels_cnt; i++)
		if (o->rels[i].off != n->rels[i].off || o->rels[i].type != n->rels[i].type ||
		    o->rels[i].addend != n->rels[i].addend || !same_named(cmp, &o->rels[i], &n->rels[i]))
			return false;
	return true;
}

/* In a mergeable section every entry is complete by itself, so a common beginning counts up to the end of its last entry; other
 * sections must be equal as a whole, since nothing says where a content ends. */
static uint64_t
common_front(const struct hp_cmp *cmp, const struct hp_sec *o, const struct hp_sec *n)
{
	uint64_t len = o->data.len < n->data.len ? o->data.len : n->data.len, at = 0;

	if (o->type != n->type || o->flags != n->flags || o->entsize != n->entsize)
		return 0;
	while (at < len && o->data.p[at] == n->data.p[at])
		at++;
	if (at == o->data.len && at == n->data.len)
		return same_rels(cmp, o, n) ? UINT64_MAX : 0;
	if ((o->flags & SHF_MERGE) == 0 || o->rels_cnt > 0 || n->rels_cnt > 0 || o->entsize == 0)
		return 0;
	if ((o->flags & SHF_STRINGS) == 0)
		return at - at % o->entsize;
	if (o->entsize != 1)
		return 0;
	while (at > 0 && o->data.p[at - 1] != '\0')
		at--;
	return at;
}

/* Content that begins before this offset is equal, and at the same offset; UINT64_MAX: all is. Each section of the original is
 * looked at once, with the first section that it is compared with. */
static uint64_t
front_len(struct hp_cmp *cmp, uint32_t old_sec, uint32_t new_sec)
{
	const struct hp_elf *o = cmp->old_side.elf, *n = cmp->new_side.elf;
	struct hp_front *front;

	if (cmp->fronts == NULL)
		cmp->fronts = hp_arena_array(&cmp->arena, o->secs_cnt, sizeof(*cmp->fronts));
	if (cmp->fronts == NULL)
		return 0;
	front = &cmp->fronts[old_sec];
	if (front->new_sec == 0) {
		front->new_sec = new_sec;
		if (is_content(&cmp->old_side, old_sec) && is_content(&cmp->new_side, new_sec))
			front->len = common_front(cmp, &o->secs[old_sec], &n->secs[new_sec]);
	}
	return front->new_sec == new_sec ? front->len : 0;
}

/* The same anonymous content. The CPU counts from the end of the instruction, which is 4 to 8 bytes behind the field, the same
 * number on both sides: all of these places must be in the common front. In equal sections any of them will do. */
static bool
same_content(struct hp_cmp *cmp, const struct hp_rel *orel, const struct hp_rel *nrel)
{
	const struct hp_sym *o = rel_sym(&cmp->old_side, orel), *n = rel_sym(&cmp->new_side, nrel);
	uint64_t front;
	int64_t at;

	if (cmp->old_side.elf->machine != EM_X86_64 || !is_inside(&cmp->old_side, o) || !is_inside(&cmp->new_side, n) ||
	    o->value != n->value || o->value > INT32_MAX || orel->addend > INT32_MAX)
		return false;
	at = (int64_t)o->value + orel->addend;
	if (at < (orel->type == R_X86_64_PC32 ? -4 : 0))
		return false;
	front = front_len(cmp, o->sec_idx, n->sec_idx);
	return front == UINT64_MAX ? (uint64_t)(at + 4) < cmp->old_side.elf->secs[o->sec_idx].len : (uint64_t)(at + 8) < front;
}

static bool
same_target(struct hp_cmp *cmp, const struct hp_rel *orel, const struct hp_rel *nrel)
{
	const struct hp_sym *o = rel_sym(&cmp->old_side, orel), *n = rel_sym(&cmp->new_side, nrel);

	if (o->sec_idx == HP_SEC_UNDEF && n->sec_idx == HP_SEC_UNDEF)
		return o->name[0] != '\0' && strcmp(o->name, n->name) == 0;
	return same_named(cmp, orel, nrel) || same_content(cmp, orel, nrel);
}

/* Functions whose section holds more than one part may have references without a relocation; bytes are equal then only if these
 * distances are too, and that is the long way's job. So are exception tables. */
static bool
may_have_more(const struct hp_side *side, uint32_t part)
{
	const struct hp_part *p = hp_side_part(side, part);

	return (hp_part_is_func(p) && sole_part(side, p->sec_idx) == HP_NONE) ||
	       (side->lsda_rel != NULL && side->lsda_rel[part] != HP_NONE) || (p->rels_cnt > 0 && side->elf->syms_cnt == 0);
}

bool
hp_surely_equal(struct hp_cmp *cmp, uint32_t old_part, uint32_t new_part)
{
	const struct hp_side *os = &cmp->old_side, *ns = &cmp->new_side;
	const struct hp_part *o = hp_side_part(os, old_part), *n = hp_side_part(ns, new_part);
	const struct hp_rel *orel = hp_part_rels(os->parts, old_part), *nrel = hp_part_rels(ns->parts, new_part);

	if (o->rels_cnt != n->rels_cnt || o->kind != n->kind || may_have_more(os, old_part) || may_have_more(ns, new_part) ||
	    !hp_view_eq(hp_part_bytes(os->parts, old_part), hp_part_bytes(ns->parts, new_part)))
		return false;
	for (uint32_t i = 0; i < o->rels_cnt; i++)
		if (orel[i].off - o->off != nrel[i].off - n->off || orel[i].type != nrel[i].type ||
		    orel[i].addend != nrel[i].addend || !same_target(cmp, &orel[i], &nrel[i]))
			return false;
	return true;
}
