#!/bin/sh
# One fix for two libraries of one tree, of which one uses the other: functions, variables and pointers across both, preloads, symbolic
# binding. The program is not of the tree. And the same with a program as third module.
. tests/lib/sh
. tests/lib/live
. tests/lib/swap
. tests/lib/multi
can_trace
swap_init
S='-ffunction-sections -fdata-sections'

scenario a_base.c <<'C'
long a_total = 5;
static const char *tag = "one";
APART long a_word(const char **ret) {
#ifdef FIX
	*ret = "seven";
	return a_total * 3 + 1;
#else
	*ret = tag;
	return a_total * 2;
#endif
}
APART static long fold(long n, long by) {
	long sum = 0;
	for (long i = 0; i < n; i++)
#ifdef FIX
		sum = sum * by + i * i + 1;
#else
		sum = sum * by + i;
#endif
	return sum;
}
long a_fold(long n) { return fold(n + 3, 7) + a_total; }
long a_each(long n, long (*f)(long)) {
	long sum = 0;
	for (long i = 0; i <= n; i++)
		sum += f(i);
	return sum;
}
C
scenario b_top.c <<'C'
#include <string.h>
extern long a_total;
long a_word(const char **ret), a_fold(long n), a_each(long n, long (*f)(long));
APART static long fold(long n, long by) {
#ifdef FIX
	return n * by * 5 + a_total;
#else
	return n * by + a_total;
#endif
}
APART static long count(long n) {
#ifdef FIX
	return n * 100 + 3;
#else
	return n * 10 + 1;
#endif
}
APART static long work(long n) {
	const char *word;
	long w = a_word(&word);
#ifdef FIX
	return w * 3 + (long)strlen(word) + a_each(n, count) + fold(n, 3) + a_fold(n) * 2;
#else
	return w + (long)strlen(word) + a_each(n, count) + fold(n, 3) + a_fold(n);
#endif
}
long b_work(long n) { a_total += 2; return work(n) * 3; }
C
asked b_work a_fold
cat >"$W/pre.c" <<'C'
long a_fold(long n) { return n * 100000; }
C
gcc -shared -fPIC -O1 -o "$W/pre.so" "$W/pre.c"

multi gcc "-O2 $S" pie ''
[ "$(grep -c '^  target ' "$W/pack.out")" -eq 2 ] || fail "targets: $(cat "$W/pack.out")"
multi gcc "-O2 $S" pie -Wl,-z,now
multi gcc "-O2 -fno-plt" pie -Wl,-Bsymbolic
STRIP=1 multi gcc -O2 exec ''
if command -v clang >/dev/null && command -v ld.lld >/dev/null; then
	multi clang "-O2 $S" pie -fuse-ld=lld
fi

# Three modules.
scenario p_main.c <<'C'
long b_work(long n);
APART static long fold(long n) {
#ifdef FIX
	return b_work(n) * 2 - n;
#else
	return b_work(n) + n;
#endif
}
long p_main(long n) { return fold(n) * 7; }
C
asked p_main
multi gcc "-O2 $S" pie ''
[ "$(grep -c '^  target ' "$W/pack.out")" -eq 3 ] || fail "targets: $(cat "$W/pack.out")"
STRIP=debug multi gcc "-O2 $S" exec ''

# A preloaded a_fold() is what both libraries' callers use, before and after.
swap_names=' b_work p_main'
PRELOAD=$W/pre.so multi gcc "-O2 $S" pie ''
echo "$swap_cases cases"
