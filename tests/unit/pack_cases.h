/* Small programs built with $CC for the tests of module, pre-image matching and packager. */
#ifndef HP_TESTS_UNIT_PACK_CASES_H
#define HP_TESTS_UNIT_PACK_CASES_H

#include <stdarg.h>

#include "base/file.h"
#include "formats/elf_module.h"
#include "tests/lib/hand_set.h"
#include "tests/unit/unit.h"

static inline const char *
compiler(void)
{
	const char *cc = getenv("CC");

	return cc != NULL && cc[0] != '\0' ? cc : "cc";
}

static inline bool
is_gcc(void)
{
	char cmd[256];

	(void)snprintf(cmd, sizeof(cmd), "%s --version 2>/dev/null | grep -q 'Free Software'", compiler());
	return system(cmd) == 0;
}

/* Run a shell command in the scratch folder; it must succeed. "$CC" is set. */
static inline void __attribute__((format(printf, 1, 2)))
sh(const char *fmt, ...)
{
	char cmd[4096], whole[8192];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	(void)snprintf(whole, sizeof(whole), "cd '%s' && CC='%s' && { %s; }", scratch("."), compiler(), cmd);
	if (system(whole) != 0)
		fail_msg("command failed: %s", cmd);
}

static inline void
source(const char *name, const char *text)
{
	struct hp_err err = { 0 };

	assert_fine(hp_file_write(scratch(name), hp_view_of(text, strlen(text)), 0644, &err), &err);
}

static inline void
slurp(const char *name, struct hp_buf *ret)
{
	struct hp_err err = { 0 };

	assert_fine(hp_file_read(scratch(name), HP_ELF_LEN_MAX, ret, &err), &err);
}

static inline uint64_t
address_of(const struct hp_module *mod, const char *name)
{
	uint32_t first, cnt = hp_module_named(mod, name, &first);

	if (cnt == 0)
		fail_msg("no symbol %s", name);
	return mod->syms[mod->by_name[first]].va;
}

#endif
