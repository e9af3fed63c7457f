#!/bin/sh
# A package for two modules on live processes: all or nothing. Only one module loaded, a second one that fails, each per-module line of
# apply, status and revert, further packages on top, `run`, `apply --all`.
. tests/lib/sh
. tests/lib/live
can_trace
build_tools
own_id() { echo "-Wl,--build-id=0x$(head -c 20 /dev/urandom | od -An -tx1 | tr -d ' \n')"; } # `apply --all` of another run finds others
"$CC" -O2 -fPIC -shared "$(own_id)" -o "$W/libpair.so" tests/live/couple-lib.c
"$CC" -O2 -pthread "$(own_id)" -o "$W/pair" tests/live/couple.c -ldl
L=$W/libpair.so
make_fix "$W/both.hpk" "$W/pair" number 7 "$L" lib_number 8
make_fix "$W/next.hpk" "$L" lib_number 18 "$W/pair" number 17
make_fix "$W/lib.hpk" "$L" lib_number 28
make_fix "$W/more.hpk" "$W/pair" extra 5 "$L" lib_extra 6
MKFIX_CUMULATIVE=1 make_fix "$W/all.hpk" "$L" lib_number 18 "$W/pair" number 17
MKFIX_CUMULATIVE=1 make_fix "$W/lib-all.hpk" "$L" lib_number 28

# refused CODE TEXT ARGS...: apply says so, and nothing was changed in either module.
refused() {
	code=$1 text=$2
	shift 2
	maps=$(wc -l <"/proc/$pid/maps")
	expect_exit "$code" "$hpbuild" apply --pid "$pid" "$@" >"$W/out" 2>"$W/err"
	expect_text "$W/err" "$text"
	[ "$(wc -l <"/proc/$pid/maps")" -eq "$maps" ] || fail "$text: mappings were left"
	[ -z "$(state "$pid")" ] || fail "$text: a record was left"
	unpatched
}
unpatched() { # entries of both modules are as in the files
	sleep 0.05
	expect_no_text "$W/pair.out" '^numbers (7|17|. 8|. 18|. 28)'
	grep -q '^State:.[SR]' "/proc/$pid/status" || fail "process $pid does not run"
	grep -q '^TracerPid:.0$' "/proc/$pid/status" || fail "process $pid is still traced"
}
now() { # TEXT: the last line becomes this one
	left=200
	until [ "$(tail -n 1 "$W/pair.out")" = "$1" ]; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || fail "not '$1': $(tail -n 1 "$W/pair.out")"
		sleep 0.05
	done
}
pair() { # ARGS...: a fresh process
	rm -f "$W/pair.out"
	start_victim "$W/pair.out" "$W/pair" "$@"
}

echo '-- both modules'
pair "$L"
wait_line "$W/pair.out" '^numbers 1 2$' 20
"$hpbuild" apply --dry-run --pid "$pid" "$W/both.hpk" >"$W/out"
expect_text "$W/out" '^would apply: .* 2 functions$'
expect_text "$W/out" '^  module pair at 0x[0-9a-f]*, 1 function$'
expect_text "$W/out" '^  module libpair.so at 0x[0-9a-f]*, 1 function$'
[ -z "$(state "$pid")" ] || fail 'a dry run left a record'
"$hpbuild" apply --json --pid "$pid" "$W/both.hpk" >"$W/out"
python3 - "$W/out" "$pid" <<'PY'
import json, sys
a = json.load(open(sys.argv[1]))
maps = [l.split() for l in open(f"/proc/{sys.argv[2]}/maps")]
assert [m["name"] for m in a["modules"]] == ["pair", "libpair.so"] and a["functions"] == 2, a
for m in a["modules"]:
    first = min(int(l[0].split("-")[0], 16) for l in maps if l[-1].endswith("/" + m["name"]))
    assert int(m["address"], 16) == first, (m, hex(first))
    payload = [l for l in maps if l[0].startswith(m["payload"][2:] + "-")]
    assert payload and abs(int(m["payload"], 16) - first) < 2**31, m
PY
wait_line "$W/pair.out" '^numbers 7 8$' 20
expect_no_text "$W/pair.out" '^numbers (7 2|1 8)$'
"$hpbuild" status --pid "$pid" >"$W/out"
expect_text "$W/out" '^    module     pair, payload at 0x'
expect_text "$W/out" '^    function   lib_number \(libpair.so\)$'
"$hpbuild" status --json --pid "$pid" >"$W/out"
python3 -c 'import json, sys; m = json.load(open(sys.argv[1]))["processes"][0]["packages"][0]["modules"]
assert [(t["name"], t["functions"]) for t in m] == [("pair", ["number"]), ("libpair.so", ["lib_number"])], m' "$W/out"
"$hpbuild" status --gdb "$W" --pid "$pid" >"$W/out"
[ "$(grep -c '^add-symbol-file' "$W/out")" -eq 2 ] || fail "gdb: $(cat "$W/out")"

