/* What unit tests share: cmocka with the headers that it wants first, a scratch folder, random numbers with a printed seed.
 *
 * A test program gets its folder W from tests/run; without it (started by hand) a new folder under /tmp is used.
 */
#ifndef HP_TESTS_UNIT_H
#define HP_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"

#define CNT(array) (sizeof(array) / sizeof((array)[0]))

/* A call that must succeed; prints the error record when it does not. */
#define assert_fine(call, err) assert_code((call), 0, (err))
#define assert_code(got, want, err) check_code((got), (want), (err), #got, __FILE__, __LINE__)

static inline void
check_code(int got, int want, const struct hp_err *err, const char *what, const char *file, int line)
{
	char text[HP_ERR_FRAMES * HP_ERR_TEXT];

	if (got == want)
		return;
	text[0] = '\0';
	if (err != NULL)
		hp_err_format(err, text, sizeof(text));
	print_error("%s: returned %d (%s), not %d (%s): %s\n", what, got, hp_err_name(got), want, hp_err_name(want), text);
	_fail(file, line);
}

/* scratch(name): a path in the test's folder, in one of a few static buffers. */
static inline const char *
scratch(const char *name)
{
	static char paths[8][4096];
	static unsigned next;
	static char own[] = "/tmp/hpbuild-unit.XXXXXX";
	const char *w = getenv("W");
	char *p = paths[next++ % CNT(paths)];

	if (w == NULL && own[sizeof(own) - 2] == 'X')
		assert_non_null(mkdtemp(own));
	(void)snprintf(p, sizeof(paths[0]), "%s/%s", w != NULL ? w : own, name);
	return p;
}

/* Random numbers of a property test. Seed from HP_SEED or the clock; printed, so that a failure can be repeated. */
struct rnd {
	uint64_t s;
};

static inline struct rnd
rnd_start(const char *test)
{
	const char *e = getenv("HP_SEED");
	uint64_t seed = e != NULL ? strtoull(e, NULL, 0) : (uint64_t)time(NULL) * 1000003u + (uint64_t)getpid();

	print_message("%s: HP_SEED=%llu\n", test, (unsigned long long)seed);
	return (struct rnd){ seed };
}

/* splitmix64 (public domain constants). */
static inline uint64_t
rnd_u64(struct rnd *r)
{
	uint64_t z = r->s += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static inline size_t
rnd_below(struct rnd *r, size_t n)
{
	return (size_t)(rnd_u64(r) % n);
}

#endif
