#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "formats/zst.h"

#define LEN 5000u

static void
fill(uint8_t *p)
{
	for (size_t i = 0; i < LEN; i++)
		p[i] = (uint8_t)(i * i / 7);
}

static int
unpack(struct hp_view frame, uint64_t raw_len, struct hp_buf *ret)
{
	hp_buf_release(ret);
	return hp_zst_unpack(frame, raw_len, ret, NULL);
}

static void
test_round_trip(void **state)
{
	HP_AUTO(hp_buf) struct hp_buf frame = { 0 }, again = { 0 }, raw = { 0 };
	uint8_t data[LEN];

	(void)state;
	fill(data);
	assert_int_equal(hp_zst_pack(hp_view_of(data, LEN), &frame, NULL), 0);
	assert_int_equal(hp_zst_pack(hp_view_of(data, LEN), &again, NULL), 0);
	assert_true(hp_view_eq(hp_buf_view(&frame), hp_buf_view(&again)));
	assert_int_equal(hp_zst_unpack(hp_buf_view(&frame), LEN, &raw, NULL), 0);
	assert_int_equal(raw.len, LEN);
	assert_memory_equal(raw.p, data, LEN);
	/* appends */
	assert_int_equal(hp_zst_unpack(hp_buf_view(&frame), LEN, &raw, NULL), 0);
	assert_int_equal(raw.len, 2 * LEN);
	assert_memory_equal(raw.p + LEN, data, LEN);
}

static void
test_empty(void **state)
{
	HP_AUTO(hp_buf) struct hp_buf frame = { 0 }, raw = { 0 };

	(void)state;
	assert_int_equal(hp_zst_pack(hp_view_of(NULL, 0), &frame, NULL), 0);
	assert_int_equal(hp_zst_unpack(hp_buf_view(&frame), 0, &raw, NULL), 0);
	assert_int_equal(raw.len, 0);
	assert_int_equal(hp_zst_unpack(hp_view_of(NULL, 0), 0, &raw, NULL), HP_E_FORMAT);
}

static void
test_wrong_sizes(void **state)
{
	HP_AUTO(hp_buf) struct hp_buf frame = { 0 }, raw = { 0 };
	uint8_t data[LEN];

	(void)state;
	fill(data);
	assert_int_equal(hp_zst_pack(hp_view_of(data, LEN), &frame, NULL), 0);
	assert_int_equal(unpack(hp_buf_view(&frame), LEN - 1, &raw), HP_E_FORMAT);
	assert_int_equal(unpack(hp_buf_view(&frame), LEN + 1, &raw), HP_E_FORMAT);
	assert_int_equal(unpack(hp_buf_view(&frame), UINT64_MAX, &raw), HP_E_FORMAT);
	for (size_t len = 0; len < frame.len; len++)
		assert_int_equal(unpack(hp_view_of(frame.p, len), LEN, &raw), HP_E_FORMAT);
	/* one byte, and one whole frame, too many */
	assert_int_equal(hp_buf_add_zero(&frame, 1, NULL), 0);
	assert_int_equal(unpack(hp_buf_view(&frame), LEN, &raw), HP_E_FORMAT);
	frame.len--;
	assert_int_equal(hp_zst_pack(hp_view_of(data, LEN), &frame, NULL), 0);
	assert_int_equal(unpack(hp_buf_view(&frame), LEN, &raw), HP_E_FORMAT);
}

static void
test_bit_flips(void **state)
{
	HP_AUTO(hp_buf) struct hp_buf frame = { 0 }, raw = { 0 };
	uint8_t data[LEN];
	size_t same = 0;

	(void)state;
	fill(data);
	assert_int_equal(hp_zst_pack(hp_view_of(data, LEN), &frame, NULL), 0);
	for (size_t bit = 0; bit < frame.len * 8; bit++) {
		frame.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (unpack(hp_buf_view(&frame), LEN, &raw) == 0) {
			/* a bit that means nothing to zstd (its header has one); the contents may not differ */
			assert_memory_equal(raw.p, data, LEN);
			same++;
		}
		frame.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_true(same <= 8);
}

static void
test_skippable(void **state)
{
	static const uint8_t skippable[] = { 0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2 };
	HP_AUTO(hp_buf) struct hp_buf raw = { 0 };

	(void)state;
	assert_int_equal(unpack(hp_view_of(skippable, sizeof(skippable)), 0, &raw), HP_E_FORMAT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_empty),     cmocka_unit_test(test_wrong_sizes),
		cmocka_unit_test(test_bit_flips),  cmocka_unit_test(test_skippable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
