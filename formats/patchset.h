/* Patch set: what the differ found and the packager turns into a payload. The one documented type between the two.
 *
 * It owns both object trees as far as they differ. Part indexes are those of formats/elf_parts.h; "old" is the original tree,
 * "new" the patched one, a twin is the matched part of the other side. Byte-identical objects are not in the set.
 */
#ifndef HP_FORMATS_PATCHSET_H
#define HP_FORMATS_PATCHSET_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "formats/elf_parts.h"

enum hp_change { HP_SAME = 0, HP_CHANGED, HP_NEW, HP_REMOVED, HP_NOISE };
enum hp_verdict { HP_HOTPATCHABLE, HP_NOTHING, HP_REFUSED };

/* One object on one side. */
struct hp_object {
	struct hp_buf file; /* elf points into it */
	struct hp_elf *elf;
	struct hp_parts *parts; /* in elf's arena */
};

/* Where a function first differs, for people. Strings in the patch set's arena, "" = unknown. */
struct hp_first_diff {
	const char *source; /* "src/file.c:12" of the new side, else of the old; relative to the top of the
	                     * tree where that can be told, else to the folder the compiler ran in; or absolute */
	const char *why;    /* one line: "instruction at +0x1c", "calls g instead of f", ... */
};

struct hp_pair {
	const char *path;      /* relative path (or archive member), the same on both sides; in the set's arena */
	struct hp_object *old_obj, *new_obj; /* one may be NULL: object added or removed */
	/* Arrays over parts; NULL when that side is missing. */
	uint8_t *old_change;   /* enum hp_change: SAME, CHANGED, REMOVED, NOISE */
	uint8_t *new_change;   /* enum hp_change: SAME, CHANGED, NEW, NOISE */
	uint32_t *old_twin, *new_twin; /* HP_NONE = none; mutual but for hp_pair_is_joined() */
	bool *include;         /* new side: goes into the payload */
	struct hp_first_diff *diff; /* new side; for CHANGED and NOISE functions */
};

/* hp_pair_is_joined(pair, old_part): this function's name is an alias now. Its twin is the body that has the name, and the
 * twin of that is another function, with which it shares one body from now on. Everywhere else twins are mutual. */
static inline bool
hp_pair_is_joined(const struct hp_pair *pair, uint32_t old_part)
{
	return pair->old_twin[old_part] != HP_NONE && pair->new_twin[pair->old_twin[old_part]] != old_part;
}

struct hp_reason {
	const char *rule;     /* "HP2003" */
	bool refuse;          /* else a note */
	bool waived;          /* a refusal that a waiver accepts */
	const char *object;   /* path of the pair, "" = whole tree */
	const char *symbol;   /* "" = none */
	const char *source;   /* "include/a.h:7", "" = unknown */
	const char *message;
};

struct hp_patchset {
	struct hp_arena arena;
	struct hp_pair *pairs; /* sorted by path; pairs with any difference in bytes */
	size_t pairs_cnt;
	struct hp_reason *reasons; /* sorted: refusals first, then rule, object, symbol, source, message; no duplicates */
	size_t reasons_cnt;
	enum hp_verdict verdict;
	uint16_t machine;      /* EM_* of all objects */
	const char **toolchain; /* distinct DW_AT_producer strings of the changed objects of the new side, sorted */
	size_t toolchain_cnt;
	size_t objects_cnt;    /* objects compared, identical ones included */
};

void hp_patchset_release(struct hp_patchset *set);
static inline void
hp_patchset_auto(struct hp_patchset *set)
{
	hp_patchset_release(set);
}
void hp_object_free(struct hp_object *obj); /* NULL allowed */
/* hp_object_open(file, path, ret, err): take over ${file} (also on failure), open ELF and parts. */
HP_MUST_CHECK int hp_object_open(struct hp_buf *file, const char *path, struct hp_object **ret, struct hp_err *err);

#endif
