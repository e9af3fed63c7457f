#include "applier/plan.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "applier/arch.h"
#include "applier/replace.h"
#include "base/escape.h"

/* Narrow a target's window by one fixup whose value depends on the load address, or on its distance to a fixed one. */
static void
narrow_by_fixup(struct hp_window *w, const struct hp_fixup *f, bool moves, uint64_t value)
{
	switch (f->form) {
	case HP_FORM_ABS64:
		return;
	case HP_FORM_PC32:
		if (!moves)
			hp_window_pc32(w, f->place, value);
		return;
	case HP_FORM_ABS32:
		if (moves)
			hp_window_abs(w, (int64_t)value, 0, UINT32_MAX);
		return;
	case HP_FORM_ABS32S:
		if (moves)
			hp_window_abs(w, (int64_t)value, 0, INT32_MAX);
		return;
	}
}

/* Index in rec.vars of the variable that begins at ${payload}, UINT32_MAX = none. O(log n) */
static uint32_t
var_at(const struct hp_plan_target *t, uint64_t payload)
{
	size_t lo = 0, hi = t->man->vars_cnt;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (t->man->vars[mid].payload < payload)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < t->man->vars_cnt && t->man->vars[lo].payload == payload ? t->vars_first + (uint32_t)lo : UINT32_MAX;
}

/* Where the variable is known to live, which may be another package's payload: 0 = in this one, wherever that goes. */
static uint64_t
home_of(const struct hp_plan *plan, const struct hp_plan_target *t, const struct hp_fixup *f)
{
	uint32_t var = f->kind == HP_KIND_PAYLOAD ? var_at(t, f->target) : UINT32_MAX;

	if (var == UINT32_MAX)
		return 0;
	return plan->rec.vars[var].va != 0 ? plan->rec.vars[var].va : plan->adopted[var];
}

/* V, without the load address of the payload where *ret_moves: see formats/fixup.h. */
static int
fixup_value(const struct hp_plan *plan, const struct hp_plan_target *t, const struct hp_fixup *f, bool *ret_moves, uint64_t *ret,
            struct hp_err *err)
{
	const struct hp_module *mod = plan->targets[f->module].mod;
	uint8_t slot[8];
	int r;

	*ret_moves = f->kind == HP_KIND_PAYLOAD && home_of(plan, t, f) == 0;
	switch (f->kind) {
	case HP_KIND_PAYLOAD:
		*ret = (*ret_moves ? f->target : home_of(plan, t, f)) + (uint64_t)f->addend;
		return 0;
	case HP_KIND_MODULE:
		*ret = mod->bias + f->target + (uint64_t)f->addend;
		return 0;
	case HP_KIND_SLOT:
		r = hp_proc_read(plan->proc, mod->bias + f->target, slot, sizeof(slot), err);
		if (r < 0)
			return hp_err_add(err, "fixup at 0x%" PRIx64 ": slot 0x%" PRIx64, f->place, f->target);
		*ret = hp_le64_get(slot) + (uint64_t)f->addend;
		return 0;
	case HP_KIND_IMPORT: /* as wide as an address: it narrows nothing before it is known */
		if (f->import >= t->man->imports_cnt)
			break;
		*ret = (t->bound != NULL ? t->bound[f->import].value : 0) + (uint64_t)f->addend;
		return 0;
	case HP_KIND_PEER: /* likewise */
		*ret = (plan->rec.targets != NULL ? plan->rec.targets[f->module].payload_va : 0) + f->target +
		       (uint64_t)f->addend;
		return 0;
	case HP_KIND_TLS_MOD:
	case HP_KIND_TLS_OFF:
		break;
	}
	return hp_err_set(err, HP_E_UNPATCHABLE, "the payload needs a fixup of kind '%s', which this version does not apply",
	                  hp_fixup_kind_name(f->kind));
}

static int
check_func(const struct hp_man_func *f, struct hp_err *err)
{
	if (f->size < HP_ARCH_JUMP_LEN || f->entry < f->address || f->entry - f->address > f->size - HP_ARCH_JUMP_LEN)
		return hp_err_set(err, HP_E_UNPATCHABLE, "function '%s' of %" PRIu64 " bytes is too short for the redirection",
		                  hp_esc(f->name), f->size);
	return 0;
}

