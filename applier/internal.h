/* What the applier's own files share. */
#ifndef HP_APPLIER_INTERNAL_H
#define HP_APPLIER_INTERNAL_H

#include "applier/applier.h"
#include "applier/inject.h"
#include "applier/plan.h"
#include "applier/unwind.h"

/* One apply or revert under way. */
struct hp_job {
	struct hp_plan_how how;
	struct hp_plan plan;
	const struct hp_live_opts *opts;
	struct hp_live_report *report;
	uint64_t deadline_ns;
	struct hp_unwind *unwind; /* made when it is needed for the first time */
	struct hp_unwinder unwinders[HP_UNWINDERS_MAX];
	size_t unwinders_cnt;
	bool abandoned;           /* the payload stays mapped: a hook did not come back, and who knows what it has left there; or
	                           * a thread still is in a function that it was to call, and may return into the payload */
};

static inline void
hp_job_step(const struct hp_job *job, enum hp_step step)
{
	if (job->opts->on_step != NULL)
		job->opts->on_step(job->opts->on_step_arg, step);
}

static inline void
hp_job_note_borrow(struct hp_job *job, const struct hp_borrow *b)
{
	job->abandoned |= b->hold.left_alone;
	job->report->borrows++;
	if (b->time_ns > job->report->borrow_ns)
		job->report->borrow_ns = b->time_ns;
}

/* install.c: map payloads and record (one borrowed thread), fill them. On failure the process is as before. */
HP_MUST_CHECK int hp_install(struct hp_job *job, struct hp_err *err);
/* hp_install_refill(job, err): a payload that is mapped already gets the bytes it must have; variables are left as they are. */
HP_MUST_CHECK int hp_install_refill(struct hp_job *job, struct hp_err *err);
/* hp_install_undo(job, err): unmap what hp_install() mapped. */
HP_MUST_CHECK int hp_install_undo(struct hp_job *job, struct hp_err *err);

/* orphan.c: payloads without a record. */
#define HP_ORPHAN_TAG_LEN 56u
#define HP_ORPHANS_MAX 16u
struct hp_orphans {
	uint64_t va[HP_ORPHANS_MAX], len[HP_ORPHANS_MAX];
	unsigned cnt;
};
/* hp_orphan_tag(rec, len, ret): the first bytes of a payload of ${len} bytes that is not filled yet. They begin with the name of
 * the record, and a zero. */
void hp_orphan_tag(const struct hp_rec *rec, uint64_t len, uint8_t ret[HP_ORPHAN_TAG_LEN]);
void hp_orphans_find(const struct hp_plan *plan, struct hp_orphans *ret);
HP_MUST_CHECK int hp_orphans_unmap(struct hp_borrow *b, const struct hp_plan *plan, const struct hp_orphans *orphans,
                                   struct hp_err *err);

/* bind.c: hp_bind_run(job, err): with payloads mapped, let a thread of the target run the resolvers of imported IFUNCs, and bind
 * the plan again. The target is as before afterwards. */
HP_MUST_CHECK int hp_bind_run(struct hp_job *job, struct hp_err *err);

/* switch.c: stop all threads, check them, write all entries one way, resume. ${to_new} false: revert. On failure all entries
 * are as before, or HP_E_UNDO. */
HP_MUST_CHECK int hp_switch(struct hp_job *job, bool to_new, struct hp_err *err);

/* ehreg.c: the payload's call frame information and the unwinders of the process.
 * hp_ehreg_prepare(job, err): find them, when the payload has any; before the payload is placed. */
HP_MUST_CHECK int hp_ehreg_prepare(struct hp_job *job, struct hp_err *err);
/* hp_ehreg_add(job, err): the payload is filled: register what is not registered yet. HP_E_BUSY: no thread that can do it. */
HP_MUST_CHECK int hp_ehreg_add(struct hp_job *job, struct hp_err *err);
/* hp_ehreg_borrow(job, deadline_ns, ret, err): borrow a thread that may call functions of the target. */
HP_MUST_CHECK int hp_ehreg_borrow(struct hp_job *job, uint64_t deadline_ns, struct hp_borrow *ret, struct hp_err *err);
/* hp_ehreg_remove(job, err): before the payload is unmapped. */
HP_MUST_CHECK int hp_ehreg_remove(struct hp_job *job, struct hp_err *err);

/* run_hooks.c: functions of the payload that the patch's author wants to be called, on a thread that is proven outside of
 * allocator, dynamic linker, unwinder and all payloads. hp_hooks_cnt(job, when): how many the package has. hp_hooks_run(job,
 * when, ret_cnt, err): call those of one moment, in order. *ret_cnt: how many returned 0. HP_E_UNPATCHABLE: one returned another
 * value, crashed, or did not return in time; HP_E_BUSY: no thread. */
size_t hp_hooks_cnt(const struct hp_job *job, const char *when);
HP_MUST_CHECK int hp_hooks_run(struct hp_job *job, const char *when, size_t *ret_cnt, struct hp_err *err);

#endif
