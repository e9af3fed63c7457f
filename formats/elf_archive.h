/* Archives (`.a`) of object files, read through libelf. Thin archives have no contents and are refused.
 * Members are slices of the caller's bytes; names live in the arena. */
#ifndef HP_FORMATS_ELF_ARCHIVE_H
#define HP_FORMATS_ELF_ARCHIVE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/view.h"

struct hp_archive_member {
	const char *name;
	struct hp_view data;
	size_t order; /* position in the archive */
};

/* hp_archive_list(file, path, arena, ret, ret_cnt, err): members sorted by name, then by order; symbol and name tables left out.
 * HP_E_FORMAT: not an archive, thin, or cut off; HP_E_LIMIT: more than a million members. */
HP_MUST_CHECK int hp_archive_list(struct hp_view file, const char *path, struct hp_arena *arena, struct hp_archive_member **ret,
                                  size_t *ret_cnt, struct hp_err *err);

#endif
