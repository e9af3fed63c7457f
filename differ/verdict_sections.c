/* Verdict rules about sections as a whole: constructors, code without a symbol, unknown sections. */
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "differ/internal.h"

enum section_use { USE_IGNORED, USE_INIT, USE_KERNEL, USE_CODE, USE_UNKNOWN };

static bool
starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

static bool
is_init(const char *name)
{
	static const char *const prefixes[] = { ".init_array", ".fini_array", ".preinit_array", ".ctors", ".dtors" };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (starts_with(name, prefixes[i]))
			return true;
	return false;
}

/* Sections that follow from the functions (unwind and exception tables, lists of patchable entries) or that nobody reads at run
 * time. */
static bool
is_derived(const char *name)
{
	static const char *const prefixes[] = { ".eh_frame", ".gcc_except_table", "__patchable_function_entries",
		                                ".note.",    ".sframe",           "__mcount_loc",
		                                ".llvm",     ".stack_sizes",      ".comment" };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (starts_with(name, prefixes[i]))
			return true;
	return false;
}

static enum section_use
part_use(const struct hp_side *side, uint32_t part)
{
	const struct hp_part *p = hp_side_part(side, part);
	const char *name = side->elf->secs[p->sec_idx].name;

	if (is_init(name))
		return USE_INIT;
	if (side->kernel && hp_name_is_kernel_table(name))
		return USE_KERNEL;
	if (p->kind == HP_PART_CODE)
		return USE_CODE;
	return is_derived(name) ? USE_IGNORED : USE_UNKNOWN;
}

static int
section_differs(struct hp_cmp *cmp, const struct hp_side *side, uint32_t part, struct hp_err *err)
{
	const char *name = side->elf->secs[hp_side_part(side, part)->sec_idx].name;
	enum hp_rule_id id = HP_RULE_SECTION;
	const char *message = "a loaded section of unknown use changed";

	switch (part_use(side, part)) {
	case USE_IGNORED:
		return 0;
	case USE_INIT:
		id = HP_RULE_INIT;
		message = "the list of constructors or destructors changed";
		break;
	case USE_KERNEL:
		id = HP_RULE_KERNEL_TABLE;
		message = "a kernel table differs";
		break;
	case USE_CODE:
		id = HP_RULE_STRAY_CODE;
		message = "code that no symbol covers changed";
		break;
	case USE_UNKNOWN:
		if (side->kernel)
			id = HP_RULE_KERNEL_TABLE;
		break;
	}
	return hp_reason_add(cmp->reasons, id, cmp->pair->path, name, NULL, err, "%s", message);
}

/* Special sections; and the entries that kernel macros make in tables of theirs, whose names say nothing. */
static bool
is_compared(const struct hp_side *side, uint32_t part)
{
	const struct hp_part *p = hp_side_part(side, part);

	if (side->ident[part] == HP_IDENT_WHOLE)
		return true;
	return side->kernel && side->ident[part] == HP_IDENT_CONTENT && p->sym_idx != HP_NONE &&
	       hp_name_is_kernel_table(side->elf->secs[p->sec_idx].name);
}

/* Key of a whole part: name of its section, and which of that name and section it is. */
static const char *
whole_key(struct hp_cmp *cmp, const struct hp_side *side, uint32_t part, struct hp_map *seen, struct hp_err *err)
{
	const char *name = side->elf->secs[hp_side_part(side, part)->sec_idx].name;
	uint64_t cnt = 0;

	(void)hp_map_get_str(seen, name, &cnt);
	if (hp_map_put_str(seen, name, cnt + 1, err) < 0)
		return NULL;
	return hp_arena_printf(&cmp->arena, "%llu %s", (unsigned long long)cnt, name);
}

