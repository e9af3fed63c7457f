/* The packager on patch sets made by hand: what it resolves, what it refuses by name, what it writes. */
#include "formats/image.h"
#include "formats/package.h"
#include "packager/pack.h"
#include "tests/unit/pack_cases.h"

struct packed {
	struct hp_patchset set;
	struct hp_buf base, debug, signed_part;
	struct hp_pack_report report;
	struct hp_pkg pkg;
	struct hp_err err;
	char text[HP_ERR_FRAMES * HP_ERR_TEXT];
	int code;
};

/* build(old flags, new flags, link flags): orig.o and fixed.o from work.c, prog from main.c and orig.o. */
static void
build(const char *both, const char *link)
{
	sh("$CC -g %s -c work.c -o orig.o && $CC -g %s -DFIX -c work.c -o fixed.o && $CC -g %s -c main.c -o main.o && "
	   "$CC %s -Wl,--build-id -o prog main.o orig.o", both, both, both, link);
}

static void
pack_with(struct packed *p, const struct hp_pack_options *more, const char *const *changed)
{
	struct hp_pack_options o = *more;
	struct hp_pack_baseline base = { .path = "prog" };

	memset(p, 0, sizeof(*p));
	hand_set(&p->set, 1);
	hand_pair(&p->set, &p->set.pairs[0], "work.o", scratch("orig.o"), scratch("fixed.o"), changed);
	slurp("prog", &p->base);
	base.file = hp_buf_view(&p->base);
	o.baselines = &base;
	o.baselines_cnt = 1;
	o.tool = "test";
	p->code = hp_pack(&p->set, &o, &p->signed_part, &p->report, &p->err);
	hp_err_format(&p->err, p->text, sizeof(p->text));
	if (p->code == 0)
		assert_fine(hp_pkg_parse(hp_buf_view(&p->signed_part), &p->pkg, &p->err), &p->err);
}

#define PACK(p, ...) pack_with((p), &(struct hp_pack_options){ 0 }, (const char *const[]){ __VA_ARGS__, NULL })

static void
done(struct packed *p)
{
	if (p->code == 0) {
		hp_pkg_release(&p->pkg);
		hp_pack_report_release(&p->report);
	}
	hp_buf_release(&p->signed_part);
	hp_buf_release(&p->base);
	hp_patchset_release(&p->set);
}

static void
expect_refusal(struct packed *p, int code, const char *words)
{
	if (p->code != code || strstr(p->text, words) == NULL)
		fail_msg("%s (%d), not %s with '%s'", p->text, p->code, hp_err_name(code), words);
	done(p);
}

static void
expect_packed(const struct packed *p)
{
	if (p->code != 0)
		fail_msg("%s", p->text);
}

static void
sources(const char *work, const char *main_text)
{
	source("work.c", work);
	source("main.c", main_text);
}

static const char one_c[] =
	"#include <stdio.h>\n"
	"static int counter = 3; int global_var = 5; static const char *const names[] = { \"a\", \"b\" };\n"
	"#ifdef FIX\nstatic int added_bss; static int added_data = 7;\n"
	"static __attribute__((noinline)) int added(int x) { return x + added_data + added_bss++; }\n#endif\n"
	"int work(int x);\n"
	"int work(int x) { counter += x; global_var++;\n"
	"#ifdef FIX\n	if (x > 1000) { puts(\"a new string\"); return added(x); }\n#endif\n"
	"	puts(names[x & 1]); return counter; }\n"
	"int other(int x); int other(int x) { return work(x) + counter; }\n";
static const char one_main_c[] =
	"int work(int); int other(int); int main(int argc, char **argv) { (void)argv; return work(argc) + other(argc); }\n";

