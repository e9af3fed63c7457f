#include "applier/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct hp_live {
	struct hp_proc proc;
	struct hp_arena arena; /* of the records that were handed out */
	struct hp_areas areas; /* from the same moment */
	struct hp_recs recs;
};

int
hp_live_open(pid_t pid, struct hp_live **ret, struct hp_err *err)
{
	struct hp_live *live = calloc(1, sizeof(*live));
	int r;

	if (live == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	r = hp_proc_open(pid, &live->proc, err);
	if (r < 0) {
		free(live);
		return r;
	}
	*ret = live;
	return 0;
}

void
hp_live_close(struct hp_live *live)
{
	if (live == NULL)
		return;
	hp_proc_close(&live->proc);
	hp_arena_release(&live->arena);
	free(live);
}

const char *
hp_live_comm(const struct hp_live *live)
{
	return live->proc.comm;
}

int
hp_live_owner(const struct hp_live *live, struct hp_live_owner *ret, struct hp_err *err)
{
	static const char deleted[] = " (deleted)"; /* proc(5): behind the name of an executable that was removed */
	const struct hp_proc *proc = &live->proc;
	const size_t deleted_len = sizeof(deleted) - 1;
	struct hp_live_owner o = { .exe_inode = 0 };
	struct stat st;
	ssize_t len = readlinkat(proc->dir_fd, "exe", o.exe, sizeof(o.exe) - 1);

	if (len < 0 || hp_proc_ids(proc, "Uid", &o.uid, &o.euid) < 0 || hp_proc_ids(proc, "Gid", &o.gid, &o.egid) < 0)
		return hp_err_set(err, HP_E_BUSY, "process %d (%s): cannot tell whose it is and what it runs", proc->pid,
		                  proc->comm);
	if ((size_t)len > deleted_len && strcmp(o.exe + len - deleted_len, deleted) == 0)
		o.exe[(size_t)len - deleted_len] = '\0';
	if (fstatat(proc->dir_fd, "exe", &st, 0) == 0) {
		o.exe_dev = st.st_dev;
		o.exe_inode = st.st_ino;
	}
	*ret = o;
	return 0;
}

int
hp_live_records(struct hp_live *live, const struct hp_recs **ret, struct hp_err *err)
{
	int r;

	hp_arena_release(&live->arena);
	r = hp_proc_maps(&live->proc, &live->arena, &live->areas, err);
	if (r == 0)
		r = hp_recs_read(&live->proc, &live->areas, &live->arena, &live->recs, err);
	if (r == 0)
		*ret = &live->recs;
	return r;
}

/* What an entry of an applied record must hold: its redirection, or that of a later package on top. */
static const uint8_t *
top_of(const struct hp_recs *recs, const struct hp_rec *rec, const struct hp_rec_entry *e)
{
	const uint8_t *top = e->after;

	for (size_t i = 0; i < recs->cnt; i++) {
		const struct hp_rec *later = &recs->v[i];

		if (later->order <= rec->order || later->state != HP_REC_APPLIED)
			continue;
		for (uint32_t k = 0; k < later->entries_cnt; k++)
			if (later->entries[k].va == e->va && memcmp(later->entries[k].before, top, HP_ARCH_JUMP_LEN) == 0)
				top = later->entries[k].after;
	}
	return top;
}

/* A module that was unloaded has no entries to look at. */
static bool
holds(const struct hp_proc *proc, const struct hp_areas *areas, const struct hp_recs *recs, const struct hp_rec *rec)
{
	bool gone[HP_PKG_TARGETS_MAX];

	for (uint32_t t = 0; t < rec->targets_cnt; t++)
		gone[t] = hp_rec_target_gone(proc, areas, rec, t);
	for (uint32_t i = 0; i < rec->entries_cnt; i++) {
		const struct hp_rec_entry *e = &rec->entries[i];
		uint8_t now[HP_ARCH_JUMP_LEN];

		if (gone[e->target])
			continue;
		if (hp_proc_read(proc, e->va, now, sizeof(now), NULL) < 0)
			return false;
		if (rec->state == HP_REC_APPLIED && memcmp(now, top_of(recs, rec, e), sizeof(now)) != 0)
			return false;
		if ((rec->state == HP_REC_REVERTED || rec->state == HP_REC_REPLACED) && memcmp(now, e->after, sizeof(now)) == 0)
			return false;
	}
	return true;
}

bool
hp_live_record_holds(const struct hp_live *live, const struct hp_rec *rec)
{
	return holds(&live->proc, &live->areas, &live->recs, rec);
}

bool
hp_live_record_unloaded(const struct hp_live *live, const struct hp_rec *rec)
{
	for (uint32_t t = 0; t < rec->targets_cnt && rec->state == HP_REC_APPLIED; t++)
		if (hp_rec_target_gone(&live->proc, &live->areas, rec, t))
			return true;
	return false;
}

int
hp_live_runs(struct hp_live *live, const struct hp_verified_pkg *pkg, struct hp_err *err)
{
	struct hp_arena arena = { 0 };
	struct hp_modules mods;
	struct hp_areas areas;
	size_t found = 0;
	int r = hp_proc_maps(&live->proc, &arena, &areas, err);

	if (r == 0)
		r = hp_modules_read(&live->proc, &areas, &arena, &mods, err);
	for (size_t i = 0; i < pkg->pkg.man->targets_cnt && r == 0; i++) {
		const struct hp_module *mod;

		/* twice: it is there, and apply will say so */
		found += hp_modules_find(&mods, &pkg->pkg.man->targets[i], &mod, NULL) != 0;
	}
	if (r == 0)
		r = found == 0 ? 0 : found == pkg->pkg.man->targets_cnt ? 1 : 2;
	hp_arena_release(&arena);
	return r;
}

static int
begin(struct hp_live *live, const struct hp_verified_pkg *pkg, bool to_revert, bool calls, const struct hp_live_opts *opts,
      struct hp_live_report *report, struct hp_job *ret, struct hp_err *err)
{
	int r;

	*report = (struct hp_live_report){ 0 };
	*ret = (struct hp_job){ .opts = opts, .report = report, .deadline_ns = hp_now_ns() + opts->timeout_ns,
		                .how = { to_revert, opts->verify, opts->verify_arg } };
	r = hp_proc_check(&live->proc, calls, err);
	if (r < 0)
		return r;
	r = hp_plan_make(&live->proc, pkg, &ret->how, &ret->plan, err);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < ret->plan.rec.targets_cnt; i++) {
		report->payload_len += ret->plan.rec.targets[i].payload_len;
		report->modules[i].start = ret->plan.targets[i].mod != NULL ? ret->plan.targets[i].mod->start : 0;
	}
	report->funcs_cnt = ret->plan.rec.entries_cnt;
	report->replaced_cnt = ret->plan.replaced_cnt;
	for (size_t i = 0; i < ret->plan.replaced_cnt && i < HP_LIVE_REPLACED_MAX; i++)
		memcpy(report->replaced[i], ret->plan.replaced[i].rec.id, HP_PKG_ID_LEN);
	for (uint32_t i = 0; i < ret->plan.rec.vars_cnt; i++)
		report->adopted_cnt += ret->plan.adopted[i] != 0;
	return 0;
}

