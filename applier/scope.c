/* In which module the dynamic linker finds a symbol: the second half of linkmap.h. The rules are those of glibc's elf/dl-lookup.c
 * and elf/dl-object.c. */
#include "applier/linkmap.h"

#include <string.h>

#include "applier/arch.h"
#include "base/escape.h"
#include "base/le.h"

enum { RELA_LEN = 24, SLOTS_MAX = 1 << 16 };

/* 1 ${idx} defines it, 0 not. */
static int
find_in(const struct hp_linkmap *lm, uint32_t idx, const char *name, const char *version, enum hp_dyn_how how,
        struct hp_binding *ret, struct hp_err *err)
{
	const struct hp_lmap *m = &lm->v[idx];
	int r = m->aside ? 0 : hp_dyn_lookup(&m->dyn, name, version, how, &ret->sym, NULL);

	if (r < 0)
		return hp_err_set(err, HP_E_UNPATCHABLE, "process %d (%s): the symbol table of module '%s' is malformed",
		                  lm->proc->pid, lm->proc->comm, hp_esc(m->name));
	if (r == 0)
		return 0;
	ret->lmap = idx;
	ret->va = ret->sym.value + (ret->sym.shndx == SHN_ABS ? 0 : m->mod->bias);
	ret->ifunc = ret->sym.type == STT_GNU_IFUNC && ret->sym.shndx != SHN_UNDEF;
	return 1;
}

static int
undecided(const struct hp_linkmap *lm, const char *name, const struct hp_lmap *m, const char *why, struct hp_err *err)
{
	return hp_err_set(err, HP_E_UNPATCHABLE, "process %d (%s): import '%s' cannot be bound: module '%s' defines it, %s",
	                  lm->proc->pid, lm->proc->comm, hp_esc(name), hp_esc(m->name), why);
}

/* The first of ${list} that has it. */
static int
find_first(const struct hp_linkmap *lm, const uint32_t *list, uint32_t cnt, const char *name, const char *version,
           enum hp_dyn_how how, struct hp_binding *ret, struct hp_err *err)
{
	int r = 0;

	for (uint32_t i = 0; i < cnt && r == 0; i++)
		r = find_in(lm, list[i], name, version, how, ret, err);
	return r;
}

/* The only module that was opened later and has it. */
static int
find_opened(const struct hp_linkmap *lm, const char *name, const char *version, enum hp_dyn_how how, struct hp_binding *ret,
            struct hp_err *err)
{
	struct hp_binding one;
	bool found = false;

	for (uint32_t i = 0; i < lm->cnt; i++) {
		int r = lm->v[i].startup ? 0 : find_in(lm, i, name, version, how, &one, err);

		if (r < 0)
			return r;
		if (r > 0 && found)
			return undecided(lm, name, &lm->v[i], "and another one that was opened later does so, too", err);
		if (r > 0)
			*ret = one;
		found = found || r > 0;
	}
	return found;
}

static bool
is_own(const struct hp_lmap *m, uint32_t idx)
{
	for (uint32_t i = 0; i < m->own_cnt; i++)
		if (m->own[i] == idx)
			return true;
	return false;
}

/* ${start}: what the modules of the start give. With RTLD_DEEPBIND, the ones that were opened together with ${from} come before:
 * do they give the same? */
static int
check_deep(const struct hp_linkmap *lm, uint32_t from, const char *name, const char *version, enum hp_dyn_how how,
           const struct hp_binding *start, struct hp_err *err)
{
	static const char why[] = "which may or may not come before the modules of the start (RTLD_DEEPBIND)";
	struct hp_binding other;

	for (uint32_t i = 0; i < lm->cnt; i++) {
		int r;

		if (!lm->v[i].startup && !lm->v[i].aside && lm->v[i].own_cnt == 0)
			return undecided(lm, name, &lm->v[start->lmap], "but not all modules that were opened are known", err);
		if (!is_own(&lm->v[i], from))
			continue;
		r = find_first(lm, lm->v[i].own, lm->v[i].own_cnt, name, version, how, &other, err);
		if (r < 0)
			return r;
		if (r > 0 && other.lmap != start->lmap)
			return undecided(lm, name, &lm->v[other.lmap], why, err);
	}
	return 0;
}

int
hp_linkmap_find(const struct hp_linkmap *lm, uint32_t from, const char *name, const char *version, enum hp_dyn_how how,
                struct hp_binding *ret, struct hp_err *err)
{
	const struct hp_lmap *m = &lm->v[from];
	struct hp_binding found = { .lmap = HP_LMAP_NONE };
	int r = 0, deep = 0;

	/* Libraries linked with -Bsymbolic look into themselves first; programs do not, they are first anyway. */
	if (m->dyn.symbolic && from != 0)
		r = find_in(lm, from, name, version, how, &found, err);
	if (r == 0) {
		r = find_first(lm, lm->startup, lm->startup_cnt, name, version, how, &found, err);
		if (r > 0 && !m->startup && !m->start_first)
			deep = check_deep(lm, from, name, version, how, &found, err);
		if (deep < 0)
			return deep;
	}
	if (r == 0) {
		r = find_opened(lm, name, version, how, &found, err);
		if (r > 0 && !is_own(m, found.lmap))
			return undecided(lm, name, &lm->v[found.lmap],
			                 "which was opened later and is not needed by the module: it may be out of scope, or be "
			                 "unloaded",
			                 err);
	}
	if (r > 0)
		*ret = found;
	return r;
}

