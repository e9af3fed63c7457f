/* Packages that are in the process already: which of them this one replaces in the same switch, which it conflicts with, and
 * whose variables it goes on using. */
#include "applier/replace.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "applier/arch.h"
#include "base/cleanup.h"
#include "base/escape.h"
#include "base/map.h"
#include "formats/hash.h"

static bool
is_interrupted(const struct hp_rec *rec)
{
	return rec->state == HP_REC_SWITCHING || rec->state == HP_REC_REVERTING;
}

static bool
is_named(const struct hp_manifest *man, const uint8_t id[HP_PKG_ID_LEN])
{
	char hex[2 * HP_PKG_ID_LEN + 1];

	hp_hex(id, HP_PKG_ID_LEN, hex);
	for (size_t i = 0; i < man->supersedes_cnt; i++)
		if (strcmp(man->supersedes[i], hex) == 0)
			return true;
	return false;
}

/* Some module of the record is one that this package patches too, and was not unloaded since. */
static bool
shares_module(const struct hp_plan *plan, const struct hp_rec *other)
{
	for (uint32_t i = 0; i < other->targets_cnt; i++)
		for (size_t k = 0; k < plan->pkg->pkg.man->targets_cnt; k++)
			if (plan->targets[k].mod != NULL && other->targets[i].bias == plan->targets[k].mod->bias &&
			    !hp_rec_target_gone(plan->proc, &plan->areas, other, i))
				return true;
	return false;
}

/* A revert only looks for what its own interrupted switch was about to replace. */
static bool
is_replaced(const struct hp_plan *plan, const struct hp_rec *other)
{
	const struct hp_manifest *man = plan->pkg->pkg.man;
	const struct hp_rec *old = plan->old;

	if (other == old || (other->state != HP_REC_APPLIED && !is_interrupted(other)))
		return false;
	if (old != NULL && old->state == HP_REC_APPLIED)
		return false;
	if (plan->how->revert && (old == NULL || !is_interrupted(old) || other->order >= old->order))
		return false;
	return is_named(man, other->id) || (man->cumulative && shares_module(plan, other));
}

static const char *
id_of(const struct hp_rec *rec, char name[HP_REC_NAME_LEN])
{
	hp_rec_name(rec->id, name);
	return name + strlen("hpbuild:");
}

static int
verify(const struct hp_plan *plan, const struct hp_rec *rec, struct hp_verified_pkg **ret, struct hp_err *err)
{
	if (plan->how->verify == NULL)
		return hp_err_set(err, HP_E_SIG, "nobody can verify it");
	return plan->how->verify(plan->how->verify_arg, rec, ret, err);
}

static int
check_cover(const struct hp_plan *plan, const struct hp_verified_pkg *pkg, const char *id, struct hp_err *err)
{
	const struct hp_manifest *ours = plan->pkg->pkg.man, *theirs = pkg->pkg.man;

	for (size_t i = 0; i < theirs->targets_cnt; i++) {
		size_t k = 0;

		while (k < ours->targets_cnt && !hp_view_eq(hp_view_of(ours->targets[k].build_id, ours->targets[k].build_id_len),
		                                            hp_view_of(theirs->targets[i].build_id,
		                                                       theirs->targets[i].build_id_len)))
			k++;
		if (k == ours->targets_cnt)
			return hp_err_set(
				err, HP_E_BUSY,
				"package %s (%s), which this one would replace, also patches module '%s', which this one "
				"does not",
				id, hp_esc(theirs->name), hp_esc(theirs->targets[i].name));
	}
	if (theirs->serial > ours->serial && !is_named(ours, pkg->pkg.id))
		return hp_err_set(err, HP_E_BUSY, "package %s (%s), which is applied, is newer: its serial number is %" PRIu64
		                  ", this one's is %" PRIu64, id, hp_esc(theirs->name), theirs->serial, ours->serial);
	return 0;
}

