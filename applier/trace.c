#include "applier/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/le.h"

#define SPIN_ROUNDS 2u          /* looks without waiting, at all threads */
#define SPIN_ROUNDS_ONE 30u     /* at a single one, which is back within microseconds when it has a processor of its own */
#define NAP_NS 2000000          /* at most, when no signal comes */
#define LATE_LIMIT_NS 500000000u  /* for threads that did not stop in time */
#define HOLD_LIMIT_NS 1000000000u /* one injected call; they do not block */
#define FUNC_STACK_LEN 32768u     /* for a called function */
#define STEPS_MAX 64u             /* stops and continuations of the process during one of ours */
#define FUNC_STOPS_MAX 4096u      /* system calls in it, twice */

int
hp_stop_init(struct hp_stop *stop, size_t cap, struct hp_err *err)
{
	sigset_t chld;

	*stop = (struct hp_stop){ .cap = cap };
	stop->v = calloc(cap, sizeof(*stop->v));
	stop->tids = calloc(cap, sizeof(*stop->tids));
	if (stop->v == NULL || stop->tids == NULL) {
		hp_stop_release(stop);
		return hp_err_set(err, HP_E_NOMEM, "no memory for %zu threads", cap);
	}
	(void)sigemptyset(&chld);
	(void)sigaddset(&chld, SIGCHLD);
	stop->has_mask = pthread_sigmask(SIG_BLOCK, &chld, &stop->saved_mask) == 0;
	return 0;
}

/* A tracee that stops sends SIGCHLD, which is blocked: wait for it. A few looks without waiting come first, they are faster. */
static void
nap(unsigned round, unsigned spins)
{
	struct timespec ts = { 0, NAP_NS };
	sigset_t chld;

	if (round < spins)
		return;
	(void)sigemptyset(&chld);
	(void)sigaddset(&chld, SIGCHLD);
	(void)sigtimedwait(&chld, NULL, &ts);
}

/* One look at a task that was told to stop. True when it has settled (stopped or gone). */
static bool
settle(struct hp_task *t)
{
	int status;
	pid_t r = waitpid(t->tid, &status, __WALL | WNOHANG);

	if (r == 0)
		return false;
	if (r < 0) {
		if (errno == EINTR)
			return false;
		t->state = HP_TASK_GONE;
		return true;
	}
	if (!WIFSTOPPED(status)) {
		t->state = HP_TASK_GONE;
		return true;
	}
	if (status >> 16 == PTRACE_EVENT_STOP) {
		/* also when the process was already stopped by a signal: it goes back to that after PTRACE_DETACH */
		t->state = hp_arch_regs_get(t->tid, &t->regs) == 0 ? HP_TASK_STOPPED : HP_TASK_GONE;
		if (t->state == HP_TASK_STOPPED && hp_arch_restart_call(&t->regs) && hp_arch_regs_set(t->tid, &t->regs) < 0)
			t->state = HP_TASK_GONE;
		return true;
	}
	/* A signal was on its way when we seized: hand it on; the stop that we asked for comes next. */
	(void)ptrace(PTRACE_CONT, t->tid, NULL, status >> 16 == 0 ? WSTOPSIG(status) : 0);
	return false;
}

/* While threads are held, nothing that merely computes may keep us from letting them go: real-time priority, where that is
 * permitted. We sleep while we wait, so the threads that are to stop get their processor. */
static void
hurry(struct hp_stop *stop)
{
	struct sched_param param = { .sched_priority = 1 };

	stop->began_ns = hp_now_ns();
	stop->old_policy = sched_getscheduler(0);
	stop->hurried = (stop->old_policy == SCHED_OTHER || stop->old_policy == SCHED_BATCH || stop->old_policy == SCHED_IDLE) &&
	                sched_setscheduler(0, SCHED_FIFO, &param) == 0;
}

static void
calm(struct hp_stop *stop)
{
	struct sched_param param = { .sched_priority = 0 };

	if (stop->hurried)
		(void)sched_setscheduler(0, stop->old_policy, &param);
	stop->hurried = false;
}

/* Among the first ${cnt}: a listing itself has no thread twice. */
static bool
is_known(const struct hp_stop *stop, size_t cnt, pid_t tid)
{
	for (size_t i = 0; i < cnt; i++)
		if (stop->v[i].tid == tid)
			return true;
	return false;
}

