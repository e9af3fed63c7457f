#!/bin/sh
# Calls and data between modules: bound as the dynamic linker binds them for the fixed build, preloads and link options included.
. tests/lib/sh
. tests/lib/live
. tests/lib/swap
can_trace
swap_init
S='-ffunction-sections -fdata-sections'

# A library that calls its own exported functions, one of them interposed by a preloaded library, and uses its own exported data,
# of which the program has a COPY.
scenario own <<'C'
#include <string.h>
long shared_value = 5;
long plain_value = 6;
APART long interposed(long n) {
#ifdef FIX
	return n + 2000;
#else
	return n + 1000;
#endif
}
APART long callee(long n) { return n * 3; }
__attribute__((visibility("protected"))) APART long guarded(long n) {
#ifdef FIX
	return n * 5 + 2;
#else
	return n * 5 + 1;
#endif
}
__attribute__((visibility("hidden"))) long concealed_value = 9;
__attribute__((visibility("hidden"))) APART long concealed(long n) {
#ifdef FIX
	return n * 7 + 2;
#else
	return n * 7 + 1;
#endif
}
static long (*volatile ptr)(long);
APART long own_calls(long n) {
	ptr = interposed;
#ifdef FIX
	return interposed(n) * 10 + callee(n) + guarded(n) + concealed(n) * 3 + shared_value * 100000 + plain_value + concealed_value +
	       ptr(n + 1) + (ptr == interposed) * 1000000 + 7000000000;
#else
	return interposed(n) + callee(n) + guarded(n) + concealed(n) + shared_value * 100000 + plain_value + concealed_value +
	       ptr(n + 1) + (ptr == interposed) * 1000000;
#endif
}
long own(long n) { shared_value++; plain_value += 2; concealed_value += 3; return own_calls(n); }
C

cat >"$W/pre.c" <<'C'
long interposed(long n) { return n * 100 + 17; }
long callee(long n) { return n * 200 + 18; }
long guarded(long n) { return -1; }
long concealed(long n) { return -2; }
C
# The program's own copy of shared_value, and its own definition of callee.
cat >"$W/copy.c" <<'C'
extern long shared_value;
long callee(long n) { return n * 300 + shared_value; }
C
gcc -shared -fPIC -O1 -o "$W/pre.so" "$W/pre.c"
gcc -c -fno-pie -O1 -o "$W/copy.o" "$W/copy.c"

for flags in '' -Wl,-z,now -Wl,-Bsymbolic -Wl,-Bsymbolic-functions; do
	for pre in '' "$W/pre.so"; do
		[ -n "$pre" ] || [ -n "${LONG:-}" ] || [ -z "$flags" ] || continue
		PRELOAD=$pre swap gcc "-O2 $S" shared "$flags"
	done
done
PRELOAD=$W/pre.so swap gcc "-O2 -fno-plt $S" shared ''
PRELOAD=$W/pre.so swap gcc "-O0" shared -Wl,-z,now
PRELOAD=$W/pre.so more gcc "-O2 -fno-semantic-interposition -fvisibility=protected $S" shared ''
PROGFLAGS="-no-pie -rdynamic $W/copy.o" swap gcc "-O2 $S" shared ''
STRIP=1 PRELOAD=$W/pre.so swap gcc "-O2 $S" shared ''
if command -v clang >/dev/null; then
	PRELOAD=$W/pre.so swap clang "-O2 $S" shared ''
	PROGFLAGS="-no-pie -rdynamic $W/copy.o" PRELOAD=$W/pre.so swap clang "-O0 -fno-plt" shared ''
fi
echo "$swap_cases cases"
