/* The list of modules that the dynamic linker keeps in a process (struct r_debug and struct link_map of <link.h>), and from it
 * the scope in which it looks for a symbol.
 *
 * Only the public part of the list is used; its private part differs from one glibc to the next. So the scope is reconstructed:
 * what was mapped at the start (the program, preloads, and breadth first what they need) stands in front in that very order,
 * which is checked; it is searched first by every module and is never unloaded. For a module that was opened later comes what it
 * needs itself; or before, with RTLD_DEEPBIND. Slots of the module that are bound already tell which. Where that does not decide
 * (another opened module defines the symbol too, no slot tells, a slot speaks against the scope), the answer is a refusal.
 *
 * Everything is read from the process and untrusted: loops, sizes and strings are bounded. The list may change while it is
 * read; hp_linkmap_same() tells.
 */
#ifndef HP_APPLIER_LINKMAP_H
#define HP_APPLIER_LINKMAP_H

#include "applier/module.h"
#include "formats/elf_dyn.h"

struct hp_lmap {
	const char *name;            /* as the dynamic linker has it; "" for the program */
	const struct hp_module *mod;
	struct hp_dyn dyn;
	bool startup;                /* mapped at the start */
	bool aside;                  /* in no scope: the vDSO */
	bool start_first;            /* opened later, and proven to look into what was mapped at the start first */
	uint32_t *deps;              /* DT_NEEDED, as indexes; HP_LMAP_NONE = not in the list */
	uint32_t *own;               /* opened later: itself and what it needs, breadth first */
	uint32_t own_cnt;            /* 0 = not known */
};
#define HP_LMAP_NONE UINT32_MAX

struct hp_linkmap {
	const struct hp_proc *proc;
	uint64_t debug_va;   /* of struct r_debug */
	struct hp_lmap *v;   /* in the order of the list */
	uint32_t cnt;
	uint32_t *startup;   /* what was mapped at the start, in the order of the search */
	uint32_t startup_cnt;
	uint64_t digest;     /* of the chain */
	void *cache;         /* of pages with symbol tables */
};

/* hp_linkmap_read(proc, mods, arena, ret, err): the list of the first namespace. All lives in ${arena}; ${proc} and ${mods} must
 * outlive it. HP_E_UNPATCHABLE: there is none, it is not glibc's, an auditor has a say, it is malformed or not in the order of a
 * start; HP_E_BUSY: it is being changed. */
HP_MUST_CHECK int hp_linkmap_read(const struct hp_proc *proc, const struct hp_modules *mods, struct hp_arena *arena,
                                  struct hp_linkmap *ret, struct hp_err *err);
/* hp_linkmap_is_linker(dyn): it is glibc's dynamic linker, by its soname. */
bool hp_linkmap_is_linker(const struct hp_dyn *dyn);
/* hp_linkmap_same(lm): the list in the process is still the same, and at rest. */
bool hp_linkmap_same(const struct hp_linkmap *lm);
/* hp_linkmap_of(lm, mod): index of the module, by its address; HP_LMAP_NONE = not in the list. */
uint32_t hp_linkmap_of(const struct hp_linkmap *lm, const struct hp_module *mod);

/* Where a symbol was found. */
struct hp_binding {
	uint32_t lmap;   /* index of the module that defines it, HP_LMAP_NONE = nobody */
	struct hp_dyn_sym sym;
	uint64_t va;     /* its run-time address; of an IFUNC, of the resolver */
	bool ifunc;
};

/* hp_linkmap_find(lm, from, name, version, how, ret, err): what a reference of module ${from} is bound to. ${version} NULL: a
 * reference without version. 1 found, 0 nobody in its scope has it, HP_E_UNPATCHABLE: it cannot be told. */
HP_MUST_CHECK int hp_linkmap_find(const struct hp_linkmap *lm, uint32_t from, const char *name, const char *version,
                                  enum hp_dyn_how how, struct hp_binding *ret, struct hp_err *err);
/* hp_linkmap_check(lm, from, err): what the dynamic linker has bound for module ${from} so far agrees with hp_linkmap_find(),
 * which decides more cases afterwards. HP_E_UNPATCHABLE: a slot holds another module's definition of the symbol. */
HP_MUST_CHECK int hp_linkmap_check(struct hp_linkmap *lm, uint32_t from, struct hp_err *err);

#endif
