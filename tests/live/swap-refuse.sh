#!/bin/sh
# Changes that a running process cannot take: each is refused with exit status 4 (5: another build) and a message that names it.
. tests/lib/sh
. tests/lib/live
. tests/lib/swap
swap_init
S='-ffunction-sections -fdata-sections'

# one TEXT: the scenario `change`, read from standard input, is refused with this text; for gcc and clang, PIE and library.
one() {
	one_text=$1 one_code=${2:-4}
	forget
	scenario change
	swap_refused "$one_code" "$one_text" gcc "-O2 $S" pie ''
	[ -n "${LONG:-}" ] || return 0
	swap_refused "$one_code" "$one_text" clang "-O2 $S" pie ''
	swap_refused "$one_code" "$one_text" gcc '-O0' shared ''
}

one 'HP2005.*constructor' <<'C'
#include <stdlib.h>
static volatile long base = 4;
#ifdef FIX
__attribute__((constructor)) static void init(void) { base = strtol("9", NULL, 10); }
#endif
long change(long n) { return n * base + 1234567; }
C
one 'HP2007' <<'C'
#include <stdlib.h>
struct s {
	long a;
#ifdef FIX
	long extra;
#endif
	long b;
};
static struct s *kept;
long change(long n) {
	if (!kept)
		kept = calloc(1, sizeof(*kept));
	kept->b += n;
	return kept->b + kept->a;
}
C
one 'initial value|HP2001' <<'C'
#ifdef FIX
long limit = 20;
#else
long limit = 10;
#endif
long change(long n) { return n + limit++; }
C
one 'thread-local' <<'C'
#ifdef FIX
static __thread long mine = 3;
#else
static long mine = 3;
#endif
long change(long n) { mine += n; return mine * 1234567; }
C
one 'signature|HP2009' <<'C'
#ifdef FIX
APART long callee(long a, long b) { return a * 1234567 + b; }
# define CALL(n) callee(n, 4)
#else
APART long callee(long a) { return a * 1234567; }
# define CALL(n) callee(n)
#endif
long (*kept)(long) = (long (*)(long))callee;
long change(long n) { return CALL(n) + 1; }
C
one 'HP2[0-9]+.*(enum|constant)|enumerator' <<'C'
enum state {
	IDLE,
#ifdef FIX
	WAITING,
#endif
	BUSY
};
static enum state now = IDLE;
long change(long n) {
	if (n == 2)
		now = BUSY;
	return now == BUSY ? n * 1234567 : n + 3;
}
C
one 'resolver|IFUNC|HP2004' <<'C'
static long fast(long x) { return x * 7 + 12345; }
static long slow(long x) { return x * 9 + 12345; }
#ifdef FIX
static long (*pick(void))(long) { return slow; }
#else
static long (*pick(void))(long) { return fast; }
#endif
long chosen(long x) __attribute__((ifunc("pick")));
long change(long n) { return chosen(n) + 1; }
C

# Labels in a writable table: the process's table leads into the old body.
one 'HP2' <<'C'
long change(long n) {
	static void *to[] = { &&a, &&b, &&c };
	static long uses;
	void *t = to[n];
	to[n] = to[uses++ % 3];
	goto *t;
a:	n += 100;
#ifdef FIX
b:	return n ^ 0x1234;
#else
b:	return n ^ 0x4321;
#endif
c:	return n + 77;
}
C

# Nothing functional: exit status 3. Objects that hold no machine code: clear errors. Two trees that do not fit each other.
forget
scenario same <<'C'
#include <assert.h>
#ifdef FIX

