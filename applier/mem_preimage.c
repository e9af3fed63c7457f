/* Whether a function in memory is the one that the package was made for. */
#include "applier/plan.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "applier/arch.h"
#include "base/cleanup.h"
#include "base/escape.h"
#include "base/le.h"
#include "formats/hash.h"

enum { RELA_LEN = 24, RELAS_MAX = 1 << 20 };

/* Take recorded redirections off, latest first. A record is only a claim of the target; the digest decides afterwards. */
static void
undo_recorded(const struct hp_recs *recs, uint64_t va, uint8_t *bytes, uint64_t len)
{
	for (size_t i = recs->cnt; i-- > 0;) {
		const struct hp_rec *rec = &recs->v[i];

		for (uint32_t k = 0; k < rec->entries_cnt; k++) {
			const struct hp_rec_entry *e = &rec->entries[k];

			if (e->va < va || e->va - va > len || len - (e->va - va) < HP_ARCH_JUMP_LEN)
				continue;
			if (memcmp(bytes + (e->va - va), e->after, HP_ARCH_JUMP_LEN) == 0)
				memcpy(bytes + (e->va - va), e->before, HP_ARCH_JUMP_LEN);
		}
	}
}

static bool
has_digest(const uint8_t *bytes, uint64_t len, const uint8_t want[HP_DIGEST_LEN])
{
	uint8_t digest[HP_DIGEST_LEN];

	hp_hash_256(hp_view_of(bytes, (size_t)len), digest);
	return memcmp(digest, want, HP_DIGEST_LEN) == 0;
}

/* File bytes of the module at ${va} (p_vaddr space), by the mapping that covers it: they serve the message only. */
static bool
read_file_bytes(const struct hp_plan *plan, const struct hp_plan_target *target, uint64_t va, uint8_t *ret, uint64_t len)
{
	HP_AUTO(hp_fd) int fd = hp_module_file(plan->proc, target->mod);
	const struct hp_area *a = hp_area_at(&plan->areas, target->mod->bias + va);

	return fd >= 0 && a != NULL && a->inode == target->mod->area->inode &&
	       pread(fd, ret, (size_t)len, (off_t)(a->off + (target->mod->bias + va - a->start))) == (ssize_t)len;
}

/* A text relocation in the function (gABI chapter 5, DT_TEXTREL): its bytes are the dynamic linker's, in no process those of the
 * file. hpbuild-pack refuses such a function, so this is for packages of other makers. */
static bool
find_text_reloc(const struct hp_plan *plan, const struct hp_module *mod, const struct hp_man_func *func, uint64_t *ret_off)
{
	HP_AUTO(hp_arena) struct hp_arena arena = { 0 };
	struct hp_dyn dyn;
	uint8_t rela[RELA_LEN];

	if (!hp_module_dyn(plan->proc, mod, &arena, &dyn))
		return false;
	for (uint64_t i = 0; i < dyn.rela_len / RELA_LEN && i < RELAS_MAX; i++) {
		uint64_t at = dyn.rela + i * RELA_LEN, place;

		if (at < mod->start || at > mod->end - RELA_LEN || hp_proc_read(plan->proc, at, rela, sizeof(rela), NULL) < 0)
			return false;
		place = hp_le64_get(rela);
		if (place >= func->address && place - func->address < func->size) {
			*ret_off = place - func->address;
			return true;
		}
	}
	return false;
}

/* Says what differs: a breakpoint, another patch, or simply another build. */
static int
explain(const struct hp_plan *plan, const struct hp_plan_target *target, const struct hp_man_func *func, const uint8_t *mem,
        struct hp_err *err)
{
	HP_AUTO(hp_mem) uint8_t *file = malloc((size_t)func->size);
	char got[2 * 8 + 1], want[2 * 8 + 1];
	uint64_t at = 0, len;

	if (find_text_reloc(plan, target->mod, func, &at))
		return hp_err_set(err, HP_E_UNPATCHABLE,
		                  "function '%s' has a text relocation at offset 0x%" PRIx64 ": the dynamic linker filled in an "
		                  "address there, so it cannot be told whether it is the one that the package was made for",
		                  hp_esc(func->name), at);
	if (file == NULL || !read_file_bytes(plan, target, func->address, file, func->size) ||
	    !has_digest(file, func->size, func->preimage)) {
		if (mem[func->entry - func->address] == 0xcc)
			return hp_err_set(err, HP_E_BUSY, "function '%s': a breakpoint (byte cc) lies at its entry",
			                  hp_esc(func->name));
		return hp_err_set(err, HP_E_BASELINE,
		                  "function '%s' at 0x%" PRIx64 " is not the one that the package was made for",
		                  hp_esc(func->name), func->address);
	}
	while (at < func->size && file[at] == mem[at])
		at++;
	len = func->size - at < 8 ? func->size - at : 8;
	hp_hex(mem + at, (size_t)len, got);
	hp_hex(file + at, (size_t)len, want);
	return hp_err_set(err, HP_E_BUSY,
	                  "function '%s' was changed in memory by someone else: %s at offset %" PRIu64 ": bytes %s, want %s",
	                  hp_esc(func->name), mem[at] == 0xcc ? "a breakpoint" : "foreign bytes", at, got, want);
}

int
hp_mem_preimage_check(const struct hp_plan *plan, const struct hp_plan_target *target, const struct hp_man_func *func,
                  struct hp_err *err)
{
	HP_AUTO(hp_mem) uint8_t *mem = NULL;
	uint64_t va = target->mod->bias + func->address;
	int r;

	if (va < target->mod->start || va > target->mod->end || func->size > target->mod->end - va)
		return hp_err_set(err, HP_E_BASELINE, "function '%s' at 0x%" PRIx64 " lies outside its module",
		                  hp_esc(func->name),
		                  func->address);
	if (!hp_areas_cover(&plan->areas, va, func->size, PROT_READ | PROT_EXEC))
		return hp_err_set(err, HP_E_BUSY, "function '%s' at 0x%" PRIx64 " is not mapped as code", hp_esc(func->name),
		                  func->address);
	mem = malloc((size_t)func->size);
	if (mem == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for a function of %" PRIu64 " bytes", func->size);
	r = hp_proc_read(plan->proc, va, mem, (size_t)func->size, err);
	if (r < 0)
		return r;
	undo_recorded(&plan->recs, va, mem, func->size);
	if (!has_digest(mem, func->size, func->preimage))
		return explain(plan, target, func, mem, err);
	return 0;
}
