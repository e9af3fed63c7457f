/* hp_dwarf_var_digest(): which types of a variable v are told apart, and which are not. */
#include "tests/unit/dwarf_util.h"

#include "formats/manifest.h"

/* The digest of variable v of a source. */
static void
digest_of(const char *cc, const char *source, uint8_t ret[HP_DIGEST_LEN])
{
	struct hp_err err = { 0 };
	struct obj o;
	char cmd[200];
	bool found = false;

	(void)snprintf(cmd, sizeof(cmd), "%s -g -O1 -fno-common -Wno-implicit-int", cc);
	assert_true(compile(cmd, source, "d.c"));
	assert_int_equal(obj_open(scratch("d.c.o"), &o, &err), 1);
	for (uint32_t i = 1; i < o.elf->syms_cnt; i++) {
		const struct hp_sym *s = &o.elf->syms[i];

		if (strcmp(s->name, "v") != 0 || s->type != STT_OBJECT)
			continue;
		assert_int_equal(hp_dwarf_var_digest(o.dw, s->sec_idx, s->value, ret, &err), 1);
		assert_int_equal(hp_dwarf_var_digest(o.dw, s->sec_idx, s->value + 1, (uint8_t[HP_DIGEST_LEN]){ 0 }, &err), 0);
		found = true;
	}
	assert_true(found);
	obj_close(&o);
}

static void
compare(const char *a, const char *b, bool same)
{
	static const char *const compilers[] = { "gcc", "clang" };

	for (size_t i = 0; i < 2; i++) {
		uint8_t da[HP_DIGEST_LEN], db[HP_DIGEST_LEN];
		char which[64];

		(void)snprintf(which, sizeof(which), "command -v %s >/dev/null", compilers[i]);
		if (run_cmd(which) != 0)
			continue;
		digest_of(compilers[i], a, da);
		digest_of(compilers[i], b, db);
		if ((memcmp(da, db, sizeof(da)) == 0) != same)
			fail_msg("%s: %s: '%s' and '%s'", compilers[i], same ? "told apart" : "the same", a, b);
	}
}

static void
test_same(void **state)
{
	(void)state;
	compare("int v;", "typedef int number; number v;", true);
	compare("int v;", "volatile int v;", true);
	compare("int v;", "struct other { char c; } o; int g(void) { return 1; } int v;", true);
	compare("struct n { struct n *next; int a; } *v;",
	        "struct n; struct m { struct n *n; } *m; struct n { struct n *next; int a; } *v;", true);
	compare("struct s { int a[4]; } v[2];", "struct s { int a[4]; }; struct s v[2], w;", true);
	compare("int (*v)(char *);", "int (*v)(char *name);", true);
	compare("struct s { int a; long b; int c; struct s *d; long e; } *v;",
	        "typedef long l; struct s { int a; l b; int c; struct s *d; l e; } *v;", true);
}

static void
test_different(void **state)
{
	(void)state;
	compare("int v;", "unsigned v;", false);
	compare("int v;", "float v;", false);
	compare("int v[2];", "int v[3];", false);
	compare("int *v;", "char *v;", false);
	compare("void *v;", "char *v;", false);
	compare("struct s { int a, b; } v;", "struct s { int b, a; } v;", false);
	compare("struct s { int a, b; } v;", "struct t { int a, b; } v;", false);
	compare("struct s { int a; } *v;", "struct s { int a, b; } *v;", false);
	compare("struct s { int a:3, b:5; } v;", "struct s { int a:4, b:4; } v;", false);
	compare("struct s { struct t { int x; } *t; } *v;", "struct s { struct t { long x; } *t; } *v;", false);
	compare("enum e { A, B } v;", "enum e { B, A } v;", false);
	compare("enum e { A, B } v;", "enum e { A, B, C } v;", false);
	compare("union u { int a; char c[4]; } v;", "struct u { int a; char c[4]; } v;", false);
	compare("int (*v)(char *);", "int (*v)(int *);", false);
	compare("int (*v)(char *);", "int (*v)(char *, ...);", false);
	compare("struct n { struct n *next; int a; } *v;", "struct n { struct n *next; long a; } *v;", false);
	compare("struct s { int a; long b; int c; } *v;", "struct s { int a; long b; long c; } *v;", false);
	compare("struct s { int a, b; float c; } *v;", "struct s { int a; float b, c; } *v;", false);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_same), cmocka_unit_test(test_different) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
