/* The proof alone: which objects a module is made of, which functions are proven where, and what comes from none of them. */
#include "packager/prove.h"
#include "tests/unit/pack_cases.h"

static const char work_c[] =
	"static int hits;\n"
	"static __attribute__((noinline)) int twist(int x) { hits += x; return x * 12345 ^ (x >> 3); }\n"
	"int work(int x) { return twist(x) * 7 + hits; }\n"
	"int unused(int x) { return x * 991 + 0x1234567; }\n";
static const char other_c[] = "int other(int x) { return (x << 5) * 31337 - 0x765432; }\n";
static const char main_c[] = "int work(int); int other(int); int main(int argc, char **argv) { (void)argv; return work(argc) + "
                             "other(argc); }\n";

enum { WORK, OTHER, MAIN, TOOL, CNT_MAX };

struct fixture {
	struct hp_buf file;
	struct hp_prove_object objects[CNT_MAX];
	struct hp_pack_baseline base;
	struct hp_prove_report rep;
};

static void
fixture_open(struct fixture *f, const char *module, const char *work)
{
	const char *const names[] = { [WORK] = work, [OTHER] = "other.o", [MAIN] = "main.o", [TOOL] = "tool.o" };

	memset(f, 0, sizeof(*f));
	slurp(module, &f->file);
	f->base = (struct hp_pack_baseline){ .path = module, .file = hp_buf_view(&f->file) };
	for (size_t i = 0; i < CNT_MAX; i++)
		f->objects[i] = (struct hp_prove_object){ .path = names[i], .obj = hand_open(scratch(names[i])) };
}

static void
fixture_close(struct fixture *f)
{
	for (size_t i = 0; i < CNT_MAX; i++)
		hp_object_free(f->objects[i].obj);
	hp_buf_release(&f->file);
}

static struct hp_prove_func
func(const struct fixture *f, size_t obj, const char *name)
{
	for (uint32_t i = 0; i < f->objects[obj].funcs_cnt; i++)
		if (strcmp(f->objects[obj].funcs[i].name, name) == 0)
			return f->objects[obj].funcs[i];
	fail_msg("no function %s", name);
	return (struct hp_prove_func){ .name = "" };
}

static int
build(void **state)
{
	(void)state;
	source("work.c", work_c);
	source("other.c", other_c);
	source("main.c", main_c);
	source("tool.c", "int tool(int x) { return x * 4711 + 0x5eed; }\nint main(void) { return tool(3); }\n");
	sh("for f in work other main tool; do $CC -O2 -ffunction-sections -c $f.c; done; $CC -O0 -ffunction-sections -c work.c "
	   "-o "
	   "work0.o && $CC -Wl,--build-id,--gc-sections -o prog work.o other.o main.o && strip -o bare prog");
	return 0;
}

static void
test_members(void **state)
{
	static const char *const modules[] = { "prog", "bare" };

	(void)state;
	for (size_t i = 0; i < CNT(modules); i++) {
		struct hp_err err = { 0 };
		struct fixture f;

		fixture_open(&f, modules[i], "work.o");
		assert_fine(hp_prove(f.objects, CNT_MAX, &f.base, &f.rep, &err), &err);
		assert_true(f.objects[WORK].in_module && f.objects[OTHER].in_module);
		assert_false(f.objects[TOOL].in_module);
		assert_int_equal(f.objects[WORK].funcs_cnt, 3);
		assert_int_equal(f.objects[WORK].proven_cnt, 2);
		assert_int_equal(func(&f, WORK, "work").state, HP_PROVE_PROVEN);
		assert_int_equal(func(&f, WORK, "twist").state, HP_PROVE_PROVEN);
		/* The linker has dropped it; without symbols nobody knows. */
		assert_int_equal(func(&f, WORK, "unused").state, i == 0 ? HP_PROVE_ABSENT : HP_PROVE_UNKNOWN);
		assert_true(f.objects[WORK].first_va != 0 && f.rep.proven_len >= f.objects[WORK].proven_len);
		hp_prove_release(&f.rep);
		fixture_close(&f);
	}
}

