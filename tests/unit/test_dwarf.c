/* hp_dwarf_open, units, lines, static locals, declarations: on gcc's and clang's output, and on what is refused. */
#include "tests/unit/dwarf_util.h"

static void
units(void **state)
{
	struct obj o = obj_make("gcc -g -O2", "int x;\n", "u.c");
	const struct hp_dwarf_unit *u;
	size_t cnt;

	(void)state;
	assert_int_equal(hp_dwarf_units(o.dw, &u, &cnt, NULL), 0);
	assert_int_equal(cnt, 1);
	assert_non_null(strstr(u[0].name, "u.c"));
	assert_non_null(strstr(u[0].producer, "GNU C"));
	assert_true(u[0].comp_dir[0] == '/');
	assert_true(u[0].lang != 0);
	obj_close(&o);
}

static void
without_debug_information(void **state)
{
	struct hp_err err = { 0 };
	struct obj o;

	(void)state;
	assert_true(compile("gcc -O2 -g0", "int x;\n", "n.c"));
	assert_code(obj_open(scratch("n.c.o"), &o, &err), 0, &err);
	obj_close(&o);
}

static void
refused(const char *cmd, const char *want)
{
	char text[HP_ERR_TEXT * 2];
	struct hp_err err = { 0 };
	struct obj o;

	if (!compile(cmd, "#include <stdio.h>\nint f(int x) { return x + getchar(); }\n", "r.c")) {
		print_message("no '%s'\n", cmd);
		return;
	}
	assert_code(obj_open(scratch("r.c.o"), &o, &err), HP_E_FORMAT, &err);
	hp_err_format(&err, text, sizeof(text));
	assert_non_null(strstr(text, want));
	obj_close(&o);
}

static void
refuses_what_it_cannot_read(void **state)
{
	(void)state;
	refused("gcc -g -gz=zlib", "-gz=none");
	refused("gcc -g -gsplit-dwarf", "-gsplit-dwarf");
	refused("clang -g -gsplit-dwarf", "-gsplit-dwarf");
}

static const struct hp_sym *
find_sym(const struct obj *o, const char *name)
{
	for (uint32_t i = 1; i < o->elf->syms_cnt; i++) {
		if (strcmp(o->elf->syms[i].name, name) == 0)
			return &o->elf->syms[i];
	}
	fail_msg("no symbol '%s'", name);
	return NULL;
}

static void
lines_of(const char *cmd)
{
	static const char src[] =
		"int one(int x)\n{\n\treturn x + 1;\n}\n\n# 100 \"inc/h.h\"\nint two(int x)\n{\n\treturn x * 3;\n}\n";
	const struct hp_sym *s;
	const char *file = NULL;
	uint64_t line = 0;
	struct obj o;

	if (!compile(cmd, "int x;", "probe.c")) {
		print_message("no '%s'\n", cmd);
		return;
	}
	o = obj_make(cmd, src, "l.c");
	s = find_sym(&o, "one");
	assert_int_equal(hp_dwarf_line(o.dw, s->sec_idx, s->value, &file, &line, NULL), 1);
	assert_int_equal(line, 2);
	assert_non_null(strstr(file, "l.c"));
	assert_int_equal(hp_dwarf_line(o.dw, s->sec_idx, s->value + s->size - 1, &file, &line, NULL), 1);
	assert_in_range(line, 3, 4);
	s = find_sym(&o, "two");
	assert_int_equal(hp_dwarf_line(o.dw, s->sec_idx, s->value, &file, &line, NULL), 1);
	assert_int_equal(line, 101);
	assert_string_equal(file, "inc/h.h");
	assert_int_equal(hp_dwarf_line(o.dw, s->sec_idx, o.elf->secs[s->sec_idx].len, &file, &line, NULL), 0);
	assert_int_equal(hp_dwarf_line(o.dw, 0, 0, &file, &line, NULL), 0);
	assert_int_equal(hp_dwarf_line(o.dw, HP_NONE, 0, &file, &line, NULL), 0);
	obj_close(&o);
}

static void
lines(void **state)
{
	(void)state;
	lines_of("gcc -O0 -gdwarf-5");
	lines_of("gcc -O0 -gdwarf-5 -ffunction-sections");
	lines_of("gcc -O0 -gdwarf-4");
	lines_of("gcc -O0 -gdwarf-2 -gstrict-dwarf");
	lines_of("gcc -O0 -gdwarf-5 -gdwarf64");
	lines_of("clang -O0 -gdwarf-5 -ffunction-sections");
	lines_of("clang -O0 -gdwarf-4");
	lines_of("clang -O0 -g --target=aarch64-linux-gnu");
	lines_of("clang -O0 -g --target=s390x-linux-gnu");
	lines_of("clang -O0 -g --target=powerpc64le-linux-gnu");
	lines_of("clang -O0 -g --target=riscv64-linux-gnu -gdwarf-5");
}

struct want_static {
	const char *function, *name;
	uint64_t line;
};