static void
finish(struct hp_job *job)
{
	for (uint32_t i = 0; i < job->plan.rec.targets_cnt; i++)
		job->report->modules[i].payload_va = job->plan.rec.targets[i].payload_va;
	hp_unwind_free(job->unwind);
	hp_plan_release(&job->plan);
}

/* Memory must bear out what the record says. */
static int
already(struct hp_live *live, struct hp_job *job, struct hp_err *err)
{
	const struct hp_rec *old = job->plan.old;
	int r = hp_plan_adopt_old(&job->plan, err);

	if (r < 0)
		return r;
	if (!holds(&live->proc, &job->plan.areas, &job->plan.recs, old))
		return hp_err_set(err, HP_E_BUSY,
		                  "process %d (%s): the record says %s, but not every entry is so: changed by someone else",
		                  live->proc.pid, live->proc.comm, hp_rec_state_name(old->state));
	job->report->already = true;
	/* An unwinder that was loaded since (by a library, by backtrace() or pthread_cancel()) does not know the payload yet. */
	r = job->opts->dry_run ? 0 : hp_ehreg_prepare(job, err);
	if (r == 0 && !job->opts->dry_run)
		r = hp_ehreg_add(job, err);
	return r;
}

static void
note_trouble(struct hp_job *job, const struct hp_err *err)
{
	hp_err_format(err, job->report->trouble, sizeof(job->report->trouble));
}

/* Hooks that run when nothing can be cancelled any more. */
static void
run_late(struct hp_job *job, const char *when)
{
	struct hp_err err = { 0 };
	size_t cnt;

	job->deadline_ns = hp_now_ns() + job->opts->timeout_ns;
	if (hp_hooks_run(job, when, &cnt, &err) < 0)
		note_trouble(job, &err);
}

/* The hooks before, the switch, the hooks after it. Where the switch cannot be made after the hooks before it have run, those
 * that tidy up after a revert undo them. */
