#!/bin/sh
# New variables live on: a package that replaces another uses the live storage of the variables that are the same by object, scope, name,
# type and size; another type or size is refused; a chain of packages; the payload of an earlier apply.
. tests/lib/sh
. tests/lib/live
. tests/lib/swap
can_trace
swap_init
S='-ffunction-sections -fdata-sections'

# FIX is the version. Each call counts in five new variables; version 2 adds one more and moves all of them about.
scenario count <<'C'
#if FIX
#if FIX >= 2
static char pad[100] = { 1 };
#endif
#if FIX == 9
typedef unsigned long number;
#else
typedef long number;
#endif
#if FIX == 8
static long table[4];
#else
static long table[3];
#endif
struct node { struct node *next; number value; };
long shown;
static struct node first = { 0, 1000 };
static struct node *volatile last = &first;
#if FIX >= 3
static long more;
#endif
#endif
APART static long other(long n) {
#if FIX
	static number calls = 5;
	return calls++ + n * 0;
#else
	volatile long zero = 0;
	return n * zero;
#endif
}
APART static long work(long n) {
#if FIX
	static number calls;
	calls++;
	table[n % 3]++;
	shown += 10;
	last->value++;
#if FIX >= 2
	pad[n]++;
#endif
#if FIX >= 3
	more++;
	return FIX * 100000000 + more * 0 + calls + table[0] * 100 + shown * 100 + (first.value - 1000) * 100000 + other(n) * 1000000;
#else
	return FIX * 100000000 + calls + table[0] * 100 + shown * 100 + (first.value - 1000) * 100000 + other(n) * 1000000;
#endif
#else
	return other(n + 1) + n * 3 - 3 * n;
#endif
}
long count(long n) { return work(n); }
C
# package NAME FIX META CC FLAGS MODE
package() {
	echo "{ $3 }" >"$W/meta.json"
	FIX=-DFIX=$2 swap_build "$4" "$5" "$6" '' || fail "$(cat "$W/build.err")"
	swap_pack --name "$1" --meta "$W/meta.json" || fail "$(cat "$W/pack.err")"
	mv "$W/fix.hpk" "$W/$1.hpk"
}
n=0
is() { # NUMBER: what count() returns now
	n=$((n + 1))
	printf 'count 0\nmark %s\n' $n >&3
	wait_line "$W/got" "^mark $n\$" 20
	got=$(sed -n 's/^count 0 = //p' "$W/got" | tail -n 1)
	[ "$got" -eq "$1" ] || fail "$what: step $n: $got instead of $1"
}
apply() {
	rm -rf "$HPBUILD_STATE"
	"$hpbuild" apply --pid "$pid" "$W/$1.hpk" >"$W/out" 2>"$W/err" || fail "$what: apply $1: $(cat "$W/err")"
}
# VERSION CALLS: all five counters say so many calls (the fifth began at 5)
is_count() { is $(($1 * 100000000 + $2 + $2 * 100 + $2 * 1000 + $2 * 100000 + ($2 + 4) * 1000000)); }

round() { # CC FLAGS MODE
	what="$1 $2 $3"
	C='"cumulative": true'
	package one 1 '"serial": 1' "$@"
	package two 2 "\"serial\": 2, $C" "$@"
	package three 3 "\"serial\": 3, $C" "$@"
	package type 9 "\"serial\": 4, $C" "$@"
	package size 8 "\"serial\": 5, $C" "$@"
	"$hpbuild" inspect "$W/one.hpk" >"$W/out"
	expect_text "$W/out" '^    variable work.calls \(count.o\) size 8 '
	expect_text "$W/out" '^    variable other.calls \(count.o\) size 8 '
	expect_text "$W/out" '^    variable shown size 8 '
	expect_text "$W/out" '^    variable table \(count.o\) size 24 '
	start_prog
	n=0
	is 0
	apply one
	is_count 1 1
	is_count 1 2
	is_count 1 3
	rm -rf "$HPBUILD_STATE"
	"$hpbuild" apply --dry-run --pid "$pid" "$W/two.hpk" >"$W/out"
	expect_text "$W/out" '^6 variables of it would live on$'
	apply two
	expect_text "$W/out" '^6 variables of it live on$'
	is_count 2 4
	is_count 2 5
	rm -rf "$HPBUILD_STATE"
	expect_exit 10 "$hpbuild" apply --pid "$pid" "$W/type.hpk" 2>"$W/err"
	expect_text "$W/err" "variable '(work.calls|other.calls|first|last)' has another type: it lives in package two"
	is_count 2 6
	rm -rf "$HPBUILD_STATE"
	expect_exit 10 "$hpbuild" apply --pid "$pid" "$W/size.hpk" 2>"$W/err"
	expect_text "$W/err" "variable 'table' has another size: it lives in package two"
	is_count 2 7
	apply three
	is_count 3 8
	"$hpbuild" revert --pid "$pid" >"$W/out"
	is 0
	apply two # its payload is there, and still uses the storage of the first
	is_count 2 9
	apply three
	is_count 3 10
	exec 3>&-
	wait_gone "$pid" 20
}
round gcc "-O2 $S" pie
if [ -n "${LONG:-}" ]; then
	round gcc "-O2 $S" shared
	round gcc -O1 exec
	round gcc "-O0" static-pie
fi
if command -v clang >/dev/null; then round clang "-O1 -fPIC $S" shared; fi

# Without debug information nobody knows the type; and a payload that has its own storage already does not take another's.
what='no -g'
C='"cumulative": true'
package one 1 '"serial": 1' gcc "-O2 -g0 $S" pie
package two 2 "\"serial\": 2, $C" gcc "-O2 -g0 $S" pie
start_prog
n=0
is 0
apply one
is_count 1 1
rm -rf "$HPBUILD_STATE"
expect_exit 10 "$hpbuild" apply --pid "$pid" "$W/two.hpk" 2>"$W/err"
expect_text "$W/err" 'has a type that is not known'
is_count 1 2
exec 3>&-
wait_gone "$pid" 20
what='own storage'
package one 1 '"serial": 1' gcc "-O2 $S" pie
package two 2 "\"serial\": 2, $C" gcc "-O2 $S" pie
start_prog
n=0
is 0
apply two
is_count 2 1
"$hpbuild" revert --pid "$pid" >"$W/out"
apply one
is_count 1 1
rm -rf "$HPBUILD_STATE"
expect_exit 10 "$hpbuild" apply --pid "$pid" "$W/two.hpk" 2>"$W/err"
expect_text "$W/err" 'the payload of an earlier apply, which is still there, has storage of its own for it'
is_count 1 2
exec 3>&-
wait_gone "$pid" 20
