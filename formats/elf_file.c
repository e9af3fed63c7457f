#include "formats/elf_file.h"

#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "formats/limits.h"

/* libelf is asked for headers and for table data in host byte order; contents of sections are sliced from the caller's bytes. */

static const char *
libelf_says(void)
{
	const char *m = elf_errmsg(-1);

	return m != NULL ? m : "unknown fault";
}

static int
read_header(struct hp_elf *elf, Elf *e, struct hp_err *err)
{
	GElf_Ehdr eh;

	if (elf_kind(e) != ELF_K_ELF)
		return hp_err_set(err, HP_E_FORMAT, "'%s' is not an ELF file", hp_esc(elf->path));
	if (gelf_getehdr(e, &eh) == NULL)
		return hp_err_set(err, HP_E_FORMAT, "'%s': bad ELF header: %s", hp_esc(elf->path), libelf_says());
	if (gelf_getclass(e) != ELFCLASS64)
		return hp_err_set(err, HP_E_ARCH, "'%s': ELF class %u, expected 2 (64-bit)", hp_esc(elf->path),
		                  eh.e_ident[EI_CLASS]);
	if (eh.e_ident[EI_DATA] != ELFDATA2LSB && eh.e_ident[EI_DATA] != ELFDATA2MSB)
		return hp_err_set(err, HP_E_FORMAT, "'%s': unknown byte order %u", hp_esc(elf->path), eh.e_ident[EI_DATA]);
	elf->type = eh.e_type;
	elf->machine = eh.e_machine;
	elf->flags = eh.e_flags;
	elf->entry = eh.e_entry;
	elf->big_endian = eh.e_ident[EI_DATA] == ELFDATA2MSB;
	return 0;
}

