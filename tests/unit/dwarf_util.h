/* Compiling small sources and opening their debug information, for test_dwarf*.c. */
#ifndef HP_TESTS_UNIT_DWARF_UTIL_H
#define HP_TESTS_UNIT_DWARF_UTIL_H

#include "base/file.h"
#include "formats/dwarf_info.h"
#include "tests/unit/unit.h"

struct obj {
	struct hp_buf file;
	struct hp_elf *elf;
	struct hp_dwarf *dw;
};

static inline void
obj_close(struct obj *o)
{
	hp_dwarf_free(o->dw);
	hp_elf_free(o->elf);
	hp_buf_release(&o->file);
}

static inline const char *
test_cc(void)
{
	const char *cc = getenv("CC");

	return cc != NULL && *cc != '\0' ? cc : "cc";
}

static inline int
run_cmd(const char *cmd)
{
	int r = system(cmd); /* NOLINT(cert-env33-c): a test */

	return r;
}

/* compile(cmd, source, name): write ${source} to the scratch folder and run "cmd -o name.o name"; false: the compiler failed. */
static inline bool
compile(const char *cmd, const char *source, const char *name)
{
	const char *path = scratch(name);
	char line[9000];
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(source, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_true(snprintf(line, sizeof(line), "%s -c -o %s.o %s 2>/dev/null", cmd, path, path) < (int)sizeof(line));
	return run_cmd(line) == 0;
}

/* obj_open(name, ret, err): what hp_dwarf_open() says of name.o. */
static inline int
obj_open(const char *path, struct obj *ret, struct hp_err *err)
{
	*ret = (struct obj){ .dw = NULL };
	assert_fine(hp_file_read(path, (uint64_t)1 << 30, &ret->file, err), err);
	assert_fine(hp_elf_open(hp_buf_view(&ret->file), path, &ret->elf, err), err);
	return hp_dwarf_open(ret->elf, &ret->dw, err);
}

static inline struct obj
obj_make(const char *cmd, const char *source, const char *name)
{
	struct hp_err err = { 0 };
	struct obj o;
	char file[256];

	if (!compile(cmd, source, name))
		fail_msg("'%s' failed on %s", cmd, name);
	(void)snprintf(file, sizeof(file), "%s.o", name);
	assert_code(obj_open(scratch(file), &o, &err), 1, &err);
	return o;
}

/* "kind name: message" a line. */
static inline void
diff_text(struct obj *old_obj, struct obj *new_obj, char *ret, size_t len)
{
	static const char *const kinds[] = { "size", "member", "enum", "signature", "variable" };
	struct hp_type_diff *d;
	struct hp_err err = { 0 };
	size_t cnt, used = 0;

	assert_fine(hp_dwarf_compare_types(old_obj->dw, new_obj->dw, &d, &cnt, &err), &err);
	ret[0] = '\0';
	for (size_t i = 0; i < cnt; i++) {
		assert_non_null(d[i].source);
		used += (size_t)snprintf(ret + used, len - used, "%s %s: %s\n", kinds[d[i].kind], d[i].name, d[i].message);
		assert_true(used < len);
	}
}

#endif
