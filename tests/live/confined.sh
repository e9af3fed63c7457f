#!/bin/sh
# Processes that may not do all that others may: patched all the same, or refused with the cause (exit status 10) and unharmed.
. tests/lib/sh
. tests/lib/live
can_trace
build_tools
build_victim "$W/victim" tests/live/confine.c -D_GNU_SOURCE
make_fix "$W/fix.hpk" "$W/victim" answer 7

# begin HOW: a victim that is confined so; false when this kernel cannot.
begin() {
	how=$1
	rm -f "$W/out.txt" "$W/pipe"
	mkfifo "$W/pipe"
	start "$W/out.txt" cat "$W/pipe" # its own limit on files
	CONFINE=$how start "$W/pipe" "$W/victim"
	until grep -qs '^answer 1$' "$W/out.txt"; do
		if ! kill -0 "$pid" 2>/dev/null; then break; fi
		sleep 0.05
	done
	grep -qs '^answer 1$' "$W/out.txt" && return 0
	wait "$pid" && :
	[ $? -eq 42 ] || fail "$how: $(cat "$W/out.txt")"
	echo "not here: $how: $(cat "$W/out.txt")"
	return 1
}
try() {
	maps=$(wc -l <"/proc/$pid/maps")
	got=0
	"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" 2>"$W/err" || got=$?
	grep -q '^State:.[SR]' "/proc/$pid/status" || fail "$how: process $pid does not run"
	grep -q '^TracerPid:.0$' "/proc/$pid/status" || fail "$how: still traced"
}
patched() {
	try
	[ $got -eq 0 ] || fail "$how: $(cat "$W/err")"
	wait_line "$W/out.txt" '^answer 7$' 20
	"$hpbuild" revert --pid "$pid" >"$W/out" 2>&1 || fail "$how: $(cat "$W/out")"
	"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" 2>&1 || fail "$how: $(cat "$W/out")"
	kill -KILL "$pid"
}
refused() { # TEXT
	try
	[ $got -eq 10 ] || fail "$how: exit status $got: $(cat "$W/out" "$W/err")"
	expect_text "$W/err" "$1"
	[ "$(wc -l <"/proc/$pid/maps")" -eq "$maps" ] || fail "$how: $maps mappings before, $(wc -l <"/proc/$pid/maps") after"
	[ -z "$(state "$pid")" ] || fail "$how: $(state "$pid")"
	kill -KILL "$pid"
}

begin mdwe && patched
begin fsize && patched
begin locked && patched
begin data:0 && patched
begin nofile && wait_line "$W/out.txt" '^no file' 20 && refused 'cannot create the record: Too many open files'
begin full && refused "no room for a payload of [0-9]* bytes near module 'victim'"
begin as:0 && refused 'cannot map memory for the payload: Cannot allocate memory'
# Payload and record take a few pages: with too few left the process is as before, with enough it is patched.
n=1 # page
while :; do
	begin as:$n || break
	try
	case $got in
	0) break ;;
	10)
		expect_text "$W/err" 'cannot map (memory for the payload|the record): Cannot allocate memory'
		[ "$(wc -l <"/proc/$pid/maps")" -eq "$maps" ] || fail "$how: $maps mappings before, $(wc -l <"/proc/$pid/maps") after"
		;;
	*) fail "$how: exit status $got: $(cat "$W/err")" ;;
	esac
	kill -KILL "$pid"
	n=$((n + 1))
	[ $n -lt 20 ] || fail 'never enough address space'
done
[ $n -gt 2 ] || fail "enough with $n pages"

# vm.memfd_noexec of the process's own PID namespace: no memfd that could be executed. The record is not.
if [ "$(id -u)" -eq 0 ] && unshare --pid --fork --mount-proc sh -c 'echo 2 >/proc/sys/vm/memfd_noexec' 2>"$W/err"; then
	how=memfd_noexec
	rm -f "$W/out.txt"
	start "$W/out.txt" unshare --kill-child --pid --fork --mount-proc sh -c "echo 2 >/proc/sys/vm/memfd_noexec; exec '$W/victim'"
	wait_line "$W/out.txt" '^answer 1$' 20
	pid=$(pgrep -P "$pid")
	kill_at_end "$pid"
	patched
else
	echo "not here: memfd_noexec: $(cat "$W/err")"
fi
