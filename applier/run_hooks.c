#include "applier/internal.h"

#include <inttypes.h>
#include <string.h>

#include "base/escape.h"

/* Hooks of a module that was unloaded have nothing to work on. */
static size_t
hooks_of(const struct hp_job *job, uint32_t target)
{
	const struct hp_plan_target *t = &job->plan.targets[target];

	return t->mod == NULL || (job->plan.to_revert && t->gone) ? 0 : t->man->hooks_cnt;
}

size_t
hp_hooks_cnt(const struct hp_job *job, const char *when)
{
	size_t cnt = 0;

	for (uint32_t t = 0; t < job->plan.rec.targets_cnt; t++)
		for (size_t i = 0; i < hooks_of(job, t); i++)
			cnt += strcmp(job->plan.targets[t].man->hooks[i].when, when) == 0;
	return cnt;
}

static bool
in_payload(const struct hp_rec *rec, uint64_t pc)
{
	for (uint32_t i = 0; i < rec->targets_cnt; i++)
		if (pc - rec->targets[i].payload_va < rec->targets[i].payload_len)
			return true;
	return false;
}

/* At rest, and not inside any package's code either, whose locks (those of the shadow variables) a hook may want. */
static bool
accept_thread(void *arg, const struct hp_task *task)
{
	struct hp_job *job = arg;
	struct hp_frames frames;

	if (!hp_unwind_at_rest(job->unwind, task))
		return false;
	hp_unwind_thread(job->unwind, task, &frames);
	for (size_t i = 0; i < frames.cnt; i++) {
		if (in_payload(&job->plan.rec, frames.pc[i]))
			return false;
		for (size_t k = 0; k < job->plan.recs.cnt; k++)
			if (in_payload(&job->plan.recs.v[k], frames.pc[i]))
				return false;
	}
	return true;
}

/* A hook's own mistake keeps its code; the loss of the thread is no fault of the hook. */
static int
blame(struct hp_job *job, const struct hp_man_hook *hook, int r, struct hp_err *err)
{
	job->abandoned |= r < 0;
	if (r == HP_E_UNPATCHABLE || r == HP_E_BUSY)
		(void)hp_err_add(err, "the package's %s hook '%s'", hook->when, hp_esc(hook->name));
	return r;
}

static int
run_one(struct hp_job *job, struct hp_borrow *b, uint32_t target, const struct hp_man_hook *hook, struct hp_err *err)
{
	uint64_t va = job->plan.rec.targets[target].payload_va + hook->payload, value = 0;
	int r = hp_remote_hook(b, va, job->opts->hook_ns, &value, err);

	if (r < 0)
		return blame(job, hook, r, err);
	job->report->hooks_cnt++;
	if (value != 0)
		return hp_err_set(err, HP_E_UNPATCHABLE,
		                  "process %d (%s): the package's %s hook '%s' said no (value %" PRId64 ")", job->plan.proc->pid,
		                  job->plan.proc->comm, hook->when, hp_esc(hook->name), (int64_t)value);
	return 0;
}

static int
run_all(struct hp_job *job, struct hp_borrow *b, const char *when, size_t *ret_cnt, struct hp_err *err)
{
	for (uint32_t t = 0; t < job->plan.rec.targets_cnt; t++)
		for (size_t i = 0; i < hooks_of(job, t); i++) {
			const struct hp_man_hook *hook = &job->plan.targets[t].man->hooks[i];
			int r = strcmp(hook->when, when) == 0 ? run_one(job, b, t, hook, err) : 0;

			if (r < 0)
				return r;
			*ret_cnt += strcmp(hook->when, when) == 0;
		}
	return 0;
}

int
hp_hooks_run(struct hp_job *job, const char *when, size_t *ret_cnt, struct hp_err *err)
{
	const struct hp_borrow_want want = { accept_thread, job };
	struct hp_borrow b;
	int r = 0, ended;

	*ret_cnt = 0;
	if (hp_hooks_cnt(job, when) == 0)
		return 0;
	if (job->unwind == NULL)
		r = hp_unwind_new(&job->plan, &job->unwind, err);
	if (r == 0)
		r = hp_plan_reread_areas(&job->plan, err);
	if (r == 0)
		r = hp_borrow_begin(job->plan.proc, &job->plan.areas, &want, job->deadline_ns, &b, err);
	if (r < 0)
		return hp_err_add(err, "calling the package's %s hooks", when);
	r = run_all(job, &b, when, ret_cnt, err);
	ended = hp_borrow_end(&b, r < 0 ? NULL : err);
	hp_job_note_borrow(job, &b);
	if (ended < 0)
		return hp_err_set(err, ended,
		                  "process %d (%s): the thread that ran the %s hooks could not be given back as it was",
		                  job->plan.proc->pid, job->plan.proc->comm, when);
	return r;
}
