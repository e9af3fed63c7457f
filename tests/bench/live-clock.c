/* live-clock THREADS: the victim of the benchmark. One real-time thread looks at the clock without pause and knows the longest
 * gap; the others sleep and wake, two of them compute. A line on the standard input asks for the longest gap since the last line,
 * in ns. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int answer(void);

static _Atomic long gap_ns;

static long
now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000L + ts.tv_nsec;
}

/* The only thread of a program with one: it also answers, when there is something on the standard input. */
static void
watch(long until_ns)
{
	for (long last = now_ns(); last < until_ns;) {
		long now = now_ns();

		if (now - last > atomic_load(&gap_ns))
			atomic_store(&gap_ns, now - last);
		last = now;
	}
}

static void *
sleeper(void *arg)
{
	struct timespec ts = { 0, 10000000 };

	(void)arg;
	for (;;) {
		(void)nanosleep(&ts, NULL);
		(void)answer();
	}
	return NULL;
}

int
main(int argc, char **argv)
{
	int threads = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 1;
	struct sched_param param = { .sched_priority = 1 };
	char line[64];

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 1; i < threads; i++) {
		pthread_t t;

		if (pthread_create(&t, NULL, sleeper, NULL) != 0)
			return 1;
	}
	(void)sched_setscheduler(0, SCHED_RR, &param);
	printf("ready %d\n", (int)getpid());
	/* "watch MS": look at the clock for so long, then say the longest gap and what answer() returns */
	while (fgets(line, sizeof(line), stdin) != NULL) {
		atomic_store(&gap_ns, 0);
		printf("watching\n");
		watch(now_ns() + strtol(line, NULL, 10) * 1000000);
		printf("gap %ld answer %d\n", atomic_load(&gap_ns), answer());
	}
	return 0;
}
