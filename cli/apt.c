#include "cli/apt.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/escape.h"
#include "base/file.h"
#include "cli/command.h"
#include "cli/folder.h"
#include "cli/out.h"

#define LOG_LEN_MAX ((uint64_t)16 << 20)
#define ARGS_MAX 40

static char *
text(struct hp_apt *apt, const char *s)
{
	return hp_arena_strdup(apt->arena, s);
}

/* apt-get with our options and ${args}, in folder ${dir}/${sub}. */
static int
apt_get(struct hp_apt *apt, const char *sub, const char *const *args, const char *what, struct hp_err *err)
{
	char *argv[ARGS_MAX] = { text(apt, "apt-get"), text(apt, "-q"), text(apt, "-y") };
	const char *dir = hp_arena_printf(apt->arena, "%s/%s", apt->dir, sub);
	int n = 3, r;

	for (int i = 0; apt->opts[i] != NULL; i++)
		argv[n++] = apt->opts[i];
	for (; *args != NULL && n < ARGS_MAX - 1; args++)
		argv[n++] = text(apt, *args);
	for (int i = 0; i < n; i++)
		if (argv[i] == NULL || dir == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory");
	r = hp_folder_make(dir, err);
	return r < 0 ? r : hp_command_run(dir, argv, apt->log, what, err);
}

static int
run(struct hp_apt *apt, const char *dir, const char *log, const char *const *args, const char *what, struct hp_err *err)
{
	char *argv[ARGS_MAX] = { NULL };

	for (int n = 0; args[n] != NULL && n < ARGS_MAX - 1; n++) {
		argv[n] = text(apt, args[n]);
		if (argv[n] == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory");
	}
	return hp_command_run(dir, argv, log, what, err);
}

/* One index that apt uses: "target ORIGIN|URI|RELEASE|COMPONENT". It is taken over when its origin has a keyring of the usual
 * name, so that no archive is trusted here that is not trusted by its maker's own package. */
static int
add_archive(struct hp_apt *apt, char *line, struct hp_buf *list, struct hp_err *err)
{
	char *field[4], *rest = line;
	const char *ring, *entry;

	for (int i = 0; i < 4; i++) {
		field[i] = strsep(&rest, "|");
		if (field[i] == NULL || field[i][0] == '\0' || strpbrk(field[i], " []") != NULL)
			return 0;
	}
	for (char *c = field[0]; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	ring = hp_arena_printf(apt->arena, "/usr/share/keyrings/%s-archive-keyring.gpg", field[0]);
	if (ring == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	if (strchr(field[0], '/') != NULL || access(ring, R_OK) < 0)
		return 0;
	entry = hp_arena_printf(apt->arena, "deb [signed-by=%s] %s %s %s\ndeb-src [signed-by=%s] %s %s %s\n", ring, field[1],
	                        field[2], field[3], ring, field[1], field[2], field[3]);
	if (entry == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	if (list->len > 0 && memmem(list->p, list->len, entry, strlen(entry)) != NULL)
		return 0;
	return hp_buf_add(list, entry, strlen(entry), err);
}

static int
read_log(const char *path, struct hp_buf *ret, struct hp_err *err)
{
	int r = hp_file_read(path, LOG_LEN_MAX, ret, err);

	return r < 0 ? r : hp_buf_add(ret, "", 1, err);
}

/* The archives of the machine, as deb and deb-src entries. */
static int
make_list(struct hp_apt *apt, const char *list_path, struct hp_err *err)
{
	static const char *const ask[] = { "apt-get", "indextargets", "--format",
		                           "target $(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)", "Created-By: Packages", NULL };
	HP_AUTO(hp_buf) struct hp_buf answer = { 0 };
	HP_AUTO(hp_buf) struct hp_buf list = { 0 };
	const char *log = hp_arena_printf(apt->arena, "%s/apt/targets", apt->dir);
	char *rest, *line;
	int r = log == NULL ? hp_err_set(err, HP_E_NOMEM, "no memory") : 0;

	if (r == 0)
		r = run(apt, apt->dir, log, ask, "asking apt for its archives", err);
	if (r == 0)
		r = read_log(log, &answer, err);
	if (r < 0)
		return r;
	(void)unlink(log);
	rest = (char *)answer.p;
	while (r == 0 && (line = strsep(&rest, "\n")) != NULL)
		if (strncmp(line, "target ", 7) == 0)
			r = add_archive(apt, line + 7, &list, err);
	if (r < 0)
		return r;
	if (list.len == 0)
		return hp_err_set(err, HP_E_IO, "apt knows no archive whose keyring is installed: is 'apt-get update' done?");
	return hp_file_write(list_path, hp_buf_view(&list), 0644, err);
}

static int
set_options(struct hp_apt *apt, const char *list, struct hp_err *err)
{
	int n = 0;

	apt->opts[n++] = text(apt, "-o");
	apt->opts[n++] = hp_arena_printf(apt->arena, "Dir::Etc::sourcelist=%s", list);
	apt->opts[n++] = text(apt, "-o");
	apt->opts[n++] = text(apt, "Dir::Etc::sourceparts=-");
	apt->opts[n++] = text(apt, "-o");
	apt->opts[n++] = hp_arena_printf(apt->arena, "Dir::State::lists=%s/apt/lists", apt->dir);
	apt->opts[n++] = text(apt, "-o");
	apt->opts[n++] = hp_arena_printf(apt->arena, "Dir::Cache=%s/apt/cache", apt->dir);
	apt->opts[n++] = text(apt, "-o");
	apt->opts[n++] = text(apt, "APT::Sandbox::User="); /* the folder is ours alone; _apt could not write there */
	apt->opts[n++] = text(apt, "-o");
	apt->opts[n++] = text(apt, "Dpkg::Use-Pty=0");
	apt->opts[n++] = text(apt, "-o");
	apt->opts[n++] = text(apt, "DPkg::Lock::Timeout=300");
	for (int i = 0; i < n; i++)
		if (apt->opts[i] == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory");
	return 0;
}

int
hp_apt_open(struct hp_apt *apt, struct hp_arena *arena, const char *dir, struct hp_err *err)
{
	static const char *const update[] = { "update", NULL }, *const made[] = { "lists/partial", "cache/archives/partial" };
	const char *list = hp_arena_printf(arena, "%s/apt/sources.list", dir);
	int r = 0;

	*apt = (struct hp_apt){ .arena = arena, .dir = dir, .log = hp_arena_printf(arena, "%s/apt.log", dir) };
	if (list == NULL || apt->log == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	for (int i = 0; i < 2 && r == 0; i++) {
		const char *path = hp_arena_printf(arena, "%s/apt/%s", dir, made[i]);

		r = path == NULL ? hp_err_set(err, HP_E_NOMEM, "no memory") : hp_folder_make(path, err);
	}
	if (r == 0)
		r = set_options(apt, list, err);
	if (r == 0)
		r = make_list(apt, list, err);
	return r < 0 ? r : apt_get(apt, "apt", update, "fetching the archives' indexes", err);
}

/* The one file below ${dir} that ends in ${suffix}. */
static int
only_file(struct hp_apt *apt, const char *dir, const char *suffix, const char **ret, struct hp_err *err)
{
	char **paths;
	size_t cnt;
	int r = hp_tree_list(dir, suffix, apt->arena, &paths, &cnt, err);

	if (r < 0)
		return r;
	if (cnt != 1)
		return hp_err_set(err, HP_E_IO, "expected one file '*%s' in '%s', found %zu", suffix, hp_esc(dir), cnt);
	*ret = hp_arena_printf(apt->arena, "%s/%s", dir, paths[0]);
	return *ret == NULL ? hp_err_set(err, HP_E_NOMEM, "no memory") : 0;
}

int
hp_apt_source(struct hp_apt *apt, const char *spec, const char **ret_dsc, struct hp_err *err)
{
	const char *const args[] = { "source", "--only-source", "--download-only", spec, NULL };
	const char *dir = hp_arena_printf(apt->arena, "%s/source", apt->dir);
	int r = apt_get(apt, "source", args, "fetching the source package", err);

	if (r == 0)
		r = dir == NULL ? hp_err_set(err, HP_E_NOMEM, "no memory") : only_file(apt, dir, ".dsc", ret_dsc, err);
	if (r == 0) {
		/* apt has checked the digests against the signed index; the maintainer's own signature needs a keyring that is
		 * rarely there. */
		const char *const unpack[] = { "dpkg-source", "--no-check", "-x", *ret_dsc, "src", NULL };

		r = run(apt, apt->dir, apt->log, unpack, "unpacking the source package", err);
	}
	return r;
}

int
hp_apt_binary(struct hp_apt *apt, const char *name, const char *version, struct hp_err *err)
{
	const char *spec = hp_arena_printf(apt->arena, "%s=%s", name, version);
	const char *const args[] = { "download", spec, NULL };
	const char *sub = hp_arena_printf(apt->arena, "binary/%s", name);
	const char *dir = hp_arena_printf(apt->arena, "%s/binary/%s", apt->dir, name);
	const char *to = hp_arena_printf(apt->arena, "%s/shipped/%s", apt->dir, name);
	const char *deb;
	int r;

	if (spec == NULL || sub == NULL || dir == NULL || to == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	r = apt_get(apt, sub, args, "fetching the shipped binary package", err);
	if (r == 0)
		r = only_file(apt, dir, ".deb", &deb, err);
	if (r == 0)
		r = hp_folder_make(to, err);
	if (r == 0) {
		const char *const unpack[] = { "dpkg-deb", "-x", deb, to, NULL };

		r = run(apt, apt->dir, apt->log, unpack, "unpacking the shipped binary package", err);
	}
	return r;
}

static int
check_deps(struct hp_apt *apt, const char *log, struct hp_err *err)
{
	static const char *const check[] = { "dpkg-checkbuilddeps", "-B", "-P", "nocheck", NULL };
	const char *src = hp_arena_printf(apt->arena, "%s/src", apt->dir);

	return src == NULL ? hp_err_set(err, HP_E_NOMEM, "no memory")
	                   : run(apt, src, log, check, "checking build dependencies", err);
}

int
hp_apt_build_deps(struct hp_apt *apt, bool install, struct hp_err *err)
{
	static const char *const get[] = { "build-dep", "--no-install-recommends", "--arch-only", "-P", "nocheck", "./", NULL };
	HP_AUTO(hp_buf) struct hp_buf missing = { 0 };
	const char *log = hp_arena_printf(apt->arena, "%s/build-deps.log", apt->dir);
	struct hp_err first = { 0 };
	char *line;

	if (log == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	if (check_deps(apt, log, &first) == 0)
		return 0;
	if (install) {
		hp_note("installing build dependencies");
		return apt_get(apt, "src", get, "installing build dependencies", err);
	}
	if (read_log(log, &missing, err) < 0)
		return err->code;
	line = strstr((char *)missing.p, "Unmet");
	if (line == NULL) {
		*err = first;
		return err->code;
	}
	line[strcspn(line, "\n")] = '\0';
	return hp_err_set(err, HP_E_IO, "%s; --install-build-deps installs them (as root)", hp_esc(line));
}