static void
test_contents(void **state)
{
	static const char *const flags[][2] = { { "-O1 -fPIE -ffunction-sections -fdata-sections", "-pie" },
		                                { "-O1 -fno-pie -ffunction-sections -fdata-sections", "-no-pie" },
		                                { "-O2 -fPIE", "-pie" } };

	(void)state;
	sources(one_c, one_main_c);
	for (size_t i = 0; i < CNT(flags); i++) {
		struct packed p;
		struct hp_image image;
		const struct hp_man_target *t;

		build(flags[i][0], flags[i][1]);
		PACK(&p, "work");
		expect_packed(&p);
		t = &p.pkg.man->targets[0];
		assert_int_equal(t->funcs_cnt, 1);
		assert_string_equal(t->funcs[0].name, "work");
		assert_int_equal(t->added_cnt, 1);
		assert_string_equal(t->added[0], "added");
		assert_int_equal(p.report.targets[0].objects[0].proven_cnt, p.report.targets[0].objects[0].funcs_cnt);
		assert_fine(hp_image_read(p.pkg.payloads[0].image, &image, &p.err), &p.err);
		assert_int_equal(image.segs_cnt, 3);
		assert_true(image.eh_frame_len > 0);
		assert_int_equal(image.mem_len, t->image_len);
		assert_int_equal(hp_le32_get(image.file.p + t->funcs[0].payload) != 0, 1);
		done(&p);
	}
}

/* Each fixup says where it points; the symbol table of the module must agree. */
static void
test_fixups(void **state)
{
	struct packed p;
	HP_AUTO(hp_module) struct hp_module *mod = NULL;
	bool counter = false, global = false, plt = false;

	(void)state;
	sources(one_c, one_main_c);
	build("-O1 -fPIE -ffunction-sections -fdata-sections", "-pie");
	PACK(&p, "work");
	expect_packed(&p);
	assert_fine(hp_module_open(hp_buf_view(&p.base), "prog", NULL, &mod, &p.err), &p.err);
	for (uint32_t i = 0; i < p.pkg.payloads[0].fixups.len / HP_FIXUP_LEN; i++) {
		struct hp_fixup f = hp_fixup_get(p.pkg.payloads[0].fixups, i);
		const struct hp_mod_plt *entry = hp_module_plt_at(mod, f.target);

		if (f.kind != HP_KIND_MODULE)
			continue;
		counter |= f.target == address_of(mod, "counter");
		global |= f.target == address_of(mod, "global_var");
		plt |= entry != NULL && strcmp(mod->slots[entry->slot_idx].name, "puts") == 0;
	}
	assert_true(counter);
	assert_true(global);
	assert_true(plt);
	done(&p);
}

static void
test_same_bytes(void **state)
{
	struct packed a, b;

	(void)state;
	sources(one_c, one_main_c);
	build("-O1 -fPIE -ffunction-sections -fdata-sections", "-pie");
	PACK(&a, "work");
	PACK(&b, "work");
	expect_packed(&a);
	assert_true(hp_view_eq(hp_buf_view(&a.signed_part), hp_buf_view(&b.signed_part)));
	done(&a);
	done(&b);
}

static void
test_stripped(void **state)
{
	struct packed a, b;

	(void)state;
	sources(one_c, one_main_c);
	build("-O1 -fPIE -ffunction-sections -fdata-sections", "-pie");
	PACK(&a, "work");
	sh("strip prog");
	PACK(&b, "work");
	expect_packed(&a);
	expect_packed(&b);
	assert_string_equal(b.pkg.man->targets[0].symbols, "dynsym");
	assert_true(hp_view_eq(a.pkg.payloads[0].fixups, b.pkg.payloads[0].fixups));
	assert_true(hp_view_eq(a.pkg.payloads[0].image, b.pkg.payloads[0].image));
	done(&a);
	done(&b);
}

static void
test_other_baseline(void **state)
{
	struct packed p;

	(void)state;
	sources(one_c, one_main_c);
	build("-O1 -fPIE -ffunction-sections -fdata-sections", "-pie");
	sh("$CC -g -Os -fPIE -c work.c -o small.o && $CC -pie -Wl,--build-id -o prog main.o small.o");
	PACK(&p, "work");
	expect_refusal(&p, HP_E_BASELINE, "in the object, but");
	sh("$CC -pie -Wl,--build-id=none -o prog main.o orig.o");
	PACK(&p, "work");
	expect_refusal(&p, HP_E_BASELINE, "no build ID");
	sh("echo 'int main(void) { return 0; }' >none.c && $CC -pie -Wl,--build-id -o prog none.c");
	PACK(&p, "work");
	expect_refusal(&p, HP_E_BASELINE, "none of the changed objects");
}