/* ---- what is bound already ---- */

/* For a module that was opened later: a slot for which the order of the search matters. 1 it does, and is as usual. */
static int
check_order(struct hp_linkmap *lm, uint32_t from, const char *name, const struct hp_dyn_sym *ref, enum hp_dyn_how how,
            uint64_t value, struct hp_err *err)
{
	struct hp_lmap *m = &lm->v[from];
	struct hp_binding start, own;

	if (m->startup || m->dyn.symbolic ||
	    find_first(lm, lm->startup, lm->startup_cnt, name, ref->version, how, &start, NULL) <= 0 ||
	    find_first(lm, m->own, m->own_cnt, name, ref->version, how, &own, NULL) <= 0 || start.ifunc || own.ifunc ||
	    start.va == own.va)
		return 0;
	if (value == own.va)
		return hp_err_set(err, HP_E_UNPATCHABLE,
		                  "process %d (%s): new imports cannot be bound: module '%s' was opened with RTLD_DEEPBIND",
		                  lm->proc->pid, lm->proc->comm, hp_esc(m->name));
	m->start_first = m->start_first || value == start.va;
	return value == start.va;
}

/* A slot that does not hold what the scope gives. That is only evidence against the scope when it holds another definition of the
 * same name; a program may have put anything else there. */
static int
check_slot(struct hp_linkmap *lm, uint32_t from, const char *name, const struct hp_dyn_sym *ref, enum hp_dyn_how how,
           uint64_t value, struct hp_err *err)
{
	struct hp_binding want, other;
	int r = check_order(lm, from, name, ref, how, value, err);

	if (r != 0)
		return r < 0 ? r : 0;
	r = hp_linkmap_find(lm, from, name, ref->version, how, &want, NULL);
	if (r <= 0 || want.ifunc || want.va == value || want.sym.bind == STB_GNU_UNIQUE)
		return 0;
	for (uint32_t i = 0; i < lm->cnt; i++) {
		r = find_in(lm, i, name, ref->version, how, &other, err);
		if (r < 0)
			return r;
		if (r > 0 && !other.ifunc && other.va == value && i != want.lmap)
			return hp_err_set(
				err, HP_E_UNPATCHABLE,
				"process %d (%s): the scope of module '%s' cannot be reconstructed: its '%s' is bound to "
				"module '%s', not to '%s'",
				lm->proc->pid, lm->proc->comm, hp_esc(lm->v[from].name), hp_esc(name), hp_esc(lm->v[i].name),
				hp_esc(lm->v[want.lmap].name));
	}
	return 0;
}

static int
unfit(const struct hp_linkmap *lm, uint32_t from, const char *what, struct hp_err *err)
{
	return hp_err_set(err, HP_E_UNPATCHABLE, "process %d (%s): new imports cannot be bound: relocations of module '%s' %s",
	                  lm->proc->pid, lm->proc->comm, hp_esc(lm->v[from].name), what);
}

static int
check_slots(struct hp_linkmap *lm, uint32_t from, uint64_t table, uint64_t len, struct hp_err *err)
{
	const struct hp_lmap *m = &lm->v[from];

	for (uint64_t off = 0; off + RELA_LEN <= len && off < (uint64_t)SLOTS_MAX * RELA_LEN; off += RELA_LEN) {
		char name[HP_NAME_LEN_MAX + 1];
		uint8_t rela[RELA_LEN], slot[8];
		struct hp_dyn_sym ref;
		uint64_t place;
		uint32_t type;
		int r;

		if (table < m->mod->start || table + off > m->mod->end - RELA_LEN ||
		    !m->dyn.mem.read(m->dyn.mem.arg, table + off, rela, sizeof(rela)))
			return unfit(lm, from, "cannot be read", err);
		type = hp_le32_get(rela + 8);
		place = m->mod->bias + hp_le64_get(rela);
		if (!(type == HP_ARCH_R_GLOB_DAT || type == HP_ARCH_R_JUMP_SLOT) || hp_le32_get(rela + 12) == 0 ||
		    hp_proc_read(lm->proc, place, slot, sizeof(slot), NULL) < 0)
			continue;
		if (hp_dyn_sym_read(&m->dyn, hp_le32_get(rela + 12), name, sizeof(name), &ref, NULL) < 0)
			return unfit(lm, from, "are malformed", err);
		if (ref.bind == STB_LOCAL || ref.vis != STV_DEFAULT || hp_le64_get(slot) == 0)
			continue;
		r = check_slot(lm, from, name, &ref, type == HP_ARCH_R_GLOB_DAT ? HP_DYN_BIND : HP_DYN_CALL, hp_le64_get(slot),
		               err);
		if (r < 0)
			return r;
	}
	return 0;
}

int
hp_linkmap_check(struct hp_linkmap *lm, uint32_t from, struct hp_err *err)
{
	const struct hp_dyn *d = &lm->v[from].dyn;
	int r = d->rela_len > 0 ? check_slots(lm, from, d->rela, d->rela_len, err) : 0;

	return r == 0 && d->jmprel_len > 0 ? check_slots(lm, from, d->jmprel, d->jmprel_len, err) : r;
}
