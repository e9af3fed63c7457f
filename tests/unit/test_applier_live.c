/* Apply and revert on forked children of this test, with a payload made by hand. */
#include "tests/unit/applier_victim.h"

static void
test_cycle(void **state)
{
	struct victim v = start(PLAIN, 0);
	struct hp_live_report rep;
	struct fake f;
	char why[1000];

	(void)state;
	make_fake(&f, victim_answer, "victim_answer", 1);
	assert_int_equal(ask(&v), 1);
	expect_ok(run(&v, &f, true, 3000, &rep, why), why);
	assert_false(rep.already);
	assert_int_equal(ask(&v), 7);
	assert_int_equal(recorded(&v), HP_REC_APPLIED);
	expect_ok(run(&v, &f, true, 3000, &rep, why), why);
	assert_true(rep.already);
	expect_ok(run(&v, &f, false, 3000, &rep, why), why);
	assert_int_equal(ask(&v), 1);
	assert_int_equal(recorded(&v), HP_REC_REVERTED);
	expect_ok(run(&v, &f, false, 3000, &rep, why), why);
	assert_true(rep.already);
	for (int i = 0; i < 50; i++) {
		expect_ok(run(&v, &f, true, 3000, &rep, why), why);
		assert_true(rep.reused);
		assert_int_equal(ask(&v), 7);
		expect_ok(run(&v, &f, false, 3000, &rep, why), why);
		assert_int_equal(ask(&v), 1);
	}
	print_message("pause %llu us, borrow %llu us\n", (unsigned long long)rep.pause_ns / 1000,
	              (unsigned long long)rep.borrow_ns / 1000);
	stop(&v);
	drop_fake(&f);
}

static size_t
count_maps(const struct victim *v)
{
	char path[64], line[512];
	size_t cnt = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/maps", v->pid);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		cnt++;
	(void)fclose(f);
	return cnt;
}

static void
test_active_function(void **state)
{
	struct victim v = start(INSIDE, 0);
	struct hp_live_report rep;
	size_t maps = count_maps(&v);
	struct fake f;
	char why[1000];

	(void)state;
	make_fake(&f, (int (*)(void))(uintptr_t)victim_outer, "victim_outer", 2);
	assert_int_equal(ask(&v), 1); /* an answer comes from inside */
	assert_int_equal(run(&v, &f, true, 100, &rep, why), HP_E_BUSY);
	assert_non_null(strstr(why, "is inside function 'victim_outer'"));
	assert_non_null(strstr(why, "serve_inside < victim_outer < "));
	assert_true(rep.attempts > 2);
	assert_int_equal(count_maps(&v), maps);
	assert_int_equal(recorded(&v), 0);
	assert_int_equal(ask(&v), 1);
	arg_allow[0] = "victim_outer";
	expect_ok(run(&v, &f, true, 3000, &rep, why), why);
	arg_allow[0] = NULL;
	assert_int_equal(ask(&v), 1);
	expect_ok(run(&v, &f, false, 3000, &rep, why), why);
	stop(&v);
	drop_fake(&f);
}

static void
test_threads(void **state)
{
	static const int cnts[] = { 3, 16, 99 };
	struct hp_live_report rep;
	struct fake f;
	char why[1000];

	(void)state;
	make_fake(&f, victim_answer, "victim_answer", 3);
	for (size_t i = 0; i < sizeof(cnts) / sizeof(cnts[0]); i++) {
		struct victim v = start(THREADS, cnts[i]);
		uint64_t best = UINT64_MAX, borrow = 0;

		for (int k = 0; k < 20; k++) {
			expect_ok(run(&v, &f, true, 10000, &rep, why), why);
			assert_int_equal(rep.threads_cnt, cnts[i] + 1);
			assert_int_equal(ask(&v), 7);
			best = rep.pause_ns < best ? rep.pause_ns : best;
			borrow = rep.borrow_ns > borrow ? rep.borrow_ns : borrow;
			expect_ok(run(&v, &f, false, 10000, &rep, why), why);
			assert_int_equal(ask(&v), 1);
		}
		print_message("%d threads: shortest pause %llu us, borrow %llu us\n", cnts[i] + 1,
		              (unsigned long long)best / 1000,
		              (unsigned long long)borrow / 1000);
		stop(&v);
	}
	drop_fake(&f);
}

