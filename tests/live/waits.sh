#!/bin/sh
# A thread that waits in the kernel does not notice apply and revert, whatever it waits in, and whether it is borrowed or only stopped:
# no EINTR, no shorter and no endless sleep.
. tests/lib/sh
. tests/lib/live
can_trace
build_tools
"$CC" -D_GNU_SOURCE -O2 -pthread -o "$W/waiter" tests/live/waiter.c tests/live/answer.c
make_fix "$W/fix.hpk" "$W/waiter" answer 7
"$W/waiter" list >"$W/kinds"
[ "$(wc -l <"$W/kinds")" -ge 20 ] || fail 'no kinds'

for kind in all $(cat "$W/kinds"); do
	out=$W/$kind.out
	start_victim "$out" "$W/waiter" "$kind"
	wait_line "$out" '^answer is 1$' 20
	for n in 1 2 3; do
		"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" || fail "$kind: apply $n"
		"$hpbuild" revert --pid "$pid" >"$W/out" || fail "$kind: revert $n"
	done
	"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" || fail "$kind: the last apply"
	wait_line "$out" '^answer is 7$' 20
	case $kind in *_timeout | nanosleep | clock_nanosleep | cond | all) sleep 0.5 ;; esac
	expect_no_text "$out" interrupted
	kill -KILL "$pid"
	for child in $(sed -n 's/^child  //p' "$out"); do kill -KILL "$child"; done
done
