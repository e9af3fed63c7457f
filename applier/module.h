/* The ELF modules of a process, read from its memory: what is on disk by now does not matter.
 *
 * Untrusted: headers come from the target. Everything is bounds-checked; a mapping that is no sound ELF image is skipped.
 */
#ifndef HP_APPLIER_MODULE_H
#define HP_APPLIER_MODULE_H

#include "applier/proc.h"
#include "formats/elf_dyn.h"
#include "formats/manifest.h"

struct hp_module {
	const struct hp_area *area; /* the mapping that holds the ELF header */
	uint64_t bias;              /* what is added to p_vaddr; 0 for ET_EXEC */
	uint64_t start, end;        /* run-time range of the PT_LOAD segments, whole pages */
	uint64_t dyn_va, dyn_len;   /* run-time address and bytes of the dynamic section, 0 = none */
	uint16_t type, machine;     /* ET_*, EM_* */
	uint8_t build_id[HP_BUILD_ID_LEN_MAX];
	uint32_t build_id_len; /* bytes, 0 = none */
};

struct hp_modules {
	struct hp_module *v; /* ascending by address */
	size_t cnt;
};

/* hp_modules_read(proc, areas, arena, ret, err): all modules. ${areas} must outlive ${ret}. HP_E_NOMEM. */
HP_MUST_CHECK int hp_modules_read(const struct hp_proc *proc, const struct hp_areas *areas, struct hp_arena *arena,
                                  struct hp_modules *ret, struct hp_err *err);
/* hp_modules_find(mods, man, ret, err): the module of a target. 1 found, 0 absent; HP_E_UNPATCHABLE: two copies are loaded. */
HP_MUST_CHECK int hp_modules_find(const struct hp_modules *mods, const struct hp_man_target *man, const struct hp_module **ret,
                                  struct hp_err *err);
/* hp_modules_at(mods, va): the module whose range holds ${va}, NULL = none. */
const struct hp_module *hp_modules_at(const struct hp_modules *mods, uint64_t va);
/* hp_module_dyn(proc, mod, arena, ret): its dynamic section, which lives in ${arena}; false: none, or malformed. */
bool hp_module_dyn(const struct hp_proc *proc, const struct hp_module *mod, struct hp_arena *arena, struct hp_dyn *ret);
/* hp_module_file(proc, mod): descriptor of the very file that is mapped, also when it was deleted or replaced; -1: cannot be
 * had. */
int hp_module_file(const struct hp_proc *proc, const struct hp_module *mod);

#endif
