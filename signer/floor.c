#include "signer/floor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/escape.h"
#include "base/file.h"
#include "formats/hash.h"

#define FLOOR_LEN_MAX 256u
#define HEAD "hpbuild-floor 1\nserial "

static char *
path_of(const char *dir, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

static char *
floor_path(const char *dir, const struct hp_man_target *t)
{
	char hex[2 * HP_BUILD_ID_LEN_MAX + 1], *path;

	hp_hex(t->build_id, t->build_id_len, hex);
	return asprintf(&path, "%s/floor/%s", dir, hex) < 0 ? NULL : path;
}

/* "serial N" in the one form that we write. */
static int
parse_floor(const struct hp_buf *text, uint64_t *ret_serial, char *ret_id, struct hp_err *err)
{
	char copy[FLOOR_LEN_MAX + 1], again[FLOOR_LEN_MAX + 1];
	const char *id;

	memcpy(copy, text->p, text->len);
	copy[text->len] = '\0';
	id = strstr(copy, "\nid ");
	if (strncmp(copy, HEAD, strlen(HEAD)) != 0 || id == NULL)
		return hp_err_set(err, HP_E_FORMAT, "not a floor file");
	*ret_serial = strtoull(copy + strlen(HEAD), NULL, 10);
	(void)snprintf(ret_id, 2 * HP_PKG_ID_LEN + 1, "%.32s", id + 4);
	(void)snprintf(again, sizeof(again), HEAD "%llu\nid %s\n", (unsigned long long)*ret_serial, ret_id);
	return strcmp(copy, again) == 0 ? 0 : hp_err_set(err, HP_E_FORMAT, "damaged floor file");
}

/* 1: there is a floor, 0: none. */
static int
read_floor(const char *dir, const struct hp_man_target *t, uint64_t *ret_serial, char *ret_id, struct hp_err *err)
{
	HP_AUTO(hp_mem) char *path = floor_path(dir, t);
	HP_AUTO(hp_buf) struct hp_buf text = { 0 };
	int r;

	if (path == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return 0;
	r = hp_file_read(path, FLOOR_LEN_MAX, &text, err);
	if (r == 0)
		r = text.len > 0 ? parse_floor(&text, ret_serial, ret_id, err) : hp_err_set(err, HP_E_FORMAT, "empty floor file");
	if (r < 0)
		(void)hp_err_add(err, "'%s'", hp_esc(path));
	return r < 0 ? r : 1;
}

int
hp_floor_check(const char *dir, const struct hp_pkg *pkg, struct hp_err *err)
{
	char id[2 * HP_PKG_ID_LEN + 1];
	uint64_t serial;

	for (size_t i = 0; i < pkg->man->targets_cnt; i++) {
		int r = read_floor(dir, &pkg->man->targets[i], &serial, id, err);

		if (r < 0)
			return r;
		if (r > 0 && pkg->man->serial < serial)
			return hp_err_set(err, HP_E_EXPIRED,
			                  "serial %llu is older than %llu of package %s, which was applied to '%s' here",
			                  (unsigned long long)pkg->man->serial, (unsigned long long)serial, id,
			                  hp_esc(pkg->man->targets[i].name));
	}
	return 0;
}

/* mkdir -p; folders that are made are readable for all, writable for us. */
static int
make_folders(char *path, struct hp_err *err)
{
	for (char *p = path + 1;; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return hp_err_set(err, HP_E_IO, "cannot make folder '%s'", hp_esc(path));
		*p = c;
		if (c == '\0')
			return 0;
	}
}

int
hp_floor_prepare(const char *dir, struct hp_err *err)
{
	HP_AUTO(hp_mem) char *path = path_of(dir, "floor");
	int r = path != NULL ? make_folders(path, err) : hp_err_set(err, HP_E_NOMEM, "no memory");

	if (r == 0 && (access(path, W_OK) < 0 || access(dir, W_OK) < 0))
		r = hp_err_set(err, HP_E_IO, "cannot write to '%s'", hp_esc(path));
	if (r < 0)
		(void)hp_err_add(err, "the state folder must remember what is applied (--state)");
	return r;
}

static int
raise_one(const char *dir, const struct hp_pkg *pkg, const struct hp_man_target *t, struct hp_err *err)
{
	HP_AUTO(hp_mem) char *path = floor_path(dir, t);
	char text[FLOOR_LEN_MAX], id[2 * HP_PKG_ID_LEN + 1];
	uint64_t serial;
	int n, r = read_floor(dir, t, &serial, id, err);

	if (r < 0 || (r > 0 && serial >= pkg->man->serial))
		return r < 0 ? r : 0;
	if (path == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	hp_hex(pkg->id, HP_PKG_ID_LEN, id);
	n = snprintf(text, sizeof(text), HEAD "%llu\nid %s\n", (unsigned long long)pkg->man->serial, id);
	return hp_file_write(path, hp_view_of(text, (size_t)n), 0644, err);
}

int
hp_floor_raise(const char *dir, const struct hp_pkg *pkg, struct hp_err *err)
{
	HP_AUTO(hp_mem) char *lock = path_of(dir, "lock");
	HP_AUTO(hp_fd) int fd = -1;
	int r = 0;

	if (lock == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	fd = open(lock, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		return hp_err_set(err, HP_E_IO, "cannot lock '%s'", hp_esc(lock));
	for (size_t i = 0; i < pkg->man->targets_cnt && r == 0; i++)
		r = raise_one(dir, pkg, &pkg->man->targets[i], err);
	return r;
}

int
hp_floor_record(const char *dir, const struct hp_pkg *pkg, const char *what, int pid, uint64_t now, struct hp_err *err)
{
	HP_AUTO(hp_mem) char *path = path_of(dir, "overrides.log"), *line = NULL;
	char id[2 * HP_PKG_ID_LEN + 1], when[HP_TIME_TEXT];
	HP_AUTO(hp_fd) int fd = -1;
	int n;

	hp_hex(pkg->id, HP_PKG_ID_LEN, id);
	hp_time_text(now, when);
	n = asprintf(&line, "%s uid %u %s package %s serial %llu process %d\n", when, getuid(), what, id,
	             (unsigned long long)pkg->man->serial, pid);
	if (path == NULL || n < 0)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 || write(fd, line, (size_t)n) != n || fsync(fd) < 0)
		return hp_err_set(err, HP_E_IO, "cannot write to '%s'", hp_esc(path));
	return 0;
}
