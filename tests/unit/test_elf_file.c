/* The ELF reader: what it says of real files, and of damaged ones. */
#include "formats/elf_file.h"
#include "tests/unit/pack_cases.h"

static const char unit_c[] = "static int local = 4; int global[3]; extern int elsewhere;\n"
			     "static int helper(int x) { return x * local++ + elsewhere; }\n"
			     "int entry(int x) { return helper(x) + global[1]; }\n"
			     "int weakling(void) __attribute__((weak)); int weakling(void) { return 1; }\n"
			     "int hidden(void) __attribute__((visibility(\"hidden\"))); int hidden(void) { return 2; }\n"
			     "int main(void) { return entry(1) + weakling() + hidden(); }\n";

struct opened {
	struct hp_buf file;
	struct hp_elf *elf;
};

static void
open_file(const char *name, struct opened *o)
{
	struct hp_err err = { 0 };

	slurp(name, &o->file);
	assert_fine(hp_elf_open(hp_buf_view(&o->file), name, &o->elf, &err), &err);
}

static void
close_file(struct opened *o)
{
	hp_elf_free(o->elf);
	hp_buf_release(&o->file);
}

static const struct hp_sym *
find(const struct hp_elf *elf, const char *name)
{
	for (uint32_t i = 0; i < elf->syms_cnt; i++)
		if (strcmp(elf->syms[i].name, name) == 0)
			return &elf->syms[i];
	fail_msg("no symbol %s", name);
	return NULL;
}

static void
test_object(void **state)
{
	struct hp_err err = { 0 };
	const struct hp_sym *s;
	struct opened o;
	uint32_t text;

	(void)state;
	source("unit.c", unit_c);
	sh("$CC -O1 -g -ffunction-sections -fdata-sections -c unit.c");
	open_file("unit.o", &o);
	assert_int_equal(o.elf->type, ET_REL);
	assert_int_equal(o.elf->machine, EM_X86_64);
	assert_false(o.elf->big_endian);
	s = find(o.elf, "entry");
	assert_int_equal(s->type, STT_FUNC);
	assert_int_equal(s->bind, STB_GLOBAL);
	assert_string_equal(o.elf->secs[s->sec_idx].name, ".text.entry");
	assert_int_equal(find(o.elf, "weakling")->bind, STB_WEAK);
	assert_int_equal(find(o.elf, "hidden")->vis, STV_HIDDEN);
	assert_int_equal(find(o.elf, "elsewhere")->sec_idx, HP_SEC_UNDEF);
	s = find(o.elf, "local");
	assert_int_equal(s->bind, STB_LOCAL);
	assert_string_equal(o.elf->syms[s->file_idx].name, "unit.c");
	/* relocations: loaded once, sorted, and the same array the second time */
	text = find(o.elf, "entry")->sec_idx;
	assert_fine(hp_elf_load_rels(o.elf, text, &err), &err);
	assert_true(o.elf->secs[text].rels_cnt > 0);
	for (uint32_t i = 1; i < o.elf->secs[text].rels_cnt; i++)
		assert_true(o.elf->secs[text].rels[i - 1].off <= o.elf->secs[text].rels[i].off);
	assert_int_equal(hp_elf_find_sec(o.elf, ".no.such"), HP_NONE);
	close_file(&o);
}

static void
test_linked(void **state)
{
	struct hp_view id, bytes;
	const struct hp_sym *s;
	struct opened o;
	char hex[41];

	(void)state;
	source("unit2.c", unit_c);
	source("else.c", "int elsewhere = 9;\n");
	sh("$CC -O1 unit2.c else.c -o prog -Wl,--build-id=0x0123456789abcdef0011223344556677");
	open_file("prog", &o);
	assert_true(hp_elf_build_id(o.elf, &id));
	assert_int_equal(id.len, 16);
	for (size_t i = 0; i < id.len; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", id.p[i]);
	assert_string_equal(hex, "0123456789abcdef0011223344556677");
	s = find(o.elf, "entry");
	assert_true(hp_elf_bytes_at(o.elf, s->value, s->size, &bytes));
	assert_int_equal(bytes.len, s->size);
	/* .bss has memory and no bytes */
	s = find(o.elf, "global");
	assert_non_null(hp_elf_seg_at(o.elf, s->value, s->size));
	assert_false(hp_elf_bytes_at(o.elf, s->value, s->size, &bytes));
	/* ranges at the end of the address space must not wrap */
	assert_null(hp_elf_seg_at(o.elf, UINT64_MAX - 1, 8));
	assert_false(hp_elf_bytes_at(o.elf, UINT64_MAX, UINT64_MAX, &bytes));
	close_file(&o);
	sh("$CC -O1 unit2.c else.c -o bare -Wl,--build-id=none");
	open_file("bare", &o);
	assert_false(hp_elf_build_id(o.elf, &id));
	close_file(&o);
}

static void
test_other_files(void **state)
{
	static const char text[] = "#!/bin/sh\necho this is longer than an ELF header, yet it is none, for sure not\n";
	struct hp_elf *elf;
	struct hp_err err;

	(void)state;
	assert_int_equal(hp_elf_open(hp_view_of("", 0), "empty", &elf, &err), HP_E_FORMAT);
	assert_int_equal(hp_elf_open(hp_view_of("\177ELF", 4), "short", &elf, &err), HP_E_FORMAT);
	assert_int_equal(hp_elf_open(hp_view_of(text, sizeof(text)), "text", &elf, &err), HP_E_FORMAT);
}

/* What hp_elf_load_all_rels() accepts can be followed without another check. */
static void
check_rels(struct hp_elf *elf)
{
	struct hp_err err;

	if (hp_elf_load_all_rels(elf, &err) < 0)
		return;
	for (uint32_t s = 1; s < elf->secs_cnt; s++)
		for (uint32_t r = 0; r < elf->secs[s].rels_cnt; r++)
			assert_true(elf->secs[s].rels[r].sym_idx < elf->syms_cnt || elf->secs[s].rels[r].sym_idx == 0);
}

/* Every cut and a sample of flipped bytes of a real object: an answer, never a crash (sanitizers watch). */
static void
test_damaged(void **state)
{
	struct rnd rnd = rnd_start("test_damaged");
	struct hp_err err = { 0 };
	struct hp_buf file;
	struct hp_elf *elf;
	size_t refused = 0;

	(void)state;
	source("dam.c", unit_c);
	sh("$CC -O1 -ffunction-sections -c dam.c");
	slurp("dam.o", &file);
	for (size_t len = 0; len < file.len; len += 1 + len / 64) {
		uint8_t *cut = malloc(len + 1); /* its own block, so that a read beyond the end is seen */

		assert_non_null(cut);
		memcpy(cut, file.p, len);
		if (hp_elf_open(hp_view_of(cut, len), "cut", &elf, &err) == 0)
			hp_elf_free(elf);
		else
			refused++;
		free(cut);
	}
	assert_true(refused > 0);
	for (int i = 0; i < 3000; i++) {
		size_t at = rnd_below(&rnd, file.len);
		uint8_t old = file.p[at];

		file.p[at] = (uint8_t)rnd_u64(&rnd);
		if (hp_elf_open(hp_buf_view(&file), "flipped", &elf, &err) == 0) {
			check_rels(elf);
			hp_elf_free(elf);
		}
		file.p[at] = old;
	}
	hp_buf_release(&file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_object),
		cmocka_unit_test(test_linked),
		cmocka_unit_test(test_other_files),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