static int
apply_with_hooks(struct hp_job *job, struct hp_err *err)
{
	size_t done;
	int r = hp_hooks_run(job, HP_HOOK_PRE_APPLY, &done, err);

	if (r == 0) {
		if (done > 0)
			hp_job_step(job, HP_STEP_HOOKED);
		r = hp_rec_refresh(job->plan.proc, &job->plan.rec, err);
	}
	if (r == 0)
		r = hp_switch(job, true, err);
	if (r == 0)
		run_late(job, HP_HOOK_POST_APPLY);
	else if (r != HP_E_UNDO && done > 0)
		run_late(job, HP_HOOK_POST_REVERT);
	if (r < 0 && job->report->trouble[0] != '\0')
		(void)hp_err_add(err, "and then: %s", job->report->trouble);
	return r;
}

/* A switch that was interrupted: the hooks before it have run already. */
static int
complete(struct hp_job *job, bool to_new, const char *late, struct hp_err *err)
{
	int r = hp_switch(job, to_new, err);

	if (r == 0)
		run_late(job, late);
	return r;
}

static int
apply_new(struct hp_job *job, struct hp_err *err)
{
	struct hp_err undo_err = { 0 };
	int r, undo;

	r = hp_install(job, err);
	if (r == 0)
		r = apply_with_hooks(job, err);
	if (r == 0 || r == HP_E_UNDO)
		return r;
	if (job->abandoned) {
		(void)hp_err_add(err, "the payload stays mapped, not in use: what ran in the process may still need it");
		return r;
	}
	undo = hp_install_undo(job, &undo_err);
	if (undo == HP_E_BUSY) /* no thread to be had: harmless, and the record says "prepared", so that the next apply uses it */
		(void)hp_err_add(err, "the payload stays mapped, not in use");
	else if (undo < 0)
		return hp_err_set(err, HP_E_UNDO, "a payload that is not in use stays mapped in process %d: %s",
		                  job->plan.proc->pid,
		                  undo_err.frame[0].text);
	return r;
}

/* A module was loaded anew: the payload gets all its bytes again. From here on the record says so; entries of other modules are
 * still redirected, if there are any. */
static int
begin_anew(struct hp_job *job, struct hp_err *err)
{
	struct hp_plan *plan = &job->plan;
	int r = hp_rec_refresh(plan->proc, &plan->rec, err);

	if (r == 0)
		r = hp_rec_set_state(plan->proc, &plan->rec,
		                     plan->gone_cnt == plan->rec.targets_cnt ? HP_REC_BUILDING : HP_REC_SWITCHING, err);
	return r;
}

/* A payload is there from before: reverted, or left by an hpbuild that was killed, or its module was unloaded. */
static int
reapply(struct hp_job *job, struct hp_err *err)
{
	enum hp_rec_state was = job->plan.old->state;
	bool interrupted = was == HP_REC_SWITCHING || was == HP_REC_REVERTING,
	     unused = was == HP_REC_BUILDING || was == HP_REC_PREPARED;
	int r = hp_plan_adopt_old(&job->plan, err);

	if (r < 0 && r != HP_E_NOMEM && (unused || job->plan.gone_cnt == job->plan.rec.targets_cnt)) {
		hp_plan_forget_old(&job->plan);
		return apply_new(job, err);
	}
	if (r == 0 && job->plan.gone_cnt > 0)
		r = begin_anew(job, err);
	if (r == 0)
		r = hp_bind_run(job, err);
	if (r < 0)
		return r;
	r = hp_install_refill(job, err);
	if (r == 0)
		r = hp_ehreg_prepare(job, err);
	if (r == 0)
		r = hp_ehreg_add(job, err);
	if (r == 0)
		hp_job_step(job, HP_STEP_FILLED);
	if (r == 0 && !interrupted)
		r = apply_with_hooks(job, err);
	else if (r == 0)
		r = complete(job, true, HP_HOOK_POST_APPLY, err);
	job->report->reused = true;
	job->report->completed = r == 0 && interrupted;
	return r;
}

static int
apply(struct hp_live *live, const struct hp_verified_pkg *pkg, const struct hp_live_opts *opts,
      struct hp_live_report *ret, struct hp_err *err)
{
	uint64_t began = hp_now_ns();
	struct hp_job job;
	bool applied;
	int r;

