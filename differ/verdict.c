/* Verdict rules about functions: see docs/rules.md. */
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "differ/internal.h"
#include "formats/hooks.h"

/* A redirection is a 5-byte jump (applier). */
#define ENTRY_LEN 5

static bool
has_type(const struct hp_side *side, uint32_t part, uint8_t type)
{
	const struct hp_part *p = hp_side_part(side, part);

	for (uint32_t k = 0; k < p->syms_cnt; k++)
		if (side->elf->syms[side->parts->part_syms[p->syms_first + k]].type == type)
			return true;
	return false;
}

static int
add(struct hp_cmp *cmp, enum hp_rule_id id, const struct hp_side *side, uint32_t part, struct hp_err *err, const char *message)
{
	const char *source = side == &cmp->new_side ? cmp->pair->diff[part].source : "";

	return hp_reason_add(cmp->reasons, id, cmp->pair->path, hp_part_name(side->parts, part), source, err, "%s", message);
}

/* Kernel and modules free .init.text when they have started. */
static bool
is_kernel_init(const struct hp_side *side, uint32_t part)
{
	return side->kernel && strncmp(side->elf->secs[hp_side_part(side, part)->sec_idx].name, ".init.text", 10) == 0;
}

static int
changed_function(struct hp_cmp *cmp, uint32_t part, struct hp_err *err)
{
	const struct hp_side *ns = &cmp->new_side, *os = &cmp->old_side;
	uint32_t old_part = ns->twin[part];
	size_t len;
	int r = 0;

	if (ns->elf->secs[hp_side_part(ns, part)->sec_idx].group != NULL)
		r = add(cmp, HP_RULE_COMDAT, ns, part, err,
		        "in a COMDAT group: every object with a copy must have been built again");
	if (r == 0 && (has_type(ns, part, STT_GNU_IFUNC) || has_type(os, old_part, STT_GNU_IFUNC)))
		r = add(cmp, HP_RULE_IFUNC, ns, part, err, "the resolver of an indirect function changed; it has run already");
	if (r == 0 && (is_kernel_init(ns, part) || is_kernel_init(os, old_part)))
		r = add(cmp, HP_RULE_INIT, ns, part, err, "in .init.text: it has run, and its memory may be free");
	if (r == 0 && ns->elf->machine == EM_X86_64 && hp_side_part(os, old_part)->len < ENTRY_LEN &&
	    !hp_name_is_piece(hp_part_name(ns->parts, part), &len))
		r = hp_reason_add(cmp->reasons, HP_RULE_TOO_SHORT, cmp->pair->path, hp_part_name(ns->parts, part),
		                  cmp->pair->diff[part].source, err, "the old function has %llu bytes, a redirection needs %d",
		                  (unsigned long long)hp_side_part(os, old_part)->len, ENTRY_LEN);
	return r;
}

static int
scope_changed(struct hp_cmp *cmp, uint32_t part, struct hp_err *err)
{
	const struct hp_side *ns = &cmp->new_side, *os = &cmp->old_side;
	bool was_local = os->elf->syms[hp_side_part(os, ns->twin[part])->sym_idx].bind == STB_LOCAL;
	bool is_local = ns->elf->syms[hp_side_part(ns, part)->sym_idx].bind == STB_LOCAL;

	if (was_local == is_local || strcmp(hp_part_name(ns->parts, part), hp_part_name(os->parts, ns->twin[part])) != 0)
		return 0;
	return add(cmp, HP_RULE_SCOPE, ns, part, err, is_local ? "was global, is local" : "was local, is global");
}

/* A function that shares another one's body now, and did something else before. */
static int
alias_joined(struct hp_cmp *cmp, uint32_t old_part, struct hp_err *err)
{
	const struct hp_side *ns = &cmp->new_side, *os = &cmp->old_side;
	uint32_t part = os->twin[old_part];

	return hp_reason_add(cmp->reasons, HP_RULE_ALIAS_SPLIT, cmp->pair->path, hp_part_name(os->parts, old_part),
	                     hp_side_line(&cmp->new_side, part, 0), err,
	                     "had a body of its own in the original, and shares that of '%s' now, which does something else",
	                     hp_esc(hp_part_name(os->parts, ns->twin[part])));
}

