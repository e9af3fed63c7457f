/* Fuzz target: a whole package file, split and parsed without any signature check. What is accepted must be sound enough to
 * be walked, and its parts must add up to the file. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "formats/fixup.h"
#include "formats/image.h"
#include "formats/package.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
walk(const struct hp_pkg *pkg)
{
	for (size_t i = 0; i < pkg->man->targets_cnt; i++) {
		const struct hp_payload *p = &pkg->payloads[i];
		struct hp_image img;

		for (uint32_t k = 0; k < p->fixups.len / HP_FIXUP_LEN; k++)
			if (hp_fixup_len(hp_fixup_get(p->fixups, k).form) == 0)
				abort();
		if (p->image.len > 0 && hp_image_read(p->image, &img, NULL) < 0)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	HP_AUTO(hp_buf) struct hp_buf again = { 0 };
	struct hp_view file = hp_view_of(data, len);
	struct hp_pkg_parts parts;
	struct hp_pkg pkg;
	struct hp_err err;

	/* The signed part by itself, too: most mutations would die in the split. */
	if (hp_pkg_parse(file, &pkg, &err) == 0) {
		walk(&pkg);
		hp_pkg_release(&pkg);
	}
	if (hp_pkg_split(file, &parts, &err) < 0)
		return 0;
	if (hp_pkg_join(parts.signed_part, parts.sigs, parts.sigs_cnt, &again, &err) < 0 || !hp_view_eq(file,
	                                                                                                hp_buf_view(&again)))
		abort();
	if (hp_pkg_parse(parts.signed_part, &pkg, &err) == 0) {
		walk(&pkg);
		hp_pkg_release(&pkg);
	}
	return 0;
}