/* What must be refused, with the words that the message must have. ${changed}: the function; main.c calls work(). */
static const struct {
	const char *name, *work, *flags, *link, *words;
	int code;
} refusals[] = {
	{ "new import that nobody provides",
	  "int nobody(void);\nint work(int x) {\n#ifdef FIX\nif (x > 9) return nobody();\n#endif\nreturn x * 3 + 1; }\n",
	  "-O1 -fPIE -ffunction-sections", "-pie", "refers to 'nobody': a new import that no library of the baseline provides",
	  HP_E_REFUSED },
	{ "new import of a static program",
	  "long random(void);\nint work(int x) {\n#ifdef FIX\nif (x > 9) return random() > 3;\n#endif\nreturn x * 3 + 1; }\n",
	  "-O1 -fno-pie -ffunction-sections", "-static", "refers to 'random': a new import, but the baseline is a static program",
	  HP_E_REFUSED },
	{ "new thread-local variable",
	  "#ifdef FIX\nstatic __thread int fresh = 3;\n#endif\nint work(int x) {\n#ifdef FIX\nfresh += x; x += fresh;\n#endif\n"
	  "return x * 3 + 1; }\n",
	  "-O1 -fPIE -ffunction-sections", "-pie", "thread-local", HP_E_REFUSED },
};

static void
test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < CNT(refusals); i++) {
		struct packed p;

		sources(refusals[i].work, "int work(int); int main(int argc, char **argv) { (void)argv; return work(argc); }\n");
		build(refusals[i].flags, refusals[i].link);
		PACK(&p, "work");
		expect_refusal(&p, refusals[i].code, refusals[i].words);
	}
}

/* Entries: too short for the jump, a branch back into it; and the near misses. */
static void
test_entries(void **state)
{
	static const struct {
		const char *body, *words;
	} cases[] = {
		{ "ret; .size work, .-work; int3", "too short" },
		{ "ret; .size work, .-work; .p2align 4", NULL }, /* padding behind it is room enough */
		{ "ret; .size work, .-work; 2: nop; nop; nop; nop; nop; nop; .type b, @function; b: jmp 2b; .size b, .-b",
		  "too short" }, /* somebody jumps there */
		{ "xor %%eax, %%eax; 1: add $1, %%eax; cmp $9, %%eax; jne 1b; ret; .size work, .-work", "jumps into" },
		{ "mov %%edi, %%eax; nop; nop; nop; 1: add $1, %%eax; cmp $900, %%eax; jl 1b; ret; .size work, .-work", NULL },
		{ "call *%%rdi; xor %%eax, %%eax; nop; nop; ret; .size work, .-work", "returns into" },
		{ "endbr64; mov %%edi, %%eax; nop; nop; nop; ret; .size work, .-work", NULL },
	};

	(void)state;
	for (size_t i = 0; i < CNT(cases); i++) {
		struct packed p;
		char text[1024];

		(void)snprintf(
			text, sizeof(text),
			"__asm__(\".section .text.work,\\\"ax\\\",@progbits; .globl work; .type work, @function; work:\"\n#ifdef "
		        "FIX\n"
			"\"lea 1(%%rdi), %%eax; ret; nop; nop; nop; nop; nop; .size work, .-work\"\n#else\n\"%s\"\n#endif\n"
			"\"; .section .text.after,\\\"ax\\\",@progbits; .globl after; .type after, @function; after: mov $3, "
		        "%%eax; ret;"
			" .size after, .-after; .text\");\n",
			cases[i].body);
		for (char *s = text; (s = strstr(s, "%%")) != NULL;)
			memmove(s, s + 1, strlen(s));
		sources(text, "int work(int); int main(int argc, char **argv) { (void)argv; return work(argc); }\n");
		build("-O1 -fPIE", "-pie");
		PACK(&p, "work");
		if (cases[i].words != NULL) {
			expect_refusal(&p, HP_E_REFUSED, cases[i].words);
			continue;
		}
		if (p.code != 0)
			fail_msg("case %zu: %s", i, p.text);
		done(&p);
	}
}