static int
add_replaced(struct hp_plan *plan, const struct hp_rec *other, struct hp_err *err)
{
	HP_AUTO(hp_verified_pkg) struct hp_verified_pkg *pkg = NULL;
	struct hp_plan *under = &plan->replaced[plan->replaced_cnt];
	char name[HP_REC_NAME_LEN];
	const char *id = id_of(other, name);
	int r = verify(plan, other, &pkg, err);

	if (r < 0)
		return hp_err_add(err, "package %s in the process, which is to be replaced", id);
	r = check_cover(plan, pkg, id, err);
	if (r == 0)
		r = hp_plan_make(plan->proc, pkg, NULL, under, err);
	if (r < 0)
		return r;
	plan->replaced_cnt++;
	under->owned_pkg = pkg;
	pkg = NULL;
	if (under->old == NULL)
		return hp_err_set(err, HP_E_BUSY, "the records of process %d change", plan->proc->pid);
	return hp_plan_adopt_old(under, err);
}

/* The latest one is named: finishing it also finishes those that it replaces. */
static int
check_interrupted(const struct hp_plan *plan, struct hp_err *err)
{
	for (size_t i = plan->recs.cnt; i-- > 0;) {
		const struct hp_rec *other = &plan->recs.v[i];
		char name[HP_REC_NAME_LEN];

		if (other != plan->old && is_interrupted(other) && !is_replaced(plan, other))
			return hp_err_set(err, HP_E_BUSY,
			                  "process %d (%s): the switch of package %s was interrupted; apply or revert it first",
			                  plan->proc->pid, plan->proc->comm, id_of(other, name));
	}
	return 0;
}

