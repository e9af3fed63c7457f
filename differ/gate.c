/* Type gate: what DWARF says about types, signatures, compiler and flags of both sides. */
#include <string.h>

#include "base/escape.h"
#include "differ/internal.h"

static struct hp_view
sec_data(const struct hp_elf *elf, const char *name)
{
	uint32_t s = hp_elf_find_sec(elf, name);

	return s == HP_NONE ? hp_view_of(NULL, 0) : elf->secs[s].data;
}

/* Types can differ only if one of these does. */
static bool
debug_differs(const struct hp_elf *o, const struct hp_elf *n)
{
	static const char *const names[] = { ".debug_info", ".debug_abbrev", ".debug_str", ".debug_types", ".rela.debug_info" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!hp_view_eq(sec_data(o, names[i]), sec_data(n, names[i])))
			return true;
	return false;
}

static int
compare_producers(struct hp_cmp *cmp, struct hp_err *err)
{
	const struct hp_dwarf_unit *o, *n;
	size_t o_cnt, n_cnt;
	int r = hp_dwarf_units(cmp->old_side.dw, &o, &o_cnt, err);

	if (r == 0)
		r = hp_dwarf_units(cmp->new_side.dw, &n, &n_cnt, err);
	for (size_t i = 0; r == 0 && i < n_cnt && i < o_cnt; i++)
		if (strcmp(o[i].producer, n[i].producer) != 0 || o[i].lang != n[i].lang)
			r = hp_reason_add(cmp->reasons, HP_RULE_PRODUCER, cmp->pair->path, NULL, NULL, err,
			                  "built by '%s', then by '%s'", hp_esc(o[i].producer), hp_esc(n[i].producer));
	return r;
}

static uint32_t
find_named(const struct hp_side *side, const char *name, bool func)
{
	for (uint32_t i = 0; i < side->parts->cnt; i++) {
		const struct hp_part *p = hp_side_part(side, i);

		if (side->ident[i] == HP_IDENT_NAME && hp_part_is_func(p) == func &&
		    strcmp(hp_part_name(side->parts, i), name) == 0)
			return i;
	}
	return HP_NONE;
}

/* Part ${i} may refer to a function whose signature changed: with a call, and it is replaced. */
static bool
goes_along(const struct hp_side *side, uint32_t i)
{
	const struct hp_cmp *cmp = side->cmp;

	if (side == &cmp->new_side)
		return cmp->pair->include[i];
	return side->change[i] == HP_CHANGED && cmp->pair->include[side->twin[i]];
}

/* Code of this object that is not in the package calls ${part}, or anything holds its address: a pointer to it may have been
 * stored before the switch. */
static int
has_other_callers(struct hp_side *side, uint32_t part, struct hp_err *err)
{
	for (uint32_t i = 0; i < side->parts->cnt; i++) {
		int r;

		if (side->ident[i] == HP_IDENT_WHOLE)
			continue;
		r = hp_side_edges(side, i, err);
		if (r < 0)
			return r;
		for (uint32_t k = 0; k < side->edges_cnt[i]; k++) {
			const struct hp_ref *ref = &side->edges[i][k].ref;

			if (ref->part_idx == part && i != part && !(ref->branch && ref->off == 0 && goes_along(side, i)))
				return 1;
		}
	}
	return 0;
}

/* Code that other modules can call is compiled in a way that lets them replace what it refers to. So this is no such code: a
 * direct reference to what another object defines, or to one's own data that is visible outside (x86-64 psABI 3.5: ld refuses
 * these in a shared object); or gcc, which records options, records no -fPIC. */
static bool
may_be_shared(struct hp_cmp *cmp)
{
	const struct hp_elf *elf = cmp->new_side.elf;
	const struct hp_dwarf_unit *units;
	size_t cnt;

	for (uint32_t s = 1; s < elf->secs_cnt; s++) {
		if ((elf->secs[s].flags & SHF_ALLOC) == 0)
			continue;
		for (uint32_t i = 0; i < elf->secs[s].rels_cnt; i++) {
			const struct hp_rel *rel = &elf->secs[s].rels[i];
			const struct hp_sym *sym = &elf->syms[rel->sym_idx];

			if (rel->type == R_X86_64_32 || rel->type == R_X86_64_32S ||
			    (rel->type == R_X86_64_PC32 && sym->bind == STB_GLOBAL && sym->vis == STV_DEFAULT &&
			     sym->type != STT_FUNC && (elf->secs[s].flags & SHF_EXECINSTR) != 0))
				return false;
		}
	}
	if (hp_dwarf_units(cmp->new_side.dw, &units, &cnt, NULL) < 0)
		return true;
	for (size_t i = 0; i < cnt; i++)
		if (strncmp(units[i].producer, "GNU ", 4) != 0 || strstr(units[i].producer, "-fpic") != NULL ||
		    strstr(units[i].producer, "-fPIC") != NULL)
			return true;
	return cnt == 0;
}

