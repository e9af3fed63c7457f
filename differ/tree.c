#include "differ/tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/file.h"
#include "formats/elf_archive.h"
#include "formats/limits.h"

void
hp_tree_release(struct hp_tree *tree)
{
	hp_buf_release(&tree->old_archive);
	hp_buf_release(&tree->new_archive);
	*tree = (struct hp_tree){ 0 };
}

static int
no_memory(struct hp_err *err)
{
	return hp_err_set(err, HP_E_NOMEM, "no memory for a list of files");
}

static const char *
join(struct hp_arena *arena, const char *dir, const char *path)
{
	size_t len = strlen(dir);

	return hp_arena_printf(arena, "%s%s%s", dir, len > 0 && dir[len - 1] == '/' ? "" : "/", path);
}

/* Names of both sides, sorted, become one sorted list; old_idx and new_idx say where each came from, HP_NONE = not there. */
struct merged {
	const char *name;
	uint32_t old_idx, new_idx;
};

static int
merge_names(const char *const *olds, size_t old_cnt, const char *const *news, size_t new_cnt, struct hp_arena *arena,
            struct merged **ret, size_t *ret_cnt, struct hp_err *err)
{
	struct merged *v = hp_arena_array(arena, old_cnt + new_cnt, sizeof(*v));
	size_t o = 0, n = 0, cnt = 0;

	if (v == NULL)
		return no_memory(err);
	while (o < old_cnt || n < new_cnt) {
		int c = o == old_cnt ? 1 : n == new_cnt ? -1 : strcmp(olds[o], news[n]);

		v[cnt++] = (struct merged){ c <= 0 ? olds[o] : news[n], c <= 0 ? (uint32_t)o : HP_NONE,
			                    c >= 0 ? (uint32_t)n : HP_NONE };
		o += c <= 0;
		n += c >= 0;
	}
	*ret = v;
	*ret_cnt = cnt;
	return 0;
}

static int
pair_folders(const char *old_dir, const char *new_dir, struct hp_arena *arena, struct hp_tree *ret, struct hp_err *err)
{
	char **olds, **news;
	size_t old_cnt, new_cnt;
	struct merged *v;
	int r = hp_tree_list(old_dir, ".o", arena, &olds, &old_cnt, err);

	if (r == 0)
		r = hp_tree_list(new_dir, ".o", arena, &news, &new_cnt, err);
	if (r < 0)
		return r;
	if (old_cnt == 0 || new_cnt == 0)
		return hp_err_set(err, HP_E_FORMAT, "no object files (*.o) below '%s'", hp_esc(old_cnt == 0 ? old_dir : new_dir));
	r = merge_names((const char *const *)olds, old_cnt, (const char *const *)news, new_cnt, arena, &v, &ret->cnt, err);
	if (r < 0)
		return r;
	ret->files = hp_arena_array(arena, ret->cnt, sizeof(*ret->files));
	for (size_t i = 0; ret->files != NULL && i < ret->cnt; i++) {
		struct hp_diff_file *f = &ret->files[i];

		f->path = v[i].name;
		f->old_path = v[i].old_idx == HP_NONE ? NULL : join(arena, old_dir, f->path);
		f->new_path = v[i].new_idx == HP_NONE ? NULL : join(arena, new_dir, f->path);
		if ((v[i].old_idx != HP_NONE && f->old_path == NULL) || (v[i].new_idx != HP_NONE && f->new_path == NULL))
			return no_memory(err);
	}
	return ret->files != NULL ? 0 : no_memory(err);
}

/* Members by name; the n-th of one name is called "name#n" from the second on. Sorted. */
static int
archive_names(struct hp_archive_member *m, size_t cnt, struct hp_arena *arena, const char ***ret, struct hp_err *err)
{
	const char **names = hp_arena_array(arena, cnt, sizeof(*names));

	for (size_t i = 0; names != NULL && i < cnt; i++) {
		unsigned nth = 1;

		for (size_t k = i; k > 0 && strcmp(m[k - 1].name, m[i].name) == 0; k--)
			nth++;
		names[i] = nth == 1 ? m[i].name : hp_arena_printf(arena, "%s#%u", m[i].name, nth);
		if (names[i] == NULL)
			return no_memory(err);
	}
	*ret = names;
	return names != NULL ? 0 : no_memory(err);
}

