#!/bin/sh
# Apply, status, apply again, revert: on every kind of program, also when its file is gone or another.
. tests/lib/sh
. tests/lib/live
can_trace
build_tools

# cycle NAME BASELINE PROGRAM ARGS...: the whole round on a fresh process; BASELINE holds answer().
cycle() {
	name=$1 baseline=$2
	shift 2
	make_fix "$W/$name.hpk" "$baseline" answer 7
	start_victim "$W/$name.out" "$@"
	wait_line "$W/$name.out" '^answer 1$' 20
	if [ -n "${after_start:-}" ]; then $after_start "$baseline"; fi
	round "$name"
	kill -KILL "$pid"
}

round() {
	"$hpbuild" apply --dry-run --pid "$pid" "$W/$1.hpk" >"$W/out"
	expect_text "$W/out" '^would apply: '
	"$hpbuild" status --pid "$pid" >"$W/out"
	expect_text "$W/out" ': no package$'
	"$hpbuild" apply --pid "$pid" "$W/$1.hpk" >"$W/out"
	expect_text "$W/out" '^applied: [0-9a-f]{32} mkfix, process '
	wait_line "$W/$1.out" '^answer 7$' 20
	"$hpbuild" status --pid "$pid" >"$W/out"
	expect_text "$W/out" '^  [0-9a-f]{32}  applied$'
	expect_text "$W/out" '^    name       mkfix, serial 1$'
	expect_text "$W/out" '^    function   answer '
	expect_text "$W/out" '^    signed by  [0-9A-F]{16}$'
	"$hpbuild" apply --pid "$pid" "$W/$1.hpk" >"$W/out"
	expect_text "$W/out" '^already done: '
	maps=$(wc -l <"/proc/$pid/maps")
	"$hpbuild" revert --pid "$pid" >"$W/out"
	expect_text "$W/out" '^reverted: '
	[ "$(state "$pid")" = reverted ] || fail "not reverted"
	"$hpbuild" apply --pid "$pid" "$W/$1.hpk" >"$W/out"
	[ "$(state "$pid")" = applied ] || fail "not applied again"
	[ "$(wc -l <"/proc/$pid/maps")" -eq "$maps" ] || fail "a second apply took more mappings"
	"$hpbuild" revert --pid "$pid" >"$W/out"
	tail -n 1 "$W/$1.out" >"$W/last"
	wait_line "$W/$1.out" '^answer 7$' 1
	expect_exit 3 "$hpbuild" revert --pid "$pid" 2>"$W/err"
}

gone() { rm "$1"; }
replaced() { cp /bin/true "$1.new" && mv "$1.new" "$1"; }

build_victim "$W/pie" -fPIE -pie && cycle pie "$W/pie" "$W/pie"
build_victim "$W/nopie" -fno-pie -no-pie && cycle nopie "$W/nopie" "$W/nopie"
build_victim "$W/static" -static && cycle static "$W/static" "$W/static"
build_victim "$W/staticpie" -static-pie -fPIE && cycle staticpie "$W/staticpie" "$W/staticpie"
build_victim "$W/ibt" -fcf-protection=full && cycle ibt "$W/ibt" "$W/ibt"
"$CC" -O2 -fPIC -shared -o "$W/libanswer.so" tests/live/answer.c
"$CC" -O2 -pthread -o "$W/uses" tests/live/victim.c "$W/libanswer.so" -Wl,-rpath,"$W"
cycle library "$W/libanswer.so" "$W/uses"
after_start=gone
cp "$W/pie" "$W/deleted" && cycle deleted "$W/deleted" "$W/deleted"
after_start=replaced
cp "$W/pie" "$W/replaced" && cycle replaced "$W/replaced" "$W/replaced"
cp "$W/libanswer.so" "$W/keep.so"
cycle library_replaced "$W/libanswer.so" "$W/uses"
cp "$W/keep.so" "$W/libanswer.so"
after_start=

# One package for two modules.
"$CC" -O2 -pthread -Danswer=other -c -o "$W/other.o" tests/live/answer.c
"$CC" -O2 -pthread -rdynamic -o "$W/both" tests/live/victim.c "$W/other.o" "$W/libanswer.so" -Wl,-rpath,"$W"
make_fix "$W/both.hpk" "$W/both" other 3 "$W/libanswer.so" answer 7
start_victim "$W/both.out" "$W/both"
"$hpbuild" apply --json --pid "$pid" "$W/both.hpk" >"$W/out"
expect_text "$W/out" '"functions": 2,'
wait_line "$W/both.out" '^answer 7$' 20
"$hpbuild" status --json >"$W/out"
expect_text "$W/out" "\"pid\": $pid,?\$"
