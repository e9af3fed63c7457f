#include "formats/debug_link.h"

#include <string.h>

#include "base/le.h"
#include "formats/limits.h"
#include "formats/xz.h"

bool
hp_debug_link(const struct hp_elf *elf, const char **ret_name, uint32_t *ret_crc)
{
	uint32_t idx = hp_elf_find_sec(elf, ".gnu_debuglink");
	const struct hp_sec *sec = idx != HP_NONE ? &elf->secs[idx] : NULL;
	const char *name = sec != NULL ? hp_view_str(sec->data, 0) : NULL;

	/* The name, its terminator, zeros up to a multiple of four, the sum. A name with folders could lead anywhere. */
	if (name == NULL || name[0] == '\0' || strchr(name, '/') != NULL || strcmp(name, "..") == 0 || strcmp(name, ".") == 0 ||
	    !hp_elf_u32(elf, sec->data, (strlen(name) + 4) / 4 * 4, ret_crc))
		return false;
	*ret_name = name;
	return true;
}

int
hp_debug_mini(const struct hp_elf *elf, struct hp_buf *ret, struct hp_err *err)
{
	uint32_t idx = hp_elf_find_sec(elf, ".gnu_debugdata");
	int r;

	if (idx == HP_NONE || elf->secs[idx].data.len == 0)
		return 0;
	r = hp_xz_unpack(elf->secs[idx].data, HP_MINI_DEBUG_LEN_MAX, ret, err);
	return r < 0 ? hp_err_add(err, ".gnu_debugdata") : 1;
}