/* Proven at the place that the symbol table of the unstripped module tells. */
static void
test_addresses(void **state)
{
	HP_AUTO(hp_buf) struct hp_buf file = { 0 };
	HP_AUTO(hp_module) struct hp_module *mod = NULL;
	struct hp_err err = { 0 };
	struct fixture f;

	(void)state;
	slurp("prog", &file);
	assert_fine(hp_module_open(hp_buf_view(&file), "prog", NULL, &mod, &err), &err);
	fixture_open(&f, "bare", "work.o");
	assert_fine(hp_prove(f.objects, CNT_MAX, &f.base, &f.rep, &err), &err);
	assert_int_equal(func(&f, WORK, "work").va, address_of(mod, "work"));
	assert_int_equal(func(&f, WORK, "twist").va, address_of(mod, "twist"));
	assert_int_equal(func(&f, OTHER, "other").va, address_of(mod, "other"));
	hp_prove_release(&f.rep);
	fixture_close(&f);
}

/* What no object claims: named where there are names, split at them; start files apart. */
static void
test_gaps(void **state)
{
	struct hp_err err = { 0 };
	struct fixture f;
	uint64_t len = 0, startup = 0;
	bool seen = false;

	(void)state;
	fixture_open(&f, "prog", "work.o");
	assert_fine(hp_prove(f.objects, 1, &f.base, &f.rep, &err), &err);
	for (size_t i = 0; i < f.rep.gaps_cnt; i++) {
		const struct hp_prove_gap *g = &f.rep.gaps[i];

		assert_true(i == 0 || g->va >= f.rep.gaps[i - 1].va + f.rep.gaps[i - 1].len);
		*(g->startup ? &startup : &len) += g->len;
		if (strcmp(g->name, "_start") == 0)
			assert_true(g->startup);
		if (strcmp(g->name, "work") == 0 || strcmp(g->name, "twist") == 0)
			fail_msg("%s is a gap", g->name);
		if (strcmp(g->name, "other") != 0)
			continue;
		seen = true;
		assert_false(g->startup);
		assert_string_equal(g->section, ".text");
		assert_int_equal(g->len, f.objects[OTHER].obj->parts->v[hand_find(f.objects[OTHER].obj->parts, "other")].len);
	}
	assert_true(seen);
	assert_int_equal(len, f.rep.gaps_len);
	assert_int_equal(startup, f.rep.startup_len);
	hp_prove_release(&f.rep);
	/* With all of them, nothing but start files is left. */
	assert_fine(hp_prove(f.objects, CNT_MAX, &f.base, &f.rep, &err), &err);
	assert_int_equal(f.rep.gaps_len, 0);
	hp_prove_release(&f.rep);
	fixture_close(&f);
}

/* Another build of a member: a result, or an error where that was asked for. */
static void
test_must_match(void **state)
{
	struct hp_err err = { 0 };
	struct fixture f;
	char text[2000];

	(void)state;
	fixture_open(&f, "prog", "work0.o");
	assert_fine(hp_prove(f.objects, CNT_MAX, &f.base, &f.rep, &err), &err);
	assert_true(f.objects[WORK].in_module);
	assert_int_equal(f.objects[WORK].differ_cnt, 2);
	assert_int_equal(func(&f, WORK, "work").state, HP_PROVE_DIFFERS);
	assert_true(f.rep.gaps_len > 0);
	hp_prove_release(&f.rep);
	f.objects[TOOL].must_match = true; /* not part of the module */
	assert_fine(hp_prove(f.objects, CNT_MAX, &f.base, NULL, &err), &err);
	f.objects[WORK].must_match = true;
	assert_code(hp_prove(f.objects, CNT_MAX, &f.base, &f.rep, &err), HP_E_BASELINE, &err);
	hp_err_format(&err, text, sizeof(text));
	assert_non_null(strstr(text, "'work0.o': function '"));
	fixture_close(&f);
}

/* The same source compiled twice: the object that was linked is the member. */
static void
test_doubles(void **state)
{
	struct hp_err err = { 0 };
	struct fixture f;

	(void)state;
	fixture_open(&f, "prog", "work.o");
	hp_object_free(f.objects[TOOL].obj);
	f.objects[TOOL] = (struct hp_prove_object){ .path = "work0.o", .obj = hand_open(scratch("work0.o")) };
	assert_fine(hp_prove(f.objects, CNT_MAX, &f.base, &f.rep, &err), &err);
	assert_true(f.objects[WORK].in_module);
	assert_false(f.objects[TOOL].in_module);
	hp_prove_release(&f.rep);
	fixture_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members), cmocka_unit_test(test_addresses), cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_must_match), cmocka_unit_test(test_doubles),
	};

	return cmocka_run_group_tests_name("prove", tests, build, NULL);
}
