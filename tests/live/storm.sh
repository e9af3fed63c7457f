#!/bin/sh
# Threads that come and go as fast as they can, and many that are busy: every thread is caught, and none is lost.
. tests/lib/sh
. tests/lib/live
can_trace
build_tools
build_victim "$W/victim"
make_fix "$W/fix.hpk" "$W/victim" answer 7

for mode in 'storm 2' 'threads 40'; do
	# shellcheck disable=SC2086
	start_victim "$W/$mode.out" "$W/victim" $mode
	for n in 1 2 3 4 5; do
		"$hpbuild" apply --timeout 20000 --pid "$pid" "$W/fix.hpk" >"$W/out" || fail "$mode: apply $n"
		left=$(grep -c '^answer 7$' "$W/$mode.out" || :)
		while [ "$(grep -c '^answer 7$' "$W/$mode.out" || :)" -lt "$n" ]; do
			left=$((left + 1))
			[ "$left" -lt 400 ] || fail "$mode: the new answer is not seen"
			sleep 0.05
		done
		"$hpbuild" revert --timeout 20000 --pid "$pid" >"$W/out" || fail "$mode: revert $n"
		left=0
		while [ "$(grep -c '^answer 1$' "$W/$mode.out" || :)" -le "$n" ]; do
			left=$((left + 1))
			[ "$left" -lt 400 ] || fail "$mode: the old answer is not seen"
			sleep 0.05
		done
	done
	expect_no_text "$W/$mode.out" interrupted
	kill -KILL "$pid"
done
