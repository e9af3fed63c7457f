#!/bin/sh
# Data of patched functions: imported through COPY relocations, static locals, new variables and constants, tables, TLS.
. tests/lib/sh
. tests/lib/live
. tests/lib/swap
can_trace
swap_init

# The program moves environ and optind: the library's own variables (not the program's copies) keep the old values.
scenario copied <<'C'
#include <stdio.h>
#include <unistd.h>
extern char **environ;
extern int optind;
static char *mine[] = { "Z=1", 0 };
APART static long look(long n) {
#ifdef FIX
	return environ[0][0] * 1000 + optind * 10 + fileno(stdout);
#else
	return n * 0x123456789 + 77;
#endif
}
long copied(long n) { fileno(stdout); environ = mine; optind = 40 + n; return look(n); }
C

scenario locals <<'C'
APART static long count(long n) {
	static long calls, sum = 5;
	static const long step[] = { 1, 10, 100 };
	calls++;
	sum += step[n];
#ifdef FIX
	return sum * 1000 + calls;
#else
	return sum + calls;
#endif
}
APART static long other(void) { static long calls = 7; return calls++; }
long locals(long n) { return count(n) * 100 + other(); }
C

scenario fresh <<'C'
#include <string.h>
#include <stdio.h>
APART long imports(char *s, int n) { memset(s, n, 2 + n); snprintf(s, n, "%s", s + 1); return strlen(s); }
APART static long work(long n) {
#ifdef FIX
	static char big[70000];
	static int data[3] = { 11, 22, 33 };
	static const char *const words[] = { "alpha", "be", "c" };
	static char *slot = big + 5;
	char tmp[40];
	memset(big, (int)n + 1, sizeof(big));
	snprintf(tmp, sizeof(tmp), "%s/%ld/%.2f", words[n], n, 1.25 * (double)n);
	return big[69999] + slot[0] * 10 + data[n] * 100 + (long)strlen(tmp) * 100000 + (long)strlen(words[n]);
#else
	return n * 0x123456789 + 77;
#endif
}
long fresh(long n) { return work(n); }
C

scenario tables <<'C'
APART static long sw(long n) {
	switch (n) {
	case 0: return 5;
	case 1: return 17;
	case 2: return n * 3;
	case 3: return 4;
	case 4: return 99;
#ifdef FIX
	case 5: return 1234;
	case 6: return n * n * n;
#endif
	case 7: return 1;
	default: return 8;
	}
}
long tables(long n) { return sw(n) + sw(n + 4) * 10 + sw(n + 5) * 1000; }
C

scenario cold <<'C'
#include <stdlib.h>
__attribute__((cold, noinline)) static void complain(long *r, int by) { *r += by; }
APART static long deal(long *v, long n) {
	long r = 0;
	for (long i = 0; i < n; i++)
		r += v[i] * 3 + (v[i] ^ r);
	if (__builtin_expect(n == 2, 0)) {
#ifdef FIX
		complain(&r, 41);
		complain(&r, -3);
#else
		complain(&r, 40);
		complain(&r, -3);
#endif
	}
	return r;
}
long cold(long n) { long v[4] = { 3, 1, 4, 1 }; return deal(v, n) * 2; }
C

scenario floats <<'C'
APART static double f(double a, float b, long double c) {
#ifdef FIX
	return -a * 3.75 + b * 1.5f + (double)(c * 2.25L);
#else
	return a * 3.5 + b;
#endif
}
long floats(long n) { return (long)(f((double)n + 0.5, (float)n * 2, (long double)n) * 1000); }
C

S='-ffunction-sections -fdata-sections'
swap gcc "-O2 $S" pie ''
swap gcc "-Os $S" exec ''
swap gcc "-O2 -fPIC $S" shared ''
swap gcc "-O0" static ''
if command -v clang >/dev/null; then
	swap clang "-O2 $S" pie ''
	more clang "-O0 $S" exec ''
	swap clang "-Os $S" shared ''
fi
if [ -n "${LONG:-}" ]; then
	for o in -O0 -O1 -O2 -O3 -Os; do
		for m in pie exec shared static static-pie; do
			for c in gcc clang; do
				swap $c "$o $S" $m ''
				swap $c "$o -fno-plt" $m -Wl,-z,now
				STRIP=1 swap $c "$o" $m ''
			done
		done
	done
fi
forget

# Tables of constants: the readers are patched with them. Where their address is only taken (not stored), refusing is allowed.
scenario consttable <<'C'
#ifdef FIX
static const int limits[] = { 4, 9, 16, 25 };
#else
static const int limits[] = { 4, 8, 16, 25 };
#endif
APART static long limit(long n) { return limits[n]; }
long consttable(long n) { return limit(n) + limit(n + 1); }
C

scenario gotos <<'C'
APART long gotos(long n) {
	static void *const to[] = { &&a, &&b, &&c };
	long r = 0;
	goto *to[n];
a:	r += 100;
b:	r += 20;
#ifdef FIX
	r ^= 0x1000;
#else
	r ^= 0x2000; /* the labels do not move: the old table is equal, and leads into the old body */
#endif
c:	return r + 3;
}
C

for c in gcc clang; do
	command -v $c >/dev/null || continue
	swap $c "-O2 $S" exec ''
	swap $c "-O2 $S" pie ''
	swap_or_refused '^  HP2006 ' $c "-O0 $S" shared ''
done
forget

# A common symbol that gets an initial value of zero is still the variable that unchanged code uses.
scenario peek.c <<'C'
extern long shared_one;
APART long peek(void) { return shared_one + 1; }
C
scenario common <<'C'
long peek(void);
#ifdef FIX
long shared_one = 0;
long common(long n) { shared_one = n + 7; return peek() * 3; }
#else
long shared_one;
long common(long n) { shared_one = n + 7; return peek() * 2; }
#endif
C
swap gcc "-O2 $S -fcommon" pie ''
more gcc "-O2 -fcommon -fPIC" shared ''
forget

scenario tls <<'C'
#include <errno.h>
#include <string.h>
static __thread long mine = 5;
__thread long ours;
__thread char pad[300];
APART static long work(long n) {
	mine++;
	ours += n + pad[1];
	errno = (int)n;
#ifdef FIX
	pad[299] = 3;
	return mine * 100 + ours * 3 + errno * 7 + pad[299];
#else
	return mine * 100 + ours + errno;
#endif
}
long tls(long n) { return work(n); }
C

swap gcc "-O2 $S" pie ''
more gcc "-O0 $S" exec ''
swap gcc "-O2 $S" static ''
swap gcc "-O2 $S" shared ''
swap gcc "-O2 -ftls-model=initial-exec $S" shared ''
swap_or_refused 'TLSDESC' gcc "-O2 -mtls-dialect=gnu2 $S" shared ''
echo "$swap_cases cases"
