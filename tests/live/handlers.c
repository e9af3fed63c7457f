/* handlers: threads that are in a signal handler most of the time, on their own stack and on an alternate one, over calls that
 * begin again (SA_RESTART) and calls that do not. Lines on the standard input: "alt" makes a thread stay in stay() inside a
 * handler on its alternate stack, "leave" lets it go. Says "answer N" when that changes, and whatever is wrong. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int answer(void);
long stay(long n);

static atomic_int staying, leaving;
static atomic_long sent[2], seen[2];

long __attribute__((noinline))
stay(long n)
{
	staying = 1;
	while (!leaving)
		(void)usleep(1000);
	staying = 0;
	return n + 1;
}

static void
nap(long ms)
{
	struct timespec ts = { 0, ms * 1000000 };

	while (nanosleep(&ts, &ts) != 0 && errno == EINTR)
		;
}

static void
on_signal(int s)
{
	if (s == SIGALRM)
		(void)stay(1);
	else
		nap(4);
	if (answer() == 0)
		(void)!write(1, "zero\n", 5);
}

struct reader {
	int fds[2], restart;
	pthread_t thread;
};

static void *
run(void *arg)
{
	struct reader *r = arg;
	stack_t ss = { .ss_sp = malloc(65536), .ss_size = 65536 };
	char c;

	(void)sigaltstack(&ss, NULL);
	for (;;) {
		errno = 0;
		if (read(r->fds[0], &c, 1) == 1)
			continue;
		if (errno != EINTR || r->restart)
			printf("wrong: read with restart %d: %s\n", r->restart, strerror(errno));
		seen[r->restart]++;
	}
	return NULL;
}

/* One signal after the other; each must end the call that does not begin again, and only a signal may. */
static void *
send_signals(void *arg)
{
	struct reader *r = arg;

	for (;;) {
		long before = seen[0];

		(void)pthread_kill(r[0].thread, SIGUSR1);
		(void)pthread_kill(r[1].thread, SIGUSR2);
		for (int i = 0; i < 2000 && seen[0] == before; i++)
			(void)usleep(1000);
		if (seen[0] != before + 1)
			printf("wrong: %ld interrupted calls for one signal\n", seen[0] - before);
		sent[0]++;
		(void)usleep(1000);
	}
	return NULL;
}

static void *
watch(void *arg)
{
	for (int last = -1;; (void)usleep(2000)) {
		int now = answer();

		if (now != last)
			printf("answer %d\n", now);
		last = now;
	}
	return arg;
}

int
main(void)
{
	static struct reader readers[3];
	static const int sig[3] = { SIGUSR1, SIGUSR2, SIGALRM };
	char line[40];
	pthread_t t;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 0; i < 3; i++) {
		struct sigaction sa = { .sa_handler = on_signal,
			                .sa_flags = (i > 0 ? SA_RESTART : 0) | (i > 0 ? SA_ONSTACK : 0) };

		readers[i].restart = i > 0;
		if (sigaction(sig[i], &sa, NULL) != 0 || pipe(readers[i].fds) != 0 ||
		    pthread_create(&readers[i].thread, NULL, run, &readers[i]) != 0)
			return 1;
	}
	(void)usleep(20000);
	if (pthread_create(&t, NULL, send_signals, readers) != 0 || pthread_create(&t, NULL, watch, NULL) != 0)
		return 1;
	printf("ready\n");
	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (strcmp(line, "alt\n") == 0) {
			leaving = 0;
			(void)pthread_kill(readers[2].thread, SIGALRM);
		}
		if (strcmp(line, "leave\n") == 0)
			leaving = 1;
		while (staying == leaving)
			(void)usleep(1000);
		printf("done %s", line);
	}
	return 0;
}
