/* A module that was unloaded after it was patched (dlclose), and perhaps loaded again, there or elsewhere.
 *
 * Writing a redirection gives the process a private copy of that page of code, which lives as long as the mapping does. A module
 * that was loaded anew, even at the same address, has the file's pages again. So the pages tell what the bytes alone do not:
 * whether what a record says is about the module that is there now.
 */
#include "applier/plan.h"

#include <sys/mman.h>

#include "base/escape.h"

static bool
is_patched_page(const struct hp_proc *proc, const struct hp_areas *areas, uint64_t va)
{
	const struct hp_area *a = hp_area_at(areas, va);

	return a != NULL && (a->prot & PROT_EXEC) && hp_proc_is_private(proc, va) != 0;
}

bool
hp_rec_target_gone(const struct hp_proc *proc, const struct hp_areas *areas, const struct hp_rec *rec, uint32_t target)
{
	bool any = false;

	if (rec->state == HP_REC_BUILDING || rec->state == HP_REC_PREPARED)
		return false; /* its pages were not written to yet */
	for (uint32_t i = 0; i < rec->entries_cnt; i++) {
		if (rec->entries[i].target != target)
			continue;
		any = true;
		if (is_patched_page(proc, areas, rec->entries[i].va))
			return false;
	}
	return any;
}

int
hp_plan_mark_gone(struct hp_plan *plan, struct hp_err *err)
{
	uint32_t cnt = (uint32_t)plan->pkg->pkg.man->targets_cnt;

	for (uint32_t t = 0; plan->old != NULL && t < cnt && t < plan->old->targets_cnt; t++) {
		const struct hp_module *mod = plan->targets[t].mod;
		bool gone = hp_rec_target_gone(plan->proc, &plan->areas, plan->old, t);

		/* Not found although it is there: its headers could not be read, or are others now. */
		if (mod == NULL && !gone)
			return hp_err_set(err, HP_E_BASELINE, "process %d (%s): module '%s' that was patched is not found",
			                  plan->proc->pid, plan->proc->comm, hp_esc(plan->targets[t].man->name));
		plan->targets[t].gone = gone || mod->bias != plan->old->targets[t].bias;
		plan->gone_cnt += plan->targets[t].gone;
	}
	return 0;
}

/* Once this package has its redirections in those pages they do not tell any more. */
int
hp_plan_retire_gone(struct hp_plan *plan, struct hp_err *err)
{
	int r = 0;

	for (size_t i = 0; i < plan->recs.cnt && r == 0; i++) {
		struct hp_rec *other = &plan->recs.v[i];
		bool all = other != plan->old && other != plan->drop && other->targets_cnt > 0;

		for (uint32_t t = 0; t < other->targets_cnt && all; t++)
			all = hp_rec_target_gone(plan->proc, &plan->areas, other, t);
		if (all)
			r = hp_rec_set_state(plan->proc, other, HP_REC_BUILDING, err);
	}
	return r;
}
