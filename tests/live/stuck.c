/* stuck HOW: a thread that cannot be stopped, or a process that shares the memory and is none of the threads.
 *   vfork   another thread waits for its vfork() child, which sleeps      alone  the same in the only thread
 *   share   a child made by clone(CLONE_VM) runs answer(), too
 * Says "child PID", "answer N" when that changes, and "gap MS" when the main thread saw more than 60 ms pass at once. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int answer(void);

static void
child_is(long pid)
{
	printf("child %ld\n", pid);
}

static void *
wait_in_vfork(void *arg)
{
	pid_t child = vfork();

	if (child == 0) {
		char line[40];
		int len = snprintf(line, sizeof(line), "child %d\n", (int)getpid());

		(void)!write(1, line, (size_t)len);
		for (;;)
			(void)pause();
	}
	(void)waitpid(child, NULL, 0);
	return arg;
}

static int
run_answer(void *arg)
{
	(void)arg;
	for (;;) {
		(void)answer();
		(void)usleep(1000);
	}
}

static long
now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int
main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	pthread_t t;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("ready %d\n", (int)getpid());
	if (strcmp(how, "alone") == 0)
		(void)wait_in_vfork(NULL);
	if (strcmp(how, "vfork") == 0 && pthread_create(&t, NULL, wait_in_vfork, NULL) != 0)
		return 1;
	if (strcmp(how, "share") == 0) {
		char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		child_is(clone(run_answer, stack + 65536, CLONE_VM | SIGCHLD, NULL));
	}
	for (long last = -1, then = now_ms();;) {
		long now = answer(), ms = now_ms();

		if (ms - then > 60)
			printf("gap %ld\n", ms - then);
		if (now != last)
			printf("answer %ld\n", now);
		last = now;
		then = ms;
		(void)usleep(500);
	}
}
