#include "cli/debuginfod.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"

#define LIBRARY "libdebuginfod.so.1"

/* <elfutils/debuginfod.h>, whose package the build does not need. */
struct client {
	void *(*begin)(void);
	int (*find_debuginfo)(void *client, const unsigned char *build_id, int len, char **path);
	void (*end)(void *client);
};

static void
find(void *lib, const char *name, void *ret_function)
{
	void *p = dlsym(lib, name);

	memcpy(ret_function, &p, sizeof(p)); /* ISO C knows no other way from one pointer to the other */
}

static int
load(struct client *ret, struct hp_err *err)
{
	void *lib = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL); /* never unloaded: curl does not like it */
	const char *why = lib == NULL ? dlerror() : NULL;

	errno = 0;
	if (lib == NULL)
		return hp_err_set(err, HP_E_IO, "--debuginfod needs %s (Debian: libdebuginfod1): %s", LIBRARY,
		                  hp_esc(why != NULL ? why : "not found"));
	find(lib, "debuginfod_begin", &ret->begin);
	find(lib, "debuginfod_find_debuginfo", &ret->find_debuginfo);
	find(lib, "debuginfod_end", &ret->end);
	if (ret->begin == NULL || ret->find_debuginfo == NULL || ret->end == NULL)
		return hp_err_set(err, HP_E_IO, "%s has not the functions of a debuginfod client", LIBRARY);
	return 0;
}

int
hp_debuginfod_get(struct hp_view build_id, char **ret_path, struct hp_err *err)
{
	const char *urls = getenv("DEBUGINFOD_URLS");
	struct client c = { 0 };
	void *handle;
	int r, fd;

	errno = 0;
	if (urls == NULL || urls[0] == '\0')
		return hp_err_set(err, HP_E_IO, "--debuginfod: DEBUGINFOD_URLS names no server");
	r = load(&c, err);
	if (r < 0)
		return r;
	handle = c.begin();
	if (handle == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for the debuginfod client");
	*ret_path = NULL;
	fd = c.find_debuginfo(handle, build_id.p, (int)build_id.len, ret_path);
	c.end(handle);
	if (fd >= 0) {
		(void)close(fd);
		return 1;
	}
	errno = -fd;
	return fd == -ENOENT ? 0 : hp_err_set(err, HP_E_IO, "no debuginfod server of '%s' gives an answer", hp_esc(urls));
}
