/* Where a module's names come from when no --debug-file is given: a separate file that the module names or that is filed under
 * its build ID, a debuginfod server, the module itself.
 *
 * Found files are checked (build ID, for .gnu_debuglink also the CRC-32) and skipped with a note when they are another build's:
 * nobody has asked for them. Sources: GDB manual, "Debugging Information in Separate Files"; debuginfod_find_debuginfo(3).
 */
#ifndef HP_CLI_DEBUG_FIND_H
#define HP_CLI_DEBUG_FIND_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/view.h"
#include "cli/opts.h"

/* Rows of an option table. `s` is a struct hp_debug_search. */
#define HP_OPT_DEBUG_SEARCH(s) \
	{ 0, "debug-dir", HP_OPT_LIST, &(s).dirs, "DIR", "look for debug files in DIR, too; may be repeated" }, \
	{ 0, "debuginfod", HP_OPT_FLAG, &(s).debuginfod, NULL, "ask the servers of DEBUGINFOD_URLS for the debug file" }

struct hp_debug_search {
	struct hp_opt_list dirs; /* before /usr/lib/debug */
	bool debuginfod;
};

struct hp_debug_found {
	char *path;         /* for messages; malloc'ed */
	const char *source; /* "debuglink", "build-id", "debuginfod", "gnu_debugdata" */
	bool partial;       /* it may lack functions */
	struct hp_buf bytes;
};

/* hp_debug_find(how, path, module, ret, err): the first file with symbols for the ELF file ${module}, read from ${path}.
 * Returns 1 found (to be released), 0 none: the module's own symbols are the best there are. HP_E_IO: debuginfod was asked for,
 * and it cannot be used or fails; HP_E_NOMEM. */
HP_MUST_CHECK int hp_debug_find(const struct hp_debug_search *how, const char *path, struct hp_view module,
                                struct hp_debug_found *ret, struct hp_err *err);
void hp_debug_found_release(struct hp_debug_found *found);

#endif
