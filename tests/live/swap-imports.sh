#!/bin/sh
# New imports: bound as the dynamic linker binds them for the fixed build. Each would be wrong, or have another address, under a simpler
# rule: preloads, interposition, versions, IFUNCs, -Bsymbolic, RTLD_LOCAL, copies and canonical addresses of a non-PIE program.
. tests/lib/sh
. tests/lib/live
. tests/lib/swap
can_trace
swap_init
S='-ffunction-sections -fdata-sections'

# A library that the module needs already. Two versions of one function; the default is the second. An IFUNC; a variable; a function
# whose address a non-PIE program takes, another that the program interposes, one that the preload interposes.
mkdir "$W/lib"
cat >"$W/lib/dep.c" <<'C'
long anchor(long n) { return n + 1; }
long two_v1(long n) { return n + 111; }
long two_v2(long n) { return n + 222; }
__asm__(".symver two_v1,two@DEP_1\n.symver two_v2,two@@DEP_2");
static long fast(long n) { return n + 3333; }
static long (*pick(void))(long) { return fast; }
long chosen(long n) __attribute__((ifunc("pick")));
long dep_value = 70;
long pointed(long n) { return n + 4; }
long overlaid(long n) { return n + 5; }
long preloaded(long n) { return n + 6; }
long own_name(long n) { return n + 7; }
long dep_keep(void) { return dep_value; }
void *dep_pointed(void) { return (void *)pointed; }
C
cat >"$W/lib/dep.map" <<'C'
DEP_1 { global: anchor; two; chosen; dep_value; pointed; overlaid; preloaded; own_name; dep_keep; dep_pointed; local: *; };
DEP_2 { global: two; } DEP_1;
C
gcc -shared -fPIC -O1 -Wl,-soname,libdep.so.1 -Wl,--version-script="$W/lib/dep.map" -o "$W/lib/libdep.so.1" "$W/lib/dep.c"
ln -s libdep.so.1 "$W/lib/libdep.so"
L="-L$W/lib -Wl,-rpath,$W/lib -Wl,--no-as-needed -ldep -lm"

scenario wide <<'C'
#include <math.h>
#include <stdlib.h>
#include <string.h>
long anchor(long), two(long), chosen(long), pointed(long), overlaid(long), preloaded(long);
extern long dep_value;
void *dep_pointed(void);
extern long nowhere(long) __attribute__((weak));
extern char **environ;
APART long wide_work(long n) {
#ifdef FIX
	char *copy = strdup("some text");
	long (*volatile p)(long) = pointed;
	long r = two(n) + chosen(n) * 10 + overlaid(n) * 100 + preloaded(n) * 1000 + dep_value * 10000 + p(n);
	r += (p == dep_pointed()) * 1000000 + (long)strlen(copy) * 3 + (nowhere ? nowhere(n) : 5) + lround(n + 2.5);
	r += (environ != NULL && environ[0] != NULL) * 17;
	free(copy);
	return r;
#else
	return anchor(n);
#endif
}
long wide(long n) { return wide_work(n) * 3; }
C
swap gcc "-O2 -fPIC $S" pie "$L -Wl,-z,lazy"
expect_text "$W/pack.out" 'replaces   wide_work'
"$hpbuild" inspect "$W/fix.hpk" >"$W/out"
expect_text "$W/out" 'import two@DEP_2'
expect_text "$W/out" 'import strlen@GLIBC_2.2.5'
expect_text "$W/out" 'import nowhere$'
swap gcc "-O2 -fPIC -fno-plt $S" exec "$L"
more gcc "-O2 -fPIC $S" pie "$L -Wl,-z,now"
more gcc "-O0 -fPIC" shared "$L"

