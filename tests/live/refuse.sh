#!/bin/sh
# What must be refused: the right exit status, a message that says why, and an unharmed process.
. tests/lib/sh
. tests/lib/live
can_trace
build_tools
build_victim "$W/victim"
make_fix "$W/fix.hpk" "$W/victim" answer 7

unharmed() {
	maps_now=$(wc -l <"/proc/$pid/maps")
	[ "$maps_now" -eq "$maps" ] || fail "mappings: $maps before, $maps_now after"
	grep -q '^State:.[SR]' "/proc/$pid/status" || fail "process $pid does not run: $(grep State "/proc/$pid/status")"
	grep -q '^TracerPid:.0$' "/proc/$pid/status" || fail "process $pid is still traced"
}

unharmed_by_revert() {
	grep -q '^Seccomp:.2$' "/proc/$pid/status" || fail "process $pid lost its filter"
	grep -q '^State:.[SR]' "/proc/$pid/status" || fail "process $pid does not run"
}

# refused CODE TEXT ARGS...: apply to $pid is refused.
refused() {
	code=$1 text=$2
	shift 2
	maps=$(wc -l <"/proc/$pid/maps")
	expect_exit "$code" "$hpbuild" apply --pid "$pid" "$@" >"$W/out" 2>"$W/err"
	expect_text "$W/err" "$text"
	unharmed
}

# Filters are suspended, or the process is left alone; they are never tried.
for kill in 0 1; do
	start_victim "$W/seccomp.out" "$W/victim" seccomp "$kill"
	if command -v setpriv >/dev/null 2>&1 && [ "$(id -u)" -eq 0 ]; then
		maps=$(wc -l <"/proc/$pid/maps")
		expect_exit 10 setpriv --bounding-set -sys_admin "$hpbuild" apply --pid "$pid" "$W/fix.hpk" 2>"$W/err"
		expect_text "$W/err" 'under seccomp \(mode 2\).*CAP_SYS_ADMIN'
		unharmed
		"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out"
		wait_line "$W/seccomp.out" '^answer 7$' 20
		setpriv --bounding-set -sys_admin "$hpbuild" revert --pid "$pid" >"$W/out"
		unharmed_by_revert
	else
		refused 10 'under seccomp \(mode 2\)' "$W/fix.hpk"
	fi
	kill -KILL "$pid"
done

start_victim "$W/plain.out" "$W/victim"
plain=$pid
ASAN_OPTIONS=detect_leaks=0 "$W/mkfix" "$W/unsigned.hpk" "$W/victim" answer 8
refused 6 'not signed' "$W/unsigned.hpk"
cp "$W/fix.hpk" "$W/flipped.hpk"
printf '\377' | dd of="$W/flipped.hpk" bs=1 seek=300 conv=notrunc 2>/dev/null
expect_exit 6 "$hpbuild" apply --pid "$pid" "$W/flipped.hpk" 2>"$W/err"
refused 7 'package' "$W/victim"
refused 1 'no-such-file' "$W/no-such-file"
build_victim "$W/other" -DOTHER -O1
make_fix "$W/other.hpk" "$W/other" answer 7
refused 5 'does not run the build' "$W/other.hpk"
refused 2 "does not replace a function 'nothing'" --allow-active nothing "$W/fix.hpk"
expect_exit 2 "$hpbuild" apply "$W/fix.hpk" 2>"$W/err"
expect_exit 2 "$hpbuild" apply --pid x "$W/fix.hpk" 2>"$W/err"

# A breakpoint in a function (one that does not run just now), then bytes of somebody else.
make_fix "$W/inside.hpk" "$W/victim" never_returns 5
entry=$(nm "$W/victim" | sed -n 's/ T never_returns$//p')
base=$(sed -n '1s/-.*//p' "/proc/$plain/maps")
mem() { dd "$@" bs=1 conv=notrunc status=none; }
poke() { printf '%b' "$2" | mem of="/proc/$plain/mem" seek=$((0x$base + 0x$entry + $1)); }
mem if="/proc/$plain/mem" skip=$((0x$base + 0x$entry)) count=8 >"$W/bytes"
unpoke() { mem if="$W/bytes" of="/proc/$plain/mem" seek=$((0x$base + 0x$entry)); }
poke 5 '\0314'
refused 9 "function 'never_returns' was changed in memory by someone else: a breakpoint at offset 5" "$W/inside.hpk"
unpoke
poke 1 '\0001\0002'
refused 9 "foreign bytes at offset 1: bytes 0102[0-9a-f]*, want [0-9a-f]*" "$W/inside.hpk"
unpoke
"$hpbuild" apply --pid "$pid" "$W/inside.hpk" >"$W/out"
poke 1 '\0000'
expect_exit 9 "$hpbuild" revert --pid "$pid" 2>"$W/err"
[ "$(state "$pid")" = modified ] || fail "status does not see the change"
kill -KILL "$pid"
wait_gone "$pid" 10
expect_exit 9 "$hpbuild" apply --pid "$plain" "$W/fix.hpk" 2>"$W/err"
expect_text "$W/err" 'gone|no process'

# A function that is always on the stack.
start_victim "$W/inside.out" "$W/victim" inside
wait_line "$W/inside.out" '^answer' 20 # printed by watch(), so it is inside
refused 9 "thread $pid is inside function 'never_returns': .*watch < never_returns < main" --timeout 200 "$W/inside.hpk"
"$hpbuild" apply --pid "$pid" --allow-active never_returns "$W/inside.hpk" >"$W/out"
[ "$(state "$pid")" = applied ] || fail "not applied"

# Several: each is named, up to a bound.
for n in 2 11; do
	start_victim "$W/inside$n.out" "$W/victim" inside $n
	left=200
	until [ "$(grep -c '^answer' "$W/inside$n.out")" -eq $((n + 1)) ]; do
		left=$((left - 1))
		[ $left -gt 0 ] || fail 'not all are inside'
		sleep 0.02
	done
	expect_exit 9 "$hpbuild" apply --timeout 200 --pid "$pid" "$W/inside.hpk" 2>"$W/err"
	expect_text "$W/err" "is inside function 'never_returns': .*watch < never_returns < .*; also in the way: [0-9]+, [0-9]+"
	if [ $n -eq 2 ]; then
		for t in "/proc/$pid/task"/*; do expect_text "$W/err" "[ :]${t##*/}(,| |\$)"; done
		expect_no_text "$W/err" ' more'
	else
		expect_text "$W/err" ' and 4 more$'
	fi
	kill -KILL "$pid"
done

# Traced by a debugger.
if command -v gdb >/dev/null 2>&1; then
	start_victim "$W/traced.out" "$W/victim"
	traced=$pid
	start "$W/gdb.out" gdb -q -nx -batch -p "$traced" -ex 'echo attached\n' -ex 'shell sleep 60'
	wait_line "$W/gdb.out" attached 30
	expect_exit 9 "$hpbuild" apply --pid "$traced" "$W/fix.hpk" 2>"$W/err"
	expect_text "$W/err" 'is traced by process [0-9]+ \(gdb\)'
fi

# A 32-bit process.
if "$CC" -m32 -pthread -o "$W/victim32" tests/live/victim.c tests/live/answer.c 2>/dev/null; then
	start_victim "$W/32.out" "$W/victim32"
	refused 10 'is a 32-bit process' "$W/fix.hpk"
fi
