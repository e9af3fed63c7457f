/* One object of a pair as the differ sees it: what kind of identity each part has, and what it refers to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "differ/internal.h"
#include "formats/hooks.h"
#include "formats/insn_x86.h"

static int
no_memory(const struct hp_side *side, struct hp_err *err)
{
	return hp_err_set(err, HP_E_NOMEM, "no memory to compare '%s'", hp_esc(side->elf->path));
}

static uint8_t
part_ident(const struct hp_side *side, const struct hp_part *p)
{
	const struct hp_sym *sym;

	if (p->kind == HP_PART_SPECIAL || p->kind == HP_PART_CODE)
		return HP_IDENT_WHOLE;
	if (p->sym_idx == HP_NONE)
		return HP_IDENT_CONTENT;
	sym = &side->elf->syms[p->sym_idx];
	if (p->kind != HP_PART_FUNC && sym->bind == STB_LOCAL && hp_name_is_content(sym->name, side->kernel))
		return HP_IDENT_CONTENT;
	return HP_IDENT_NAME;
}

bool
hp_side_is_hook(const struct hp_side *side, uint32_t part)
{
	const struct hp_part *p = hp_side_part(side, part);

	return p->kind == HP_PART_FUNC && hp_hook_section(side->elf->secs[p->sec_idx].name);
}

/* Not __mcount_loc: gcc -mrecord-mcount makes it in any program. */
static bool
is_kernel_object(const struct hp_elf *elf)
{
	static const char *const names[] = { ".modinfo",          "__bug_table",   ".orc_unwind", "__jump_table",
		                             ".altinstructions",  ".return_sites", "__param",     ".static_call_sites",
		                             "__ksymtab_strings", "__versions" };
	static const char *const prefixes[] = { ".discard.", "___ksymtab", ".initcall" };

	for (uint32_t s = 1; s < elf->secs_cnt; s++) {
		for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
			if (strncmp(elf->secs[s].name, prefixes[i], strlen(prefixes[i])) == 0)
				return true;
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if (strcmp(elf->secs[s].name, names[i]) == 0)
				return true;
	}
	return false;
}

int
hp_side_init(struct hp_cmp *cmp, struct hp_side *side, const struct hp_object *obj, uint32_t *twin, uint8_t *change,
             struct hp_err *err)
{
	size_t cnt = obj->parts->cnt;

	*side = (struct hp_side){ .cmp = cmp, .elf = obj->elf, .parts = obj->parts, .twin = twin, .change = change };
	side->kernel = !cmp->baseline_known && is_kernel_object(obj->elf); /* baselines are programs and libraries */
	side->ident = hp_arena_array(&cmp->arena, cnt, sizeof(*side->ident));
	side->edges = hp_arena_array(&cmp->arena, cnt, sizeof(*side->edges));
	side->edges_cnt = hp_arena_array(&cmp->arena, cnt, sizeof(*side->edges_cnt));
	side->points = hp_arena_array(&cmp->arena, obj->elf->secs_cnt, sizeof(*side->points));
	side->points_cnt = hp_arena_array(&cmp->arena, obj->elf->secs_cnt, sizeof(*side->points_cnt));
	if (side->ident == NULL || side->edges == NULL || side->edges_cnt == NULL || side->points == NULL ||
	    side->points_cnt == NULL)
		return no_memory(side, err);
	for (uint32_t i = 0; i < cnt; i++) {
		side->ident[i] = part_ident(side, hp_side_part(side, i));
		side->twin[i] = HP_NONE;
	}
	return hp_side_lsda(side, err);
}

void
hp_side_release(struct hp_side *side)
{
	hp_dwarf_free(side->dw);
	side->dw = NULL;
}

/* Calls, jumps and addresses within one section need no relocation when their target is a local symbol: the assembler fills
 * the distance in. Between functions of one section such a distance changes when anything in between grows, so it has to be
 * seen as what it is, a reference to the other function. Appends to ${edges}, unsorted. */
static uint32_t
add_resolved(struct hp_side *side, uint32_t part, struct hp_edge *edges, uint32_t cnt, uint32_t cap)
{
	const struct hp_part *p = hp_side_part(side, part);
	const struct hp_rel *rels = hp_part_rels(side->parts, part);
	struct hp_view code = hp_part_bytes(side->parts, part);
	struct hp_insn insn;
	uint32_t rel = 0;

	for (uint64_t off = 0; off < code.len; off += insn.len) {
		uint64_t field, to;
		uint32_t target;

		if (!hp_insn_decode(code, off, &insn)) {
			insn.len = 1;
			continue;
		}
		if (insn.rel_len == 0 && !insn.rip_rel)
			continue;
		field = off + (insn.rel_len > 0 ? insn.rel_off : insn.disp_off);
		while (rel < p->rels_cnt && rels[rel].off - p->off < field)
			rel++;
		if (rel < p->rels_cnt && rels[rel].off - p->off == field)
			continue;
		to = p->off + off + insn.len + (uint64_t)(insn.rel_len > 0 ? insn.rel : insn.disp);
		if (to - p->off < p->len || to >= side->elf->secs[p->sec_idx].len || cnt == cap)
			continue;
		target = hp_parts_at(side->parts, p->sec_idx, to);
		if (target == HP_NONE)
			continue;
		edges[cnt++] = (struct hp_edge){
			.off = field,
			.type = HP_EDGE_RESOLVED,
			.ref = { .part_idx = target,
			         .sym_idx = 0,
			         .off = (int64_t)(to - hp_side_part(side, target)->off),
			         .pc_rel = true,
			         .branch = insn.rel_len > 0,
			         .call = insn.call,
			         .width = insn.rel_len > 0 ? insn.rel_len : insn.disp_len },
		};
	}
	return cnt;
}