	r = begin(live, pkg, false, true, opts, ret, &job, err);
	if (r < 0)
		return r;
	applied = job.plan.old != NULL && job.plan.old->state == HP_REC_APPLIED && job.plan.gone_cnt == 0;
	r = hp_plan_allow(&job.plan, opts->allow, opts->allow_cnt, err);
	if (r == 0 && !applied)
		r = hp_bind_find(&job.plan, job.deadline_ns, err);
	for (size_t i = 0; r == 0 && !applied && i < pkg->pkg.man->targets_cnt; i++)
		ret->imports_cnt += pkg->pkg.man->targets[i].imports_cnt;
	if (r == 0)
		hp_job_step(&job, HP_STEP_PLANNED);
	if (r == 0 && applied)
		r = already(live, &job, err);
	else if (r == 0 && !opts->dry_run)
		r = job.plan.old != NULL ? reapply(&job, err) : apply_new(&job, err);
	else if (r == 0)
		ret->hooks_cnt = hp_hooks_cnt(&job, HP_HOOK_PRE_APPLY) + hp_hooks_cnt(&job, HP_HOOK_POST_APPLY);
	finish(&job);
	ret->total_ns = hp_now_ns() - began;
	return r;
}

/* They are called on a thread of the process, which may be under seccomp. */
static bool
has_revert_hooks(const struct hp_verified_pkg *pkg)
{
	for (size_t t = 0; t < pkg->pkg.man->targets_cnt; t++)
		for (size_t i = 0; i < pkg->pkg.man->targets[t].hooks_cnt; i++) {
			const char *when = pkg->pkg.man->targets[t].hooks[i].when;

			if (strcmp(when, HP_HOOK_PRE_REVERT) == 0 || strcmp(when, HP_HOOK_POST_REVERT) == 0)
				return true;
		}
	return false;
}

static int
revert_with_hooks(struct hp_job *job, struct hp_err *err)
{
	size_t done;
	int r = hp_hooks_run(job, HP_HOOK_PRE_REVERT, &done, err);

	if (r == 0 && done > 0)
		hp_job_step(job, HP_STEP_HOOKED);
	return r == 0 ? complete(job, false, HP_HOOK_POST_REVERT, err) : r;
}

static int
revert(struct hp_live *live, const struct hp_verified_pkg *pkg, const struct hp_live_opts *opts,
       struct hp_live_report *ret, struct hp_err *err)
{
	uint64_t began = hp_now_ns();
	enum hp_rec_state was;
	struct hp_job job;
	int r;

	r = begin(live, pkg, true, has_revert_hooks(pkg), opts, ret, &job, err);
	if (r < 0)
		return r;
	if (job.plan.old == NULL) {
		size_t bad = job.plan.recs.bad_cnt;

		finish(&job);
		if (bad > 0)
			return hp_err_set(err, HP_E_BUSY, "process %d (%s) has a record that cannot be read", live->proc.pid,
			                  live->proc.comm);
		return hp_err_set(err, HP_E_NOTHING, "the package is not applied to process %d (%s)", live->proc.pid,
		                  live->proc.comm);
	}
	was = job.plan.old->state;
	hp_job_step(&job, HP_STEP_PLANNED);
	if (was == HP_REC_REVERTED || was == HP_REC_REPLACED || was == HP_REC_PREPARED || was == HP_REC_BUILDING) {
		ret->already = true;
	} else {
		r = hp_plan_adopt_old(&job.plan, err);
		if (r == 0 && opts->dry_run)
			ret->hooks_cnt = hp_hooks_cnt(&job, HP_HOOK_PRE_REVERT) + hp_hooks_cnt(&job, HP_HOOK_POST_REVERT);
		else if (r == 0 && job.plan.rec.entries_cnt == 0) /* nothing is left of it but the record */
			r = hp_rec_set_state(&live->proc, &job.plan.rec, HP_REC_REVERTED, err);
		else if (r == 0 && was == HP_REC_APPLIED)
			r = revert_with_hooks(&job, err);
		else if (r == 0)
			r = complete(&job, false, HP_HOOK_POST_REVERT, err);
		ret->unloaded = job.plan.gone_cnt > 0;
		ret->completed = r == 0 && was != HP_REC_APPLIED;
	}
	finish(&job);
	ret->total_ns = hp_now_ns() - began;
	return r;
}

/* A process that ends while we look at it seems to lack this or that; what is true is that it is gone. */
static int
or_gone(const struct hp_live *live, int r, struct hp_err *err)
{
	if (r >= 0 || r == HP_E_UNDO || hp_proc_exists(&live->proc))
		return r;
	return hp_err_set(err, HP_E_BUSY, "process %d (%s) ended meanwhile", live->proc.pid, live->proc.comm);
}

int
hp_live_apply(struct hp_live *live, const struct hp_verified_pkg *pkg, const struct hp_live_opts *opts,
              struct hp_live_report *ret, struct hp_err *err)
{
	return or_gone(live, apply(live, pkg, opts, ret, err), err);
}

int
hp_live_revert(struct hp_live *live, const struct hp_verified_pkg *pkg, const struct hp_live_opts *opts,
               struct hp_live_report *ret, struct hp_err *err)
{
	return or_gone(live, revert(live, pkg, opts, ret, err), err);
}
