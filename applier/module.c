#include "applier/module.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "applier/arch.h"
#include "base/cleanup.h"
#include "base/escape.h"
#include "base/view.h"

#define PHDRS_MAX 128u
#define NOTE_LEN_MAX 65536u
#define DYN_LEN_MAX 65536u
#define PAGE_MASK (~(uint64_t)4095)

enum {
	EH_TYPE = 16, EH_MACHINE = 18, EH_PHOFF = 32, EH_PHENTSIZE = 54, EH_PHNUM = 56, EH_LEN = 64,
	PH_TYPE = 0, PH_FLAGS = 4, PH_OFFSET = 8, PH_VADDR = 16, PH_FILESZ = 32, PH_MEMSZ = 40, PH_LEN = 56,
};

/* A PT_NOTE segment is a row of namesz, descsz, type, name and desc, each padded to four bytes (gABI chapter 5). */
static bool
find_build_id(struct hp_view notes, struct hp_view *ret)
{
	uint64_t pos = 0;
	uint32_t name_len, desc_len, type;

	while (hp_view_u32(notes, pos, &name_len) && hp_view_u32(notes, pos + 4, &desc_len) && hp_view_u32(notes, pos + 8,
	                                                                                                   &type)) {
		uint64_t name_off = pos + 12, desc_off = name_off + (((uint64_t)name_len + 3) & ~(uint64_t)3);
		struct hp_view name, desc;

		if (!hp_view_sub(notes, name_off, name_len, &name) || !hp_view_sub(notes, desc_off, desc_len, &desc))
			return false;
		if (type == NT_GNU_BUILD_ID && name_len == 4 && memcmp(name.p, "GNU", 4) == 0 && desc_len > 0 &&
		    desc_len <= HP_BUILD_ID_LEN_MAX) {
			*ret = desc;
			return true;
		}
		pos = desc_off + (((uint64_t)desc_len + 3) & ~(uint64_t)3);
	}
	return false;
}

static void
read_note(const struct hp_proc *proc, const uint8_t *ph, struct hp_module *mod)
{
	HP_AUTO(hp_mem) uint8_t *buf = NULL;
	uint64_t len = hp_le64_get(ph + PH_FILESZ);
	struct hp_view id;

	if (mod->build_id_len != 0 || len == 0 || len > NOTE_LEN_MAX)
		return;
	buf = malloc((size_t)len);
	if (buf == NULL || hp_proc_read(proc, mod->bias + hp_le64_get(ph + PH_VADDR), buf, (size_t)len, NULL) < 0)
		return;
	if (find_build_id(hp_view_of(buf, (size_t)len), &id)) {
		memcpy(mod->build_id, id.p, id.len);
		mod->build_id_len = (uint32_t)id.len;
	}
}

/* Load bias and extent from the program headers. The mapping of file offset 0 belongs to the first PT_LOAD. */
static bool
place(const uint8_t *phdrs, unsigned cnt, struct hp_module *mod)
{
	bool first = true;

	for (unsigned i = 0; i < cnt; i++) {
		const uint8_t *ph = phdrs + (size_t)i * PH_LEN;
		uint64_t va = hp_le64_get(ph + PH_VADDR), len = hp_le64_get(ph + PH_MEMSZ), end;

		if (hp_le32_get(ph + PH_TYPE) != PT_LOAD)
			continue;
		if (first) {
			if ((hp_le64_get(ph + PH_OFFSET) & PAGE_MASK) != 0)
				return false;
			mod->start = mod->area->start;
			mod->bias = mod->start - (va & PAGE_MASK);
			mod->end = mod->start;
			first = false;
		}
		if (__builtin_add_overflow(va, len, &end) || end > HP_ARCH_VA_END)
			return false;
		end = mod->bias + ((end + 4095) & PAGE_MASK);
		if (end > HP_ARCH_VA_END || end < mod->start)
			return false;
		if (end > mod->end)
			mod->end = end;
	}
	return !first && (mod->type != ET_EXEC || mod->bias == 0);
}

/* The loader has mapped code where the program headers put it, from the right place of this very file. That tells a module from a
 * file that was mapped whole to be read (by a backtrace library, say), and from a later segment that begins in the file's first
 * page, as lld makes them: its mapping shows the ELF header once more, at an address that is no load address. */
static bool
has_code(const struct hp_areas *areas, const struct hp_module *mod, const uint8_t *phdrs, unsigned cnt)
{
	for (unsigned i = 0; i < cnt; i++) {
		const uint8_t *ph = phdrs + (size_t)i * PH_LEN;
		uint64_t va = mod->bias + (hp_le64_get(ph + PH_VADDR) & PAGE_MASK), off = hp_le64_get(ph + PH_OFFSET) & PAGE_MASK;
		const struct hp_area *a;

		if (hp_le32_get(ph + PH_TYPE) != PT_LOAD || (hp_le32_get(ph + PH_FLAGS) & PF_X) == 0)
			continue;
		a = hp_area_at(areas, va);
		if (a != NULL && (a->prot & PROT_EXEC) && a->inode == mod->area->inode && a->dev == mod->area->dev &&
		    a->off + (va - a->start) == off)
			return true;
	}
	return false;
}

