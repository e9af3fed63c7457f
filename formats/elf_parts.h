/* Parts: what an object file's allocated sections consist of, and what relocations refer to.
 *
 * A part is a range of one section that is compared, included and moved as a whole: a function, a variable, a stretch
 * without any symbol (jump tables, constants), or a whole mergeable section, whose pieces are known by content only.
 * Parts of one section are disjoint and sorted; padding between functions is no part. The list is sorted by (section, offset),
 * so that look-ups by place are binary searches.
 *
 * Sized symbols make parts; a symbol inside another one's range (an inner label) does not split it. A zero-sized or untyped
 * symbol (assembly) reaches to the next symbol or the end of the section, without nops that align what follows. Symbols with
 * the same start are aliases of one part.
 *
 * Immutable after hp_parts_new(); memory from the hp_elf's arena, so it lives as long as that.
 */
#ifndef HP_FORMATS_ELF_PARTS_H
#define HP_FORMATS_ELF_PARTS_H

#include "formats/elf_file.h"

enum hp_part_kind {
	HP_PART_FUNC,    /* in an executable section, with a symbol */
	HP_PART_DATA,    /* writable, with contents; without a symbol where none covers the bytes */
	HP_PART_BSS,     /* writable, zero; likewise */
	HP_PART_RODATA,  /* read-only, with a symbol; .data.rel.ro too */
	HP_PART_TLS,     /* .tdata, .tbss */
	HP_PART_ANON,    /* read-only bytes that no symbol covers: jump tables, constant pools */
	HP_PART_MERGE,   /* a whole SHF_MERGE section: strings (SHF_STRINGS) or constants of entsize bytes */
	HP_PART_CODE,    /* executable bytes that no symbol covers */
	HP_PART_SPECIAL, /* one whole section that is not code or data: .init_array, .eh_frame, notes, unknown allocated ones */
};

struct hp_part {
	enum hp_part_kind kind;
	uint32_t sec_idx;
	uint64_t off;      /* bytes from section start */
	uint64_t len;      /* bytes */
	uint32_t sym_idx;  /* the symbol that names it, HP_NONE = no symbol (always so for ANON, MERGE, CODE, SPECIAL) */
	uint32_t syms_first, syms_cnt; /* all symbols that start here: range in hp_parts.part_syms */
	uint32_t rels_first, rels_cnt; /* relocations inside: range in secs[sec_idx].rels */
};

struct hp_parts {
	struct hp_elf *elf;
	struct hp_part *v;
	uint32_t cnt;
	uint32_t *sec_first;   /* [secs_cnt + 1]: parts of section s are v[sec_first[s] .. sec_first[s + 1]) */
	uint32_t *part_syms;   /* symbol indexes */
	uint32_t *sym_part; /* [syms_cnt]: part that holds a symbol's place, HP_NONE = none (undefined, absolute, common ...) */
	uint64_t *table_refs;  /* places in sections with PC-relative tables that code refers to, sorted by (section, offset): */
	uint32_t *table_refs_first; /* [secs_cnt + 1]: those of section s, as in sec_first */
};

/* hp_parts_new(elf, ret, err): split a relocatable object; loads all relocations. HP_E_FORMAT: not ET_REL, a symbol beyond its
 * section. O(n log n) in symbols and relocations. */
HP_MUST_CHECK int hp_parts_new(struct hp_elf *elf, struct hp_parts **ret, struct hp_err *err);

/* hp_parts_at(parts, sec_idx, off): the part that holds byte ${off} of the section; HP_NONE in padding or beyond. O(log n). */
uint32_t hp_parts_at(const struct hp_parts *parts, uint32_t sec_idx, uint64_t off);

/* hp_part_name(parts, idx): symbol name, or the section's name for a part without symbol. Untrusted text, never NULL. */
const char *hp_part_name(const struct hp_parts *parts, uint32_t idx);
/* hp_part_bytes(parts, idx): contents; empty for BSS and other SHT_NOBITS. */
struct hp_view hp_part_bytes(const struct hp_parts *parts, uint32_t idx);
const struct hp_rel *hp_part_rels(const struct hp_parts *parts, uint32_t idx); /* rels_cnt of them; rel->off is section space */

/* Where a relocation points. */
struct hp_ref {
	uint32_t part_idx; /* target part in this object; HP_NONE: the target is elsewhere or no part */
	uint32_t sym_idx;  /* symbol of the relocation (a section symbol where the assembler chose one) */
	int64_t off;       /* with a part: bytes from the part's start to the byte that is meant (may lie outside of it: one past
	                    * the end, negative bases); without: bytes from the symbol */
	int64_t bias; /* what was added to the addend to get there: distance from the place to the point the CPU counts from */
	bool pc_rel;       /* the field holds target - place */
	bool branch;       /* operand of a call or jump: goes there, does not take the address */
	bool call;         /* a call that comes back (return address behind it) */
	bool got;          /* goes through a GOT entry of the symbol */
	bool plt;          /* may go through a PLT entry of the symbol */
	bool tls;          /* a thread-local access of any model */
	bool none;         /* R_*_NONE and marker relocations: no field */
	uint8_t width;     /* bytes of the field, 0 = unknown on this CPU */
};

/* hp_ref_resolve(parts, part_idx, rel, ret, err): what relocation ${rel} of part ${part_idx} means. For x86-64 code the
 * instruction around the place is decoded to learn the bias and whether it is a branch; for a PC-relative field in an ANON part
 * (jump tables) the bias is minus the distance from the table's start, taken as the nearest reference point at or before the
 * place. HP_E_ARCH: unknown relocation type. x86-64 psABI 4.4.1; other CPUs: no decoding, bias 0. Amortised O(1) when called in
 * order of rel->off for one part with the same ${cur}; see hp_ref_cursor. */
struct hp_ref_cursor {
	uint64_t insn_off; /* section offset of the next undecoded instruction */
	uint64_t insn_end;
	uint32_t part_idx; /* part this cursor is for, HP_NONE at start */
	bool branch, call;
};
#define HP_REF_CURSOR_INIT { 0, 0, HP_NONE, false, false }
HP_MUST_CHECK int hp_ref_resolve(const struct hp_parts *parts, uint32_t part_idx, const struct hp_rel *rel,
                                 struct hp_ref_cursor *cur, struct hp_ref *ret, struct hp_err *err);

/* hp_merge_piece(parts, part_idx, off, ret_start, ret): the string (with its terminator) or constant of a MERGE part that holds
 * byte ${off}, from ${off} to its end for strings (suffixes are strings of their own), the whole entry for constants with
 * *ret_start its first byte. false: off outside, or a string without end. */
bool hp_merge_piece(const struct hp_parts *parts, uint32_t part_idx, uint64_t off, uint64_t *ret_start, struct hp_view *ret);

#endif
