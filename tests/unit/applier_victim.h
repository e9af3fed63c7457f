/* For the applier's unit tests: functions of known bytes, a verified package made by hand, and forked children to apply it to. */
#ifndef TESTS_UNIT_APPLIER_VICTIM_H
#define TESTS_UNIT_APPLIER_VICTIM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
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
#include "applier/arch.h"
#include "formats/hash.h"
#include "formats/verified.h"

#define FUNC_LEN 16u

/* The function that is replaced: machine code of our own, so that its size is known. mov $1, %eax; ret; int3... */
__attribute__((used)) int victim_answer(void);
__asm__(".text\n.balign 16\n.globl victim_answer\n.type victim_answer,@function\nvictim_answer:\n"
        ".cfi_startproc\nmov $1, %eax\nret\n.fill 10, 1, 0x90\n.cfi_endproc\n.size victim_answer, 16\n");
/* One that stays on the stack: calls through rdi and returns. sub $8,%rsp; call *%rdi; add $8,%rsp; ret */
__attribute__((used)) int victim_outer(int (*)(void));
__asm__(".text\n.balign 16\n.globl victim_outer\n.type victim_outer,@function\nvictim_outer:\n"
        ".cfi_startproc\nsub $8, %rsp\n.cfi_adjust_cfa_offset 8\ncall *%rdi\nadd $8, %rsp\n.cfi_adjust_cfa_offset -8\nret\nnop\n"
        ".cfi_endproc\n.fill 4,1,0x90\n.size victim_outer, 16\n");

struct fake {
	struct hp_verified_pkg pkg;
	struct hp_manifest man;
	struct hp_man_target target;
	struct hp_man_func func;
	struct hp_payload payload;
	struct hp_buf fixups;
	uint8_t image[0x4000];
};

struct victim {
	pid_t pid;
	int in, out; /* a byte in asks, a byte out answers */
};

static int
find_self(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct fake *f = arg;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		const uint8_t *p = (const uint8_t *)(info->dlpi_addr + ph->p_vaddr);

		if (ph->p_type != PT_NOTE)
			continue;
		for (uint64_t pos = 0; pos + 16 <= ph->p_memsz;) {
			uint32_t name_len = hp_le32_get(p + pos), desc_len = hp_le32_get(p + pos + 4);

			if (hp_le32_get(p + pos + 8) == NT_GNU_BUILD_ID) {
				f->target.build_id_len = desc_len;
				memcpy(f->target.build_id, p + pos + 12 + 4, desc_len);
			}
			pos += 12 + ((name_len + 3) & ~3u) + ((desc_len + 3) & ~3u);
		}
	}
	f->func.address -= info->dlpi_addr;
	return 1; /* the first is the program */
}

static void
put_load(uint8_t *p, uint32_t flags, uint64_t va, uint64_t file_len, uint64_t mem_len)
{
	hp_le32_put(p, PT_LOAD);
	hp_le32_put(p + 4, flags);
	hp_le64_put(p + 8, va);
	hp_le64_put(p + 16, va);
	hp_le64_put(p + 32, file_len);
	hp_le64_put(p + 40, mem_len);
	hp_le64_put(p + 48, 4096);
}

/* New body: mov $2, %eax; add counter(%rip), %eax; ret, with a PC32 fixup to a variable of the payload. */
static void
make_fake(struct fake *f, int (*func)(void), const char *name, uint8_t id)
{
	static const uint8_t ident[] = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT };
	static const uint8_t code[] = { 0xb8, 2, 0, 0, 0, 0x03, 0x05, 0, 0, 0, 0, 0xc3 };
	struct hp_fixup fix = { 0x1007, HP_FORM_PC32, HP_KIND_PAYLOAD, 0, HP_FIXUP_NO_IMPORT, 0x3000, -4 };

	memset(f, 0, sizeof(*f));
	memcpy(f->image, ident, sizeof(ident));
	hp_le16_put(f->image + 16, ET_DYN);
	hp_le16_put(f->image + 18, EM_X86_64);
	hp_le64_put(f->image + 32, 64);
	hp_le16_put(f->image + 54, 56);
	hp_le16_put(f->image + 56, 3);
	put_load(f->image + 64, PF_R | PF_X, 0x1000, sizeof(code), sizeof(code));
	put_load(f->image + 64 + 56, PF_R, 0x2000, 8, 8);
	put_load(f->image + 64 + 112, PF_R | PF_W, 0x3000, 4, 0x1010);
	memcpy(f->image + 0x1000, code, sizeof(code));
	f->image[0x3000] = 5;
	assert_int_equal(hp_fixup_add(&f->fixups, &fix, NULL), 0);
	f->payload = (struct hp_payload){ hp_view_of(f->image, sizeof(f->image)), hp_buf_view(&f->fixups) };
	f->func = (struct hp_man_func){ .name = name, .address = (uint64_t)(uintptr_t)func, .size = FUNC_LEN, .payload = 0x1000 };
	hp_hash_256(hp_view_of((const void *)(uintptr_t)func, FUNC_LEN), f->func.preimage);
	(void)dl_iterate_phdr(find_self, f);
	f->func.entry = f->func.address;
	f->target.name = "self";
	f->target.cpu = HP_ARCH_NAME;
	f->target.kind = HP_MAN_PIE;
	f->target.image_len = 0x5000;
	f->target.funcs = &f->func;
	f->target.funcs_cnt = 1;
	f->man.targets = &f->target;
	f->man.targets_cnt = 1;
	f->pkg.pkg.man = &f->man;
	f->pkg.pkg.payloads = &f->payload;
	memset(f->pkg.pkg.id, id, HP_PKG_ID_LEN);
	assert_int_equal(hp_buf_add(&f->pkg.file, "the package file", 16, NULL), 0);
}

static void
drop_fake(struct fake *f)
{
	hp_buf_release(&f->fixups);
	hp_buf_release(&f->pkg.file);
}

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

enum victim_kind { PLAIN, INSIDE, THREADS, SECCOMP, SLEEPER, NO_ROOM };

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
	if (write(arg_out, &ready, 1) != 1)
		_exit(7);
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
		r = apply ? hp_live_apply(live, &f->pkg, &opts, report, &err) : hp_live_revert(live, &f->pkg, &opts, report, &err);
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
