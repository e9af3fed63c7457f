/* Dynamic symbols: both hash tables, versions as glibc's dynamic linker and as a static linker judge them, and damaged tables. */
#include "tests/unit/pack_cases.h"

#include "formats/elf_dyn.h"

static const char lib_c[] =
	"int one_v1(void) { return 1; } int one_v2(void) { return 2; } int one_v3(void) { return 3; }\n"
	"__asm__(\".symver one_v1,one@V_1\\n.symver one_v2,one@V_2\\n.symver one_v3,one@@V_3\");\n"
	"int gone_v1(void) { return 1; }\n__asm__(\".symver gone_v1,gone@V_1\");\n"
	"int plain(void) { return 4; } int late(void) { return 5; } int base(void) { return 6; }\n"
	"int data = 7; __thread int tls = 8; extern int outside(void); int user(void) { return outside(); }\n"
	"__attribute__((visibility(\"hidden\"))) int hidden(void) { return 9; }\n"
	"static int pick_it(void) { return 1; } static int (*pick(void))(void) { return pick_it; }\n"
	"int chosen(void) __attribute__((ifunc(\"pick\")));\n";

static int
build(void **state)
{
	(void)state;
	source("lib.c", lib_c);
	source("lib.map",
	       "V_1 { global: one; gone; plain; data; tls; chosen; user; local: *; }; V_2 { global: one; late; } V_1;\n"
	       "V_3 { global: one; } V_2;\n");
	for (unsigned i = 0; i < 3; i++) {
		static const char *const styles[] = { "gnu", "sysv", "both" };

		sh("$CC -shared -fPIC -O1 -o %s.so lib.c -Wl,--version-script=lib.map,--hash-style=%s -Wl,-Bsymbolic "
		   "-Wl,-rpath,'$ORIGIN/x' -Wl,--enable-new-dtags",
		   styles[i], styles[i]);
	}
	source("bare.c", "int alone(void) { return 1; } int plain(void) { return 2; }\n");
	sh("$CC -shared -fPIC -O1 -o bare.so bare.c -Wl,-soname,libbare.so.1");
	source("prog.c",
	       "#include <stdio.h>\nint (*volatile fp)(const char *); int main(void) { fp = puts; return fp(\"x\"); }\n");
	sh("$CC -O1 -fno-pie -no-pie -o prog prog.c && $CC -O1 -fno-pie -static -o static prog.c");
	return 0;
}

struct opened {
	struct hp_buf file;
	struct hp_elf *elf;
	struct hp_arena arena;
	struct hp_dyn dyn;
};

static int
open_it(struct opened *o, const char *name)
{
	struct hp_err err = { 0 };
	int r;

	*o = (struct opened){ 0 };
	slurp(name, &o->file);
	assert_fine(hp_elf_open(hp_buf_view(&o->file), name, &o->elf, &err), &err);
	r = hp_dyn_open_file(o->elf, &o->arena, &o->dyn, &err);
	if (r < 0)
		assert_fine(r, &err);
	return r;
}

static void
drop(struct opened *o)
{
	hp_elf_free(o->elf);
	hp_buf_release(&o->file);
	hp_arena_release(&o->arena);
}

/* What a look-up gives: version of what was found, "" = none, NULL = not found. */
static const char *
find(const struct opened *o, const char *name, const char *version, enum hp_dyn_how how)
{
	struct hp_dyn_sym sym;
	struct hp_err err = { 0 };
	int r = hp_dyn_lookup(&o->dyn, name, version, how, &sym, &err);

	if (r < 0)
		assert_fine(r, &err);
	return r == 0 ? NULL : sym.version != NULL ? sym.version : "";
}
#define assert_found(o, name, version, how, want) assert_string_equal(find(o, name, version, how), want)
#define assert_lost(o, name, version, how) assert_null(find(o, name, version, how))

