/* mkfix OUT (BASELINE FUNC VALUE)...: an unsigned package in which each FUNC returns VALUE, made by hand, so that the tests
 * of the applier stand on their own. One target a baseline. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/file.h"
#include "formats/elf_file.h"
#include "formats/hash.h"
#include "formats/limits.h"
#include "formats/package.h"

#define TARGETS_MAX 8
#define IMAGE_LEN 0x1010u

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

/* mov $value, %eax; ret at address 0x1000 */
static void
make_image(uint8_t *image, uint32_t value)
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
	hp_le64_put(ph + 32, 6);
	hp_le64_put(ph + 40, 6);
	hp_le64_put(ph + 48, 4096);
	image[0x1000] = 0xb8;
	hp_le32_put(image + 0x1001, value);
	image[0x1005] = 0xc3;
}

static void
find_func(const struct hp_elf *elf, const char *name, struct hp_man_func *ret)
{
	static const uint8_t endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };

	for (uint32_t i = 0; i < elf->syms_cnt; i++) {
		const struct hp_sym *s = &elf->syms[i];
		struct hp_view bytes;

		if (strcmp(s->name, name) != 0 || s->type != STT_FUNC || !hp_elf_bytes_at(elf, s->value, s->size, &bytes))
			continue;
		*ret = (struct hp_man_func){ .name = name, .address = s->value, .size = s->size, .entry = s->value };
		ret->payload = 0x1000;
		if (bytes.len >= 4 && memcmp(bytes.p, endbr64, 4) == 0)
			ret->entry += 4;
		hp_hash_256(bytes, ret->preimage);
		return;
	}
	need(hp_err_set(&arg_err, HP_E_BASELINE, "no function '%s'", name));
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
		struct hp_view id;

		need(file == NULL ? HP_E_NOMEM : hp_file_read(argv[i], HP_ELF_LEN_MAX, file, &arg_err));
		need(hp_elf_open(hp_buf_view(file), argv[i], &elf, &arg_err));
		if (!hp_elf_build_id(elf, &id))
			need(hp_err_set(&arg_err, HP_E_BASELINE, "no build ID in '%s'", argv[i]));
		find_func(elf, argv[i + 1], &funcs[t]);
		make_image(images[t], (uint32_t)strtoul(argv[i + 2], NULL, 10));
		targets[t] = (struct hp_man_target){ .name = strrchr(argv[i], '/') != NULL ? strrchr(argv[i], '/') + 1 : argv[i],
			                             .cpu = "x86_64", .kind = elf->type == ET_EXEC ? HP_MAN_EXEC : HP_MAN_PIE,
			                             .build_id_len = (uint32_t)id.len, .symbols = "symtab", .image_len = 0x2000,
			                             .funcs = &funcs[t], .funcs_cnt = 1 };
		memcpy(targets[t].build_id, id.p, id.len);
		payloads[t].image = hp_view_of(images[t], IMAGE_LEN);
	}
	need(hp_pkg_build(&man, payloads, &part, &arg_err));
	need(hp_pkg_join(hp_buf_view(&part), NULL, 0, &pkg, &arg_err));
	need(hp_file_write(argv[1], hp_buf_view(&pkg), 0644, &arg_err));
	return 0;
}
