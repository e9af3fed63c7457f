/* Linked modules: kinds, symbols, PLT entries and GOT slots, preemptible symbols, build IDs. */
#include "tests/unit/pack_cases.h"

static const char lib_c[] =
	"#include <stdio.h>\n"
	"int value = 3; __attribute__((visibility(\"protected\"))) int guarded = 4;\n"
	"__attribute__((visibility(\"hidden\"))) int hidden_fn(void) { return 5; }\n"
	"__attribute__((noinline)) int exported(int x) { return x + value; }\n"
	"int user(int x) { puts(\"x\"); fflush(stdout); return exported(x) + hidden_fn() + guarded; }\n";
static const char prog_c[] =
	"#include <stdio.h>\n"
	"int (*volatile fp)(const char *) = puts; static int local(int x) { return x + 1; }\n"
	"int main(int argc, char **argv) { (void)argv; if (argc > 9) fflush(stdout); fp(\"hello\"); return local(argc); }\n";

static int
build(void **state)
{
	(void)state;
	source("lib.c", lib_c);
	source("prog.c", prog_c);
	sh("$CC -O1 -fPIC -g -c lib.c && $CC -shared -Wl,--build-id -o lib.so lib.o && $CC -shared -Wl,--build-id,-Bsymbolic "
	   "-o symbolic.so lib.o && $CC -shared -Wl,--build-id=none -o noid.so lib.o");
	sh("$CC -O1 -fno-pie -no-pie -Wl,--build-id -o prog prog.c && $CC -O1 -fPIE -pie -Wl,--build-id,-z,now -o pie prog.c && "
	   "strip -o stripped prog");
	sh("objcopy --only-keep-debug lib.so lib.debug && objcopy --only-keep-debug symbolic.so other.debug && strip -o bare.so "
	   "lib.so");
	return 0;
}

static struct hp_module *
open_it(const char *name, const char *debug, struct hp_buf *file, struct hp_buf *debug_file)
{
	struct hp_module *mod = NULL;
	struct hp_err err = { 0 };
	struct hp_debug_file d;

	slurp(name, file);
	if (debug != NULL)
		slurp(debug, debug_file);
	d = (struct hp_debug_file){ .bytes = hp_buf_view(debug_file), .path = debug, .source = "debug-file" };
	assert_fine(hp_module_open(hp_buf_view(file), name, debug != NULL ? &d : NULL, &mod, &err), &err);
	return mod;
}

static void
test_kinds(void **state)
{
	static const struct {
		const char *name, *symbols;
		enum hp_man_kind kind;
	} cases[] = { { "lib.so", "symtab", HP_MAN_SHARED },
		      { "bare.so", "dynsym", HP_MAN_SHARED },
		      { "prog", "symtab", HP_MAN_EXEC },
		      { "pie", "symtab", HP_MAN_PIE },
		      { "stripped", "dynsym", HP_MAN_EXEC } };

	(void)state;
	for (size_t i = 0; i < CNT(cases); i++) {
		HP_AUTO(hp_buf) struct hp_buf file = { 0 }, debug = { 0 };
		HP_AUTO(hp_module) struct hp_module *mod = open_it(cases[i].name, NULL, &file, &debug);

		assert_int_equal(mod->kind, cases[i].kind);
		assert_string_equal(mod->symbols, cases[i].symbols);
		assert_true(mod->build_id.len >= 8);
		assert_int_equal(mod->bind_now, strcmp(cases[i].name, "pie") == 0);
	}
}

static void
test_preemptible(void **state)
{
	HP_AUTO(hp_buf) struct hp_buf file = { 0 }, file2 = { 0 }, debug = { 0 };
	HP_AUTO(hp_module) struct hp_module *mod = open_it("lib.so", NULL, &file, &debug);
	HP_AUTO(hp_module) struct hp_module *symbolic = open_it("symbolic.so", NULL, &file2, &debug);

	(void)state;
	assert_true(hp_module_preemptible(mod, "exported"));
	assert_true(hp_module_preemptible(mod, "value"));
	assert_false(hp_module_preemptible(mod, "guarded"));
	assert_false(hp_module_preemptible(mod, "hidden_fn"));
	assert_false(hp_module_preemptible(mod, "puts"));
	assert_false(hp_module_preemptible(symbolic, "exported"));
}

