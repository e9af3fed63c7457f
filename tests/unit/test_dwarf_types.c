/* hp_dwarf_compare_types on small sources: what is a difference, and the near miss that is not. */
#include "tests/unit/dwarf_util.h"

struct pair {
	const char *name;
	const char *old_src, *new_src;
	const char *want; /* lines of diff_text(), "" = no difference */
};

static const struct pair c_pairs[] = {
	{ "array member grows", "struct s { char n[8]; int a; } v;", "struct s { char n[16]; int a; } v;",
	  "size struct s: size 12 became 20; member 'n' at offset 0: char[8] became char[16]; "
	  "member 'a' moved from offset 8 to offset 16\n"
	  "variable v: struct s of 12 bytes became struct s of 20 bytes\n" },
	{ "member in padding", "struct s { char a; int b; } *v;", "struct s { char a; char hidden; int b; } *v;",
	  "member struct s: member 'hidden' added at offset 1\n" },
	{ "member removed", "struct s { char a, b; int c; } *v;", "struct s { char a; int c; } *v;",
	  "member struct s: member 'b' at offset 1 removed\n" },
	{ "many moved", "struct s { int a, b, c; long d; } *v;", "struct s { int n[2], a, b, c; long d; } *v;",
	  "size struct s: size 24 became 32; member 'n' added at offset 0; 4 members from 'a' to 'd' moved by +8 bytes\n" },
	{ "members swapped", "struct s { int a, b; } *v;", "struct s { int b, a; } *v;",
	  "member struct s: member 'a' moved from offset 0 to offset 4; member 'b' moved from offset 4 to offset 0\n" },
	{ "sign", "struct s { int a; } *v;", "struct s { unsigned a; } *v;",
	  "member struct s: member 'a' at offset 0: int became unsigned int\n" },
	{ "by value and by pointer", "struct in { int x; }; struct out { struct in i; struct in *p; } *v;",
	  "struct in { long x; }; struct out { struct in i; struct in *p; } *v;",
	  "size struct in: size 4 became 8; member 'x' at offset 0: int became long int\n"
	  "member struct out: member 'i' at offset 0: struct in of 4 bytes became struct in of 8 bytes\n" },
	{ "pointer only", "struct in { int x; }; struct out { struct in *p; } *v; struct in w;",
	  "struct in { int x, y; }; struct out { struct in *p; } *v; struct in *w2;",
	  "size struct in: size 4 became 8; member 'y' added at offset 4\n" },
	{ "typedef renamed", "typedef int t; struct s { t a; } *v;", "typedef int u; struct s { u a; } *v;", "" },
	{ "typedef of another type", "typedef int t; struct s { t a; } *v;", "typedef float t; struct s { t a; } *v;",
	  "member struct s: member 'a' at offset 0: t: int became float\n" },
	{ "typedef of an anonymous struct", "typedef struct { int a; } t; struct s { t *p; } *v; t w;",
	  "typedef struct { short a, b; } t; struct s { t *p; } *v; t w;",
	  "member t: member 'a' at offset 0: int became short int; member 'b' added at offset 2\n" },
	{ "anonymous struct, typedef renamed", "typedef struct { int a; } t; struct s { t *p; t q; } *v;",
	  "typedef struct { int a; } u; struct s { u *p; u q; } *v;", "" },
	{ "struct renamed", "struct a { int x; struct a *n; }; struct s { struct a *p, q; } *v;",
	  "struct b { int x; struct b *n; }; struct s { struct b *p, q; } *v;", "" },
	{ "struct renamed and changed", "struct a { int x; struct a *n; }; struct s { struct a *p; } *v;",
	  "struct b { long x; struct b *n; }; struct s { struct b *p; } *v;",
	  "member struct s: member 'p' at offset 0: struct a * became struct b *\n" },
	{ "struct became union", "struct s { int a; } *v;", "union s { int a; } *v;",
	  "member union s: struct became union\nvariable v: struct s * became union s *\n" },
	{ "opaque on one side", "struct s; struct t { struct s *p; } *v;", "struct s { int a; }; struct t { struct s *p; } *v;",
	  "" },
	{ "bit-field width", "struct s { unsigned a:3, b:4; } *v;", "struct s { unsigned a:4, b:3; } *v;",
	  "member struct s: member 'a' moved from bit 0 width 3 to bit 0 width 4; "
	  "member 'b' moved from bit 3 width 4 to bit 4 width 3\n" },
	{ "bit-field gone", "struct s { unsigned a:32; } *v;", "struct s { unsigned a; } *v;",
	  "member struct s: member 'a' moved from bit 0 width 32 to offset 0\n" },
	{ "flexible array", "struct s { int n; char d[]; } *v;", "struct s { int n; char d[4]; } *v;",
	  "size struct s: size 4 became 8; member 'd' at offset 4: char[] became char[4]\n" },
	{ "anonymous member", "struct s { union { int a; float b; }; int c; } *v;",
	  "struct s { union { int a; int b; }; int c; } *v;",
	  "member struct s: unnamed member union {...} at offset 0: union {...} changed\n" },
	{ "function pointer", "struct s { int (*f)(char *, int); } *v;", "struct s { int (*f)(char *, long); } *v;",
	  "member struct s: member 'f' at offset 0: int (*)(char *, int) became int (*)(char *, long int)\n" },
	{ "pointee qualifier", "struct s { char *p; } *v;", "struct s { const char *p; } *v;",
	  "member struct s: member 'p' at offset 0: char * became const char *\n" },
	{ "qualifier of an array", "typedef int t[3]; const t v;", "const int v[3];", "" },
	{ "qualifier of elements", "typedef int t[3]; const t v; char *w[2];", "int v[3]; char *const w[2];",
	  "variable v: const int[3] became int[3]\nvariable w: char *[2] became char *const [2]\n" },
	{ "enumerator inserted", "enum e { A, B, C } v;", "enum e { A, N, B, C } v;",
	  "enum enum e: enumerator 'B': 1 became 2; enumerator 'C': 2 became 3\n" },
	{ "enumerator appended", "enum e { A, B } v;", "enum e { A, B, C } v;", "" },
	{ "enumerator removed", "enum e { A, B, C } v;", "enum e { A, B } v;", "enum enum e: enumerator 'C' (2) removed\n" },
	{ "anonymous enum", "enum { A, B } v;", "enum { N, A, B } v;",
	  "enum enumerator A: 0 became 1\nenum enumerator B: 1 became 2\nvariable v: enum {...} changed\n" },
	{ "recursive", "struct b; struct a { struct b *x; struct a *y[2]; }; struct b { struct a x; int n; } v;",
	  "struct b; struct a { struct b *x; struct a *y[2]; }; struct b { struct a x; int n; } v;", "" },
	{ "signature", "int f(int a, char *b) { return a + *b; }", "int f(int a, char *b, ...) { return a + *b; }",
	  "signature f: int (int, char *) became int (int, char *, ...)\n" },
	{ "return type", "int f(void) { return 1; }", "long f(void) { return 1; }",
	  "signature f: int (void) became long int (void)\n" },
	{ "parameter renamed and const", "int f(int a) { return a; }", "int f(const int b) { return b; }", "" },
	{ "parameter of changed struct", "struct s { int a; }; int f(struct s x) { return x.a; }",
	  "struct s { long a; }; int f(struct s x) { return (int)x.a; }",
	  "size struct s: size 4 became 8; member 'a' at offset 0: int became long int\n"
	  "signature f: parameter 1: struct s of 4 bytes became struct s of 8 bytes\n" },
	{ "static variable", "static int v[4]; int *g(void) { return v; }", "static int v[5]; int *g(void) { return v; }",
	  "variable v: int[4] became int[5]\n" },
	{ "static local", "int f(void) { static int n; return ++n; }", "int f(void) { static long n; return (int)++n; }",
	  "variable f.n: int became long int\n" },
	{ "two static locals, one removed",
	  "int f(int i) { if (i) { static int n; return ++n; } static long n; return (int)++n; }",
	  "int f(int i) { (void)i; static long n; return (int)++n; }", "" },
	{ "types of one name in two functions",
	  "int f(void) { struct s { int a; } x = { 1 }; return x.a; } int g(void) { struct s { char c; } x = { 1 }; return x.c; "
	  "}",
	  "int g(void) { struct s { char c; } x = { 1 }; return x.c; } int f(void) { struct s { long a; } x = { 1 }; return "
	  "(int)x.a; }",
	  "size struct s: size 4 became 8; member 'a' at offset 0: int became long int\n" },
	{ "new and removed types", "struct s { int a; } *v;", "struct t { int a; } *w;", "" },
	{ "lines and order", "struct a { int x; } *v; struct b { int y; } *w; enum e { A } u;",
	  "\n\n\nenum e { A } u;\n\nstruct b { int y; } *w;\n\n/* */ struct a {\nint x; } *v;", "" },
};

