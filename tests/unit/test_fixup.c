#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "formats/fixup.h"
#include "formats/limits.h"

static const struct hp_fixup good = { 0x10, HP_FORM_PC32, HP_KIND_MODULE, 0, HP_FIXUP_NO_IMPORT, 0x1234, -4 };

static int
check_one(struct hp_fixup f, uint64_t image_len)
{
	struct hp_buf buf = { 0 };
	uint32_t cnt = 77;
	int r;

	assert_int_equal(hp_fixup_add(&buf, &f, NULL), 0);
	r = hp_fixups_check(hp_buf_view(&buf), image_len, 1, 1, &cnt, NULL);
	assert_int_equal(cnt, r == 0 ? 1 : 77);
	hp_buf_release(&buf);
	return r;
}

static void
test_round_trip(void **state)
{
	struct hp_buf buf = { 0 };
	struct hp_fixup f = { UINT64_C(0x1122334455667788), HP_FORM_ABS64, HP_KIND_IMPORT, 0xabcd, 0xdeadbeef, 5, INT64_MIN },
	        got;

	(void)state;
	assert_int_equal(hp_fixup_add(&buf, &good, NULL), 0);
	assert_int_equal(hp_fixup_add(&buf, &f, NULL), 0);
	assert_int_equal(buf.len, 2 * HP_FIXUP_LEN);
	got = hp_fixup_get(hp_buf_view(&buf), 1);
	assert_true(got.place == f.place && got.form == f.form && got.kind == f.kind && got.module == f.module);
	assert_true(got.import == f.import && got.target == f.target && got.addend == f.addend);
	hp_buf_release(&buf);
}

static void
test_check(void **state)
{
	struct hp_fixup f;

	(void)state;
	assert_int_equal(check_one(good, 0x14), 0);
	assert_int_equal(check_one(good, 0x13), HP_E_FORMAT);
	f = good, f.place = UINT64_MAX - 1;
	assert_int_equal(check_one(f, 0x100), HP_E_FORMAT);
	f = good, f.form = 0;
	assert_int_equal(check_one(f, 0x100), HP_E_FORMAT);
	f = good, f.form = 5;
	assert_int_equal(check_one(f, 0x100), HP_E_FORMAT);
	f = good, f.kind = 0;
	assert_int_equal(check_one(f, 0x100), HP_E_FORMAT);
	f = good, f.kind = 8;
	assert_int_equal(check_one(f, 0x100), HP_E_FORMAT);
	f = good, f.module = 1;
	assert_int_equal(check_one(f, 0x100), HP_E_FORMAT);
	f = good, f.import = 0;
	assert_int_equal(check_one(f, 0x100), HP_E_FORMAT);
	f = good, f.kind = HP_KIND_PAYLOAD, f.target = 0x101;
	assert_int_equal(check_one(f, 0x100), HP_E_FORMAT);
	f.target = 0x100;
	assert_int_equal(check_one(f, 0x100), 0);
	f = good, f.kind = HP_KIND_IMPORT, f.form = HP_FORM_ABS64, f.target = 0, f.import = 0;
	assert_int_equal(check_one(f, 0x100), 0);
	f.target = HP_FIXUP_WEAK;
	assert_int_equal(check_one(f, 0x100), 0);
	f.target = HP_FIXUP_WEAK + 1;
	assert_int_equal(check_one(f, 0x100), HP_E_FORMAT);
	f.target = 0, f.form = HP_FORM_PC32;
	assert_int_equal(check_one(f, 0x100), HP_E_FORMAT);
	f.form = HP_FORM_ABS64, f.import = 1;
	assert_int_equal(check_one(f, 0x100), HP_E_FORMAT);
	f = good, f.kind = HP_KIND_PEER, f.form = HP_FORM_ABS64, f.import = 0; /* target: for the package to judge */
	assert_int_equal(check_one(f, 0x100), 0);
	f.module = 1;
	assert_int_equal(check_one(f, 0x100), HP_E_FORMAT);
	f.module = 0, f.import = 1;
	assert_int_equal(check_one(f, 0x100), HP_E_FORMAT);
	f.import = 0, f.form = HP_FORM_PC32;
	assert_int_equal(check_one(f, 0x100), HP_E_FORMAT);
}

