#include "packager/needed.h"

#include <fcntl.h>
#include <glob.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/escape.h"
#include "base/file.h"
#include "formats/elf_file.h"
#include "formats/limits.h"

enum { LIBS_MAX = 1024, CONF_LEN_MAX = 65536, CONF_DEPTH_MAX = 8, FOLDERS_MAX = 512 };

struct lib {
	const char *name; /* as it is needed */
	const char *path; /* below the sysroot; "" = the module itself */
	const char *origin; /* what $ORIGIN is: a folder below the sysroot, of the module one of this machine */
	struct lib *loader; /* NULL = the module itself */
	struct hp_buf file;
	struct hp_elf *elf; /* NULL = not found */
	struct hp_dyn dyn;  /* when it has a dynamic section */
	bool has_dyn;
};

struct hp_needed {
	struct hp_arena arena;
	const char *sysroot;
	int root_fd;
	struct lib **libs; /* [0] is the module */
	size_t libs_cnt;
	const char **folders; /* of /etc/ld.so.conf and the usual ones */
	size_t folders_cnt;
};

static const char *const usual_folders[] = { "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib",
	                                     "/usr/lib" };

static int
open_dyn(struct hp_needed *n, struct lib *lib, struct hp_err *err)
{
	int r = hp_dyn_open_file(lib->elf, &n->arena, &lib->dyn, err);

	lib->has_dyn = r > 0;
	return r < 0 ? r : 0;
}

/* A file below the sysroot; absolute links stay inside of it. */
static int
open_below(const struct hp_needed *n, const char *path)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK, .resolve = RESOLVE_IN_ROOT };

	return (int)syscall(SYS_openat2, n->root_fd, path, &how, sizeof(how));
}

static int
read_below(const struct hp_needed *n, const char *path, uint64_t max_len, struct hp_buf *ret)
{
	HP_AUTO(hp_fd) int fd = open_below(n, path);
	char name[32];

	if (fd < 0)
		return 0;
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return hp_file_read(name, max_len, ret, NULL) == 0;
}

/* ---- folders ---- */

static int
add_folder(struct hp_needed *n, const char *path)
{
	for (size_t i = 0; i < n->folders_cnt; i++)
		if (strcmp(n->folders[i], path) == 0)
			return 0;
	if (n->folders_cnt == FOLDERS_MAX)
		return 0;
	n->folders[n->folders_cnt] = hp_arena_strdup(&n->arena, path);
	return n->folders[n->folders_cnt++] == NULL ? HP_E_NOMEM : 0;
}

static int read_conf(struct hp_needed *n, const char *path, unsigned depth);

/* "include /etc/ld.so.conf.d/STAR.conf": what the pattern matches below the sysroot. */
static int
include_conf(struct hp_needed *n, const char *pattern, unsigned depth)
{
	size_t skip = strcmp(n->sysroot, "/") == 0 ? 0 : strlen(n->sysroot);
	char *full = hp_arena_printf(&n->arena, "%s%s%s", skip > 0 ? n->sysroot : "", pattern[0] == '/' ? "" : "/etc/", pattern);
	glob_t found;
	int r = 0;

	if (full == NULL)
		return HP_E_NOMEM;
	if (glob(full, 0, NULL, &found) != 0)
		return 0;
	for (size_t i = 0; i < found.gl_pathc && r == 0; i++)
		r = read_conf(n, found.gl_pathv[i] + skip, depth + 1);
	globfree(&found);
	return r;
}

static int
read_conf(struct hp_needed *n, const char *path, unsigned depth)
{
	HP_AUTO(hp_buf) struct hp_buf buf = { 0 };
	char *text, *line, *save;
	int r = 0;

	if (depth > CONF_DEPTH_MAX || !read_below(n, path, CONF_LEN_MAX, &buf))
		return 0;
	text = hp_arena_strndup(&n->arena, (const char *)buf.p, buf.len);
	if (text == NULL)
		return HP_E_NOMEM;
	for (line = strtok_r(text, "\n", &save); line != NULL && r == 0; line = strtok_r(NULL, "\n", &save)) {
		line[strcspn(line, "#")] = '\0';
		line += strspn(line, " \t");
		for (size_t len = strlen(line); len > 0 && strchr(" \t\r", line[len - 1]) != NULL;)
			line[--len] = '\0';
		if (strncmp(line, "include", 7) == 0 && (line[7] == ' ' || line[7] == '\t'))
			r = include_conf(n, line + 7 + strspn(line + 7, " \t"), depth);
		else if (line[0] == '/')
			r = add_folder(n, line);
	}
	return r;
}

static int
list_folders(struct hp_needed *n)
{
	int r;

	n->folders = hp_arena_array(&n->arena, FOLDERS_MAX, sizeof(*n->folders));
	if (n->folders == NULL)
		return HP_E_NOMEM;
	r = read_conf(n, "/etc/ld.so.conf", 0);
	for (size_t i = 0; i < sizeof(usual_folders) / sizeof(usual_folders[0]) && r == 0; i++)
		r = add_folder(n, usual_folders[i]);
	return r;
}