static int
index_wholes(struct hp_cmp *cmp, const struct hp_side *side, struct hp_map *map, struct hp_err *err)
{
	HP_AUTO(hp_map) struct hp_map seen = { 0 };

	for (uint32_t i = 0; i < side->parts->cnt; i++) {
		const char *key;
		int r;

		if (!is_compared(side, i))
			continue;
		key = whole_key(cmp, side, i, &seen, err);
		if (key == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory for sections");
		r = hp_map_put_str(map, key, i, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int
compare_wholes(struct hp_cmp *cmp, struct hp_err *err)
{
	HP_AUTO(hp_map) struct hp_map olds = { 0 };
	HP_AUTO(hp_map) struct hp_map seen = { 0 };
	HP_AUTO(hp_map) struct hp_map found = { 0 };
	struct hp_side *ns = &cmp->new_side, *os = &cmp->old_side;
	int r = index_wholes(cmp, os, &olds, err);

	for (uint32_t i = 0; i < ns->parts->cnt && r == 0; i++) {
		struct hp_mismatch mis;
		const char *key;
		uint64_t old_part;

		if (!is_compared(ns, i))
			continue;
		key = whole_key(cmp, ns, i, &seen, err);
		if (key == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory for sections");
		if (!hp_map_get_str(&olds, key, &old_part)) {
			r = section_differs(cmp, ns, i, err);
			continue;
		}
		r = hp_map_put_str(&found, key, 1, err);
		if (r == 0 && part_use(ns, i) != USE_IGNORED)
			r = hp_compare_parts(cmp, (uint32_t)old_part, i, &mis, err) - 1;
		if (r == -1)
			r = section_differs(cmp, ns, i, err);
		else if (r < -1)
			r++;
	}
	hp_map_release(&seen);
	for (uint32_t i = 0; i < os->parts->cnt && r == 0; i++) {
		const char *key;
		uint64_t one;

		if (!is_compared(os, i))
			continue;
		key = whole_key(cmp, os, i, &seen, err);
		if (key == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory for sections");
		if (!hp_map_get_str(&found, key, &one))
			r = section_differs(cmp, os, i, err);
	}
	return r;
}

/* A table of unknown use that describes a place inside a function which changed (the label of an inline asm, such as a place that
 * may fault): whoever reads it knows the old body only, even when the entry itself reads the same on both sides. */
static int
described_places(struct hp_cmp *cmp, struct hp_err *err)
{
	struct hp_side *ns = &cmp->new_side;

	for (uint32_t i = 0; i < ns->parts->cnt; i++) {
		const char *name = ns->elf->secs[hp_side_part(ns, i)->sec_idx].name;
		int r;

		if (ns->ident[i] != HP_IDENT_WHOLE || part_use(ns, i) != USE_UNKNOWN || ns->kernel)
			continue;
		r = hp_side_edges(ns, i, err);
		for (uint32_t k = 0; k < ns->edges_cnt[i] && r == 0; k++) {
			const struct hp_ref *ref = &ns->edges[i][k].ref;

			if (ref->part_idx != HP_NONE && ref->off != 0 && hp_part_is_func(hp_side_part(ns, ref->part_idx)) &&
			    ns->change[ref->part_idx] == HP_CHANGED)
				r = hp_reason_add(cmp->reasons, HP_RULE_SECTION, cmp->pair->path,
				                  hp_part_name(ns->parts, ref->part_idx),
				                  cmp->pair->diff[ref->part_idx].source, err,
				                  "section '%s' describes a place in this function, which changed", hp_esc(name));
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* Functions that .init_array and its kin call: they have run. */
static int
changed_constructors(struct hp_cmp *cmp, struct hp_err *err)
{
	struct hp_side *ns = &cmp->new_side;

	for (uint32_t i = 0; i < ns->parts->cnt; i++) {
		int r;

		if (ns->ident[i] != HP_IDENT_WHOLE || part_use(ns, i) != USE_INIT)
			continue;
		r = hp_side_edges(ns, i, err);
		for (uint32_t k = 0; k < ns->edges_cnt[i] && r == 0; k++) {
			uint32_t to = ns->edges[i][k].ref.part_idx;

			if (to != HP_NONE && (ns->change[to] == HP_CHANGED || ns->change[to] == HP_NEW))
				r = hp_reason_add(cmp->reasons, HP_RULE_INIT, cmp->pair->path, hp_part_name(ns->parts, to),
				                  cmp->pair->diff[to].source, err,
				                  "a constructor or destructor %s; it runs when the module is loaded or unloaded",
				                  ns->change[to] == HP_NEW ? "is new" : "changed");
		}
		if (r < 0)
			return r;
	}
	return 0;
}

int
hp_verdict_sections(struct hp_cmp *cmp, struct hp_err *err)
{
	int r = compare_wholes(cmp, err);

	if (r == 0)
		r = described_places(cmp, err);
	return r < 0 ? r : changed_constructors(cmp, err);
}