static void
test_versions(void **state)
{
	static const char *const names[] = { "gnu.so", "sysv.so", "both.so" };

	(void)state;
	for (size_t i = 0; i < CNT(names); i++) {
		struct opened o;

		assert_int_equal(open_it(&o, names[i]), 1);
		for (enum hp_dyn_how how = HP_DYN_BIND; how <= HP_DYN_CALL; how++) {
			assert_found(&o, "one", "V_1", how, "V_1");
			assert_found(&o, "one", "V_2", how, "V_2");
			assert_found(&o, "one", "V_3", how, "V_3");
			assert_lost(&o, "one", "V_4", how);
			assert_found(&o, "gone", "V_1", how, "V_1");
			assert_lost(&o, "gone", "V_2", how);
			/* A reference without version takes the base version, as of old. */
			assert_found(&o, "gone", NULL, how, "V_1");
			assert_found(&o, "plain", NULL, how, "V_1");
			assert_found(&o, "late", NULL, how, "V_2");
			assert_lost(&o, "base", NULL, how);
			assert_lost(&o, "hidden", NULL, how);
			assert_lost(&o, "outside", NULL, how);
			assert_lost(&o, "", NULL, how);
		}
		assert_found(&o, "one", NULL, HP_DYN_DEFAULT, "V_3");
		assert_found(&o, "one", "V_1", HP_DYN_DEFAULT, "V_1");
		assert_lost(&o, "gone", NULL, HP_DYN_DEFAULT);
		assert_found(&o, "gone", "V_1", HP_DYN_DEFAULT, "V_1");
		assert_true(o.dyn.symbolic);
		assert_string_equal(o.dyn.runpath, "$ORIGIN/x");
		assert_null(o.dyn.soname);
		drop(&o);
	}
}

static void
test_kinds(void **state)
{
	struct hp_dyn_sym sym;
	struct opened o;

	(void)state;
	assert_int_equal(open_it(&o, "gnu.so"), 1);
	assert_int_equal(hp_dyn_lookup(&o.dyn, "chosen", "V_1", HP_DYN_BIND, &sym, NULL), 1);
	assert_int_equal(sym.type, STT_GNU_IFUNC);
	assert_int_equal(hp_dyn_lookup(&o.dyn, "tls", "V_1", HP_DYN_BIND, &sym, NULL), 1);
	assert_int_equal(sym.type, STT_TLS);
	drop(&o);
	/* Without versions everything matches. */
	assert_int_equal(open_it(&o, "bare.so"), 1);
	assert_found(&o, "alone", "B", HP_DYN_BIND, "");
	assert_found(&o, "alone", NULL, HP_DYN_BIND, "");
	assert_found(&o, "alone", NULL, HP_DYN_DEFAULT, "");
	assert_string_equal(o.dyn.soname, "libbare.so.1");
	assert_true(o.dyn.needed_cnt <= 1);
	drop(&o);
	/* A canonical address is something to bind an address to, and no definition. */
	assert_int_equal(open_it(&o, "prog"), 1);
	assert_found(&o, "puts", "GLIBC_2.2.5", HP_DYN_BIND, "GLIBC_2.2.5");
	assert_lost(&o, "puts", "GLIBC_2.2.5", HP_DYN_CALL);
	assert_lost(&o, "puts", NULL, HP_DYN_DEFAULT);
	assert_string_equal(o.dyn.needed[0], "libc.so.6");
	drop(&o);
	assert_int_equal(open_it(&o, "static"), 0);
	drop(&o);
}

/* Every look-up in a file with damaged bytes ends, with any answer. */
static void
test_damaged(void **state)
{
	static const char *const files[] = { "gnu.so", "sysv.so" };
	static const char *const names[] = { "one", "plain", "nothing", "data" };
	struct rnd rnd = rnd_start("damaged");

	(void)state;
	for (unsigned n = 0; n < 1500; n++) {
		struct hp_arena arena = { 0 };
		struct hp_elf *elf = NULL;
		struct hp_dyn dyn;
		struct hp_buf file = { 0 };
		uint64_t dyn_off = 0;

		slurp(files[n % 2], &file);
		assert_int_equal(hp_elf_open(hp_buf_view(&file), "damaged", &elf, NULL), 0);
		for (uint32_t i = 0; i < elf->segs_cnt; i++)
			if (elf->segs[i].type == PT_DYNAMIC)
				dyn_off = elf->segs[i].off;
		for (unsigned k = 0; k < 1 + n % 8; k++) {
			uint64_t at = rnd_below(&rnd, 2) ? dyn_off + rnd_below(&rnd, 400) : 0x200 + rnd_below(&rnd, 0x600);

			if (at < file.len)
				file.p[at] = (uint8_t)rnd_below(&rnd, 256);
		}
		if (hp_dyn_open_file(elf, &arena, &dyn, NULL) > 0)
			for (size_t i = 0; i < CNT(names) * 3; i++) {
				struct hp_dyn_sym sym;

				if (hp_dyn_lookup(&dyn, names[i / 3], i % 2 ? "V_1" : NULL, (enum hp_dyn_how)(i % 3), &sym,
				                  NULL) > 0 &&
				    sym.version != NULL)
					assert_true(strlen(sym.version) <= HP_NAME_LEN_MAX);
			}
		hp_elf_free(elf);
		hp_buf_release(&file);
		hp_arena_release(&arena);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions), cmocka_unit_test(test_kinds), cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests_name("elf_dyn", tests, build, NULL);
}