/* A thread that has ended but is still listed: the main thread, while others live on. */
static bool
is_zombie(const struct hp_proc *proc, pid_t tid)
{
	char name[64], text[512];
	const char *state;

	(void)snprintf(name, sizeof(name), "task/%d/stat", tid);
	if (hp_proc_text(proc, name, text, sizeof(text)) < 0)
		return true;
	state = strrchr(text, ')'); /* "tid (comm) S ..." */
	return state != NULL && (state[1] == ' ') && (state[2] == 'Z' || state[2] == 'X');
}

/* 1 added, 0 it has ended meanwhile, negative: cannot be traced. */
static int
seize(const struct hp_proc *proc, struct hp_stop *stop, pid_t tid, struct hp_err *err)
{
	if (stop->began_ns == 0)
		hurry(stop);
	if (ptrace(PTRACE_SEIZE, tid, NULL, PTRACE_O_TRACESYSGOOD) < 0) {
		int saved = errno;

		if (saved == ESRCH || is_zombie(proc, tid))
			return 0;
		return hp_err_set(err, HP_E_BUSY, "thread %d cannot be traced: %s", tid, strerror(saved));
	}
	stop->v[stop->cnt++] = (struct hp_task){ .tid = tid, .state = HP_TASK_SEIZED };
	if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) < 0 && errno != ESRCH && errno != EIO)
		return hp_err_set(err, HP_E_BUSY, "thread %d cannot be interrupted: %s", tid, strerror(errno));
	return 1;
}

static int
wait_all(struct hp_stop *stop, uint64_t deadline_ns, struct hp_err *err)
{
	for (unsigned round = 0;; round++) {
		struct hp_task *late = NULL;

		for (size_t i = 0; i < stop->cnt; i++)
			if (stop->v[i].state == HP_TASK_SEIZED && !settle(&stop->v[i]))
				late = &stop->v[i];
		if (late == NULL)
			return 1;
		if (hp_now_ns() > deadline_ns) {
			(void)hp_err_set(err, HP_E_BUSY,
			                 "thread %d does not stop in time (uninterruptible sleep, or a vfork child)",
			                 late->tid);
			return 0;
		}
		nap(round, SPIN_ROUNDS);
	}
}

/* Seize what the last listing showed and is new. Number of new tasks, or negative. */
static int
seize_new(const struct hp_proc *proc, struct hp_stop *stop, struct hp_err *err)
{
	size_t known = stop->cnt;
	int added = 0;

	for (size_t i = 0; i < stop->seen_cnt; i++) {
		int r;

		if (i < known && stop->v[i].tid == stop->tids[i])
			continue;
		if (is_known(stop, known, stop->tids[i]))
			continue;
		if (stop->cnt == stop->cap)
			return hp_err_set(err, HP_E_BUSY, "threads are created faster than they can be stopped");
		r = seize(proc, stop, stop->tids[i], err);
		if (r < 0)
			return r;
		added += r;
	}
	return added;
}

static bool
is_late(const struct hp_stop *stop)
{
	for (size_t i = 0; i < stop->cnt; i++)
		if (stop->v[i].state == HP_TASK_SEIZED)
			return true;
	return false;
}

int
hp_stop_all(const struct hp_proc *proc, struct hp_stop *stop, uint64_t deadline_ns, struct hp_err *err)
{
	int r;

	if (stop->cnt > 0)
		hurry(stop);
	for (;;) {
		r = hp_proc_tasks(proc, stop->tids, stop->cap, &stop->seen_cnt, err);
		if (r < 0)
			break;
		if (stop->seen_cnt > stop->cap) {
			(void)hp_err_set(err, HP_E_BUSY, "process %d (%s) has %zu threads, more are being created", proc->pid,
			                 proc->comm, stop->seen_cnt);
			r = 0;
			break;
		}
		r = seize_new(proc, stop, err);
		if (r < 0)
			break;
		if (r == 0 && stop->cnt > 0 && !is_late(stop))
			return 1;
		r = wait_all(stop, deadline_ns, err);
		if (r <= 0)
			break;
	}
	hp_stop_resume(stop);
	return r;
}

