#include "formats/pkg_baseline.h"

#include <string.h>

#include "base/escape.h"
#include "formats/hash.h"

static const char *
cpu_name(uint16_t machine)
{
	return machine == EM_X86_64 ? "x86_64" : machine == EM_AARCH64 ? "aarch64" : "another CPU";
}

/* -1: none. */
static int
find_target(const struct hp_manifest *man, struct hp_view build_id)
{
	for (size_t i = 0; i < man->targets_cnt; i++)
		if (hp_view_eq(build_id, hp_view_of(man->targets[i].build_id, man->targets[i].build_id_len)))
			return (int)i;
	return -1;
}

static int
check_func(const struct hp_man_func *f, const struct hp_elf *elf, struct hp_err *err)
{
	char found[2 * HP_DIGEST_LEN + 1], expected[2 * HP_DIGEST_LEN + 1];
	uint8_t digest[HP_DIGEST_LEN];
	struct hp_view bytes;

	if (!hp_elf_bytes_at(elf, f->address, f->size, &bytes))
		return hp_err_set(err, HP_E_BASELINE, "function '%s': the file has no bytes at 0x%llx, size %llu",
		                  hp_esc(f->name), (unsigned long long)f->address, (unsigned long long)f->size);
	hp_hash_256(bytes, digest);
	if (memcmp(digest, f->preimage, sizeof(digest)) == 0)
		return 0;
	hp_hex(digest, sizeof(digest), found);
	hp_hex(f->preimage, sizeof(digest), expected);
	return hp_err_set(err, HP_E_BASELINE, "function '%s' at 0x%llx: found digest %s, expected %s", hp_esc(f->name),
	                  (unsigned long long)f->address, found, expected);
}

int
hp_pkg_check_baseline(const struct hp_manifest *man, const struct hp_elf *elf, size_t *ret_idx, struct hp_err *err)
{
	char found[2 * HP_BUILD_ID_LEN_MAX + 1], expected[2 * HP_BUILD_ID_LEN_MAX + 1];
	const struct hp_man_target *t;
	struct hp_view build_id;
	int idx, r;

	if (!hp_elf_build_id(elf, &build_id) || build_id.len > HP_BUILD_ID_LEN_MAX)
		return hp_err_set(err, HP_E_BASELINE, "'%s' has no build ID", hp_esc(elf->path));
	idx = find_target(man, build_id);
	if (idx < 0) {
		hp_hex(build_id.p, build_id.len, found);
		hp_hex(man->targets[0].build_id, man->targets[0].build_id_len, expected);
		return hp_err_set(err, HP_E_BASELINE, "'%s': found build ID %s, expected %s%s", hp_esc(elf->path), found,
		                  expected, man->targets_cnt > 1 ? " or that of another target" : "");
	}
	t = &man->targets[idx];
	if (strcmp(t->cpu, cpu_name(elf->machine)) != 0)
		return hp_err_set(err, HP_E_BASELINE, "'%s': found CPU %s, expected %s", hp_esc(elf->path),
		                  cpu_name(elf->machine), hp_esc(t->cpu));
	for (size_t i = 0; i < t->funcs_cnt; i++) {
		r = check_func(&t->funcs[i], elf, err);
		if (r < 0) {
			(void)hp_err_add(err, "'%s'", hp_esc(elf->path));
			return r;
		}
	}
	*ret_idx = (size_t)idx;
	return 0;
}
