#include "applier/inject.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define CODE_LEN_MAX ((size_t)65536) /* bytes of one mapping that are searched for a system call instruction */
#define TIDS_MAX 512u                /* threads that are tried for borrowing */
#define TRY_NS 50000000u             /* how long one thread is waited for */

static bool
search_area(const struct hp_proc *proc, const struct hp_area *a, uint64_t *ret_va)
{
	uint8_t code[CODE_LEN_MAX];
	uint64_t len = a->end - a->start, off;

	if (len > sizeof(code))
		len = sizeof(code);
	if (hp_proc_read(proc, a->start, code, (size_t)len, NULL) < 0 || !hp_arch_find_syscall(hp_view_of(code, (size_t)len), &off))
		return false;
	*ret_va = a->start + off;
	return true;
}

/* The vDSO has the instruction and is nobody's to change; without one (vdso=0), any code will do. */
static bool
find_syscall(const struct hp_proc *proc, const struct hp_areas *areas, uint64_t *ret_va)
{
	for (size_t i = 0; i < areas->cnt; i++)
		if (strcmp(areas->v[i].path, "[vdso]") == 0 && search_area(proc, &areas->v[i], ret_va))
			return true;
	for (size_t i = 0; i < areas->cnt; i++)
		if ((areas->v[i].prot & (PROT_EXEC | PROT_WRITE)) == PROT_EXEC && search_area(proc, &areas->v[i], ret_va))
			return true;
	return false;
}

/* Threads at rest first: the main thread, then the others. One inside a restartable sequence is left alone. */
static int
pick(struct hp_borrow *b, uint64_t deadline_ns, struct hp_err *err)
{
	pid_t tids[TIDS_MAX];
	size_t cnt;
	int r = hp_proc_tasks(b->proc, tids, TIDS_MAX, &cnt, err);

	if (r < 0)
		return r;
	if (cnt > TIDS_MAX)
		cnt = TIDS_MAX;
	for (size_t i = 0;; i = (i + 1) % cnt) {
		r = hp_stop_one(b->proc, &b->stop, tids[i], hp_now_ns() + TRY_NS, err);
		if (r < 0 && (i + 1 == cnt || hp_now_ns() > deadline_ns))
			return r;
		if (r > 0) {
			if (!hp_task_in_rseq(b->proc, &b->stop.v[0]))
				return 0;
			hp_stop_resume(&b->stop);
		}
		if (hp_now_ns() > deadline_ns)
			return hp_err_set(err, HP_E_BUSY, "process %d (%s): no thread could be borrowed in time", b->proc->pid,
			                  b->proc->comm);
	}
}

int
hp_borrow_begin(const struct hp_proc *proc, const struct hp_areas *areas, uint64_t deadline_ns, struct hp_borrow *ret,
                struct hp_err *err)
{
	struct hp_borrow b = { .proc = proc };
	int r;

	if (!find_syscall(proc, areas, &b.syscall_va))
		return hp_err_set(err, HP_E_UNPATCHABLE, "process %d (%s): no system call instruction in its code", proc->pid,
		                  proc->comm);
	r = hp_stop_init(&b.stop, 1, err);
	if (r < 0)
		return r;
	r = pick(&b, deadline_ns, err);
	if (r == 0)
		r = hp_hold_begin(&b.stop.v[0], &b.hold, err);
	if (r < 0) {
		hp_stop_release(&b.stop);
		return r;
	}
	*ret = b;
	return 0;
}

int
hp_borrow_end(struct hp_borrow *b, struct hp_err *err)
{
	int r = hp_hold_end(&b->hold, err);

	hp_stop_resume(&b->stop);
	b->time_ns = b->stop.pause_ns;
	hp_stop_release(&b->stop);
	return r;
}

static int
call(struct hp_borrow *b, long nr, const uint64_t args[6], int64_t *ret, struct hp_err *err)
{
	struct hp_arch_regs regs;

	hp_arch_call_setup(&b->hold.saved, b->syscall_va, nr, args, &regs);
	return hp_hold_call(&b->hold, &regs, ret, err);
}

int
hp_remote_mmap(struct hp_borrow *b, uint64_t va, uint64_t len, int prot, int flags, int fd, int64_t *ret, struct hp_err *err)
{
	const uint64_t args[6] = { va, len, (uint64_t)prot, (uint64_t)flags, (uint64_t)(int64_t)fd, 0 };

	return call(b, SYS_mmap, args, ret, err);
}

int
hp_remote_munmap(struct hp_borrow *b, uint64_t va, uint64_t len, int64_t *ret, struct hp_err *err)
{
	const uint64_t args[6] = { va, len };

	return call(b, SYS_munmap, args, ret, err);
}

int
hp_remote_mprotect(struct hp_borrow *b, uint64_t va, uint64_t len, int prot, int64_t *ret, struct hp_err *err)
{
	const uint64_t args[6] = { va, len, (uint64_t)prot };

	return call(b, SYS_mprotect, args, ret, err);
}

int
hp_remote_memfd(struct hp_borrow *b, uint64_t name_va, unsigned flags, int64_t *ret, struct hp_err *err)
{
	const uint64_t args[6] = { name_va, flags };

	return call(b, SYS_memfd_create, args, ret, err);
}

int
hp_remote_close(struct hp_borrow *b, int fd, int64_t *ret, struct hp_err *err)
{
	const uint64_t args[6] = { (uint64_t)fd };

	return call(b, SYS_close, args, ret, err);
}
