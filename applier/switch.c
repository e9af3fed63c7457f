/* The switch: from the first thread that is stopped to the last that runs again. */
#include "applier/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "applier/check.h"
#include "applier/replace.h"
#include "base/escape.h"
#include "formats/hash.h"

#define SPARE_TASKS 64u
#define BACKOFF_FIRST_NS 500000u
#define BACKOFF_LAST_NS 50000000u
#define STOP_PATIENCE_NS 100000000u /* the other threads stand while one does not stop */
#define SLEEPER_PATIENCE_NS 5000000u
#define MOVED_PATIENCE 2u /* after that many times, maps are read while the threads are held */

/* What one run of hp_switch() holds. */
struct sw {
	struct hp_job *job;
	bool to_new;
	struct hp_stop stop;
	struct hp_check check;
	uint8_t *now;             /* HP_ARCH_JUMP_LEN bytes of every place that is written, as found in the stop */
	enum hp_rec_state was;    /* of the package; those of replaced ones are in their plans' old */
	unsigned moved;
	uint64_t backoff_ns;
};

static int
foreign(const struct sw *sw, size_t idx, const uint8_t *bytes, struct hp_err *err)
{
	const struct hp_plan *plan = &sw->job->plan;
	const struct hp_plan_write *w = &plan->writes[idx];
	char got[2 * HP_ARCH_JUMP_LEN + 1], name[HP_REC_NAME_LEN];

	for (size_t i = plan->recs.cnt; i-- > 0;) {
		const struct hp_rec *other = &plan->recs.v[i];

		for (uint32_t k = 0; k < other->entries_cnt && other != plan->old; k++)
			if (other->entries[k].va == w->va && memcmp(other->entries[k].after, bytes, HP_ARCH_JUMP_LEN) == 0) {
				hp_rec_name(other->id, name);
				return hp_err_set(err, HP_E_BUSY,
				                  "function '%s': package %s was applied on top; revert that one first",
				                  hp_esc(w->name), name + 8);
			}
	}
	hp_hex(bytes, HP_ARCH_JUMP_LEN, got);
	return hp_err_set(err, HP_E_BUSY,
	                  "function '%s' was changed in memory by someone else: its entry at 0x%" PRIx64 " holds %s",
	                  hp_esc(w->name), w->va, got);
}

/* Every entry must be one of ours or untouched, before any is written. */
static int
read_entries(struct sw *sw, struct hp_err *err)
{
	const struct hp_plan *plan = &sw->job->plan;

	for (size_t i = 0; i < plan->writes_cnt; i++) {
		const struct hp_plan_write *w = &plan->writes[i];
		uint8_t *now = sw->now + i * HP_ARCH_JUMP_LEN;
		int r = hp_proc_read(plan->proc, w->va, now, HP_ARCH_JUMP_LEN, err);

		if (r < 0)
			return r;
		if (memcmp(now, w->off, HP_ARCH_JUMP_LEN) != 0 && memcmp(now, w->on, HP_ARCH_JUMP_LEN) != 0 &&
		    !hp_replace_is_theirs(plan, w->va, now))
			return foreign(sw, i, now, err);
	}
	return 0;
}

static int
set_replaced(struct sw *sw, enum hp_rec_state state, struct hp_err *err)
{
	struct hp_plan *plan = &sw->job->plan;
	int r = 0;

	for (size_t i = 0; i < plan->replaced_cnt && r == 0; i++)
		r = hp_rec_set_state(plan->proc, &plan->replaced[i].rec, state, err);
	return r;
}

