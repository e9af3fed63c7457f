#include "formats/elf_same.h"

#include <string.h>

/* The byte at ${off} of the file is not part of the program: e_shoff, e_shnum, e_shstrndx (gABI chapter 4 "ELF Header"). */
static bool
is_header_note(uint64_t off)
{
	return (off >= 40 && off < 48) || (off >= 60 && off < 64);
}

static bool
is_build_id(const struct hp_elf *elf, struct hp_view id, uint64_t off)
{
	uint64_t start = (uint64_t)(id.p - elf->file.p);

	return off >= start && off < start + id.len;
}

static bool
same_segment(const struct hp_elf *a, const struct hp_elf *b, const struct hp_seg *seg, struct hp_view id, uint64_t *ret_va)
{
	const uint8_t *x, *y;

	if (!hp_view_has(a->file, seg->off, seg->file_len) || !hp_view_has(b->file, seg->off, seg->file_len))
		return false;
	x = a->file.p + seg->off;
	y = b->file.p + seg->off;
	for (uint64_t i = 0; i < seg->file_len; i++) {
		if (x[i] == y[i] || is_header_note(seg->off + i) || is_build_id(a, id, seg->off + i))
			continue;
		*ret_va = seg->va + i;
		return false;
	}
	return true;
}

bool
hp_elf_same_image(const struct hp_elf *a, const struct hp_elf *b, uint64_t *ret_va)
{
	struct hp_view id_a, id_b;

	*ret_va = UINT64_MAX;
	if (a->segs_cnt != b->segs_cnt || !hp_elf_build_id(a, &id_a) || !hp_elf_build_id(b, &id_b) || id_a.len != id_b.len ||
	    id_a.p - a->file.p != id_b.p - b->file.p)
		return false;
	for (uint32_t i = 0; i < a->segs_cnt; i++)
		if (memcmp(&a->segs[i], &b->segs[i], sizeof(a->segs[i])) != 0)
			return false;
	for (uint32_t i = 0; i < a->segs_cnt; i++)
		if (a->segs[i].type == PT_LOAD && !same_segment(a, b, &a->segs[i], id_a, ret_va))
			return false;
	return true;
}
