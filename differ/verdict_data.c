/* Verdict rules about variables and constants. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "differ/internal.h"

static int
add(struct hp_cmp *cmp, enum hp_rule_id id, struct hp_side *side, uint32_t part, struct hp_err *err, const char *message)
{
	const char *name = hp_part_name(side->parts, part), *file;
	char source[PATH_MAX + 24] = "";
	uint64_t line;

	if (hp_side_dwarf(side, NULL) > 0 && hp_dwarf_decl(side->dw, name, &file, &line, NULL) > 0)
		(void)snprintf(source, sizeof(source), "%.*s:%llu", PATH_MAX, file, (unsigned long long)line);
	return hp_reason_add(cmp->reasons, id, cmp->pair->path, name, source, err, "%s", message);
}

/* Itanium C++ ABI 5.1.4.1: vtables, VTTs, type_info objects and their names. */
static bool
is_cxx_table(const char *name)
{
	return strncmp(name, "_ZTV", 4) == 0 || strncmp(name, "_ZTT", 4) == 0 || strncmp(name, "_ZTI", 4) == 0 ||
	       strncmp(name, "_ZTS", 4) == 0;
}

static const char *
section_of(const struct hp_side *side, uint32_t part)
{
	return side->elf->secs[hp_side_part(side, part)->sec_idx].name;
}

static int
changed_constant(struct hp_cmp *cmp, uint32_t part, struct hp_err *err)
{
	struct hp_side *ns = &cmp->new_side;
	int r;

	if (is_cxx_table(hp_part_name(ns->parts, part)))
		return add(cmp, HP_RULE_VTABLE, ns, part, err, "objects that exist refer to the old one");
	r = add(cmp, HP_RULE_CONST_CHANGED, ns, part, err, "its readers are in the package with it");
	if (r == 0)
		r = hp_verdict_escapes(&cmp->old_side, ns->twin[part], err);
	if (r == 0)
		r = hp_verdict_escapes(ns, part, err);
	if (r == 1)
		r = add(cmp, HP_RULE_CONST_ESCAPES, ns, part, err, "code outside of the package may hold its old address");
	return r;
}

static bool
is_in_kernel_table(const struct hp_side *side, uint32_t part)
{
	return side->kernel && hp_name_is_kernel_table(section_of(side, part));
}

/* One reason a table, however many of its entries differ. */
static int
kernel_table(struct hp_cmp *cmp, const struct hp_side *side, uint32_t part, struct hp_err *err)
{
	return hp_reason_add(cmp->reasons, HP_RULE_KERNEL_TABLE, cmp->pair->path, section_of(side, part), NULL, err,
	                     "a kernel table differs");
}

static int
changed_data(struct hp_cmp *cmp, uint32_t part, struct hp_err *err)
{
	struct hp_side *ns = &cmp->new_side;
	const struct hp_part *o = hp_side_part(&cmp->old_side, ns->twin[part]), *n = hp_side_part(ns, part);

	if (is_in_kernel_table(ns, part))
		return kernel_table(cmp, ns, part, err);
	if ((o->kind == HP_PART_TLS) != (n->kind == HP_PART_TLS) || (o->kind == HP_PART_RODATA) != (n->kind == HP_PART_RODATA))
		return add(cmp, HP_RULE_STORAGE, ns, part, err, "moved between constant, writable and thread-local storage");
	if (n->kind == HP_PART_TLS)
		return add(cmp, HP_RULE_TLS, ns, part, err, "a thread-local variable changed");
	if (n->kind == HP_PART_RODATA)
		return changed_constant(cmp, part, err);
	if (o->len != n->len)
		return hp_reason_add(cmp->reasons, HP_RULE_DATA_SIZE, cmp->pair->path, hp_part_name(ns->parts, part), NULL, err,
		                     "%llu bytes became %llu", (unsigned long long)o->len, (unsigned long long)n->len);
	return add(cmp, HP_RULE_DATA_VALUE, ns, part, err, "the running process keeps its value, which started as the old one");
}

/* A section that linkers and programs treat as a table of its own (__start_X, __stop_X). */
static bool
is_custom_section(const char *name)
{
	return name[0] != '.';
}

static int
new_data(struct hp_cmp *cmp, uint32_t part, struct hp_err *err)
{
	struct hp_side *ns = &cmp->new_side;
	const struct hp_part *p = hp_side_part(ns, part);

	if (is_in_kernel_table(ns, part) || (ns->kernel && is_custom_section(section_of(ns, part))))
		return kernel_table(cmp, ns, part, err);
	if (p->kind == HP_PART_TLS)
		return add(cmp, HP_RULE_TLS, ns, part, err, "a new thread-local variable");
	if (is_custom_section(section_of(ns, part)))
		return hp_reason_add(cmp->reasons, HP_RULE_SECTION, cmp->pair->path, hp_part_name(ns->parts, part), NULL, err,
		                     "new entry in section '%s', which was collected when the program was linked",
		                     hp_esc(section_of(ns, part)));
	if (cmp->ambiguous[part] && hp_part_is_writable(p) && cmp->pair->include[part])
		return add(cmp, HP_RULE_AMBIGUOUS, ns, part, err,
		           "several variables of this name; which one it was cannot be told");
	if (hp_part_is_writable(p))
		return add(cmp, HP_RULE_DATA_NEW, ns, part, err,
		           cmp->pair->include[part] ? "in the package, with its initial value" : "not used by included code");
	return 0;
}

/* A variable whose twin was taken by position only: with a function that changed, nothing proves that it is the right one. */
static int
unproven_twin(struct hp_cmp *cmp, uint32_t part, struct hp_err *err)
{
	struct hp_side *ns = &cmp->new_side;

	for (uint32_t i = 0; i < ns->parts->cnt; i++) {
		int r;

		if (!hp_part_is_func(hp_side_part(ns, i)) || (ns->change[i] != HP_CHANGED && ns->change[i] != HP_NEW))
			continue;
		r = hp_side_edges(ns, i, err);
		for (uint32_t k = 0; k < ns->edges_cnt[i] && r == 0; k++)
			if (ns->edges[i][k].ref.part_idx == part)
				return add(cmp, HP_RULE_AMBIGUOUS, ns, part, err,
				           "several variables of this name; which one it was cannot be told");
		if (r < 0)
			return r;
	}
	return 0;
}

int
hp_verdict_data(struct hp_cmp *cmp, struct hp_err *err)
{
	struct hp_side *ns = &cmp->new_side, *os = &cmp->old_side;
	int r = 0;

	for (uint32_t i = 0; i < ns->parts->cnt && r == 0; i++) {
		if (ns->ident[i] != HP_IDENT_NAME || hp_part_is_func(hp_side_part(ns, i)))
			continue;
		if (ns->change[i] == HP_CHANGED)
			r = changed_data(cmp, i, err);
		else if (ns->change[i] == HP_NEW)
			r = new_data(cmp, i, err);
		if (r == 0 && cmp->ambiguous[i] && ns->twin[i] != HP_NONE && hp_part_is_writable(hp_side_part(ns, i)))
			r = unproven_twin(cmp, i, err);
	}
	for (uint32_t i = 0; i < os->parts->cnt && r == 0; i++)
		if (os->change[i] == HP_REMOVED && !hp_part_is_func(hp_side_part(os, i)))
			r = is_in_kernel_table(os, i) ?
				kernel_table(cmp, os, i, err) :
				add(cmp, HP_RULE_DATA_REMOVED, os, i, err, "not in the patched object; its storage stays");
	return r;
}
