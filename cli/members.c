#include "cli/members.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/escape.h"
#include "base/file.h"
#include "formats/limits.h"

static int
refuse_lto(const char *path, struct hp_err *err)
{
	return hp_err_set(err, HP_E_FORMAT, "'%s' is LTO bytecode, which has no code yet: build without -flto", hp_esc(path));
}

/* Code that the linker is still to compile: nothing can be proven of it. GCC wraps it into ELF. */
static bool
is_lto(const struct hp_elf *elf)
{
	for (uint32_t i = 1; i < elf->secs_cnt; i++)
		if (strncmp(elf->secs[i].name, ".gnu.lto_", 9) == 0)
			return true;
	return false;
}

static int
open_object(const char *path, const char *file_path, struct hp_prove_object *ret, struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf file = { 0 };
	int r = hp_file_read(file_path, HP_ELF_LEN_MAX, &file, err);

	*ret = (struct hp_prove_object){ .path = path };
	if (r == 0 && file.len >= 4 && memcmp(file.p, "BC\xc0\xde", 4) == 0)
		return refuse_lto(path, err); /* clang's bitcode is no ELF file */
	if (r == 0)
		r = hp_object_open(&file, path, &ret->obj, err);
	if (r < 0)
		return hp_err_add(err, "object '%s'", hp_esc(path));
	return is_lto(ret->obj->elf) ? refuse_lto(path, err) : 0;
}

/* One path that the original tree has. */
static int
add_pair(struct hp_members *m, const char *path, const char *old_path, const char *new_path, bool all, struct hp_buf *scratch,
         struct hp_err *err)
{
	bool gone = hp_path_kind(new_path) == HP_PATH_MISSING;
	int r = gone ? 0 : hp_file_same(old_path, new_path, scratch, err);
	bool changed = r == 0;

	if (r < 0 || (r == 1 && !all))
		return r < 0 ? r : 0;
	m->files[m->objects_cnt] = (struct hp_diff_file){ path, old_path, gone ? NULL : new_path };
	m->changed[m->objects_cnt] = changed;
	r = open_object(path, old_path, &m->objects[m->objects_cnt], err);
	m->objects_cnt++; /* also on failure: to be freed */
	return r;
}

static int
add_olds(struct hp_members *m, const char *original, const char *patched, bool all, struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf scratch = { 0 };
	char **paths;
	size_t cnt;
	int r = hp_tree_list(original, ".o", &m->arena, &paths, &cnt, err);

	if (r < 0)
		return r;
	m->objects = hp_arena_array(&m->arena, cnt, sizeof(*m->objects));
	m->files = hp_arena_array(&m->arena, cnt, sizeof(*m->files));
	m->changed = hp_arena_array(&m->arena, cnt, sizeof(*m->changed));
	m->wanted = hp_arena_array(&m->arena, cnt, sizeof(*m->wanted));
	if (m->objects == NULL || m->files == NULL || m->changed == NULL || m->wanted == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	for (size_t i = 0; i < cnt && r == 0; i++) {
		const char *old_path = hp_arena_printf(&m->arena, "%s/%s", original, paths[i]);
		const char *new_path = hp_arena_printf(&m->arena, "%s/%s", patched, paths[i]);

		r = old_path == NULL || new_path == NULL ? hp_err_set(err, HP_E_NOMEM, "no memory")
		                                         : add_pair(m, paths[i], old_path, new_path, all, &scratch, err);
	}
	return r;
}

static int
add_news(struct hp_members *m, const char *original, const char *patched, struct hp_err *err)
{
	char **paths;
	size_t cnt;
	int r = hp_tree_list(patched, ".o", &m->arena, &paths, &cnt, err);

	if (r < 0)
		return r;
	m->added = hp_arena_array(&m->arena, cnt, sizeof(*m->added));
	if (m->added == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	for (size_t i = 0; i < cnt; i++) {
		const char *old_path = hp_arena_printf(&m->arena, "%s/%s", original, paths[i]);
		const char *new_path = hp_arena_printf(&m->arena, "%s/%s", patched, paths[i]);

		if (old_path == NULL || new_path == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory");
		if (hp_path_kind(old_path) == HP_PATH_MISSING)
			m->added[m->added_cnt++] = (struct hp_diff_file){ paths[i], NULL, new_path };
	}
	return 0;
}

int
hp_members_open(const char *original, const char *patched, bool all, struct hp_members *ret, struct hp_err *err)
{
	struct hp_members m = { 0 };
	int r = add_olds(&m, original, patched, all, err);

	if (r == 0)
		r = add_news(&m, original, patched, err);
	if (r < 0)
		hp_members_release(&m);
	else
		*ret = m;
	return r;
}

size_t
hp_members_count(const struct hp_members *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->objects_cnt; i++)
		n += m->objects[i].in_module && m->changed[i];
	return n;
}

void
hp_members_want(struct hp_members *m)
{
	for (size_t i = 0; i < m->objects_cnt; i++)
		m->wanted[i] |= m->objects[i].in_module && m->changed[i];
}

const struct hp_diff_file *
hp_members_select(struct hp_members *m, size_t *ret_cnt, struct hp_err *err)
{
	struct hp_diff_file *v = hp_arena_array(&m->arena, m->objects_cnt + m->added_cnt, sizeof(*v));
	size_t n = 0;

	if (v == NULL) {
		(void)hp_err_set(err, HP_E_NOMEM, "no memory");
		return NULL;
	}
	for (size_t i = 0; i < m->objects_cnt; i++)
		if (m->wanted[i])
			v[n++] = m->files[i];
	for (size_t i = 0; i < m->added_cnt; i++)
		v[n++] = m->added[i];
	*ret_cnt = n;
	return v;
}

void
hp_members_release(struct hp_members *m)
{
	for (size_t i = 0; i < m->objects_cnt; i++)
		hp_object_free(m->objects[i].obj);
	hp_arena_release(&m->arena);
	*m = (struct hp_members){ 0 };
}