/* Index of a task that is told to stop: a late one from before, or newly seized. 1 found, 0 it has ended. */
static int
seize_one(const struct hp_proc *proc, struct hp_stop *stop, pid_t tid, size_t *ret_idx, struct hp_err *err)
{
	int r;

	for (*ret_idx = 0; *ret_idx < stop->cnt; ++*ret_idx)
		if (stop->v[*ret_idx].tid == tid) {
			hurry(stop);
			return 1;
		}
	if (stop->cnt == stop->cap)
		return hp_err_set(err, HP_E_BUSY, "too many threads do not stop in time");
	r = seize(proc, stop, tid, err);
	if (r == 0)
		(void)hp_err_set(err, HP_E_BUSY, "thread %d has ended", tid);
	return r;
}

int
hp_stop_one(const struct hp_proc *proc, struct hp_stop *stop, pid_t tid, uint64_t deadline_ns, struct hp_err *err)
{
	struct hp_task found;
	char name[64];
	size_t idx;
	int r;

	stop->pause_ns = 0;
	r = seize_one(proc, stop, tid, &idx, err);
	for (unsigned round = 0; r > 0 && !settle(&stop->v[idx]); round++) {
		if (hp_now_ns() > deadline_ns) {
			(void)hp_err_set(err, HP_E_BUSY, "thread %d does not stop in time", tid);
			r = 0;
		} else {
			nap(round, SPIN_ROUNDS_ONE);
		}
	}
	(void)snprintf(name, sizeof(name), "task/%d", tid);
	if (r > 0 && stop->v[idx].state == HP_TASK_STOPPED && faccessat(proc->dir_fd, name, F_OK, 0) == 0) {
		found = stop->v[idx];
		stop->v[idx] = stop->v[0];
		stop->v[0] = found;
		return 1;
	}
	hp_stop_resume(stop);
	return r < 0 ? r : 0;
}

/* Tasks that never stopped run on and stay traced, for PTRACE_DETACH wants a stopped one; what was asked of them stays
 * pending. They
 * are kept for the next attempt. */
void
hp_stop_resume(struct hp_stop *stop)
{
	size_t kept = 0;

	for (size_t i = 0; i < stop->cnt; i++) {
		if (stop->v[i].state == HP_TASK_STOPPED)
			(void)ptrace(PTRACE_DETACH, stop->v[i].tid, NULL, NULL);
		else if (stop->v[i].state == HP_TASK_SEIZED)
			stop->v[kept++] = stop->v[i];
	}
	if (stop->began_ns != 0)
		stop->pause_ns = hp_now_ns() - stop->began_ns;
	calm(stop);
	stop->began_ns = 0;
	stop->cnt = kept;
}

/* Wait a moment for the late ones; whoever sleeps longer is let go by the kernel when hpbuild ends. */
static void
let_late_go(struct hp_stop *stop)
{
	uint64_t limit = hp_now_ns() + LATE_LIMIT_NS;

	for (unsigned round = 0; stop->cnt > 0 && hp_now_ns() < limit; round++) {
		bool settled = false;

		for (size_t i = 0; i < stop->cnt; i++)
			settled |= settle(&stop->v[i]);
		hp_stop_resume(stop);
		if (!settled)
			nap(round, SPIN_ROUNDS);
	}
	stop->cnt = 0;
}

void
hp_stop_release(struct hp_stop *stop)
{
	hp_stop_resume(stop);
	let_late_go(stop);
	if (stop->has_mask)
		(void)pthread_sigmask(SIG_SETMASK, &stop->saved_mask, NULL);
	free(stop->v);
	free(stop->tids);
	*stop = (struct hp_stop){ 0 };
}

int
hp_hold_begin(const struct hp_proc *proc, const struct hp_task *task, const struct hp_arch_gadgets *gadgets, uint64_t stack_lo,
              struct hp_hold *ret, struct hp_err *err)
{
	int saved = 0;

	ret->tid = task->tid;
	ret->saved = task->regs;
	ret->gadgets = *gadgets;
	ret->dirty = ret->masked = ret->left_alone = false;
	ret->xstate.len = 0;
	/* Undone by PTRACE_DETACH, and by the kernel when hpbuild dies. */
	if (ptrace(PTRACE_SETOPTIONS, task->tid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_SUSPEND_SECCOMP) < 0 &&
	    (saved = errno, hp_proc_task_filtered(proc, task->tid)))
		return hp_err_set(err, HP_E_UNPATCHABLE, "thread %d is under seccomp, which cannot be suspended: %s", task->tid,
		                  strerror(saved));
	if (ptrace(PTRACE_GETSIGMASK, task->tid, sizeof(uint64_t), &ret->saved_mask) < 0)
		return hp_err_set(err, HP_E_BUSY, "thread %d: cannot read its signal mask: %s", task->tid, strerror(errno));
	if (hp_arch_frame_make(task->tid, &ret->saved, ret->saved_mask, gadgets, stack_lo, &ret->frame) &&
	    hp_proc_write(proc, ret->frame.va, ret->frame.bytes, ret->frame.len, NULL) < 0)
		ret->frame.va = 0;
	return 0;
}

