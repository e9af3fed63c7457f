/* Stopping threads: PTRACE_SEIZE and PTRACE_INTERRUPT, so that the target sees no signal and its parent no SIGSTOP, and
 * so that the kernel lets it run on by itself when hpbuild dies.
 *
 * A stop owns its tasks until hp_stop_resume(); the array is allocated before, nothing is allocated while threads are held.
 * Threads of hpbuild: only the one that stopped a task may use it (a rule of ptrace).
 */
#ifndef HP_APPLIER_TRACE_H
#define HP_APPLIER_TRACE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "applier/arch.h"
#include "applier/proc.h"
#include "base/err.h"

enum hp_task_state {
	HP_TASK_SEIZED,  /* traced and told to stop */
	HP_TASK_STOPPED, /* in a ptrace stop, regs are valid */
	HP_TASK_GONE,    /* has ended, or belongs to somebody else */
};

struct hp_task {
	pid_t tid;
	enum hp_task_state state;
	struct hp_arch_regs regs;
};

struct hp_stop {
	struct hp_task *v;
	size_t cnt, cap;
	pid_t *tids;        /* scratch for listing, cap entries */
	sigset_t saved_mask; /* ours, from before SIGCHLD was blocked to wait for it */
	bool has_mask;
	int old_policy; /* scheduling, from before it was raised for the time of the stop */
	bool hurried;
	size_t seen_cnt;    /* tasks that the last listing found; > cap: make it larger and try again */
	uint64_t began_ns;  /* when the first task was told to stop */
	uint64_t pause_ns;  /* from then to the last release, set by hp_stop_resume() */
};

/* hp_stop_init(stop, cap, err): room for ${cap} tasks. */
HP_MUST_CHECK int hp_stop_init(struct hp_stop *stop, size_t cap, struct hp_err *err);
/* hp_stop_release(stop): lets go of tasks that are still held, frees the room. */
void hp_stop_release(struct hp_stop *stop);

/* hp_stop_all(proc, stop, deadline_ns, err): stop every task, until a listing shows no new one.
 * 1 stopped; 0 not enough room or time, all tasks run again, ${err} says why; negative HP_E_BUSY: gone or traced by another. */
HP_MUST_CHECK int hp_stop_all(const struct hp_proc *proc, struct hp_stop *stop, uint64_t deadline_ns, struct hp_err *err);
/* hp_stop_one(proc, stop, tid, deadline_ns, err): the same for one thread, which is then stop->v[0]. Late ones may be behind
 * it. */
HP_MUST_CHECK int hp_stop_one(const struct hp_proc *proc, struct hp_stop *stop, pid_t tid, uint64_t deadline_ns,
                              struct hp_err *err);
/* hp_stop_resume(stop): let every stopped task run as if nothing had been. One that did not stop in time is kept, running and
 * traced, for the next attempt or hp_stop_release(). */
void hp_stop_resume(struct hp_stop *stop);

/* A stopped thread that makes system calls for us (see applier/inject.h). Signals are held back meanwhile. */
struct hp_hold {
	pid_t tid;
	struct hp_arch_regs saved;
	uint64_t saved_mask;
	struct hp_arch_gadgets gadgets;
	struct hp_arch_frame frame; /* va 0: without; then the thread is lost if hpbuild is killed just now */
	struct hp_arch_xstate xstate; /* as found, once a function was called */
	bool dirty;  /* registers differ from what was saved */
	bool masked; /* the signal mask differs */
	bool left_alone; /* a function that was called does not come back: it ends on the frame, without us */
};

/* hp_hold_begin(proc, task, gadgets, stack_lo, ret, err): save registers and signal mask, write the frame to the stack, below
 * what is in use and not below ${stack_lo}. The thread itself is not changed yet; its seccomp filters
 * are suspended until it is let go. HP_E_BUSY; HP_E_UNPATCHABLE: they cannot be. */
HP_MUST_CHECK int hp_hold_begin(const struct hp_proc *proc, const struct hp_task *task, const struct hp_arch_gadgets *gadgets,
                                uint64_t stack_lo, struct hp_hold *ret, struct hp_err *err);
/* hp_hold_call(hold, nr, args, ret, err): make system call ${nr}. ret: its result. HP_E_BUSY: the target died. */
HP_MUST_CHECK int hp_hold_call(struct hp_hold *hold, long nr, const uint64_t args[6], int64_t *ret, struct hp_err *err);
/* hp_hold_func(hold, func_va, args, stack_lo, err): call a function of the target that takes two arguments and returns nothing.
 * The caller has made sure that the thread holds no lock that the function may want. HP_E_BUSY: no frame, no room on the stack
 * above ${stack_lo}, a fault in it, the target died, or it does not come back in time: then it goes on by itself, and the
 * thread continues after it as the frame says. */
HP_MUST_CHECK int hp_hold_func(struct hp_hold *hold, uint64_t func_va, const uint64_t args[2], uint64_t stack_lo,
                               struct hp_err *err);
/* hp_hold_hook(hold, func_va, stack_lo, limit_ns, ret, err): call a function without arguments that returns two words; ret: the
 * second. The same conditions. HP_E_BUSY: no room; HP_E_UNPATCHABLE: a fault in it, or it did not come back in time: it is
 * abandoned where it stands, and hp_hold_end() brings the thread back all the same. */
HP_MUST_CHECK int hp_hold_hook(struct hp_hold *hold, uint64_t func_va, uint64_t stack_lo, uint64_t limit_ns, uint64_t *ret,
                               struct hp_err *err);
/* hp_hold_end(hold, err): bring the thread back to the very stop, registers and mask it was in. HP_E_UNDO when that fails
 * although the thread lives. */
HP_MUST_CHECK int hp_hold_end(struct hp_hold *hold, struct hp_err *err);
/* hp_task_in_rseq(proc, task): inside a restartable sequence, where a change of the program counter goes unnoticed (rseq(2)). */
bool hp_task_in_rseq(const struct hp_proc *proc, const struct hp_task *task);

#endif
