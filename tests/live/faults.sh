#!/bin/sh
# ptrace, or a write to or read from the process, fails at call 1, 2, 3...: the process lives, is not traced, runs the old or the new
# function; status tells the truth, and the next apply and revert work. With LONG=1 every call, else some; once and for ever.
. tests/lib/sh
. tests/lib/live
can_trace
case $B in *-san*) skip "sanitizers want to be loaded first" ;; esac
build_tools
build_victim "$W/victim"
make_fix "$W/fix.hpk" "$W/victim" answer 7
"$CC" -D_GNU_SOURCE -O1 -fPIC -shared -o "$W/fault.so" tests/live/fault-preload.c

alive() {
	grep -q '^State:.[SR]' "/proc/$pid/status" || fail "$what: $(grep State "/proc/$pid/status")"
	grep -q '^TracerPid:.0$' "/proc/$pid/status" || fail "$what: still traced"
}

# with_fault KIND K EVER VERB ARGS...
with_fault() {
	kind=$1 k=$2 ever=$3
	shift 3
	what="$1, $kind $k $ever"
	rc=0
	env LD_PRELOAD="$W/fault.so" FAULT_KIND="$kind" FAULT_AT="$k" ${ever:+FAULT_EVER=1} FAULT_COUNT="$W/count" \
		"$hpbuild" "$@" >"$W/out" 2>"$W/err" || rc=$?
	case $rc in 0 | 1 | 5 | 9 | 10) ;; *) [ "$rc:$ever" = 11:ever ] || fail "$what: exit status $rc: $(cat "$W/err")" ;; esac
	alive
	case $rc:$1 in
	0:apply) [ "$(state "$pid")" = applied ] || fail "$what: done, but $(state "$pid")" ;;
	0:revert) [ "$(state "$pid")" = reverted ] || fail "$what: done, but $(state "$pid")" ;;
	*:apply) case $(state "$pid") in "" | prepared | reverted) ;; interrupted) [ "$rc" = 11 ] || fail "$what: interrupted" ;; *) fail "$what: failed, but $(state "$pid")" ;; esac ;;
	*:revert) case $(state "$pid") in applied) ;; interrupted) [ "$rc" = 11 ] || fail "$what: interrupted" ;; *) fail "$what: failed, but $(state "$pid")" ;; esac ;;
	esac
}

# sweep KIND EVER STEP
sweep() {
	k=1
	while :; do
		start_victim "$W/v.out" "$W/victim" threads 2
		with_fault "$1" "$k" "$2" apply --timeout 300 --pid "$pid" "$W/fix.hpk"
		last=$(cat "$W/count")
		what="after apply, $1 $k $2"
		"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" 2>"$W/err" || fail "$what: the next apply: $(cat "$W/err")"
		wait_line "$W/v.out" '^answer 7$' 20
		with_fault "$1" "$k" "$2" revert --timeout 300 --pid "$pid"
		what="after revert, $1 $k $2"
		"$hpbuild" revert --pid "$pid" >"$W/out" 2>"$W/err" || [ $? -eq 3 ] || fail "$what: the next revert: $(cat "$W/err")"
		[ "$(state "$pid")" = reverted ] || fail "$what: $(state "$pid")"
		alive
		kill -KILL "$pid"
		tries=$((tries + 1))
		[ "$k" -le "$last" ] || break
		k=$((k + $3))
	done
}

tries=0
for kind in write ptrace read; do
	case $kind in read) step=67 ;; ptrace) step=13 ;; write) step=3 ;; esac
	[ -z "${LONG:-}" ] || step=1
	sweep "$kind" "" "$step"
	[ "$kind" = read ] || sweep "$kind" ever $((step * 2 - 1))
done
echo "$tries faults"