/* Wait for one ptrace stop of the held thread, until ${limit}. 1 stopped, 0 it has ended or does not stop. */
static int
wait_stop(struct hp_hold *hold, uint64_t limit, int *ret_status)
{
	for (unsigned round = 0; hp_now_ns() < limit; round++) {
		pid_t r = waitpid(hold->tid, ret_status, __WALL | WNOHANG);

		if (r == hold->tid)
			return WIFSTOPPED(*ret_status) ? 1 : 0;
		if (r < 0 && errno != EINTR)
			return 0;
		nap(round, SPIN_ROUNDS_ONE);
	}
	return 0;
}

/* SIGSTOP cannot be blocked: it is handed on, and the whole process stops; the borrowed thread does so once it is let go. */
static long
passed_on(int status)
{
	return status >> 16 == 0 && WSTOPSIG(status) == SIGSTOP ? SIGSTOP : 0;
}

/* Go on with ${request} until a stop of the kind that is waited for; stops of the process itself come in between. */
static int
step(struct hp_hold *hold, enum __ptrace_request request, bool want_syscall, struct hp_err *err)
{
	long signal = 0;

	for (unsigned i = 0; i < STEPS_MAX; i++) {
		int status;

		if (ptrace(request, hold->tid, NULL, signal) < 0)
			break;
		if (wait_stop(hold, hp_now_ns() + HOLD_LIMIT_NS, &status) == 0)
			break;
		if (want_syscall ? WSTOPSIG(status) == (SIGTRAP | 0x80) : status >> 16 == PTRACE_EVENT_STOP)
			return 0;
		signal = passed_on(status);
	}
	hold->dirty = false; /* out of reach: nothing left to bring back */
	return hp_err_set(err, HP_E_BUSY, "thread %d ended or was killed while it was borrowed", hold->tid);
}

int
hp_hold_call(struct hp_hold *hold, long nr, const uint64_t args[6], int64_t *ret, struct hp_err *err)
{
	struct hp_arch_regs regs;
	uint64_t all = UINT64_MAX;
	int r;

	hp_arch_call_setup(&hold->saved, &hold->gadgets, hold->frame.va, nr, args, &regs);
	hold->dirty = true;
	if (hp_arch_regs_set(hold->tid, &regs) < 0)
		return hp_err_set(err, HP_E_BUSY, "thread %d: cannot set registers: %s", hold->tid, strerror(errno));
	/* The mask comes after the registers: from here on the frame would give it back. */
	if (!hold->masked && ptrace(PTRACE_SETSIGMASK, hold->tid, sizeof(uint64_t), &all) < 0)
		return hp_err_set(err, HP_E_BUSY, "thread %d: cannot hold signals back: %s", hold->tid, strerror(errno));
	hold->masked = true;
	r = step(hold, PTRACE_SYSCALL, true, err); /* on its way in */
	if (r < 0)
		return r;
	r = step(hold, PTRACE_SYSCALL, true, err); /* on its way out */
	if (r < 0)
		return r;
	if (hp_arch_regs_get(hold->tid, &regs) < 0)
		return hp_err_set(err, HP_E_BUSY, "thread %d: cannot read registers: %s", hold->tid, strerror(errno));
	*ret = hp_arch_call_result(&regs);
	return 0;
}

/* The function is done: on to where an injected system call ends. */
static int
leave_func(struct hp_hold *hold, struct hp_arch_regs *regs, struct hp_err *err)
{
	hp_arch_func_leave(regs, &hold->gadgets, hold->frame.va);
	if (hp_arch_regs_set(hold->tid, regs) == 0)
		return step(hold, PTRACE_SYSCALL, true, err);
	hold->dirty = false;
	return hp_err_set(err, HP_E_BUSY, "thread %d ended or was killed while it was borrowed", hold->tid);
}

