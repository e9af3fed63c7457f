#include "applier/linkmap.h"

#include <link.h>
#include <stdlib.h>
#include <string.h>

#include "applier/arch.h"
#include "base/cleanup.h"
#include "base/escape.h"
#include "base/view.h"

enum {
	LMAPS_MAX = 1024, PRELOADS_MAX = 256, NAME_MAX_ = 4096, AUXV_LEN = 4096, ENVIRON_LEN = 1 << 18,
	PAGE = 4096, CACHE_PAGES = 512,
};
/* struct r_debug and struct link_map, <link.h>; the same in glibc and musl. */
enum { DEBUG_MAP = 8, DEBUG_STATE = 24, DEBUG_LEN = 40, MAP_NAME = 8, MAP_LD = 16, MAP_NEXT = 24, MAP_LEN = 40 };

#define LINKER_SONAME "ld-linux-x86-64.so.2"

/* ---- reading ---- */

/* Symbol tables are looked at again and again: direct-mapped pages. */
struct cache {
	const struct hp_proc *proc;
	uint64_t va[CACHE_PAGES]; /* 1 = empty */
	uint8_t page[CACHE_PAGES][PAGE];
};

static bool
read_cached(void *arg, uint64_t va, void *buf, size_t len)
{
	struct cache *c = arg;
	uint8_t *out = buf;

	while (len > 0) {
		uint64_t page = va & ~(uint64_t)(PAGE - 1);
		unsigned slot = (unsigned)(page / PAGE % CACHE_PAGES);
		size_t n = PAGE - (size_t)(va - page) < len ? PAGE - (size_t)(va - page) : len;

		if (c->va[slot] != page) {
			c->va[slot] = 1;
			if (hp_proc_read(c->proc, page, c->page[slot], PAGE, NULL) < 0)
				return false;
			c->va[slot] = page;
		}
		memcpy(out, c->page[slot] + (va - page), n);
		va += n;
		out += n;
		len -= n;
	}
	return true;
}

static int
unfit(const struct hp_proc *proc, struct hp_err *err, const char *what)
{
	return hp_err_set(err, HP_E_UNPATCHABLE, "process %d (%s): new imports cannot be bound: %s", proc->pid, proc->comm, what);
}

/* The string may end right before an unmapped page. */
static char *
read_name(const struct hp_linkmap *lm, uint64_t va, struct hp_arena *arena)
{
	char buf[NAME_MAX_];
	size_t n = 0;

	while (n < sizeof(buf)) {
		size_t len = PAGE - (size_t)((va + n) & (PAGE - 1));

		if (len > sizeof(buf) - n)
			len = sizeof(buf) - n;
		if (!read_cached(lm->cache, va + n, buf + n, len))
			return NULL;
		if (memchr(buf + n, 0, len) != NULL)
			return hp_arena_strdup(arena, buf);
		n += len;
	}
	return NULL;
}

/* DT_DEBUG of a module, 0 = it has none, or it is not filled in. */
static uint64_t
debug_of(const struct hp_proc *proc, const struct hp_module *mod)
{
	uint8_t dyn[16];

	for (uint64_t off = 0; off + sizeof(dyn) <= mod->dyn_len; off += sizeof(dyn)) {
		if (hp_proc_read(proc, mod->dyn_va + off, dyn, sizeof(dyn), NULL) < 0 || hp_le64_get(dyn) == DT_NULL)
			break;
		if (hp_le64_get(dyn) == DT_DEBUG && hp_le64_get(dyn + 8) != 0)
			return hp_le64_get(dyn + 8);
	}
	return 0;
}

/* The dynamic linker was started by hand, and the kernel takes it for the program. The real one is the only module that it gives
 * the place of the list. */
static uint64_t
debug_of_others(const struct hp_proc *proc, const struct hp_modules *mods)
{
	uint64_t found = 0;

	for (size_t i = 0; i < mods->cnt; i++) {
		uint64_t va = debug_of(proc, &mods->v[i]);

		if (va != 0 && found != 0)
			return 0;
		found = va != 0 ? va : found;
	}
	return found;
}