static const struct pair cxx_pairs[] = {
	{ "base class", "struct B { int x; }; struct D : B { int y; }; D v;", "struct B { int x; }; struct D { int y; }; D v;",
	  "size struct D: size 8 became 4; base class 'struct B' at offset 0 removed; member 'y' moved from offset 4 to offset "
	  "0\n"
	  "variable v: struct D of 8 bytes became struct D of 4 bytes\n" },
	{ "virtual function inserted", "struct B { virtual int f(); virtual int g(); int x; }; int B::f() { return x; }",
	  "struct B { virtual int f(); virtual int n(); virtual int g(); int x; }; int B::f() { return x; }",
	  "member struct B: virtual function 'g' moved from slot 1 to slot 2; virtual function 'n' added in slot 1\n" },
	{ "same name in two namespaces", "namespace a { struct s { int x; } v; } namespace b { struct s { char c; } v; }",
	  "namespace b { struct s { char c; } v; } namespace a { struct s { int x; } v; }", "" },
	{ "template instance", "template<class T> struct t { T x; }; t<int> v; t<long> w;",
	  "template<class T> struct t { T y[2]; T x; }; t<int> v; t<int> w2;",
	  "size struct t<int>: size 4 became 12; member 'y' added at offset 0; member 'x' moved from offset 0 to offset 8\n"
	  "variable v: struct t<int> of 4 bytes became struct t<int> of 12 bytes\n" },
	{ "defined outside of its class", "struct a { struct b; b *p; }; struct a::b { int x; }; a::b v; a w;",
	  "struct a { struct b; b *p; }; struct a::b { int x, y; }; a::b v2; a w;",
	  "size struct a::b: size 4 became 8; member 'y' added at offset 4\n" },
	{ "anonymous union in a class", "struct a { union { int x; float y; }; a *n; }; a v;",
	  "\n\nstruct a { union { int x; float y; }; a *n; }; a v;", "" },
	{ "static member", "struct s { static int a; int b; }; s v;", "struct s { static int a; static int c; int b; }; s v;",
	  "" },
};

