#!/bin/sh
# Signal handlers in progress, on the thread's stack and on an alternate one: calls are interrupted by signals only, those with SA_RESTART
# by none; a function that a handler on an alternate stack is inside of is not replaced.
. tests/lib/sh
. tests/lib/live
can_trace
build_tools
"$CC" -D_GNU_SOURCE -O2 -pthread -o "$W/handlers" tests/live/handlers.c tests/live/answer.c
make_fix "$W/fix.hpk" "$W/handlers" answer 7
make_fix "$W/stay.hpk" "$W/handlers" stay 5
mkfifo "$W/in"
start "$W/out.txt" sh -c "exec '$W/handlers' <'$W/in'"
exec 3>"$W/in"
wait_line "$W/out.txt" '^ready' 20
for n in 1 2 3 4 5 6 7 8 9 10; do
	"$hpbuild" apply --timeout 20000 --pid "$pid" "$W/fix.hpk" >"$W/out" 2>&1 || fail "apply $n: $(cat "$W/out")"
	"$hpbuild" revert --timeout 20000 --pid "$pid" >"$W/out" 2>&1 || fail "revert $n: $(cat "$W/out")"
done
"$hpbuild" apply --timeout 20000 --pid "$pid" "$W/fix.hpk" >"$W/out"
wait_line "$W/out.txt" '^answer 7$' 20
echo alt >&3
wait_line "$W/out.txt" '^done alt' 20
expect_exit 9 "$hpbuild" apply --timeout 300 --pid "$pid" "$W/stay.hpk" 2>"$W/err"
expect_text "$W/err" "is inside function 'stay': .*stay < on_signal < "
"$hpbuild" apply --allow-active stay --timeout 20000 --pid "$pid" "$W/stay.hpk" >"$W/out" 2>&1 || fail "$(cat "$W/out")"
echo leave >&3
wait_line "$W/out.txt" '^done leave' 20
"$hpbuild" revert --timeout 20000 --pid "$pid" >"$W/out"
expect_no_text "$W/out.txt" 'wrong|zero'
