#!/bin/sh
# What was set up before the switch is used after it: a jump buffer and a sigjmp_buf that new code jumps to, cleanup handlers and a thread
# whose cancellation passes new code, a backtrace from a signal handler inside of it, pointers that old code took.
. tests/lib/sh
. tests/lib/live
. tests/lib/swap
can_trace
swap_init

cat >"$W/main.c" <<'C'
#define _GNU_SOURCE
#include <execinfo.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
jmp_buf env;
sigjmp_buf senv;
sem_t go;
long work(long n);
volatile long cleaned, frames;
static long (*volatile kept)(long) = work;
static void on_signal(int sig) {
	void *v[60];
	(void)sig;
	frames = backtrace(v, 60);
}
static void clean(void *p) { cleaned += (long)p; }
/* It sleeps in old code that stays, and is cancelled in new code. */
static void *thread(void *p) {
	pthread_cleanup_push(clean, (void *)1);
	sem_wait(&go);
	work(5);
	pthread_cleanup_pop(0);
	return p;
}
int main(void) {
	char line[100];
	long n, old_frames;
	pthread_t t;
	void *r;
	volatile int round = 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGUSR1, on_signal);
	frames = backtrace((void *[4]){ 0 }, 4); /* loads the unwinder */
	sem_init(&go, 0, 0);
	pthread_create(&t, NULL, thread, NULL);
	if ((n = setjmp(env)) != 0) printf("jumped %ld\n", n);
	if ((n = sigsetjmp(senv, 1)) != 0) printf("sigjumped %ld\n", n);
	if (round++ == 0) puts("ready");
	while (fgets(line, sizeof(line), stdin) && sscanf(line, "%ld", &n) == 1) {
		if (n < 4) printf("work %ld = %ld\n", n, work(n));
		if (n == 4) {
			kept(4);
			old_frames = frames;
			printf("frames %s, pointer %s\n", old_frames > 3 ? "many" : "few", kept == work ? "same" : "other");
		}
		if (n == 6) {
			sem_post(&go);
			usleep(200000);
			pthread_cancel(t);
			pthread_join(t, &r);
			printf("cancelled %d cleaned %ld\n", r == PTHREAD_CANCELED, cleaned);
		}
	}
	return 0;
}
C
cat >"$W/work.c" <<'C'
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <unistd.h>
extern jmp_buf env;
extern sigjmp_buf senv;
extern volatile long cleaned;
static void clean(void *p) { cleaned += (long)p; }
__attribute__((noipa)) long work(long n) {
#ifdef FIX
	if (n == 2) longjmp(env, 22);
	if (n == 3) siglongjmp(senv, 33);
	if (n == 4) raise(SIGUSR1);
	if (n == 5) {
		pthread_cleanup_push(clean, (void *)100);
		for (;;) pause();
		pthread_cleanup_pop(0);
	}
	return n + 100;
#else
	return n + 1;
#endif
}
C
mkdir "$W/orig" "$W/fixed"
for flags in '-O2' '-O0 -fno-omit-frame-pointer'; do
	# shellcheck disable=SC2086 # a list of flags
	{
		gcc -g $flags -fPIC -pthread -c "$W/work.c" -o "$W/orig/work.o"
		gcc -g $flags -fPIC -pthread -DFIX -c "$W/work.c" -o "$W/fixed/work.o"
		gcc -g $flags -pthread -Wl,--build-id -o "$W/prog" "$W/main.c" "$W/orig/work.o"
	}
	module=$W/prog
	swap_pack || fail "$(cat "$W/pack.err")"
	start_prog "$W/prog"
	wait_line "$W/got" '^ready' 20
	echo 1 >&3
	wait_line "$W/got" '^work 1 = 2$' 20
	"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" 2>&1 || fail "$(cat "$W/out")"
	echo 1 >&3
	wait_line "$W/got" '^work 1 = 101$' 20
	echo 2 >&3
	wait_line "$W/got" '^jumped 22$' 20
	echo 3 >&3
	wait_line "$W/got" '^sigjumped 33$' 20
	echo 4 >&3
	wait_line "$W/got" '^frames many, pointer same$' 20
	echo 6 >&3
	wait_line "$W/got" '^cancelled 1 cleaned 101$' 20
	"$hpbuild" revert --pid "$pid" >"$W/out" 2>&1 || fail "$(cat "$W/out")"
	echo 2 >&3
	wait_line "$W/got" '^work 2 = 3$' 20
	exec 3>&-
	wait_gone "$pid" 20
done