static bool
read_module(const struct hp_proc *proc, const struct hp_areas *areas, const struct hp_area *area, struct hp_module *ret)
{
	static const uint8_t ident[] = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB };
	uint8_t ehdr[EH_LEN], phdrs[PHDRS_MAX * PH_LEN];
	struct hp_module mod = { .area = area };
	uint64_t off;
	unsigned cnt;

	if (hp_proc_read(proc, area->start, ehdr, sizeof(ehdr), NULL) < 0 || memcmp(ehdr, ident, sizeof(ident)) != 0)
		return false;
	mod.type = hp_le16_get(ehdr + EH_TYPE);
	mod.machine = hp_le16_get(ehdr + EH_MACHINE);
	off = hp_le64_get(ehdr + EH_PHOFF);
	cnt = hp_le16_get(ehdr + EH_PHNUM);
	if ((mod.type != ET_EXEC && mod.type != ET_DYN) || hp_le16_get(ehdr + EH_PHENTSIZE) != PH_LEN || cnt == 0 ||
	    cnt > PHDRS_MAX || off > area->end - area->start)
		return false;
	if (hp_proc_read(proc, area->start + off, phdrs, cnt * PH_LEN, NULL) < 0 || !place(phdrs, cnt, &mod) ||
	    !has_code(areas, &mod, phdrs, cnt))
		return false;
	for (unsigned i = 0; i < cnt; i++) {
		const uint8_t *ph = phdrs + (size_t)i * PH_LEN;

		if (hp_le32_get(ph + PH_TYPE) == PT_NOTE)
			read_note(proc, ph, &mod);
		if (hp_le32_get(ph + PH_TYPE) == PT_DYNAMIC) {
			mod.dyn_va = mod.bias + hp_le64_get(ph + PH_VADDR);
			mod.dyn_len = hp_le64_get(ph + PH_MEMSZ) < DYN_LEN_MAX ? hp_le64_get(ph + PH_MEMSZ) : 0;
		}
	}
	*ret = mod;
	return true;
}

int
hp_modules_read(const struct hp_proc *proc, const struct hp_areas *areas, struct hp_arena *arena, struct hp_modules *ret,
                struct hp_err *err)
{
	struct hp_modules mods = { 0 };

	mods.v = hp_arena_array(arena, areas->cnt, sizeof(*mods.v));
	if (mods.v == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %zu modules", areas->cnt);
	for (size_t i = 0; i < areas->cnt; i++) {
		const struct hp_area *a = &areas->v[i];
		bool vdso = strcmp(a->path, "[vdso]") == 0;

		if ((a->inode != 0 || vdso) && a->off == 0 && a->prot != 0 && read_module(proc, areas, a, &mods.v[mods.cnt]))
			mods.cnt++;
	}
	*ret = mods;
	return 0;
}

int
hp_modules_find(const struct hp_modules *mods, const struct hp_man_target *man, const struct hp_module **ret, struct hp_err *err)
{
	const struct hp_module *found = NULL;

	for (size_t i = 0; i < mods->cnt; i++) {
		const struct hp_module *m = &mods->v[i];

		if (m->build_id_len != man->build_id_len || memcmp(m->build_id, man->build_id, man->build_id_len) != 0)
			continue;
		if (found != NULL)
			return hp_err_set(err, HP_E_UNPATCHABLE,
			                  "module '%s' is loaded twice, at 0x%" PRIx64 " and 0x%" PRIx64 " (dlmopen, or a copy)",
			                  hp_esc(man->name), found->start, m->start);
		found = m;
	}
	if (found == NULL)
		return 0;
	*ret = found;
	return 1;
}

const struct hp_module *
hp_modules_at(const struct hp_modules *mods, uint64_t va)
{
	for (size_t i = 0; i < mods->cnt; i++)
		if (va >= mods->v[i].start && va < mods->v[i].end)
			return &mods->v[i];
	return NULL;
}

struct reader {
	const struct hp_proc *proc;
};

static bool
read_mem(void *arg, uint64_t va, void *buf, size_t len)
{
	const struct reader *r = arg;

	return hp_proc_read(r->proc, va, buf, len, NULL) == 0;
}

bool
hp_module_dyn(const struct hp_proc *proc, const struct hp_module *mod, struct hp_arena *arena, struct hp_dyn *ret)
{
	struct reader *reader = hp_arena_alloc(arena, sizeof(*reader));
	const struct hp_dyn_mem mem = { .read = read_mem, .arg = reader, .bias = mod->bias, .start = mod->start,
		                        .end = mod->end };

	if (reader == NULL || mod->dyn_len == 0)
		return false;
	reader->proc = proc;
	return hp_dyn_open(&mem, mod->dyn_va, mod->dyn_len, arena, ret, NULL) == 0;
}

int
hp_module_file(const struct hp_proc *proc, const struct hp_module *mod)
{
	char name[4200];
	struct stat st;
	int fd;

	(void)snprintf(name, sizeof(name), "map_files/%" PRIx64 "-%" PRIx64, mod->area->start, mod->area->end);
	fd = openat(proc->dir_fd, name, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	/* Not privileged for map_files: by name in the process's own root, if that is still the same file. */
	if (mod->area->path[0] != '/' || snprintf(name, sizeof(name), "root%s", mod->area->path) >= (int)sizeof(name))
		return -1;
	fd = openat(proc->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd >= 0 && (fstat(fd, &st) < 0 || st.st_ino != mod->area->inode ||
	                ((uint64_t)major(st.st_dev) << 32 | minor(st.st_dev)) != mod->area->dev)) {
		(void)close(fd);
		fd = -1;
	}
	return fd;
}
