/* Fuzz target: a payload image, and fixups for it: the last 32 * N bytes, N from the first byte. What is accepted must be sound
 * enough to be loaded: segments inside the file and disjoint, places inside the image. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "formats/fixup.h"
#include "formats/image.h"
#include "formats/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
walk_image(const struct hp_image *img)
{
	uint64_t end = 0;

	if (img->mem_len > HP_PKG_RAW_LEN_MAX)
		abort();
	for (uint32_t i = 0; i < img->segs_cnt; i++) {
		const struct hp_image_seg *s = &img->segs[i];

		if (s->va < end || s->file_len > s->mem_len || !hp_view_has(img->file, s->va, s->file_len) ||
		    (s->prot & (PROT_WRITE | PROT_EXEC)) == (PROT_WRITE | PROT_EXEC) || s->va + s->mem_len > img->mem_len)
			abort();
		end = s->va + s->mem_len;
	}
	if (img->eh_frame_len > 0 && hp_image_seg_at(img, img->eh_frame_va, img->eh_frame_len) == NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct hp_image img = { 0 };
	struct hp_view fixups;
	uint32_t cnt;

	if (len == 0)
		return 0;
	fixups.len = (size_t)data[0] * HP_FIXUP_LEN;
	if (fixups.len > len - 1)
		return 0;
	fixups.p = data + len - fixups.len;
	if (hp_image_read(hp_view_of(data + 1, len - 1 - fixups.len), &img, NULL) < 0)
		return 0;
	walk_image(&img);
	if (hp_fixups_check(fixups, img.mem_len, 2, 3, &cnt, NULL) < 0)
		return 0;
	for (uint32_t i = 0; i < cnt; i++) {
		struct hp_fixup f = hp_fixup_get(fixups, i);

		if (hp_fixup_len(f.form) == 0 || f.place + hp_fixup_len(f.form) > img.mem_len)
			abort();
	}
	return 0;
}
