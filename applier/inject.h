/* System calls in the target, made by one of its threads that is borrowed for a moment.
 *
 * hp_borrow_begin() picks and stops a thread, hp_borrow_end() gives it back with every register as it was; in between the
 * thread makes the calls below and nothing else of the target's code runs in it. Signals wait meanwhile. All other threads run
 * on.
 */
#ifndef HP_APPLIER_INJECT_H
#define HP_APPLIER_INJECT_H

#include "applier/proc.h"
#include "applier/trace.h"

struct hp_borrow {
	const struct hp_proc *proc;
	struct hp_stop stop;
	struct hp_hold hold;
	struct hp_arch_gadgets gadgets;
	uint64_t stack_lo;   /* lowest address of the thread's own stack, UINT64_MAX = it stands on another, left alone */
	uint64_t time_ns;    /* how long the thread was away, set by hp_borrow_end(); or one that was not accepted, if longer */
};

/* Which thread is good enough: NULL = any. */
struct hp_borrow_want {
	bool (*accept)(void *arg, const struct hp_task *task);
	void *arg;
};

/* hp_borrow_begin(proc, areas, want, deadline_ns, ret, err): HP_E_BUSY: no thread could be stopped, or none was accepted;
 * HP_E_UNPATCHABLE: no system call instruction. */
HP_MUST_CHECK int hp_borrow_begin(const struct hp_proc *proc, const struct hp_areas *areas, const struct hp_borrow_want *want,
                                  uint64_t deadline_ns, struct hp_borrow *ret, struct hp_err *err);
/* hp_borrow_end(b, err): also after a failed call. */
HP_MUST_CHECK int hp_borrow_end(struct hp_borrow *b, struct hp_err *err);

/* Calls. ret: what the kernel returned, a value or a negative errno; the function itself fails only when the thread is lost. */
HP_MUST_CHECK int hp_remote_mmap(struct hp_borrow *b, uint64_t va, uint64_t len, int prot, int flags, int fd, int64_t *ret,
                                 struct hp_err *err);
HP_MUST_CHECK int hp_remote_munmap(struct hp_borrow *b, uint64_t va, uint64_t len, int64_t *ret, struct hp_err *err);
HP_MUST_CHECK int hp_remote_memfd(struct hp_borrow *b, uint64_t name_va, unsigned flags, int64_t *ret, struct hp_err *err);
HP_MUST_CHECK int hp_remote_close(struct hp_borrow *b, int fd, int64_t *ret, struct hp_err *err);
/* hp_remote_func(b, func_va, args, err): a function of the target, see hp_hold_func(). */
HP_MUST_CHECK int hp_remote_func(struct hp_borrow *b, uint64_t func_va, const uint64_t args[2], struct hp_err *err);
/* hp_remote_hook(b, func_va, limit_ns, ret, err): likewise, see hp_hold_hook(). */
HP_MUST_CHECK int hp_remote_hook(struct hp_borrow *b, uint64_t func_va, uint64_t limit_ns, uint64_t *ret, struct hp_err *err);
/* hp_remote_exit(b, status): the process ends. */
void hp_remote_exit(struct hp_borrow *b, int status);

#endif
