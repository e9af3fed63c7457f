/* Our reader against libdwarf, an independent one: every row of the line table of a linked program. */
#include "formats/dwarf_compat.h"
#include "tests/unit/dwarf_util.h"

#include <fcntl.h>

#if __has_include(<libdwarf-2/libdwarf.h>)
#include <libdwarf-2/libdwarf.h>
#elif __has_include(<libdwarf-0/libdwarf.h>)
#include <libdwarf-0/libdwarf.h>
#else
#include <libdwarf/libdwarf.h>
#endif

static Dwarf_Debug
oracle_open(int fd)
{
	Dwarf_Debug dbg = NULL;
	Dwarf_Error e = NULL;

#ifdef DW_LIBDWARF_VERSION
	assert_int_equal(dwarf_init_b(fd, DW_GROUPNUMBER_ANY, NULL, NULL, &dbg, &e), DW_DLV_OK);
#else
	assert_int_equal(dwarf_init_b(fd, DW_DLC_READ, DW_GROUPNUMBER_ANY, NULL, NULL, &dbg, &e), DW_DLV_OK);
#endif
	return dbg;
}

static void
oracle_close(Dwarf_Debug dbg)
{
#ifdef DW_LIBDWARF_VERSION
	(void)dwarf_finish(dbg);
#else
	(void)dwarf_finish(dbg, NULL);
#endif
}

/* The first entry of the next unit, NULL = no more. */
static Dwarf_Die
next_unit(Dwarf_Debug dbg)
{
	Dwarf_Unsigned len, type_off, next;
	Dwarf_Half version, addr_len, len_size, ext, kind;
	Dwarf_Off abbrev_off;
	Dwarf_Sig8 sig;
	Dwarf_Die die = NULL;
	Dwarf_Error e = NULL;

	if (dwarf_next_cu_header_d(dbg, 1, &len, &version, &abbrev_off, &addr_len, &len_size, &ext, &sig, &type_off, &next, &kind,
	                           &e) != DW_DLV_OK)
		return NULL;
	assert_int_equal(dwarf_siblingof_b(dbg, NULL, 1, &die, &e), DW_DLV_OK);
	return die;
}

struct row {
	Dwarf_Addr addr;
	Dwarf_Unsigned line;
	Dwarf_Bool end;
};

static struct row
row_at(Dwarf_Line line)
{
	struct row r = { 0 };
	Dwarf_Error e = NULL;

	assert_int_equal(dwarf_lineaddr(line, &r.addr, &e), DW_DLV_OK);
	assert_int_equal(dwarf_lineno(line, &r.line, &e), DW_DLV_OK);
	assert_int_equal(dwarf_lineendsequence(line, &r.end, &e), DW_DLV_OK);
	return r;
}

static size_t
compare_lines(struct obj *o, Dwarf_Die die)
{
	Dwarf_Line_Context lc = NULL;
	Dwarf_Unsigned version;
	Dwarf_Small tables;
	Dwarf_Line *lines = NULL;
	Dwarf_Signed cnt = 0;
	Dwarf_Error e = NULL;
	size_t compared = 0;

	if (dwarf_srclines_b(die, &version, &tables, &lc, &e) != DW_DLV_OK)
		return 0;
	assert_int_equal(dwarf_srclines_from_linecontext(lc, &lines, &cnt, &e), DW_DLV_OK);
	for (Dwarf_Signed i = 0; i < cnt; i++) {
		struct row r = row_at(lines[i]), after = i + 1 < cnt ? row_at(lines[i + 1]) : r;
		const char *file;
		uint64_t line = 0;
		char *name;

		/* Of several rows at one address the last counts. */
		if (r.end || after.addr == r.addr)
			continue;
		for (uint32_t s = 1; s < o->elf->secs_cnt; s++) {
			const struct hp_sec *sec = &o->elf->secs[s];

			if ((sec->flags & SHF_EXECINSTR) == 0 || r.addr < sec->addr || r.addr - sec->addr >= sec->len)
				continue;
			assert_int_equal(hp_dwarf_line(o->dw, s, r.addr - sec->addr, &file, &line, NULL), 1);
			assert_int_equal(line, r.line);
			assert_int_equal(dwarf_linesrc(lines[i], &name, &e), DW_DLV_OK);
			assert_non_null(strstr(name, strrchr(file, '/') != NULL ? strrchr(file, '/') + 1 : file));
			compared++;
		}
	}
	dwarf_srclines_dealloc_b(lc);
	return compared;
}

static void
compare(const char *cmd)
{
	static const char src[] = "#include <stdio.h>\n#include <string.h>\nstatic inline int g(int x)\n{\n\treturn x * 2;\n}\n"
				  "int main(int argc, char **argv)\n{\n\tint n = g(argc);\n\n\tfor (int i = 0; i < argc; i++)\n"
				  "\t\tn += (int)strlen(argv[i]);\n\tif (n > 3)\n\t\tputs(\"x\");\n\treturn n;\n}\n";
	const struct hp_dwarf_unit *u;
	struct hp_err err = { 0 };
	struct obj o;
	char line[9000];
	Dwarf_Debug dbg;
	size_t units = 0, want_units, rows = 0;
	Dwarf_Die die;
	int fd;

	if (!compile(cmd, src, "o.c")) {
		print_message("no '%s'\n", cmd);
		return;
	}
	(void)snprintf(line, sizeof(line), "%s -o %s %s", cmd, scratch("o.prog"), scratch("o.c.o"));
	assert_int_equal(run_cmd(line), 0);
	assert_code(obj_open(scratch("o.prog"), &o, &err), 1, &err);
	fd = open(scratch("o.prog"), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	dbg = oracle_open(fd);
	while ((die = next_unit(dbg)) != NULL) {
		units++;
		rows += compare_lines(&o, die);
		dwarf_dealloc_die(die);
	}
	assert_int_equal(hp_dwarf_units(o.dw, &u, &want_units, NULL), 0);
	assert_int_equal(units, want_units);
	assert_true(rows >= 5);
	oracle_close(dbg);
	(void)close(fd);
	obj_close(&o);
}

static void
lines_as_libdwarf(void **state)
{
	(void)state;
	compare("gcc -gdwarf-5 -O2");
	compare("gcc -gdwarf-5 -O0 -no-pie");
	compare("gcc -gdwarf-4 -O2");
	compare("gcc -gdwarf-2 -gstrict-dwarf -O1");
	compare("clang -gdwarf-5 -O2");
	compare("clang -gdwarf-4 -O0");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_as_libdwarf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