#endif
long same(long n) { return n * 1234567 + 5; }
C
swap_build gcc "-O2 $S" pie '' || fail "$(cat "$W/build.err")"
expect_exit 3 swap_pack
swap_build gcc "-O2 -flto -ffat-lto-objects $S" pie '' || fail "$(cat "$W/build.err")"
swap_got=0
swap_pack || swap_got=$?
[ "$swap_got" -eq 3 ] || [ "$swap_got" -eq 4 ] || [ "$swap_got" -eq 7 ] || fail "fat LTO: $swap_got: $(cat "$W/pack.err")"
forget
scenario lto <<'C'
long lto(long n) {
#ifdef FIX
	return n * 1234567 + 6;
#else
	return n * 1234567 + 5;
#endif
}
C
for cc in gcc clang; do
	command -v $cc >/dev/null || continue
	# clang's LTO needs lld or a linker plugin, which not every machine has.
	swap_build $cc "-O2 -flto" pie '-fuse-ld=lld' || swap_build $cc "-O2 -flto" pie '' || { [ $cc = clang ] && continue; } ||
		fail "$(cat "$W/build.err")"
	swap_got=0
	swap_pack || swap_got=$?
	[ "$swap_got" -eq 7 ] || [ "$swap_got" -eq 4 ] || fail "LTO: $cc: $swap_got: $(cat "$W/pack.err")"
	cat "$W/pack.out" >>"$W/pack.err"
	expect_text "$W/pack.err" 'LTO|bitcode|bytecode'
done

# The baseline is another build: other flags, or other source; exit status 5 and the first difference.
forget
scenario other <<'C'
#ifdef OTHER
# define BY 21
#else
# define BY 20
#endif
APART static long helper(long n) { return n * BY + 1234567; }
long other(long n) {
#ifdef FIX
	return helper(n) * 3 + 777777;
#else
	return helper(n) * 2 + 777777;
#endif
}
C
for flags in '-O2 -DOTHER' '-O1' '-O2 -fno-pic'; do
	swap_build gcc "$flags" pie '-no-pie' || fail "$(cat "$W/build.err")"
	cp "$module" "$W/elsewhere"
	swap_build gcc "-O2 $S" pie '' || fail "$(cat "$W/build.err")"
	module=$W/elsewhere
	case $flags in
	*fno-pic*) continue ;; # equal code: either is right
	esac
	expect_exit 5 swap_pack
	expect_text "$W/pack.err" "function '(helper|other)'.*in the baseline"
	[ ! -e "$W/fix.hpk" ] || fail 'a package was written'
done
# The patched tree was compiled with other flags.
swap_build gcc "-O2 $S" pie '' || fail "$(cat "$W/build.err")"
(cd "$W/fixed" && gcc -g -w -pthread -fPIE -O1 $S -DFIX -c ../src/*.c)
swap_got=0
swap_pack || swap_got=$?
cat "$W/pack.out" "$W/pack.err" >"$W/all"
[ "$swap_got" -eq 4 ] || fail "other flags: $swap_got: $(cat "$W/all")"
expect_text "$W/all" 'flags|producer|compiled'
# A function that the baseline does not have at all, an empty folder, a folder instead of the baseline.
mkdir "$W/empty"
expect_exit 7 "$hpbuild" pack --original "$W/empty" --patched "$W/empty" --baseline "$W/orig/prog" -o "$W/x.hpk" >"$W/out" 2>"$W/err"
expect_exit 1 "$hpbuild" pack --original "$W/orig" --patched "$W/fixed" --baseline "$W/empty" -o "$W/x.hpk" >"$W/out" 2>"$W/err"
[ ! -e "$W/x.hpk" ] || fail 'a package was written'

# One of two changed objects has a static function that is not the baseline's, under a name that the other object has as well:
# never half of the fix in silence.
forget
for i in 1 2; do
	scenario half$i <<C
#if defined(OTHER) && $i == 2
# define BY 77777
#else
# define BY 12345
#endif
APART static long helper(long n) { return n * BY * $i + 5; }
APART static long own(long n) {
#ifdef FIX
	return n * 1000 + $i;
#else
	return n * 100 + $i * 7;
#endif
}
long half$i(long n) { return helper(n) + own(n); }
C
done
swap_build gcc "-O2 $S -DOTHER" pie '' || fail "$(cat "$W/build.err")"
cp "$module" "$W/shipped"
for strip in 0 1 2; do
	swap_build gcc "-O2 $S" pie '' || fail "$(cat "$W/build.err")"
	module=$W/shipped
	got=0
	swap_pack || got=$?
	[ $got -eq 5 ] || fail "exit status $got instead of 5: $(cat "$W/pack.out")"
	expect_text "$W/pack.err" "half2.o': function 'helper'|give its --debug-file"
	[ ! -e "$W/fix.hpk" ] || fail 'a package was written'
	objcopy --strip-debug "$W/shipped"
	# without the names of source files
	[ $strip -eq 0 ] || strip "$W/shipped"
done
echo "$swap_cases cases"