/* Until the function returns, or is seen to fail. Every signal that can wait is blocked: one that comes is a fault of its own. */
static int
run_func(struct hp_hold *hold, struct hp_err *err)
{
	long signal = 0;

	for (unsigned i = 0; i < FUNC_STOPS_MAX; i++) {
		struct hp_arch_regs regs;
		int status;

		if (ptrace(PTRACE_SYSCALL, hold->tid, NULL, signal) < 0)
			break;
		if (wait_stop(hold, hp_now_ns() + HOLD_LIMIT_NS, &status) == 0) {
			hold->left_alone = true;
			return hp_err_set(err, HP_E_BUSY, "thread %d: a function that it was to call does not come back",
			                  hold->tid);
		}
		signal = passed_on(status);
		if (signal != 0 || (WSTOPSIG(status) != (SIGTRAP | 0x80) && status >> 16 == PTRACE_EVENT_STOP))
			continue;
		if (WSTOPSIG(status) != (SIGTRAP | 0x80))
			return hp_err_set(err, HP_E_BUSY, "thread %d: signal %d in a function that it was to call", hold->tid,
			                  WSTOPSIG(status));
		if (hp_arch_regs_get(hold->tid, &regs) < 0)
			break;
		if (!hp_arch_func_returned(&regs, &hold->gadgets))
			continue;
		return leave_func(hold, &regs, err);
	}
	hold->dirty = false;
	return hp_err_set(err, HP_E_BUSY, "thread %d ended or was killed while it was borrowed", hold->tid);
}

static int
begin_func(struct hp_hold *hold, uint64_t func_va, const uint64_t args[2], uint64_t stack_lo, struct hp_err *err)
{
	struct hp_arch_regs regs;
	uint64_t all = UINT64_MAX;

	if (hold->frame.va == 0 || hold->frame.va < stack_lo || hold->frame.va - stack_lo < FUNC_STACK_LEN)
		return hp_err_set(err, HP_E_BUSY, "thread %d: no room on its stack", hold->tid);
	if (hold->xstate.len == 0 && hp_arch_xstate_get(hold->tid, &hold->xstate) < 0)
		return hp_err_set(err, HP_E_BUSY, "thread %d: cannot read its vector registers: %s", hold->tid, strerror(errno));
	hp_arch_func_setup(&hold->saved, hold->frame.va, func_va, args, &regs);
	hold->dirty = true;
	if (hp_arch_regs_set(hold->tid, &regs) < 0)
		return hp_err_set(err, HP_E_BUSY, "thread %d: cannot set registers: %s", hold->tid, strerror(errno));
	if (!hold->masked && ptrace(PTRACE_SETSIGMASK, hold->tid, sizeof(uint64_t), &all) < 0)
		return hp_err_set(err, HP_E_BUSY, "thread %d: cannot hold signals back: %s", hold->tid, strerror(errno));
	hold->masked = true;
	return 0;
}

int
hp_hold_func(struct hp_hold *hold, uint64_t func_va, const uint64_t args[2], uint64_t stack_lo, struct hp_err *err)
{
	int r = begin_func(hold, func_va, args, stack_lo, err);

	return r == 0 ? run_func(hold, err) : r;
}

/* The hook runs, or sleeps in a system call: into a stop from which the thread can be brought back. Any other stop that comes
 * first (the end of that call) takes the request away, so it is made again. */
static int
abandon(struct hp_hold *hold, uint64_t limit_ns, struct hp_err *err)
{
	int status;

	for (unsigned i = 0; i < 16 && ptrace(PTRACE_INTERRUPT, hold->tid, NULL, NULL) == 0; i++) {
		if (i > 0 && ptrace(PTRACE_CONT, hold->tid, NULL, NULL) < 0)
			break;
		if (wait_stop(hold, hp_now_ns() + HOLD_LIMIT_NS, &status) == 0)
			break;
		if (status >> 16 == PTRACE_EVENT_STOP)
			return hp_err_set(err, HP_E_UNPATCHABLE, "it did not return within %" PRIu64 " ms, and was abandoned",
			                  limit_ns / 1000000);
	}
	hold->left_alone = true;
	return hp_err_set(err, HP_E_UNPATCHABLE, "it did not return within %" PRIu64 " ms, and its thread %d cannot be stopped",
	                  limit_ns / 1000000, hold->tid);
}

