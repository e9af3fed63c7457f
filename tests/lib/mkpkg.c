/* mkpkg [-n NAME] [-s SERIAL] [-e EXPIRES] [-i BYTES] [-r] [-c HEX] [-b BASELINE [-f FUNC]... [-m IMPORT]... [-x FIXUP]...]...
 * -o OUT: an unsigned package made by hand, for tests of everything behind the packager. Without -b its target is an invented
 * program; -i: with so many random bytes of constants; -c: code of all payloads, at 0x1000; -x "PLACE FORM KIND TARGET ADDEND":
 * a fixup of the payload, numbers as in C, in ascending order; -m NAME[@VERSION]: an import, "import" fixups mean the first. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "formats/elf_file.h"
#include "formats/hash.h"
#include "formats/limits.h"
#include "tests/lib/sample_pkg.h"

#define MAX 8

struct made {
	struct sample sample;
	struct hp_buf file[MAX];
	struct hp_elf *elf[MAX];
	struct hp_man_target targets[MAX];
	struct hp_man_func funcs[MAX][MAX];
	struct hp_payload payloads[MAX];
	struct hp_man_import imports[MAX][MAX];
	struct hp_buf fixups[MAX];
	size_t cnt;
};

static void __attribute__((noreturn))
die(const struct hp_err *err)
{
	char text[2048];

	hp_err_format(err, text, sizeof(text));
	(void)fprintf(stderr, "mkpkg: %s\n", text);
	exit(1);
}

static void
add_baseline(struct made *m, const char *path, struct hp_err *err)
{
	struct hp_man_target *t = &m->targets[m->cnt];
	struct hp_view id;

	if (m->cnt == MAX || hp_file_read(path, HP_ELF_LEN_MAX, &m->file[m->cnt], err) < 0 ||
	    hp_elf_open(hp_buf_view(&m->file[m->cnt]), path, &m->elf[m->cnt], err) < 0)
		die(err);
	if (!hp_elf_build_id(m->elf[m->cnt], &id)) {
		(void)hp_err_set(err, HP_E_BASELINE, "no build ID");
		die(err);
	}
	*t = m->sample.targets[0];
	t->name = "baseline";
	t->kind = m->elf[m->cnt]->type == ET_EXEC ? HP_MAN_EXEC : HP_MAN_PIE;
	memcpy(t->build_id, id.p, id.len);
	t->build_id_len = (uint32_t)id.len;
	t->funcs = m->funcs[m->cnt];
	t->funcs_cnt = 0;
	t->imports = m->imports[m->cnt];
	t->imports_cnt = 0;
	m->payloads[m->cnt] = m->sample.payloads[0];
	m->payloads[m->cnt++].fixups = hp_view_of(NULL, 0);
}

static void
add_import(struct made *m, const char *name)
{
	struct hp_man_target *t = &m->targets[m->cnt - 1];

	char *copy = strdup(name), *at = copy != NULL ? strchr(copy, '@') : NULL; /* kept until the end */

	if (at != NULL)
		*at++ = '\0';
	t->imports[t->imports_cnt++] = (struct hp_man_import){ copy, at != NULL ? at : "" };
}

static int
index_of(const char *word, const char *(*name_of)(int), int max)
{
	for (int i = 1; i <= max; i++)
		if (strcmp(word, name_of(i)) == 0)
			return i;
	return 0;
}

static const char *
form_name(int i)
{
	return hp_fixup_form_name((enum hp_fixup_form)i);
}

static const char *
kind_name(int i)
{
	return hp_fixup_kind_name((enum hp_fixup_kind)i);
}

static void
add_fixup(struct made *m, const char *text, struct hp_err *err)
{
	struct hp_fixup f = { .module = (uint16_t)(m->cnt - 1), .import = HP_FIXUP_NO_IMPORT };
	char form[16], kind[16];
	long long place, target, addend;

	if (sscanf(text, "%lli %15s %15s %lli %lli", &place, form, kind, &target, &addend) != 5) {
		(void)hp_err_set(err, HP_E_USAGE, "'%s' is no fixup", text);
		die(err);
	}
	f.place = (uint64_t)place;
	f.target = (uint64_t)target;
	f.addend = addend;
	f.form = (enum hp_fixup_form)index_of(form, form_name, HP_FORM_PC32);
	f.kind = (enum hp_fixup_kind)index_of(kind, kind_name, HP_KIND_PEER);
	if (f.kind == HP_KIND_IMPORT) {
		f.module = 0;
		f.import = 0;
	}
	if (hp_fixup_add(&m->fixups[m->cnt - 1], &f, err) < 0)
		die(err);
	m->payloads[m->cnt - 1].fixups = hp_buf_view(&m->fixups[m->cnt - 1]);
}

