#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <elf.h>
#include <sys/mman.h>

#include "formats/image.h"
#include "formats/limits.h"

#define FILE_LEN 0x3000u

struct img_file {
	uint8_t bytes[FILE_LEN];
};

static void
put_phdr(struct img_file *f, unsigned idx, uint32_t type, uint32_t flags, uint64_t va, uint64_t file_len, uint64_t mem_len)
{
	uint8_t *p = f->bytes + 64 + (size_t)idx * 56;

	hp_le32_put(p, type);
	hp_le32_put(p + 4, flags);
	hp_le64_put(p + 8, va);
	hp_le64_put(p + 16, va);
	hp_le64_put(p + 24, va);
	hp_le64_put(p + 32, file_len);
	hp_le64_put(p + 40, mem_len);
	hp_le64_put(p + 48, 4096);
	hp_le16_put(f->bytes + 56, (uint16_t)(idx + 1));
}

static void
make(struct img_file *f)
{
	static const uint8_t ident[] = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT };

	memset(f, 0, sizeof(*f));
	memcpy(f->bytes, ident, sizeof(ident));
	hp_le16_put(f->bytes + 16, ET_DYN);
	hp_le16_put(f->bytes + 18, EM_X86_64);
	hp_le64_put(f->bytes + 32, 64);
	hp_le16_put(f->bytes + 54, 56);
	put_phdr(f, 0, PT_LOAD, PF_R | PF_X, 0x1000, 0x800, 0x800);
	put_phdr(f, 1, PT_LOAD, PF_R, 0x2000, 0x100, 0x100);
	put_phdr(f, 2, PT_LOAD, PF_R | PF_W, 0x3000, 0, 0x1001);
	put_phdr(f, 3, PT_GNU_EH_FRAME, PF_R, 0x2000, 8, 8);
	f->bytes[0x2000] = 1;
	f->bytes[0x2001] = 0x1b;
	hp_le32_put(f->bytes + 0x2004, 0x10 - 4); /* .eh_frame at 0x2010 */
	hp_le32_put(f->bytes + 0x2010, 0x14);
}

static int
reread(const struct img_file *f)
{
	struct hp_image img;

	return hp_image_read(hp_view_of(f->bytes, FILE_LEN), &img, NULL);
}

static void
test_good(void **state)
{
	struct img_file f;
	struct hp_image img;

	(void)state;
	make(&f);
	assert_int_equal(hp_image_read(hp_view_of(f.bytes, FILE_LEN), &img, NULL), 0);
	assert_int_equal(img.segs_cnt, 3);
	assert_int_equal(img.mem_len, 0x5000);
	assert_int_equal(img.segs[0].prot, PROT_READ | PROT_EXEC);
	assert_int_equal(img.eh_frame_va, 0x2010);
	assert_int_equal(img.eh_frame_len, 4 + 0x14 + 4);
	assert_ptr_equal(hp_image_seg_at(&img, 0x1000, 0x800), &img.segs[0]);
	assert_null(hp_image_seg_at(&img, 0x1000, 0x801));
	assert_null(hp_image_seg_at(&img, 0xfff, 1));
	assert_null(hp_image_seg_at(&img, 0x1001, UINT64_MAX));
	assert_ptr_equal(hp_image_seg_at(&img, 0x4000, 1), &img.segs[2]);
}

static void
test_hostile(void **state)
{
	struct img_file f;

	(void)state;
	make(&f), f.bytes[4] = ELFCLASS32;
	assert_int_equal(reread(&f), HP_E_FORMAT);
	make(&f), hp_le16_put(f.bytes + 16, ET_EXEC);
	assert_int_equal(reread(&f), HP_E_FORMAT);
	make(&f), hp_le64_put(f.bytes + 32, UINT64_MAX - 8);
	assert_int_equal(reread(&f), HP_E_FORMAT);
	make(&f), hp_le16_put(f.bytes + 56, 0xffff);
	assert_int_equal(reread(&f), HP_E_FORMAT);
	make(&f), put_phdr(&f, 4, PT_LOAD, PF_R | PF_W | PF_X, 0x6000, 0, 1);
	assert_int_equal(reread(&f), HP_E_FORMAT);
	make(&f), put_phdr(&f, 4, PT_LOAD, PF_R, 0x4000, 0, 1); /* page of the segment before */
	assert_int_equal(reread(&f), HP_E_FORMAT);
	make(&f), put_phdr(&f, 4, PT_LOAD, PF_R, 0x6000, 0, UINT64_MAX);
	assert_int_equal(reread(&f), HP_E_FORMAT);
	make(&f), put_phdr(&f, 4, PT_LOAD, PF_R, 0x6000, 0, HP_PKG_RAW_LEN_MAX);
	assert_int_equal(reread(&f), HP_E_FORMAT);
	make(&f), put_phdr(&f, 4, PT_LOAD, PF_R, 0x6000, 1, 1); /* not in the file */
	assert_int_equal(reread(&f), HP_E_FORMAT);
	make(&f), put_phdr(&f, 4, PT_DYNAMIC, PF_R, 0x2000, 8, 8);
	assert_int_equal(reread(&f), HP_E_FORMAT);
	make(&f), put_phdr(&f, 3, PT_GNU_EH_FRAME, PF_R, UINT64_MAX - 7, 8, 8);
	assert_int_equal(reread(&f), HP_E_FORMAT);
	make(&f), hp_le32_put(f.bytes + 0x2004, 0x80000000u);
	assert_int_equal(reread(&f), HP_E_FORMAT);
	make(&f), hp_le32_put(f.bytes + 0x2010, 0xfffffff0u);
	assert_int_equal(reread(&f), HP_E_FORMAT);
}

/* Every truncation and every flipped bit of the headers: no crash, and what is accepted keeps its promises. */
static void
test_flips(void **state)
{
	struct img_file f;
	struct hp_image img;

	(void)state;
	make(&f);
	for (size_t len = 0; len < 400; len++)
		assert_true(hp_image_read(hp_view_of(f.bytes, len), &img, NULL) < 0);
	for (size_t bit = 0; bit < 8 * 400; bit++) {
		make(&f);
		f.bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		if (hp_image_read(hp_view_of(f.bytes, FILE_LEN), &img, NULL) < 0)
			continue;
		for (uint32_t i = 0; i < img.segs_cnt; i++) {
			assert_true(hp_view_has(img.file, img.segs[i].va, img.segs[i].file_len));
			assert_true(img.segs[i].va + img.segs[i].mem_len <= img.mem_len);
			assert_true((img.segs[i].prot & (PROT_WRITE | PROT_EXEC)) != (PROT_WRITE | PROT_EXEC));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_flips),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
