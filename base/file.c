#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/escape.h"

#define TREE_DEPTH_MAX 64
#define TREE_FILES_MAX 1000000

static int
read_all(int fd, uint64_t max_len, struct hp_buf *buf, struct hp_err *err)
{
	for (;;) {
		size_t room = buf->cap - buf->len;
		ssize_t n;
		int r;

		if (room == 0) {
			r = hp_buf_reserve(buf, 64 * 1024, err);
			if (r < 0)
				return r;
			room = buf->cap - buf->len;
		}
		n = read(fd, buf->p + buf->len, room);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return hp_err_set(err, HP_E_IO, "read failed");
		if (n == 0)
			return 0;
		buf->len += (size_t)n;
		if (buf->len > max_len)
			return hp_err_set(err, HP_E_LIMIT, "larger than %llu bytes", (unsigned long long)max_len);
	}
}

int
hp_file_read(const char *path, uint64_t max_len, struct hp_buf *ret, struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf buf = { 0 };
	HP_AUTO(hp_fd) int fd = -1;
	struct stat st;
	int r;

	*ret = (struct hp_buf){ 0 };
	/* O_NONBLOCK: a FIFO given by mistake must be refused, not waited for. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return hp_err_set(err, HP_E_IO, "cannot open '%s'", hp_esc(path));
	if (fstat(fd, &st) < 0)
		return hp_err_set(err, HP_E_IO, "cannot stat '%s'", hp_esc(path));
	if (!S_ISREG(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
		return hp_err_set(err, HP_E_IO, "'%s' is not a regular file", hp_esc(path));
	}
	if ((uint64_t)st.st_size > max_len)
		return hp_err_set(err, HP_E_LIMIT, "'%s' has %llu bytes, more than the limit of %llu", hp_esc(path),
		                  (unsigned long long)st.st_size, (unsigned long long)max_len);
	/* One byte more than the size, so that the end is seen without growing. */
	r = hp_buf_reserve(&buf, (size_t)st.st_size + 1, err);
	if (r == 0)
		r = read_all(fd, max_len, &buf, err);
	if (r < 0) {
		(void)hp_err_add(err, "reading '%s'", hp_esc(path));
		return r;
	}
	*ret = buf;
	buf = (struct hp_buf){ 0 };
	return 0;
}

/* Block of hp_file_same(): both sides' blocks stay in the CPU's cache. */
#define SAME_BLOCK ((size_t)128 * 1024)

static int
open_regular(const char *path, struct stat *st, struct hp_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return hp_err_set(err, HP_E_IO, "cannot open '%s'", hp_esc(path));
	if (fstat(fd, st) < 0 || !S_ISREG(st->st_mode)) {
		(void)close(fd);
		errno = EINVAL;
		return hp_err_set(err, HP_E_IO, "'%s' is not a regular file", hp_esc(path));
	}
	return fd;
}

/* Up to ${len} bytes; fewer only at the end of the file. */
static int
read_block(int fd, uint8_t *p, size_t len, size_t *ret, const char *path, struct hp_err *err)
{
	*ret = 0;
	while (*ret < len) {
		ssize_t n = read(fd, p + *ret, len - *ret);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return hp_err_set(err, HP_E_IO, "cannot read '%s'", hp_esc(path));
		if (n == 0)
			break;
		*ret += (size_t)n;
	}
	return 0;
}

int
hp_file_same(const char *old_path, const char *new_path, struct hp_buf *scratch, struct hp_err *err)
{
	HP_AUTO(hp_fd) int old_fd = -1;
	HP_AUTO(hp_fd) int new_fd = -1;
	struct stat a, b;
	size_t n, m;
	int r;

	old_fd = open_regular(old_path, &a, err);
	if (old_fd < 0)
		return old_fd;
	new_fd = open_regular(new_path, &b, err);
	if (new_fd < 0)
		return new_fd;
	if (a.st_size != b.st_size)
		return 0;
	if (a.st_dev == b.st_dev && a.st_ino == b.st_ino)
		return 1;
	if (scratch->cap < 2 * SAME_BLOCK) {
		r = hp_buf_reserve(scratch, 2 * SAME_BLOCK, err);
		if (r < 0)
			return r;
	}
	do {
		r = read_block(old_fd, scratch->p, SAME_BLOCK, &n, old_path, err);
		if (r == 0)
			r = read_block(new_fd, scratch->p + SAME_BLOCK, SAME_BLOCK, &m, new_path, err);
		if (r < 0)
			return r;
		if (n != m || memcmp(scratch->p, scratch->p + SAME_BLOCK, n) != 0)
			return 0;
	} while (n == SAME_BLOCK);
	return 1;
}