static void
statics_of(const char *cmd, const struct want_static *want, size_t want_cnt)
{
	static const char src[] =
		"static int twice(int x)\n{\n\tstatic int n;\n\tstatic char m;\n\tif (x) {\n\t\tstatic long n;\n"
		"\t\treturn (int)++n;\n\t}\n\treturn ++n + m++;\n}\nint a(int x) { return twice(x); }\n"
		"int b(int x) { return twice(x + 1); }\nint c(void)\n{\n\tstatic short n = 3;\n\treturn n++;\n}\n";
	const struct hp_dwarf_static *s;
	struct obj o;
	size_t cnt;

	if (!compile(cmd, "int x;", "probe.c")) {
		print_message("no '%s'\n", cmd);
		return;
	}
	o = obj_make(cmd, src, "s.c");
	assert_int_equal(hp_dwarf_statics(o.dw, &s, &cnt, NULL), 0);
	assert_int_equal(cnt, want_cnt);
	for (size_t i = 0; i < want_cnt; i++) {
		size_t k = 0, hit = 0;

		for (k = 0; k < cnt; k++) {
			if (strcmp(s[k].function, want[i].function) == 0 && strcmp(s[k].name, want[i].name) == 0 &&
			    s[k].decl_line == want[i].line && s[k].ordinal <= 1)
				hit++;
		}
		if (hit != 1)
			fail_msg("%s: %zu times '%s' of '%s', line %d", cmd, hit, want[i].name, want[i].function,
			         (int)want[i].line);
	}
	for (size_t k = 0; k < cnt; k++) {
		const char *sym = "";

		for (uint32_t i = 1; i < o.elf->syms_cnt; i++) {
			if (o.elf->syms[i].sec_idx == s[k].sec_idx && o.elf->syms[i].value == s[k].off &&
			    (o.elf->syms[i].type & 15) == STT_OBJECT)
				sym = o.elf->syms[i].name;
		}
		assert_non_null(strstr(sym, s[k].name));
	}
	obj_close(&o);
}

static void
static_locals(void **state)
{
	static const struct want_static want[] = {
		{ "twice", "n", 3 }, { "twice", "m", 4 }, { "twice", "n", 6 }, { "c", "n", 15 },
	};
	/* clang 14 describes those of an inlined function in an entry without a name. */
	static const struct want_static nameless[] = {
		{ "", "n", 3 }, { "", "m", 4 }, { "", "n", 6 }, { "c", "n", 15 },
	};

	(void)state;
	statics_of("gcc -O2 -gdwarf-5 -fdata-sections", want, CNT(want));
	statics_of("gcc -O0 -gdwarf-4", want, CNT(want));
	statics_of("gcc -O3 -gdwarf-2", want, CNT(want));
	statics_of("clang -O0 -gdwarf-5", want, CNT(want));
	if (run_cmd("clang --version 2>/dev/null | grep -q 'version 14'") == 0)
		statics_of("clang -O2 -gdwarf-5", nameless, CNT(nameless));
}

static void
declarations(void **state)
{
	struct obj o =
		obj_make("gcc -g -O2", "extern int v;\n\nint v = 4;\n# 50 \"inc/x.h\"\nint f(void)\n{\n\treturn v;\n}\n", "d.c");
	const char *file;
	uint64_t line;

	(void)state;
	assert_int_equal(hp_dwarf_decl(o.dw, "f", &file, &line, NULL), 1);
	assert_string_equal(file, "inc/x.h");
	assert_int_equal(line, 50);
	assert_int_equal(hp_dwarf_decl(o.dw, "v", &file, &line, NULL), 1);
	assert_int_equal(line, 3);
	assert_int_equal(hp_dwarf_decl(o.dw, "none", &file, &line, NULL), 0);
	obj_close(&o);
}

static void
use_all(struct hp_view bytes)
{
	const struct hp_dwarf_static *s;
	const struct hp_dwarf_unit *u;
	struct hp_type_diff *d;
	struct hp_elf *elf = NULL;
	struct hp_dwarf *dw = NULL;
	const char *file;
	uint64_t line;
	size_t cnt;

	if (hp_elf_open(bytes, "damaged", &elf, NULL) == 0 && hp_dwarf_open(elf, &dw, NULL) == 1) {
		(void)!hp_dwarf_units(dw, &u, &cnt, NULL);
		(void)!hp_dwarf_statics(dw, &s, &cnt, NULL);
		(void)!hp_dwarf_decl(dw, "a", &file, &line, NULL);
		for (uint32_t i = 0; i < elf->secs_cnt; i++)
			(void)!hp_dwarf_line(dw, i, 0, &file, &line, NULL);
		(void)!hp_dwarf_compare_types(dw, dw, &d, &cnt, NULL);
	}
	hp_dwarf_free(dw);
	hp_elf_free(elf);
}

/* Flipped bytes anywhere in the debug sections: an error or a result, never a crash. The fuzz target goes further. */
static void
damaged(void **state)
{
	struct rnd rnd = rnd_start("damaged");
	struct obj o = obj_make(
		"gcc -g -O2", "struct s { int a; char b[3]; } v; int a(struct s *p) { static int n; return p->a + n++; }", "h.c");
	uint8_t *copy = malloc(o.file.len);

	(void)state;
	assert_non_null(copy);
	for (int round = 0; round < 3000; round++) {
		size_t flips = 1 + rnd_below(&rnd, 4);

		memcpy(copy, o.file.p, o.file.len);
		while (flips > 0) {
			const struct hp_sec *sec = &o.elf->secs[rnd_below(&rnd, o.elf->secs_cnt)];

			if (strncmp(sec->name, ".debug", 6) != 0 && strncmp(sec->name, ".rela.debug", 11) != 0)
				continue;
			if (sec->data.len > 0)
				copy[sec->off + rnd_below(&rnd, sec->data.len)] = (uint8_t)rnd_u64(&rnd);
			flips--;
		}
		use_all(hp_view_of(copy, o.file.len));
	}
	free(copy);
	obj_close(&o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(units),
		cmocka_unit_test(without_debug_information),
		cmocka_unit_test(refuses_what_it_cannot_read),
		cmocka_unit_test(lines),
		cmocka_unit_test(static_locals),
		cmocka_unit_test(declarations),
		cmocka_unit_test(damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
