#!/bin/sh
# Calls through patched functions: pointers, variadic and SSE parameters, large returns, red zone, recursion, longjmp, signals, IFUNC.
. tests/lib/sh
. tests/lib/live
. tests/lib/swap
can_trace
swap_init

# The pointer was taken before the package came; calls through it and through new pointers reach the new code, and they are equal.
scenario pointers <<'C'
#include <stdlib.h>
#include <string.h>
APART long global_fn(long x) {
#ifdef FIX
	return x * 3 + 1000;
#else
	return x * 2 + 7;
#endif
}
APART static long static_fn(long x) {
#ifdef FIX
	return x * 5 + 2000;
#else
	return x * 4 + 9;
#endif
}
static int order(const void *a, const void *b) {
#ifdef FIX
	return *(const int *)b - *(const int *)a;
#else
	return *(const int *)a - *(const int *)b;
#endif
}
static long (*kept[2])(long) = { static_fn, global_fn };
static long (*early)(long);
APART static long pass(long (*f)(long), long n) { return f(n) * 2; }
APART static int is_kept(long (*f)(long)) { return f == kept[0] ? 1 : f == kept[1] ? 2 : 0; }
long pointers(long n) {
	int v[3] = { 2, 9, 4 };
	if (!early)
		early = static_fn;
	qsort(v, 3, sizeof(v[0]), order);
#ifdef FIX
	return pass(static_fn, n) + pass(kept[1], n) + is_kept(static_fn) * 10 + is_kept(global_fn) * 100 + (early == static_fn) * 50 +
	       early(n) + v[0] * 100000;
#else
	return pass(static_fn, n) + pass(kept[0], n) + early(n) + is_kept(global_fn) + v[0] * 100000;
#endif
}
C

scenario params <<'C'
#include <stdarg.h>
#include <stdio.h>
struct big { long v[12]; double d; };
struct two { double a; long b; };
APART static long sum(const char *fmt, ...) {
	va_list ap;
	double r = 0;
	va_start(ap, fmt);
	for (; *fmt; fmt++)
		r += *fmt == 'd' ? va_arg(ap, double) : *fmt == 'i' ? va_arg(ap, int) : (double)va_arg(ap, long double);
	va_end(ap);
#ifdef FIX
	r = r * 8 + 1;
#endif
	return (long)(r * 100);
}
APART static struct big large(long n, double d) {
	struct big b = { { n, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, n * 2 }, d };
#ifdef FIX
	b.v[11] += 100;
	b.d *= 2;
#endif
	return b;
}
APART static struct two pair(double a, float b, struct two c, long d, int e, int f, int g, int h, int i, int j, struct big k) {
	struct two t = { a + b + c.a, d + e + f + g + h + i + j + c.b + k.v[11] };
#ifdef FIX
	t.b = -t.b;
	t.a += k.d;
#endif
	return t;
}
long params(long n) {
	struct big b = large(n, 1.5);
	struct two t = pair(1.5, 2.5f, (struct two){ 3.5, 4 }, n, 1, 2, 3, 4, 5, 6, b);
	return sum("didLi", 1.25, 3, 2.5, 4.75L, (int)n) + b.v[11] * 7 + (long)(b.d * 100) + (long)(t.a * 1000) + t.b;
}
C

scenario recursion <<'C'
/* A leaf in the red zone, mutual recursion of a changed and an unchanged function, deep recursion. */
APART static long leaf(long a, long b) {
	volatile long v[12], c = a * 1234567 + b;
	for (int i = 0; i < 12; i++)
		v[i] = a * i + b + c;
#ifdef FIX
	return v[3] * v[7] - v[11];
#else
	return v[3] + v[7] + v[11];
#endif
}
static long odd(long n);
APART static long even(long n) {
#ifdef FIX
	return n == 0 ? 500 : odd(n - 1) + 2;
#else
	return n == 0 ? 1 : odd(n - 1) + 1;
#endif
}
APART static long odd(long n) { return n == 0 ? 0 : even(n - 1) + 10; }
APART static long deep(long n) {
	volatile char pad[200];
	pad[0] = (char)n;
#ifdef FIX
	return n == 0 ? 3 : deep(n - 1) + pad[0] + 1;
#else
	return n == 0 ? 2 : deep(n - 1) + pad[0];
#endif
}
long recursion(long n) { return leaf(n, 3) + even(n + 7) * 10000 + deep(2000 + n) * 7; }
C

scenario jumps <<'C'
#include <setjmp.h>
#include <signal.h>
#include <string.h>
static jmp_buf env;
static sigjmp_buf senv;
static volatile sig_atomic_t got;
APART static void thrower(long n) {
#ifdef FIX
	longjmp(env, (int)n + 5);
#else
	longjmp(env, (int)n + 1);
#endif
}
APART static long catcher(long n) {
	volatile long local = n * 10;
	int r = setjmp(env);
	if (r != 0)
#ifdef FIX
		return local + r * 100;
#else
		return local + r;
#endif
	local++;
	thrower(n);
	return -1;
}
static void on_signal(int sig) {
#ifdef FIX
	got = sig * 3;
#else
	got = sig;
#endif
}
static void leave(int sig) { siglongjmp(senv, sig); }
APART static long raiser(long n) {
	raise(SIGUSR1);
#ifdef FIX
	n += 4;
#endif
	raise(SIGUSR2);
	return n;
}
long jumps(long n) {
	struct sigaction sa = { .sa_handler = on_signal };
	long r = catcher(n);
	sigaction(SIGUSR1, &sa, NULL);
	sa.sa_handler = leave;
	sigaction(SIGUSR2, &sa, NULL);
	if (sigsetjmp(senv, 1) == 0)
		raiser(n);
	else
		r += 100000;
	return r + got * 1000;
}
C

# Calls of an IFUNC: the program's own and the C library's.
scenario ifuncs <<'C'
#include <string.h>
static long fast(long x) { return x + 1; }
static long slow(long x) { return x + 2; }
static long (*pick(void))(long) { return fast; }
long chosen(long x) __attribute__((ifunc("pick")));
APART static long use(char *to, const char *from, unsigned long len) {
	memcpy(to, from, len);
#ifdef FIX
	return chosen((long)len) + to[len - 1] * 2;
#else
	return chosen((long)len) + to[len - 1];
#endif
}
long ifuncs(long n) { char b[64]; return use(b, "abcdefghij", (unsigned long)n + 4); }
C

scenario weak <<'C'
__attribute__((weak)) long weak_fn(long x) {
#ifdef FIX
	return x + 77;
#else
	return x + 7;
#endif
}
APART long real_fn(long x) {
#ifdef FIX
	return x * 100;
#else
	return x * 10;
#endif
}
long other_name(long x) __attribute__((alias("real_fn")));
extern long absent(long) __attribute__((weak));
static long (*volatile by_name)(long) = other_name;
long weak(long n) { return weak_fn(n) + real_fn(n) + other_name(n + 1) + by_name(n) + (absent ? absent(n) : 0); }
C

S='-ffunction-sections -fdata-sections'
swap gcc "-O2 $S" pie ''
swap gcc "-O0 $S" exec ''
swap gcc "-O2 $S" shared ''
swap gcc "-Os $S" static ''
swap gcc "-O2 -fno-plt $S" pie -Wl,-z,now
more gcc "-O2 $S" exec -Wl,-z,lazy
more gcc "-O2 -fno-pic $S" exec -Wl,-z,now
if command -v clang >/dev/null; then
	swap clang "-O2 $S" pie ''
	more clang "-Os $S" exec ''
	more clang "-O0 $S" shared ''
fi
echo "$swap_cases cases"
