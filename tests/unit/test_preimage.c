/* Pre-image matching: every function of an object is recognised at its true address and nowhere else. */
#include "formats/preimage.h"
#include "tests/unit/pack_cases.h"

static const char work_c[] =
	"#include <stdio.h>\n#include <string.h>\n"
	"extern int other_var; int other_fn(int); static int counter = 3; int global_var = 4;\n"
	"extern __thread int tls_other; static __thread int tls_own = 7;\n"
	"static const char *const names[] = { \"zero\", \"one\", \"two\" };\n"
	"static __attribute__((noinline)) int callee(int x) { counter += x; return counter * 3; }\n"
	"int calls(int x) { return callee(x) + other_fn(x) + (int)strlen(names[x % 3]); }\n"
	"int reads(int x) { global_var += other_var; return global_var + x + counter; }\n"
	"const char *strings(int x) { return x ? \"a string of work\" : \"another string of work\"; }\n"
	"double doubles(double d) { return d * 2.75 + 0.125; }\n"
	"int tls(int x) { tls_own += x; tls_other += 2; return tls_own + tls_other; }\n"
	"int (*taken(int x))(int) { return x ? other_fn : callee; }\n"
	"int cases(int x) { switch (x) { case 0: return 3; case 1: return callee(7); case 2: return 11; case 3: return "
        "other_fn(1);"
	" case 4: return 99; case 5: return 1234; case 6: puts(\"six\"); return 6; default: return -1; } }\n";
static const char main_c[] =
	"int other_var = 5; __thread int tls_other = 6; int other_fn(int x) { return x * 2; }\n"
	"int calls(int); int reads(int); const char *strings(int); double doubles(double); int tls(int); int (*taken(int))(int);"
	"int cases(int);\n"
	"int main(int argc, char **argv) { (void)argv; return calls(argc) + reads(argc) + *strings(argc) + (int)doubles(argc) + "
        "tls(argc) +"
	" taken(argc)(1) + cases(argc); }\n";

static const struct {
	const char *name, *cflags, *ldflags;
} builds[] = {
	{ "O0 pie", "-O0 -fPIE -ffunction-sections", "-pie" },
	{ "O2 pie", "-O2 -fPIE -ffunction-sections", "-pie" },
	{ "Os exec", "-Os -fno-pie -ffunction-sections", "-no-pie" },
	{ "O2 exec, shared sections", "-O2 -fno-pie", "-no-pie" },
	{ "no plt: GOT accesses relaxed", "-O2 -fPIC -fno-plt -ffunction-sections", "-pie" },
	{ "no plt, non-PIE: relaxed to immediates", "-O2 -fPIC -fno-plt -ffunction-sections", "-no-pie" },
	{ "PIC in an executable: TLS GD and LD to LE", "-O1 -fPIC -ffunction-sections", "-pie" },
	{ "not relaxed", "-O2 -fPIC -fno-plt -ffunction-sections", "-pie -Wl,--no-relax" },
	{ "library: TLS GD stays", "-O2 -fPIC -ffunction-sections", "-shared" },
	{ "library, initial-exec TLS", "-O2 -fPIC -ftls-model=initial-exec -ffunction-sections", "-shared" },
	{ "branch protection", "-O2 -fPIE -fcf-protection=full -ffunction-sections", "-pie -Wl,-z,ibtplt" },
};

struct fixture {
	struct hp_buf file, none;
	struct hp_module *mod;
	struct hp_object *obj;
	struct hp_find *finds;
};

static void
fixture_open(struct fixture *f, const char *cflags, const char *ldflags)
{
	struct hp_err err = { 0 };

	memset(f, 0, sizeof(*f));
	sh("$CC -g %s -c work.c && $CC -g %s -c main.c && $CC %s -Wl,--build-id -o prog main.o work.o", cflags, cflags, ldflags);
	slurp("prog", &f->file);
	assert_fine(hp_module_open(hp_buf_view(&f->file), "prog", NULL, &f->mod, &err), &err);
	f->obj = hand_open(scratch("work.o"));
	f->finds = calloc(10000, sizeof(*f->finds));
	assert_non_null(f->finds);
}

static void
fixture_close(struct fixture *f)
{
	free(f->finds);
	hp_object_free(f->obj);
	hp_module_free(f->mod);
	hp_buf_release(&f->file);
}

static bool
is_function(const struct fixture *f, uint32_t i)
{
	return f->obj->parts->v[i].kind == HP_PART_FUNC && f->obj->parts->v[i].len > 0;
}

