/* The differ on two objects. Input: object A, object B, and in the last four bytes the length of A (little-endian). When that
 * does not fit, B is A with four bytes changed: what the last sixteen bytes say, three of place and one of value each. */
#include <string.h>

#include "base/cleanup.h"
#include "differ/result.h"
#include "differ/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool
open_side(const uint8_t *p, size_t len, struct hp_object **ret)
{
	struct hp_buf buf = { 0 };

	return hp_buf_add(&buf, p, len, NULL) == 0 && hp_object_open(&buf, "input.o", ret, NULL) == 0;
}

static void
edit(struct hp_buf *b)
{
	size_t at = b->len - 16;

	for (size_t i = 0; i < 4; i++) {
		const uint8_t *e = b->p + at + 4 * i;
		size_t place = (size_t)(e[0] | e[1] << 8 | e[2] << 16) % b->len;

		b->p[place] ^= e[3];
	}
}

static void
compare(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	struct hp_result result = { .pair = { .path = "src/input.o" } };
	struct hp_diff_options opts = { .jobs = 1 };
	struct hp_patchset set = { 0 };

	if (open_side(a, a_len, &result.pair.old_obj) && open_side(b, b_len, &result.pair.new_obj) &&
	    hp_pair_compare(&result, NULL) == 0)
		(void)!hp_result_merge(&result, 1, &opts, &set, NULL);
	hp_patchset_release(&set);
	hp_result_release(&result);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	HP_AUTO(hp_buf) struct hp_buf b = { 0 };
	uint32_t split;

	if (len < 64)
		return 0;
	split = hp_le32_get(data + len - 4);
	if (split <= len - 4) {
		compare(data, split, data + split, len - 4 - split);
	} else if (hp_buf_add(&b, data, len, NULL) == 0) {
		edit(&b);
		compare(data, len, b.p, b.len);
	}
	return 0;
}
