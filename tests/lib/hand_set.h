/* Patch sets made by hand, so that the packager is tested without the differ: twins are parts with the same symbol name, the
 * changed functions are named by the test, whatever has no twin is new. Included from one unit test file each. */
#ifndef HP_TESTS_LIB_HAND_SET_H
#define HP_TESTS_LIB_HAND_SET_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "formats/limits.h"
#include "formats/patchset.h"

static inline uint32_t
hand_find(const struct hp_parts *parts, const char *name)
{
	for (uint32_t i = 0; i < parts->cnt; i++)
		for (uint32_t j = 0; j < parts->v[i].syms_cnt; j++)
			if (strcmp(parts->elf->syms[parts->part_syms[parts->v[i].syms_first + j]].name, name) == 0)
				return i;
	return HP_NONE;
}

static inline struct hp_object *
hand_open(const char *path)
{
	struct hp_buf file = { 0 };
	struct hp_object *obj = NULL;
	struct hp_err err = { 0 };
	char text[512];

	if (hp_file_read(path, HP_ELF_LEN_MAX, &file, &err) < 0 || hp_object_open(&file, path, &obj, &err) < 0) {
		hp_err_format(&err, text, sizeof(text));
		(void)fprintf(stderr, "%s: %s\n", path, text);
		exit(1);
	}
	return obj;
}

static inline bool
hand_named(const char *const *names, const char *name)
{
	for (; *names != NULL; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

/* hand_pair(set, pair, path, old, new, changed): ${changed} ends in NULL. */
static inline void
hand_pair(struct hp_patchset *set, struct hp_pair *pair, const char *path, const char *old, const char *new,
          const char *const *changed)
{
	const struct hp_parts *op, *np;

	pair->path = hp_arena_strdup(&set->arena, path);
	pair->old_obj = hand_open(old);
	pair->new_obj = hand_open(new);
	op = pair->old_obj->parts;
	np = pair->new_obj->parts;
	pair->old_change = hp_arena_array(&set->arena, op->cnt, 1);
	pair->new_change = hp_arena_array(&set->arena, np->cnt, 1);
	pair->old_twin = hp_arena_array(&set->arena, op->cnt, sizeof(uint32_t));
	pair->new_twin = hp_arena_array(&set->arena, np->cnt, sizeof(uint32_t));
	pair->include = hp_arena_array(&set->arena, np->cnt, sizeof(bool));
	pair->diff = hp_arena_array(&set->arena, np->cnt, sizeof(*pair->diff));
	for (uint32_t i = 0; i < op->cnt; i++) {
		pair->old_twin[i] = HP_NONE;
		pair->old_change[i] = HP_REMOVED;
	}
	for (uint32_t i = 0; i < np->cnt; i++) {
		const char *name = hp_part_name(np, i);
		uint32_t twin = np->v[i].sym_idx == HP_NONE ? HP_NONE : hand_find(op, name);

		pair->diff[i] = (struct hp_first_diff){ "", "" };
		pair->new_twin[i] = HP_NONE;
		pair->new_change[i] = HP_NEW;
		pair->include[i] = np->v[i].sym_idx != HP_NONE;
		if (twin == HP_NONE || pair->old_twin[twin] != HP_NONE)
			continue;
		pair->new_twin[i] = twin;
		pair->old_twin[twin] = i;
		pair->include[i] = np->v[i].kind == HP_PART_FUNC && hand_named(changed, name);
		pair->new_change[i] = pair->old_change[twin] = pair->include[i] ? HP_CHANGED : HP_SAME;
	}
}

/* hand_set(set, pairs_cnt): room for pairs; fill each with hand_pair(). */
static inline void
hand_set(struct hp_patchset *set, size_t pairs_cnt)
{
	*set = (struct hp_patchset){ .verdict = HP_HOTPATCHABLE, .machine = EM_X86_64, .objects_cnt = pairs_cnt };
	set->pairs = hp_arena_array(&set->arena, pairs_cnt, sizeof(*set->pairs));
	set->pairs_cnt = pairs_cnt;
}

#endif
