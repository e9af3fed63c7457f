#include "cli/debug_find.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/file.h"
#include "cli/debuginfod.h"
#include "cli/out.h"
#include "formats/debug_link.h"
#include "formats/hash.h"
#include "formats/limits.h"
#include "formats/xz.h"

#define SYSTEM_DIR "/usr/lib/debug"

struct search {
	const struct hp_debug_search *how;
	const struct hp_elf *elf;
	struct hp_view id;
	const char *real; /* absolute path of the module without links, NULL = unknown */
	const char *dir;  /* its folder, "" = unknown */
	struct hp_debug_found *ret;
	struct hp_err *err;
};

/* Whether ${bytes} can serve; else a note says why not. 1 yes, 0 no. */
static int
suits(const struct search *s, struct hp_view bytes, const char *path)
{
	HP_AUTO(hp_elf) struct hp_elf *elf = NULL;
	struct hp_err err = { 0 };
	struct hp_view id;

	if (hp_elf_open(bytes, path, &elf, &err) < 0)
		hp_note("debug file '%s' skipped: it is no ELF file that can be read", hp_esc(path));
	else if (!hp_elf_build_id(elf, &id))
		hp_note("debug file '%s' skipped: it has no build ID", hp_esc(path));
	else if (!hp_view_eq(id, s->id))
		hp_note("debug file '%s' skipped: it belongs to another build, the build IDs differ", hp_esc(path));
	else if (elf->syms_cnt <= 1)
		hp_note("debug file '%s' skipped: it has no symbol table", hp_esc(path));
	else
		return 1;
	return 0;
}

static int
take(const struct search *s, struct hp_buf *bytes, const char *path, const char *source, bool partial)
{
	*s->ret = (struct hp_debug_found){ .path = strdup(path), .source = source, .partial = partial, .bytes = *bytes };
	*bytes = (struct hp_buf){ 0 };
	if (s->ret->path != NULL)
		return 1;
	hp_debug_found_release(s->ret);
	return hp_err_set(s->err, HP_E_NOMEM, "no memory");
}

/* crc: NULL = not asked for. 1 taken, 0 not there or not suitable. */
static int
try_file(const struct search *s, const char *path, const char *source, const uint32_t *crc)
{
	HP_AUTO(hp_buf) struct hp_buf bytes = { 0 };
	HP_AUTO(hp_mem) char *real = NULL;
	struct hp_err err = { 0 };

	if (hp_path_kind(path) != HP_PATH_FILE)
		return 0;
	real = realpath(path, NULL);
	if (real != NULL && s->real != NULL && strcmp(real, s->real) == 0)
		return 0; /* the module itself, whose link bears its own name */
	if (hp_file_read(path, HP_ELF_LEN_MAX, &bytes, &err) < 0) {
		hp_note("debug file '%s' skipped: it cannot be read", hp_esc(path));
		return 0;
	}
	if (crc != NULL && hp_xz_crc32(hp_buf_view(&bytes)) != *crc) {
		hp_note("debug file '%s' skipped: its checksum is not the one in .gnu_debuglink", hp_esc(path));
		return 0;
	}
	return suits(s, hp_buf_view(&bytes), path) ? take(s, &bytes, path, source, false) : 0;
}

static int __attribute__((format(printf, 4, 5)))
try_path(const struct search *s, const char *source, const uint32_t *crc, const char *fmt, ...)
{
	HP_AUTO(hp_mem) char *path = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&path, fmt, ap);
	va_end(ap);
	if (n < 0) {
		path = NULL;
		return hp_err_set(s->err, HP_E_NOMEM, "no memory");
	}
	return try_file(s, path, source, crc);
}

/* The folders that gdb looks into: the module's, .debug below it, the same folder below each debug folder. */
static int
by_link(const struct search *s)
{
	const char *name;
	uint32_t crc;
	int r;

	if (!hp_debug_link(s->elf, &name, &crc))
		return 0;
	r = try_path(s, "debuglink", &crc, "%s/%s", s->dir, name);
	if (r == 0)
		r = try_path(s, "debuglink", &crc, "%s/.debug/%s", s->dir, name);
	for (unsigned i = 0; i < s->how->dirs.cnt && r == 0; i++)
		r = try_path(s, "debuglink", &crc, "%s%s/%s", s->how->dirs.v[i], s->dir, name);
	return r != 0 ? r : try_path(s, "debuglink", &crc, SYSTEM_DIR "%s/%s", s->dir, name);
}

static int
by_id(const struct search *s)
{
	char hex[2 * HP_BUILD_ID_LEN_MAX + 1];
	int r = 0;

	hp_hex(s->id.p, s->id.len, hex);
	for (unsigned i = 0; i < s->how->dirs.cnt && r == 0; i++)
		r = try_path(s, "build-id", NULL, "%s/.build-id/%.2s/%s.debug", s->how->dirs.v[i], hex, hex + 2);
	return r != 0 ? r : try_path(s, "build-id", NULL, SYSTEM_DIR "/.build-id/%.2s/%s.debug", hex, hex + 2);
}

static int
by_server(const struct search *s)
{
	HP_AUTO(hp_mem) char *path = NULL;
	int r = hp_debuginfod_get(s->id, &path, s->err);

	if (r < 0)
		return r;
	if (r == 0) {
		hp_note("debuginfod: no server has the debug file of this build");
		return 0;
	}
	return try_file(s, path, "debuginfod", NULL);
}

/* The module's own, last: only when it has no .symtab. */
static int
by_section(const struct search *s)
{
	static const char name[] = ".gnu_debugdata";
	HP_AUTO(hp_buf) struct hp_buf bytes = { 0 };
	struct hp_err err = { 0 };
	int r = s->elf->syms_cnt > 1 ? 0 : hp_debug_mini(s->elf, &bytes, &err);

	if (r == HP_E_NOMEM)
		return hp_err_set(s->err, HP_E_NOMEM, "no memory for %s", name);
	if (r < 0)
		hp_note("%s skipped: it is damaged or too large", name);
	return r > 0 && suits(s, hp_buf_view(&bytes), name) ? take(s, &bytes, name, "gnu_debugdata", true) : 0;
}

int
hp_debug_find(const struct hp_debug_search *how, const char *path, struct hp_view module, struct hp_debug_found *ret,
              struct hp_err *err)
{
	HP_AUTO(hp_elf) struct hp_elf *elf = NULL;
	HP_AUTO(hp_mem) char *real = realpath(path, NULL);
	HP_AUTO(hp_mem) char *dir = strdup(real != NULL ? real : "");
	struct search s = { .how = how, .real = real, .dir = dir, .ret = ret, .err = err };
	char *slash = dir != NULL ? strrchr(dir, '/') : NULL;
	int r;

	if (dir == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	if (slash != NULL)
		*slash = '\0';
	/* What is wrong with the module itself is said by those who open it to use it. */
	if (hp_elf_open(module, path, &elf, NULL) < 0 || !hp_elf_build_id(elf, &s.id) || s.id.len > HP_BUILD_ID_LEN_MAX)
		return 0;
	s.elf = elf;
	r = by_link(&s);
	if (r == 0)
		r = by_id(&s);
	if (r == 0 && how->debuginfod)
		r = by_server(&s);
	return r != 0 ? r : by_section(&s);
}

void
hp_debug_found_release(struct hp_debug_found *found)
{
	hp_buf_release(&found->bytes);
	free(found->path);
	*found = (struct hp_debug_found){ 0 };
}
