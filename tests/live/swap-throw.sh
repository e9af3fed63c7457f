#!/bin/sh
# C++ exceptions through patched frames that have no tables of their own: caught as in the fixed build; never a dead
# process.
. tests/lib/sh
. tests/lib/live
. tests/lib/swap
can_trace
need g++
swap_init
S='-ffunction-sections -fdata-sections'
scenario throws <<'C'
#include <stdexcept>
extern "C" long throws(long n);
APART long inner(long n) {
#ifdef FIX
	if (n != 0) throw n * 10;
	return n + 5;
#else
	if (n == 1) throw n;
	return n + 4;
#endif
}
extern "C" APART long middle(long n) {
	return inner(n + 0) * 2;
}
#ifdef FIX
#define M 3
#else
#define M 2
#endif
APART long outer(long n) { return middle(n) * M; }
long throws(long n) {
	try { return outer(n); } catch (long v) { return v + 100000; }
}
C
mv "$W/src/throws.c" "$W/src/throws.cc"
swap g++ "-O2 $S" pie ''
swap g++ "-O2 $S" static ''
swap g++ "-O0" shared ''
echo "$swap_cases cases"