/* The module of a target. A plan to revert wants the one that was patched, and does without one that is not loaded any more. */
static int
find_module(struct hp_plan *plan, size_t idx, struct hp_err *err)
{
	const struct hp_man_target *man = plan->targets[idx].man;
	const struct hp_module **ret = &plan->targets[idx].mod;

	for (size_t i = 0; plan->to_revert && plan->old != NULL && idx < plan->old->targets_cnt && i < plan->mods.cnt; i++) {
		const struct hp_module *m = &plan->mods.v[i];

		if (m->bias == plan->old->targets[idx].bias && m->build_id_len == man->build_id_len &&
		    memcmp(m->build_id, man->build_id, man->build_id_len) == 0) {
			*ret = m;
			return 1;
		}
	}
	return plan->to_revert ? 0 : hp_modules_find(&plan->mods, man, ret, err);
}

/* A module of the package is not there. Another one that is there says that this process has a part of the baseline: all or
 * nothing. */
static int
missing(const struct hp_plan *plan, const struct hp_man_target *man, struct hp_err *err)
{
	const struct hp_manifest *all = plan->pkg->pkg.man;
	const struct hp_module *mod;

	for (size_t i = 0; i < all->targets_cnt; i++)
		if (&all->targets[i] != man && hp_modules_find(&plan->mods, &all->targets[i], &mod, NULL) != 0)
			return hp_err_set(
				err, HP_E_UNPATCHABLE,
				"process %d (%s) runs '%s' of the package, but '%s' is not loaded, or is another build: all "
				"modules of a package are patched, or none",
				plan->proc->pid, plan->proc->comm, hp_esc(all->targets[i].name), hp_esc(man->name));
	return hp_err_set(err, HP_E_BASELINE, "process %d (%s) does not run the build of '%s' that the package is for",
	                  plan->proc->pid, plan->proc->comm, hp_esc(man->name));
}