static void
check_pairs(const struct pair *pairs, size_t cnt, const char *cmd, const char *suffix)
{
	char text[4096], old_name[64], new_name[64];

	for (size_t i = 0; i < cnt; i++) {
		struct obj a, b;

		(void)snprintf(old_name, sizeof(old_name), "old%zu%s", i, suffix);
		(void)snprintf(new_name, sizeof(new_name), "new%zu%s", i, suffix);
		a = obj_make(cmd, pairs[i].old_src, old_name);
		b = obj_make(cmd, pairs[i].new_src, new_name);
		diff_text(&a, &b, text, sizeof(text));
		if (strcmp(text, pairs[i].want) != 0)
			fail_msg("%s (%s):\n%snot\n%s", pairs[i].name, cmd, text, pairs[i].want);
		diff_text(&b, &b, text, sizeof(text));
		assert_string_equal(text, "");
		obj_close(&a);
		obj_close(&b);
	}
}

static void
differences_in_c(void **state)
{
	(void)state;
	check_pairs(c_pairs, CNT(c_pairs), "gcc -g -w", ".c");
}

static void
differences_in_cxx(void **state)
{
	(void)state;
	check_pairs(cxx_pairs, CNT(cxx_pairs), "g++ -g -w -fno-eliminate-unused-debug-types", ".cc");
	check_pairs(cxx_pairs, CNT(cxx_pairs), "g++ -gdwarf-4 -w -fdebug-types-section", ".cc");
	check_pairs(cxx_pairs, CNT(cxx_pairs), "g++ -gdwarf-5 -w -fdebug-types-section", ".cc");
}

