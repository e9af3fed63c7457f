/* The plan: everything that is found out and computed before the target is touched.
 *
 * A plan owns its arena; areas, modules, records and entries live in it. It keeps pointers into the verified package and to the
 * process, both of which must outlive it.
 */
#ifndef HP_APPLIER_PLAN_H
#define HP_APPLIER_PLAN_H

#include "applier/module.h"
#include "applier/place.h"
#include "applier/proc.h"
#include "applier/record.h"
#include "formats/image.h"
#include "formats/verified.h"

/* A new import of a target, see bind.c. */
struct hp_bound {
	uint64_t value;    /* its address; 0 = nobody has it, or the resolver has not run yet */
	uint64_t resolver; /* of an IFUNC, 0 = it is none */
};

struct hp_plan_target {
	const struct hp_man_target *man;
	const struct hp_module *mod; /* NULL: not loaded (only in a plan to revert) */
	bool gone; /* what plan->old says of this target is about a module that was unloaded since, also if it was loaded anew */
	struct hp_image image;
	struct hp_view fixups;
	uint32_t fixups_cnt;
	uint32_t vars_first;     /* index of its first variable in hp_plan.rec.vars */
	struct hp_window window; /* where the payload may go */
	struct hp_bound *bound;  /* one for each import; NULL = not looked up: nothing is going to be filled in */
	uint8_t *mem;            /* image.mem_len bytes: what the payload must look like in memory; set by hp_plan_bind() */
};

/* A replaced function as the stack check sees it. */
struct hp_plan_range {
	uint64_t lo, hi;  /* run-time range of the old body */
	uint64_t entry;   /* the redirection covers [entry, entry + HP_ARCH_JUMP_LEN); 0 = nothing is overwritten here */
	const char *name; /* untrusted */
	bool may_be_active; /* only the overwritten bytes matter */
};

/* One place that the switch writes. */
struct hp_plan_write {
	uint64_t va;
	uint8_t off[HP_REC_CODE_LEN]; /* without the package */
	uint8_t on[HP_REC_CODE_LEN];  /* with it; the same where a replaced package had more functions */
	const char *name;             /* of the function, untrusted */
};

struct hp_plan_how {
	bool revert; /* else apply */
	/* The package inside a record; NULL: cannot be had, so nothing can be replaced. See hp_live_opts. */
	int (*verify)(const void *arg, const struct hp_rec *rec, struct hp_verified_pkg **ret, struct hp_err *err);
	const void *verify_arg;
};

struct hp_plan {
	struct hp_arena arena;
	const struct hp_proc *proc;
	const struct hp_verified_pkg *pkg;
	struct hp_areas areas;
	struct hp_modules mods;
	struct hp_recs recs;
	struct hp_plan_target *targets; /* as many as the manifest has */
	struct hp_rec rec;              /* what will be recorded; entries as they will be written */
	struct hp_plan_range *ranges;   /* rec.entries_cnt, ascending, same order as rec.entries */
	struct hp_plan_range *bodies;   /* what the stack check looks for, ascending: ranges, and the bodies that earlier packages
	                                 * put in their place */
	uint32_t bodies_cnt;
	struct hp_rec *old;             /* record of this package that the process has already, NULL = none */
	struct hp_rec *drop;            /* one that is of no use: unmapped when the new one is there */
	bool to_revert;                 /* modules may be missing, and entries of gone targets are left out */
	uint32_t gone_cnt;              /* of targets */
	const struct hp_plan_how *how;  /* NULL: the plan of a package that is replaced */
	struct hp_plan *replaced;       /* plans of the packages that this one replaces, ascending by order */
	size_t replaced_cnt;
	struct hp_verified_pkg *owned_pkg; /* of such a plan: released with it */
	uint64_t *adopted;              /* [rec.vars_cnt]: where a replaced package has the variable, 0 = it is new */
	struct hp_plan_write *writes;   /* ascending by va; set by hp_replace_writes() */
	size_t writes_cnt;
};

