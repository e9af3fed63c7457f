/* The patched object of tests/live/pack-matrix.sh: one reference of each kind that the packager resolves. -DFIX is the fix,
 * -DTLS adds thread-local variables. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define APART __attribute__((noinline))

extern int shared_table[8];
extern char **environ;
int helper_in_main(int x);
int exported_fn(int x);
int work(int n, char *buf, size_t len);

int exported_value = 40;
static int counter;
static const char *const names[] = { "zero", "one", "two", "three", "four" };
static int (*hook)(int);
#ifdef TLS
static __thread int tls_here = 5;
__thread int tls_there = 6;
#endif

#ifdef FIX
static int added_var;
static int added_data[4] = { 9, 8, 7, 6 };
static const char *const added_table[] = { "new a", "new b" };

static APART int
added_fn(int x)
{
	added_var = x;
	return added_data[x & 3] + added_var + added_table[x & 1][4];
}
#endif

static APART int
callback(int x)
{
#ifdef FIX
	return x + 1000 + shared_table[x & 7];
#else
	return x + 2000;
#endif
}

static APART int
plain(int x)
{
	return x * 7 + counter;
}

APART int
exported_fn(int x)
{
	return x - 3 + exported_value;
}

static APART double
real(double d)
{
#ifdef FIX
	return d * 2.5 + 1.25;
#else
	return d * 1.5;
#endif
}

static APART const char *
choose(int n)
{
	static char tmp[32];

	switch (n) {
	case 0: return "a";
	case 1: return names[1];
	case 2: return names[2];
	case 3: return getenv("HOME") ? "home" : "no";
	case 4: snprintf(tmp, sizeof(tmp), "%d", n * 2); return tmp;
	case 5: return "five";
	case 6: return strerror(ENOENT);
#ifdef FIX
	case 7: return "seven, fixed";
#else
	case 7: return "seven";
#endif
	default: return "many";
	}
}

int
work(int n, char *buf, size_t len)
{
	static int calls;
	int r, same;

	calls++;
	counter += 2;
	if (hook == NULL)
		hook = callback;
	if (n == 4711)
		fprintf(stderr, "%d", n);
	r = hook(n) + callback(n) + plain(n) + exported_fn(n) + helper_in_main(n) + shared_table[n & 7];
	same = hook == callback;
#ifdef TLS
	r += tls_here + tls_there;
	tls_here++;
#endif
#ifdef FIX
	r += added_fn(n);
	if (n == 77)
		fprintf(stderr, "seen %d\n", n);
#endif
	errno = 0;
	return snprintf(buf, len, "%d: %s r=%d f=%.3f same=%d calls=%d environ=%d out=%d", n, choose(n % 10), r, real(n), same,
	                calls, environ != NULL, fileno(stdout));
}