static void
test_seccomp(void **state)
{
	struct victim v = start(SECCOMP, 0);
	struct hp_live_report rep;
	struct fake f;
	char why[1000];

	(void)state;
	make_fake(&f, victim_answer, "victim_answer", 4);
	if (run(&v, &f, true, 1000, &rep, why) == 0) { /* with CAP_SYS_ADMIN it is suspended */
		assert_int_equal(ask(&v), 7);
		expect_ok(run(&v, &f, false, 1000, &rep, why), why);
	} else {
		assert_non_null(strstr(why, "seccomp"));
	}
	assert_int_equal(ask(&v), 1);
	stop(&v);
	drop_fake(&f);
}

static void
test_no_room(void **state)
{
	struct victim v = start(NO_ROOM, 0);
	struct hp_live_report rep;
	struct fake f;
	char why[1000];

	(void)state;
	make_fake(&f, victim_answer, "victim_answer", 5);
	assert_int_equal(run(&v, &f, true, 1000, &rep, why), HP_E_UNPATCHABLE);
	assert_non_null(strstr(why, "cannot map"));
	assert_int_equal(ask(&v), 1);
	stop(&v);
	drop_fake(&f);
}

/* A sleep that is interrupted by the stop, and by a borrowed thread, goes on as if nothing had been. */
static void
test_sleep(void **state)
{
	struct victim v = start(SLEEPER, 0);
	struct hp_live_report rep;
	struct fake f;
	char why[1000];

	(void)state;
	for (uint8_t id = 10; id < 20; id++) {
		make_fake(&f, victim_answer, "victim_answer", id);
		expect_ok(run(&v, &f, true, 3000, &rep, why), why);
		assert_int_equal(rep.borrows, 1);
		expect_ok(run(&v, &f, false, 3000, &rep, why), why);
		drop_fake(&f);
		if (id % 3 == 0)
			assert_int_equal(next_byte(&v), 'k');
	}
	assert_int_equal(next_byte(&v), 'k');
	stop(&v);
}

