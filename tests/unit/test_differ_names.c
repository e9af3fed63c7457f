/* Names that compilers make, rules and reasons of the differ. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "differ/internal.h"

static void
test_plain(void **state)
{
	static const char *const table[][2] = {
		{ "f", "f" },
		{ "f.isra.3", "f.isra." },
		{ "f.isra.0.cold.1", "f.isra..cold." },
		{ "n.2345", "n." },
		{ "f.llvm.123456", "f" },
		{ "f.lto_priv.0", "f" },
		{ "f.cold", "f.cold" },
		{ ".L.str", ".L.str" },
		{ "__UNIQUE_ID_ddebug17", "__UNIQUE_ID_ddebug" },
		{ "__UNIQUE_ID_ddebug1131.186", "__UNIQUE_ID_ddebug." },
		{ "f.__UNIQUE_ID_ddebug433", "f.__UNIQUE_ID_ddebug" },
		{ "__UNIQUE_ID_x", "__UNIQUE_ID_x" },
		{ "__UNIQUE_ID_2", "__UNIQUE_ID_" },
		{ "v1.2beta", "v1.2beta" },
		{ "_ZZ1fvENKUliE_clEi", "_ZZ1fvENKUli$clEi" },
		{ "_ZZ1fvENKUliE10_clEi", "_ZZ1fvENKUli$clEi" },
		{ "_ZZ1fvEN3$_08__invokeEi", "_ZZ1fvEN$8__invokeEi" },
		{ "_ZNK4$_17clEv", "_ZNK$clEv" },
		{ "_ZN1aUt0_1bE", "_ZN1a$1bE" },
		{ "_Z1fi", "_Z1fi" },
		{ "f$_0", "f$_0" },
		{ "MyUlE_", "MyUlE_" },
		{ "", "" },
	};
	struct hp_arena arena = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_string_equal(hp_name_plain(&arena, table[i][0]), table[i][1]);
	hp_arena_release(&arena);
}

static void
test_base_and_piece(void **state)
{
	size_t len;

	(void)state;
	assert_int_equal(hp_name_base_len("foo.isra.0.cold"), 3);
	assert_int_equal(hp_name_base_len("foo"), 3);
	assert_int_equal(hp_name_base_len("n.12"), 1);
	assert_int_equal(hp_name_base_len("foo.bar"), 7);
	assert_true(hp_name_is_piece("foo.part.0.cold", &len));
	assert_int_equal(len, 10);
	assert_true(hp_name_is_piece("foo.cold.17", &len));
	assert_int_equal(len, 3);
	assert_false(hp_name_is_piece("foo.part.0", &len));
	assert_false(hp_name_is_piece("foo.coldish", &len));
	assert_false(hp_name_is_piece(".cold", &len));
}

static void
test_content(void **state)
{
	(void)state;
	assert_true(hp_name_is_content("CSWTCH.12", false));
	assert_true(hp_name_is_content("__func__.3", false));
	assert_true(hp_name_is_content("__func__.main", false) || hp_name_is_content("main.__func__", false));
	assert_true(hp_name_is_content("switch.table.f", false));
	assert_true(hp_name_is_content("C.5.1234", false));
	assert_false(hp_name_is_content("count.3", false));
	assert_false(hp_name_is_content("descriptor.7", false));
	assert_true(hp_name_is_content("descriptor.7", true));
	assert_true(hp_name_is_content("__UNIQUE_ID_ddebug1131.186", true));
	assert_true(hp_name_is_content("f.__UNIQUE_ID_ddebug433", true));
	assert_false(hp_name_is_content("__UNIQUE_ID_ddebug1131.186", false));
	assert_false(hp_name_is_content("__UNIQUE_ID_modinfo12", true));
	assert_false(hp_name_is_content("my_CSWTCH", false));
	assert_false(hp_name_is_content("C.x", false));
}

static void
test_rules(void **state)
{
	size_t cnt;
	const struct hp_rule *rules = hp_rule_all(&cnt);

	(void)state;
	assert_true(cnt > 25);
	for (size_t i = 0; i < cnt; i++) {
		assert_ptr_equal(hp_rule_find(rules[i].name), &rules[i]);
		assert_ptr_equal(hp_rule_get(rules[i].id), &rules[i]);
		assert_int_equal(hp_rule_refuses(rules[i].id), rules[i].name[2] == '2');
		assert_true(i == 0 || rules[i - 1].id < rules[i].id);
		assert_true(strlen(rules[i].text) > 40);
	}
	assert_null(hp_rule_find("HP0000"));
}

static void
test_reasons(void **state)
{
	struct hp_arena arena = { 0 };
	struct hp_reasons list = { .arena = &arena };

	(void)state;
	for (int i = 0; i < 40; i++) {
		assert_int_equal(hp_reason_add(&list, HP_RULE_DATA_NEW, "b.o", "x", NULL, NULL, "same"), 0);
		assert_int_equal(hp_reason_add(&list, HP_RULE_TLS, "a.o", "y", "a.c:3", NULL, "same %d", i % 2), 0);
	}
	hp_reasons_sort(&list);
	assert_int_equal(list.cnt, 3);
	assert_string_equal(list.v[0].rule, "HP2003");
	assert_true(list.v[0].refuse);
	assert_string_equal(list.v[1].message, "same 1");
	assert_string_equal(list.v[2].source, "");
	hp_arena_release(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),   cmocka_unit_test(test_base_and_piece), cmocka_unit_test(test_content),
		cmocka_unit_test(test_rules),   cmocka_unit_test(test_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