/* Put entries [0, cnt) back to what was found. The package's own journal comes last: until then it says "interrupted". */
static int
undo_entries(struct sw *sw, size_t cnt, struct hp_err *err)
{
	struct hp_plan *plan = &sw->job->plan;
	int failed = 0;

	while (cnt-- > 0)
		if (hp_proc_write(plan->proc, plan->writes[cnt].va, sw->now + cnt * HP_ARCH_JUMP_LEN, HP_ARCH_JUMP_LEN, NULL) < 0)
			failed = 1;
	for (size_t i = 0; i < plan->replaced_cnt && failed == 0; i++)
		if (hp_rec_set_state(plan->proc, &plan->replaced[i].rec, plan->replaced[i].old->state, NULL) < 0)
			failed = 1;
	if (failed == 0 && hp_rec_set_state(plan->proc, &plan->rec, sw->was, NULL) < 0)
		failed = 1;
	if (failed != 0 && hp_proc_exists(plan->proc))
		return hp_err_set(err, HP_E_UNDO, "process %d (%s): entries could not be written back; the record says which",
		                  plan->proc->pid, plan->proc->comm);
	return HP_E_BUSY;
}

static int
undo_after(struct sw *sw, size_t cnt, int r, struct hp_err *err)
{
	int undone = undo_entries(sw, cnt, err);

	return undone == HP_E_UNDO ? undone : r;
}

/* All threads are stopped and checked. What the journals say, in this order: the package is switching; those that it replaces are
 * being taken back; (entries are written;) they are replaced; the package is applied. So whatever the moment of a kill, the
 * package's own record says "interrupted" as long as anything is not yet as it should be. */
static int
write_entries(struct sw *sw, struct hp_err *err)
{
	struct hp_job *job = sw->job;
	struct hp_plan *plan = &job->plan;
	int r;

	sw->was = plan->rec.state;
	r = read_entries(sw, err);
	if (r == 0)
		r = hp_rec_set_state(plan->proc, &plan->rec, sw->to_new ? HP_REC_SWITCHING : HP_REC_REVERTING, err);
	if (r < 0)
		return r;
	r = set_replaced(sw, HP_REC_REVERTING, err);
	if (r < 0)
		return undo_after(sw, 0, r, err);
	hp_job_step(job, HP_STEP_JOURNALED);
	for (size_t i = 0; i < plan->writes_cnt; i++) {
		const struct hp_plan_write *w = &plan->writes[i];

		r = hp_proc_write(plan->proc, w->va, sw->to_new ? w->on : w->off, HP_ARCH_JUMP_LEN, err);
		if (r < 0)
			return undo_after(sw, i, r, err);
		if (i == 0)
			hp_job_step(job, HP_STEP_HALF);
	}
	hp_job_step(job, HP_STEP_WRITTEN);
	r = set_replaced(sw, HP_REC_REPLACED, err);
	if (r == 0)
		r = hp_rec_set_state(plan->proc, &plan->rec, sw->to_new ? HP_REC_APPLIED : HP_REC_REVERTED, err);
	return r < 0 ? undo_after(sw, plan->writes_cnt, r, err) : 0;
}

/* Write one byte of every page of entries with the value it has: the kernel makes the private copy now and not in the stop. */
static int
touch_pages(const struct hp_plan *plan, struct hp_err *err)
{
	uint64_t last = UINT64_MAX;

	for (size_t i = 0; i < 2 * plan->writes_cnt; i++) {
		/* first and last byte of each entry: it may lie across two pages */
		uint64_t va = plan->writes[i / 2].va + (i % 2) * (HP_ARCH_JUMP_LEN - 1);
		uint8_t byte;
		int r;

		if (va / 4096 == last)
			continue;
		r = hp_proc_read(plan->proc, va, &byte, 1, err);
		if (r == 0)
			r = hp_proc_write(plan->proc, va, &byte, 1, err);
		if (r < 0)
			return r;
		last = va / 4096;
	}
	return 0;
}

/* "; also in the way: 12, 13 (parse) and 3 more": the threads after the first, with the function when it is another. */
static void
list_others(const struct hp_check *c, char *buf, size_t len)
{
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 1; i < c->blockers_cnt && i < HP_CHECK_BLOCKERS_MAX && used + 1 < len; i++) {
		const struct hp_plan_range *range = c->blockers[i].range;
		bool same = range == NULL || (c->range != NULL && strcmp(range->name, c->range->name) == 0);
		int n = snprintf(buf + used, len - used, "%s %d%s%s%s", i == 1 ? "; also in the way:" : ",", c->blockers[i].tid,
		                 same ? "" : " (", same ? "" : hp_esc(range->name), same ? "" : ")");

		used = n < 0 || (size_t)n >= len - used ? len - 1 : used + (size_t)n;
	}
	if (c->blockers_cnt > HP_CHECK_BLOCKERS_MAX && used + 1 < len)
		(void)snprintf(buf + used, len - used, " and %zu more", c->blockers_cnt - HP_CHECK_BLOCKERS_MAX);
}

