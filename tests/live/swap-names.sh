#!/bin/sh
# Which of several things of one name or one address is meant: same-named statics in different files, folded functions, aliases.
. tests/lib/sh
. tests/lib/live
. tests/lib/swap
can_trace
swap_init
S='-ffunction-sections -fdata-sections'

# Three files with a static function, variable and constant of the same names; only the second changes. The naive rule (the
# first symbol of that name) patches or reads the wrong one.
for i in 1 2 3; do
	scenario "part$i.c" <<C
#if $i == 2 && defined(FIX)
# define BY 1000
#else
# define BY 1
#endif
static long state = $i * 100;
static const long scale[4] = { $i, 2, 3, 4 };
const long *volatile keep${i} = scale;
APART static long helper(long n) { state += n; return state * scale[0] + keep${i}[1]; }
APART static long work(long n) {
	static long calls = $i;
	return helper(n) * BY + ++calls + state;
}
APART long part$i(long n) { return work(n) + helper(1); }
C
done
scenario twins <<'C'
long part1(long), part2(long), part3(long);
APART static long sum(long n) {
#ifdef FIX
	return part1(n) - part2(n) * 3 + part3(n) * 7;
#else
	return part1(n) + part2(n) * 3 + part3(n) * 7;
#endif
}
long twins(long n) { return sum(n); }
C
scenario twin2 <<'C'
long part1(long), part2(long), part3(long);
long twin2(long n) { return part2(n); }
C

swap gcc "-O2 $S" pie ''
swap gcc "-O2" exec ''
STRIP=1 swap gcc "-O2 $S" pie ''
swap gcc "-O0" shared ''
STRIP=1 more gcc "-O2" shared ''
if command -v clang >/dev/null; then
	swap clang "-O2 $S" pie ''
	STRIP=1 swap clang "-Os" exec ''
fi
forget

# Equal bodies at one address, of which the fix changes one: the other must stay. Either both are served rightly or it is refused.
scenario folded.c <<'C'
APART long other(long x) { return x * 31 + (x ^ 77) * 5 + 1; }
C
scenario fold <<'C'
long other(long);
#ifdef __clang__
#define FOLD __attribute__((noinline))
#else
#define FOLD __attribute__((noinline, noclone))
#endif
FOLD long one(long x) {
#ifdef FIX
	return x * 31 + (x ^ 78) * 5 + 1;
#else
	return x * 31 + (x ^ 77) * 5 + 1;
#endif
}
FOLD long two(long x) { return x * 31 + (x ^ 77) * 5 + 1; }
static long (*volatile p1)(long) = one, (*volatile p2)(long) = two;
long fold(long n) { return one(n) * 10000 + two(n) + p1(n + 1) * 100 + p2(n + 2) + other(n) * 3; }
C
swap_or_refused 'share|same address|HP2' gcc "-O2 $S" pie ''
swap_or_refused 'share|same address|HP2' gcc "-O2 -fno-ipa-icf $S" pie '-fuse-ld=gold -Wl,--icf=all'
swap_or_refused 'share|same address|HP2' gcc "-O2 -fno-ipa-icf $S" exec '-fuse-ld=gold -Wl,--icf=all'
if command -v ld.lld >/dev/null; then
	swap_or_refused 'share|same address|HP2' gcc "-O2 -fno-ipa-icf $S" pie '-fuse-ld=lld -Wl,--icf=all'
	STRIP=1 swap_or_refused 'share|same address|HP2|baseline' gcc "-O2 -fno-ipa-icf $S" pie '-fuse-ld=lld -Wl,--icf=all'
fi
more gcc "-O2 -fno-ipa-icf $S" pie ''
echo "$swap_cases cases"
