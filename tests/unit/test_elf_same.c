/* Do two linked modules load the same bytes? Build IDs and section headers aside. */
#include "base/cleanup.h"
#include "formats/elf_same.h"
#include "tests/unit/pack_cases.h"

struct file {
	struct hp_buf bytes;
	struct hp_elf *elf;
};

static void
open_file(const char *name, struct file *ret)
{
	struct hp_err err = { 0 };

	*ret = (struct file){ 0 };
	slurp(name, &ret->bytes);
	assert_fine(hp_elf_open(hp_buf_view(&ret->bytes), name, &ret->elf, &err), &err);
}

static void
close_file(struct file *f)
{
	hp_elf_free(f->elf);
	hp_buf_release(&f->bytes);
}

/* Returns what hp_elf_same_image() says; *ret_va as it does. */
static bool
same(const char *a_name, const char *b_name, uint64_t *ret_va)
{
	struct file a, b;
	bool r;

	open_file(a_name, &a);
	open_file(b_name, &b);
	r = hp_elf_same_image(a.elf, b.elf, ret_va);
	close_file(&a);
	close_file(&b);
	return r;
}

static int
build(void **state)
{
	(void)state;
	source("p.c", "int value = 5; int f(int x) { return x * 3 + value; } int main(void) { return f(2); }\n");
	source("q.c", "int value = 5; int f(int x) { return x * 3 + value; } int main(void) { return f(9); }\n");
	sh("$CC -O1 -g -c p.c && $CC -O1 -c q.c && $CC -Wl,--build-id=0x0102030405060708 -o one p.o && "
	   "$CC -Wl,--build-id=0x1112131415161718 -o two p.o && $CC -Wl,--build-id=0x010203040506070809 -o longer p.o && "
	   "$CC -Wl,--build-id=none -o none p.o && $CC -Wl,--build-id=0x0102030405060708 -o changed q.o && strip -o bare two");
	return 0;
}

static void
test_same(void **state)
{
	uint64_t va;

	(void)state;
	assert_true(same("one", "one", &va));
	assert_true(same("one", "two", &va));  /* another build ID */
	assert_true(same("one", "bare", &va)); /* other section headers, too */
}

static void
test_other(void **state)
{
	uint64_t va = 0, at;
	struct file one;
	uint32_t text;

	(void)state;
	assert_false(same("one", "changed", &va));
	open_file("one", &one);
	text = hp_elf_find_sec(one.elf, ".text");
	at = one.elf->secs[text].addr;
	assert_true(va >= at && va < at + one.elf->secs[text].len);
	close_file(&one);
	/* No ID, or one of another length: nothing is compared. */
	assert_false(same("one", "none", &va));
	assert_int_equal(va, UINT64_MAX);
	assert_false(same("one", "longer", &va));
	assert_int_equal(va, UINT64_MAX);
}

/* Every loaded byte counts, but for the ID and what the ELF header says of section headers. */
static void
test_each_byte(void **state)
{
	struct file a, b;
	struct hp_view id;
	uint64_t va;

	(void)state;
	open_file("one", &a);
	open_file("one", &b);
	assert_true(hp_elf_build_id(b.elf, &id));
	for (uint32_t s = 0; s < b.elf->segs_cnt; s++) {
		const struct hp_seg *seg = &b.elf->segs[s];

		for (uint64_t i = 0; seg->type == PT_LOAD && i < seg->file_len; i++) {
			uint64_t off = seg->off + i;
			uint64_t id_off = (uint64_t)(id.p - b.elf->file.p);
			bool free =
				(off >= 40 && off < 48) || (off >= 60 && off < 64) || (off >= id_off && off < id_off + id.len);
			bool note = off >= id_off - 16 && off < id_off; /* without the note there is no ID at all */

			b.bytes.p[off] ^= 1;
			if (hp_elf_same_image(a.elf, b.elf, &va) != free)
				fail_msg("byte at offset 0x%llx", (unsigned long long)off);
			if (!free && (!note || va != UINT64_MAX))
				assert_int_equal(va, seg->va + i);
			b.bytes.p[off] ^= 1;
		}
	}
	close_file(&a);
	close_file(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_same), cmocka_unit_test(test_other),
		                            cmocka_unit_test(test_each_byte) };

	return cmocka_run_group_tests_name("elf_same", tests, build, NULL);
}
