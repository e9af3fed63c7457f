/* A linked module: the executable or shared library that a patch is for, with its separate debug file if there is one.
 *
 * Answers what the packager must know about the shipped file: which symbols stand at an address or under a name, which GOT slot
 * and which PLT entry belong to an import, what the dynamic linker may bind elsewhere. All addresses are p_vaddr
 * space of the module. The files are untrusted; tables are read once with bounds and the result is immutable.
 *
 * Names live as long as the module; the bytes given to hp_module_open() must outlive it. Any number of threads may read.
 * Sources: gABI chapter 5 "Dynamic Section", x86-64 psABI 4.4 and 5.2.
 */
#ifndef HP_FORMATS_ELF_MODULE_H
#define HP_FORMATS_ELF_MODULE_H

#include "base/cleanup.h"
#include "base/map.h"
#include "formats/elf_file.h"
#include "formats/manifest.h"

enum hp_slot_kind {
	HP_SLOT_OTHER,     /* some relocation that we have no use for */
	HP_SLOT_GLOB_DAT,  /* GOT: address of a symbol, always bound at start */
	HP_SLOT_JUMP,      /* GOT: address of a function, bound at first call unless bind_now */
	HP_SLOT_ABS64,     /* data: address of a symbol plus addend */
	HP_SLOT_RELATIVE,  /* load bias plus addend */
	HP_SLOT_IRELATIVE, /* result of the resolver at addend */
	HP_SLOT_COPY,      /* the executable's own copy of a library's variable */
	HP_SLOT_TPOFF,     /* thread-pointer offset */
	HP_SLOT_DTPMOD,    /* TLS module id; the next word is the offset */
	HP_SLOT_DTPOFF,
	HP_SLOT_TLSDESC,   /* two words: function and argument; the function gives the thread-pointer offset */
};

/* A place that the dynamic linker fills in. */
struct hp_mod_slot {
	uint64_t va;
	enum hp_slot_kind kind;
	const char *name;    /* symbol, "" = none */
	const char *version; /* of the symbol, "" = none */
	int64_t addend;
};

struct hp_mod_plt {
	uint64_t va;       /* first byte of the entry (its endbr64 when it has one) */
	uint32_t slot_idx; /* in slots */
};

struct hp_mod_sym {
	const char *name; /* without a version suffix "@..." */
	const char *file; /* STT_FILE name before a local symbol, "" = none */
	uint64_t va;      /* for STT_TLS: offset in the module's TLS block */
	uint64_t size;
	uint8_t type;     /* STT_* */
	uint8_t bind;     /* STB_* */
	uint8_t vis;      /* STV_* */
	bool dynamic;     /* from .dynsym */
};

/* A file with the symbol table that the module itself has lost. */
struct hp_debug_file {
	struct hp_view bytes;
	const char *path;   /* for messages */
	const char *source; /* what hp_module.symbols becomes: "debug-file", "rebuilt", ... */
	struct hp_view id;  /* build ID that the file must have; empty = the module's */
	bool partial;       /* it may lack functions: what it does not name may still be there */
};

struct hp_module {
	struct hp_arena arena;
	struct hp_elf *elf;
	struct hp_elf *debug; /* NULL = none */
	struct hp_view build_id;
	enum hp_man_kind kind;
	bool symbolic;  /* -Bsymbolic: own definitions win */
	bool bind_now;  /* JUMP slots are bound at start */
	bool has_files; /* symbol tables have STT_FILE entries: the names of local symbols are known */
	bool has_symtab; /* names of all functions are known, not only those of .dynsym; static ones: has_statics */
	bool has_statics; /* some static function has a name, so (if has_symtab) all have: strip -x and ld -x leave none */
	const char *symbols; /* "symtab", "dynsym", "none", or the source of the debug file: best source of names */
	const struct hp_seg *tls;   /* PT_TLS, NULL = none */
	struct hp_mod_sym *syms;    /* defined ones, sorted by (va, name); no duplicates of (va, name, type) */
	uint32_t syms_cnt;
	uint32_t *by_name;          /* permutation of syms: sorted by (name, va) */
	struct hp_mod_slot *slots;  /* sorted by va */
	uint32_t slots_cnt;
	struct hp_mod_plt *plts;    /* sorted by va */
	uint32_t plts_cnt;
	const char **versions;      /* of each of elf->dynsyms, "" = none */
	struct hp_map imports;      /* name -> index in elf->dynsyms of an undefined symbol */
	struct hp_map exports;      /* name -> index in elf->dynsyms of a defined symbol */
	struct hp_map files;        /* STT_FILE names */
};