/* What a find says must be what the symbol table says. */
static void
check_finds(const struct fixture *f, const char *build, const char *func, uint32_t cnt)
{
	for (uint32_t i = 0; i < cnt; i++) {
		const struct hp_find *find = &f->finds[i];
		const struct hp_sym *sym = &f->obj->elf->syms[find->sym_idx];
		const struct hp_mod_plt *plt = hp_module_plt_at(f->mod, find->value);
		uint32_t first, n;

		if (find->kind != HP_FIND_ADDR || sym->name[0] == '\0' || sym->name[0] == '.')
			continue;
		n = hp_module_named(f->mod, sym->name, &first);
		if (plt != NULL && f->mod->slots[plt->slot_idx].name[0] != '\0') {
			assert_string_equal(f->mod->slots[plt->slot_idx].name, sym->name);
			continue;
		}
		for (uint32_t j = 0; j < n; j++)
			if (f->mod->syms[f->mod->by_name[first + j]].va == find->value)
				n = 0;
		if (n > 0)
			fail_msg("%s: '%s' gives %s a wrong address: 0x%llx", build, func, sym->name,
			         (unsigned long long)find->value);
	}
}

static void
test_every_function(void **state)
{
	(void)state;
	for (size_t b = 0; b < CNT(builds); b++) {
		struct fixture f;

		fixture_open(&f, builds[b].cflags, builds[b].ldflags);
		for (uint32_t i = 0; i < f.obj->parts->cnt; i++) {
			const char *name = hp_part_name(f.obj->parts, i);
			struct hp_preimage_diff diff;
			struct hp_err err = { 0 };
			uint32_t cnt = 0, first;
			uint64_t va;

			if (!is_function(&f, i) || hp_module_named(f.mod, name, &first) == 0)
				continue;
			va = address_of(f.mod, name);
			if (hp_preimage_match(f.obj->parts, i, f.mod, va, f.finds, &cnt, &diff, &err) != 1)
				fail_msg("%s: %s+0x%llx: %s / %s (%s)", builds[b].name, name, (unsigned long long)diff.off,
				         diff.old_text, diff.base_text, diff.cause);
			check_finds(&f, builds[b].name, name, cnt);
			assert_code(hp_preimage_match(f.obj->parts, i, f.mod, va + 1, f.finds, &cnt, NULL, &err), 0, &err);
			assert_code(hp_preimage_match(f.obj->parts, i, f.mod, UINT64_MAX - 8, f.finds, &cnt, NULL, &err), 0,
			            &err);
		}
		fixture_close(&f);
	}
}

/* Any byte outside of relocated fields that differs is seen, and the instruction is named. */
static void
test_flipped(void **state)
{
	struct fixture f;
	struct hp_preimage_diff diff;
	struct hp_err err = { 0 };
	uint32_t part, cnt, hits = 0;
	uint64_t va, len;
	struct hp_view code;

	(void)state;
	fixture_open(&f, "-O2 -fPIE -ffunction-sections", "-pie");
	part = hand_find(f.obj->parts, "calls");
	va = address_of(f.mod, "calls");
	len = f.obj->parts->v[part].len;
	assert_true(hp_module_code_at(f.mod, va, len, &code));
	for (uint64_t i = 0; i < len; i++) {
		uint8_t *p = f.file.p + (code.p - f.file.p) + i;

		*p ^= 0x10;
		if (hp_preimage_match(f.obj->parts, part, f.mod, va, f.finds, &cnt, &diff, &err) == 0) {
			assert_true(diff.off <= i);
			assert_true(diff.off + 16 > i);
			assert_true(diff.old_text[0] != '\0' && diff.base_text[0] != '\0' && diff.cause != NULL);
			hits++;
		}
		*p ^= 0x10;
	}
	assert_true(hits >= len - 4 * f.obj->parts->v[part].rels_cnt);
	fixture_close(&f);
}

/* A string that differs is another source. */
static void
test_string(void **state)
{
	struct fixture f;
	struct hp_preimage_diff diff;
	struct hp_err err = { 0 };
	uint32_t cnt;
	uint8_t *p;

	(void)state;
	fixture_open(&f, "-O2 -fPIE -ffunction-sections", "-pie");
	p = memmem(f.file.p, f.file.len, "another string of work", 22);
	assert_non_null(p);
	*p = 'A';
	assert_code(hp_preimage_match(f.obj->parts, hand_find(f.obj->parts, "strings"), f.mod, address_of(f.mod, "strings"),
	                              f.finds, &cnt, &diff, &err),
	            0, &err);
	assert_non_null(strstr(diff.cause, "string"));
	fixture_close(&f);
}

static void
test_search(void **state)
{
	struct fixture f;
	uint64_t va[8];
	uint32_t cnt;

	(void)state;
	fixture_open(&f, "-O2 -fPIE -ffunction-sections", "-pie");
	cnt = hp_preimage_search(f.obj->parts, hand_find(f.obj->parts, "cases"), f.mod, 8, va);
	assert_true(cnt >= 1);
	assert_int_equal(va[0], address_of(f.mod, "cases"));
	fixture_close(&f);
}

static int
sources(void **state)
{
	(void)state;
	source("work.c", work_c);
	source("main.c", main_c);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_function), cmocka_unit_test(test_flipped), cmocka_unit_test(test_string),
		cmocka_unit_test(test_search),
	};

	return cmocka_run_group_tests_name("preimage", tests, sources, NULL);
}
