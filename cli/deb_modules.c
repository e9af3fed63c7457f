#include "cli/deb_modules.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/escape.h"
#include "base/file.h"
#include "cli/command.h"
#include "cli/folder.h"
#include "formats/elf_same.h"
#include "formats/hash.h"
#include "formats/limits.h"

static void
hp_dir_auto(DIR **dir)
{
	if (*dir != NULL)
		(void)closedir(*dir);
}

static int
unpack(struct hp_debian *d, const char *file, struct hp_err *err)
{
	const char *name = hp_arena_strndup(&d->arena, file, strcspn(file, "_"));
	const char *to = name != NULL ? hp_arena_printf(&d->arena, "%s/rebuilt/%s", d->dir, name) : NULL;
	char *argv[] = { hp_arena_strdup(&d->arena, "dpkg-deb"), hp_arena_strdup(&d->arena, "-x"),
		         hp_arena_printf(&d->arena, "%s/%s", d->dir, file), hp_arena_strdup(&d->arena, to != NULL ? to : ""),
		         NULL };
	const char *log = hp_arena_printf(&d->arena, "%s/apt.log", d->dir);
	int r;

	if (to == NULL || argv[0] == NULL || argv[1] == NULL || argv[2] == NULL || argv[3] == NULL || log == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	r = hp_folder_make(to, err);
	return r < 0 ? r : hp_command_run(d->dir, argv, log, "unpacking the rebuilt package", err);
}

int
hp_deb_unpack_rebuilt(struct hp_debian *d, struct hp_err *err)
{
	HP_AUTO(hp_dir) DIR *dir = opendir(d->dir);
	const struct dirent *e;
	int r = 0;

	if (dir == NULL)
		return hp_err_set(err, HP_E_IO, "cannot read '%s'", hp_esc(d->dir));
	while (r == 0 && (e = readdir(dir)) != NULL) {
		const char *dot = strrchr(e->d_name, '.');

		if (dot != NULL && strcmp(dot, ".deb") == 0 && e->d_name[0] != '-')
			r = unpack(d, e->d_name, err);
	}
	return r;
}

/* Not a link, and begins like an ELF file. */
static bool
is_elf(const char *path)
{
	HP_AUTO(hp_stdio) FILE *f = NULL;
	char magic[4];
	struct stat st;

	if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	f = fopen(path, "re");
	return f != NULL && fread(magic, 1, sizeof(magic), f) == sizeof(magic) && memcmp(magic, "\177ELF", sizeof(magic)) == 0;
}

static int
open_elf(const char *path, struct hp_buf *file, struct hp_elf **ret, struct hp_err *err)
{
	int r = hp_file_read(path, HP_ELF_LEN_MAX, file, err);

	return r < 0 ? r : hp_elf_open(hp_buf_view(file), path, ret, err);
}

/* The debug file that debhelper has split off the rebuilt module. */
static int
find_debug(struct hp_debian *d, struct hp_deb_module *m, struct hp_err *err)
{
	const char *path = hp_arena_printf(&d->arena, "%s/rebuilt/%s-dbgsym/usr/lib/debug/.build-id/%.2s/%s.debug", d->dir,
	                                   m->package, m->rebuilt_id, m->rebuilt_id + 2);

	if (path == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	m->debug = hp_path_kind(path) == HP_PATH_FILE ? path : NULL;
	return 0;
}

static int
compare(struct hp_debian *d, struct hp_deb_module *m, const struct hp_elf *shipped, struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf file = { 0 };
	HP_AUTO(hp_elf) struct hp_elf *rebuilt = NULL;
	struct hp_view id;
	uint64_t va;
	int r;

	m->same = HP_DEB_MISSING;
	if (!is_elf(m->rebuilt)) {
		m->rebuilt = NULL;
		return 0;
	}
	r = open_elf(m->rebuilt, &file, &rebuilt, err);
	if (r < 0)
		return r;
	m->same = HP_DEB_DIFFERS;
	if (hp_elf_build_id(rebuilt, &id) && id.len <= HP_BUILD_ID_LEN_MAX)
		hp_hex(id.p, id.len, m->rebuilt_id);
	if (hp_elf_same_image(shipped, rebuilt, &va))
		m->same = strcmp(m->shipped_id, m->rebuilt_id) == 0 ? HP_DEB_SAME_ID : HP_DEB_SAME_IMAGE;
	return m->rebuilt_id[0] != '\0' ? find_debug(d, m, err) : 0;
}

/* 1: a linked module with a build ID, filled in. */
static int
look_at(struct hp_debian *d, const char *package, const char *path, struct hp_deb_module *m, struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf file = { 0 };
	HP_AUTO(hp_elf) struct hp_elf *elf = NULL;
	struct hp_view id;
	int r;

	*m = (struct hp_deb_module){ .package = package, .path = path,
		                     .shipped = hp_arena_printf(&d->arena, "%s/shipped/%s/%s", d->dir, package, path),
		                     .rebuilt = hp_arena_printf(&d->arena, "%s/rebuilt/%s/%s", d->dir, package, path) };
	if (m->shipped == NULL || m->rebuilt == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	if (!is_elf(m->shipped))
		return 0;
	if (open_elf(m->shipped, &file, &elf, NULL) < 0 || (elf->type != ET_EXEC && elf->type != ET_DYN) ||
	    !hp_elf_build_id(elf, &id) || id.len > HP_BUILD_ID_LEN_MAX)
		return 0;
	hp_hex(id.p, id.len, m->shipped_id);
	r = compare(d, m, elf, err);
	return r < 0 ? r : 1;
}

int
hp_deb_find_modules(struct hp_debian *d, struct hp_err *err)
{
	const char *dir = hp_arena_printf(&d->arena, "%s/shipped", d->dir);
	char **paths;
	size_t cnt;
	int r = dir == NULL ? hp_err_set(err, HP_E_NOMEM, "no memory") : hp_tree_list(dir, NULL, &d->arena, &paths, &cnt, err);

	if (r < 0)
		return r;
	d->modules = hp_arena_array(&d->arena, cnt, sizeof(*d->modules));
	if (d->modules == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	d->modules_cnt = 0;
	for (size_t i = 0; i < cnt; i++) {
		char *slash = strchr(paths[i], '/');

		if (slash == NULL || strncmp(slash, "/usr/lib/debug/", 15) == 0)
			continue; /* debug files look like modules */
		*slash = '\0';
		r = look_at(d, paths[i], slash + 1, &d->modules[d->modules_cnt], err);
		if (r < 0)
			return r;
		d->modules_cnt += r > 0;
	}
	if (d->modules_cnt == 0)
		return hp_err_set(err, HP_E_NOTHING, "the packages of '%s' hold no program or library with a build ID",
		                  hp_esc(d->spec));
	return 0;
}
