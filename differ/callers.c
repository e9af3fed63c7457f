/* Functions whose signature changed, and who calls them from other objects. One object alone cannot tell; so the gate notes those
 * whose callers in their own object all go along, and here, when all objects have been compared, each note stands or becomes
 * a refusal. Objects that are the same on both sides were not opened so far; they are now, which only such a change costs. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/file.h"
#include "base/map.h"
#include "differ/result.h"
#include "formats/limits.h"

struct callers {
	struct hp_map names; /* of functions -> index in found; keys are the reasons' */
	size_t *found;       /* 0, or 1 + index of the file that calls it from outside of the package */
	const struct hp_tree *tree;
};

static void
called_from(struct callers *c, const char *name, size_t file)
{
	uint64_t i;

	if (hp_map_get_str(&c->names, name, &i) && c->found[i] == 0)
		c->found[i] = file + 1;
}

/* Any mention in an object that stays as it is. */
static void
check_unchanged(struct callers *c, const struct hp_elf *elf, size_t file)
{
	for (uint32_t i = 1; i < elf->syms_cnt; i++)
		if (elf->syms[i].sec_idx == HP_SEC_UNDEF && elf->syms[i].name[0] != '\0')
			called_from(c, elf->syms[i].name, file);
}

static bool
goes_along(const struct hp_pair *pair, bool old_side, uint32_t part)
{
	if (!old_side)
		return pair->include[part];
	return pair->old_change[part] == HP_CHANGED && pair->old_twin[part] != HP_NONE && pair->include[pair->old_twin[part]];
}

/* Calls from what is replaced are fine, anything else is not. */
static void
check_changed(struct callers *c, const struct hp_pair *pair, bool old_side, size_t file)
{
	const struct hp_parts *parts = old_side ? pair->old_obj->parts : pair->new_obj->parts;

	for (uint32_t i = 0; i < parts->cnt; i++) {
		const struct hp_rel *rels = hp_part_rels(parts, i);
		bool fine = parts->v[i].kind == HP_PART_FUNC && goes_along(pair, old_side, i);

		for (uint32_t k = 0; k < parts->v[i].rels_cnt; k++) {
			const struct hp_sym *sym = &parts->elf->syms[rels[k].sym_idx];

			if (sym->sec_idx == HP_SEC_UNDEF && !(fine && rels[k].type == R_X86_64_PLT32))
				called_from(c, sym->name, file);
		}
	}
}

static int
check_file(struct callers *c, const struct hp_pair *pair, size_t file, struct hp_err *err)
{
	HP_AUTO(hp_elf) struct hp_elf *elf = NULL;
	HP_AUTO(hp_buf) struct hp_buf buf = { 0 };
	const struct hp_diff_file *f = &c->tree->files[file];
	struct hp_view v;
	int r = 0;

	if (pair->old_obj != NULL && pair->new_obj != NULL)
		check_changed(c, pair, true, file);
	if (pair->new_obj != NULL) {
		if (pair->old_obj != NULL)
			check_changed(c, pair, false, file);
		else
			check_unchanged(c, pair->new_obj->elf, file); /* all of it is new, but was built for one signature only */
		return 0;
	}
	/* The same on both sides, or only in the original: whose code stays. */
	if (c->tree->archive) {
		v = f->new_path != NULL ? c->tree->new_data[file] : c->tree->old_data[file];
	} else {
		r = hp_file_read(f->new_path != NULL ? f->new_path : f->old_path, HP_ELF_LEN_MAX, &buf, err);
		v = hp_buf_view(&buf);
	}
	if (r == 0 && hp_elf_open(v, f->path, &elf, err) == 0)
		check_unchanged(c, elf, file);
	return r;
}

static bool
is_note(const struct hp_reason *reason)
{
	return reason->rule == hp_rule_get(HP_RULE_CALLERS_GO_ALONG)->name;
}

static int
refuse(struct hp_result *result, struct hp_reason *reason, const char *path, struct hp_err *err)
{
	const char *message =
		hp_arena_printf(&result->arena, "%s; unchanged code of '%s' refers to it", reason->message, hp_esc(path));

	if (message == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for a reason");
	reason->rule = hp_rule_get(HP_RULE_SIGNATURE)->name;
	reason->refuse = true;
	reason->message = message;
	return 0;
}

int
hp_callers_check(const struct hp_tree *tree, struct hp_result *results, struct hp_err *err)
{
	HP_AUTO(hp_mem) size_t *found = NULL;
	HP_AUTO(hp_map) struct hp_map names = { 0 };
	struct callers c = { .tree = tree };
	size_t cnt = 0;
	int r = 0;

	for (size_t i = 0; i < tree->cnt && r == 0; i++)
		for (size_t k = 0; k < results[i].reasons.cnt && r == 0; k++)
			if (is_note(&results[i].reasons.v[k]))
				r = hp_map_put_str(&names, results[i].reasons.v[k].symbol, cnt++, err);
	if (r < 0 || cnt == 0)
		return r;
	found = calloc(cnt, sizeof(*found));
	if (found == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %zu functions", cnt);
	c.names = names; /* looked into only */
	c.found = found;
	for (size_t i = 0; i < tree->cnt && r == 0; i++)
		r = check_file(&c, &results[i].pair, i, err);
	for (size_t i = 0; i < tree->cnt && r == 0; i++)
		for (size_t k = 0; k < results[i].reasons.cnt && r == 0; k++) {
			struct hp_reason *reason = &results[i].reasons.v[k];
			uint64_t at;

			if (is_note(reason) && hp_map_get_str(&names, reason->symbol, &at) && found[at] != 0)
				r = refuse(&results[i], reason, tree->files[found[at] - 1].path, err);
		}
	return r;
}
