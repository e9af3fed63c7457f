#!/bin/sh
# One fix for a program and its own library: the same static names in both, an object that is linked into both, calls in both
# directions. The patched process answers as the fixed build does.
. tests/lib/sh
. tests/lib/live
. tests/lib/swap
. tests/lib/multi
can_trace
swap_init
S='-ffunction-sections -fdata-sections'

# Static function, variable and table of the same names in both modules, changed in different ways.
scenario a_value.c <<'C'
#ifdef FIX
# define BY 1000
#else
# define BY 10
#endif
long pa_mix(long n), p_hook(long n);
static long state = 7;
static const long table[3] = { 11, 12, 13 };
const long *volatile keep_a = table;
APART static long scale(long n) { return n * BY + state++ + table[n % 3] + keep_a[0]; }
long a_count = 1;
APART long a_value(long n) { a_count += 3; return scale(n) + pa_mix(n) * 3; }
/* back into the program, which changed too */
APART long a_back(long n) {
#ifdef FIX
	return p_hook(n + 1) * 2 + a_count;
#else
	return p_hook(n) + a_count;
#endif
}
long (*a_pointer(void))(long) { return a_value; }
long a_only(long n) { return a_back(n) + scale(1); }
C
scenario p_cross.c <<'C'
#ifdef FIX
# define BY 7
#else
# define BY 5
#endif
long pa_mix(long n), a_value(long n), a_back(long n), (*a_pointer(void))(long);
extern long a_count;
static long state = 3;
static const long table[3] = { 21, 22, 23 };
const long *volatile keep_p = table;
APART static long scale(long n) { state += 2; return n * BY - state + table[n % 3] + keep_p[0]; }
APART long p_hook(long n) { return scale(n) * BY + a_count; }
APART static long work(long n) {
#ifdef FIX
	return scale(n) + a_value(n + 1) * 2 + pa_mix(n) + (a_pointer() == a_value) * 1000000;
#else
	return scale(n) + a_value(n) + pa_mix(n) + (a_pointer() == a_value) * 2000000;
#endif
}
long p_cross(long n) { return work(n) * 3; }
C
# In both modules, each with data of its own: the naive rule patches one of them, or with the other's data.
scenario pa_mix.c <<'C'
static long calls;
__attribute__((visibility("hidden"))) APART long pa_mix(long n) {
	static long odd;
	calls++;
	odd += 1;
#ifdef FIX
	return n * 31 + calls * 100 + odd;
#else
	return n * 13 - calls * 100 + odd;
#endif
}
C
asked p_cross a_only a_value

multi gcc "-O2 $S" pie ''
expect_text "$W/pack.out" '2 modules, unsigned'
expect_text "$W/pack.out" 'proven     pa_mix.o: 1 of 1'
[ "$(grep -c 'replaces   pa_mix ' "$W/pack.out")" -eq 2 ] || fail "pa_mix is not replaced in both: $(cat "$W/pack.out")"
[ "$(grep -c 'replaces   scale ' "$W/pack.out")" -eq 2 ] || fail "scale is not replaced in both: $(cat "$W/pack.out")"
"$hpbuild" inspect "$W/fix.hpk" >"$W/out"
expect_text "$W/out" '^target 0$'
expect_text "$W/out" '^target 1$'
python3 tests/lib/hpk_reader.py "$W/fix.hpk" "$W/key.pub" >"$W/out" || fail "second reader: $(cat "$W/out")"
cp "$W/fix.hpk" "$W/first.hpk"
multi_pack
cmp "$W/fix.hpk" "$W/first.hpk" || fail 'the same inputs give another package'

multi gcc "-O2" exec ''
multi gcc "-O0" pie -Wl,-z,now
STRIP=debug multi gcc "-O2 $S" pie ''
STRIP=1 multi gcc "-O2 $S" exec ''
if command -v clang >/dev/null; then
	multi clang "-O2 $S" pie ''
	STRIP=1 multi clang -Os pie ''
fi
echo "$swap_cases cases"
