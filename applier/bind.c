/* New imports: what their words in the payload must hold. Looked up while the target runs and before anything in it is touched;
 * only the resolvers of IFUNCs wait until there is a payload, because a thread of the target must run them. */
#include "applier/internal.h"
#include "applier/linkmap.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/le.h"

#define ROUND_NS 2000000 /* between two tries while libraries come and go */
#define REFUSALS 3u      /* a refusal counts when it comes this often in a row: the list may have changed under the look-up */

/* One try: mappings, modules and list are read anew, for the plan's may be older than the newest library. */
struct binding {
	struct hp_plan *plan;
	struct hp_areas areas;
	struct hp_modules mods;
	struct hp_linkmap lm;
};

/* References to an import that are all weak may stay 0. */
static bool
is_weak(const struct hp_plan_target *t, uint32_t import)
{
	for (uint32_t i = 0; i < t->fixups_cnt; i++) {
		struct hp_fixup f = hp_fixup_get(t->fixups, i);

		if (f.kind == HP_KIND_IMPORT && f.import == import && f.target != HP_FIXUP_WEAK)
			return false;
	}
	return true;
}

/* The symbol tables are the target's word; an address that they give must at least lie where such a thing can be. */
static bool
is_sound(const struct binding *b, const struct hp_binding *found)
{
	const struct hp_area *a = hp_area_at(&b->areas, found->va);
	bool code = found->sym.type == STT_FUNC || found->sym.type == STT_GNU_IFUNC;

	if (found->sym.shndx == SHN_ABS)
		return true;
	return a != NULL && hp_modules_at(&b->mods, found->va) == b->lm.v[found->lmap].mod &&
	       (a->prot & (code ? PROT_EXEC : PROT_READ)) != 0;
}

/* The module of the package that brings the import along, NULL = none. */
static const struct hp_plan_target *
peer_of(const struct hp_plan *plan, const struct hp_plan_target *t, uint32_t import)
{
	for (uint32_t i = 0; i < t->fixups_cnt; i++) {
		struct hp_fixup f = hp_fixup_get(t->fixups, i);

		if (f.kind == HP_KIND_PEER && f.import == import)
			return &plan->targets[f.module];
	}
	return NULL;
}

/* Does the dynamic linker look into module ${which} for references of module ${from}? */
static bool
is_in_scope(const struct hp_linkmap *lm, uint32_t from, uint32_t which)
{
	if (which == HP_LMAP_NONE || lm->v[which].startup)
		return which != HP_LMAP_NONE;
	for (uint32_t i = 0; i < lm->v[from].own_cnt; i++)
		if (lm->v[from].own[i] == which)
			return true;
	return false;
}

/* A function that the package adds to another module: the dynamic linker would bind it there if that module is looked into, and
 * no other one has the name. ${found}: who has it, NULL = nobody. 1: it is that; 0: an import of another kind. */
static int
check_peer(const struct hp_plan *plan, const struct hp_plan_target *t, uint32_t import, const struct hp_linkmap *lm,
           uint32_t from, const struct hp_binding *found, struct hp_err *err)
{
	const struct hp_plan_target *peer = peer_of(plan, t, import);
	const char *name = t->man->imports[import].name;

	if (peer == NULL)
		return 0;
	if (found != NULL)
		return hp_err_set(err, HP_E_UNPATCHABLE,
		                  "process %d (%s): the package adds '%s' to '%s', but module '%s' has something of that name",
		                  plan->proc->pid, plan->proc->comm, hp_esc(name), hp_esc(peer->man->name),
		                  hp_esc(lm->v[found->lmap].name));
	if (!is_in_scope(lm, from, hp_linkmap_of(lm, peer->mod)))
		return hp_err_set(err, HP_E_UNPATCHABLE,
		                  "process %d (%s): the package adds '%s' to '%s', which is not in the scope of '%s'",
		                  plan->proc->pid, plan->proc->comm, hp_esc(name), hp_esc(peer->man->name), hp_esc(t->man->name));
	return 1;
}

