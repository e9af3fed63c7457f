/* Hand-made packages for tests: a manifest with one value in every field, a minimal image, a few fixups. */
#ifndef HP_TESTS_LIB_SAMPLE_PKG_H
#define HP_TESTS_LIB_SAMPLE_PKG_H

#include <elf.h>
#include <string.h>

#include "formats/fixup.h"
#include "formats/image.h"
#include "formats/package.h"

#define SAMPLE_IMAGE_LEN 0x2100u

struct sample {
	uint8_t image[SAMPLE_IMAGE_LEN];
	struct hp_buf fixups;
	struct hp_man_func funcs[2];
	struct hp_man_import imports[1];
	struct hp_man_target targets[2];
	struct hp_man_waiver waivers[1];
	const char *added[2], *fixes[1], *supersedes[1], *toolchain[1];
	struct hp_payload payloads[2];
	struct hp_manifest man;
};

static inline void
sample_phdr(uint8_t *p, uint32_t flags, uint64_t va, uint64_t len)
{
	hp_le32_put(p, PT_LOAD);
	hp_le32_put(p + 4, flags);
	hp_le64_put(p + 8, va);
	hp_le64_put(p + 16, va);
	hp_le64_put(p + 24, va);
	hp_le64_put(p + 32, len);
	hp_le64_put(p + 40, len);
	hp_le64_put(p + 48, HP_IMAGE_PAGE);
}

/* Code at 0x1000, constants at 0x2000; the code's bytes are pseudo-random, so that it does not compress to nothing. */
static inline void
sample_image(uint8_t *image)
{
	static const uint8_t ident[] = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT };

	memset(image, 0, SAMPLE_IMAGE_LEN);
	memcpy(image, ident, sizeof(ident));
	hp_le16_put(image + 16, ET_DYN);
	hp_le16_put(image + 18, EM_X86_64);
	hp_le32_put(image + 20, EV_CURRENT);
	hp_le64_put(image + 32, 64);
	hp_le16_put(image + 52, 64);
	hp_le16_put(image + 54, 56);
	hp_le16_put(image + 56, 2);
	sample_phdr(image + 64, PF_R | PF_X, 0x1000, 0x80);
	sample_phdr(image + 120, PF_R, 0x2000, 0x100);
	for (uint32_t i = 0, x = 1; i < 0x80; i++) {
		x = x * 1103515245u + 12345u;
		image[0x1000 + i] = (uint8_t)(x >> 16);
	}
}

static inline int
sample_fixups(struct hp_buf *buf)
{
	const struct hp_fixup f[] = {
		{ 0x1004, HP_FORM_PC32, HP_KIND_MODULE, 0, HP_FIXUP_NO_IMPORT, 0x1139, -4 },
		{ 0x1010, HP_FORM_PC32, HP_KIND_PAYLOAD, 0, HP_FIXUP_NO_IMPORT, 0x2000, -4 },
		{ 0x2000, HP_FORM_ABS64, HP_KIND_SLOT, 0, HP_FIXUP_NO_IMPORT, 0x3fe0, 0 },
	};
	int r = 0;

	for (size_t i = 0; i < 3 && r == 0; i++)
		r = hp_fixup_add(buf, &f[i], NULL);
	return r;
}

static inline void
sample_init(struct sample *s)
{
	memset(s, 0, sizeof(*s));
	sample_image(s->image);
	(void)sample_fixups(&s->fixups);
	s->funcs[0] = (struct hp_man_func){ .name = "alpha", .address = 0x1139, .size = 42, .entry = 0x113d, .payload = 0x1000 };
	s->funcs[1] = (struct hp_man_func){ .name = "beta", .address = 0x1200, .size = 7, .entry = 0x1200, .payload = 0x1040 };
	memset(s->funcs[0].preimage, 0xa1, HP_DIGEST_LEN);
	memset(s->funcs[1].preimage, 0xb2, HP_DIGEST_LEN);
	s->imports[0] = (struct hp_man_import){ "memcpy", "GLIBC_2.14" };
	s->added[0] = "delta";
	s->added[1] = "gamma";
	s->targets[0] = (struct hp_man_target){ .name = "prog", .cpu = "x86_64", .kind = HP_MAN_PIE, .build_id_len = 20,
		                                .symbols = "symtab", .image_len = 0x2100, .funcs = s->funcs, .funcs_cnt = 2,
		                                .imports = s->imports, .imports_cnt = 1, .added = s->added, .added_cnt = 2 };
	memset(s->targets[0].build_id, 0xc3, 20);
	s->targets[1] = s->targets[0];
	s->targets[1].name = "lib.so.1";
	s->targets[1].kind = HP_MAN_SHARED;
	memset(s->targets[1].build_id, 0xd4, 20);
	s->waivers[0] = (struct hp_man_waiver){ "HP2003", "alpha", "checked by hand", 1900000000 };
	s->fixes[0] = "CVE-2026-0001";
	s->supersedes[0] = "00112233445566778899aabbccddeeff";
	s->toolchain[0] = "GNU C17 12.2.0";
	s->payloads[0] = (struct hp_payload){ hp_view_of(s->image, SAMPLE_IMAGE_LEN), hp_buf_view(&s->fixups) };
	s->payloads[1] = s->payloads[0];
	s->man = (struct hp_manifest){ .name = "fix-alpha", .serial = 7, .baseline_name = "prog", .baseline_version = "1.2-3",
		                       .targets = s->targets, .targets_cnt = 1, .fixes = s->fixes, .fixes_cnt = 1,
		                       .supersedes = s->supersedes, .supersedes_cnt = 1, .waivers = s->waivers, .waivers_cnt = 1,
				       .toolchain = s->toolchain, .toolchain_cnt = 1, .source_patch = "",
				               .tool = "hpbuild 0.1.0" };
}

static inline void
sample_release(struct sample *s)
{
	hp_buf_release(&s->fixups);
}

#endif
