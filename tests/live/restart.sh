#!/bin/sh
# Threads that sleep in system calls do not notice: nanosleep, futex, poll and read go on after every stop and every borrowing.
. tests/lib/sh
. tests/lib/live
can_trace
build_tools
build_victim "$W/victim"
start_victim "$W/out.txt" "$W/victim" sleepers
export MKFIX_CUMULATIVE=1 # each takes the place of the one before
for n in 2 3 4 5 6 7 8 9 10 11; do
	make_fix "$W/$n.hpk" "$W/victim" answer "$n"
	"$hpbuild" apply --pid "$pid" "$W/$n.hpk" >"$W/out"
	wait_line "$W/out.txt" "^answer $n\$" 20
done
for n in 5 4 3; do
	"$hpbuild" revert --pid "$pid" >"$W/out"
	"$hpbuild" apply --pid "$pid" "$W/$n.hpk" >"$W/out"
done
"$hpbuild" revert --all --dry-run --pid "$pid" >"$W/out"
[ "$(grep -c '^would revert' "$W/out")" -eq 1 ] || fail "not all would be reverted: $(cat "$W/out")"
"$hpbuild" revert --all --pid "$pid" >"$W/out"
[ "$(grep -c '^reverted' "$W/out")" -eq 1 ] || fail "not all were reverted: $(cat "$W/out")"
wait_line "$W/out.txt" '^answer 1$' 20
expect_exit 3 "$hpbuild" revert --all --pid "$pid" 2>"$W/err"
[ "$(grep -c '^answer' "$W/out.txt")" -ge 11 ] || fail "not every package was seen"
expect_no_text "$W/out.txt" interrupted
