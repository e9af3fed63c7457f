/* The live verbs: hand over to libexec/hpbuild/hpbuild-live. */
#include "cli/cmd.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/escape.h"
#include "cli/out.h"

#ifndef HP_LIBEXECDIR
#define HP_LIBEXECDIR "/usr/local/libexec/hpbuild"
#endif

/* Beside this executable while it runs from a build folder, else where `make install` put it. */
static void
find_live(char *ret, size_t len)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n > 0) {
		self[n] = '\0';
		slash = strrchr(self, '/');
		if (slash != NULL) {
			*slash = '\0';
			if (snprintf(ret, len, "%s/hpbuild-live", self) < (int)len && access(ret, X_OK) == 0)
				return;
		}
	}
	(void)snprintf(ret, len, "%s", HP_LIBEXECDIR "/hpbuild-live");
}

int
hp_cmd_live(int argc, char **argv)
{
	char path[PATH_MAX + 32];
	char **args = calloc((size_t)argc + 2, sizeof(*args));
	struct hp_err err = { 0 };

	if (args == NULL) {
		(void)hp_err_set(&err, HP_E_NOMEM, "no memory");
		return hp_out_fail(&err, false);
	}
	find_live(path, sizeof(path));
	args[0] = path;
	memcpy(args + 1, argv, (size_t)argc * sizeof(*args));
	(void)execv(path, args);
	(void)hp_err_set(&err, HP_E_IO, "cannot run '%s' (the program of the live verbs)", hp_esc(path));
	free(args);
	return hp_out_fail(&err, false);
}