/* Symbols of one old body that have other bodies now. */
static int
alias_split(struct hp_cmp *cmp, uint32_t part, const struct hp_map *names, struct hp_err *err)
{
	const struct hp_side *ns = &cmp->new_side, *os = &cmp->old_side;
	uint32_t old_part = ns->twin[part];
	const struct hp_part *o = hp_side_part(os, old_part);

	for (uint32_t k = 0; k < o->syms_cnt && o->syms_cnt > 1; k++) {
		const char *name = os->elf->syms[os->parts->part_syms[o->syms_first + k]].name;
		uint64_t now;
		int r;

		if (!hp_map_get_str(names, name, &now) || now == part)
			continue;
		r = hp_reason_add(cmp->reasons, HP_RULE_ALIAS_SPLIT, cmp->pair->path, name, cmp->pair->diff[now].source, err,
		                  "shared one body with '%s' in the original, and has its own now",
		                  hp_esc(hp_part_name(ns->parts, part)));
		if (r < 0)
			return r;
	}
	return 0;
}

/* Not a function of the program: it runs when the package is applied or reverted, and only then. */
static int
hook(struct hp_cmp *cmp, uint32_t part, struct hp_err *err)
{
	const struct hp_side *ns = &cmp->new_side;
	const char *section = ns->elf->secs[hp_side_part(ns, part)->sec_idx].name, *when = hp_hook_when(section);
	const char *name = hp_part_name(ns->parts, part);

	if (when == NULL)
		return hp_reason_add(cmp->reasons, HP_RULE_SECTION, cmp->pair->path, name, NULL, err,
		                     "a hook of a kind that this version does not know, by its section '%s'", hp_esc(section));
	return hp_reason_add(cmp->reasons, HP_RULE_HOOK, cmp->pair->path, hp_hook_name(section, name), NULL, err,
	                     "called in the process: %s", when);
}

static int
one_function(struct hp_cmp *cmp, uint32_t part, const struct hp_map *names, struct hp_err *err)
{
	const struct hp_side *ns = &cmp->new_side;
	int r = 0;

	if (hp_side_is_hook(ns, part))
		return hook(cmp, part, err);
	if (ns->change[part] == HP_CHANGED)
		r = changed_function(cmp, part, err);
	else if (ns->change[part] == HP_NEW && cmp->ambiguous[part] && hp_name_is_closure(hp_part_name(ns->parts, part)))
		r = add(cmp, HP_RULE_AMBIGUOUS, ns, part, err,
		        "several lambdas here; which one it was cannot be told, and whoever holds the old one runs its old code");
	else if (ns->change[part] == HP_NOISE)
		r = add(cmp, HP_RULE_LINE_NOISE, ns, part, err, cmp->pair->diff[part].why);
	else if (has_type(ns, part, STT_GNU_IFUNC) &&
	         (ns->twin[part] == HP_NONE || !has_type(&cmp->old_side, ns->twin[part], STT_GNU_IFUNC)))
		r = add(cmp, HP_RULE_IFUNC, ns, part, err, "a new indirect function");
	if (r == 0 && ns->twin[part] != HP_NONE) {
		r = scope_changed(cmp, part, err);
		if (r == 0)
			r = alias_split(cmp, part, names, err);
	}
	return r;
}

int
hp_verdict_pair(struct hp_cmp *cmp, struct hp_err *err)
{
	HP_AUTO(hp_map) struct hp_map names = { 0 };
	int r = hp_side_functions(&cmp->new_side, &names, err);

	for (uint32_t i = 0; i < cmp->new_side.parts->cnt && r == 0; i++)
		if (cmp->new_side.ident[i] == HP_IDENT_NAME && hp_part_is_func(hp_side_part(&cmp->new_side, i)))
			r = one_function(cmp, i, &names, err);
	for (uint32_t i = 0; i < cmp->old_side.parts->cnt && r == 0; i++) {
		if (!hp_part_is_func(hp_side_part(&cmp->old_side, i)))
			continue;
		if (cmp->old_side.change[i] == HP_REMOVED)
			r = add(cmp, has_type(&cmp->old_side, i, STT_GNU_IFUNC) ? HP_RULE_IFUNC : HP_RULE_FUNC_REMOVED,
			        &cmp->old_side, i, err, "not in the patched object; its code stays");
		else if (cmp->old_side.change[i] == HP_CHANGED && hp_pair_is_joined(cmp->pair, i))
			r = alias_joined(cmp, i, err);
	}
	if (r == 0)
		r = hp_verdict_data(cmp, err);
	if (r == 0)
		r = hp_verdict_sections(cmp, err);
	return r;
}
