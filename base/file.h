/* Files: read whole into private memory, write whole or not at all, list a tree in a fixed order.
 *
 * Inputs are read, not mapped: a file that shrinks or changes meanwhile cannot fault us or change under our checks.
 */
#ifndef HP_BASE_FILE_H
#define HP_BASE_FILE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* hp_file_read(path, max_len, ret, err): the whole regular file into ${ret} (released by the caller).
 * HP_E_IO: cannot open or read, or not a regular file; HP_E_LIMIT: more than ${max_len} bytes. ${ret} is empty on failure. */
HP_MUST_CHECK int hp_file_read(const char *path, uint64_t max_len, struct hp_buf *ret, struct hp_err *err);

/* hp_file_same(old_path, new_path, scratch, err): 1 both regular files have the same bytes, 0 they differ. Reads block by block
 * up to the first difference, not at all when the sizes differ. ${scratch} may be used again and again. HP_E_IO as above. */
HP_MUST_CHECK int hp_file_same(const char *old_path, const char *new_path, struct hp_buf *scratch, struct hp_err *err);

/* hp_file_write(path, data, mode, err): write ${path}.XXXXXX.tmp beside the target, fsync, rename over it, fsync the folder.
 * Killed or out of space at any point, ${path} holds the old content or the new one. mode: permission bits before umask.
 * Only a regular file is replaced: `-o /dev/null` or `-o /dev/stdout` would cost root the device or the link. Reads the umask by
 * setting it: not while another thread creates files. */
HP_MUST_CHECK int hp_file_write(const char *path, struct hp_view data, unsigned mode, struct hp_err *err);

/* hp_file_create(path, data, mode, err): the same for a file that must not be there yet. HP_E_IO, EEXIST when something is. */
HP_MUST_CHECK int hp_file_create(const char *path, struct hp_view data, unsigned mode, struct hp_err *err);

enum hp_path_kind { HP_PATH_MISSING, HP_PATH_FILE, HP_PATH_DIR, HP_PATH_OTHER };

/* hp_path_kind(path): what is there, symbolic links followed. */
enum hp_path_kind hp_path_kind(const char *path);

/* hp_tree_list(dir, suffix, arena, ret_paths, ret_cnt, err): paths relative to ${dir} of all regular files below it whose
 * name ends in ${suffix} (NULL: all), sorted by strcmp. Links to files count, links to folders are not followed.
 * Strings and array live in ${arena}. HP_E_LIMIT: deeper than 64 folders or more than a million files. */
HP_MUST_CHECK int hp_tree_list(const char *dir, const char *suffix, struct hp_arena *arena, char ***ret_paths, size_t *ret_cnt,
                               struct hp_err *err);

#endif
