/* DWARF of one or two relocatable objects. Input: object A, object B, and in the last four bytes the length of A
 * (little-endian); when that does not fit, the whole input is both. */
#include "base/cleanup.h"
#include "formats/dwarf_info.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
use(struct hp_dwarf *dw)
{
	const struct hp_dwarf_static *statics;
	const struct hp_dwarf_unit *units;
	const char *file;
	uint64_t line;
	size_t cnt;

	(void)!hp_dwarf_units(dw, &units, &cnt, NULL);
	(void)!hp_dwarf_statics(dw, &statics, &cnt, NULL);
	(void)!hp_dwarf_decl(dw, "main", &file, &line, NULL);
	for (uint32_t i = 0; i < 8; i++)
		(void)!hp_dwarf_line(dw, i, 4, &file, &line, NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct hp_view all = hp_view_of(data, len), part[2] = { all, all };
	HP_AUTO(hp_elf) struct hp_elf *a = NULL;
	HP_AUTO(hp_elf) struct hp_elf *b = NULL;
	struct hp_dwarf *da = NULL, *db = NULL;
	struct hp_type_diff *diffs;
	size_t cnt;
	uint32_t split;

	if (len >= 4) {
		split = hp_le32_get(data + len - 4);
		if (split <= len - 4) {
			part[0] = hp_view_of(data, split);
			part[1] = hp_view_of(data + split, len - 4 - split);
		}
	}
	if (hp_elf_open(part[0], "a", &a, NULL) == 0 && hp_elf_open(part[1], "b", &b, NULL) == 0 &&
	    hp_dwarf_open(a, &da, NULL) == 1 && hp_dwarf_open(b, &db, NULL) == 1) {
		(void)!hp_dwarf_compare_types(da, db, &diffs, &cnt, NULL);
		use(da);
		use(db);
	}
	hp_dwarf_free(da);
	hp_dwarf_free(db);
	return 0;
}
