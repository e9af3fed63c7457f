#!/bin/sh
# Threads in hot functions: all see the new code after apply, the old after revert, and never a mixture; one that never leaves a
# changed function is named, and the process is unharmed.
. tests/lib/sh
. tests/lib/live
. tests/lib/swap
can_trace
swap_init
S='-ffunction-sections -fdata-sections'

# Four threads call hot() all the time. A value that neither build gives counts as wrong; "since 0" starts to count anew.
scenario since <<'C'
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>
static atomic_long olds, news, wrong, rounds[4];
static atomic_int stay = 1, inside;
APART static long part(long n) {
#ifdef FIX
	return n * 3 + 7;
#else
	return n * 2 + 9;
#endif
}
APART static long hot(long n) {
#ifdef FIX
	return part(n) * 1000 + part(n + 1);
#else
	return part(n) * 100 + part(n + 1) + 5000000;
#endif
}
APART static long parked(long n) {
	inside = 1;
	while (stay)
		usleep(1000);
	inside = 0;
#ifdef FIX
	return n + 1000;
#else
	return n + 1;
#endif
}
static void *run(void *p) {
	for (long i = 0;; i = (i + 1) % 1000) {
		long r = hot(i);
		if (r == (i * 2 + 9) * 100 + (i + 1) * 2 + 9 + 5000000)
			olds++;
		else if (r == (i * 3 + 7) * 1000 + (i + 1) * 3 + 7)
			news++;
		else
			wrong++;
		rounds[(long)p]++;
		for (volatile int k = 0; k < 3000; k++)
			;
	}
	return NULL;
}
static void *park(void *p) { parked(1); return NULL; }
long since(long n) {
	static int started;
	pthread_t t;
	long from[4], done;
	if (!started) {
		started = 1;
		for (long i = 0; i < 4; i++)
			pthread_create(&t, NULL, run, (void *)i);
	}
	if (n == 1) {
		pthread_create(&t, NULL, park, NULL);
		while (!inside)
			usleep(100);
		return 1;
	}
	if (n == 2) {
		stay = 0;
		while (inside)
			usleep(100);
		stay = 1;
		return 2;
	}
	for (int again = 0; again < 2; again++) {
		olds = news = 0;
		for (int i = 0; i < 4; i++)
			from[i] = rounds[i];
		do {
			usleep(100);
			done = 1;
			for (int i = 0; i < 4; i++)
				done &= rounds[i] > from[i] + 2;
		} while (!done);
	}
	return (olds > 0) + (news > 0) * 10 + wrong * 100;
}
C

# answer N: the next answer to "since N".
answer() {
	echo "since $1" >&3
	n=$((n + 1))
	left=400
	until [ "$(grep -c . "$W/got")" -ge "$n" ]; do
		left=$((left - 1))
		[ $left -gt 0 ] || fail "$what: no answer"
		sleep 0.02
	done
	got=$(sed -n "${n}s/.*= //p" "$W/got")
	[ "$got" = "$2" ] || fail "$what: since $1: $got instead of $2"
}

for mode in pie shared; do
	swap_build gcc "-O2 $S" "$mode" '' || fail "$(cat "$W/build.err")"
	swap_pack || fail "$(cat "$W/pack.err")"
	start_prog
	n=0
	answer 0 1
	answer 1 1
	maps=$(wc -l <"/proc/$pid/maps")
	expect_exit 9 "$hpbuild" apply --timeout 1500 --pid "$pid" "$W/fix.hpk" >"$W/out" 2>"$W/err"
	# The message names one thread that is in the way; on a busy machine that can also be a hot one.
	expect_text "$W/err" "is inside function '(parked|hot|part)'"
	[ "$(wc -l <"/proc/$pid/maps")" -eq "$maps" ] || fail 'mappings left behind'
	grep -q '^TracerPid:.0$' "/proc/$pid/status" || fail 'still traced'
	answer 0 1
	for round in 1 2 3; do
		"$hpbuild" apply --allow-active parked --pid "$pid" "$W/fix.hpk" >"$W/out" 2>&1 || fail "$what: $(cat "$W/out")"
		answer 0 10
		[ $round -ne 1 ] || answer 2 2
		"$hpbuild" revert --pid "$pid" >"$W/out" 2>&1 || fail "$what: $(cat "$W/out")"
		answer 0 1
	done
	exec 3>&-
	kill -KILL "$pid"
	wait_gone "$pid" 20
done