static void
test_slots(void **state)
{
	HP_AUTO(hp_buf) struct hp_buf file = { 0 }, debug = { 0 };
	HP_AUTO(hp_module) struct hp_module *mod = open_it("lib.so", NULL, &file, &debug);
	const struct hp_mod_plt *plt = hp_module_plt_of(mod, "puts", NULL);
	const struct hp_mod_slot *slot = hp_module_slot_of(mod, "puts", NULL, HP_SLOT_JUMP);

	(void)state;
	assert_non_null(plt);
	assert_non_null(slot);
	assert_ptr_equal(&mod->slots[plt->slot_idx], slot);
	assert_ptr_equal(hp_module_plt_at(mod, plt->va), plt);
	assert_null(hp_module_plt_at(mod, plt->va + 1));
	assert_non_null(hp_module_slot_of(mod, "stdout", NULL, HP_SLOT_GLOB_DAT));
	assert_non_null(hp_module_plt_of(mod, "exported", NULL)); /* its own, but preemptible */
	assert_null(hp_module_plt_of(mod, "hidden_fn", NULL));
	assert_non_null(hp_module_import(mod, "puts"));
	assert_null(hp_module_import(mod, "exported"));
	assert_null(hp_module_import(mod, "nobody"));
}

/* A non-PIE program has its own copy of stdout, and the address of puts is its PLT entry. */
static void
test_exec(void **state)
{
	HP_AUTO(hp_buf) struct hp_buf file = { 0 }, debug = { 0 };
	HP_AUTO(hp_module) struct hp_module *mod = open_it("prog", NULL, &file, &debug);
	const struct hp_mod_slot *copy = hp_module_slot_of(mod, "stdout", NULL, HP_SLOT_COPY);
	const struct hp_sym *puts_sym = hp_module_import(mod, "puts");
	uint32_t first;

	(void)state;
	assert_non_null(copy);
	assert_int_equal(copy->va, address_of(mod, "stdout"));
	assert_non_null(puts_sym);
	if (puts_sym->value != 0)
		assert_non_null(hp_module_plt_at(mod, puts_sym->value));
	assert_int_equal(hp_module_named(mod, "main", &first), 1);
	assert_true(hp_module_at(mod, address_of(mod, "main"), &first) >= 1);
	assert_true(hp_module_next_func(mod, address_of(mod, "main")) > address_of(mod, "main"));
}

static void
test_debug_file(void **state)
{
	HP_AUTO(hp_buf) struct hp_buf file = { 0 }, debug = { 0 }, other = { 0 };
	HP_AUTO(hp_module) struct hp_module *mod = open_it("bare.so", "lib.debug", &file, &debug);
	struct hp_module *none = NULL;
	struct hp_err err = { 0 };
	struct hp_debug_file d;
	uint32_t first;

	(void)state;
	assert_string_equal(mod->symbols, "debug-file");
	assert_int_equal(hp_module_named(mod, "hidden_fn", &first), 1);
	slurp("other.debug", &other);
	d = (struct hp_debug_file){ .bytes = hp_buf_view(&other), .path = "other.debug", .source = "debug-file" };
	assert_code(hp_module_open(hp_buf_view(&file), "bare.so", &d, &none, &err), HP_E_BASELINE, &err);
	assert_null(none);
}

static void
test_refused(void **state)
{
	static const struct {
		const char *name;
		int code;
	} cases[] = { { "noid.so", HP_E_BASELINE }, { "lib.o", HP_E_FORMAT }, { "lib.c", HP_E_FORMAT } };

	(void)state;
	for (size_t i = 0; i < CNT(cases); i++) {
		HP_AUTO(hp_buf) struct hp_buf file = { 0 };
		struct hp_module *mod = NULL;
		struct hp_err err = { 0 };

		slurp(cases[i].name, &file);
		assert_code(hp_module_open(hp_buf_view(&file), cases[i].name, NULL, &mod, &err), cases[i].code,
		            &err);
	}
}

/* Cut off anywhere, a module is an error or a module, never a crash. */
static void
test_truncated(void **state)
{
	HP_AUTO(hp_buf) struct hp_buf file = { 0 };

	(void)state;
	slurp("lib.so", &file);
	for (size_t len = 0; len < file.len; len += 1 + len / 16) {
		struct hp_module *mod = NULL;

		if (hp_module_open(hp_view_of(file.p, len), "cut", NULL, &mod, NULL) == 0)
			hp_module_free(mod);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds), cmocka_unit_test(test_preemptible), cmocka_unit_test(test_slots),
		cmocka_unit_test(test_exec),  cmocka_unit_test(test_debug_file),  cmocka_unit_test(test_refused),
		cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests_name("module", tests, build, NULL);
}