static void
test_order(void **state)
{
	struct hp_buf buf = { 0 };
	struct hp_fixup f = good;
	uint32_t cnt;

	(void)state;
	assert_int_equal(hp_fixup_add(&buf, &f, NULL), 0);
	f.place += 4;
	assert_int_equal(hp_fixup_add(&buf, &f, NULL), 0);
	assert_int_equal(hp_fixups_check(hp_buf_view(&buf), 0x100, 1, 0, &cnt, NULL), 0);
	assert_int_equal(cnt, 2);
	f.place += 3;
	assert_int_equal(hp_fixup_add(&buf, &f, NULL), 0);
	assert_int_equal(hp_fixups_check(hp_buf_view(&buf), 0x100, 1, 0, &cnt, NULL), HP_E_FORMAT);
	assert_int_equal(hp_fixups_check(hp_view_of(buf.p, 33), 0x100, 1, 0, &cnt, NULL), HP_E_FORMAT);
	assert_int_equal(hp_fixups_check(hp_view_of(buf.p, 0), 0, 0, 0, &cnt, NULL), 0);
	hp_buf_release(&buf);
}

static int
encode(enum hp_fixup_form form, uint64_t value, uint64_t place, uint64_t want)
{
	struct hp_fixup f = { .form = form };
	uint8_t out[8] = { 0 };
	int r = hp_fixup_encode(&f, value, place, out, NULL);

	if (r == 0)
		assert_true((hp_fixup_len(form) == 8 ? hp_le64_get(out) : hp_le32_get(out)) == want);
	return r;
}

static void
test_encode(void **state)
{
	(void)state;
	assert_int_equal(encode(HP_FORM_ABS64, UINT64_MAX, 0, UINT64_MAX), 0);
	assert_int_equal(encode(HP_FORM_ABS32, UINT32_MAX, 0, UINT32_MAX), 0);
	assert_int_equal(encode(HP_FORM_ABS32, UINT64_C(1) << 32, 0, 0), HP_E_REFUSED);
	assert_int_equal(encode(HP_FORM_ABS32S, (uint64_t)INT32_MIN, 0, 0x80000000u), 0);
	assert_int_equal(encode(HP_FORM_ABS32S, UINT64_C(0x80000000), 0, 0), HP_E_REFUSED);
	assert_int_equal(encode(HP_FORM_PC32, 0x1000, 0x2000, 0xfffff000u), 0);
	assert_int_equal(encode(HP_FORM_PC32, UINT64_C(0x80000000), 1, 0x7fffffff), 0);
	assert_int_equal(encode(HP_FORM_PC32, UINT64_C(0x80000000), 0, 0), HP_E_REFUSED);
	assert_int_equal(encode(HP_FORM_PC32, 0, UINT64_C(0x80000000), 0x80000000u), 0);
	assert_int_equal(encode(HP_FORM_PC32, 0, UINT64_C(0x80000001), 0), HP_E_REFUSED);
	assert_int_equal(encode(9, 0, 0, 0), HP_E_REFUSED);
}

static void
test_names(void **state)
{
	(void)state;
	assert_string_equal(hp_fixup_form_name(HP_FORM_PC32), "pc32");
	assert_string_equal(hp_fixup_form_name(200), "?");
	assert_string_equal(hp_fixup_kind_name(HP_KIND_TLS_OFF), "tls-off");
	assert_string_equal(hp_fixup_kind_name(0), "?");
	assert_int_equal(hp_fixup_len(0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_check),  cmocka_unit_test(test_order),
		cmocka_unit_test(test_encode),     cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