/* hp_plan_make(proc, pkg, how, ret, err): read maps, modules and records; find every target; check pre-images; find out what it
 * has to do with other packages. ${how} must outlive ${ret}. Released with hp_plan_release() on success only.
 * HP_E_BASELINE: module or pre-image is another; HP_E_UNPATCHABLE; HP_E_BUSY: foreign bytes in a function, process gone. */
HP_MUST_CHECK int hp_plan_make(const struct hp_proc *proc, const struct hp_verified_pkg *pkg, const struct hp_plan_how *how,
                               struct hp_plan *ret, struct hp_err *err);
void hp_plan_release(struct hp_plan *plan);

/* hp_plan_allow(plan, names, cnt, err): functions that may be active. HP_E_USAGE: no such function. */
HP_MUST_CHECK int hp_plan_allow(struct hp_plan *plan, const char *const *names, size_t cnt, struct hp_err *err);
/* hp_plan_reread_areas(plan, err): maps anew, after a race. Module pointers stay good. */
HP_MUST_CHECK int hp_plan_reread_areas(struct hp_plan *plan, struct hp_err *err);
/* hp_plan_var(plan, idx): what rec.vars[idx] is. */
const struct hp_man_var *hp_plan_var(const struct hp_plan *plan, uint32_t idx);
/* hp_plan_place_vars(plan): payloads have a place: set rec.vars[].va. */
void hp_plan_place_vars(struct hp_plan *plan);
/* hp_plan_bind(plan, err): with rec.targets[].payload_va set, compute fixups and redirections. HP_E_UNPATCHABLE: overflow. */
HP_MUST_CHECK int hp_plan_bind(struct hp_plan *plan, struct hp_err *err);
/* hp_plan_adopt_old(plan, err): take addresses and saved bytes from plan->old after comparing it with the manifest and with
 * the mappings of the process. HP_E_BUSY: it does not fit. */
HP_MUST_CHECK int hp_plan_adopt_old(struct hp_plan *plan, struct hp_err *err);
/* hp_plan_forget_old(plan): the old record is of no use: begin anew, after a failed hp_plan_adopt_old(). */
void hp_plan_forget_old(struct hp_plan *plan);
/* hp_plan_range_at(plan, va): the body that holds ${va}, NULL. O(log n). */
const struct hp_plan_range *hp_plan_range_at(const struct hp_plan *plan, uint64_t va);

/* gone.c: hp_rec_target_gone(proc, areas, rec, target): a record's redirections of this target are not in the process any more.
 * hp_plan_mark_gone(plan, err): which targets of plan->old that is true of. HP_E_BASELINE: one is neither there nor gone. */
bool hp_rec_target_gone(const struct hp_proc *proc, const struct hp_areas *areas, const struct hp_rec *rec, uint32_t target);
HP_MUST_CHECK int hp_plan_mark_gone(struct hp_plan *plan, struct hp_err *err);
/* hp_plan_retire_gone(plan, err): records of other packages whose modules are all gone: the next apply of theirs fills the
 * payload anew. */
HP_MUST_CHECK int hp_plan_retire_gone(struct hp_plan *plan, struct hp_err *err);

/* bind.c: hp_bind_find(plan, deadline_ns, err): look up the new imports of all targets as the dynamic linker would; the target is
 * not touched. HP_E_UNPATCHABLE: there is no such symbol, or it cannot be told which; HP_E_BUSY: libraries come and go. */
HP_MUST_CHECK int hp_bind_find(struct hp_plan *plan, uint64_t deadline_ns, struct hp_err *err);

/* ehreg.c: hp_ehreg_is_notes(plan, va): may be the unwinder's memory that an old record speaks of. */
bool hp_ehreg_is_notes(const struct hp_plan *plan, uint64_t va);

/* mem_preimage.c: hp_mem_preimage_check(plan, target, func, err): memory of a function, own redirections taken off, against
 * its digest. */
HP_MUST_CHECK int hp_mem_preimage_check(const struct hp_plan *plan, const struct hp_plan_target *target,
                                        const struct hp_man_func *func,
                                    struct hp_err *err);

#endif
