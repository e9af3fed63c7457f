/* waiter KIND|all: the main thread (with "all": one thread each) waits in a system call of that kind for as long as it may;
 * another thread says "answer N" when answer() changes. A wait that ends for no good reason, too early or too late is told.
 * "waiter list" prints the kinds. */
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SHORT_MS 400
#define LATE_MS 5000 /* a call that begins anew waits longer; a busy machine, too */

int answer(void);

static void
say(const char *what, const char *kind, long n)
{
	char line[120];
	int len = snprintf(line, sizeof(line), "%s %s %ld\n", what, kind, n);

	if (write(1, line, (size_t)len) != len)
		_exit(1);
}

static long
now_ms(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
need(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	_exit(2);
}

static int
pipe_end(void)
{
	int fds[2];

	need(pipe(fds) == 0, "pipe");
	return fds[0];
}

static int
listener(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	need(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(sa_family_t)) == 0 && listen(fd, 1) == 0, "listen");
	return fd;
}

static int
slow_socket(void)
{
	struct timeval tv = { 0, SHORT_MS * 1000 };
	int fds[2];

	need(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0, "socketpair");
	need(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0, "SO_RCVTIMEO");
	return fds[0];
}

static int
epoll_fd(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int fd = epoll_create1(0);

	need(fd >= 0 && epoll_ctl(fd, EPOLL_CTL_ADD, pipe_end(), &ev) == 0, "epoll");
	return fd;
}

static struct timespec ms400 = { 0, SHORT_MS * 1000000 };
static sigset_t none, usr2;