/* hp_module_open(file, path, debug, ret, err): ${debug} NULL = no separate debug file.
 * HP_E_ARCH not x86-64; HP_E_BASELINE: no build ID, or the debug file's differs; HP_E_FORMAT not a linked module. */
HP_MUST_CHECK int hp_module_open(struct hp_view file, const char *path, const struct hp_debug_file *debug,
                                 struct hp_module **ret, struct hp_err *err);
void hp_module_free(struct hp_module *mod); /* NULL allowed */

static inline void
hp_module_auto(struct hp_module **mod)
{
	hp_module_free(*mod);
}

/* hp_module_named(mod, name, ret_first): how many symbols are called ${name}; they are by_name[*ret_first ...]. O(log n). */
uint32_t hp_module_named(const struct hp_module *mod, const char *name, uint32_t *ret_first);
/* hp_module_at(mod, va, ret_first): how many symbols start at ${va}; they are syms[*ret_first ...]. TLS symbols are in between.
 */
uint32_t hp_module_at(const struct hp_module *mod, uint64_t va, uint32_t *ret_first);
/* hp_module_next_func(mod, va): address of the first code symbol behind ${va}, UINT64_MAX = none. */
uint64_t hp_module_next_func(const struct hp_module *mod, uint64_t va);

/* hp_module_slot_at(mod, va): the slot that starts at ${va}, NULL = none. */
const struct hp_mod_slot *hp_module_slot_at(const struct hp_module *mod, uint64_t va);
/* hp_module_slot_in(mod, lo, hi): the first slot that starts in [lo, hi), NULL = none. O(log n). */
const struct hp_mod_slot *hp_module_slot_in(const struct hp_module *mod, uint64_t lo, uint64_t hi);
/* hp_module_slot_of(mod, name, version, kind): the first slot of that kind that the dynamic linker binds to ${name} with addend
 * 0.
 * ${version} NULL: of any version. */
const struct hp_mod_slot *hp_module_slot_of(const struct hp_module *mod, const char *name, const char *version,
                                            enum hp_slot_kind kind);
/* hp_module_slot_is(slot, name): ${name} is what an object calls the slot's symbol: "name", or "name@version" (.symver). */
bool hp_module_slot_is(const struct hp_mod_slot *slot, const char *name);
/* hp_module_plt_at(mod, va): the PLT entry that starts at ${va}, NULL = none. */
const struct hp_mod_plt *hp_module_plt_at(const struct hp_module *mod, uint64_t va);
/* hp_module_plt_of(mod, name, version): the first PLT entry that jumps through a slot of ${name}, NULL = none; ${version} as
 * above. */
const struct hp_mod_plt *hp_module_plt_of(const struct hp_module *mod, const char *name, const char *version);

/* hp_module_import(mod, name): the undefined dynamic symbol ${name}, NULL = not imported. A non-zero value is the canonical
 * address of an imported function in a non-PIE executable (psABI "Function Addresses"). */
const struct hp_sym *hp_module_import(const struct hp_module *mod, const char *name);
/* hp_module_version_of(mod, name, ret): version of that symbol, "" = none; false when it is imported in several. */
bool hp_module_version_of(const struct hp_module *mod, const char *name, const char **ret);
/* hp_module_preemptible(mod, name): the module defines ${name}, but another module's definition may be bound instead. */
bool hp_module_preemptible(const struct hp_module *mod, const char *name);
/* hp_module_code_at(mod, va, len, ret): bytes of an executable segment as in the file. */
bool hp_module_code_at(const struct hp_module *mod, uint64_t va, uint64_t len, struct hp_view *ret);

#endif