/* The program's dynamic section tells where the list is. getauxval(3), AT_PHDR. */
static int
find_debug(struct hp_linkmap *lm, const struct hp_modules *mods, struct hp_arena *arena, struct hp_err *err)
{
	const struct hp_module *mod = NULL;
	char auxv[AUXV_LEN];
	ssize_t len = hp_proc_text(lm->proc, "auxv", auxv, sizeof(auxv));
	struct hp_dyn dyn;

	for (ssize_t i = 0; i + 16 <= len; i += 16)
		if (hp_le64_get((const uint8_t *)auxv + i) == AT_PHDR)
			mod = hp_modules_at(mods, hp_le64_get((const uint8_t *)auxv + i + 8));
	if (mod == NULL || mod->dyn_len == 0)
		return unfit(lm->proc, err, "its program has no dynamic section");
	lm->debug_va = debug_of(lm->proc, mod);
	if (lm->debug_va == 0 && hp_module_dyn(lm->proc, mod, arena, &dyn) && hp_linkmap_is_linker(&dyn))
		lm->debug_va = debug_of_others(lm->proc, mods);
	return lm->debug_va != 0 ? 0 : unfit(lm->proc, err, "the dynamic linker keeps no list of modules (DT_DEBUG)");
}

static uint64_t
mix(uint64_t digest, uint64_t v)
{
	return (digest ^ v) * 0x9e3779b97f4a7c15u + (digest >> 29);
}

/* Walk the chain. ${each} NULL: only the digest. 0; 1: it is being changed; negative: malformed, or what ${each} says. */
static int
walk(const struct hp_linkmap *lm, int (*each)(void *arg, uint64_t va, const uint8_t *map, struct hp_err *err), void *arg,
     uint64_t *ret_digest, struct hp_err *err)
{
	uint8_t debug[DEBUG_LEN], map[MAP_LEN];
	uint64_t va, digest = 1;
	unsigned n = 0;

	if (hp_proc_read(lm->proc, lm->debug_va, debug, sizeof(debug), NULL) < 0)
		return unfit(lm->proc, err, "the list of modules cannot be read");
	if (hp_le32_get(debug + DEBUG_STATE) != RT_CONSISTENT)
		return 1;
	for (va = hp_le64_get(debug + DEBUG_MAP); va != 0; va = hp_le64_get(map + MAP_NEXT)) {
		int r;

		if (n++ == LMAPS_MAX)
			return unfit(lm->proc, err, "the list of modules has no end");
		if (hp_proc_read(lm->proc, va, map, sizeof(map), NULL) < 0)
			return unfit(lm->proc, err, "the list of modules is broken");
		digest = mix(mix(mix(digest, va), hp_le64_get(map)), hp_le64_get(map + MAP_LD));
		r = each != NULL ? each(arg, va, map, err) : 0;
		if (r < 0)
			return r;
	}
	*ret_digest = digest;
	return 0;
}

bool
hp_linkmap_same(const struct hp_linkmap *lm)
{
	uint64_t digest = 0;

	return walk(lm, NULL, NULL, &digest, NULL) == 0 && digest == lm->digest;
}

struct reading {
	struct hp_linkmap *lm;
	const struct hp_modules *mods;
	struct hp_arena *arena;
};

static int
open_dyn(struct reading *rd, const struct hp_module *mod, struct hp_dyn *ret, struct hp_err *err)
{
	const struct hp_dyn_mem mem = { .read = read_cached, .arg = rd->lm->cache, .bias = mod->bias, .start = mod->start,
		                        .end = mod->end };

	return hp_dyn_open(&mem, mod->dyn_va, mod->dyn_len, rd->arena, ret, err);
}

/* One entry. It must speak of a module that is really there. */
static int
add_entry(void *arg, uint64_t va, const uint8_t *map, struct hp_err *err)
{
	struct reading *rd = arg;
	struct hp_linkmap *lm = rd->lm;
	const struct hp_module *mod = hp_modules_at(rd->mods, hp_le64_get(map + MAP_LD));
	struct hp_lmap *m = &lm->v[lm->cnt];

	(void)va;
	if (mod == NULL || mod->dyn_len == 0 || mod->dyn_va != hp_le64_get(map + MAP_LD) || mod->bias != hp_le64_get(map))
		return unfit(lm->proc, err, "the list of modules names one that is not there");
	if (hp_linkmap_of(lm, mod) != HP_LMAP_NONE)
		return unfit(lm->proc, err, "the list of modules names one twice");
	m->name = read_name(lm, hp_le64_get(map + MAP_NAME), rd->arena);
	if (m->name == NULL)
		return unfit(lm->proc, err, "a module's name cannot be read");
	m->mod = mod;
	m->aside = strcmp(mod->area->path, "[vdso]") == 0;
	if (open_dyn(rd, mod, &m->dyn, err) < 0)
		return hp_err_set(err, HP_E_UNPATCHABLE, "process %d (%s): the dynamic section of module '%s' is malformed",
		                  lm->proc->pid, lm->proc->comm, hp_esc(m->name));
	lm->cnt++;
	return 0;
}

