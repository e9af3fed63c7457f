#!/bin/sh
# Variables that a fix adds to an object which is linked into two modules: each module has its own, and a later, cumulative package for both
# finds the values of each.
. tests/lib/sh
. tests/lib/live
. tests/lib/swap
. tests/lib/multi
can_trace
swap_init

scenario pa_count.c <<'C'
#if FIX + 0 > 0
static long seen = 10;
#endif
__attribute__((visibility("hidden"))) APART long pa_count(long n) {
#if FIX + 0 == 1
	return n * 100 + ++seen;
#elif FIX + 0 == 2
	return n * 10000 + ++seen;
#else
	return n * 5 + 2;
#endif
}
C
scenario a_lib.c <<'C'
long pa_count(long n);
long a_ask(long n) { return pa_count(n) * 2 + 1; }
C
scenario p_prog.c <<'C'
long pa_count(long n);
long p_ask(long n) { return pa_count(n) * 3 + 1; }
C
asked p_ask a_ask
package() { # NAME FIX META
	echo "{ $3 }" >"$W/meta.json"
	FIX=-DFIX=$2 multi_build gcc '-O1 -ffunction-sections -fdata-sections' pie '' || fail "$(cat "$W/build.err")"
	multi_pack --name "$1" --meta "$W/meta.json" || fail "$1: $(cat "$W/pack.err")"
	mv "$W/fix.hpk" "$W/$1.hpk"
}
package one 1 '"serial": 1'
package two 2 '"serial": 2, "cumulative": true'
what='variables in two modules' n=0
answer() { # NAME WANT: ask NAME 1
	n=$((n + 1))
	printf '%s 1\nmark %s\n' "$1" $n >&3
	wait_line "$W/got" "^mark $n\$" 20
	got=$(sed -n "s/^$1 1 = //p" "$W/got" | tail -n 1)
	[ "$got" -eq "$2" ] || fail "$what: step $n: $1 gives $got instead of $2"
}
start_prog
answer p_ask 22
answer a_ask 15
"$hpbuild" apply --pid "$pid" "$W/one.hpk" >"$W/out"
answer p_ask $((111 * 3 + 1))
answer p_ask $((112 * 3 + 1))
answer p_ask $((113 * 3 + 1))
answer a_ask $((111 * 2 + 1))
"$hpbuild" apply --pid "$pid" "$W/two.hpk" >"$W/out"
answer p_ask $((10014 * 3 + 1))
answer a_ask $((10012 * 2 + 1))
answer p_ask $((10015 * 3 + 1))
answer a_ask $((10013 * 2 + 1))
"$hpbuild" revert --pid "$pid" >"$W/out"
answer p_ask 22
answer a_ask 15
exec 3>&-
