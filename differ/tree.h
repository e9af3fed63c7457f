/* What is to be compared: the pairs of files of two trees, archives or single files. Everything lives in the given arena,
 * archive members in the archives' buffers. */
#ifndef HP_DIFFER_TREE_H
#define HP_DIFFER_TREE_H

#include "base/arena.h"
#include "base/buf.h"
#include "differ/diff.h"

struct hp_tree {
	struct hp_diff_file *files; /* sorted by path; for archives old_path and new_path say only that the side is there */
	size_t cnt;
	bool archive;
	struct hp_view *old_data, *new_data; /* [cnt] members' bytes, with archive */
	struct hp_buf old_archive, new_archive;
};

void hp_tree_release(struct hp_tree *tree);
/* hp_tree_pair(old_path, new_path, arena, ret, err): find out what the two paths are and pair what is in them. */
HP_MUST_CHECK int hp_tree_pair(const char *old_path, const char *new_path, struct hp_arena *arena, struct hp_tree *ret,
                               struct hp_err *err);

static inline void
hp_tree_auto(struct hp_tree *tree)
{
	hp_tree_release(tree);
}

#endif
