/* Release on scope exit: `HP_AUTO(hp_fd) int fd = -1;`, `HP_AUTO(hp_mem) char *p = NULL;`.
 *
 * HP_AUTO(name) calls name_auto(pointer to the variable) when the variable leaves its scope, on every path. A module that
 * owns a resource defines its own `static inline void hp_thing_auto(struct hp_thing **t)` next to hp_thing_free().
 */
#ifndef HP_BASE_CLEANUP_H
#define HP_BASE_CLEANUP_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HP_AUTO(name) __attribute__((cleanup(name##_auto)))

static inline void
hp_fd_auto(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd);
	errno = saved;
}

/* For any malloc'ed pointer: HP_AUTO(hp_mem) void *p. */
static inline void
hp_mem_auto(void *p)
{
	free(*(void **)p);
}

static inline void
hp_stdio_auto(FILE **f)
{
	if (*f != NULL)
		(void)fclose(*f);
}

#endif