static int
write_all(int fd, struct hp_view data)
{
	while (data.len > 0) {
		ssize_t n = write(fd, data.p, data.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		data.p += n;
		data.len -= (size_t)n;
	}
	return 0;
}

/* A folder that we may write to but not read cannot be synced, and some file systems do not sync folders: both are fine. */
static int
sync_folder_of(const char *path)
{
	HP_AUTO(hp_mem) char *dir = strdup(path);
	HP_AUTO(hp_fd) int fd = -1;
	char *slash;

	if (dir == NULL)
		return -1;
	slash = strrchr(dir, '/');
	if (slash == dir)
		slash[1] = '\0';
	else if (slash != NULL)
		*slash = '\0';
	fd = open(slash != NULL ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == EACCES ? 0 : -1;
	return fsync(fd) < 0 && errno != EINVAL && errno != ENOTSUP ? -1 : 0;
}

/* Give ${tmp} its final name. Without ${replace} an existing ${path} stays: EEXIST. Not every file system knows RENAME_NOREPLACE,
 * and not every one knows hard links; one of the two will do. */
static int
move_to(const char *tmp, const char *path, bool replace)
{
	if (replace)
		return rename(tmp, path);
	if (renameat2(AT_FDCWD, tmp, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (link(tmp, path) < 0)
		return -1;
	(void)unlink(tmp);
	return 0;
}

static int
write_file(const char *path, struct hp_view data, unsigned mode, bool replace, struct hp_err *err)
{
	HP_AUTO(hp_mem) char *tmp = NULL;
	HP_AUTO(hp_fd) int fd = -1;
	struct stat st;
	mode_t mask;
	int r;

	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
		return hp_err_set(err, HP_E_IO, "'%s' is not a regular file and will not be replaced by one", hp_esc(path));
	}
	if (asprintf(&tmp, "%s.XXXXXX.tmp", path) < 0) {
		tmp = NULL;
		return hp_err_set(err, HP_E_NOMEM, "no memory to write '%s'", hp_esc(path));
	}
	fd = mkostemps(tmp, 4, O_CLOEXEC);
	if (fd < 0)
		return hp_err_set(err, HP_E_IO, "cannot create a file beside '%s'", hp_esc(path));
	mask = umask(0);
	(void)umask(mask);
	if (fchmod(fd, mode & ~mask) < 0 || write_all(fd, data) < 0 || fsync(fd) < 0 ||
	    move_to(tmp, path, replace) < 0) {
		r = hp_err_set(err, HP_E_IO, "cannot write '%s'", hp_esc(path));
		(void)unlink(tmp);
		return r;
	}
	if (sync_folder_of(path) < 0) {
		r = hp_err_set(err, HP_E_IO, "cannot sync the folder of '%s'", hp_esc(path));
		/* A new file goes away again: half of a key pair must not stay. An old one cannot be brought back. */
		if (!replace)
			(void)unlink(path);
		return r;
	}
	return 0;
}

int
hp_file_write(const char *path, struct hp_view data, unsigned mode, struct hp_err *err)
{
	return write_file(path, data, mode, true, err);
}

int
hp_file_create(const char *path, struct hp_view data, unsigned mode, struct hp_err *err)
{
	return write_file(path, data, mode, false, err);
}

enum hp_path_kind
hp_path_kind(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return HP_PATH_MISSING;
	return S_ISREG(st.st_mode) ? HP_PATH_FILE : S_ISDIR(st.st_mode) ? HP_PATH_DIR : HP_PATH_OTHER;
}

struct listing {
	struct hp_arena *arena;
	const char *suffix;
	char **paths; /* in malloc memory until the end */
	size_t cnt, cap;
};

static int
listing_add(struct listing *l, const char *rel, struct hp_err *err)
{
	size_t len = strlen(rel), slen = l->suffix ? strlen(l->suffix) : 0;
	char *copy;

	if (len < slen || (slen > 0 && strcmp(rel + len - slen, l->suffix) != 0))
		return 0;
	if (l->cnt == TREE_FILES_MAX)
		return hp_err_set(err, HP_E_LIMIT, "more than %d files", TREE_FILES_MAX);
	if (l->cnt == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 256;
		char **p = realloc(l->paths, cap * sizeof(*p));

		if (p == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory to list files");
		l->paths = p;
		l->cap = cap;
	}
	copy = hp_arena_strdup(l->arena, rel);
	if (copy == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory to list files");
	l->paths[l->cnt++] = copy;
	return 0;
}

static int list_dir(struct listing *l, int dfd, const char *rel, unsigned depth, struct hp_err *err);

static int
list_entry(struct listing *l, int dfd, const char *rel, const char *name, unsigned depth, struct hp_err *err)
{
	HP_AUTO(hp_mem) char *path = NULL;
	struct stat st;
	int sub;

	if (asprintf(&path, "%s%s%s", rel, rel[0] ? "/" : "", name) < 0) {
		path = NULL;
		return hp_err_set(err, HP_E_NOMEM, "no memory to list files");
	}
	if (fstatat(dfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : hp_err_set(err, HP_E_IO, "cannot stat '%s'", hp_esc(path));
	if (S_ISDIR(st.st_mode)) {
		if (depth == TREE_DEPTH_MAX)
			return hp_err_set(err, HP_E_LIMIT, "'%s': deeper than %d folders", hp_esc(path), TREE_DEPTH_MAX);
		sub = openat(dfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub < 0)
			return hp_err_set(err, HP_E_IO, "cannot open folder '%s'", hp_esc(path));
		return list_dir(l, sub, path, depth + 1, err);
	}
	if (S_ISLNK(st.st_mode) && fstatat(dfd, name, &st, 0) < 0)
		return 0; /* a dangling link is nobody's object */
	return S_ISREG(st.st_mode) ? listing_add(l, path, err) : 0;
}

/* Takes ownership of ${dfd}. */
static int
list_dir(struct listing *l, int dfd, const char *rel, unsigned depth, struct hp_err *err)
{
	DIR *d = fdopendir(dfd);
	struct dirent *e;
	int r = 0;

	if (d == NULL) {
		r = hp_err_set(err, HP_E_IO, "cannot read folder '%s'", hp_esc(rel));
		(void)close(dfd);
		return r;
	}
	while (r == 0 && (errno = 0, e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = list_entry(l, dirfd(d), rel, e->d_name, depth, err);
	if (r == 0 && errno != 0)
		r = hp_err_set(err, HP_E_IO, "cannot read folder '%s'", hp_esc(rel));
	(void)closedir(d);
	return r;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int
hp_tree_list(const char *dir, const char *suffix, struct hp_arena *arena, char ***ret_paths, size_t *ret_cnt,
             struct hp_err *err)
{
	struct listing l = { .arena = arena, .suffix = suffix };
	int dfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char **paths = NULL;
	int r;

	if (dfd < 0)
		return hp_err_set(err, HP_E_IO, "cannot open folder '%s'", hp_esc(dir));
	r = list_dir(&l, dfd, "", 0, err);
	if (r == 0) {
		paths = hp_arena_array(arena, l.cnt, sizeof(*paths));
		if (paths == NULL)
			r = hp_err_set(err, HP_E_NOMEM, "no memory to list files");
	}
	if (r == 0) {
		if (l.cnt > 0) {
			qsort(l.paths, l.cnt, sizeof(*l.paths), by_name);
			memcpy(paths, l.paths, l.cnt * sizeof(*paths));
		}
		*ret_paths = paths;
		*ret_cnt = l.cnt;
	} else {
		(void)hp_err_add(err, "listing '%s'", hp_esc(dir));
	}
	free(l.paths);
	return r;
}