/* The reason of the last failed attempt, in words. */
static void
explain(struct sw *sw, enum hp_check_verdict verdict, struct hp_err *err)
{
	const struct hp_check *c = &sw->check;
	char stack[160], others[120];

	hp_unwind_describe(sw->job->unwind, &c->frames, stack, sizeof(stack));
	list_others(c, others, sizeof(others));
	if (verdict == HP_CHECK_MOVED)
		(void)hp_err_set(err, HP_E_BUSY, "thread %d: its stack cannot be read", c->tid);
	else if (c->range == NULL)
		(void)hp_err_set(err, HP_E_BUSY, "thread %d is not on its own stack, which cannot be unwound: %s%s", c->tid,
		                 stack, others);
	else if (c->certain)
		(void)hp_err_set(err, HP_E_BUSY, "thread %d is inside function '%s'%s%s%s", c->tid, hp_esc(c->range->name),
		                 stack[0] != '\0' ? ": " : "", stack, others);
	else
		(void)hp_err_set(err, HP_E_BUSY,
		                 "thread %d may be inside function '%s': its stack cannot be unwound completely: %s%s",
		                 c->tid, hp_esc(c->range->name), stack, others);
}

/* Room for all tasks that there are now, and some more. */
static int
make_room(struct sw *sw, struct hp_err *err)
{
	size_t cnt = sw->stop.seen_cnt, want;
	pid_t tid;
	int r;

	if (cnt == 0) {
		r = hp_proc_tasks(sw->job->plan.proc, &tid, 1, &cnt, err);
		if (r < 0)
			return r;
	}
	want = cnt + cnt / 2 + SPARE_TASKS;
	hp_stop_release(&sw->stop);
	hp_check_release(&sw->check);
	r = hp_stop_init(&sw->stop, want, err);
	if (r == 0)
		r = hp_check_init(&sw->check, want, err);
	sw->check.overwritten_only = !sw->to_new;
	return r;
}

/* While one thread does not stop, the others stand. One that sleeps where no signal reaches it may do so for long. */
static uint64_t
patience(const struct sw *sw)
{
	return hp_proc_has_deep_sleeper(sw->job->plan.proc, sw->stop.tids, sw->stop.cap) ? SLEEPER_PATIENCE_NS : STOP_PATIENCE_NS;
}

/* One full stop. 1 switched, 0 not now (${err} says why), negative failed. */
static int
attempt(struct sw *sw, enum hp_check_verdict *ret_verdict, struct hp_err *err)
{
	struct hp_job *job = sw->job;
	enum hp_check_verdict verdict;
	pid_t sharer;
	int r;

	*ret_verdict = HP_CHECK_CLEAN;
	sharer = hp_proc_sharer(job->plan.proc);
	if (sharer != 0) {
		(void)hp_err_set(err, HP_E_BUSY,
		                 "process %d shares the memory of process %d (a vfork child, or CLONE_VM) and cannot be stopped",
		                 sharer, job->plan.proc->pid);
		return 0;
	}
	r = hp_stop_all(job->plan.proc, &sw->stop, hp_now_ns() + patience(sw), err);
	job->report->attempts++;
	if (r <= 0) {
		job->report->pauses_ns += sw->stop.pause_ns;
		return r;
	}
	job->report->threads_cnt = sw->stop.cnt;
	verdict = hp_check_run(&sw->check, &job->plan, &sw->stop, job->unwind);
	if (verdict == HP_CHECK_MOVED && ++sw->moved > MOVED_PATIENCE && hp_plan_reread_areas(&job->plan, err) == 0)
		verdict = hp_check_run(&sw->check, &job->plan, &sw->stop, job->unwind);
	if (verdict == HP_CHECK_CLEAN) {
		hp_job_step(job, HP_STEP_STOPPED);
		r = write_entries(sw, err);
	}
	hp_stop_resume(&sw->stop);
	job->report->pause_ns = sw->stop.pause_ns;
	job->report->pauses_ns += sw->stop.pause_ns;
	*ret_verdict = verdict;
	if (verdict == HP_CHECK_CLEAN)
		return r < 0 ? r : 1;
	return 0;
}

