#include "applier/inject.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/le.h"

#define CODE_LEN ((size_t)262144) /* bytes of code that are searched at a time */
#define CODE_OVERLAP 16u
#define TIDS_MAX 512u                /* threads that are tried for borrowing */
#define TRY_NS 50000000u             /* how long one thread is waited for */
#define ROUND_NS 2000000             /* between two rounds over all threads */

/* In pieces that overlap by the longest sequence. True when everything is found. */
static bool
search_area(const struct hp_proc *proc, const struct hp_area *a, uint8_t *buf, struct hp_arch_gadgets *g)
{
	for (uint64_t va = a->start; va < a->end; va += CODE_LEN - CODE_OVERLAP) {
		size_t len = a->end - va < CODE_LEN ? (size_t)(a->end - va) : CODE_LEN;

		if (hp_proc_read(proc, va, buf, len, NULL) < 0)
			return false;
		if (hp_arch_find_gadgets(hp_view_of(buf, len), va, g))
			return true;
	}
	return false;
}

/* The vDSO first: it has the instruction that enters the kernel and is nobody's to change. Then any code. */
static int
find_gadgets(const struct hp_proc *proc, const struct hp_areas *areas, struct hp_arch_gadgets *ret, struct hp_err *err)
{
	uint8_t *buf = malloc(CODE_LEN);
	bool all = false;

	if (buf == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	for (size_t i = 0; i < areas->cnt; i++)
		if (strcmp(areas->v[i].path, "[vdso]") == 0)
			all = search_area(proc, &areas->v[i], buf, ret);
	for (size_t i = 0; i < areas->cnt && !all; i++)
		if ((areas->v[i].prot & (PROT_EXEC | PROT_WRITE | PROT_READ)) == (PROT_EXEC | PROT_READ))
			all = search_area(proc, &areas->v[i], buf, ret);
	free(buf);
	if (ret->syscall_va == 0 && !hp_proc_exists(proc))
		return hp_err_set(err, HP_E_BUSY, "process %d (%s) is gone", proc->pid, proc->comm);
	if (ret->syscall_va == 0)
		return hp_err_set(err, HP_E_UNPATCHABLE, "process %d (%s): no system call instruction in its code", proc->pid,
		                  proc->comm);
	return 0;
}

/* Lowest address of the stack that the thread stands on, UINT64_MAX = not known: the stack of a signal handler, coroutine or
 * goroutine may lie in the middle of a mapping, with other data of the program right below. The main thread's has a name; those
 * that a threads library makes have the thread's control block on top, whose first word is its own address (psABI, thread-local
 * storage). */
static uint64_t
own_stack_lo(const struct hp_proc *proc, const struct hp_areas *areas, const struct hp_task *task)
{
	uint64_t sp = hp_arch_sp(&task->regs), tp = hp_arch_thread_ptr(&task->regs);
	const struct hp_area *a = hp_area_at(areas, sp);
	uint8_t word[8];

	if (a == NULL)
		return UINT64_MAX;
	if (strcmp(a->path, "[stack]") == 0)
		return a->start;
	if (tp < sp || tp >= a->end || hp_proc_read(proc, tp, word, sizeof(word), NULL) < 0 || hp_le64_get(word) != tp)
		return UINT64_MAX;
	return a->start;
}

/* One thread: stopped and good enough? 1 yes, 0 no, negative failed. ${any_stack}: it need not stand on its own. */
static int
try_thread(struct hp_borrow *b, pid_t tid, const struct hp_areas *areas, const struct hp_borrow_want *want, bool any_stack,
           struct hp_err *err)
{
	int r = hp_stop_one(b->proc, &b->stop, tid, hp_now_ns() + TRY_NS, err);

	if (r <= 0)
		return r;
	b->stack_lo = own_stack_lo(b->proc, areas, &b->stop.v[0]);
	if (!hp_task_in_rseq(b->proc, &b->stop.v[0]) && (any_stack || b->stack_lo != UINT64_MAX) &&
	    (want == NULL || want->accept(want->arg, &b->stop.v[0])))
		return 1;
	hp_stop_resume(&b->stop);
	if (b->stop.pause_ns > b->time_ns)
		b->time_ns = b->stop.pause_ns;
	return 0;
}

/* The main thread, then the others, again and again. One inside a restartable sequence is left alone; one that does not stand on
 * its own stack only makes system calls, which need none, and only when no other one is found. */
static int
pick(struct hp_borrow *b, const struct hp_areas *areas, const struct hp_borrow_want *want, uint64_t deadline_ns,
     struct hp_err *err)
{
	struct timespec ts = { 0, ROUND_NS };
	pid_t tids[TIDS_MAX];

	for (unsigned round = 0;; round++) {
		size_t cnt;
		int r = hp_proc_tasks(b->proc, tids, TIDS_MAX, &cnt, err);

		for (size_t i = 0; r == 0 && i < cnt && i < TIDS_MAX; i++) {
			r = try_thread(b, tids[i], areas, want, want == NULL && round > 0, err);
			if (r > 0)
				return 0;
			if (hp_now_ns() > deadline_ns)
				break;
			if (r < 0 && i + 1 < cnt)
				r = 0;
		}
		if (r < 0)
			return r;
		if (hp_now_ns() > deadline_ns)
			break;
		(void)nanosleep(&ts, NULL);
	}
	return hp_err_set(err, HP_E_BUSY, "process %d (%s): no thread could be borrowed in time%s", b->proc->pid, b->proc->comm,
	                  want != NULL ? " that is proven outside of allocator, dynamic linker and unwinder" : "");
}

int
hp_borrow_begin(const struct hp_proc *proc, const struct hp_areas *areas, const struct hp_borrow_want *want, uint64_t deadline_ns,
                struct hp_borrow *ret, struct hp_err *err)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	ret->proc = proc;
	r = find_gadgets(proc, areas, &ret->gadgets, err);
	if (r == 0)
		r = hp_stop_init(&ret->stop, TIDS_MAX, err);
	if (r < 0)
		return r;
	r = pick(ret, areas, want, deadline_ns, err);
	if (r == 0 && !hp_proc_has_memory(proc)) /* what stands still runs another program by now */
		r = hp_err_set(err, HP_E_BUSY, "process %d (%s) ended meanwhile", proc->pid, proc->comm);
	if (r == 0)
		r = hp_hold_begin(proc, &ret->stop.v[0], &ret->gadgets, ret->stack_lo, &ret->hold, err);
	if (r < 0)
		hp_stop_release(&ret->stop);
	return r;
}

int
hp_borrow_end(struct hp_borrow *b, struct hp_err *err)
{
	int r = hp_hold_end(&b->hold, err);

	hp_stop_resume(&b->stop);
	if (b->stop.pause_ns > b->time_ns)
		b->time_ns = b->stop.pause_ns;
	hp_stop_release(&b->stop);
	return r;
}

static int
call(struct hp_borrow *b, long nr, const uint64_t args[6], int64_t *ret, struct hp_err *err)
{
	return hp_hold_call(&b->hold, nr, args, ret, err);
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

int
hp_remote_func(struct hp_borrow *b, uint64_t func_va, const uint64_t args[2], struct hp_err *err)
{
	return hp_hold_func(&b->hold, func_va, args, b->stack_lo, err);
}

int
hp_remote_hook(struct hp_borrow *b, uint64_t func_va, uint64_t limit_ns, uint64_t *ret, struct hp_err *err)
{
	return hp_hold_hook(&b->hold, func_va, b->stack_lo, limit_ns, ret, err);
}

void
hp_remote_exit(struct hp_borrow *b, int status)
{
	const uint64_t args[6] = { (uint64_t)status };
	int64_t never;

	(void)call(b, SYS_exit_group, args, &never, NULL);
}
