/* Pre-image matching: is this function of an object file what stands at that address of a linked module?
 *
 * Bytes must be equal outside of relocated fields; the linker's relaxations of GOT and TLS accesses are understood. Each
 * relocated field of the module is decoded, which yields the run-time place of what it refers to: a "find". So a match proves the
 * code and also resolves its references, with or without a symbol table.
 *
 * x86-64 only. Both files are untrusted; nothing is written, no state is kept. Sources: x86-64 psABI 4.4.1 (fields), B.2
 * (GOTPCRELX); "ELF Handling For Thread-Local Storage" 4.4.6, 4.4.7 (TLS models and their relaxations).
 */
#ifndef HP_FORMATS_PREIMAGE_H
#define HP_FORMATS_PREIMAGE_H

#include "formats/elf_module.h"
#include "formats/elf_parts.h"

enum hp_find_kind {
	HP_FIND_ADDR,  /* value: address of the relocation's symbol (its PLT entry, if branch) */
	HP_FIND_SLOT,  /* value: address of the GOT slot of the symbol */
	HP_FIND_NAME,  /* no value: the module leaves this place to the dynamic linker */
	HP_FIND_TPOFF, /* value: offset of the symbol from the thread pointer */
	HP_FIND_DTPOFF, /* value: offset of the symbol in the module's TLS block */
	HP_FIND_TLS_SLOT, /* value: address of the GOT slot with the thread-pointer offset, or of a module-offset pair */
};

struct hp_find {
	uint32_t rel_idx; /* in the section's rels */
	uint32_t sym_idx; /* in the object's syms */
	enum hp_find_kind kind;
	bool branch;      /* the field is the operand of a call or jump */
	bool module_wide; /* TLS_SLOT: the pair is the module's, not the symbol's (local dynamic) */
	uint64_t value;
};

/* Why a function does not match, for people. */
struct hp_preimage_diff {
	uint64_t off;       /* bytes from the function's start to the first instruction that differs */
	char old_text[96];  /* that instruction in the object */
	char base_text[96]; /* what stands there in the module */
	const char *cause;  /* static text */
};

/* hp_preimage_match(parts, part_idx, mod, va, finds, ret_cnt, ret_diff, err):
 * Compare function or constant part ${part_idx} with the module at ${va}. finds: room for the part's rels_cnt entries; *ret_cnt
 * of them are filled in on a match. ret_diff may be NULL. Returns 1 match, 0 no match (ret_diff set), HP_E_ARCH unknown
 * relocation. O(length + relocations). */
HP_MUST_CHECK int hp_preimage_match(const struct hp_parts *parts, uint32_t part_idx, const struct hp_module *mod, uint64_t va,
                                    struct hp_find *finds, uint32_t *ret_cnt, struct hp_preimage_diff *ret_diff,
                                    struct hp_err *err);

/* hp_preimage_search(parts, part_idx, mod, max, ret_va): addresses in executable segments where the fixed bytes of the part's
 * longest stretch without relocations occur at the right alignment; at most ${max} of them, ret_va[i]. Candidates only: match
 * them. Functions with few fixed bytes have none: they could be anybody's. Returns how many; more than ${max} counts as ${max}.
 * O(size of the code). */
uint32_t hp_preimage_search(const struct hp_parts *parts, uint32_t part_idx, const struct hp_module *mod, uint32_t max,
                            uint64_t *ret_va);
/* hp_preimage_is_distinct(parts, part_idx): the part has enough fixed bytes to be searched for. */
bool hp_preimage_is_distinct(const struct hp_parts *parts, uint32_t part_idx);

#endif
