#!/bin/sh
# Unwinding through patched frames: backtrace(), cancellation and pthread_exit, a debugger.
. tests/lib/sh
. tests/lib/live
. tests/lib/swap
can_trace
swap_init
S='-ffunction-sections -fdata-sections'

# backtrace() must see the callers above the patched frame, for a frame with and without a frame pointer.
scenario trace <<'C'
#define _GNU_SOURCE
#include <execinfo.h>
#include <string.h>
APART static long depth(void) {
	void *v[40];
	return backtrace(v, 40);
}
APART static long frames(long n) {
	volatile char pad[300];
	memset((char *)pad, (int)n, sizeof(pad));
#ifdef FIX
	return depth() * 10 + pad[299] * 2 + 1000;
#else
	return depth() * 10 + pad[299];
#endif
}
APART static long outer(long n) { return frames(n) + 1; }
long trace(long n) { return outer(n) * 2; }
C

scenario cancel <<'C'
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>
static long cleaned;
static sem_t ready;
static void clean(void *p) { cleaned += (long)p; }
APART static void sleeper(long n) {
#ifdef FIX
	pthread_cleanup_push(clean, (void *)(n * 1000 + 3));
#else
	pthread_cleanup_push(clean, (void *)(n * 100 + 1));
#endif
	sem_post(&ready);
	for (;;)
		pause();
	pthread_cleanup_pop(0);
}
APART static void leaver(long n) {
#ifdef FIX
	pthread_cleanup_push(clean, (void *)(n + 50000));
#else
	pthread_cleanup_push(clean, (void *)(n + 20000));
#endif
	pthread_exit((void *)n);
	pthread_cleanup_pop(0);
}
static void *run(void *p) {
	pthread_cleanup_push(clean, (void *)7);
	if ((long)p == 1)
		leaver(1);
	else
		sleeper((long)p);
	pthread_cleanup_pop(0);
	return NULL;
}
long cancel(long n) {
	pthread_t t;
	void *r;
	cleaned = 0;
	sem_init(&ready, 0, 0);
	pthread_create(&t, NULL, run, (void *)n);
	if (n != 1) {
		sem_wait(&ready);
		pthread_cancel(t);
	}
	pthread_join(t, &r);
	return cleaned * 10 + (r == PTHREAD_CANCELED);
}
C
swap gcc "-O2 $S" pie ''
swap gcc "-O2 $S -fomit-frame-pointer" exec ''
swap gcc "-O0 $S" shared ''
swap gcc "-O2 $S -fexceptions" pie ''
swap gcc "-O2 $S" static ''
if command -v clang >/dev/null; then swap clang "-O2 $S" pie ''; fi
forget

# gdb sees the callers of a patched frame with what 'status --gdb' prints; without it, it still attaches and detaches in peace.
scenario wait <<'C'
#include <unistd.h>
#include <stdio.h>
volatile int stay;
APART static long inner(long n) {
#ifdef FIX
	n += 1000;
#endif
	if (n % 1000 == 2)
		for (stay = 1; stay;)
			usleep(1000);
	return n * 3;
}
APART static long outer(long n) { return inner(n) + 1; }
long wait(long n) { return outer(n); }
C
swap_build gcc "-O2 $S" pie ''
swap_pack || fail "$(cat "$W/pack.err")"
if command -v gdb >/dev/null; then
	start_prog
	echo 'wait 1' >&3
	wait_line "$W/got" '^wait 1 = 4$' 20
	"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" 2>&1 || fail "$(cat "$W/out")"
	echo 'wait 1' >&3
	wait_line "$W/got" '^wait 1 = 3004$' 20
	echo 'wait 2' >&3
	until [ "$(sed -n 's/^syscr: //p' "/proc/$pid/io")" ] && grep -q '^State:.S' "/proc/$pid/status"; do sleep 0.02; done
	gdb -q -nx -batch -p "$pid" -ex 'bt' -ex 'print stay' -ex 'set var stay = 0' >"$W/gdb" 2>&1 || :
	wait_line "$W/got" '^wait 2 = 3007$' 20
	"$hpbuild" revert --pid "$pid" >"$W/out" 2>&1 || fail "$(cat "$W/out")"
	echo 'wait 1' >&3
	wait_line "$W/got" '^wait 1 = 4$' 20
	grep -q '^State:.S' "/proc/$pid/status" || fail 'stopped after gdb'
	exec 3>&-
	wait_gone "$pid" 20
fi
echo "$swap_cases cases"