/* ---- order ---- */

/* As ld.so tells whether a loaded module is the one that is needed: by its soname, or the name by which it was found. */
static bool
is_called(const struct hp_lmap *m, const char *name)
{
	const char *slash = strrchr(m->name, '/');

	if (m->aside)
		return false;
	if (strcmp(m->name, name) == 0 || (m->dyn.soname != NULL && strcmp(m->dyn.soname, name) == 0))
		return true;
	return strchr(name, '/') == NULL && slash != NULL && strcmp(slash + 1, name) == 0;
}

static int
resolve_deps(struct hp_linkmap *lm, struct hp_arena *arena, struct hp_err *err)
{
	for (uint32_t i = 0; i < lm->cnt; i++) {
		struct hp_lmap *m = &lm->v[i];

		m->deps = hp_arena_array(arena, m->dyn.needed_cnt, sizeof(*m->deps));
		if (m->deps == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory for modules");
		for (uint32_t d = 0; d < m->dyn.needed_cnt; d++) {
			m->deps[d] = HP_LMAP_NONE;
			for (uint32_t k = 0; k < lm->cnt && m->deps[d] == HP_LMAP_NONE; k++)
				if (is_called(&lm->v[k], m->dyn.needed[d]))
					m->deps[d] = k;
		}
	}
	return 0;
}

/* ${out} holds ${cnt} modules; add what they need, breadth first. False: one is not in the list. ${seen} is all zero. */
static bool
close_over(const struct hp_linkmap *lm, uint32_t *out, uint32_t *cnt, uint8_t *seen)
{
	for (uint32_t i = 0; i < *cnt; i++)
		seen[out[i]] = 1;
	for (uint32_t i = 0; i < *cnt; i++) {
		const struct hp_lmap *m = &lm->v[out[i]];

		for (uint32_t d = 0; d < m->dyn.needed_cnt; d++) {
			if (m->deps[d] == HP_LMAP_NONE)
				return false;
			if (seen[m->deps[d]])
				continue;
			seen[m->deps[d]] = 1;
			out[(*cnt)++] = m->deps[d];
		}
	}
	return true;
}

bool
hp_linkmap_is_linker(const struct hp_dyn *dyn)
{
	return dyn->soname != NULL && strcmp(dyn->soname, LINKER_SONAME) == 0;
}

/* The first modules of the list are ${out}, in this order; the vDSO does not count, nor does a dynamic linker that nobody needs.
 */
static bool
is_prefix(const struct hp_linkmap *lm, const uint32_t *out, uint32_t cnt, const uint8_t *seen)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < cnt; i++, at++) {
		while (at < lm->cnt && (lm->v[at].aside || (hp_linkmap_is_linker(&lm->v[at].dyn) && !seen[at])))
			at++;
		if (at == lm->cnt || out[i] != at)
			return false;
	}
	return true;
}

/* Preloads stand behind the program; nothing says how many there are. With the right number, breadth-first order is the order of
 * the list. */
