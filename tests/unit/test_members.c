/* The objects of a build tree: pairs, new ones, what is refused by name. The file under test is part of the command line,
 * which is in no library; so it is included. */
#include "cli/members.c"
#include "tests/unit/pack_cases.h"

static int
trees(void **state)
{
	(void)state;
	source("a.c", "int a(int x) { return x * 3; }\n");
	source("a2.c", "int a(int x) { return x * 5; }\n");
	source("b.c", "int b(int x) { return x + 77; }\n");
	sh("mkdir -p old/sub new/sub && $CC -O2 -c a.c -o old/a.o && $CC -O2 -c a2.c -o new/a.o && $CC -O2 -c b.c -o old/sub/b.o "
	   "&& "
	   "cp old/sub/b.o new/sub/b.o && cp old/sub/b.o new/extra.o && echo text >old/readme && cp old/sub/b.o old/gone.o");
	return 0;
}

static int
open_trees(bool all, struct hp_members *ret, struct hp_err *err)
{
	return hp_members_open(scratch("old"), scratch("new"), all, ret, err);
}

static void
test_pairs(void **state)
{
	HP_AUTO(hp_members) struct hp_members m = { 0 };
	const struct hp_diff_file *files;
	size_t cnt;
	struct hp_err err = { 0 };

	(void)state;
	assert_fine(open_trees(true, &m, &err), &err);
	assert_int_equal(m.objects_cnt, 3);
	assert_string_equal(m.objects[0].path, "a.o");
	assert_string_equal(m.objects[1].path, "gone.o");
	assert_string_equal(m.objects[2].path, "sub/b.o");
	assert_true(m.changed[0]);
	assert_true(m.changed[1]); /* the patch removes it */
	assert_false(m.changed[2]);
	assert_null(m.files[1].new_path);
	assert_int_equal(m.added_cnt, 1);
	assert_string_equal(m.added[0].path, "extra.o");
	/* Only members that changed, and what is new. */
	m.objects[0].in_module = m.objects[2].in_module = true;
	assert_int_equal(hp_members_count(&m), 1);
	hp_members_want(&m);
	files = hp_members_select(&m, &cnt, &err);
	assert_non_null(files);
	assert_int_equal(cnt, 2);
	assert_string_equal(files[0].path, "a.o");
	assert_string_equal(files[1].path, "extra.o");
}

static void
test_changed_only(void **state)
{
	HP_AUTO(hp_members) struct hp_members m = { 0 };
	struct hp_err err = { 0 };

	(void)state;
	assert_fine(open_trees(false, &m, &err), &err);
	assert_int_equal(m.objects_cnt, 2);
	assert_string_equal(m.objects[0].path, "a.o");
	assert_string_equal(m.objects[1].path, "gone.o");
}

/* The object ${file} in both trees must be refused, with ${word} and its name. */
static void
refused(const char *make, const char *word)
{
	HP_AUTO(hp_members) struct hp_members m = { 0 };
	struct hp_err err = { 0 };
	char text[1000];

	sh("%s && cp old/odd.o new/odd.o", make);
	assert_code(open_trees(true, &m, &err), HP_E_FORMAT, &err);
	hp_err_format(&err, text, sizeof(text));
	if (strstr(text, "odd.o") == NULL || strstr(text, word) == NULL)
		fail_msg("'%s' does not say %s and odd.o", text, word);
	sh("rm old/odd.o new/odd.o");
}

static void
test_refused(void **state)
{
	(void)state;
	refused("$CC -flto -O2 -c b.c -o old/odd.o", "-flto");
	if (system("command -v gcc >/dev/null") == 0)
		refused("gcc -flto -ffat-lto-objects -O2 -c b.c -o old/odd.o", "-flto");
	if (system("command -v clang >/dev/null") == 0)
		refused("clang -flto -O2 -c b.c -o old/odd.o", "-flto");
	refused("echo no object >old/odd.o", "ELF");
	refused("head -c 200 old/a.o >old/odd.o", "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_pairs), cmocka_unit_test(test_changed_only),
		                            cmocka_unit_test(test_refused) };

	return cmocka_run_group_tests_name("members", tests, trees, NULL);
}
