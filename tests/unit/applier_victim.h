/* For the applier's unit tests: forked children, and packages applied to them. */
#ifndef TESTS_UNIT_APPLIER_VICTIM_H
#define TESTS_UNIT_APPLIER_VICTIM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "applier/applier.h"
#include "tests/unit/applier_fake.h"

struct victim {
	pid_t pid;
	int in, out; /* a byte in asks, a byte out answers */
};

static int
serve(int in, int out)
{
	char c;

	while (read(in, &c, 1) == 1) {
		c = (char)victim_answer();
		if (write(out, &c, 1) != 1)
			break;
	}
	return 0;
}

static int arg_in, arg_out;

static int
serve_inside(void)
{
	return serve(arg_in, arg_out);
}

enum victim_kind { PLAIN, INSIDE, THREADS, SECCOMP, SLEEPER, NO_ROOM, STALE, VFORK };

static void *
sit(void *arg)
{
	struct timespec ts = { 3600, 0 };

	(void)arg;
	for (;;)
		(void)nanosleep(&ts, NULL);
	return NULL;
}

static void *
spin(void *arg)
{
	volatile int *n = arg;

	for (;;)
		*n = *n + victim_answer();
	return NULL;
}

/* Sleeps long and tells whether the sleep was cut short. */
static void *
sleeper(void *arg)
{
	struct timespec ts = { 0, 300000000 };
	char c;

	(void)arg;
	for (;;) {
		c = nanosleep(&ts, NULL) == 0 ? 'k' : 'E';
		if (write(arg_out, &c, 1) != 1)
			_exit(1);
	}
	return NULL;
}

static int
serve_stale(void)
{
	volatile uint64_t words[8];

	for (unsigned i = 0; i < 8; i++)
		words[i] = (uint64_t)(uintptr_t)victim_answer + 5;
	return serve(arg_in, arg_out) + (words[3] == 0);
}

/* The child has our memory and keeps us waiting until it is killed. */
static int
wait_for_child(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (write(arg_out, "r", 1) == 1)
			for (;;)
				(void)pause();
		_exit(1);
	}
	return pid < 0;
}

static void __attribute__((noreturn))
victim_main(enum victim_kind kind, int arg)
{
	static int sum;
	struct rlimit lim = { 0, 0 };
	pthread_t t;
	char ready = 'r';

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; kind == THREADS && i < arg; i++)
		if (pthread_create(&t, NULL, i < 2 ? spin : sit, &sum) != 0)
			_exit(3);
	if (kind == SECCOMP && prctl(PR_SET_SECCOMP, 1) != 0)
		_exit(4);
	if (kind == SLEEPER && pthread_create(&t, NULL, sleeper, NULL) != 0)
		_exit(5);
	if (kind == NO_ROOM && setrlimit(RLIMIT_AS, &lim) != 0)
		_exit(6);
	if (kind == VFORK)
		_exit(wait_for_child());
	if (write(arg_out, &ready, 1) != 1)
		_exit(7);
	if (kind == STALE)
		_exit(serve_stale());
	_exit(kind == INSIDE ? victim_outer(serve_inside) : serve(arg_in, arg_out));
}

static char
next_byte(const struct victim *v)
{
	struct pollfd p = { v->out, POLLIN, 0 };
	char c = 0;

	assert_int_equal(poll(&p, 1, 20000), 1);
	assert_int_equal(read(v->out, &c, 1), 1);
	return c;
}

static struct victim
start(enum victim_kind kind, int arg)
{
	struct victim v;
	int to[2], from[2];

	assert_int_equal(pipe(to), 0);
	assert_int_equal(pipe(from), 0);
	v.pid = fork();
	assert_true(v.pid >= 0);
	if (v.pid == 0) {
		(void)close(to[1]);
		(void)close(from[0]);
		arg_in = to[0];
		arg_out = from[1];
		victim_main(kind, arg);
	}
	(void)close(to[0]);
	(void)close(from[1]);
	v.in = to[1];
	v.out = from[0];
	assert_int_equal(next_byte(&v), 'r');
	return v;
}

static int
ask(const struct victim *v)
{
	assert_int_equal(write(v->in, "?", 1), 1);
	return next_byte(v);
}

static void
stop(struct victim *v)
{
	(void)kill(v->pid, SIGKILL);
	assert_int_equal(waitpid(v->pid, NULL, 0), v->pid);
	(void)close(v->in);
	(void)close(v->out);
}

/* Set by a test for the next run(). */
static const char *arg_allow[1];
static void (*arg_step)(void *arg, enum hp_step step);
static void *arg_step_arg;

static int
run(const struct victim *v, const struct fake *f, bool apply, uint64_t timeout_ms, struct hp_live_report *report, char *why)
{
	struct hp_live_opts opts = {
		.timeout_ns = timeout_ms * 1000000,
		.allow = arg_allow,
		.allow_cnt = arg_allow[0] != NULL,
		.on_step = arg_step,
		.on_step_arg = arg_step_arg,
	};
	struct hp_live *live = NULL;
	struct hp_err err = { 0 };
	int r;

	why[0] = '\0';
	r = hp_live_open(v->pid, &live, &err);
	if (r == 0)
		r = apply ? hp_live_apply(live, &f->pkg, &opts, report, &err) : hp_live_revert(live, &f->pkg, &opts, report,
		                                                                               &err);
	if (r < 0)
		hp_err_format(&err, why, 1000);
	hp_live_close(live);
	return r;
}

static enum hp_rec_state
recorded(const struct victim *v)
{
	const struct hp_recs *recs;
	enum hp_rec_state state = 0;
	struct hp_live *live;

	assert_int_equal(hp_live_open(v->pid, &live, NULL), 0);
	assert_int_equal(hp_live_records(live, &recs, NULL), 0);
	assert_int_equal(recs->bad_cnt, 0);
	if (recs->cnt > 0)
		state = recs->v[recs->cnt - 1].state;
	hp_live_close(live);
	return state;
}

#define expect_ok(r, why) \
	do { \
		int r_ = (r); \
		if (r_ < 0) \
			fail_msg("%s", why); \
	} while (0)

#endif
