#!/bin/sh
# A thread that waits for its vfork child cannot be stopped, and a process that shares the memory is no thread: refused in time, without
# holding the others for long; patched when that is over.
. tests/lib/sh
. tests/lib/live
can_trace
build_tools
"$CC" -D_GNU_SOURCE -O2 -pthread -o "$W/stuck" tests/live/stuck.c tests/live/answer.c
make_fix "$W/fix.hpk" "$W/stuck" answer 7

for how in vfork alone share; do
	start_victim "$W/$how.out" "$W/stuck" $how
	wait_line "$W/$how.out" '^child [0-9]' 20
	child=$(sed -n 's/^child //p' "$W/$how.out")
	kill_at_end "$child"
	began=$(date +%s)
	expect_exit 9 "$hpbuild" apply --timeout 1000 --pid "$pid" "$W/fix.hpk" 2>"$W/err"
	[ $(($(date +%s) - began)) -le 5 ] || fail "$how: took too long"
	case $how in
	vfork) text="process $child shares the memory of process $pid" ;;
	alone) text='no thread could be borrowed in time' ;;
	share) text="process $child shares the memory of process $pid" ;;
	esac
	expect_text "$W/err" "$text"
	for t in "/proc/$pid/task"/*; do grep -q '^TracerPid:.0$' "$t/status" || fail "$how: ${t##*/} is still traced"; done
	[ "$(grep -c '^gap' "$W/$how.out" || :)" -le 2 ] || fail "$how: the others stood: $(grep '^gap' "$W/$how.out" | tr '\n' ' ')"
	kill -KILL "$child"
	wait_line "$W/$how.out" '^answer 1' 20
	"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" 2>&1 || fail "$how: $(cat "$W/out")"
	wait_line "$W/$how.out" '^answer 7' 20
	kill -KILL "$pid"
done
