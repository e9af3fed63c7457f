#!/bin/sh
# Job control: a stopped process can be patched and stays stopped; a SIGSTOP at any point of apply or revert is not lost, nor a SIGCONT
# or another signal; the parent sees no stop that is not its own.
. tests/lib/sh
. tests/lib/live
can_trace
case $B in *-san*) skip "sanitizers want to be loaded first" ;; esac
need python3
build_tools
build_victim "$W/victim"
make_fix "$W/fix.hpk" "$W/victim" answer 7
"$CC" -D_GNU_SOURCE -O1 -fPIC -shared -o "$W/fault.so" tests/live/fault-preload.c

is_state() { # PATTERN
	left=40
	until grep -Eq "^State:.$1" "/proc/$pid/status"; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || fail "$what: $(grep State "/proc/$pid/status") instead of $1"
		sleep 0.05
	done
}

# Stopped before, single-threaded and with threads.
for mode in plain 'threads 3'; do
	what="stopped before, $mode"
	# shellcheck disable=SC2086
	start_victim "$W/$mode.out" "$W/victim" $mode
	wait_line "$W/$mode.out" '^answer 1$' 20
	kill -STOP "$pid"
	is_state T
	"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out"
	is_state T
	expect_no_text "$W/$mode.out" '^answer 7$'
	kill -CONT "$pid"
	wait_line "$W/$mode.out" '^answer 7$' 20
	kill -STOP "$pid"
	is_state T
	"$hpbuild" revert --pid "$pid" >"$W/out"
	is_state T
	kill -CONT "$pid"
	is_state '[SR]'
	kill -KILL "$pid"
done

# SIGSTOP (19) before the K-th call of ptrace: what is asked for is done or refused, then the process stands; SIGCONT wakes it.
at=1
n=0
while :; do
	what="SIGSTOP at $at"
	start_victim "$W/stop$at.out" "$W/victim" threads 2
	for verb in apply revert; do
		rc=0 pkg=
		[ $verb = revert ] || pkg=$W/fix.hpk
		env LD_PRELOAD="$W/fault.so" FAULT_KIND=ptrace FAULT_AT=$at FAULT_SIGNAL=19 FAULT_PID="$pid" FAULT_COUNT="$W/count" \
			"$hpbuild" $verb --timeout 300 --pid "$pid" ${pkg:+"$pkg"} >"$W/out" 2>"$W/err" || rc=$?
		# a thread that was stopped inside the function does not leave it
		[ "$rc" -eq 0 ] || { [ "$rc" -eq 9 ] && grep -q 'is inside function' "$W/err"; } || fail "$what: $verb: $rc: $(cat "$W/err")"
		last=$(cat "$W/count")
		[ $verb = revert ] || most=$last
		[ "$at" -gt "$last" ] || is_state T
		kill -CONT "$pid"
		is_state '[SR]'
		[ "$rc" -eq 0 ] || "$hpbuild" $verb --pid "$pid" ${pkg:+"$pkg"} >"$W/out"
		[ $verb = revert ] || wait_line "$W/stop$at.out" '^answer 7$' 20
	done
	expect_no_text "$W/stop$at.out" interrupted
	kill -KILL "$pid"
	n=$((n + 1))
	[ "$at" -le "$most" ] || break
	at=$((at + $([ -n "${LONG:-}" ] && echo 1 || echo 5)))
done
[ "$n" -gt 8 ] || fail "only $n points"

# The parent.
cat >"$W/parent.py" <<'P'
import os, subprocess, sys, time
hpbuild, victim, fix = sys.argv[1:]
child = os.fork()
if child == 0:
    os.dup2(2, 1)
    os.execl(victim, "victim", "threads", "3")
time.sleep(0.3)
for _ in range(3):
    subprocess.run([hpbuild, "apply", "--pid", str(child), fix], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([hpbuild, "revert", "--pid", str(child)], check=True, stdout=subprocess.DEVNULL)
seen = os.waitpid(child, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
os.kill(child, 9)
os.waitpid(child, 0)
sys.exit("the parent saw %r" % (seen,) if seen != (0, 0) else 0)
P
python3 "$W/parent.py" "$hpbuild" "$W/victim" "$W/fix.hpk" || fail 'a stop was visible'

# Signals with handlers are neither lost nor doubled, whichever thread is borrowed.
cat >"$W/count.c" <<'C'
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
int answer(void);
static volatile sig_atomic_t got;
static void on(int s) { (void)s; got++; }
int main(void) {
	signal(SIGUSR1, on);
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	for (int last = 0, n = 0;; usleep(2000)) {
		if (got != last || answer() != n)
			printf("got %d answer %d\n", last = got, n = answer());
	}
}
C
"$CC" -O2 -o "$W/count" "$W/count.c" tests/live/answer.c
make_fix "$W/count.hpk" "$W/count" answer 7
start_victim "$W/count.out" "$W/count"
sent=0
for n in 1 2 3 4 5 6 7 8; do
	kill -USR1 "$pid"
	sent=$((sent + 1))
	"$hpbuild" apply --pid "$pid" "$W/count.hpk" >"$W/out"
	kill -USR1 "$pid"
	sent=$((sent + 1))
	"$hpbuild" revert --pid "$pid" >"$W/out"
	wait_line "$W/count.out" "^got $sent " 20
done
at=1
while [ $at -lt 60 ]; do
	for verb in apply revert; do
		pkg=
		[ $verb = revert ] || pkg=$W/count.hpk
		env LD_PRELOAD="$W/fault.so" FAULT_KIND=ptrace FAULT_AT=$at FAULT_SIGNAL=10 FAULT_PID="$pid" FAULT_COUNT="$W/count.n" \
			"$hpbuild" $verb --pid "$pid" ${pkg:+"$pkg"} >"$W/out"
		[ $at -gt "$(cat "$W/count.n")" ] || sent=$((sent + 1))
		wait_line "$W/count.out" "^got $sent " 20
	done
	at=$((at + 4))
done
