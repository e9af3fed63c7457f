#!/bin/sh
# SIGKILL of hpbuild at every step of apply and revert: the process lives, status tells the truth, the next command finishes.
. tests/lib/sh
. tests/lib/live
can_trace
build_tools
build_victim "$W/victim"
make_fix "$W/fix.hpk" "$W/victim" answer 7

alive() {
	grep -q '^State:.[SR]' "/proc/$pid/status" || fail "step $step: $(grep State "/proc/$pid/status")"
	grep -q '^TracerPid:.0$' "/proc/$pid/status" || fail "step $step: still traced"
}

for step in 1 2 3 4 5 6 7 8 9; do
	for next in apply revert; do
		start_victim "$W/$step$next.out" "$W/victim" threads 3
		rc=0
		HPBUILD_TEST_KILL_AT=$step "$hpbuild" apply --pid "$pid" "$W/fix.hpk" >/dev/null 2>&1 || rc=$?
		[ "$rc" -eq 137 ] || fail "step $step: exit status $rc"
		alive
		got=$(state "$pid")
		case $step:$got in
		[12]: | 3:prepared | [45]:prepared | [678]:interrupted | 9:applied) ;;
		*) fail "step $step of apply: status says '$got'" ;;
		esac
		if [ "$next" = apply ]; then
			"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" || fail "step $step: the next apply failed"
			now=$(wc -l <"/proc/$pid/maps")
			[ "$step" -ne 1 ] || maps=$now
			[ "$now" -eq "$maps" ] || fail "step $step: $now mappings instead of $maps after the next apply"
			wait_line "$W/$step$next.out" '^answer 7$' 20
			[ "$(state "$pid")" = applied ] || fail "step $step: not applied"
			rc=0
			HPBUILD_TEST_KILL_AT=$step "$hpbuild" revert --pid "$pid" >/dev/null 2>&1 || rc=$?
			alive
			case $step in [234]) rc=137 ;; esac # revert has no such steps
			[ "$rc" -eq 137 ] || fail "step $step of revert: exit status $rc"
		fi
		rc=0
		"$hpbuild" revert --pid "$pid" >"$W/out" 2>&1 || rc=$?
		case $rc in 0 | 3) ;; *) fail "step $step: the next revert failed: $rc" ;; esac
		case $(state "$pid") in "" | prepared | reverted) ;; *) fail "step $step: not reverted: $(state "$pid")" ;; esac
		alive
		kill -KILL "$pid"
	done
done