/* ---- search ---- */

/* One try: an ELF file of this kind? The module's own $ORIGIN is a folder of this machine, not of the sysroot. */
static int
try_path(struct hp_needed *n, struct lib *lib, const char *path, bool host)
{
	struct hp_elf *elf = NULL;
	int got = host ? hp_file_read(path, HP_ELF_LEN_MAX, &lib->file, NULL) == 0 :
	                 read_below(n, path, HP_ELF_LEN_MAX, &lib->file);

	if (!got)
		return 0;
	if (hp_elf_open(hp_buf_view(&lib->file), path, &elf, NULL) < 0 || elf->machine != EM_X86_64 || elf->type != ET_DYN) {
		hp_elf_free(elf);
		hp_buf_release(&lib->file);
		return 0;
	}
	lib->elf = elf;
	lib->path = hp_arena_strdup(&n->arena, path);
	lib->origin = strrchr(path, '/') == path ? "/" : hp_arena_strndup(&n->arena, path, (size_t)(strrchr(path, '/') - path));
	return lib->path == NULL || lib->origin == NULL ? HP_E_NOMEM : 1;
}

/* ${folder}[0..len) with its tokens replaced; "" when it has one that is not known. ld.so(8), "Dynamic string tokens". */
static char *
expand(struct hp_needed *n, const char *folder, size_t len, const char *origin, const char *lib_word, bool *ret_origin)
{
	static const char *const names[] = { "ORIGIN", "LIB", "PLATFORM" };
	const char *const values[] = { origin, lib_word, "x86_64" };
	HP_AUTO(hp_buf) struct hp_buf out = { 0 };

	*ret_origin = false;
	for (size_t i = 0; i < len;) {
		size_t k = 0, skip = 0;

		for (; folder[i] == '$' && k < 3; k++) {
			size_t l = strlen(names[k]);

			if (strncmp(folder + i + 1, names[k], l) == 0)
				skip = l + 1;
			else if (folder[i + 1] == '{' && strncmp(folder + i + 2, names[k], l) == 0 && folder[i + 2 + l] == '}')
				skip = l + 3;
			if (skip > 0)
				break;
		}
		if (folder[i] == '$' && (skip == 0 || i + skip > len))
			return hp_arena_strdup(&n->arena, "");
		*ret_origin = *ret_origin || (skip > 0 && k == 0);
		if (hp_buf_add(&out, skip > 0 ? values[k] : folder + i, skip > 0 ? strlen(values[k]) : 1, NULL) < 0)
			return NULL;
		i += skip > 0 ? skip : 1;
	}
	return hp_arena_strndup(&n->arena, (const char *)out.p, out.len);
}

/* The folders of a DT_RPATH or DT_RUNPATH of ${of}. */
static int
try_list(struct hp_needed *n, struct lib *lib, const char *list, const struct lib *of)
{
	static const char *const lib_words[] = { "lib/x86_64-linux-gnu", "lib64", "lib" };
	int r = 0;

	while (r == 0 && list != NULL && *list != '\0') {
		size_t len = strcspn(list, ":");

		for (size_t w = 0; w < 3 && r == 0; w++) {
			bool origin;
			const char *folder = expand(n, list, len, of->origin, lib_words[w], &origin), *path;

			path = folder != NULL ? hp_arena_printf(&n->arena, "%s/%s", folder, lib->name) : NULL;
			if (path == NULL)
				return HP_E_NOMEM;
			if (folder[0] != '\0')
				r = try_path(n, lib, path, origin && of->loader == NULL);
			if (memmem(list, len, "LIB", 3) == NULL)
				break;
		}
		list += len + (list[len] == ':');
	}
	return r;
}

static int
search(struct hp_needed *n, struct lib *lib)
{
	const struct lib *by = lib->loader;
	int r = 0;

	if (strchr(lib->name, '/') != NULL)
		return try_path(n, lib, lib->name, false);
	for (const struct lib *l = by; by->dyn.runpath == NULL && l != NULL && r == 0; l = l->loader)
		if (l->dyn.runpath == NULL)
			r = try_list(n, lib, l->dyn.rpath, l);
	if (r == 0)
		r = try_list(n, lib, by->dyn.runpath, by);
	for (size_t i = 0; i < n->folders_cnt && r == 0; i++) {
		const char *path = hp_arena_printf(&n->arena, "%s/%s", n->folders[i], lib->name);

		r = path == NULL ? HP_E_NOMEM : try_path(n, lib, path, false);
	}
	return r;
}

static bool
is_there(const struct hp_needed *n, const char *name)
{
	for (size_t i = 0; i < n->libs_cnt; i++) {
		const struct lib *l = n->libs[i];

		if (strcmp(l->name, name) == 0 || (l->has_dyn && l->dyn.soname != NULL && strcmp(l->dyn.soname, name) == 0))
			return true;
	}
	return false;
}