/* The same difference is found whatever form the debug information has. */
static void
every_form_of_dwarf(void **state)
{
	static const char *const cmds[] = {
		"gcc -g -O2 -gdwarf-5",
		"gcc -g -O2 -gdwarf-4",
		"gcc -O0 -gdwarf-3 -gstrict-dwarf",
		"gcc -O2 -gdwarf-2 -gstrict-dwarf",
		"gcc -gdwarf-4 -fdebug-types-section",
		"gcc -gdwarf-5 -fdebug-types-section",
		"gcc -gdwarf64 -gdwarf-5",
		"clang -g -O2 -gdwarf-5",
		"clang -g -O0 -gdwarf-4",
		"clang -gdwarf-3",
		"clang -gdwarf-2",
		"clang -g -O2 --target=aarch64-linux-gnu", "clang -g -O1 --target=s390x-linux-gnu -gdwarf-4",
		"clang -g --target=powerpc64le-linux-gnu", "clang -g --target=powerpc64-linux-gnu -gdwarf-5",
		"clang -g -O2 --target=riscv64-linux-gnu -gdwarf-5", "clang -g --target=riscv64-linux-gnu -gdwarf-4",
	};
	static const char *const src[2] = {
		"struct s { char n[8]; unsigned f:3, g:5; struct s *next; } v; enum e { A, B } w; int f(int a) { return a; }",
		"struct s { char n[12]; unsigned f:4, g:4; struct s *next; } v; enum e { B, A } w; int f(long a) { return "
		"(int)a; }",
	};
	static const char want[] = "member struct s: member 'n' at offset 0: char[8] became char[12]; "
				   "member 'f' moved from bit 64 width 3 to bit 96 width 4; "
				   "member 'g' moved from bit 67 width 5 to bit 100 width 4\n"
				   "enum enum e: enumerator 'A': 0 became 1; enumerator 'B': 1 became 0\n";
	char text[4096];

	(void)state;
	for (size_t i = 0; i < CNT(cmds); i++) {
		struct obj a, b;
		char *sig, probe[128];

		(void)snprintf(probe, sizeof(probe), "%s", cmds[i]);
		if (!compile(probe, "int x;", "probe.c")) {
			print_message("no '%s'\n", cmds[i]);
			continue;
		}
		a = obj_make(cmds[i], src[0], "a.c");
		b = obj_make(cmds[i], src[1], "b.c");
		diff_text(&a, &b, text, sizeof(text));
		sig = strstr(text, "signature f: ");
		assert_non_null(sig);
		memmove(sig, strchr(sig, '\n') + 1, strlen(strchr(sig, '\n')));
		if (strcmp(text, want) != 0)
			fail_msg("%s:\n%s", cmds[i], text);
		obj_close(&a);
		obj_close(&b);
	}
}

/* Objects of several units (ld -r): compared unit by unit, and as one lot when the names do not fit. */
static void
several_units(void **state)
{
	static const char *const names[] = { "m1.c", "m2.c", "renamed.c" };
	static const char *const first = "struct s { int a; } v1;", *const second[] = { "struct s { long b; } v2;",
											 "struct s { long b, c; } v2;" };
	char text[1024], cmd[9000];
	struct hp_err err = { 0 };
	struct obj o[3];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_true(compile("gcc -g", first, names[0]));
		assert_true(compile("gcc -g", second[i > 0], names[i == 2 ? 2 : 1]));
		(void)snprintf(cmd, sizeof(cmd), "ld -r -o %s %s.o %s.o", scratch("m.o"), scratch(names[0]),
		               scratch(names[i == 2 ? 2 : 1]));
		assert_int_equal(run_cmd(cmd), 0);
		assert_code(obj_open(scratch("m.o"), &o[i], &err), 1, &err);
	}
	for (size_t i = 1; i < 3; i++) {
		diff_text(&o[0], &o[i], text, sizeof(text));
		assert_string_equal(text, "size struct s: size 8 became 16; member 'c' added at offset 8\n"
					  "variable v2: struct s of 8 bytes became struct s of 16 bytes\n");
	}
	for (size_t i = 0; i < 3; i++)
		obj_close(&o[i]);
}

static void
says_where(void **state)
{
	struct obj a = obj_make("gcc -g", "struct s { int a; } v;", "a.c");
	struct obj b = obj_make("gcc -g", "\n\n# 7 \"inc/s.h\"\nstruct s { long a; } v;", "b.c");
	struct hp_type_diff *d;
	size_t cnt;

	(void)state;
	assert_int_equal(hp_dwarf_compare_types(a.dw, b.dw, &d, &cnt, NULL), 0);
	assert_int_equal(cnt, 2);
	assert_string_equal(d[0].source, "inc/s.h:7");
	obj_close(&a);
	obj_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(differences_in_c),
		cmocka_unit_test(differences_in_cxx),
		cmocka_unit_test(every_form_of_dwarf),
		cmocka_unit_test(several_units),
		cmocka_unit_test(says_where),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