static void
set_code(struct sample *s, const char *hex)
{
	memset(s->image + 0x1000, 0xcc, 0x80);
	for (size_t i = 0; hex[2 * i] != '\0' && hex[2 * i + 1] != '\0' && i < 0x80; i++) {
		const char two[] = { hex[2 * i], hex[2 * i + 1], '\0' };

		s->image[0x1000 + i] = (uint8_t)strtoul(two, NULL, 16);
	}
}

static void
add_func(struct made *m, const char *name, struct hp_err *err)
{
	const struct hp_elf *elf = m->cnt > 0 ? m->elf[m->cnt - 1] : NULL;
	struct hp_view bytes;

	for (uint32_t i = 0; elf != NULL && i < elf->syms_cnt; i++) {
		const struct hp_sym *sym = &elf->syms[i];
		struct hp_man_func *f = &m->funcs[m->cnt - 1][m->targets[m->cnt - 1].funcs_cnt];

		if (sym->type != STT_FUNC || strcmp(sym->name, name) != 0 || !hp_elf_bytes_at(elf, sym->value, sym->size, &bytes))
			continue;
		*f = (struct hp_man_func){ .name = sym->name, .address = sym->value, .size = sym->size, .entry = sym->value,
			                   .payload = 0x1000 };
		hp_hash_256(bytes, f->preimage);
		m->targets[m->cnt - 1].funcs_cnt++;
		return;
	}
	(void)hp_err_set(err, HP_E_BASELINE, "no function '%s'", name);
	die(err);
}

/* The sample's image with a larger segment of constants, which do not compress. */
static void
enlarge(struct sample *s, size_t len, struct hp_err *err)
{
	static struct hp_buf image;
	uint64_t x = 1;

	if (hp_buf_add(&image, s->image, 0x2000, err) < 0 || hp_buf_add_zero(&image, len, err) < 0)
		die(err);
	hp_le64_put(image.p + 120 + 32, len);
	hp_le64_put(image.p + 120 + 40, len);
	for (size_t i = 0; i < len; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		image.p[0x2000 + i] = (uint8_t)(x >> 56);
	}
	s->payloads[0].image = hp_buf_view(&image);
	s->targets[0].image_len = 0x2000 + len;
}

int
main(int argc, char **argv)
{
	static struct made m;
	struct hp_err err = { 0 };
	struct hp_buf part = { 0 }, out = { 0 };
	const char *path = "out.hpk";
	int c;

	sample_init(&m.sample);
	while ((c = getopt(argc, argv, "n:s:e:i:rc:b:f:m:x:o:")) != -1) {
		if (c == 'n')
			m.sample.man.name = optarg;
		else if (c == 's')
			m.sample.man.serial = strtoull(optarg, NULL, 10);
		else if (c == 'e')
			m.sample.man.expires = strtoull(optarg, NULL, 10);
		else if (c == 'i')
			enlarge(&m.sample, strtoull(optarg, NULL, 10), &err);
		else if (c == 'r')
			m.sample.man.restart_required = true;
		else if (c == 'b')
			add_baseline(&m, optarg, &err);
		else if (c == 'f')
			add_func(&m, optarg, &err);
		else if (c == 'c')
			set_code(&m.sample, optarg);
		else if (c == 'm')
			add_import(&m, optarg);
		else if (c == 'x')
			add_fixup(&m, optarg, &err);
		else if (c == 'o')
			path = optarg;
		else
			return 2;
	}
	if (m.cnt > 0) {
		m.sample.man.targets = m.targets;
		m.sample.man.targets_cnt = m.cnt;
	}
	if (hp_pkg_build(&m.sample.man, m.cnt > 0 ? m.payloads : m.sample.payloads, &part, &err) < 0 ||
	    hp_pkg_join(hp_buf_view(&part), NULL, 0, &out, &err) < 0 || hp_file_write(path, hp_buf_view(&out), 0644, &err) < 0)
		die(&err);
	for (size_t i = 0; i < m.cnt; i++) {
		hp_elf_free(m.elf[i]);
		hp_buf_release(&m.file[i]);
		hp_buf_release(&m.fixups[i]);
	}
	sample_release(&m.sample);
	hp_buf_release(&part);
	hp_buf_release(&out);
	return 0;
}