/* A fold by gcc: two local functions become one; the fix changes one of them and its caller. */
static const char fold_c[] =
	"#include <stdlib.h>\n#define BODY int s = 0; for (int i = 0; i < x; i++) s += abs(i - 7) * 3\n"
	"static __attribute__((noinline)) int one(int x) { BODY; return s; }\n"
	"#ifdef FIX\nstatic __attribute__((noinline)) int two(int x) { BODY; return s + 1; }\n#else\n"
	"static __attribute__((noinline)) int two(int x) { BODY; return s; }\n#endif\n"
	"int work(int x); int work(int x) { return two(x) + 4; }\nint other(int x); int other(int x) { return one(x) + 3; }\n";

static void
test_folded(void **state)
{
	struct packed p;

	(void)state;
	if (!is_gcc())
		skip();
	sources(fold_c, one_main_c);
	build("-O2 -fPIE -ffunction-sections", "-pie");
	/* The set as a differ gives it: work() calls another function than before, two() is changed. */
	PACK(&p, "work", "two");
	expect_packed(&p);
	for (size_t i = 0; i < p.report.targets[0].replaced_cnt; i++)
		assert_string_equal(p.report.targets[0].replaced[i].name, "work");
	done(&p);
	/* Without its caller the new body of two() would be reached by nobody, or by the callers of one(). */
	PACK(&p, "two");
	assert_true(p.code == HP_E_REFUSED || p.code == HP_E_NOTHING);
	done(&p);
}

static void
test_meta(void **state)
{
	static const struct {
		const char *json, *words;
	} bad[] = { { "{", "line" },
		    { "[]", "not a JSON object" },
		    { "{\"name\": 3}", "'name' must be" },
		    { "{\"nme\": \"x\"}", "unknown key" },
		    { "{\"serial\": -1}", "not negative" },
		    { "{\"name\": \"a\", \"name\": \"b\"}", "duplicate" },
		    { "{\"fixes\": [1]}", "'fixes' must be" } };
	static const char good[] = "{ \"name\": \"fix\", \"serial\": 9, \"fixes\": [\"CVE-1\"], \"baseline\": { \"name\": \"p\", "
	                           "\"version\": \"1\" },"
				   " \"restart_required\": true, \"expires\": 2000000000 }";
	struct hp_pack_options o = { .meta = { (const uint8_t *)good, sizeof(good) - 1 } };
	struct packed p;

	(void)state;
	sources(one_c, one_main_c);
	build("-O1 -fPIE -ffunction-sections -fdata-sections", "-pie");
	pack_with(&p, &o, (const char *const[]){ "work", NULL });
	expect_packed(&p);
	assert_string_equal(p.pkg.man->name, "fix");
	assert_int_equal(p.pkg.man->serial, 9);
	assert_string_equal(p.pkg.man->fixes[0], "CVE-1");
	assert_string_equal(p.pkg.man->baseline_version, "1");
	assert_true(p.pkg.man->restart_required);
	assert_int_equal(p.pkg.man->expires, 2000000000);
	done(&p);
	for (size_t i = 0; i < CNT(bad); i++) {
		o.meta = hp_view_of(bad[i].json, strlen(bad[i].json));
		pack_with(&p, &o, (const char *const[]){ "work", NULL });
		expect_refusal(&p, HP_E_FORMAT, bad[i].words);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contents), cmocka_unit_test(test_fixups),         cmocka_unit_test(test_same_bytes),
		cmocka_unit_test(test_stripped), cmocka_unit_test(test_other_baseline), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_entries),  cmocka_unit_test(test_folded),         cmocka_unit_test(test_meta),
	};

	return cmocka_run_group_tests_name("packager", tests, NULL, NULL);
}
