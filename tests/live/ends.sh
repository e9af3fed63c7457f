#!/bin/sh
# The process ends, is killed, or becomes another program by exec, before any call of ptrace that apply or revert makes: no hang, no
# wrong exit status, no word of undoing; what exec started runs and can be patched.
. tests/lib/sh
. tests/lib/live
can_trace
case $B in *-san*) skip "sanitizers want to be loaded first" ;; esac
build_tools
"$CC" -D_GNU_SOURCE -O1 -fPIC -shared -o "$W/fault.so" tests/live/fault-preload.c
cat >"$W/ender.c" <<'C'
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
int answer(void);
static void leave(int s) {
	if (s == SIGUSR2) _exit(3);
	execl("/proc/self/exe", "ender", (char *)NULL);
}
static void *idle(void *arg) {
	for (;;) usleep(3000);
	return arg;
}
int main(void) {
	sigset_t none;
	pthread_t t;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGUSR1, leave);
	signal(SIGUSR2, leave);
	for (int i = 0; i < 3; i++) pthread_create(&t, NULL, idle, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("ready\n");
	for (int last = -1;; usleep(2000)) {
		int now = answer();
		if (now != last) printf("answer %d\n", now);
		last = now;
	}
}
C
"$CC" -O2 -pthread -w -o "$W/ender" "$W/ender.c" tests/live/answer.c
make_fix "$W/fix.hpk" "$W/ender" answer 7

n=0
# ends SIGNAL STEP
ends() {
	for verb in apply revert; do
		at=1
		while :; do
			what="signal $1 at $at of $verb"
			n=$((n + 1))
			start_victim "$W/$n.out" "$W/ender"
			pkg=
			if [ $verb = apply ]; then
				pkg=$W/fix.hpk
			else
				"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" 2>&1 || fail "$what: $(cat "$W/out")"
			fi
			rc=0
			timeout 20 env LD_PRELOAD="$W/fault.so" FAULT_KIND=ptrace FAULT_AT=$at FAULT_SIGNAL="$1" FAULT_PID="$pid" \
				FAULT_COUNT="$W/count" "$hpbuild" $verb --timeout 500 --pid "$pid" ${pkg:+"$pkg"} >"$W/out" 2>"$W/err" || rc=$?
			case $rc in 0 | 9) ;; *) fail "$what: exit status $rc: $(cat "$W/out" "$W/err")" ;; esac
			[ $rc -eq 0 ] || expect_text "$W/err" .
			if [ "$1" -eq 10 ]; then
				[ $at -gt "$(cat "$W/count")" ] || {
					wait_two "$W/$n.out"
					"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" 2>&1 || fail "$what: afterwards: $(cat "$W/out")"
					wait_line "$W/$n.out" '^answer 7$' 20
				}
				kill -KILL "$pid"
			fi
			if [ $at -gt "$(cat "$W/count")" ]; then
				kill -KILL "$pid" 2>/dev/null || :
				break
			fi
			wait_gone "$pid" 10
			at=$((at + $2))
		done
	done
}
wait_two() { # FILE: two programs have begun
	left=200
	until [ "$(grep -c '^ready' "$1")" -eq 2 ]; do
		left=$((left - 1))
		[ $left -gt 0 ] || fail "$what: $(cat "$1"): $(grep -E '^(State|TracerPid)' "/proc/$pid/status")"
		sleep 0.05
	done
}
[ -n "${LONG:-}" ] && step=1 || step=7
ends 9 $step
ends 12 $step
ends 10 $step
echo "$n points"