static int
by_off(const void *a, const void *b)
{
	const struct hp_edge *x = a, *y = b;

	return x->off != y->off ? (x->off < y->off ? -1 : 1) : x->type < y->type ? -1 : x->type > y->type;
}

static bool
may_have_resolved(const struct hp_side *side, const struct hp_part *p)
{
	return p->kind == HP_PART_FUNC && side->elf->machine == EM_X86_64 &&
	       side->parts->sec_first[p->sec_idx + 1] - side->parts->sec_first[p->sec_idx] > 1;
}

/* The smallest instruction with a relative operand has two bytes. */
static uint64_t
edges_max(const struct hp_side *side, const struct hp_part *p)
{
	return (uint64_t)p->rels_cnt + 1 + (may_have_resolved(side, p) ? p->len / 2 + 1 : 0);
}

int
hp_side_edges(struct hp_side *side, uint32_t part, struct hp_err *err)
{
	const struct hp_part *p = hp_side_part(side, part);
	const struct hp_rel *rels = hp_part_rels(side->parts, part);
	struct hp_ref_cursor cur = HP_REF_CURSOR_INIT;
	uint64_t cap = edges_max(side, p);
	HP_AUTO(hp_mem) struct hp_edge *edges = NULL;
	uint32_t cnt = 0;

	if (side->edges[part] != NULL)
		return 0;
	if (cap > UINT32_MAX || (edges = calloc((size_t)cap, sizeof(*edges))) == NULL)
		return no_memory(side, err);
	for (uint32_t i = 0; i < p->rels_cnt; i++) {
		int r = hp_ref_resolve(side->parts, part, &rels[i], &cur, &edges[cnt].ref, err);

		if (r < 0)
			return r;
		edges[cnt].off = rels[i].off - p->off;
		edges[cnt].type = rels[i].type;
		if (!edges[cnt].ref.none)
			cnt++;
	}
	if (may_have_resolved(side, p))
		cnt = add_resolved(side, part, edges, cnt, (uint32_t)cap - 1);
	if (side->lsda_rel != NULL && side->lsda_rel[part] != HP_NONE)
		cnt += hp_side_lsda_edge(side, part, &edges[cnt]);
	qsort(edges, cnt, sizeof(*edges), by_off);
	side->edges[part] = hp_arena_array(&side->cmp->arena, (size_t)cnt + 1, sizeof(*edges));
	if (side->edges[part] == NULL)
		return no_memory(side, err);
	memcpy(side->edges[part], edges, cnt * sizeof(*edges));
	side->edges_cnt[part] = cnt;
	return 0;
}

uint64_t
hp_side_name_hash(const struct hp_side *side, const char *name)
{
	const char *plain = hp_name_is_closure(name) ? hp_name_plain(&side->cmp->arena, name) : name;

	name = plain != NULL ? plain : name;
	return hp_hash(name, hp_name_base_len(name));
}

uint64_t
hp_side_owner(const struct hp_side *side, uint32_t part)
{
	const struct hp_part *p = hp_side_part(side, part);
	const char *name = hp_part_name(side->parts, part);

	if (p->sym_idx == HP_NONE)
		return hp_hash_mix(part, p->sec_idx);
	return hp_side_name_hash(side, name);
}

int
hp_side_dwarf(struct hp_side *side, struct hp_err *err)
{
	int r;

	if (!side->dw_tried) {
		side->dw_tried = true;
		r = hp_dwarf_open(side->elf, &side->dw, err);
		if (r < 0)
			return r;
	}
	return side->dw != NULL;
}

const char *
hp_side_line(struct hp_side *side, uint32_t part, uint64_t off)
{
	const struct hp_part *p = hp_side_part(side, part);
	const char *file, *text;
	uint64_t line;

	if (hp_side_dwarf(side, NULL) <= 0 || hp_dwarf_line(side->dw, p->sec_idx, p->off + off, &file, &line, NULL) <= 0)
		return "";
	text = hp_arena_printf(&side->elf->arena, "%s:%llu", file, (unsigned long long)line);
	return text != NULL ? text : "";
}

int
hp_side_functions(const struct hp_side *side, struct hp_map *map, struct hp_err *err)
{
	for (uint32_t i = 0; i < side->parts->cnt; i++) {
		const struct hp_part *p = hp_side_part(side, i);

		for (uint32_t k = 0; hp_part_is_func(p) && k < p->syms_cnt; k++) {
			int r = hp_map_put_str(map, side->elf->syms[side->parts->part_syms[p->syms_first + k]].name, i, err);

			if (r < 0)
				return r;
		}
	}
	return 0;
}
