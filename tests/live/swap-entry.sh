#!/bin/sh
# What stands at the entry and how the baseline was shipped: endbr64, patchable entries, mcount/fentry, short functions, stripped
# with a separate debug file, no function sections, an active function.
. tests/lib/sh
. tests/lib/live
. tests/lib/swap
can_trace
swap_init
S='-ffunction-sections -fdata-sections'

scenario plain <<'C'
#include <stdlib.h>
#include <string.h>
APART static long table(long n) {
	switch (n) {
	case 0: return 7;
	case 1: return 70;
	case 2: return 701;
	case 3: return 7002;
	case 4: return 70003;
#ifdef FIX
	case 5: return 12;
#endif
	default: return strtol("12345", NULL, 10) - n;
	}
}
static long (*volatile hook)(long) = table;
static long calls;
APART long exported(long n) {
	calls++;
#ifdef FIX
	return n * 13 + calls + 5000;
#else
	return n * 11 + calls;
#endif
}
long plain(long n) { return table(n + 3) * 3 + hook(n + 4) + exported(n) * 7; }
C
scenario second <<'C'
long exported(long);
static long calls = 3;
APART static long table(long n) {
	calls += n;
#ifdef FIX
	return calls * 9;
#else
	return calls * 3 + 1;
#endif
}
long second(long n) { return table(n) + exported(n); }
C
swap gcc "-O2 $S -fcf-protection=full" pie -Wl,-z,ibtplt
swap gcc "-Os -fcf-protection=full" shared ''
swap gcc "-O2 $S -fpatchable-function-entry=16,14" pie ''
more gcc "-O2 $S -fpatchable-function-entry=5" exec ''
more gcc "-O2 -pg" pie ''
swap gcc "-O2 $S -pg -mfentry" exec ''
swap gcc "-O2 $S -pg -mfentry -fcf-protection=full" pie ''
more gcc "-O1 -fstack-protector-all -fstack-clash-protection" pie ''
swap gcc "-O2 -falign-functions=1 $S" pie -Wl,--gc-sections
if command -v clang >/dev/null; then
	swap clang "-O2 $S -fcf-protection=full" exec ''
	swap clang "-O2 -fpatchable-function-entry=8" pie ''
fi

# The shipped file is stripped, its symbols are in a separate file: given by name, and found by .gnu_debuglink.
swap_build gcc -O2 pie '' || fail "$(cat "$W/build.err")"
objcopy --only-keep-debug "$module" "$W/prog.debug"
strip "$module"
swap_pack --debug-file "$W/prog.debug" || fail "debug file: $(cat "$W/pack.err")"
expect_text "$W/pack.out" 'symbols from debug-file'
swap_run
swap_build gcc -O1 pie '' || fail "$(cat "$W/build.err")"
strip "$module"
swap_got=0
swap_pack --debug-file "$W/prog.debug" || swap_got=$?
[ "$swap_got" -eq 5 ] || fail "debug file of another build: exit status $swap_got: $(cat "$W/pack.err")"
expect_text "$W/pack.err" 'prog.debug.*build ID'
forget

# A function of one byte. With padding behind it that the baseline shows it may be redirected; without it is refused by name.
scenario short.c <<'C'
long *where;
#ifdef FIX
APART void hook(void) { *where = 1000; }
APART long tiny(long x) { return x * 3 + 7; }
#else
APART void hook(void) { }
APART long tiny(long x) { return x; }
#endif
C
scenario shorts <<'C'
void hook(void);
long tiny(long);
extern long *where;
long shorts(long n) { long v = n; where = &v; hook(); return tiny(n) * 2 + v; }
C
swap gcc "-O2 $S" pie ''
swap gcc '-O2' exec ''
swap_refused 4 'short' gcc '-Os' pie ''
swap_refused 4 'short' gcc "-Os $S" exec ''
echo "$swap_cases cases"
