#!/bin/sh
# Functions that the fix adds to one module and calls from another one: by calls and by address, in both directions, from a module that
# gets nothing else. Where another module of the process has the name, as a preloaded one, the process is refused.
. tests/lib/sh
. tests/lib/live
. tests/lib/swap
. tests/lib/multi
can_trace
swap_init
S='-ffunction-sections -fdata-sections'

scenario a_lib.c <<'C'
#ifdef FIX
static volatile long calls = 4;
APART long a_added(long n) { return n * 31 + calls; }
long p_added(long n);
typedef long func(long);
APART func *a_address(void) { return a_added; }
APART long a_value(long n) { return a_added(n) + p_added(n + 1) * 3; }
#else
static volatile long calls = 4;
typedef long func(long);
APART func *a_address(void) { return (func *)(calls - 4); }
APART long a_value(long n) { return n + 5 + calls * 0; }
#endif
C
scenario p_prog.c <<'C'
long a_value(long n);
typedef long func(long);
func *a_address(void);
#ifdef FIX
long a_added(long n);
static func *const table[2] = { a_added, a_value };
func *const volatile *volatile p_table = table;
APART long p_added(long n) { return n * 7 - 2; }
APART static long work(long n) {
	func *volatile f = a_added;
	return a_value(n) + a_added(n + 2) * 5 + f(n) + (a_address() == f) * 100000 + (p_table[0] == f) * 1000000;
}
#else
APART static long work(long n) { return a_value(n) + (a_address() != (func *)0); }
#endif
long p_ask(long n) { return work(n) * 3; }
C
asked p_ask
multi gcc "-O2 $S" pie ''
expect_text "$W/pack.out" 'adds       a_added'
"$hpbuild" inspect "$W/fix.hpk" >"$W/out"
expect_text "$W/out" 'peer:[1-9]'
expect_text "$W/out" 'import a_added'
python3 tests/lib/hpk_reader.py "$W/fix.hpk" "$W/key.pub" >"$W/out" || fail "second reader: $(cat "$W/out")"

# The name is there already, in a library that comes with the process.
echo 'long a_added(long n) { return -1; }' >"$W/pre.c"
gcc -shared -fPIC -O1 -o "$W/pre.so" "$W/pre.c"
PRELOAD=$W/pre.so start_prog
ask 1
expect_exit 10 "$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" 2>"$W/err"
expect_text "$W/err" "the package adds 'a_added' to 'liba.so', but module '.*pre.so' has something of that name"
[ -z "$(state "$pid")" ] || fail 'a record was left'
ask 2
exec 3>&-
kill -KILL "$pid"

multi gcc "-O0" pie -Wl,-z,now
multi gcc "-O2 -fno-plt $S" exec ''
STRIP=debug multi gcc "-O2" pie ''
if command -v clang >/dev/null; then
	multi clang "-O2 $S" pie ''
fi

# The library gets the new function and nothing else: a target without a replaced function.
forget
scenario a_lib.c <<'C'
APART long a_value(long n) { return n * 3 + 1; }
#ifdef FIX
APART long a_added(long n) { static long calls; return a_value(n) * 10 + calls++ * 0; }
#endif
C
scenario p_prog.c <<'C'
long a_value(long n), a_added(long n);
#ifdef FIX
APART static long work(long n) { return a_added(n) - 1; }
#else
APART static long work(long n) { return a_value(n) - 1; }
#endif
long p_ask(long n) { return work(n) * 3; }
C
asked p_ask
multi gcc "-O2 $S" pie ''
expect_text "$W/pack.out" '2 modules'
"$hpbuild" inspect "$W/fix.hpk" >"$W/out"
expect_text "$W/out" 'functions  *0 replaced, 1 added'

# What is not provably right is refused: a weak reference, a new variable, a name that the baseline has from elsewhere.
scenario a_lib.c <<'C'
APART long a_value(long n) { return n * 3 + 1; }
#ifdef FIX
APART long a_added(long n) { return a_value(n) * 10; }
long a_extra = 5;
#endif
C
scenario p_prog.c <<'C'
long a_value(long n), a_added(long n) __attribute__((weak));
#ifdef FIX
APART static long work(long n) { return a_added != 0 ? a_added(n) - 1 : 0; }
#else
APART static long work(long n) { return a_value(n) - 1; }
#endif
long p_ask(long n) { return work(n) * 3; }
C
multi_refused 4 "'a_added': the fix adds it to another module, and this one may find another definition" gcc "-O2 $S" pie ''
scenario p_prog.c <<'C'
long a_value(long n);
#ifdef FIX
extern long a_extra;
APART static long work(long n) { return a_value(n) + a_extra; }
#else
APART static long work(long n) { return a_value(n) - 1; }
#endif
long p_ask(long n) { return work(n) * 3; }
C
multi_refused 4 "'a_extra': data that the fix changes or adds in another module" gcc "-O2 $S" pie ''
echo "$swap_cases cases"