static int
read_sec(struct hp_elf *elf, Elf_Scn *scn, size_t shstrndx, Elf *e, struct hp_sec *sec, struct hp_err *err)
{
	const char *path = elf->path, *name;
	size_t idx = elf_ndxscn(scn);
	GElf_Shdr sh;

	if (gelf_getshdr(scn, &sh) == NULL)
		return hp_err_set(err, HP_E_FORMAT, "'%s': section %zu: %s", hp_esc(path), idx, libelf_says());
	name = elf_strptr(e, shstrndx, sh.sh_name);
	if (name == NULL)
		return hp_err_set(err, HP_E_FORMAT, "'%s': section %zu: bad name offset %u", hp_esc(path), idx, sh.sh_name);
	*sec = (struct hp_sec){
		.name = hp_arena_strdup(&elf->arena, name), .type = sh.sh_type, .flags = sh.sh_flags, .addr = sh.sh_addr,
		.off = sh.sh_offset, .len = sh.sh_size, .align = sh.sh_addralign ? sh.sh_addralign : 1, .entsize = sh.sh_entsize,
		.link = sh.sh_link, .info = sh.sh_info, .rel_sec = HP_NONE,
	};
	if (sec->name == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for the sections of '%s'", hp_esc(path));
	if ((sec->align & (sec->align - 1)) != 0)
		return hp_err_set(err, HP_E_FORMAT, "'%s': section %zu '%s': alignment %llu is no power of two", hp_esc(path),
		                  idx, hp_esc(name), (unsigned long long)sec->align);
	if (sh.sh_type == SHT_NOBITS || sh.sh_type == SHT_NULL)
		return 0;
	if (!hp_view_sub(elf->file, sh.sh_offset, sh.sh_size, &sec->data))
		return hp_err_set(err, HP_E_FORMAT,
		                  "'%s': section %zu '%s': offset %llu and size %llu exceed the file's %zu bytes", hp_esc(path),
		                  idx, hp_esc(name), (unsigned long long)sh.sh_offset, (unsigned long long)sh.sh_size,
		                  elf->file.len);
	return 0;
}

static int
read_secs(struct hp_elf *elf, Elf *e, struct hp_err *err)
{
	size_t cnt, shstrndx;
	Elf_Scn *scn = NULL;
	GElf_Ehdr eh;

	if (elf_getshdrnum(e, &cnt) < 0)
		return hp_err_set(err, HP_E_FORMAT, "'%s': bad section header table: %s", hp_esc(elf->path), libelf_says());
	if (cnt > HP_ELF_SECTIONS_MAX)
		return hp_err_set(err, HP_E_LIMIT, "'%s': %zu sections, more than %u", hp_esc(elf->path), cnt,
		                  HP_ELF_SECTIONS_MAX);
	/* libelf says "no sections" of a file that ends before its section header table; it must not look like an empty object.
	 */
	if (gelf_getehdr(e, &eh) != NULL && eh.e_shoff != 0 &&
	    (cnt == 0 || !hp_view_has(elf->file, eh.e_shoff, (uint64_t)cnt * sizeof(Elf64_Shdr))))
		return hp_err_set(err, HP_E_FORMAT,
		                  "'%s': the section header table at offset %llu exceeds the file's %zu bytes: cut off",
		                  hp_esc(elf->path), (unsigned long long)eh.e_shoff, elf->file.len);
	if (cnt == 0)
		return 0;
	if (elf_getshdrstrndx(e, &shstrndx) < 0)
		return hp_err_set(err, HP_E_FORMAT, "'%s': no section name table: %s", hp_esc(elf->path), libelf_says());
	elf->secs = hp_arena_array(&elf->arena, cnt, sizeof(*elf->secs));
	if (elf->secs == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %zu sections", cnt);
	elf->secs[0] = (struct hp_sec){ .name = "", .align = 1, .rel_sec = HP_NONE };
	elf->secs_cnt = 1;
	while ((scn = elf_nextscn(e, scn)) != NULL && elf->secs_cnt < cnt) {
		int r = read_sec(elf, scn, shstrndx, e, &elf->secs[elf->secs_cnt], err);

		if (r < 0)
			return r;
		elf->secs_cnt++;
	}
	if (elf->secs_cnt != cnt)
		return hp_err_set(err, HP_E_FORMAT, "'%s': section header table has %u of %zu entries", hp_esc(elf->path),
		                  elf->secs_cnt, cnt);
	return 0;
}

/* Which RELA section belongs to which, and which COMDAT group. */
static int
link_secs(struct hp_elf *elf, struct hp_err *err)
{
	for (uint32_t i = 1; i < elf->secs_cnt; i++) {
		const struct hp_sec *s = &elf->secs[i];

		if ((s->type != SHT_RELA && s->type != SHT_REL) || elf->type != ET_REL)
			continue;
		if (s->info == 0 || s->info >= elf->secs_cnt)
			return hp_err_set(err, HP_E_FORMAT, "'%s': relocation section %u '%s' applies to section %u of %u",
			                  hp_esc(elf->path), i, hp_esc(s->name), s->info, elf->secs_cnt);
		if (elf->secs[s->info].rel_sec != HP_NONE)
			return hp_err_set(err, HP_E_FORMAT, "'%s': section %u '%s' has two relocation sections (%u and %u)",
			                  hp_esc(elf->path), s->info, hp_esc(elf->secs[s->info].name),
			                  elf->secs[s->info].rel_sec, i);
		elf->secs[s->info].rel_sec = i;
	}
	return 0;
}

static int
mark_groups(struct hp_elf *elf, struct hp_err *err)
{
	for (uint32_t i = 1; i < elf->secs_cnt; i++) {
		const struct hp_sec *s = &elf->secs[i];
		const char *name;
		uint32_t flags, member;

		if (s->type != SHT_GROUP)
			continue;
		if (s->info == 0 || s->info >= elf->syms_cnt || !hp_elf_u32(elf, s->data, 0, &flags))
			return hp_err_set(err, HP_E_FORMAT, "'%s': section group %u: signature symbol %u of %u",
			                  hp_esc(elf->path), i, s->info, elf->syms_cnt);
		name = elf->syms[s->info].name;
		/* A group whose signature is a section symbol takes that section's name (gABI "Section Groups"). */
		if (name[0] == '\0' && elf->syms[s->info].sec_idx < elf->secs_cnt)
			name = elf->secs[elf->syms[s->info].sec_idx].name;
		for (uint64_t off = 4; hp_elf_u32(elf, s->data, off, &member); off += 4) {
			if (member == 0 || member >= elf->secs_cnt)
				return hp_err_set(err, HP_E_FORMAT, "'%s': section group %u names section %u of %u",
				                  hp_esc(elf->path), i, member, elf->secs_cnt);
			elf->secs[member].group = name;
		}
	}
	return 0;
}

static uint32_t
sym_sec(uint16_t shndx, uint32_t extended)
{
	switch (shndx) {
	case SHN_UNDEF:
		return HP_SEC_UNDEF;
	case SHN_ABS:
		return HP_SEC_ABS;
	case SHN_COMMON:
		return HP_SEC_COMMON;
	case SHN_XINDEX:
		return extended;
	default:
		return shndx >= SHN_LORESERVE ? HP_SEC_OTHER : shndx;
	}
}

static int
read_sym(struct hp_elf *elf, Elf_Data *data, Elf_Data *xdata, int i, struct hp_view strtab, struct hp_sym *sym,
         struct hp_err *err)
{
	Elf32_Word ext = 0;
	const char *name;
	GElf_Sym s;

	if (gelf_getsymshndx(data, xdata, i, &s, &ext) == NULL)
		return hp_err_set(err, HP_E_FORMAT, "'%s': symbol %d: %s", hp_esc(elf->path), i, libelf_says());
	name = s.st_name == 0 ? "" : hp_view_str(strtab, s.st_name);
	if (name == NULL)
		return hp_err_set(err, HP_E_FORMAT, "'%s': symbol %d: bad name offset %u", hp_esc(elf->path), i, s.st_name);
	*sym = (struct hp_sym){
		.name = name, .value = s.st_value, .size = s.st_size, .sec_idx = sym_sec(s.st_shndx, ext),
		.type = GELF_ST_TYPE(s.st_info), .bind = GELF_ST_BIND(s.st_info), .vis = GELF_ST_VISIBILITY(s.st_other),
		.other = s.st_other, .file_idx = HP_NONE,
	};
	if (s.st_shndx == SHN_XINDEX && xdata == NULL)
		return hp_err_set(err, HP_E_FORMAT, "'%s': symbol %d '%s' needs an extended index table that is missing",
		                  hp_esc(elf->path), i, hp_esc(name));
	if (sym->sec_idx >= elf->secs_cnt && sym->sec_idx < HP_SEC_ABS)
		return hp_err_set(err, HP_E_FORMAT, "'%s': symbol %d '%s' lives in section %u of %u", hp_esc(elf->path), i,
		                  hp_esc(name), sym->sec_idx, elf->secs_cnt);
	return 0;
}

/* Symbols of one table; ${sec_idx} is its section. */
static int
read_syms(struct hp_elf *elf, Elf *e, uint32_t sec_idx, struct hp_sym **ret, uint32_t *ret_cnt, struct hp_err *err)
{
	const struct hp_sec *sec = &elf->secs[sec_idx];
	Elf_Data *data = elf_getdata(elf_getscn(e, sec_idx), NULL), *xdata = NULL;
	uint32_t file_idx = HP_NONE, cnt;
	struct hp_sym *syms;

	if (sec->entsize != sizeof(Elf64_Sym) || sec->len % sizeof(Elf64_Sym) != 0 ||
	    sec->len / sizeof(Elf64_Sym) > HP_ELF_SYMBOLS_MAX)
		return hp_err_set(err, HP_E_FORMAT, "'%s': symbol table '%s' of %llu bytes with entries of %llu",
		                  hp_esc(elf->path), hp_esc(sec->name), (unsigned long long)sec->len,
		                  (unsigned long long)sec->entsize);
	if (sec->link >= elf->secs_cnt || elf->secs[sec->link].type != SHT_STRTAB)
		return hp_err_set(err, HP_E_FORMAT, "'%s': symbol table '%s' has no string table", hp_esc(elf->path),
		                  hp_esc(sec->name));
	cnt = (uint32_t)(sec->len / sizeof(Elf64_Sym));
	for (uint32_t i = 1; i < elf->secs_cnt; i++)
		if (elf->secs[i].type == SHT_SYMTAB_SHNDX && elf->secs[i].link == sec_idx)
			xdata = elf_getdata(elf_getscn(e, i), NULL);
	syms = hp_arena_array(&elf->arena, cnt, sizeof(*syms));
	if (syms == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %u symbols", cnt);
	if (cnt > 0 && data == NULL)
		return hp_err_set(err, HP_E_FORMAT, "'%s': symbol table '%s': %s", hp_esc(elf->path), hp_esc(sec->name),
		                  libelf_says());
	for (uint32_t i = 0; i < cnt; i++) {
		int r = read_sym(elf, data, xdata, (int)i, elf->secs[sec->link].data, &syms[i], err);

		if (r < 0)
			return r;
		if (syms[i].type == STT_FILE)
			file_idx = i;
		else if (syms[i].bind == STB_LOCAL)
			syms[i].file_idx = file_idx;
	}
	*ret = syms;
	*ret_cnt = cnt;
	return 0;
}

static int
read_sym_tables(struct hp_elf *elf, Elf *e, struct hp_err *err)
{
	for (uint32_t i = 1; i < elf->secs_cnt; i++) {
		int r = 0;

		/* gABI: at most one of each. A second one would make "symbol 5" mean two things. */
		if (elf->secs[i].type == SHT_SYMTAB)
			r = elf->syms != NULL ? hp_err_set(err, HP_E_FORMAT, "'%s': two symbol tables", hp_esc(elf->path))
			                      : read_syms(elf, e, i, &elf->syms, &elf->syms_cnt, err);
		else if (elf->secs[i].type == SHT_DYNSYM)
			r = elf->dynsyms != NULL
			            ? hp_err_set(err, HP_E_FORMAT, "'%s': two dynamic symbol tables", hp_esc(elf->path))
			            : read_syms(elf, e, i, &elf->dynsyms, &elf->dynsyms_cnt, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int
read_segs(struct hp_elf *elf, Elf *e, struct hp_err *err)
{
	size_t cnt;

	if (elf_getphdrnum(e, &cnt) < 0)
		return hp_err_set(err, HP_E_FORMAT, "'%s': bad program header table: %s", hp_esc(elf->path), libelf_says());
	if (cnt > UINT16_MAX)
		return hp_err_set(err, HP_E_LIMIT, "'%s': %zu program headers", hp_esc(elf->path), cnt);
	elf->segs = hp_arena_array(&elf->arena, cnt, sizeof(*elf->segs));
	if (elf->segs == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %zu program headers", cnt);
	for (size_t i = 0; i < cnt; i++) {
		GElf_Phdr ph;

		if (gelf_getphdr(e, (int)i, &ph) == NULL)
			return hp_err_set(err, HP_E_FORMAT, "'%s': program header %zu: %s", hp_esc(elf->path), i, libelf_says());
		elf->segs[i] =
			(struct hp_seg){ ph.p_type, ph.p_flags, ph.p_offset, ph.p_vaddr, ph.p_filesz, ph.p_memsz, ph.p_align };
	}
	elf->segs_cnt = (uint32_t)cnt;
	return 0;
}

static int
read_tables(struct hp_elf *elf, Elf *e, struct hp_err *err)
{
	int r = read_header(elf, e, err);

	if (r == 0)
		r = read_secs(elf, e, err);
	if (r == 0)
		r = link_secs(elf, err);
	if (r == 0)
		r = read_sym_tables(elf, e, err);
	if (r == 0)
		r = mark_groups(elf, err);
	if (r == 0)
		r = read_segs(elf, e, err);
	return r;
}

int
hp_elf_open(struct hp_view file, const char *path, struct hp_elf **ret, struct hp_err *err)
{
	struct hp_elf *elf = calloc(1, sizeof(*elf));
	Elf *e;
	int r;

	if (elf == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory to open '%s'", hp_esc(path));
	elf->file = file;
	elf->path = hp_arena_strdup(&elf->arena, path);
	if (elf->path == NULL) {
		hp_elf_free(elf);
		return hp_err_set(err, HP_E_NOMEM, "no memory to open '%s'", hp_esc(path));
	}
	(void)elf_version(EV_CURRENT);
	/* elf_memory() takes char *, yet reads only (elf_begin(3), ELF_C_READ). */
	e = file.len < sizeof(Elf64_Ehdr) ? NULL : elf_memory((char *)(uintptr_t)file.p, file.len);
	if (e == NULL)
		r = hp_err_set(err, HP_E_FORMAT, "'%s' is not an ELF file (%zu bytes)", hp_esc(path), file.len);
	else
		r = read_tables(elf, e, err);
	if (e != NULL)
		(void)elf_end(e);
	if (r < 0) {
		hp_elf_free(elf);
		return r;
	}
	*ret = elf;
	return 0;
}

void
hp_elf_free(struct hp_elf *elf)
{
	if (elf == NULL)
		return;
	hp_arena_release(&elf->arena);
	free(elf);
}

bool
hp_elf_u32(const struct hp_elf *elf, struct hp_view v, uint64_t off, uint32_t *ret)
{
	uint32_t x;

	if (!hp_view_u32(v, off, &x))
		return false;
	*ret = elf->big_endian ? __builtin_bswap32(x) : x;
	return true;
}

bool
hp_elf_u64(const struct hp_elf *elf, struct hp_view v, uint64_t off, uint64_t *ret)
{
	uint64_t x;

	if (!hp_view_u64(v, off, &x))
		return false;
	*ret = elf->big_endian ? __builtin_bswap64(x) : x;
	return true;
}

static int
by_place(const void *a, const void *b)
{
	const struct hp_rel *x = a, *y = b;

	return x->off < y->off ? -1 : x->off > y->off;
}

/* gABI "Relocation": r_offset, r_info (symbol << 32 | type), r_addend, 8 bytes each. */
static int
read_rels(struct hp_elf *elf, const struct hp_sec *sec, const struct hp_sec *rela, struct hp_rel *rels, uint32_t cnt,
          bool *ret_sorted, struct hp_err *err)
{
	*ret_sorted = true;
	for (uint32_t i = 0; i < cnt; i++) {
		uint64_t off, info, addend;

		if (!hp_elf_u64(elf, rela->data, (uint64_t)i * 24, &off) ||
		    !hp_elf_u64(elf, rela->data, (uint64_t)i * 24 + 8, &info) ||
		    !hp_elf_u64(elf, rela->data, (uint64_t)i * 24 + 16, &addend))
			return hp_err_set(err, HP_E_INTERNAL, "relocation %u out of its section", i);
		if (off > sec->len)
			return hp_err_set(err, HP_E_FORMAT, "'%s': '%s': relocation %u at offset %llu, section has %llu bytes",
			                  hp_esc(elf->path), hp_esc(rela->name), i, (unsigned long long)off,
			                  (unsigned long long)sec->len);
		if (info >> 32 >= elf->syms_cnt && info >> 32 != 0)
			return hp_err_set(err, HP_E_FORMAT, "'%s': '%s': relocation %u: symbol index %llu of %u",
			                  hp_esc(elf->path), hp_esc(rela->name), i, (unsigned long long)(info >> 32),
			                  elf->syms_cnt);
		rels[i] = (struct hp_rel){ off, (uint32_t)info, (uint32_t)(info >> 32), (int64_t)addend };
		if (i > 0 && off < rels[i - 1].off)
			*ret_sorted = false;
	}
	return 0;
}

/* Stable: several relocations may share a place (RISC-V, LoongArch), and their order matters. */
static void
sort_rels(struct hp_rel *rels, uint32_t cnt, struct hp_rel *scratch)
{
	for (uint32_t width = 1; width < cnt; width *= 2) {
		for (uint64_t lo = 0; lo < cnt; lo += 2 * (uint64_t)width) {
			uint64_t mid = lo + width < cnt ? lo + width : cnt;
			uint64_t hi = mid + width < cnt ? mid + width : cnt;
			uint64_t a = lo, b = mid;

			for (uint64_t k = lo; k < hi; k++)
				scratch[k] = a < mid && (b >= hi || by_place(&rels[a], &rels[b]) <= 0) ? rels[a++] : rels[b++];
		}
		memcpy(rels, scratch, cnt * sizeof(*rels));
		if (width > UINT32_MAX / 2)
			break;
	}
}

int
hp_elf_load_rels(struct hp_elf *elf, uint32_t sec_idx, struct hp_err *err)
{
	struct hp_sec *sec = &elf->secs[sec_idx];
	const struct hp_sec *rela;
	struct hp_rel *rels;
	uint64_t cnt;
	bool sorted;
	int r;

	if (sec->rel_sec == HP_NONE || sec->rels != NULL)
		return 0;
	rela = &elf->secs[sec->rel_sec];
	if (rela->type != SHT_RELA)
		return hp_err_set(err, HP_E_ARCH, "'%s': '%s' has relocations without addends (SHT_REL)", hp_esc(elf->path),
		                  hp_esc(rela->name));
	cnt = rela->data.len / 24;
	if (rela->entsize != 24 || rela->data.len % 24 != 0 || cnt > UINT32_MAX - 1)
		return hp_err_set(err, HP_E_FORMAT, "'%s': '%s': %zu bytes with entries of %llu", hp_esc(elf->path),
		                  hp_esc(rela->name), rela->data.len, (unsigned long long)rela->entsize);
	rels = hp_arena_array(&elf->arena, (size_t)cnt, sizeof(*rels));
	if (rels == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %llu relocations", (unsigned long long)cnt);
	r = read_rels(elf, sec, rela, rels, (uint32_t)cnt, &sorted, err);
	if (r < 0)
		return r;
	if (!sorted) {
		struct hp_rel *scratch = calloc((size_t)cnt, sizeof(*scratch));

		if (scratch == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory to sort relocations");
		sort_rels(rels, (uint32_t)cnt, scratch);
		free(scratch);
	}
	sec->rels = rels;
	sec->rels_cnt = (uint32_t)cnt;
	return 0;
}

int
hp_elf_load_all_rels(struct hp_elf *elf, struct hp_err *err)
{
	for (uint32_t i = 1; i < elf->secs_cnt; i++) {
		int r = hp_elf_load_rels(elf, i, err);

		if (r < 0)
			return r;
	}
	return 0;
}

const struct hp_rel *
hp_elf_rel_at(const struct hp_sec *sec, uint64_t off)
{
	uint32_t lo = 0, hi = sec->rels_cnt;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (sec->rels[mid].off < off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < sec->rels_cnt && sec->rels[lo].off == off ? &sec->rels[lo] : NULL;
}

uint32_t
hp_elf_find_sec(const struct hp_elf *elf, const char *name)
{
	for (uint32_t i = 1; i < elf->secs_cnt; i++)
		if (strcmp(elf->secs[i].name, name) == 0)
			return i;
	return HP_NONE;
}

const struct hp_seg *
hp_elf_seg_at(const struct hp_elf *elf, uint64_t va, uint64_t len)
{
	for (uint32_t i = 0; i < elf->segs_cnt; i++) {
		const struct hp_seg *s = &elf->segs[i];

		if (s->type == PT_LOAD && va >= s->va && va - s->va <= s->mem_len && len <= s->mem_len - (va - s->va))
			return s;
	}
	return NULL;
}

bool
hp_elf_bytes_at(const struct hp_elf *elf, uint64_t va, uint64_t len, struct hp_view *ret)
{
	const struct hp_seg *s = hp_elf_seg_at(elf, va, len);
	uint64_t off;

	if (s == NULL || va - s->va > s->file_len || len > s->file_len - (va - s->va))
		return false;
	return !__builtin_add_overflow(s->off, va - s->va, &off) && hp_view_sub(elf->file, off, len, ret);
}

/* One note: namesz, descsz, type, name, desc; name and desc padded to 4 (gABI "Note Section"). */
static bool
build_id_in(const struct hp_elf *elf, struct hp_view notes, struct hp_view *ret)
{
	uint64_t off = 0;
	uint32_t namesz, descsz, type;

	while (hp_elf_u32(elf, notes, off, &namesz) && hp_elf_u32(elf, notes, off + 4, &descsz) &&
	       hp_elf_u32(elf, notes, off + 8, &type)) {
		uint64_t desc = off + 12 + (((uint64_t)namesz + 3) & ~(uint64_t)3);

		if (!hp_view_has(notes, desc, descsz))
			return false;
		if (type == NT_GNU_BUILD_ID && namesz == 4 && memcmp(notes.p + off + 12, "GNU", 4) == 0)
			return descsz >= 8 && descsz <= HP_BUILD_ID_LEN_MAX && hp_view_sub(notes, desc, descsz, ret);
		off = desc + (((uint64_t)descsz + 3) & ~(uint64_t)3);
	}
	return false;
}

bool
hp_elf_build_id(const struct hp_elf *elf, struct hp_view *ret)
{
	struct hp_view notes;

	for (uint32_t i = 0; i < elf->segs_cnt; i++)
		if (elf->segs[i].type == PT_NOTE && hp_view_sub(elf->file, elf->segs[i].off, elf->segs[i].file_len, &notes) &&
		    build_id_in(elf, notes, ret))
			return true;
	for (uint32_t i = 1; i < elf->secs_cnt; i++)
		if (elf->secs[i].type == SHT_NOTE && build_id_in(elf, elf->secs[i].data, ret))
			return true;
	return false;
}
