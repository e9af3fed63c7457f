#include "cli/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/escape.h"

/* Folders up to the last slash of ${path}, which is changed on the way and back. */
static int
make_parents(char *path, struct hp_err *err)
{
	for (char *p = path + 1; *p != '\0'; p++) {
		int r;

		if (*p != '/')
			continue;
		*p = '\0';
		r = mkdir(path, 0755);
		if (r < 0 && errno != EEXIST)
			return hp_err_set(err, HP_E_IO, "cannot make folder '%s'", hp_esc(path));
		*p = '/';
	}
	return 0;
}

int
hp_folder_make(const char *path, struct hp_err *err)
{
	HP_AUTO(hp_mem) char *copy = NULL;

	if (asprintf(&copy, "%s/", path) < 0) {
		copy = NULL;
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	}
	return make_parents(copy, err);
}

int
hp_file_copy(const char *from, const char *to, struct hp_err *err)
{
	HP_AUTO(hp_fd) int in = open(from, O_RDONLY | O_CLOEXEC);
	HP_AUTO(hp_fd) int out = -1;
	HP_AUTO(hp_mem) char *copy = strdup(to);
	char buf[65536];
	ssize_t n;
	int r = copy == NULL ? hp_err_set(err, HP_E_NOMEM, "no memory") : make_parents(copy, err);

	if (r < 0)
		return r;
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (in < 0 || out < 0)
		return hp_err_set(err, HP_E_IO, "cannot copy '%s'", hp_esc(from));
	while ((n = copy_file_range(in, NULL, out, NULL, (size_t)1 << 30, 0)) > 0)
		;
	/* EXDEV: sources on a disk, scratch folder in memory. */
	while (n != 0 && (n = read(in, buf, sizeof(buf))) > 0)
		for (ssize_t done = 0, w; done < n; done += w) {
			w = write(out, buf + done, (size_t)(n - done));
			if (w <= 0)
				return hp_err_set(err, HP_E_IO, "cannot write '%s'", hp_esc(to));
		}
	return n < 0 ? hp_err_set(err, HP_E_IO, "cannot copy '%s'", hp_esc(from)) : 0;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	(void)remove(path);
	return 0;
}

void
hp_remove_tree(const char *dir)
{
	(void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