int
hp_hold_hook(struct hp_hold *hold, uint64_t func_va, uint64_t stack_lo, uint64_t limit_ns, uint64_t *ret, struct hp_err *err)
{
	uint64_t limit = hp_now_ns() + limit_ns;
	int r = begin_func(hold, func_va, (const uint64_t[2]){ 0, 0 }, stack_lo, err);
	long signal = 0;

	while (r == 0 && ptrace(PTRACE_SYSCALL, hold->tid, NULL, signal) == 0) {
		struct hp_arch_regs regs;
		int status = -1;

		if (wait_stop(hold, limit, &status) == 0) {
			if (status != -1) /* ended */
				break;
			return abandon(hold, limit_ns, err);
		}
		signal = passed_on(status);
		if (signal != 0 || (WSTOPSIG(status) != (SIGTRAP | 0x80) && status >> 16 == PTRACE_EVENT_STOP))
			continue;
		if (WSTOPSIG(status) != (SIGTRAP | 0x80))
			return hp_err_set(err, HP_E_UNPATCHABLE, "it crashed (signal %d), and was abandoned", WSTOPSIG(status));
		if (hp_arch_regs_get(hold->tid, &regs) < 0)
			break;
		if (!hp_arch_func_returned(&regs, &hold->gadgets))
			continue;
		*ret = hp_arch_func_value(&regs);
		return leave_func(hold, &regs, err);
	}
	if (r < 0)
		return r;
	hold->dirty = false;
	return hp_err_set(err, HP_E_BUSY, "thread %d ended or was killed in it", hold->tid);
}

/* The thread stands at the exit of the injected call. Registers that are put back there would skip the kernel's restart of an
 * interrupted call, which happens only on the way out of signal handling; so a thread that was in a call is led into the stop of
 * PTRACE_INTERRUPT again, which is such a place, and gets its registers there. Mask before registers: until they are set, the
 * frame is good for both. */
int
hp_hold_end(struct hp_hold *hold, struct hp_err *err)
{
	if (!hold->dirty)
		return 0;
	if ((hold->left_alone || hp_arch_syscall_nr(&hold->saved) >= 0) &&
	    (ptrace(PTRACE_INTERRUPT, hold->tid, NULL, NULL) < 0 || step(hold, PTRACE_CONT, false, NULL) < 0))
		return 0; /* it has ended */
	hold->dirty = false;
	if (hold->left_alone) /* stopped in the middle; the frame brings everything back when it is through */
		return 0;
	if ((hold->xstate.len > 0 && hp_arch_xstate_set(hold->tid, &hold->xstate) < 0) ||
	    ptrace(PTRACE_SETSIGMASK, hold->tid, sizeof(uint64_t), &hold->saved_mask) < 0 ||
	    hp_arch_regs_set(hold->tid, &hold->saved) < 0)
		/* the frame brings everything back, too */
		return errno == ESRCH || hold->frame.va != 0
		               ? 0
		               : hp_err_set(err, HP_E_UNDO, "thread %d: cannot give its registers back: %s", hold->tid,
		                                   strerror(errno));
	return 0;
}

#ifndef PTRACE_GET_RSEQ_CONFIGURATION
#define PTRACE_GET_RSEQ_CONFIGURATION 0x420f
#endif

bool
hp_task_in_rseq(const struct hp_proc *proc, const struct hp_task *task)
{
	struct {
		uint64_t abi_va; /* struct rseq: u32 cpu_id_start, u32 cpu_id, u64 rseq_cs, ... */
		uint32_t abi_len, signature, flags, pad;
	} conf = { 0 };
	uint8_t cs_ptr[8], cs[32]; /* struct rseq_cs: u32 version, u32 flags, u64 start_ip, u64 post_commit_offset,
	        u64 abort_ip */
	uint64_t pc = hp_arch_pc(&task->regs);

	if (ptrace((enum __ptrace_request)PTRACE_GET_RSEQ_CONFIGURATION, task->tid, sizeof(conf), &conf) < 0 || conf.abi_va == 0)
		return false;
	if (hp_proc_read(proc, conf.abi_va + 8, cs_ptr, sizeof(cs_ptr), NULL) < 0 || hp_le64_get(cs_ptr) == 0)
		return false;
	if (hp_proc_read(proc, hp_le64_get(cs_ptr), cs, sizeof(cs), NULL) < 0)
		return false;
	return pc - hp_le64_get(cs + 8) < hp_le64_get(cs + 16);
}
