#include "base/err.h"

#include <errno.h>
#include <stdbool.h>

#include "tests/unit/unit.h"

/* Every member of enum hp_code. A code that is added to the enum and not here fails to compile below (-Wswitch-enum, DEV=1),
 * one that is not in err.c's table fails the test. Values are part of the interface: they never change. */
static const struct {
	int code, value;
	const char *name;
} all[] = {
	{ HP_OK, 0, "HP_OK" },
	{ HP_E_IO, -10, "HP_E_IO" },
	{ HP_E_NOMEM, -11, "HP_E_NOMEM" },
	{ HP_E_FORMAT, -20, "HP_E_FORMAT" },
	{ HP_E_LIMIT, -21, "HP_E_LIMIT" },
	{ HP_E_ARCH, -22, "HP_E_ARCH" },
	{ HP_E_REFUSED, -40, "HP_E_REFUSED" },
	{ HP_E_NOTHING, -41, "HP_E_NOTHING" },
	{ HP_E_BASELINE, -42, "HP_E_BASELINE" },
	{ HP_E_SIG, -60, "HP_E_SIG" },
	{ HP_E_EXPIRED, -61, "HP_E_EXPIRED" },
	{ HP_E_BUSY, -80, "HP_E_BUSY" },
	{ HP_E_UNPATCHABLE, -81, "HP_E_UNPATCHABLE" },
	{ HP_E_UNDO, -82, "HP_E_UNDO" },
	{ HP_E_USAGE, -90, "HP_E_USAGE" },
	{ HP_E_INTERNAL, -99, "HP_E_INTERNAL" },
};

static bool
is_listed(enum hp_code code)
{
	switch (code) {
	case HP_OK:
	case HP_E_IO:
	case HP_E_NOMEM:
	case HP_E_FORMAT:
	case HP_E_LIMIT:
	case HP_E_ARCH:
	case HP_E_REFUSED:
	case HP_E_NOTHING:
	case HP_E_BASELINE:
	case HP_E_SIG:
	case HP_E_EXPIRED:
	case HP_E_BUSY:
	case HP_E_UNPATCHABLE:
	case HP_E_UNDO:
	case HP_E_USAGE:
	case HP_E_INTERNAL:
		return true;
	}
	return false;
}

static void
codes_are_fixed_and_listed(void **state)
{
	(void)state;
	for (size_t i = 0; i < CNT(all); i++) {
		assert_int_equal(all[i].code, all[i].value);
		assert_string_equal(hp_err_name(all[i].code), all[i].name);
		assert_true(is_listed((enum hp_code)all[i].code));
		assert_string_not_equal(hp_err_meaning(all[i].code), "?");
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(hp_err_meaning(all[i].code), hp_err_meaning(all[k].code));
	}
	for (int code = -200; code <= 200; code++) {
		bool known = strcmp(hp_err_name(code), "?") != 0;

		assert_int_equal(known, is_listed((enum hp_code)code));
		assert_int_equal(known, strcmp(hp_err_meaning(code), "?") != 0);
	}
}

static void
set_records_and_returns_the_code(void **state)
{
	struct hp_err err = { 0 };

	(void)state;
	errno = EACCES;
	assert_int_equal(hp_err_set(&err, HP_E_IO, "cannot open '%s'", "x"), HP_E_IO);
	assert_int_equal(errno, EACCES);
	assert_int_equal(err.code, HP_E_IO);
	assert_int_equal(err.sys_errno, EACCES);
	assert_int_equal(err.cnt, 1);
	assert_string_equal(err.frame[0].text, "cannot open 'x'");
	assert_non_null(strstr(err.frame[0].file, "test_err.c"));

	/* errno belongs to HP_E_IO only, and a second set drops the first story. */
	(void)hp_err_add(&err, "outer");
	assert_int_equal(hp_err_set(&err, HP_E_FORMAT, "bad"), HP_E_FORMAT);
	assert_int_equal(err.sys_errno, 0);
	assert_int_equal(err.cnt, 1);
}

static void
add_keeps_the_code_and_drops_what_does_not_fit(void **state)
{
	struct hp_err err = { 0 };
	char text[4096];

	(void)state;
	(void)hp_err_set(&err, HP_E_LIMIT, "0");
	for (int i = 1; i < HP_ERR_FRAMES + 5; i++)
		assert_int_equal(hp_err_add(&err, "%d", i), HP_E_LIMIT);
	assert_int_equal(err.cnt, HP_ERR_FRAMES);
	hp_err_format(&err, text, sizeof(text));
	assert_string_equal(text, "7: 6: 5: 4: 3: 2: 1: 0");
}

static void
null_record_lets_the_code_travel(void **state)
{
	(void)state;
	assert_int_equal(hp_err_set(NULL, HP_E_SIG, "%s", "x"), HP_E_SIG);
	assert_true(hp_err_add(NULL, "%s", "x") < 0);
}

static void
format_never_overruns(void **state)
{
	struct hp_err err = { 0 };
	char longer[HP_ERR_TEXT * 2], whole[4096];

	(void)state;
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	errno = ENOSPC;
	(void)hp_err_set(&err, HP_E_IO, "%s", longer);
	assert_int_equal(strlen(err.frame[0].text), HP_ERR_TEXT - 1);
	(void)hp_err_add(&err, "writing");
	hp_err_format(&err, whole, sizeof(whole));
	assert_memory_equal(whole, "writing: aaa", 12);
	assert_string_equal(whole + strlen(whole) - strlen("a: No space left on device"), "a: No space left on device");

	for (size_t len = 0; len < 500; len++) {
		char *buf = test_malloc(len + 1); /* cmocka checks the bytes around it */

		buf[len] = '#';
		hp_err_format(&err, buf, len);
		assert_int_equal(buf[len], '#');
		if (len > 0) {
			assert_int_equal(strlen(buf), len - 1 < strlen(whole) ? len - 1 : strlen(whole));
			assert_memory_equal(buf, whole, strlen(buf));
		}
		test_free(buf);
	}
}

static void
empty_record_formats_as_nothing(void **state)
{
	const struct hp_err err = { 0 };
	char buf[8] = "before";

	(void)state;
	hp_err_format(&err, buf, sizeof(buf));
	assert_string_equal(buf, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes_are_fixed_and_listed),
		cmocka_unit_test(set_records_and_returns_the_code),
		cmocka_unit_test(add_keeps_the_code_and_drops_what_does_not_fit),
		cmocka_unit_test(null_record_lets_the_code_travel),
		cmocka_unit_test(format_never_overruns),
		cmocka_unit_test(empty_record_formats_as_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
