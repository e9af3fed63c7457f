/* For the applier's unit tests: functions of known bytes, and a verified package made by hand that replaces one of them. */
#ifndef TESTS_UNIT_APPLIER_FAKE_H
#define TESTS_UNIT_APPLIER_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <elf.h>
#include <link.h>

#include "applier/arch.h"
#include "formats/hash.h"
#include "formats/verified.h"

#define FUNC_LEN 16u

/* The function that is replaced: machine code of our own, so that its size is known. mov $1, %eax; ret; int3... */
__attribute__((used)) int victim_answer(void);
__asm__(".text\n.balign 16\n.globl victim_answer\n.type victim_answer,@function\nvictim_answer:\n"
        ".cfi_startproc\nmov $1, %eax\nret\n.fill 10, 1, 0x90\n.cfi_endproc\n.size victim_answer, 16\n");
/* One that stays on the stack: calls through rdi and returns. sub $8,%rsp; call *%rdi; add $8,%rsp; ret */
__attribute__((used)) int victim_outer(int (*)(void));
__asm__(".text\n.balign 16\n.globl victim_outer\n.type victim_outer,@function\nvictim_outer:\n"
        ".cfi_startproc\nsub $8, %rsp\n.cfi_adjust_cfa_offset 8\ncall *%rdi\nadd $8, %rsp\n.cfi_adjust_cfa_offset -8\nret\nnop\n"
        ".cfi_endproc\n.fill 4,1,0x90\n.size victim_outer, 16\n");

struct fake {
	struct hp_verified_pkg pkg;
	struct hp_manifest man;
	struct hp_man_target target;
	struct hp_man_func func;
	struct hp_payload payload;
	struct hp_buf fixups;
	uint8_t image[0x4000];
};

static int
find_self(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct fake *f = arg;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		const uint8_t *p = (const uint8_t *)(info->dlpi_addr + ph->p_vaddr);

		if (ph->p_type != PT_NOTE)
			continue;
		for (uint64_t pos = 0; pos + 16 <= ph->p_memsz;) {
			uint32_t name_len = hp_le32_get(p + pos), desc_len = hp_le32_get(p + pos + 4);

			if (hp_le32_get(p + pos + 8) == NT_GNU_BUILD_ID) {
				f->target.build_id_len = desc_len;
				memcpy(f->target.build_id, p + pos + 12 + 4, desc_len);
			}
			pos += 12 + ((name_len + 3) & ~3u) + ((desc_len + 3) & ~3u);
		}
	}
	f->func.address -= info->dlpi_addr;
	return 1; /* the first is the program */
}

static void
put_load(uint8_t *p, uint32_t flags, uint64_t va, uint64_t file_len, uint64_t mem_len)
{
	hp_le32_put(p, PT_LOAD);
	hp_le32_put(p + 4, flags);
	hp_le64_put(p + 8, va);
	hp_le64_put(p + 16, va);
	hp_le64_put(p + 32, file_len);
	hp_le64_put(p + 40, mem_len);
	hp_le64_put(p + 48, 4096);
}

/* New body: mov $2, %eax; add counter(%rip), %eax; ret, with a PC32 fixup to a variable of the payload. */
static void
make_fake(struct fake *f, int (*func)(void), const char *name, uint8_t id)
{
	static const uint8_t ident[] = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT };
	static const uint8_t code[] = { 0xb8, 2, 0, 0, 0, 0x03, 0x05, 0, 0, 0, 0, 0xc3 };
	struct hp_fixup fix = { 0x1007, HP_FORM_PC32, HP_KIND_PAYLOAD, 0, HP_FIXUP_NO_IMPORT, 0x3000, -4 };

	memset(f, 0, sizeof(*f));
	memcpy(f->image, ident, sizeof(ident));
	hp_le16_put(f->image + 16, ET_DYN);
	hp_le16_put(f->image + 18, EM_X86_64);
	hp_le64_put(f->image + 32, 64);
	hp_le16_put(f->image + 54, 56);
	hp_le16_put(f->image + 56, 3);
	put_load(f->image + 64, PF_R | PF_X, 0x1000, sizeof(code), sizeof(code));
	put_load(f->image + 64 + 56, PF_R, 0x2000, 8, 8);
	put_load(f->image + 64 + 112, PF_R | PF_W, 0x3000, 4, 0x1010);
	memcpy(f->image + 0x1000, code, sizeof(code));
	f->image[0x3000] = 5;
	assert_int_equal(hp_fixup_add(&f->fixups, &fix, NULL), 0);
	f->payload = (struct hp_payload){ hp_view_of(f->image, sizeof(f->image)), hp_buf_view(&f->fixups) };
	f->func = (struct hp_man_func){ .name = name, .address = (uint64_t)(uintptr_t)func, .size = FUNC_LEN, .payload = 0x1000 };
	hp_hash_256(hp_view_of((const void *)(uintptr_t)func, FUNC_LEN), f->func.preimage);
	(void)dl_iterate_phdr(find_self, f);
	f->func.entry = f->func.address;
	f->target.name = "self";
	f->target.cpu = HP_ARCH_NAME;
	f->target.kind = HP_MAN_PIE;
	f->target.image_len = 0x5000;
	f->target.funcs = &f->func;
	f->target.funcs_cnt = 1;
	f->man.targets = &f->target;
	f->man.targets_cnt = 1;
	f->pkg.pkg.man = &f->man;
	f->pkg.pkg.payloads = &f->payload;
	memset(f->pkg.pkg.id, id, HP_PKG_ID_LEN);
	assert_int_equal(hp_buf_add(&f->pkg.file, "the package file", 16, NULL), 0);
}

static void
drop_fake(struct fake *f)
{
	hp_buf_release(&f->fixups);
	hp_buf_release(&f->pkg.file);
}

#endif