static int
bind_one(const struct binding *b, struct hp_plan_target *t, uint32_t from, uint32_t idx, struct hp_err *err)
{
	const struct hp_plan *plan = b->plan;
	const struct hp_linkmap *lm = &b->lm;
	const struct hp_man_import *imp = &t->man->imports[idx];
	const char *at = imp->version[0] != '\0' ? "@" : "";
	struct hp_binding found;
	int r = hp_linkmap_find(lm, from, imp->name, imp->version[0] != '\0' ? imp->version : NULL, HP_DYN_BIND, &found, err);
	int peer;

	if (r < 0)
		return r;
	t->bound[idx] = (struct hp_bound){ 0 };
	peer = check_peer(plan, t, idx, lm, from, r > 0 ? &found : NULL, err);
	if (peer != 0)
		return peer < 0 ? peer : 0;
	if (r == 0 && is_weak(t, idx))
		return 0;
	if (r == 0)
		return hp_err_set(err, HP_E_UNPATCHABLE,
		                  "process %d (%s): import '%s%s%s': no module in the scope of '%s' defines it", plan->proc->pid,
		                  plan->proc->comm, hp_esc(imp->name), at, hp_esc(imp->version), hp_esc(t->man->name));
	if (found.sym.type == STT_TLS)
		return hp_err_set(err, HP_E_UNPATCHABLE, "process %d (%s): import '%s%s%s' is a thread-local variable in '%s'",
		                  plan->proc->pid, plan->proc->comm, hp_esc(imp->name), at, hp_esc(imp->version),
		                  hp_esc(lm->v[found.lmap].name));
	if (!is_sound(b, &found))
		return hp_err_set(err, HP_E_UNPATCHABLE, "process %d (%s): import '%s%s%s': module '%s' gives no sound address",
		                  plan->proc->pid, plan->proc->comm, hp_esc(imp->name), at, hp_esc(imp->version),
		                  hp_esc(lm->v[found.lmap].name));
	if (found.ifunc)
		t->bound[idx].resolver = found.va;
	else
		t->bound[idx].value = found.va;
	return 0;
}