/* Between two attempts: better knowledge, or a pause. */
static int
prepare_next(struct sw *sw, enum hp_check_verdict verdict, struct hp_err *err)
{
	struct timespec ts = { 0, (long)sw->backoff_ns };

	if (verdict == HP_CHECK_UNSURE)
		return hp_unwind_new(&sw->job->plan, &sw->job->unwind, err);
	if (verdict == HP_CHECK_MOVED)
		return hp_plan_reread_areas(&sw->job->plan, err);
	if (sw->stop.seen_cnt > sw->stop.cap)
		return make_room(sw, err);
	if (verdict == HP_CHECK_ACTIVE && sw->job->unwind == NULL) { /* for the stack in the message */
		int r = hp_unwind_new(&sw->job->plan, &sw->job->unwind, err);

		if (r < 0)
			return r;
	}
	(void)nanosleep(&ts, NULL);
	sw->backoff_ns = sw->backoff_ns * 2 > BACKOFF_LAST_NS ? BACKOFF_LAST_NS : sw->backoff_ns * 2;
	return 0;
}

static int
run(struct sw *sw, struct hp_err *err)
{
	struct hp_job *job = sw->job;
	int r;

	r = make_room(sw, err);
	if (r == 0)
		r = sw->to_new ? hp_plan_retire_gone(&job->plan, err) : 0;
	if (r == 0)
		r = touch_pages(&job->plan, err);
	if (r < 0)
		return r;
	for (;;) {
		enum hp_check_verdict verdict;

		r = attempt(sw, &verdict, err);
		if (r != 0)
			return r < 0 ? r : 0;
		if (!hp_proc_exists(job->plan.proc))
			return hp_err_set(err, HP_E_BUSY, "process %d ended meanwhile", job->plan.proc->pid);
		if (verdict != HP_CHECK_CLEAN)
			explain(sw, verdict, err);
		if (hp_now_ns() >= job->deadline_ns && !sw->check.all &&
		    (verdict == HP_CHECK_ACTIVE || verdict == HP_CHECK_UNSURE)) {
			/* once more, with an unwinder, to see everyone who is in the way */
			r = job->unwind == NULL ? hp_unwind_new(&job->plan, &job->unwind, err) : 0;
			if (r < 0)
				return r;
			sw->check.all = true;
			continue;
		}
		if (hp_now_ns() >= job->deadline_ns) {
			(void)hp_err_add(err, "no good moment within %" PRIu64 " ms in process %d (%s)",
			                 job->opts->timeout_ns / 1000000,
			                 job->plan.proc->pid, job->plan.proc->comm);
			return HP_E_BUSY;
		}
		r = prepare_next(sw, verdict, err);
		if (r < 0)
			return r;
	}
}

int
hp_switch(struct hp_job *job, bool to_new, struct hp_err *err)
{
	struct sw sw = { .job = job, .to_new = to_new, .backoff_ns = BACKOFF_FIRST_NS };
	int r = hp_replace_writes(&job->plan, err);

	if (r < 0)
		return r;
	sw.now = calloc(job->plan.writes_cnt + 1, HP_ARCH_JUMP_LEN);
	if (sw.now == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %zu entries", job->plan.writes_cnt);
	r = run(&sw, err);
	hp_stop_release(&sw.stop);
	hp_check_release(&sw.check);
	free(sw.now);
	if (r == 0) {
		hp_job_step(job, HP_STEP_SWITCHED);
		job->report->funcs_cnt = job->plan.rec.entries_cnt;
	}
	return r;
}
