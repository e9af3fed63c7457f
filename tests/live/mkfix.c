/* mkfix OUT (BASELINE FUNC VALUE)...: an unsigned package in which each FUNC returns VALUE, made by hand, so that the tests
 * of the applier stand on their own. One target a baseline. VALUE "copy@OFF": FUNC does what it did, a copy of its code, whose
 * 32-bit distance at offset OFF leads into the module. With MKFIX_CUMULATIVE in the environment the package is cumulative. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/file.h"
#include "formats/elf_file.h"
#include "formats/fixup.h"
#include "formats/hash.h"
#include "formats/limits.h"
#include "formats/package.h"

#define TARGETS_MAX 8
#define CODE_MAX 64u
#define IMAGE_LEN (0x1000u + CODE_MAX)

static struct hp_err arg_err;

static void
need(int r)
{
	char text[1000];

	if (r >= 0)
		return;
	hp_err_format(&arg_err, text, sizeof(text));
	(void)fprintf(stderr, "mkfix: %s\n", text);
	exit(1);
}

/* Code at address 0x1000: a copy, or mov $value, %eax; ret */
static void
make_image(uint8_t *image, const char *value, struct hp_view body)
{
	static const uint8_t ident[] = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT };
	uint8_t *ph = image + 64;

	memcpy(image, ident, sizeof(ident));
	hp_le16_put(image + 16, ET_DYN);
	hp_le16_put(image + 18, EM_X86_64);
	hp_le64_put(image + 32, 64);
	hp_le16_put(image + 54, 56);
	hp_le16_put(image + 56, 1);
	hp_le32_put(ph, PT_LOAD);
	hp_le32_put(ph + 4, PF_R | PF_X);
	hp_le64_put(ph + 8, 0x1000);
	hp_le64_put(ph + 16, 0x1000);
	hp_le64_put(ph + 32, CODE_MAX);
	hp_le64_put(ph + 40, CODE_MAX);
	hp_le64_put(ph + 48, 4096);
	if (strncmp(value, "copy@", 5) == 0) {
		memcpy(image + 0x1000, body.p, body.len < CODE_MAX ? body.len : CODE_MAX);
		return;
	}
	image[0x1000] = 0xb8;
	hp_le32_put(image + 0x1001, (uint32_t)strtoul(value, NULL, 10));
	image[0x1005] = 0xc3;
}

/* The distance at an offset of the copy: to where it led from the original. */
static void
add_fixup(const char *value, uint64_t va, struct hp_view body, uint16_t target, struct hp_payload *ret)
{
	struct hp_buf *buf = calloc(1, sizeof(*buf));
	struct hp_fixup f = { .form = HP_FORM_PC32, .kind = HP_KIND_MODULE, .module = target, .import = HP_FIXUP_NO_IMPORT };
	uint64_t off;
	uint32_t rel;

	if (strncmp(value, "copy@", 5) != 0)
		return;
	off = strtoul(value + 5, NULL, 10);
	need(buf == NULL || !hp_view_u32(body, off, &rel) ? HP_E_FORMAT : 0);
	f.place = 0x1000 + off;
	f.target = va + off + (uint64_t)(int64_t)(int32_t)rel;
	need(hp_fixup_add(buf, &f, &arg_err));
	ret->fixups = hp_buf_view(buf);
}

/* Among symbols of one table. */
static bool
find_among(const struct hp_elf *elf, const struct hp_sym *syms, uint32_t cnt, const char *name, struct hp_man_func *ret,
           struct hp_view *ret_body)
{
	static const uint8_t endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };

	for (uint32_t i = 0; i < cnt; i++) {
		const struct hp_sym *s = &syms[i];
		struct hp_view bytes;

		if (strcmp(s->name, name) != 0 || s->type != STT_FUNC || !hp_elf_bytes_at(elf, s->value, s->size, &bytes))
			continue;
		*ret = (struct hp_man_func){ .name = name, .address = s->value, .size = s->size, .entry = s->value };
		ret->payload = 0x1000;
		if (bytes.len >= 4 && memcmp(bytes.p, endbr64, 4) == 0)
			ret->entry += 4;
		hp_hash_256(bytes, ret->preimage);
		*ret_body = bytes;
		return true;
	}
	return false;
}

int
main(int argc, char **argv)
{
	static uint8_t images[TARGETS_MAX][IMAGE_LEN];
	static struct hp_man_target targets[TARGETS_MAX];
	static struct hp_man_func funcs[TARGETS_MAX];
	static struct hp_payload payloads[TARGETS_MAX];
	struct hp_manifest man = { .name = "mkfix", .serial = 1, .baseline_name = "", .baseline_version = "", .targets = targets,
		                   .source_patch = "", .tool = "mkfix" };
	struct hp_buf part = { 0 }, pkg = { 0 };

	for (int i = 2; i + 2 < argc && man.targets_cnt < TARGETS_MAX; i += 3) {
		size_t t = man.targets_cnt++;
		struct hp_buf *file = calloc(1, sizeof(*file));
		struct hp_elf *elf;
		struct hp_view id, body;

		need(file == NULL ? HP_E_NOMEM : hp_file_read(argv[i], HP_ELF_LEN_MAX, file, &arg_err));
		need(hp_elf_open(hp_buf_view(file), argv[i], &elf, &arg_err));
		if (!hp_elf_build_id(elf, &id))
			need(hp_err_set(&arg_err, HP_E_BASELINE, "no build ID in '%s'", argv[i]));
		if (!find_among(elf, elf->syms, elf->syms_cnt, argv[i + 1], &funcs[t], &body) &&
		    !find_among(elf, elf->dynsyms, elf->dynsyms_cnt, argv[i + 1], &funcs[t], &body))
			need(hp_err_set(&arg_err, HP_E_BASELINE, "no function '%s'", argv[i + 1]));
		make_image(images[t], argv[i + 2], body);
		add_fixup(argv[i + 2], funcs[t].address, body, (uint16_t)t, &payloads[t]);
		targets[t] = (struct hp_man_target){ .name = strrchr(argv[i], '/') != NULL ? strrchr(argv[i], '/') + 1 : argv[i],
			                             .cpu = "x86_64", .kind = elf->type == ET_EXEC ? HP_MAN_EXEC : HP_MAN_PIE,
			                             .build_id_len = (uint32_t)id.len, .symbols = "symtab", .image_len = 0x2000,
			                             .funcs = &funcs[t], .funcs_cnt = 1 };
		memcpy(targets[t].build_id, id.p, id.len);
		payloads[t].image = hp_view_of(images[t], IMAGE_LEN);
	}
	man.cumulative = getenv("MKFIX_CUMULATIVE") != NULL;
	need(hp_pkg_build(&man, payloads, &part, &arg_err));
	need(hp_pkg_join(hp_buf_view(&part), NULL, 0, &pkg, &arg_err));
	need(hp_file_write(argv[1], hp_buf_view(&pkg), 0644, &arg_err));
	return 0;
}