static int
add_lib(struct hp_needed *n, const char *name, struct lib *loader, struct hp_err *err)
{
	struct lib *lib = hp_arena_alloc(&n->arena, sizeof(*lib));
	int r;

	if (lib == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	if (n->libs_cnt == LIBS_MAX)
		return hp_err_set(err, HP_E_LIMIT, "more than %d libraries", LIBS_MAX);
	*lib = (struct lib){ .name = name, .path = "", .origin = "", .loader = loader };
	n->libs[n->libs_cnt++] = lib;
	r = search(n, lib);
	if (r < 0)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	return r > 0 ? open_dyn(n, lib, err) : 0;
}

static int
open_all(struct hp_needed *n, struct hp_view module, const char *path, struct hp_err *err)
{
	struct lib *self = hp_arena_alloc(&n->arena, sizeof(*self));
	HP_AUTO(hp_mem) char *real = realpath(path, NULL);
	char *slash = real != NULL ? strrchr(real, '/') : NULL;
	int r;

	n->libs = hp_arena_array(&n->arena, LIBS_MAX, sizeof(struct lib *));
	if (n->libs == NULL || self == NULL || list_folders(n) < 0)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	if (slash != NULL)
		*slash = '\0';
	*self = (struct lib){ .name = "", .path = "" };
	self->origin = hp_arena_strdup(&n->arena, real != NULL ? real : ".");
	if (self->origin == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	n->libs[n->libs_cnt++] = self;
	r = hp_elf_open(module, path, &self->elf, err);
	if (r == 0)
		r = open_dyn(n, self, err);
	for (size_t i = 0; i < n->libs_cnt && r == 0; i++)
		for (uint32_t k = 0; k < n->libs[i]->dyn.needed_cnt && r == 0; k++)
			if (!is_there(n, n->libs[i]->dyn.needed[k]))
				r = add_lib(n, n->libs[i]->dyn.needed[k], n->libs[i], err);
	return r;
}

int
hp_needed_open(struct hp_view module, const char *path, const char *sysroot, struct hp_needed **ret, struct hp_err *err)
{
	struct hp_needed *n = calloc(1, sizeof(*n));
	int r;

	if (n == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	n->sysroot = hp_arena_strdup(&n->arena, sysroot != NULL ? sysroot : "/");
	n->root_fd = open(sysroot != NULL ? sysroot : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = n->sysroot == NULL ? hp_err_set(err, HP_E_NOMEM, "no memory")
	    : n->root_fd < 0   ? hp_err_set(err, HP_E_IO, "cannot open the folder '%s'", hp_esc(sysroot))
	                       : open_all(n, module, path, err);
	if (r < 0) {
		hp_needed_free(n);
		return r;
	}
	*ret = n;
	return 0;
}

void
hp_needed_free(struct hp_needed *n)
{
	if (n == NULL)
		return;
	for (size_t i = 0; i < n->libs_cnt; i++) {
		hp_elf_free(n->libs[i]->elf);
		hp_buf_release(&n->libs[i]->file);
	}
	if (n->root_fd >= 0)
		(void)close(n->root_fd);
	hp_arena_release(&n->arena);
	free(n);
}

int
hp_needed_find(struct hp_needed *n, const char *name, const char *version, struct hp_needed_sym *ret, struct hp_err *err)
{
	const char *missing = NULL;

	for (size_t i = 0; i < n->libs_cnt; i++) {
		const struct lib *lib = n->libs[i];
		struct hp_dyn_sym sym;
		int r;

		if (missing == NULL && lib->elf == NULL)
			missing = lib->name;
		if (!lib->has_dyn)
			continue;
		r = hp_dyn_lookup(&lib->dyn, name, version, HP_DYN_DEFAULT, &sym, err);
		if (r < 0)
			return hp_err_add(err, "library '%s'", hp_esc(lib->path));
		if (r == 0)
			continue;
		*ret = (struct hp_needed_sym){ sym, sym.version != NULL ? sym.version : "", lib->path, missing };
		return 1;
	}
	return 0;
}

bool
hp_needed_is_static(const struct hp_needed *n)
{
	const struct lib *self = n->libs[0];

	for (uint32_t i = 0; i < self->elf->segs_cnt; i++)
		if (self->elf->segs[i].type == PT_INTERP)
			return false;
	/* A library has no interpreter of its own; a static-pie has nothing that it needs, and no name. */
	return !self->has_dyn || (self->dyn.needed_cnt == 0 && self->dyn.soname == NULL && (self->dyn.flags_1 & DF_1_PIE) != 0) ||
	       self->elf->type == ET_EXEC;
}

const char *
hp_needed_missing(const struct hp_needed *n)
{
	for (size_t i = 0; i < n->libs_cnt; i++)
		if (n->libs[i]->elf == NULL)
			return n->libs[i]->name;
	return NULL;
}

const char *
hp_needed_list(struct hp_needed *n)
{
	char *list = hp_arena_strdup(&n->arena, "");

	for (size_t i = 1; i < n->libs_cnt && list != NULL; i++)
		list = hp_arena_printf(&n->arena, "%s%s%s%s", list, i > 1 ? ", " : "", hp_esc(n->libs[i]->name),
		                       n->libs[i]->elf == NULL ? " (not found)" : "");
	return list != NULL && n->libs_cnt > 1 ? list : "none";
}
