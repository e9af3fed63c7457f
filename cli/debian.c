#include "cli/debian.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/escape.h"
#include "base/file.h"
#include "cli/apt.h"
#include "cli/command.h"
#include "cli/deb_modules.h"
#include "cli/folder.h"
#include "cli/out.h"

#define TEXT_LEN_MAX ((uint64_t)1 << 20)
#define PATCH_LEN_MAX ((uint64_t)64 << 20)

/* A path below the folder; NULL with err set. */
static const char *
below(struct hp_debian *d, const char *name, struct hp_err *err)
{
	const char *path = hp_arena_printf(&d->arena, "%s/%s", d->dir, name);

	if (path == NULL)
		(void)hp_err_set(err, HP_E_NOMEM, "no memory");
	return path;
}

/* One line of the .dsc's Package-List: " libfoo1 deb libs optional arch=any". Is it a package with code for this CPU? */
static bool
is_code_package(const char *line)
{
	const char *arch = strstr(line, "arch=");

	return line[0] == ' ' && strstr(line, " deb ") != NULL && arch != NULL &&
	       (strncmp(arch + 5, "all", 3) != 0 || arch[8] > ' ');
}

/* A package that another profile or CPU builds is in the list, too; it is enough that one can be had. */
static int
fetch_listed(struct hp_debian *d, struct hp_apt *apt, char *list, struct hp_err *err)
{
	struct hp_err last = { 0 };
	unsigned got = 0;
	char *line;

	while ((line = strsep(&list, "\n")) != NULL && line[0] == ' ') {
		const char *name;

		if (!is_code_package(line))
			continue;
		name = hp_arena_strndup(&d->arena, line + 1, strcspn(line + 1, " "));
		if (name == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory");
		if (hp_apt_binary(apt, name, d->version, &last) == 0)
			got++;
		else
			hp_note("package '%s' %s cannot be had; going on without it", hp_esc(name), hp_esc(d->version));
	}
	if (got > 0)
		return 0;
	*err = last.code != 0 ? last : *err;
	return hp_err_set(err, HP_E_IO, "no binary package of '%s' can be had; name one with --binary NAME=VERSION",
	                  hp_esc(d->spec));
}

static int
fetch_binaries(struct hp_debian *d, struct hp_apt *apt, const char *dsc, struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf text = { 0 };
	char *list;
	int r = 0;

	for (unsigned i = 0; i < d->binaries_cnt && r == 0; i++) {
		const char *eq = strchr(d->binaries[i], '=');
		const char *name = eq == NULL ? d->binaries[i] : hp_arena_strndup(&d->arena, d->binaries[i],
		                                                                  (size_t)(eq - d->binaries[i]));

		r = name == NULL ? hp_err_set(err, HP_E_NOMEM, "no memory")
		                 : hp_apt_binary(apt, name, eq != NULL ? eq + 1 : d->version, err);
	}
	if (d->binaries_cnt > 0 || r < 0)
		return r;
	r = hp_file_read(dsc, TEXT_LEN_MAX, &text, err);
	if (r == 0)
		r = hp_buf_add(&text, "", 1, err);
	if (r < 0)
		return r;
	list = strstr((char *)text.p, "\nPackage-List:");
	list = list != NULL ? strchr(list + 1, '\n') : NULL;
	if (list == NULL)
		return hp_err_set(err, HP_E_FORMAT, "'%s' has no Package-List: name a package with --binary", hp_esc(dsc));
	return fetch_listed(d, apt, list + 1, err);
}

/* Where the archive's builds find their tools: what has the same name in /usr/local is not what the package was built with. */
#define BUILD_PATH "/usr/sbin:/usr/bin:/sbin:/bin"

/* What runs dpkg-buildpackage: flags of the caller's environment must not get into the build. */
static int
make_command(struct hp_debian *d, const char *path, bool again, char *const **ret, struct hp_err *err)
{
	static const char *const base[] = { "env",     "-u", "CFLAGS",    "-u", "CXXFLAGS",  "-u", "CPPFLAGS", "-u",
		                            "LDFLAGS", "-u", "MAKEFLAGS", "-u", "MAKELEVEL", "-u", "MFLAGS",   "LC_ALL=C.UTF-8" };
	static const char *const tail[] = { "dpkg-buildpackage", "-B", "-uc", "-us", "-d", "-Pnocheck" };
	char **argv = hp_arena_array(&d->arena, 32, sizeof(*argv));
	int n = 0;

	if (argv == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	for (size_t i = 0; i < sizeof(base) / sizeof(base[0]); i++)
		argv[n++] = hp_arena_strdup(&d->arena, base[i]);
	argv[n++] = hp_arena_printf(&d->arena, "DEB_BUILD_OPTIONS=nocheck parallel=%ld", sysconf(_SC_NPROCESSORS_ONLN));
	argv[n++] = hp_arena_printf(&d->arena, "PATH=%s", path);
	for (size_t i = 0; i < sizeof(tail) / sizeof(tail[0]); i++)
		argv[n++] = hp_arena_strdup(&d->arena, tail[i]);
	if (again) {
		argv[n++] = hp_arena_strdup(&d->arena, "--no-pre-clean");
		argv[n++] = hp_arena_strdup(&d->arena, "--target=build-arch");
	}
	for (int i = 0; i < n; i++)
		if (argv[i] == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory");
	*ret = argv;
	return 0;
}

/* Commands that do nothing, under the names of those that configure a source tree: it is configured already, and a second time
 * some of them fail, others touch what everything depends on. */
static int
make_idle_commands(struct hp_debian *d, const char **ret_path, struct hp_err *err)
{
	static const char *const names[] = { "dh_autoreconf", "dh_auto_configure", "dh_update_autotools_config" };
	static const char script[] = "#!/bin/sh\nexit 0\n";
	const char *dir = below(d, "idle", err);
	int r = dir == NULL ? HP_E_NOMEM : hp_folder_make(dir, err);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && r == 0; i++) {
		const char *file = hp_arena_printf(&d->arena, "%s/%s", dir, names[i]);

		r = file == NULL ? hp_err_set(err, HP_E_NOMEM, "no memory")
		                 : hp_file_write(file, hp_view_of((const uint8_t *)script, sizeof(script) - 1), 0755, err);
	}
	if (r < 0)
		return r;
	*ret_path = hp_arena_printf(&d->arena, "%s:%s", dir, BUILD_PATH);
	return *ret_path == NULL ? hp_err_set(err, HP_E_NOMEM, "no memory") : 0;
}

static int
set_rebuild(struct hp_debian *d, struct hp_err *err)
{
	d->rebuild.source = below(d, "src", err);
	d->rebuild.work_dir = d->dir;
	if (d->rebuild.source == NULL)
		return HP_E_NOMEM;
	d->rebuild.objects = d->rebuild.source;
	return make_command(d, BUILD_PATH, false, &d->rebuild.command, err);
}

/* 1: the folder holds all of this version, 0: not yet. */
static int
is_prepared(struct hp_debian *d, const char *state, struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf text = { 0 };
	int r;

	if (hp_path_kind(state) != HP_PATH_FILE || hp_path_kind(d->rebuild.source) != HP_PATH_DIR)
		return 0; /* the sources are missing when a second build was killed while it unpacked them */
	r = hp_file_read(state, TEXT_LEN_MAX, &text, err);
	if (r < 0)
		return r;
	if (text.len == strlen(d->spec) && memcmp(text.p, d->spec, text.len) == 0)
		return 1;
	return hp_err_set(err, HP_E_USAGE, "'%s' is the folder of another package or version", hp_esc(d->dir));
}

/* Leftovers of an interrupted run. Only folders of our own names, and none unless there is our list of archives. */
static int
remove_leftovers(struct hp_debian *d, struct hp_err *err)
{
	static const char *const names[] = { "source", "binary", "src", "shipped", "rebuilt", "originals" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *path = below(d, names[i], err), *list = below(d, "apt/sources.list", err);

		if (path == NULL || list == NULL)
			return HP_E_NOMEM;
		if (hp_path_kind(path) == HP_PATH_MISSING)
			continue;
		if (hp_path_kind(list) != HP_PATH_FILE)
			return hp_err_set(err, HP_E_USAGE, "'%s' is there, but was not made by this command", hp_esc(path));
		hp_remove_tree(path);
	}
	return 0;
}

static int
prepare(struct hp_debian *d, struct hp_err *err)
{
	struct hp_apt apt;
	const char *dsc;
	int r = remove_leftovers(d, err);

	hp_note("fetching '%s' and the packages that were shipped", hp_esc(d->spec));
	if (r == 0)
		r = hp_apt_open(&apt, &d->arena, d->dir, err);
	if (r == 0)
		r = hp_apt_source(&apt, d->spec, &dsc, err);
	if (r == 0)
		r = fetch_binaries(d, &apt, dsc, err);
	if (r == 0)
		r = hp_apt_build_deps(&apt, d->install_deps, err);
	if (r == 0)
		r = hp_rebuild_original(&d->rebuild, err);
	return r < 0 ? r : hp_deb_unpack_rebuilt(d, err);
}

int
hp_debian_prepare(struct hp_debian *d, struct hp_err *err)
{
	const char *eq = strchr(d->spec, '='), *state = below(d, "state", err);
	struct hp_command_signals old;
	int r;

	if (state == NULL)
		return HP_E_NOMEM;
	if (eq == NULL || eq == d->spec || eq[1] == '\0' || d->spec[0] == '-')
		return hp_err_set(err, HP_E_USAGE, "'%s' is not PACKAGE=VERSION", hp_esc(d->spec));
	d->version = eq + 1;
	r = set_rebuild(d, err);
	if (r == 0)
		r = is_prepared(d, state, err);
	if (r == 0) {
		hp_command_catch(&old);
		r = prepare(d, err);
		hp_command_restore(&old);
		if (r == 0)
			r = hp_file_write(state, hp_view_of((const uint8_t *)d->spec, strlen(d->spec)), 0644, err);
	}
	return r < 0 ? r : hp_deb_find_modules(d, err);
}

/* What decides how a tree is built: when that changes, it is configured and built from the start. */
static bool
is_build_file(const char *path)
{
	static const char *const ends[] = { ".am",         ".ac",      ".in", ".m4", ".cmake", ".mk", "CMakeLists.txt",
		                            "meson.build", "configure" };
	const char *base = strrchr(path, '/');
	size_t len = strlen(path);

	base = base != NULL ? base + 1 : path;
	if (strstr(path, "/debian/") != NULL || strncmp(base, "Makefile", 8) == 0)
		return true;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (len >= strlen(ends[i]) && strcmp(path + len - strlen(ends[i]), ends[i]) == 0)
			return true;
	return false;
}

/* 1: the patch leaves the files that decide how to build alone. */
static int
keeps_build(const char *patch, struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf text = { 0 };
	char *rest, *line;
	int r = hp_file_read(patch, PATCH_LEN_MAX, &text, err);

	if (r == 0)
		r = hp_buf_add(&text, "", 1, err);
	if (r < 0)
		return r;
	rest = (char *)text.p;
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (strncmp(line, "+++ ", 4) != 0)
			continue;
		line[4 + strcspn(line + 4, "\t \r")] = '\0';
		if (is_build_file(line + 4))
			return 0;
	}
	return 1;
}

/* How to unpack the source package once more. */
static int
set_unpack(struct hp_debian *d, struct hp_err *err)
{
	const char *dir = below(d, "source", err);
	char **argv = hp_arena_array(&d->arena, 6, sizeof(*argv)), **paths;
	size_t cnt;
	int r = dir == NULL || argv == NULL ? hp_err_set(err, HP_E_NOMEM, "no memory")
	                                    : hp_tree_list(dir, ".dsc", &d->arena, &paths, &cnt, err);

	if (r < 0 || cnt != 1) /* not there any more: then without */
		return r;
	argv[0] = hp_arena_strdup(&d->arena, "dpkg-source");
	argv[1] = hp_arena_strdup(&d->arena, "--no-check");
	argv[2] = hp_arena_strdup(&d->arena, "-x");
	argv[3] = hp_arena_printf(&d->arena, "%s/%s", dir, paths[0]);
	argv[4] = hp_arena_strdup(&d->arena, "src.new");
	d->rebuild.fresh = below(d, "src.new", err);
	for (int i = 0; i < 5; i++)
		if (argv[i] == NULL || d->rebuild.fresh == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory");
	d->rebuild.unpack = argv;
	return 0;
}

int
hp_debian_patched(struct hp_debian *d, struct hp_err *err)
{
	const char *stamp = below(d, "src/debian/debhelper-build-stamp", err), *path;
	int r = stamp == NULL ? HP_E_NOMEM : 1;

	for (unsigned i = 0; i < d->rebuild.patches_cnt && r == 1; i++)
		r = keeps_build(d->rebuild.patches[i], err);
	if (r == 1) {
		r = make_idle_commands(d, &path, err);
		if (r == 0)
			r = make_command(d, path, true, &d->rebuild.again, err);
		(void)unlink(stamp);
	}
	if (r >= 0)
		r = set_unpack(d, err);
	return r < 0 ? r : hp_rebuild_patched(&d->rebuild, err);
}

void
hp_debian_release(struct hp_debian *d)
{
	hp_arena_release(&d->arena);
}