static int
bind_target(struct binding *b, struct hp_plan_target *t, struct hp_err *err)
{
	struct hp_plan *plan = b->plan;
	uint32_t from = hp_linkmap_of(&b->lm, t->mod);
	int r;

	if (from == HP_LMAP_NONE)
		return hp_err_set(
			err, HP_E_UNPATCHABLE,
			"process %d (%s): new imports cannot be bound: module '%s' is not in the dynamic linker's first "
			"list (dlmopen, or a static program)",
			plan->proc->pid, plan->proc->comm, hp_esc(t->man->name));
	r = hp_linkmap_check(&b->lm, from, err);
	if (t->bound == NULL)
		t->bound = hp_arena_array(&plan->arena, t->man->imports_cnt, sizeof(*t->bound));
	if (t->bound == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for imports");
	for (uint32_t i = 0; i < t->man->imports_cnt && r == 0; i++)
		r = bind_one(b, t, from, i, err);
	return r;
}

/* 1: the list changed meanwhile. */
static int
bind_all(struct hp_plan *plan, struct hp_err *err)
{
	HP_AUTO(hp_arena) struct hp_arena arena = { 0 };
	struct binding b = { .plan = plan };
	int r = hp_proc_maps(plan->proc, &arena, &b.areas, err);

	if (r == 0)
		r = hp_modules_read(plan->proc, &b.areas, &arena, &b.mods, err);
	if (r < 0)
		return r;
	r = hp_linkmap_read(plan->proc, &b.mods, &arena, &b.lm, err);
	if (r < 0)
		return r == HP_E_BUSY ? 1 : r;
	for (size_t i = 0; i < plan->pkg->pkg.man->targets_cnt && r == 0; i++)
		if (plan->targets[i].man->imports_cnt > 0)
			r = bind_target(&b, &plan->targets[i], err);
	return hp_linkmap_same(&b.lm) ? r : 1;
}

int
hp_bind_find(struct hp_plan *plan, uint64_t deadline_ns, struct hp_err *err)
{
	struct timespec ts = { 0, ROUND_NS };
	unsigned refused = 0;
	size_t cnt = 0;
	int r;

	for (size_t i = 0; i < plan->pkg->pkg.man->targets_cnt; i++)
		cnt += plan->targets[i].man->imports_cnt;
	if (cnt == 0)
		return 0;
	for (;;) {
		r = bind_all(plan, err);
		refused = r == HP_E_UNPATCHABLE ? refused + 1 : 0;
		if (r == 0 || (r < 0 && r != HP_E_UNPATCHABLE) || refused == REFUSALS || hp_now_ns() > deadline_ns)
			break;
		(void)nanosleep(&ts, NULL);
	}
	if (r > 0)
		return hp_err_set(err, HP_E_BUSY, "process %d (%s) keeps loading or unloading libraries", plan->proc->pid,
		                  plan->proc->comm);
	return r;
}

/* The ELF header of a payload is code to the kernel and to nobody else: room for the piece that runs resolvers. */
static int
find_room(const struct hp_job *job, uint64_t *ret_va, struct hp_err *err)
{
	for (uint32_t i = 0; i < job->plan.rec.targets_cnt; i++) {
		const struct hp_image *img = &job->plan.targets[i].image;

		if (img->segs_cnt > 0 && img->segs[0].va == 0 && (img->segs[0].prot & PROT_EXEC) != 0 &&
		    img->segs[0].file_len >= HP_ARCH_RESULT_CODE_LEN) {
			*ret_va = job->plan.rec.targets[i].payload_va;
			return 0;
		}
	}
	return hp_err_set(err, HP_E_UNPATCHABLE, "the payload has no room to run the resolver of an IFUNC");
}

static int
run_resolver(struct hp_job *job, struct hp_borrow *b, uint64_t code_va, struct hp_bound *bound, struct hp_err *err)
{
	uint64_t where = hp_arch_frame_spare(&b->hold.frame);
	const uint64_t args[2] = { bound->resolver, where };
	const struct hp_area *a;
	uint8_t word[8];
	int r = hp_remote_func(b, code_va, args, err);

	if (r == 0)
		r = hp_proc_read(job->plan.proc, where, word, sizeof(word), err);
	if (r < 0)
		return hp_err_add(err, "running the resolver of an IFUNC at 0x%" PRIx64, bound->resolver);
	a = hp_area_at(&job->plan.areas, hp_le64_get(word));
	if (a == NULL || (a->prot & PROT_EXEC) == 0)
		return hp_err_set(err, HP_E_UNPATCHABLE,
		                  "process %d (%s): the resolver of an IFUNC at 0x%" PRIx64 " does not return a function",
		                  job->plan.proc->pid, job->plan.proc->comm, bound->resolver);
	bound->value = hp_le64_get(word);
	return 0;
}

static int
run_all(struct hp_job *job, struct hp_borrow *b, uint64_t code_va, struct hp_err *err)
{
	uint8_t code[HP_ARCH_RESULT_CODE_LEN], before[HP_ARCH_RESULT_CODE_LEN];
	int r = hp_proc_read(job->plan.proc, code_va, before, sizeof(before), err), restored;

	hp_arch_result_code(code);
	if (r == 0)
		r = hp_proc_write(job->plan.proc, code_va, code, sizeof(code), err);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < job->plan.rec.targets_cnt; i++) {
		struct hp_plan_target *t = &job->plan.targets[i];

		for (uint32_t k = 0; k < t->man->imports_cnt && r == 0; k++)
			if (t->bound[k].resolver != 0)
				r = run_resolver(job, b, code_va, &t->bound[k], err);
	}
	if (b->hold.left_alone) /* a resolver still runs, and returns into that code */
		return r;
	restored = hp_proc_write(job->plan.proc, code_va, before, sizeof(before), r == 0 ? err : NULL);
	return r < 0 ? r : restored;
}

int
hp_bind_run(struct hp_job *job, struct hp_err *err)
{
	struct hp_borrow b;
	uint64_t code_va = 0;
	bool any = false;
	int r, ended;

	for (uint32_t i = 0; i < job->plan.rec.targets_cnt; i++)
		for (uint32_t k = 0; k < job->plan.targets[i].man->imports_cnt; k++)
			any = any || job->plan.targets[i].bound[k].resolver != 0;
	if (!any)
		return 0;
	r = find_room(job, &code_va, err);
	if (r == 0)
		r = hp_ehreg_borrow(job, job->deadline_ns, &b, err);
	if (r < 0)
		return r;
	r = run_all(job, &b, code_va, err);
	ended = hp_borrow_end(&b, r < 0 ? NULL : err);
	hp_job_note_borrow(job, &b);
	if (r == 0)
		r = ended;
	return r == 0 ? hp_plan_bind(&job->plan, err) : r;
}