static bool
is_exportable(struct hp_cmp *cmp, uint32_t part)
{
	const struct hp_side *ns = &cmp->new_side;
	const struct hp_sym *sym = &ns->elf->syms[hp_side_part(ns, part)->sym_idx];

	/* With the baseline at hand the packager sees what is exported. */
	if (sym->bind == STB_LOCAL || sym->vis == STV_HIDDEN || sym->vis == STV_INTERNAL || cmp->baseline_known)
		return false;
	return ns->elf->machine != EM_X86_64 || may_be_shared(cmp);
}

static int
signature_differs(struct hp_cmp *cmp, const struct hp_type_diff *d, struct hp_err *err)
{
	uint32_t part = find_named(&cmp->new_side, d->name, true);
	const char *who = "other modules may call it";
	int r;

	/* Inlined everywhere, or new, or gone: no caller that could be wrong. */
	if (part == HP_NONE || cmp->new_side.twin[part] == HP_NONE)
		return 0;
	if (!is_exportable(cmp, part)) {
		r = has_other_callers(&cmp->new_side, part, err);
		if (r == 0)
			r = has_other_callers(&cmp->old_side, cmp->new_side.twin[part], err);
		if (r < 0)
			return r;
		if (r == 0) /* hp_callers_check() turns it into a refusal when another object calls it */
			return hp_reason_add(cmp->reasons, HP_RULE_CALLERS_GO_ALONG, cmp->pair->path, d->name, d->source, err,
			                     "%s", hp_esc(d->message));
		who = "code that is not in the package calls it, or something holds its address";
	}
	return hp_reason_add(cmp->reasons, HP_RULE_SIGNATURE, cmp->pair->path, d->name, d->source, err, "%s; %s",
	                     hp_esc(d->message), who);
}

static int
variable_differs(struct hp_cmp *cmp, const struct hp_type_diff *d, struct hp_err *err)
{
	uint32_t part = find_named(&cmp->new_side, d->name, false);

	if (part != HP_NONE && (cmp->new_side.twin[part] == HP_NONE || !hp_part_is_writable(hp_side_part(&cmp->new_side, part))))
		return 0;
	return hp_reason_add(cmp->reasons, HP_RULE_VARIABLE_TYPE, cmp->pair->path, d->name, d->source, err, "%s",
	                     hp_esc(d->message));
}

static int
type_differs(struct hp_cmp *cmp, const struct hp_type_diff *d, struct hp_err *err)
{
	enum hp_rule_id id = HP_RULE_TYPE_LAYOUT;

	switch (d->kind) {
	case HP_TYPE_SIGNATURE:
		return signature_differs(cmp, d, err);
	case HP_TYPE_VARIABLE:
		return variable_differs(cmp, d, err);
	case HP_TYPE_ENUM:
		id = HP_RULE_TYPE_ENUM;
		break;
	case HP_TYPE_SIZE:
	case HP_TYPE_MEMBER:
		if (d->brief)
			id = HP_RULE_TYPE_BRIEF;
		break;
	}
	return hp_reason_add(cmp->reasons, id, cmp->pair->path, d->name, d->source, err, "%s", hp_esc(d->message));
}

static bool
any_change(const struct hp_side *side)
{
	for (uint32_t i = 0; i < side->parts->cnt; i++)
		if (side->change[i] != HP_SAME)
			return true;
	return false;
}

int
hp_gate(struct hp_cmp *cmp, struct hp_err *err)
{
	struct hp_type_diff *diffs;
	size_t cnt;
	int o, n, r;

	if (!debug_differs(cmp->old_side.elf, cmp->new_side.elf) && hp_elf_find_sec(cmp->new_side.elf, ".debug_info") != HP_NONE)
		return 0;
	o = hp_side_dwarf(&cmp->old_side, err);
	n = o < 0 ? o : hp_side_dwarf(&cmp->new_side, err);
	if (n < 0)
		return n;
	if (o == 0 || n == 0) {
		if (!any_change(&cmp->new_side) && !any_change(&cmp->old_side))
			return 0;
		return hp_reason_add(cmp->reasons, HP_RULE_NO_DWARF, cmp->pair->path, NULL, NULL, err,
		                     "no debug information%s; types and flags were not compared",
		                     o == n   ? ""
		                     : o == 0 ? " in the original"
		                              : " in the patched object");
	}
	r = compare_producers(cmp, err);
	if (r == 0)
		r = hp_dwarf_compare_types(cmp->old_side.dw, cmp->new_side.dw, &diffs, &cnt, err);
	for (size_t i = 0; r == 0 && i < cnt; i++)
		r = type_differs(cmp, &diffs[i], err);
	return r;
}