static long
wait_clock(void)
{
	long until = now_ms(CLOCK_MONOTONIC) + SHORT_MS;
	struct timespec ts = { until / 1000, until % 1000 * 1000000 };

	return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static long
wait_cond(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
	long until = now_ms(CLOCK_REALTIME) + SHORT_MS;
	struct timespec ts = { until / 1000, until % 1000 * 1000000 };
	int r;

	(void)pthread_mutex_lock(&lock);
	r = pthread_cond_timedwait(&cond, &lock, &ts);
	(void)pthread_mutex_unlock(&lock);
	errno = r;
	return -1;
}

static long
wait_futex(struct timespec *ts)
{
	static int word;

	return syscall(SYS_futex, &word, FUTEX_WAIT, 0, ts, NULL, 0);
}

static long
wait_sem(struct timespec *ts)
{
	static int id = -1;
	struct sembuf op = { 0, -1, 0 };

	if (id < 0) {
		id = semget(IPC_PRIVATE, 1, 0600);
		need(id >= 0, "semget");
	}
	return ts != NULL ? semtimedop(id, &op, 1, ts) : semop(id, &op, 1);
}

static long
wait_msg(void)
{
	struct {
		long type;
		char text[8];
	} m;
	int id = msgget(IPC_PRIVATE, 0600);

	need(id >= 0, "msgget");
	return msgrcv(id, &m, sizeof(m.text), 0, 0);
}

static long
wait_child(void)
{
	pid_t child = fork();

	if (child == 0) {
		(void)sleep(300);
		_exit(0);
	}
	say("child", "", child);
	return waitpid(child, NULL, 0);
}

static long
wait_lock(void)
{
	char name[] = "/tmp/waiter.XXXXXX";
	int a = mkstemp(name), b = open(name, O_RDWR);

	(void)unlink(name);
	need(a >= 0 && b >= 0 && flock(a, LOCK_EX) == 0, "flock");
	return flock(b, LOCK_EX);
}

/* One wait of each kind: what the call returns. */
struct kind {
	const char *name;
	int ends; /* 0: never; else the errno (or -1: returns 0) with which it ends after SHORT_MS */
};

static const struct kind kinds[] = {
	{ "read", 0 },         { "accept", 0 },       { "recv_timeout", EAGAIN }, { "poll", 0 },        { "poll_timeout", -1 },
	{ "ppoll", 0 },        { "select", 0 },       { "select_timeout", -1 },   { "pselect", 0 },     { "epoll", 0 },
	{ "epoll_timeout", -1 }, { "epoll_pwait", 0 }, { "nanosleep", -1 },       { "clock_nanosleep", -1 }, { "futex", 0 },
	{ "futex_timeout", ETIMEDOUT }, { "cond", ETIMEDOUT }, { "sigsuspend", 0 }, { "pause", 0 },     { "sigwaitinfo", 0 },
	{ "sigtimedwait", EAGAIN }, { "semop", 0 },   { "semtimedop", EAGAIN },   { "msgrcv", 0 },      { "waitpid", 0 },
	{ "flock", 0 },
};

static long
wait_once(const char *k)
{
	static int fds[3] = { -1, -1, -1 };
	struct epoll_event ev;
	struct timeval tv = { 0, SHORT_MS * 1000 };
	struct pollfd pfd = { .fd = -1 };
	char c;

#define IS(name) (strcmp(k, name) == 0)
	if (IS("read")) return read(pipe_end(), &c, 1);
	if (IS("accept")) return accept(listener(), NULL, NULL);
	if (IS("recv_timeout")) return recv(fds[0] >= 0 ? fds[0] : (fds[0] = slow_socket()), &c, 1, 0);
	if (IS("poll")) return poll(&pfd, 1, -1);
	if (IS("poll_timeout")) return poll(&pfd, 1, SHORT_MS);
	if (IS("ppoll")) return ppoll(&pfd, 1, NULL, &none);
	if (IS("select")) return select(0, NULL, NULL, NULL, NULL);
	if (IS("select_timeout")) return select(0, NULL, NULL, NULL, &tv);
	if (IS("pselect")) return pselect(0, NULL, NULL, NULL, NULL, &none);
	if (IS("epoll")) return epoll_wait(epoll_fd(), &ev, 1, -1);
	if (IS("epoll_timeout")) return epoll_wait(fds[1] >= 0 ? fds[1] : (fds[1] = epoll_fd()), &ev, 1, SHORT_MS);
	if (IS("epoll_pwait")) return epoll_pwait(epoll_fd(), &ev, 1, -1, &none);
	if (IS("nanosleep")) return nanosleep(&ms400, NULL);
	if (IS("clock_nanosleep")) return wait_clock();
	if (IS("futex")) return wait_futex(NULL);
	if (IS("futex_timeout")) return wait_futex(&ms400);
	if (IS("cond")) return wait_cond();
	if (IS("sigsuspend")) return sigsuspend(&none);
	if (IS("pause")) return pause();
	if (IS("sigwaitinfo")) return sigwaitinfo(&usr2, NULL);
	if (IS("sigtimedwait")) return sigtimedwait(&usr2, NULL, &ms400);
	if (IS("semop")) return wait_sem(NULL);
	if (IS("semtimedop")) return wait_sem(&ms400);
	if (IS("msgrcv")) return wait_msg();
	if (IS("waitpid")) return wait_child();
	return wait_lock();
}

static void *
wait_on(void *arg)
{
	const struct kind *k = arg;

	for (;;) {
		long began = now_ms(CLOCK_MONOTONIC), r, took;

		errno = 0;
		r = wait_once(k->name);
		took = now_ms(CLOCK_MONOTONIC) - began;
		if (k->ends == 0 || (k->ends > 0 ? r != -1 || errno != k->ends : r != 0))
			say("interrupted", k->name, r == -1 ? errno : -r);
		else if (took < SHORT_MS - 2)
			say("interrupted early", k->name, took);
		else if (took > LATE_MS)
			say("interrupted late", k->name, took);
	}
	return NULL;
}

static void *
watch(void *arg)
{
	(void)arg;
	for (int last = -1;;) {
		int now = answer();

		if (now != last)
			say("answer", "is", now);
		last = now;
		(void)usleep(3000);
	}
	return NULL;
}

static void
start(void *(*run)(void *), const void *arg)
{
	pthread_t t;

	need(pthread_create(&t, NULL, run, (void *)arg) == 0, "pthread_create");
}

int
main(int argc, char **argv)
{
	const char *want = argc > 1 ? argv[1] : "all";
	size_t cnt = sizeof(kinds) / sizeof(kinds[0]);
	const struct kind *mine = NULL;

	(void)sigemptyset(&none);
	(void)sigemptyset(&usr2);
	(void)sigaddset(&usr2, SIGUSR2);
	(void)pthread_sigmask(SIG_BLOCK, &usr2, NULL);
	for (size_t i = 0; i < cnt; i++) {
		if (strcmp(want, "list") == 0)
			(void)printf("%s\n", kinds[i].name);
		if (strcmp(want, kinds[i].name) == 0)
			mine = &kinds[i];
		if (strcmp(want, "all") == 0)
			start(wait_on, &kinds[i]);
	}
	if (strcmp(want, "list") == 0)
		return 0;
	say("ready", "", getpid());
	if (mine == NULL)
		return watch(NULL) != NULL;
	start(watch, NULL);
	return wait_on((void *)mine) != NULL;
}
