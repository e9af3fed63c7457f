#include "base/view.h"

#include "tests/unit/unit.h"

static void
reads_stay_inside(void **state)
{
	(void)state;
	/* Each view is a block of exactly that many bytes, so that a sanitizer sees a read beyond it. */
	for (size_t len = 0; len <= 20; len++) {
		uint8_t *p = malloc(len);
		struct hp_view v = hp_view_of(p, len);
		const uint64_t offs[] = {
			0, 1, 3, 4, 8, len, len + 1, UINT64_MAX, UINT64_MAX - 3, UINT64_MAX - 7, (uint64_t)1 << 63
		};

		for (size_t i = 0; i < len; i++)
			p[i] = (uint8_t)(i + 1);
		for (size_t i = 0; i < CNT(offs); i++) {
			uint32_t u32 = 0xaaaaaaaa;
			uint64_t u64 = 0xbbbb;
			uint64_t off = offs[i];

			assert_int_equal(hp_view_u32(v, off, &u32), off <= len && len - off >= 4);
			assert_int_equal(hp_view_u64(v, off, &u64), off <= len && len - off >= 8);
			assert_int_equal(hp_view_has(v, off, 0), off <= len);
			if (off > len || len - off < 4)
				assert_int_equal(u32, 0xaaaaaaaa); /* untouched */
			else
				assert_int_equal(u32, p[off] | p[off + 1] << 8 | p[off + 2] << 16 | (uint32_t)p[off + 3] << 24);
			if (off > len || len - off < 8)
				assert_int_equal(u64, 0xbbbb);
		}
		free(p);
	}
}

static void
windows_do_not_wrap(void **state)
{
	static const uint8_t bytes[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct hp_view v = hp_view_of(bytes, sizeof(bytes)), sub = { NULL, 77 };

	(void)state;
	assert_true(hp_view_sub(v, 2, 3, &sub));
	assert_ptr_equal(sub.p, bytes + 2);
	assert_int_equal(sub.len, 3);
	assert_true(hp_view_sub(v, 8, 0, &sub));
	assert_int_equal(sub.len, 0);
	sub.len = 77;
	assert_false(hp_view_sub(v, 8, 1, &sub));
	assert_false(hp_view_sub(v, 1, UINT64_MAX, &sub));
	assert_false(hp_view_sub(v, UINT64_MAX, 1, &sub));
	assert_false(hp_view_sub(v, UINT64_MAX, UINT64_MAX, &sub));
	assert_false(hp_view_has(v, 4, UINT64_MAX - 3));
	assert_int_equal(sub.len, 77);
}

static void
empty_views_work(void **state)
{
	struct hp_view none = { 0 }, sub;
	uint32_t u32;

	(void)state;
	assert_true(hp_view_has(none, 0, 0));
	assert_true(hp_view_sub(none, 0, 0, &sub));
	assert_int_equal(sub.len, 0);
	assert_false(hp_view_u32(none, 0, &u32));
	assert_null(hp_view_str(none, 0));
	assert_true(hp_view_eq(none, hp_view_of("x", 0)));
	assert_true(hp_view_eq(none, none));
}

static void
strings_need_their_terminator(void **state)
{
	static const char bytes[] = { 'a', 'b', 0, 'c', 'd' };
	struct hp_view v = hp_view_of(bytes, sizeof(bytes));

	(void)state;
	assert_string_equal(hp_view_str(v, 0), "ab");
	assert_string_equal(hp_view_str(v, 1), "b");
	assert_string_equal(hp_view_str(v, 2), "");
	assert_null(hp_view_str(v, 3));
	assert_null(hp_view_str(v, 5));
	assert_null(hp_view_str(v, UINT64_MAX));
}

static void
equality_is_length_and_bytes(void **state)
{
	(void)state;
	assert_true(hp_view_eq(hp_view_of("abc", 3), hp_view_of("abcd", 3)));
	assert_false(hp_view_eq(hp_view_of("abc", 3), hp_view_of("abcd", 4)));
	assert_false(hp_view_eq(hp_view_of("abc", 3), hp_view_of("abd", 3)));
}

static void
little_endian_round_trip(void **state)
{
	struct rnd r = rnd_start("le");
	uint8_t b[9];

	(void)state;
	hp_le64_put(b + 1, 0x0102030405060708);
	assert_memory_equal(b + 1, "\x08\x07\x06\x05\x04\x03\x02\x01", 8);
	for (int i = 0; i < 10000; i++) {
		uint64_t v = rnd_u64(&r);

		hp_le64_put(b + 1, v); /* unaligned on purpose */
		assert_int_equal(hp_le64_get(b + 1), v);
		hp_le32_put(b + 1, (uint32_t)v);
		assert_int_equal(hp_le32_get(b + 1), (uint32_t)v);
		hp_le16_put(b + 1, (uint16_t)v);
		assert_int_equal(hp_le16_get(b + 1), (uint16_t)v);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_stay_inside),
		cmocka_unit_test(windows_do_not_wrap),
		cmocka_unit_test(empty_views_work),
		cmocka_unit_test(strings_need_their_terminator),
		cmocka_unit_test(equality_is_length_and_bytes),
		cmocka_unit_test(little_endian_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