static int
find_startup(struct hp_linkmap *lm, struct hp_arena *arena, struct hp_err *err)
{
	uint8_t *seen = hp_arena_array(arena, lm->cnt, 1);
	uint32_t roots = 0;

	lm->startup = hp_arena_array(arena, lm->cnt, sizeof(*lm->startup));
	if (lm->startup == NULL || seen == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for modules");
	for (uint32_t last = 0; last < lm->cnt && roots < PRELOADS_MAX; last++) {
		uint32_t cnt = 0;

		if (lm->v[last].aside)
			continue;
		roots++;
		for (uint32_t i = 0; i <= last; i++)
			if (!lm->v[i].aside)
				lm->startup[cnt++] = i;
		memset(seen, 0, lm->cnt);
		if (!close_over(lm, lm->startup, &cnt, seen) || !is_prefix(lm, lm->startup, cnt, seen))
			continue;
		lm->startup_cnt = cnt;
		for (uint32_t i = 0; i < cnt; i++)
			lm->v[lm->startup[i]].startup = true;
		return 0;
	}
	return unfit(lm->proc, err, "its modules do not stand in the order in which a start maps them");
}

/* What each module that was opened later needs. */
static int
find_own(struct hp_linkmap *lm, struct hp_arena *arena, struct hp_err *err)
{
	uint8_t *seen = hp_arena_array(arena, lm->cnt, 1);

	if (seen == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for modules");
	for (uint32_t i = 0; i < lm->cnt; i++) {
		struct hp_lmap *m = &lm->v[i];

		if (m->startup || m->aside)
			continue;
		m->own = hp_arena_array(arena, lm->cnt, sizeof(*m->own));
		if (m->own == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory for modules");
		memset(seen, 0, lm->cnt);
		m->own[0] = i;
		m->own_cnt = 1;
		if (!close_over(lm, m->own, &m->own_cnt, seen))
			m->own_cnt = 0;
	}
	return 0;
}

/* ---- what has a say besides the order ---- */

static bool
env_has(const struct hp_proc *proc, const char *name)
{
	HP_AUTO(hp_mem) char *env = malloc(ENVIRON_LEN);
	ssize_t len = env != NULL ? hp_proc_text(proc, "environ", env, ENVIRON_LEN) : -1;
	size_t name_len = strlen(name);

	for (ssize_t at = 0; at < len; at += (ssize_t)strlen(env + at) + 1)
		if (strncmp(env + at, name, name_len) == 0 && env[at + (ssize_t)name_len] == '=' &&
		    env[at + (ssize_t)name_len + 1] != '\0')
			return true;
	return false;
}

static int
check_rules(struct reading *rd, struct hp_err *err)
{
	const struct hp_linkmap *lm = rd->lm;
	bool glibc = false;

	for (uint32_t i = 0; i < lm->cnt; i++) {
		const struct hp_dyn *d = &lm->v[i].dyn;

		glibc = glibc || hp_linkmap_is_linker(&lm->v[i].dyn);
		if (d->filter || (d->flags_1 & DF_1_INTERPOSE) != 0)
			return hp_err_set(err, HP_E_UNPATCHABLE,
			                  "process %d (%s): new imports cannot be bound: module '%s' is a filter or interposer",
			                  lm->proc->pid, lm->proc->comm, hp_esc(lm->v[i].name));
	}
	if (!glibc)
		return unfit(lm->proc, err, "its dynamic linker is not glibc's (" LINKER_SONAME ")");
	if (env_has(lm->proc, "LD_DYNAMIC_WEAK"))
		return unfit(lm->proc, err, "it was started with LD_DYNAMIC_WEAK");
	if (env_has(lm->proc, "LD_AUDIT") || lm->v[0].dyn.audit)
		return unfit(lm->proc, err, "it was started with an auditor (LD_AUDIT, DT_AUDIT)");
	for (size_t i = 0; i < rd->mods->cnt; i++) {
		const struct hp_module *mod = &rd->mods->v[i];
		struct hp_dyn_sym sym;
		struct hp_dyn dyn;

		if (mod->dyn_len != 0 && hp_linkmap_of(lm, mod) == HP_LMAP_NONE && open_dyn(rd, mod, &dyn, NULL) == 0 &&
		    hp_dyn_lookup(&dyn, "la_version", NULL, HP_DYN_DEFAULT, &sym, NULL) > 0)
			return unfit(lm->proc, err, "it has an auditor (a module with la_version() in a namespace of its own)");
	}
	return 0;
}

int
hp_linkmap_read(const struct hp_proc *proc, const struct hp_modules *mods, struct hp_arena *arena, struct hp_linkmap *ret,
                struct hp_err *err)
{
	struct hp_linkmap lm = { .proc = proc };
	struct reading rd = { &lm, mods, arena };
	struct cache *cache = hp_arena_alloc(arena, sizeof(*cache));
	int r;

	lm.v = hp_arena_array(arena, mods->cnt, sizeof(*lm.v)); /* no module is listed twice */
	if (cache == NULL || lm.v == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for modules");
	cache->proc = proc;
	memset(cache->va, 1, sizeof(cache->va)); /* no page has such an address */
	lm.cache = cache;
	r = find_debug(&lm, mods, arena, err);
	if (r == 0)
		r = walk(&lm, add_entry, &rd, &lm.digest, err);
	if (r > 0)
		return hp_err_set(err, HP_E_BUSY, "process %d (%s) is loading or unloading a library", proc->pid, proc->comm);
	if (r == 0 && lm.cnt == 0)
		r = unfit(proc, err, "the list of modules is empty");
	if (r == 0)
		r = check_rules(&rd, err);
	if (r == 0)
		r = resolve_deps(&lm, arena, err);
	if (r == 0)
		r = find_startup(&lm, arena, err);
	if (r == 0)
		r = find_own(&lm, arena, err);
	if (r == 0)
		*ret = lm;
	return r;
}

uint32_t
hp_linkmap_of(const struct hp_linkmap *lm, const struct hp_module *mod)
{
	for (uint32_t i = 0; i < lm->cnt; i++)
		if (lm->v[i].mod->start == mod->start)
			return i;
	return HP_LMAP_NONE;
}