# A preload with an allocator of its own: what strdup() got from it, only its free() may take back. It interposes a function, too.
cat >"$W/pre.c" <<'C'
#include <stdlib.h>
#include <string.h>
static char pool[1 << 20];
static size_t used;
void *malloc(size_t n) {
	size_t at = __atomic_fetch_add(&used, (n + 31) & ~15ul, __ATOMIC_RELAXED);
	*(size_t *)(pool + at) = n;
	return pool + at + 16;
}
void free(void *p) { if (p && ((char *)p < pool || (char *)p >= pool + sizeof(pool))) abort(); }
void *calloc(size_t n, size_t m) { return malloc(n * m); }
void *realloc(void *p, size_t n) {
	void *q = malloc(n);
	if (p) memcpy(q, p, ((size_t *)p)[-2] < n ? ((size_t *)p)[-2] : n);
	return q;
}
long preloaded(long n) { return n + 60000; }
C
gcc -shared -fPIC -O1 -o "$W/pre.so" "$W/pre.c"
PRELOAD=$W/pre.so swap gcc "-O2 -fPIC $S" pie "$L"
PRELOAD=$W/pre.so more gcc "-O2 -fPIC $S" shared "$L -Wl,-z,now"
PRELOAD="$W/pre.so libm.so.6" more gcc "-O1 -fPIC" exec "$L"

# A program that is no PIE has its own copy of the library's variable, and its own address of a function of it; it interposes one.
cat >"$W/copy.c" <<'C'
extern long dep_value;
long pointed(long);
long overlaid(long n) { return n * 7 + 900; }
void *dep_keep_pointed = 0;
__attribute__((constructor)) static void init(void) { dep_value = 71; dep_keep_pointed = (void *)pointed; }
long use_pointed(long n) { return pointed(n) + dep_value; }
C
gcc -c -fno-pie -O1 -o "$W/copy.o" "$W/copy.c"
gcc -c -fPIE -O1 -o "$W/copy-pie.o" "$W/copy.c"
PROGFLAGS="-no-pie -rdynamic $W/copy.o $L" swap gcc "-O2 -fPIC $S" shared "$L"
PROGFLAGS="-no-pie -rdynamic $W/copy.o $L" PRELOAD=$W/pre.so swap gcc "-O2 -fPIC -fno-plt $S" shared "$L -Wl,-z,now"
PROGFLAGS="-pie -rdynamic $W/copy-pie.o $L" more gcc "-O2 -fPIC $S" shared "$L"
if command -v clang >/dev/null; then
	more clang "-O2 -fPIC $S" pie "$L"
	PROGFLAGS="-no-pie -rdynamic $W/copy.o $L" PRELOAD=$W/pre.so more clang "-O0 -fPIC" shared "$L"
fi
forget

# Its own exported function, which nothing in the baseline refers to: another module's may stand before it, unless -Bsymbolic.
scenario mine <<'C'
long own_name(long n) { return n * 11; }
APART long mine_work(long n) {
#ifdef FIX
	long (*volatile p)(long) = own_name;
	return own_name(n) * 2 + p(n + 1) + 1;
#else
	return n + 1;
#endif
}
long mine(long n) { return mine_work(n); }
C
echo 'long own_name(long n) { return n * 13 + 5; }' >"$W/other.c"
gcc -shared -fPIC -O1 -o "$W/other.so" "$W/other.c"
PRELOAD=$W/other.so swap gcc "-O2 -fPIC $S" shared ''
PRELOAD=$W/other.so swap gcc "-O2 -fPIC $S" shared -Wl,-Bsymbolic
for flags in '' -Wl,-Bsymbolic -Wl,-z,now; do
	PRELOAD='' more gcc "-O2 -fPIC $S" shared "$flags"
done
forget

# A version that the object asks for, beside the default one that the baseline has.
scenario versions <<'C'
long two(long), two_old(long);
__asm__(".symver two_old,two@DEP_1");
APART long versions_work(long n) {
#ifdef FIX
	return two(n) * 2 + two_old(n) * 3;
#else
	return two(n);
#endif
}
long versions(long n) { return versions_work(n); }
C
swap gcc "-O2 -fPIC $S" pie "$L"
more gcc "-O2 -fPIC $S" shared "$L -Wl,-z,now"
forget
# The other way round: the baseline has the old one only.
scenario versions <<'C'
#ifdef FIX
long two(long);
#endif
long two_old(long);
__asm__(".symver two_old,two@DEP_1");
APART long versions_work(long n) {
#ifdef FIX
	return two(n) * 2 + two_old(n) * 3;
#else
	return two_old(n);
#endif
}
long versions(long n) { return versions_work(n); }
C
swap_refused 4 "the baseline imports it in version 'DEP_1', a new reference would mean 'DEP_2'" gcc "-O2 -fPIC $S" pie "$L"
echo "$swap_cases cases"
