/* What the dynamic linker sees of a module: dynamic section, symbol hash tables, symbol versions. From a file (the packager looks
 * into the libraries that a baseline needs) or from the memory of a process (the applier binds as the dynamic linker would).
 *
 * Everything that is read is untrusted: each access goes through hp_dyn_mem.read() and stays inside [start, end), loops
 * are counted. Nothing is cached here but the tables of names. Strings live in the arena that was given to hp_dyn_open().
 * Sources: gABI chapter 5; "ELF Symbol Versioning" (LSB core 10.7); glibc's elf/dl-lookup.c, whose rules hp_dyn_lookup() follows.
 */
#ifndef HP_FORMATS_ELF_DYN_H
#define HP_FORMATS_ELF_DYN_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

struct hp_elf;

/* Where the bytes come from. ${va}: address in the process, or p_vaddr space of a file. All bytes or false. */
struct hp_dyn_mem {
	bool (*read)(void *arg, uint64_t va, void *buf, size_t len);
	void *arg;
	uint64_t bias;       /* added to addresses that the dynamic section gives as p_vaddr; 0 for files */
	uint64_t start, end; /* nothing outside is read */
};

struct hp_dyn_gnu {
	uint64_t va; /* 0 = no such table */
	uint32_t buckets_cnt, first_sym, bloom_cnt, shift;
};

struct hp_dyn_sysv {
	uint64_t va; /* 0 = no such table */
	uint32_t buckets_cnt, chains_cnt;
};

struct hp_dyn {
	struct hp_dyn_mem mem;
	uint64_t symtab, strtab, strtab_len, versym; /* addresses; versym 0 = no versions */
	struct hp_dyn_gnu gnu;
	struct hp_dyn_sysv sysv;
	const char **versions; /* by version index; NULL = that index has no name */
	uint32_t versions_cnt;
	const char **needed; /* DT_NEEDED, in order */
	uint32_t needed_cnt;
	const char *soname, *rpath, *runpath; /* NULL = none */
	uint64_t rela, rela_len, jmprel, jmprel_len; /* addresses and bytes */
	uint64_t debug;   /* DT_DEBUG: in a process, address of struct r_debug */
	uint64_t flags_1; /* DF_1_* */
	bool symbolic;    /* looks into itself first */
	bool filter;      /* DT_FILTER, DT_AUXILIARY: other modules stand in for it */
	bool audit;       /* DT_AUDIT, DT_DEPAUDIT */
};

struct hp_dyn_sym {
	uint32_t idx;
	uint64_t value;  /* st_value */
	uint16_t shndx;
	uint8_t type, bind, vis;
	const char *version; /* NULL = none; lives as long as the hp_dyn */
};

/* hp_dyn_open(mem, dyn_va, dyn_len, arena, ret, err): read the dynamic section at ${dyn_va}, ${dyn_len} bytes. HP_E_FORMAT,
 * HP_E_LIMIT, HP_E_NOMEM. */
HP_MUST_CHECK int hp_dyn_open(const struct hp_dyn_mem *mem, uint64_t dyn_va, uint64_t dyn_len, struct hp_arena *arena,
                              struct hp_dyn *ret, struct hp_err *err);

/* hp_dyn_open_file(elf, arena, ret, err): that of a file; ${elf} must outlive ${ret}. 1; 0 it has none; negative as above. */
HP_MUST_CHECK int hp_dyn_open_file(struct hp_elf *elf, struct hp_arena *arena, struct hp_dyn *ret, struct hp_err *err);

enum hp_dyn_how {
	HP_DYN_BIND,    /* as for the address of a symbol: an undefined one counts when it has a value (a non-PIE
	                 * program's canonical address of a function) */
	HP_DYN_CALL,    /* as for a call: only definitions */
	HP_DYN_DEFAULT, /* as a static linker: the default version, or the one that is asked for; definitions only */
};

/* hp_dyn_lookup(dyn, name, version, how, ret, err): what a reference to ${name} finds in this module. ${version} NULL: a
 * reference without version. 1 found, 0 not, HP_E_FORMAT. */
HP_MUST_CHECK int hp_dyn_lookup(const struct hp_dyn *dyn, const char *name, const char *version, enum hp_dyn_how how,
                                struct hp_dyn_sym *ret, struct hp_err *err);

/* hp_dyn_sym_read(dyn, idx, name, name_len, ret, err): symbol ${idx} and, unless name_len is 0, its name, cut to
 * name_len - 1 bytes. HP_E_FORMAT. */
HP_MUST_CHECK int hp_dyn_sym_read(const struct hp_dyn *dyn, uint32_t idx, char *name, size_t name_len, struct hp_dyn_sym *ret,
                                  struct hp_err *err);

#endif
