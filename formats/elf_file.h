/* ELF files, of any 64-bit CPU and byte order: relocatable objects, executables, shared libraries, debug files.
 * formats/elf_file.c is the only user of libelf.
 *
 * struct hp_elf owns its copy of the tables; section contents and names are slices of the caller's bytes, which must outlive
 * it. Everything in the file is untrusted: indexes, sizes, strings and links are checked here once, so that users may
 * follow sec_idx, sym_idx and views without checking again. Not thread-safe; one hp_elf may be read by many threads
 * once its relocations have been loaded.
 *
 * Sources: gABI chapters 4 and 5; Elf64_* of <elf.h>.
 */
#ifndef HP_FORMATS_ELF_FILE_H
#define HP_FORMATS_ELF_FILE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/view.h"

#define HP_NONE UINT32_MAX /* "no index" in every index space */

/* Where a symbol lives, besides a section index. Beyond every real section index (HP_ELF_SECTIONS_MAX). */
#define HP_SEC_UNDEF 0u
#define HP_SEC_ABS 0xfffffff1u
#define HP_SEC_COMMON 0xfffffff2u
#define HP_SEC_OTHER 0xfffffff3u /* some CPU's special index */

struct hp_sec {
	const char *name;
	uint32_t type;    /* SHT_* */
	uint64_t flags;   /* SHF_* */
	uint64_t addr;    /* 0 in relocatable objects */
	uint64_t off;     /* file offset */
	uint64_t len;     /* bytes in memory (SHT_NOBITS included) */
	uint64_t align;   /* >= 1 */
	uint64_t entsize;
	uint32_t link, info;
	struct hp_view data;    /* contents, raw; empty for SHT_NOBITS */
	uint32_t rel_sec;       /* section index of the RELA section that applies to this one, HP_NONE = none */
	const char *group;      /* COMDAT group signature, NULL = not in one */
	struct hp_rel *rels;    /* sorted by off; NULL until hp_elf_load_rels() */
	uint32_t rels_cnt;
};

struct hp_sym {
	const char *name; /* "" for section symbols */
	uint64_t value;   /* bytes from section start in relocatable objects, else an address */
	uint64_t size;
	uint32_t sec_idx; /* index in secs, or HP_SEC_* */
	uint8_t type;     /* STT_* */
	uint8_t bind;     /* STB_* */
	uint8_t vis;      /* STV_* */
	uint8_t other;    /* raw st_other (ppc64 local entry) */
	uint32_t file_idx; /* index of the STT_FILE symbol that precedes this local symbol, HP_NONE = none or global */
};

struct hp_rel {
	uint64_t off;     /* bytes from the start of the section it applies to */
	uint32_t type;    /* R_<CPU>_* */
	uint32_t sym_idx; /* index in syms */
	int64_t addend;
};

struct hp_seg {
	uint32_t type, flags; /* PT_*, PF_* */
	uint64_t off, va, file_len, mem_len, align;
};

struct hp_elf {
	struct hp_arena arena;
	const char *path;       /* for messages; lives in arena */
	struct hp_view file;
	uint16_t type;          /* ET_* */
	uint16_t machine;       /* EM_* */
	uint32_t flags;         /* e_flags */
	uint64_t entry;
	bool big_endian;
	struct hp_sec *secs;    /* [0] is the null section */
	uint32_t secs_cnt;
	struct hp_sym *syms;    /* of .symtab; [0] is the null symbol; cnt 0 when there is none */
	uint32_t syms_cnt;
	struct hp_sym *dynsyms; /* of .dynsym; sec_idx as in .symtab */
	uint32_t dynsyms_cnt;
	struct hp_seg *segs;    /* program headers */
	uint32_t segs_cnt;
};

/* hp_elf_open(file, path, ret, err): read headers and symbol tables of the ELF file in ${file}. ${path} is copied.
 * HP_E_FORMAT malformed; HP_E_ARCH not 64-bit; HP_E_LIMIT; HP_E_NOMEM. O(sections + symbols). */
HP_MUST_CHECK int hp_elf_open(struct hp_view file, const char *path, struct hp_elf **ret, struct hp_err *err);
void hp_elf_free(struct hp_elf *elf); /* NULL allowed */

/* hp_elf_load_rels(elf, sec_idx, err): fill secs[sec_idx].rels from its RELA section, sorted by offset. Again: no cost.
 * HP_E_FORMAT: bad entry size, symbol index or offset beyond the section; HP_E_ARCH: a REL section. */
HP_MUST_CHECK int hp_elf_load_rels(struct hp_elf *elf, uint32_t sec_idx, struct hp_err *err);
/* hp_elf_load_all_rels(elf, err): the same for every section that has relocations. */
HP_MUST_CHECK int hp_elf_load_all_rels(struct hp_elf *elf, struct hp_err *err);
/* hp_elf_rel_at(sec, off): the relocation at offset ${off} of a section whose relocations are loaded, NULL = none. O(log n). */
const struct hp_rel *hp_elf_rel_at(const struct hp_sec *sec, uint64_t off);

/* hp_elf_find_sec(elf, name): index of the first section of that name, HP_NONE. O(sections). */
uint32_t hp_elf_find_sec(const struct hp_elf *elf, const char *name);
/* hp_elf_bytes_at(elf, va, len, ret): file bytes that PT_LOAD segments map at ${va}; false when not wholly backed by the file. */
bool hp_elf_bytes_at(const struct hp_elf *elf, uint64_t va, uint64_t len, struct hp_view *ret);
/* hp_elf_seg_at(elf, va, len): the PT_LOAD segment whose memory holds [va, va+len), NULL = none. */
const struct hp_seg *hp_elf_seg_at(const struct hp_elf *elf, uint64_t va, uint64_t len);
/* hp_elf_build_id(elf, ret): the GNU build ID note (PT_NOTE or SHT_NOTE), 8..64 bytes; false = none. */
bool hp_elf_build_id(const struct hp_elf *elf, struct hp_view *ret);

/* Byte-order-aware loads from a section's data; false when out of bounds. */
bool hp_elf_u32(const struct hp_elf *elf, struct hp_view v, uint64_t off, uint32_t *ret);
bool hp_elf_u64(const struct hp_elf *elf, struct hp_view v, uint64_t off, uint64_t *ret);

static inline void
hp_elf_auto(struct hp_elf **elf)
{
	hp_elf_free(*elf);
}

#endif
