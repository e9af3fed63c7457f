#include "base/buf.h"

#include "tests/unit/unit.h"

static void
appends_in_order(void **state)
{
	struct hp_buf buf = { 0 };
	struct hp_err err = { 0 };
	static const uint8_t want[] = { 'a', 'b', 0, 0, 0, 0, 0, 0, 0x04, 0x03, 0x02, 0x01, 8, 7, 6, 5, 4, 3, 2, 1 };

	(void)state;
	assert_fine(hp_buf_add(&buf, "ab", 2, &err), &err);
	assert_fine(hp_buf_add_zero(&buf, 1, &err), &err);
	assert_fine(hp_buf_align(&buf, 8, &err), &err);
	assert_fine(hp_buf_align(&buf, 8, &err), &err);
	assert_fine(hp_buf_add_u32(&buf, 0x01020304, &err), &err);
	assert_fine(hp_buf_add_u64(&buf, 0x0102030405060708, &err), &err);
	assert_fine(hp_buf_add(&buf, NULL, 0, &err), &err);
	assert_int_equal(buf.len, sizeof(want));
	assert_memory_equal(buf.p, want, sizeof(want));
	assert_int_equal(hp_buf_view(&buf).len, sizeof(want));
	hp_buf_release(&buf);
	assert_null(buf.p);
	assert_int_equal(buf.len + buf.cap, 0);
	hp_buf_release(&buf);
}

static void
grows_over_every_size(void **state)
{
	struct hp_buf buf = { 0 };

	(void)state;
	for (size_t i = 0; i < 100000; i++) {
		uint8_t b = (uint8_t)(i * 7);

		assert_int_equal(hp_buf_add(&buf, &b, 1, NULL), 0);
		assert_true(buf.cap >= buf.len);
	}
	for (size_t i = 0; i < buf.len; i++)
		assert_int_equal(buf.p[i], (uint8_t)(i * 7));
	hp_buf_release(&buf);
}

static void
failed_growth_changes_nothing(void **state)
{
	static const size_t sizes[] = { SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2, SIZE_MAX / 2 - 1, SIZE_MAX / 4 };
	struct hp_buf buf = { 0 };
	struct hp_err err = { 0 };
	struct hp_buf before;

	(void)state;
	assert_fine(hp_buf_add(&buf, "abc", 3, &err), &err);
	before = buf;
	for (size_t i = 0; i < CNT(sizes); i++) {
		assert_code(hp_buf_reserve(&buf, sizes[i], &err), HP_E_NOMEM, &err);
		assert_code(hp_buf_add_zero(&buf, sizes[i], &err), HP_E_NOMEM, &err);
		assert_memory_equal(&buf, &before, sizeof(buf));
	}
	assert_memory_equal(buf.p, "abc", 3);
	hp_buf_release(&buf);
}

static void
aligns_from_every_length(void **state)
{
	(void)state;
	for (size_t align = 1; align <= 4096; align *= 2)
		for (size_t len = 0; len < 70; len++) {
			struct hp_buf buf = { 0 };

			assert_int_equal(hp_buf_add_zero(&buf, len, NULL), 0);
			assert_int_equal(hp_buf_align(&buf, align, NULL), 0);
			assert_int_equal(buf.len, (len + align - 1) / align * align);
			hp_buf_release(&buf);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appends_in_order),
		cmocka_unit_test(grows_over_every_size),
		cmocka_unit_test(failed_growth_changes_nothing),
		cmocka_unit_test(aligns_from_every_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