int
hp_replace_find(struct hp_plan *plan, struct hp_err *err)
{
	int r = check_interrupted(plan, err);

	plan->replaced = hp_arena_array(&plan->arena, plan->recs.cnt, sizeof(*plan->replaced));
	if (plan->replaced == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %zu packages", plan->recs.cnt);
	for (size_t i = 0; i < plan->recs.cnt && r == 0; i++)
		if (is_replaced(plan, &plan->recs.v[i]))
			r = add_replaced(plan, &plan->recs.v[i], err);
	return r;
}

bool
hp_replace_has(const struct hp_plan *plan, const struct hp_rec *rec)
{
	for (size_t i = 0; i < plan->replaced_cnt; i++)
		if (memcmp(plan->replaced[i].rec.id, rec->id, HP_PKG_ID_LEN) == 0)
			return true;
	return false;
}

/* The other package says that it contains this one. */
static bool
replaces_us(const struct hp_plan *plan, const struct hp_rec *other)
{
	HP_AUTO(hp_verified_pkg) struct hp_verified_pkg *pkg = NULL;
	const struct hp_rec *old = plan->old;

	if (verify(plan, other, &pkg, NULL) < 0)
		return false;
	if (is_named(pkg->pkg.man, plan->pkg->pkg.id))
		return true;
	return pkg->pkg.man->cumulative && shares_module(plan, other) &&
	       (pkg->pkg.man->serial > plan->pkg->pkg.man->serial ||
	        (old != NULL && old->state == HP_REC_REPLACED && other->order > old->order));
}

static int
check_conflict(const struct hp_plan *plan, const struct hp_rec *other, struct hp_err *err)
{
	bool gone[HP_PKG_TARGETS_MAX];
	char name[HP_REC_NAME_LEN];
	uint32_t k = 0;

	for (uint32_t t = 0; t < other->targets_cnt; t++) /* once each: it looks at all entries */
		gone[t] = hp_rec_target_gone(plan->proc, &plan->areas, other, t);
	if (replaces_us(plan, other))
		return hp_err_set(err, HP_E_BUSY, "process %d (%s): package %s, which is applied, replaces this one",
		                  plan->proc->pid, plan->proc->comm, id_of(other, name));
	for (uint32_t i = 0; i < plan->rec.entries_cnt; i++) { /* both lists ascend */
		while (k < other->entries_cnt &&
		       (other->entries[k].va < plan->ranges[i].lo || gone[other->entries[k].target]))
			k++;
		if (k < other->entries_cnt && other->entries[k].va < plan->ranges[i].hi)
			return hp_err_set(
				err, HP_E_BUSY,
				"process %d (%s): function '%s' belongs to package %s, which is applied, and which this "
				"package neither names as superseded nor includes as a cumulative one; revert that first",
				plan->proc->pid, plan->proc->comm, hp_esc(plan->ranges[i].name), id_of(other, name));
	}
	return 0;
}

int
hp_replace_check(const struct hp_plan *plan, struct hp_err *err)
{
	if (plan->how->revert || (plan->old != NULL && plan->old->state == HP_REC_APPLIED))
		return 0;
	for (size_t i = 0; i < plan->recs.cnt; i++) {
		const struct hp_rec *other = &plan->recs.v[i];
		int r = 0;

		if (other != plan->old && other->state == HP_REC_APPLIED && !hp_replace_has(plan, other))
			r = check_conflict(plan, other, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The live variable of a replaced package takes the place of this one's. */
static int
adopt(struct hp_plan *plan, const struct hp_plan *under, uint32_t idx, uint32_t from, struct hp_err *err)
{
	const struct hp_man_var *v = hp_plan_var(plan, idx), *old = hp_plan_var(under, from);
	uint64_t va = under->rec.vars[from].va;
	const char *why = NULL;

	if (v->size != old->size)
		why = "has another size";
	else if (v->type[0] == '\0' || old->type[0] == '\0')
		why = "has a type that is not known (build with -g)";
	else if (strcmp(v->type, old->type) != 0)
		why = "has another type";
	else if (plan->adopted[idx] != 0 && plan->adopted[idx] != va)
		why = "is a variable of two packages in the process";
	if (why != NULL)
		return hp_err_set(err, HP_E_UNPATCHABLE,
		                  "variable '%s%s%s' %s: it lives in package %s, which is to be replaced",
		                  hp_esc(v->scope), v->scope[0] != '\0' ? "." : "", hp_esc(v->name), why,
		                  hp_esc(under->pkg->pkg.man->name));
	plan->adopted[idx] = va;
	return 0;
}

static int
adopt_target(struct hp_plan *plan, const struct hp_plan *under, const struct hp_plan_target *t, const struct hp_plan_target *o,
             struct hp_err *err)
{
	HP_AUTO(hp_arena) struct hp_arena arena = { 0 };
	HP_AUTO(hp_map) struct hp_map vars = { 0 };
	int r = 0;

	for (uint32_t i = 0; i < o->man->vars_cnt && r == 0; i++) {
		const char *key = hp_man_var_key(&o->man->vars[i], &arena);

		r = key == NULL ? hp_err_set(err, HP_E_NOMEM, "no memory") : hp_map_put_str(&vars, key, i, err);
	}
	for (uint32_t i = 0; i < t->man->vars_cnt && r == 0; i++) {
		const char *key = hp_man_var_key(&t->man->vars[i], &arena);
		uint64_t from;

		if (key == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory");
		if (hp_map_get_str(&vars, key, &from))
			r = adopt(plan, under, t->vars_first + i, o->vars_first + (uint32_t)from, err);
	}
	return r;
}

static bool
is_same_module(const struct hp_plan_target *t, const struct hp_plan_target *o)
{
	return t->mod != NULL && o->mod != NULL && t->mod->bias == o->mod->bias && !o->gone;
}

int
hp_replace_adopt(struct hp_plan *plan, struct hp_err *err)
{
	for (size_t k = 0; k < plan->replaced_cnt; k++) {
		const struct hp_plan *under = &plan->replaced[k];

		for (uint32_t t = 0; t < plan->rec.targets_cnt; t++)
			for (uint32_t o = 0; o < under->rec.targets_cnt; o++) {
				int r = is_same_module(&plan->targets[t], &under->targets[o])
				                ? adopt_target(plan, under, &plan->targets[t], &under->targets[o], err)
				                : 0;

				if (r < 0)
					return r;
			}
	}
	return 0;
}

static const struct hp_rec_entry *
entry_at(const struct hp_rec *rec, uint64_t va)
{
	uint32_t lo = 0, hi = rec->entries_cnt;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (rec->entries[mid].va < va)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < rec->entries_cnt && rec->entries[lo].va == va ? &rec->entries[lo] : NULL;
}

void
hp_replace_originals(struct hp_plan *plan)
{
	for (uint32_t i = 0; i < plan->rec.entries_cnt; i++)
		for (size_t k = 0; k < plan->replaced_cnt; k++) { /* the lowest one knows what the module had */
			const struct hp_rec_entry *e = entry_at(&plan->replaced[k].rec, plan->rec.entries[i].va);

			if (e == NULL)
				continue;
			memcpy(plan->rec.entries[i].before, e->before, HP_REC_CODE_LEN);
			break;
		}
}

bool
hp_replace_is_theirs(const struct hp_plan *plan, uint64_t va, const uint8_t *bytes)
{
	for (size_t k = 0; k < plan->replaced_cnt; k++) {
		const struct hp_rec_entry *e = entry_at(&plan->replaced[k].rec, va);

		if (e != NULL && memcmp(e->after, bytes, HP_ARCH_JUMP_LEN) == 0)
			return true;
	}
	return false;
}

static int
compare_write(const void *a, const void *b)
{
	const struct hp_plan_write *x = a, *y = b;

	return x->va < y->va ? -1 : x->va > y->va;
}

/* A function of a replaced package that this one does not have. Several packages may have had it, one on top of the other. */
static bool
is_first(const struct hp_plan *plan, size_t k, uint64_t va)
{
	if (entry_at(&plan->rec, va) != NULL)
		return false;
	for (size_t i = 0; i < k; i++)
		if (entry_at(&plan->replaced[i].rec, va) != NULL)
			return false;
	return true;
}

int
hp_replace_writes(struct hp_plan *plan, struct hp_err *err)
{
	size_t cap = plan->rec.entries_cnt, n = 0;

	for (size_t k = 0; k < plan->replaced_cnt; k++)
		cap += plan->replaced[k].rec.entries_cnt;
	plan->writes = hp_arena_array(&plan->arena, cap, sizeof(*plan->writes));
	if (plan->writes == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %zu entries", cap);
	for (uint32_t i = 0; i < plan->rec.entries_cnt; i++) {
		struct hp_plan_write *w = &plan->writes[n++];

		*w = (struct hp_plan_write){ .va = plan->rec.entries[i].va, .name = plan->ranges[i].name };
		memcpy(w->off, plan->rec.entries[i].before, HP_REC_CODE_LEN);
		memcpy(w->on, plan->rec.entries[i].after, HP_REC_CODE_LEN);
	}
	for (size_t k = 0; k < plan->replaced_cnt; k++) {
		const struct hp_plan *under = &plan->replaced[k];

		for (uint32_t i = 0; i < under->rec.entries_cnt; i++) {
			struct hp_plan_write *w = &plan->writes[n];

			if (!is_first(plan, k, under->rec.entries[i].va))
				continue;
			*w = (struct hp_plan_write){ .va = under->rec.entries[i].va, .name = under->ranges[i].name };
			memcpy(w->off, under->rec.entries[i].before, HP_REC_CODE_LEN);
			memcpy(w->on, under->rec.entries[i].before, HP_REC_CODE_LEN);
			n++;
		}
	}
	plan->writes_cnt = n;
	if (n > 1)
		qsort(plan->writes, n, sizeof(*plan->writes), compare_write);
	return 0;
}
