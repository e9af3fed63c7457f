#!/bin/sh
# fork() hands a package on, exec() drops it, and status tells both.
. tests/lib/sh
. tests/lib/live
can_trace
build_tools
build_victim "$W/victim"
make_fix "$W/fix.hpk" "$W/victim" answer 7
mkfifo "$W/in"
start "$W/out.txt" sh -c "exec '$W/victim' family <'$W/in'"
exec 3>"$W/in"
wait_line "$W/out.txt" '^ready' 20
"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out"
echo >&3
wait_line "$W/out.txt" '^child' 20
child=$(sed -n 's/^child //p' "$W/out.txt")
kill_at_end "$child"
wait_line "$W/out.txt" '^answer 7$' 20
[ "$(state "$child")" = applied ] || fail "the child does not have the package"
"$hpbuild" revert --pid "$child" >"$W/out"
wait_line "$W/out.txt" '^answer 1$' 20
[ "$(state "$pid")" = applied ] || fail "the parent lost the package with the child"
kill -KILL "$child"
echo >&3
wait_line "$W/out.txt" "^ready $pid\$" 20
left=100
until [ "$(grep -c "^ready $pid\$" "$W/out.txt")" -eq 2 ]; do
	left=$((left - 1))
	[ "$left" -gt 0 ] || fail "no exec"
	sleep 0.05
done
[ -z "$(state "$pid")" ] || fail "a package survived exec"
expect_exit 3 "$hpbuild" revert --pid "$pid" 2>"$W/err"
"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out"
[ "$(state "$pid")" = applied ] || fail "not applied after exec"