/* Module, image, pre-images. Needs all targets' modules for the next step, so fixups come later. */
static int
find_target(struct hp_plan *plan, size_t idx, struct hp_err *err)
{
	struct hp_plan_target *t = &plan->targets[idx];
	const struct hp_man_target *man = &plan->pkg->pkg.man->targets[idx];
	int r;

	t->man = man;
	if (strcmp(man->cpu, HP_ARCH_NAME) != 0)
		return hp_err_set(err, HP_E_UNPATCHABLE, "the package is for CPU '%s', this program patches " HP_ARCH_NAME,
		                  hp_esc(man->cpu));
	r = find_module(plan, idx, err);
	if (r < 0)
		return r;
	if (r == 0 && !plan->to_revert)
		return missing(plan, man, err);
	if (t->mod != NULL && t->mod->machine != HP_ARCH_ELF_MACHINE)
		return hp_err_set(err, HP_E_UNPATCHABLE, "module '%s' is for another CPU", hp_esc(man->name));
	r = hp_image_read(plan->pkg->pkg.payloads[idx].image, &t->image, err);
	if (r < 0)
		return r;
	t->fixups = plan->pkg->pkg.payloads[idx].fixups;
	t->fixups_cnt = (uint32_t)(t->fixups.len / HP_FIXUP_LEN);
	for (size_t i = 0; i < man->funcs_cnt && t->mod != NULL; i++) {
		r = check_func(&man->funcs[i], err);
		if (r == 0)
			r = hp_mem_preimage_check(plan, t, &man->funcs[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int
find_window(struct hp_plan *plan, struct hp_plan_target *t, struct hp_err *err)
{
	t->window = hp_window_all();
	for (uint32_t i = 0; i < t->fixups_cnt; i++) {
		struct hp_fixup f = hp_fixup_get(t->fixups, i);
		uint64_t value;
		bool moves;
		int r = fixup_value(plan, t, &f, &moves, &value, err);

		if (r < 0)
			return r;
		narrow_by_fixup(&t->window, &f, moves, value);
	}
	for (size_t i = 0; i < t->man->funcs_cnt; i++) {
		int64_t lo, hi;

		hp_arch_jump_reach(t->mod->bias + t->man->funcs[i].entry, &lo, &hi);
		hp_window_abs(&t->window, (int64_t)t->man->funcs[i].payload, lo, hi);
	}
	return 0;
}

static int
compare_entry(const void *a, const void *b)
{
	const struct hp_rec_entry *x = a, *y = b;

	return x->va < y->va ? -1 : x->va > y->va;
}

static const struct hp_man_func *
func_of(const struct hp_plan *plan, const struct hp_rec_entry *e)
{
	return &plan->targets[e->target].man->funcs[e->func];
}

/* Its entries are not there to be reverted. */
static bool
is_left_out(const struct hp_plan *plan, uint32_t target)
{
	return plan->to_revert && (plan->targets[target].mod == NULL || plan->targets[target].gone);
}

static int
list_entries(struct hp_plan *plan, struct hp_err *err)
{
	const struct hp_manifest *man = plan->pkg->pkg.man;
	struct hp_rec *rec = &plan->rec;
	size_t cnt = 0, n = 0;

	for (size_t t = 0; t < man->targets_cnt; t++)
		cnt += is_left_out(plan, (uint32_t)t) ? 0 : man->targets[t].funcs_cnt;
	rec->entries = hp_arena_array(&plan->arena, cnt, sizeof(*rec->entries));
	plan->ranges = hp_arena_array(&plan->arena, cnt, sizeof(*plan->ranges));
	if (rec->entries == NULL || plan->ranges == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %zu functions", cnt);
	rec->entries_cnt = (uint32_t)cnt;
	for (uint32_t t = 0; t < man->targets_cnt; t++) {
		if (is_left_out(plan, t))
			continue;
		for (uint32_t f = 0; f < man->targets[t].funcs_cnt; f++)
			rec->entries[n++] = (struct hp_rec_entry){
				.va = plan->targets[t].mod->bias + man->targets[t].funcs[f].entry, .target = t, .func = f,
			};
	}
	if (n > 1)
		qsort(rec->entries, n, sizeof(*rec->entries), compare_entry);
	for (size_t i = 0; i < n; i++) {
		const struct hp_man_func *f = func_of(plan, &rec->entries[i]);
		uint64_t bias = rec->targets[rec->entries[i].target].bias;
		int r;

		plan->ranges[i] = (struct hp_plan_range){ bias + f->address, bias + f->address + f->size, bias + f->entry,
		        f->name, false };
		if (i > 0 && plan->ranges[i - 1].hi > plan->ranges[i].lo)
			return hp_err_set(err, HP_E_FORMAT, "functions '%s' and '%s' overlap",
			                  hp_esc(plan->ranges[i - 1].name), hp_esc(f->name));
		r = hp_proc_read(plan->proc, rec->entries[i].va, rec->entries[i].before, HP_ARCH_JUMP_LEN, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int
compare_range(const void *a, const void *b)
{
	const struct hp_plan_range *x = a, *y = b;

	return x->lo < y->lo ? -1 : x->lo > y->lo;
}

/* Where a redirection of another package leads, and the end of that body: the next body of the same payload, or the payload's
 * end. */
static bool
body_of(const struct hp_rec *other, uint32_t idx, struct hp_plan_range *ret)
{
	const struct hp_rec_entry *e = &other->entries[idx];
	const struct hp_rec_target *t = &other->targets[e->target];
	uint64_t end = t->payload_va + t->payload_len, lo, next;

	if (!hp_arch_jump_target(e->va, e->after, &lo) || lo - t->payload_va >= t->payload_len)
		return false;
	for (uint32_t i = 0; i < other->entries_cnt; i++)
		if (hp_arch_jump_target(other->entries[i].va, other->entries[i].after, &next) && next > lo && next < end)
			end = next;
	ret->lo = lo;
	ret->hi = end;
	return true;
}

static void
add_body(struct hp_plan *plan, const struct hp_rec *other, uint32_t idx, const char *name)
{
	struct hp_plan_range *r = &plan->bodies[plan->bodies_cnt];

	*r = (struct hp_plan_range){ .name = name };
	plan->bodies_cnt += body_of(other, idx, r);
}

/* All that a replaced package has: its bodies, and the entries that go back to the original. */
static void
add_replaced(struct hp_plan *plan, const struct hp_plan *under)
{
	for (uint32_t i = 0; i < under->rec.entries_cnt; i++) {
		const struct hp_plan_range *range = &under->ranges[i];
		uint32_t k = 0;

		add_body(plan, &under->rec, i, range->name);
		while (k < plan->rec.entries_cnt && plan->rec.entries[k].va != under->rec.entries[i].va)
			k++;
		if (k < plan->rec.entries_cnt)
			continue;
		plan->bodies[plan->bodies_cnt] = *range;
		plan->bodies[plan->bodies_cnt++].may_be_active = true; /* it is not replaced, only its entry is written */
	}
}

/* A function that an earlier package replaced runs in the body of that one. Its record is the target's word, and only makes us
 * more careful. */
static void
add_earlier(struct hp_plan *plan, const struct hp_rec *other)
{
	uint32_t k = 0;

	for (uint32_t n = 0; n < plan->rec.entries_cnt; n++) { /* both lists ascend */
		while (k < other->entries_cnt && other->entries[k].va < plan->rec.entries[n].va)
			k++;
		if (k < other->entries_cnt && other->entries[k].va == plan->rec.entries[n].va)
			add_body(plan, other, k, plan->ranges[n].name);
	}
}

static int
list_bodies(struct hp_plan *plan, struct hp_err *err)
{
	uint32_t cnt = plan->rec.entries_cnt;
	size_t cap = cnt;

	/* What add_replaced() and add_earlier() add at most. By the packages' own numbers: those in the records are the target's
	 * word, which may be another one each time it is read. */
	for (size_t i = 0; i < plan->replaced_cnt; i++)
		cap += 2 * (size_t)plan->replaced[i].rec.entries_cnt;
	for (size_t i = 0; i < plan->recs.cnt; i++)
		cap += cnt < plan->recs.v[i].entries_cnt ? cnt : plan->recs.v[i].entries_cnt;
	plan->bodies = hp_arena_array(&plan->arena, cap, sizeof(*plan->bodies));
	if (plan->bodies == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %zu functions", cap);
	if (cnt > 0)
		memcpy(plan->bodies, plan->ranges, cnt * sizeof(*plan->bodies));
	plan->bodies_cnt = cnt;
	for (size_t i = 0; i < plan->replaced_cnt; i++)
		add_replaced(plan, &plan->replaced[i]);
	for (size_t i = 0; i < plan->recs.cnt; i++)
		if (&plan->recs.v[i] != plan->old && !hp_replace_has(plan, &plan->recs.v[i]))
			add_earlier(plan, &plan->recs.v[i]);
	if (plan->bodies_cnt > 1)
		qsort(plan->bodies, plan->bodies_cnt, sizeof(*plan->bodies), compare_range);
	return 0;
}

static void
look_at_records(struct hp_plan *plan)
{
	struct hp_rec *rec = &plan->rec;

	memcpy(rec->id, plan->pkg->pkg.id, HP_PKG_ID_LEN);
	rec->package = hp_buf_view(&plan->pkg->file);
	rec->time = (uint64_t)time(NULL);
	rec->order = 1;
	for (size_t i = 0; i < plan->recs.cnt; i++) {
		struct hp_rec *other = &plan->recs.v[i];

		if (other->order >= rec->order && other->order < UINT64_MAX)
			rec->order = other->order + 1;
		if (memcmp(other->id, rec->id, HP_PKG_ID_LEN) == 0)
			plan->old = other;
	}
}

static int
list_vars(struct hp_plan *plan, struct hp_err *err)
{
	const struct hp_manifest *man = plan->pkg->pkg.man;
	uint32_t cnt = 0;

	for (size_t t = 0; t < man->targets_cnt; t++)
		cnt += (uint32_t)man->targets[t].vars_cnt;
	plan->rec.vars = hp_arena_array(&plan->arena, cnt, sizeof(*plan->rec.vars));
	plan->adopted = hp_arena_array(&plan->arena, cnt, sizeof(*plan->adopted));
	plan->rec.targets = hp_arena_array(&plan->arena, man->targets_cnt, sizeof(*plan->rec.targets));
	if (plan->rec.vars == NULL || plan->adopted == NULL || plan->rec.targets == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %" PRIu32 " variables", cnt);
	plan->rec.targets_cnt = (uint32_t)man->targets_cnt;
	for (uint32_t t = 0; t < man->targets_cnt; t++) {
		plan->targets[t].vars_first = plan->rec.vars_cnt;
		plan->rec.targets[t].bias = is_left_out(plan, t) ? 0 : plan->targets[t].mod->bias;
		plan->rec.targets[t].payload_len = plan->targets[t].image.mem_len;
		for (uint32_t v = 0; v < man->targets[t].vars_cnt; v++)
			plan->rec.vars[plan->rec.vars_cnt++] = (struct hp_rec_var){ 0, t, v };
	}
	return 0;
}

const struct hp_man_var *
hp_plan_var(const struct hp_plan *plan, uint32_t idx)
{
	return &plan->targets[plan->rec.vars[idx].target].man->vars[plan->rec.vars[idx].var];
}

static uint64_t
own_place(const struct hp_plan *plan, uint32_t idx)
{
	return plan->rec.targets[plan->rec.vars[idx].target].payload_va + hp_plan_var(plan, idx)->payload;
}

void
hp_plan_place_vars(struct hp_plan *plan)
{
	for (uint32_t i = 0; i < plan->rec.vars_cnt; i++)
		plan->rec.vars[i].va = plan->adopted[i] != 0 ? plan->adopted[i] : own_place(plan, i);
}

/* Everything about the package itself: modules, variables, where the payload may go, entries, bodies. */
static int
look_at_package(struct hp_plan *plan, struct hp_err *err)
{
	size_t cnt = plan->pkg->pkg.man->targets_cnt;
	int r = 0;

	plan->targets = hp_arena_array(&plan->arena, cnt, sizeof(*plan->targets));
	if (plan->targets == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %zu targets", cnt);
	for (size_t i = 0; i < cnt && r == 0; i++)
		r = find_target(plan, i, err);
	if (r == 0)
		r = hp_plan_mark_gone(plan, err);
	if (r == 0)
		r = list_vars(plan, err);
	if (r == 0 && plan->how != NULL)
		r = hp_replace_find(plan, err);
	if (r == 0)
		r = hp_replace_adopt(plan, err);
	for (size_t i = 0; i < cnt && r == 0 && !plan->to_revert; i++)
		r = find_window(plan, &plan->targets[i], err);
	if (r == 0)
		r = list_entries(plan, err);
	if (r == 0 && plan->how != NULL)
		r = hp_replace_check(plan, err);
	if (r < 0)
		return r;
	hp_replace_originals(plan);
	return list_bodies(plan, err);
}

static int
make(struct hp_plan *plan, struct hp_err *err)
{
	int r;

	if (plan->pkg->pkg.man->restart_required)
		return hp_err_set(err, HP_E_REFUSED, "the package says that its fix needs a restart");
	r = hp_proc_maps(plan->proc, &plan->arena, &plan->areas, err);
	if (r == 0)
		r = hp_modules_read(plan->proc, &plan->areas, &plan->arena, &plan->mods, err);
	if (r == 0)
		r = hp_recs_read(plan->proc, &plan->areas, &plan->arena, &plan->recs, err);
	if (r < 0)
		return r;
	look_at_records(plan);
	return look_at_package(plan, err);
}

int
hp_plan_make(const struct hp_proc *proc, const struct hp_verified_pkg *pkg, const struct hp_plan_how *how, struct hp_plan *ret,
             struct hp_err *err)
{
	int r;

	*ret = (struct hp_plan){ .proc = proc, .pkg = pkg, .how = how, .to_revert = how == NULL || how->revert };
	r = make(ret, err);
	if (r < 0)
		hp_plan_release(ret);
	return r;
}

void
hp_plan_release(struct hp_plan *plan)
{
	for (uint32_t i = 0; plan->targets != NULL && i < plan->rec.targets_cnt; i++)
		free(plan->targets[i].mem);
	for (size_t i = 0; i < plan->replaced_cnt; i++)
		hp_plan_release(&plan->replaced[i]);
	hp_verified_pkg_free(plan->owned_pkg);
	hp_arena_release(&plan->arena);
	*plan = (struct hp_plan){ 0 };
}

int
hp_plan_allow(struct hp_plan *plan, const char *const *names, size_t cnt, struct hp_err *err)
{
	for (size_t n = 0; n < cnt; n++) {
		bool found = false;

		for (uint32_t i = 0; i < plan->bodies_cnt; i++)
			if (strcmp(plan->bodies[i].name, names[n]) == 0)
				plan->bodies[i].may_be_active = found = true;
		if (!found)
			return hp_err_set(err, HP_E_USAGE, "the package does not replace a function '%s'", hp_esc(names[n]));
	}
	return 0;
}

int
hp_plan_reread_areas(struct hp_plan *plan, struct hp_err *err)
{
	return hp_proc_maps(plan->proc, &plan->arena, &plan->areas, err);
}

const struct hp_plan_range *
hp_plan_range_at(const struct hp_plan *plan, uint64_t va)
{
	size_t lo = 0, hi = plan->bodies_cnt;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (plan->bodies[mid].hi <= va)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < plan->bodies_cnt && plan->bodies[lo].lo <= va ? &plan->bodies[lo] : NULL;
}

static int
bind_target(struct hp_plan *plan, uint32_t idx, struct hp_err *err)
{
	struct hp_plan_target *t = &plan->targets[idx];
	uint64_t base = plan->rec.targets[idx].payload_va;

	free(t->mem);
	t->mem = calloc(1, (size_t)t->image.mem_len);
	if (t->mem == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for a payload of %" PRIu64 " bytes", t->image.mem_len);
	for (uint32_t i = 0; i < t->image.segs_cnt; i++)
		memcpy(t->mem + t->image.segs[i].va, t->image.file.p + t->image.segs[i].va, (size_t)t->image.segs[i].file_len);
	for (uint32_t i = 0; i < t->fixups_cnt; i++) {
		struct hp_fixup f = hp_fixup_get(t->fixups, i);
		uint64_t value;
		bool moves;
		int r = fixup_value(plan, t, &f, &moves, &value, err);

		if (r < 0)
			return r;
		if (moves)
			value += base;
		if (f.place > t->image.mem_len || hp_fixup_len(f.form) > t->image.mem_len - f.place)
			return hp_err_set(err, HP_E_FORMAT, "fixup at 0x%" PRIx64 " is outside the payload", f.place);
		r = hp_fixup_encode(&f, value, base + f.place, t->mem + f.place, err);
		if (r < 0) {
			struct hp_err cause = err != NULL ? *err : (struct hp_err){ 0 };

			return hp_err_set(err, HP_E_UNPATCHABLE, "%s", cause.frame[0].text);
		}
	}
	return 0;
}

static int
bind_entries(struct hp_plan *plan, struct hp_err *err)
{
	for (uint32_t i = 0; i < plan->rec.entries_cnt; i++) {
		struct hp_rec_entry *e = &plan->rec.entries[i];
		uint64_t to = plan->rec.targets[e->target].payload_va + func_of(plan, e)->payload;

		if (!hp_arch_jump(e->va, to, e->after))
			return hp_err_set(err, HP_E_UNPATCHABLE, "function '%s': its new body is out of reach",
			                  hp_esc(plan->ranges[i].name));
	}
	return 0;
}

int
hp_plan_bind(struct hp_plan *plan, struct hp_err *err)
{
	for (uint32_t i = 0; i < plan->rec.targets_cnt; i++) {
		int r = bind_target(plan, i, err);

		if (r < 0)
			return r;
	}
	return bind_entries(plan, err);
}

/* The payload that a record speaks of: private anonymous memory with the protections of the image. */
static bool
is_payload(const struct hp_plan *plan, const struct hp_image *img, uint64_t base)
{
	if (base % HP_IMAGE_PAGE != 0 || base > HP_ARCH_VA_END - img->mem_len)
		return false;
	for (uint32_t i = 0; i < img->segs_cnt; i++) {
		uint64_t va = base + img->segs[i].va, end = va + img->segs[i].mem_len;

		while (va < end) {
			const struct hp_area *a = hp_area_at(&plan->areas, va);

			if (a == NULL || a->inode != 0 || a->shared || a->prot != img->segs[i].prot)
				return false;
			va = a->end;
		}
	}
	return true;
}

static int
misfit(const struct hp_plan *plan, struct hp_err *err)
{
	return hp_err_set(err, HP_E_BUSY,
	                  "process %d (%s): its record of this package does not fit the package: changed by someone else",
	                  plan->proc->pid, plan->proc->comm);
}

/* Addresses and lengths of one target. */
static int
adopt_target(struct hp_plan *plan, uint32_t idx, struct hp_err *err)
{
	const struct hp_rec_target *old = &plan->old->targets[idx];
	struct hp_rec_target *rt = &plan->rec.targets[idx];
	const struct hp_plan_target *t = &plan->targets[idx];

	if (old->payload_len != rt->payload_len || !is_payload(plan, &t->image, old->payload_va))
		return misfit(plan, err);
	if (!t->gone && old->bias != rt->bias)
		return misfit(plan, err);
	if (old->frames_va != 0 && !hp_ehreg_is_notes(plan, old->frames_va))
		return misfit(plan, err);
	rt->payload_va = old->payload_va;
	rt->frames_va = old->frames_va;
	return 0;
}

/* Entries of one that are left out in the other are passed over. What was recorded about a module that is gone is no evidence. */
static int
adopt_entries(struct hp_plan *plan, struct hp_err *err)
{
	const struct hp_rec *old = plan->old;
	bool journal = old->state == HP_REC_SWITCHING || old->state == HP_REC_REVERTING || old->state == HP_REC_APPLIED;
	uint32_t n = 0;

	for (uint32_t i = 0; i < old->entries_cnt; i++) {
		const struct hp_rec_entry *o = &old->entries[i];
		struct hp_rec_entry *e = &plan->rec.entries[n];

		if (plan->targets[o->target].gone)
			continue;
		while (n < plan->rec.entries_cnt && plan->targets[e->target].gone)
			e = &plan->rec.entries[++n];
		if (n == plan->rec.entries_cnt || o->va != e->va || o->target != e->target || o->func != e->func ||
		    (journal && memcmp(o->after, e->after, HP_REC_CODE_LEN) != 0))
			return misfit(plan, err);
		if (journal)
			memcpy(e->before, o->before, HP_REC_CODE_LEN);
		n++;
	}
	while (n < plan->rec.entries_cnt && plan->targets[plan->rec.entries[n].target].gone)
		n++;
	return n == plan->rec.entries_cnt ? 0 : misfit(plan, err);
}

/* Variables stay where they were when the payload was bound. Elsewhere than in the payload they were a replaced package's; what
 * the record says of that is the target's word, and its own memory. */
static int
adopt_vars(struct hp_plan *plan, struct hp_err *err)
{
	const struct hp_rec *old = plan->old;

	if (old->vars_cnt != plan->rec.vars_cnt)
		return misfit(plan, err);
	for (uint32_t i = 0; i < plan->rec.vars_cnt; i++) {
		const struct hp_man_var *v = hp_plan_var(plan, i);
		const struct hp_area *a = hp_area_at(&plan->areas, old->vars[i].va);

		if (old->vars[i].target != plan->rec.vars[i].target || old->vars[i].var != plan->rec.vars[i].var || a == NULL ||
		    a->inode != 0 || a->shared || a->prot != (PROT_READ | PROT_WRITE) || a->end - old->vars[i].va < v->size)
			return misfit(plan, err);
		if (plan->adopted[i] != 0 && plan->adopted[i] != old->vars[i].va)
			return hp_err_set(
				err, HP_E_UNPATCHABLE,
				"process %d (%s): variable '%s' lives in a package that is to be replaced, but the payload "
				"of an earlier apply, which is still there, has storage of its own for it",
				plan->proc->pid, plan->proc->comm, hp_esc(v->name));
		plan->rec.vars[i].va = old->vars[i].va;
	}
	return 0;
}

int
hp_plan_adopt_old(struct hp_plan *plan, struct hp_err *err)
{
	const struct hp_rec *old = plan->old;
	size_t funcs_cnt = 0;
	int r = 0;

	for (size_t t = 0; t < plan->pkg->pkg.man->targets_cnt; t++)
		funcs_cnt += plan->pkg->pkg.man->targets[t].funcs_cnt;
	if (old->targets_cnt != plan->rec.targets_cnt || old->entries_cnt != funcs_cnt)
		return misfit(plan, err);
	plan->rec.version = old->version;
	for (uint32_t i = 0; i < plan->rec.targets_cnt && r == 0; i++)
		if (!is_left_out(plan, i))
			r = adopt_target(plan, i, err);
	if (r == 0)
		r = adopt_vars(plan, err);
	if (r == 0)
		r = plan->to_revert ? bind_entries(plan, err) : hp_plan_bind(plan, err);
	if (r == 0)
		r = adopt_entries(plan, err);
	if (r < 0)
		return r;
	plan->rec.va = old->va;
	plan->rec.len = old->len;
	plan->rec.state = old->state;
	return 0;
}

void
hp_plan_forget_old(struct hp_plan *plan)
{
	plan->drop = plan->old;
	plan->old = NULL;
	plan->gone_cnt = 0;
	for (uint32_t i = 0; i < plan->rec.targets_cnt; i++) {
		plan->targets[i].gone = false;
		plan->rec.targets[i].payload_va = plan->rec.targets[i].frames_va = 0;
	}
	plan->rec.version = 0;
	for (uint32_t i = 0; i < plan->rec.vars_cnt; i++)
		plan->rec.vars[i].va = 0;
}