static int
read_archive(const char *path, struct hp_arena *arena, struct hp_buf *buf, struct hp_archive_member **ret, size_t *ret_cnt,
             const char ***ret_names, struct hp_err *err)
{
	int r = hp_file_read(path, HP_ELF_LEN_MAX, buf, err);

	if (r == 0)
		r = hp_archive_list(hp_buf_view(buf), path, arena, ret, ret_cnt, err);
	if (r == 0 && *ret_cnt == 0)
		r = hp_err_set(err, HP_E_FORMAT, "'%s': an archive without object files", hp_esc(path));
	return r < 0 ? r : archive_names(*ret, *ret_cnt, arena, ret_names, err);
}

static int
pair_archives(const char *old_path, const char *new_path, struct hp_arena *arena, struct hp_tree *ret, struct hp_err *err)
{
	struct hp_archive_member *olds, *news;
	const char **old_names, **new_names;
	size_t old_cnt, new_cnt;
	struct merged *v;
	int r = read_archive(old_path, arena, &ret->old_archive, &olds, &old_cnt, &old_names, err);

	if (r == 0)
		r = read_archive(new_path, arena, &ret->new_archive, &news, &new_cnt, &new_names, err);
	if (r == 0)
		r = merge_names(old_names, old_cnt, new_names, new_cnt, arena, &v, &ret->cnt, err);
	if (r < 0)
		return r;
	ret->archive = true;
	ret->files = hp_arena_array(arena, ret->cnt, sizeof(*ret->files));
	ret->old_data = hp_arena_array(arena, ret->cnt, sizeof(*ret->old_data));
	ret->new_data = hp_arena_array(arena, ret->cnt, sizeof(*ret->new_data));
	if (ret->files == NULL || ret->old_data == NULL || ret->new_data == NULL)
		return no_memory(err);
	for (size_t i = 0; i < ret->cnt; i++) {
		ret->files[i].path = v[i].name;
		if (v[i].old_idx != HP_NONE) {
			ret->files[i].old_path = old_path;
			ret->old_data[i] = olds[v[i].old_idx].data;
		}
		if (v[i].new_idx != HP_NONE) {
			ret->files[i].new_path = new_path;
			ret->new_data[i] = news[v[i].new_idx].data;
		}
	}
	return 0;
}

static bool
is_archive_name(const char *path)
{
	size_t len = strlen(path);

	return len > 2 && strcmp(path + len - 2, ".a") == 0;
}

int
hp_tree_pair(const char *old_path, const char *new_path, struct hp_arena *arena, struct hp_tree *ret, struct hp_err *err)
{
	enum hp_path_kind o = hp_path_kind(old_path), n = hp_path_kind(new_path);
	const char *slash = strrchr(new_path, '/');

	*ret = (struct hp_tree){ 0 };
	if (o == HP_PATH_MISSING || n == HP_PATH_MISSING) {
		struct hp_buf buf;

		/* Reading it records the system's reason. */
		return hp_file_read(o == HP_PATH_MISSING ? old_path : new_path, 1, &buf, err);
	}
	if (o == HP_PATH_DIR && n == HP_PATH_DIR)
		return pair_folders(old_path, new_path, arena, ret, err);
	if (o != n)
		return hp_err_set(err, HP_E_FORMAT, "'%s' is a %s, '%s' is a %s", hp_esc(old_path),
		                  o == HP_PATH_DIR ? "folder" : "file", hp_esc(new_path), n == HP_PATH_DIR ? "folder" : "file");
	if (is_archive_name(old_path) && is_archive_name(new_path))
		return pair_archives(old_path, new_path, arena, ret, err);
	ret->files = hp_arena_alloc(arena, sizeof(*ret->files));
	if (ret->files == NULL)
		return no_memory(err);
	*ret->files = (struct hp_diff_file){ slash != NULL ? slash + 1 : new_path, old_path, new_path };
	ret->cnt = 1;
	return 0;
}
