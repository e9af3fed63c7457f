/* victim [MODE [ARG]]: prints "ready", then "answer N" whenever answer() returns another number than before. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int answer(void);

static void
say(const char *what, long n)
{
	char line[80];
	int len = snprintf(line, sizeof(line), "%s %ld\n", what, n);

	if (write(1, line, (size_t)len) != len)
		_exit(1);
}

static void
pause_ms(long ms)
{
	struct timespec ts = { 0, ms * 1000000 };

	if (nanosleep(&ts, NULL) != 0)
		say("interrupted nanosleep", errno);
}

static void
watch(void)
{
	for (int last = -1;;) {
		int now = answer();

		if (now != last)
			say("answer", now);
		last = now;
		pause_ms(5);
	}
}

/* Calls back from inside answer's caller for ever: this function never leaves the stack. */
int never_returns(int (*next)(void));

int __attribute__((noinline))
never_returns(int (*next)(void))
{
	watch();
	return next() + 1;
}

static void *
stay_inside(void *arg)
{
	(void)arg;
	(void)never_returns(answer);
	return NULL;
}

static void *
spin(void *arg)
{
	volatile long sum = 0;

	(void)arg;
	for (;;)
		sum += answer();
	return NULL;
}

static void *
short_thread(void *arg)
{
	(void)arg;
	(void)answer();
	return NULL;
}

static void *
storm(void *arg)
{
	(void)arg;
	for (;;) {
		pthread_t t;

		if (pthread_create(&t, NULL, short_thread, NULL) == 0)
			(void)pthread_join(t, NULL);
	}
	return NULL;
}

/* Sleepers: none of these calls may end early, or with EINTR, because of a stop. */
static long
futex_wait(int *word, long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	return syscall(SYS_futex, word, FUTEX_WAIT, *word, &ts, NULL, 0);
}

static void *
sleep_futex(void *arg)
{
	int word = 0;

	(void)arg;
	for (;;)
		if (futex_wait(&word, 300) != 0 && errno != ETIMEDOUT)
			say("interrupted futex", errno);
	return NULL;
}

static void *
sleep_poll(void *arg)
{
	(void)arg;
	for (;;)
		if (poll(NULL, 0, 300) != 0)
			say("interrupted poll", errno);
	return NULL;
}

static void *
sleep_read(void *arg)
{
	int *fds = arg;
	char c;

	for (;;)
		if (read(fds[0], &c, 1) != 1)
			say("interrupted read", errno);
	return NULL;
}

static void *
sleep_long(void *arg)
{
	(void)arg;
	for (;;)
		pause_ms(300);
	return NULL;
}

static void
start(void *(*run)(void *), void *arg)
{
	pthread_t t;

	if (pthread_create(&t, NULL, run, arg) != 0)
		exit(2);
}

/* Filters that allow everything, or kill for what an applier does. */
static void
filter(int kill)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), /* the number of the call */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_create, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_munmap, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, kill ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(code[0]), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) != 0)
		exit(3);
}

int
main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "plain";
	int fds[2], cnt = argc > 2 ? atoi(argv[2]) : 0;
	char c;

	if (pipe(fds) != 0)
		return 1;
	if (strcmp(mode, "threads") == 0)
		for (int i = 0; i < cnt; i++)
			start(i < 2 ? spin : sleep_long, NULL);
	if (strcmp(mode, "inside") == 0)
		for (int i = 0; i < cnt; i++)
			start(stay_inside, NULL);
	if (strcmp(mode, "storm") == 0)
		for (int i = 0; i < cnt; i++)
			start(storm, NULL);
	if (strcmp(mode, "sleepers") == 0) {
		start(sleep_futex, NULL);
		start(sleep_poll, NULL);
		start(sleep_long, NULL);
		start(sleep_read, fds);
	}
	if (strcmp(mode, "seccomp") == 0)
		filter(cnt);
	say("ready", getpid());
	if (strcmp(mode, "inside") == 0)
		return never_returns(answer);
	if (strcmp(mode, "family") == 0) {
		if (read(0, &c, 1) == 1 && fork() == 0)
			say("child", getpid());
		else if (read(0, &c, 1) == 1)
			execl("/proc/self/exe", argv[0], "plain", (char *)NULL);
	}
	watch();
	return 0;
}
