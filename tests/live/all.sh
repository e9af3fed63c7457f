#!/bin/sh
# apply --all and status PKG: every process that runs the baseline, whether it can be patched or not; nobody else.
. tests/lib/sh
. tests/lib/live
can_trace
build_tools
need python3
# A build ID of its own: other runs of the tests have victims too.
build_victim "$W/victim" "-Wl,--build-id=0x$(head -c 20 /dev/urandom | od -An -tx1 | tr -d ' \n')"
build_victim "$W/other" -O1 -DOTHER
make_fix "$W/fix.hpk" "$W/victim" answer 7

"$hpbuild" apply --all "$W/fix.hpk" >"$W/out"
expect_text "$W/out" '^0 processes run the baseline: 0 applied, 0 already, 0 failed$'
start_victim "$W/1.out" "$W/victim"
one=$pid
start_victim "$W/2.out" "$W/victim" threads 3
two=$pid
start_victim "$W/3.out" "$W/victim" inside
three=$pid
start_victim "$W/4.out" "$W/other"
four=$pid
"$hpbuild" apply --pid "$one" "$W/fix.hpk" >"$W/out"

"$hpbuild" status "$W/fix.hpk" >"$W/out"
expect_text "$W/out" "^process $one \\(victim\\)\$"
expect_text "$W/out" "^process $two \\(victim\\): runs the baseline unpatched\$"
expect_text "$W/out" "^process $three \\(victim\\): runs the baseline unpatched\$"
expect_no_text "$W/out" "^process $four "
"$hpbuild" status >"$W/out"
expect_no_text "$W/out" "^process ($two|$three) "

# What cannot be patched now is told with its cause.
start "$W/gdb.out" gdb -q -nx -batch -p "$three" -ex 'echo attached\n' -ex 'shell sleep 60'
gdb=$pid
wait_line "$W/gdb.out" attached 30
"$hpbuild" status "$W/fix.hpk" >"$W/out"
expect_text "$W/out" "^process $three \\(victim\\): runs the baseline unpatched; cannot be patched now: .*traced by process"
"$hpbuild" status --json "$W/fix.hpk" >"$W/out"
expect_text "$W/out" '"obstacle": ".*traced by'
expect_exit 9 "$hpbuild" apply --all --json "$W/fix.hpk" >"$W/out"
python3 - "$W/out" "$one" "$two" "$three" <<'END'
import json, sys
r = json.load(open(sys.argv[1]))
one, two, three = map(int, sys.argv[2:])
assert r["schema"] == "hpbuild.apply-all/1", r
assert (r["matching"], r["done"], r["already"], r["failed"]) == (3, 1, 1, 1), r
by = {p["pid"]: p for p in r["processes"]}
assert by[one]["already"] and by[two]["result"] == "applied" and not by[two]["already"], by
assert by[three]["result"] == "failed" and by[three]["status"] == 9 and "traced" in by[three]["message"], by
END
kill -KILL "$gdb"
wait_gone "$gdb" 10
wait_line "$W/2.out" '^answer 7$' 20
left=100
until "$hpbuild" apply --all "$W/fix.hpk" >"$W/out" 2>"$W/err"; do
	left=$((left - 1))
	[ "$left" -gt 0 ] || fail "still traced"
	sleep 0.05
done
expect_text "$W/out" '^3 processes run the baseline: 1 applied, 2 already, 0 failed$'
wait_line "$W/3.out" '^answer 7$' 20
"$hpbuild" status "$W/fix.hpk" >"$W/out"
expect_no_text "$W/out" unpatched
expect_exit 2 "$hpbuild" apply --all --pid 1 "$W/fix.hpk" 2>"$W/err"