echo '-- a second package beside it; one that has the same functions must replace it, in all of its modules'
"$hpbuild" apply --pid "$pid" "$W/more.hpk" >"$W/out"
expect_text "$W/out" '^  module libpair.so at 0x[0-9a-f]*, 1 function, payload at 0x'
[ "$("$hpbuild" status --pid "$pid" | grep -c '^  [0-9a-f]*  applied$')" -eq 2 ] || fail 'not two packages'
expect_exit 9 "$hpbuild" apply --pid "$pid" "$W/next.hpk" 2>"$W/err"
expect_text "$W/err" "function '(lib_)?number' belongs to package [0-9a-f]{32}, which is applied"
expect_exit 9 "$hpbuild" apply --pid "$pid" "$W/lib-all.hpk" 2>"$W/err"
[ "$(tail -n 1 "$W/pair.out")" = 'numbers 7 8' ] || fail "after refusals: $(tail -n 1 "$W/pair.out")"
"$hpbuild" apply --pid "$pid" "$W/all.hpk" >"$W/out"
now 'numbers 17 18'
expect_no_text "$W/pair.out" '^numbers (17 8|7 18)$'
[ "$("$hpbuild" status --pid "$pid" | grep -c '^  [0-9a-f]*  replaced$')" -eq 2 ] || fail 'two packages are to be replaced'
"$hpbuild" revert --pid "$pid" >"$W/out"
now 'numbers 1 2'
"$hpbuild" apply --pid "$pid" "$W/both.hpk" >"$W/out"
now 'numbers 7 8'
"$hpbuild" apply --pid "$pid" "$W/more.hpk" >"$W/out"
"$hpbuild" revert --all --pid "$pid" >"$W/out"
now 'numbers 1 2'
kill -KILL "$pid"

echo '-- only one of the two'
pair -
refused 10 "runs 'pair' of the package, but 'libpair.so' is not loaded, or is another build: all modules" "$W/both.hpk"
refused 10 "runs 'pair' of the package, but 'libpair.so' is not loaded" "$W/next.hpk"
"$hpbuild" status "$W/both.hpk" >"$W/out"
expect_text "$W/out" "^process $pid \(pair\): runs the baseline unpatched; cannot be patched now: .*'libpair.so' is not loaded"
lonely=$pid
"$CC" -O2 -DOTHER=1 -fPIC -shared -Wl,--build-id -o "$W/other.so" -x c - <<'C'
int lib_number(void) { static volatile int n = 3; return n; }
C
pair "$W/other.so"
refused 10 "but 'libpair.so' is not loaded, or is another build" "$W/both.hpk"
kill -KILL "$pid"
start_victim "$W/stranger.out" /bin/sh -c 'echo ready; sleep 100; :'
expect_exit 5 "$hpbuild" apply --pid "$pid" "$W/both.hpk" 2>"$W/err"
expect_text "$W/err" 'does not run the build of'
kill -KILL "$pid"

echo '-- apply --all: those that have both; the others are told'
pair "$L"
both=$pid
"$hpbuild" apply --all "$W/both.hpk" >"$W/out" 2>"$W/err"
expect_text "$W/out" "^applied: .* process $both "
expect_no_text "$W/out" "process $lonely "
expect_text "$W/err" "^hpbuild: warning: [1-9][0-9]* process(es have| has) only some of the package's modules"
[ "$(state "$both")" = applied ] || fail 'not applied'
[ -z "$(state "$lonely")" ] || fail 'half a package'
"$hpbuild" apply --all --json "$W/both.hpk" >"$W/out"
python3 -c 'import json, sys; assert json.load(open(sys.argv[1]))["partial"] >= 1' "$W/out"
kill -KILL "$both" "$lonely"

echo '-- the second module fails: a thread is inside it, a breakpoint in it, no memory for its payload'
make_fix "$W/wait.hpk" "$W/pair" number 7 "$L" lib_wait 8
pair "$L" inside
refused 9 "is inside function 'lib_wait'" --timeout 200 "$W/wait.hpk"
kill -KILL "$pid"
pair "$L"
entry=$(nm "$L" | sed -n 's/ T lib_wait$//p')
base=$(sed -n 's/-.*libpair.so$//p' "/proc/$pid/maps" | head -n 1)
printf '\314' | dd of="/proc/$pid/mem" bs=1 seek=$((0x$base + 0x$entry + 5)) conv=notrunc status=none
refused 9 "function 'lib_wait' was changed in memory by someone else: a breakpoint at offset 5" "$W/wait.hpk"
kill -KILL "$pid"
if command -v prlimit >/dev/null; then
	pair "$L"
	used=$(sed -n 's/^VmSize:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status")
	prlimit --pid "$pid" --as=$(((used + 12) * 1024)) # room for one payload of 8 KiB
	refused 10 'cannot map memory for the payload' "$W/both.hpk"
	kill -KILL "$pid"
fi

echo '-- run: libraries that the program needs are there at its first instruction, those that it loads later are not'
cat >"$W/needs.c" <<'C'
#include <stdio.h>
#include <unistd.h>
int lib_number(void);
static int early;
__attribute__((noinline, noclone)) int number(void) { static volatile int n = 1; return n * 9 - 8; }
__attribute__((constructor)) static void first(void) { early = number() * 100 + lib_number(); }
int main(void) { printf("%d %d %d\n", early, number(), lib_number()); return 0; }
C
"$CC" -O2 -pthread "$(own_id)" -o "$W/needs" "$W/needs.c" "$L" -Wl,-rpath,"$W"
make_fix "$W/needs.hpk" "$W/needs" number 7 "$L" lib_number 8
MKFIX_CUMULATIVE=1 make_fix "$W/all-needs.hpk" "$W/needs" number 7 "$L" lib_number 8
[ "$("$W/needs")" = '102 1 2' ] || fail "unpatched: $("$W/needs")"
"$hpbuild" run --package "$W/needs.hpk" -- "$W/needs" >"$W/out"
[ "$(cat "$W/out")" = '708 7 8' ] || fail "run: $(cat "$W/out")"
"$hpbuild" run --package "$W/lib.hpk" --package "$W/all-needs.hpk" -- "$W/needs" >"$W/out"
[ "$(cat "$W/out")" = '708 7 8' ] || fail "run with two packages: $(cat "$W/out")"
expect_exit 10 "$hpbuild" run --package "$W/both.hpk" -- "$W/pair" "$L" >"$W/out" 2>"$W/err"
expect_text "$W/err" "'libpair.so' is not loaded"
expect_no_text "$W/out" .