static void
test_traced(void **state)
{
	struct victim v = start(PLAIN, 0);
	struct hp_live_report rep;
	struct fake f;
	char why[1000], c;
	int ready[2];
	pid_t tracer;

	(void)state;
	make_fake(&f, victim_answer, "victim_answer", 6);
	assert_int_equal(pipe(ready), 0);
	tracer = fork();
	if (tracer == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (ptrace(PTRACE_SEIZE, v.pid, NULL, NULL) != 0 || write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			(void)pause();
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(run(&v, &f, true, 1000, &rep, why), HP_E_BUSY);
	assert_non_null(strstr(why, "is traced by process"));
	(void)kill(tracer, SIGKILL);
	(void)waitpid(tracer, NULL, 0);
	assert_int_equal(ask(&v), 1);
	(void)close(ready[0]);
	(void)close(ready[1]);
	stop(&v);
	drop_fake(&f);
}

static void
poke(const struct victim *v, uint64_t va, uint8_t byte)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/mem", v->pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)va), 1);
	(void)close(fd);
}

static void
test_foreign_bytes(void **state)
{
	struct victim v = start(PLAIN, 0);
	uint64_t va = (uint64_t)(uintptr_t)victim_answer;
	struct hp_live_report rep;
	struct fake f;
	char why[1000];

	(void)state;
	make_fake(&f, victim_answer, "victim_answer", 7);
	poke(&v, va + 7, 0xcc);
	assert_int_equal(run(&v, &f, true, 1000, &rep, why), HP_E_BUSY);
	assert_non_null(strstr(why, "'victim_answer'"));
	assert_non_null(strstr(why, "breakpoint at offset 7"));
	poke(&v, va + 7, 0x90);
	expect_ok(run(&v, &f, true, 1000, &rep, why), why);
	poke(&v, va, 0xcc);
	assert_int_equal(run(&v, &f, true, 1000, &rep, why), HP_E_BUSY);
	assert_int_equal(run(&v, &f, false, 1000, &rep, why), HP_E_BUSY);
	assert_non_null(strstr(why, "'victim_answer'"));
	stop(&v);
	drop_fake(&f);
}

static void
test_wrong_build(void **state)
{
	struct victim v = start(PLAIN, 0);
	struct hp_live_report rep;
	struct fake f;
	char why[1000];

	(void)state;
	make_fake(&f, victim_answer, "victim_answer", 8);
	f.func.preimage[0] ^= 1;
	assert_int_equal(run(&v, &f, true, 1000, &rep, why), HP_E_BASELINE);
	f.func.preimage[0] ^= 1;
	f.target.build_id[0] ^= 1;
	assert_int_equal(run(&v, &f, true, 1000, &rep, why), HP_E_BASELINE);
	f.target.build_id[0] ^= 1;
	f.target.cpu = "riscv64";
	assert_int_equal(run(&v, &f, true, 1000, &rep, why), HP_E_UNPATCHABLE);
	f.target.cpu = HP_ARCH_NAME;
	f.func.entry += FUNC_LEN - 4;
	assert_int_equal(run(&v, &f, true, 1000, &rep, why), HP_E_UNPATCHABLE);
	f.func.entry -= FUNC_LEN - 4;
	f.func.size = UINT64_MAX - 3;
	assert_int_equal(run(&v, &f, true, 1000, &rep, why), HP_E_BASELINE);
	f.func.size = FUNC_LEN;
	assert_int_equal(run(&v, &f, false, 1000, &rep, why), HP_E_NOTHING);
	assert_int_equal(ask(&v), 1);
	stop(&v);
	drop_fake(&f);
}

static void
try_fixup(const struct victim *v, struct hp_fixup fix, int want)
{
	struct hp_live_report rep;
	struct fake f;
	char why[1000];

	make_fake(&f, victim_answer, "victim_answer", 9);
	assert_int_equal(hp_fixup_add(&f.fixups, &fix, NULL), 0);
	f.payload.fixups = hp_buf_view(&f.fixups);
	assert_int_equal(run(v, &f, true, 1000, &rep, why), want);
	if (want == 0)
		expect_ok(run(v, &f, false, 1000, &rep, why), why);
	drop_fake(&f);
}

static void
test_fixups(void **state)
{
	struct victim v = start(PLAIN, 0);

	(void)state;
	try_fixup(&v, (struct hp_fixup){ 0x3010, HP_FORM_ABS32, HP_KIND_MODULE, 0, HP_FIXUP_NO_IMPORT, 0, 0 }, HP_E_UNPATCHABLE);
	try_fixup(&v, (struct hp_fixup){ 0x3010, HP_FORM_ABS32, HP_KIND_PAYLOAD, 0, HP_FIXUP_NO_IMPORT, 0, 0 }, HP_E_UNPATCHABLE);
	try_fixup(&v, (struct hp_fixup){ 0x3010, HP_FORM_PC32, HP_KIND_MODULE, 0, HP_FIXUP_NO_IMPORT, 0, INT64_MAX },
	          HP_E_UNPATCHABLE);
	try_fixup(&v, (struct hp_fixup){ 0x3010, HP_FORM_ABS64, HP_KIND_SLOT, 0, HP_FIXUP_NO_IMPORT, UINT64_MAX / 2, 0 },
	          HP_E_BUSY);
	try_fixup(&v, (struct hp_fixup){ 0x3010, HP_FORM_ABS64, HP_KIND_TLS_OFF, 0, HP_FIXUP_NO_IMPORT, 0, 0 }, HP_E_UNPATCHABLE);
	try_fixup(&v, (struct hp_fixup){ 0x3010, HP_FORM_ABS64, HP_KIND_IMPORT, 0, 0, 0, 0 }, HP_E_UNPATCHABLE);
	try_fixup(&v, (struct hp_fixup){ 0x3010, HP_FORM_PC32, HP_KIND_MODULE, 0, HP_FIXUP_NO_IMPORT, 0, 0 }, 0);
	assert_int_equal(ask(&v), 1);
	stop(&v);
}

/* Two packages for one function: the second does not name the first, so it is refused by name. */
static void
test_conflict(void **state)
{
	struct victim v = start(PLAIN, 0);
	struct hp_live_report rep;
	struct fake a, b;
	char why[1000];

	(void)state;
	make_fake(&a, victim_answer, "victim_answer", 30);
	make_fake(&b, victim_answer, "victim_answer", 31);
	b.image[0x3000] = 9;
	expect_ok(run(&v, &a, true, 1000, &rep, why), why);
	assert_int_equal(run(&v, &b, true, 1000, &rep, why), HP_E_BUSY);
	assert_non_null(strstr(why, "belongs to package"));
	assert_int_equal(ask(&v), 7);
	b.man.cumulative = true; /* but nobody can verify what it would replace */
	assert_int_equal(run(&v, &b, true, 1000, &rep, why), HP_E_SIG);
	assert_int_equal(ask(&v), 7);
	expect_ok(run(&v, &a, true, 1000, &rep, why), why);
	assert_true(rep.already);
	expect_ok(run(&v, &a, false, 1000, &rep, why), why);
	assert_int_equal(ask(&v), 1);
	expect_ok(run(&v, &b, true, 1000, &rep, why), why);
	assert_int_equal(ask(&v), 11);
	stop(&v);
	drop_fake(&a);
	drop_fake(&b);
}

/* Words on the stack that look like return addresses into the function: the unwinder knows better. */
static void
test_stale_words(void **state)
{
	struct victim v = start(STALE, 0);
	struct hp_live_report rep;
	struct fake f;
	char why[1000];

	(void)state;
	make_fake(&f, victim_answer, "victim_answer", 50);
	expect_ok(run(&v, &f, true, 5000, &rep, why), why);
	assert_in_range(rep.attempts, 1, 2); /* 1: stopped before it had left the words there */
	assert_int_equal(ask(&v), 7);
	stop(&v);
	drop_fake(&f);
}

/* A process stopped by a signal is patched as well, and is still stopped afterwards. */
static void
test_stopped(void **state)
{
	struct victim v = start(THREADS, 3);
	struct hp_live_report rep;
	struct fake f;
	char why[1000];
	int status;

	(void)state;
	make_fake(&f, victim_answer, "victim_answer", 51);
	for (int tries = 0;; tries++) {
		assert_int_equal(kill(v.pid, SIGSTOP), 0);
		assert_int_equal(waitpid(v.pid, &status, WUNTRACED), v.pid);
		if (run(&v, &f, true, 100, &rep, why) == 0)
			break;
		/* A thread was caught inside of the very function, where it stays as long as the process is stopped. */
		assert_non_null(strstr(why, "is inside function"));
		assert_true(tries < 50);
		assert_int_equal(kill(v.pid, SIGCONT), 0);
	}
	assert_int_equal(write(v.in, "?", 1), 1);
	assert_int_equal(poll(&(struct pollfd){ v.out, POLLIN, 0 }, 1, 200), 0);
	assert_int_equal(kill(v.pid, SIGCONT), 0);
	assert_int_equal(next_byte(&v), 7);
	stop(&v);
	drop_fake(&f);
}

/* The thread that waits for a vfork child cannot be stopped: refused in time, and it goes on when the child ends. */
static void
test_vfork(void **state)
{
	struct victim v = start(VFORK, 0);
	struct hp_live_report rep;
	size_t maps = count_maps(&v);
	struct fake f;
	char why[1000];

	(void)state;
	make_fake(&f, victim_answer, "victim_answer", 52);
	if (run(&v, &f, true, 300, &rep, why) != HP_E_BUSY)
		fail_msg("%s", why);
	assert_int_equal(count_maps(&v), maps);
	stop(&v);
	drop_fake(&f);
}

static void
die_at(void *arg, enum hp_step step)
{
	if (step == *(enum hp_step *)arg)
		(void)raise(SIGKILL);
}

/* hpbuild is killed at each step of an apply and of a revert: the process lives, its record is true, the next command
 * finishes. */
static void
test_killed(void **state)
{
	struct hp_live_report rep;
	struct fake f;
	char why[1000];

	(void)state;
	for (enum hp_step step = HP_STEP_PLANNED; step <= HP_STEP_SWITCHED; step++)
		for (int way = 0; way < 4; way++) {
			struct victim v = start(THREADS, 3);
			bool kill_revert = way & 1, then_apply = way & 2;
			int status;
			pid_t pid;

			make_fake(&f, victim_answer, "victim_answer", 40);
			if (kill_revert)
				expect_ok(run(&v, &f, true, 5000, &rep, why), why);
			pid = fork();
			if (pid == 0) {
				arg_step = die_at;
				arg_step_arg = &step;
				(void)run(&v, &f, !kill_revert, 5000, &rep, why);
				_exit(0);
			}
			assert_int_equal(waitpid(pid, &status, 0), pid);
			status = ask(&v);
			assert_true(status == 1 || status == 7);
			if (recorded(&v) == HP_REC_APPLIED)
				assert_int_equal(status, 7);
			if (recorded(&v) < HP_REC_SWITCHING || recorded(&v) == HP_REC_REVERTED)
				assert_int_equal(status, 1);
			if (then_apply) {
				expect_ok(run(&v, &f, true, 5000, &rep, why), why);
				assert_int_equal(ask(&v), 7);
				assert_int_equal(recorded(&v), HP_REC_APPLIED);
			} else {
				int r = run(&v, &f, false, 5000, &rep, why);

				assert_true(r == 0 || r == HP_E_NOTHING);
				assert_int_equal(ask(&v), 1);
			}
			stop(&v);
			drop_fake(&f);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cycle),
		cmocka_unit_test(test_active_function),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_seccomp),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_sleep),
		cmocka_unit_test(test_traced),
		cmocka_unit_test(test_foreign_bytes),
		cmocka_unit_test(test_wrong_build),
		cmocka_unit_test(test_fixups),
		cmocka_unit_test(test_conflict),
		cmocka_unit_test(test_stale_words),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_vfork),
		cmocka_unit_test(test_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
