/* DWARF of one object or module. formats/dwarf_*.c relocate the debug sections of an object and decode them, for any CPU and
 * byte order; why not through libdwarf is said, with figures, in formats/dwarf_internal.h. All of it is untrusted input:
 * depth, counts and references are bounded, nothing is recursive over the input.
 *
 * One hp_dwarf belongs to one thread. Strings live as long as the hp_dwarf and the bytes behind its hp_elf. DWARF 2..5, 32 and
 * 64 bit, type units. Refused (HP_E_FORMAT): compressed sections, split units (.dwo).
 */
#ifndef HP_FORMATS_DWARF_INFO_H
#define HP_FORMATS_DWARF_INFO_H

#include "formats/elf_file.h"

struct hp_dwarf;

/* hp_dwarf_open(elf, ret, err): 1 opened, 0 the file has no .debug_info, negative failed. Loads relocations of debug sections. */
HP_MUST_CHECK int hp_dwarf_open(struct hp_elf *elf, struct hp_dwarf **ret, struct hp_err *err);
void hp_dwarf_free(struct hp_dwarf *dw); /* NULL allowed */

static inline void
hp_dwarf_auto(struct hp_dwarf **dw)
{
	hp_dwarf_free(*dw);
}

/* One compilation unit's identity. */
struct hp_dwarf_unit {
	const char *name, *comp_dir, *producer; /* "" = absent */
	uint64_t lang;                          /* DW_LANG_* */
};
/* hp_dwarf_units(dw, ret, ret_cnt, err): all units with DW_TAG_compile_unit; array owned by dw. */
HP_MUST_CHECK int hp_dwarf_units(struct hp_dwarf *dw, const struct hp_dwarf_unit **ret, size_t *ret_cnt, struct hp_err *err);

/* hp_dwarf_line(dw, sec_idx, off, ret_file, ret_line, err): source line of byte ${off} of section ${sec_idx} from
 * .debug_line. 1 found, 0 unknown. ${ret_file} is relative to the unit's comp_dir when it lies in it. First call reads the
 * tables of all units, later ones are O(log n). */
HP_MUST_CHECK int hp_dwarf_line(struct hp_dwarf *dw, uint32_t sec_idx, uint64_t off, const char **ret_file, uint64_t *ret_line,
                                struct hp_err *err);

/* A variable with static storage duration inside a function (DW_TAG_variable in a subprogram, inlined or not). */
struct hp_dwarf_static {
	uint32_t sec_idx;      /* where it lives (DW_OP_addr after relocation) */
	uint64_t off;          /* bytes from section start */
	const char *name;      /* declared name */
	const char *function;  /* enclosing function's declared name; "" when the compiler gives none: clang 14 for static
	                        * locals of an inlined function (the symbol is "function.name" there) */
	uint64_t decl_line;
	uint32_t ordinal;      /* among variables of this name in this function, in DIE order */
};
/* hp_dwarf_statics(dw, ret, ret_cnt, err): all static locals of all units; array owned by dw. */
HP_MUST_CHECK int hp_dwarf_statics(struct hp_dwarf *dw, const struct hp_dwarf_static **ret, size_t *ret_cnt, struct hp_err *err);

/* hp_dwarf_decl(dw, symbol, ret_file, ret_line, err): where the function or variable named ${symbol} (source or linkage name) is
 * defined, else declared. 1, 0. */
HP_MUST_CHECK int hp_dwarf_decl(struct hp_dwarf *dw, const char *symbol, const char **ret_file, uint64_t *ret_line,
                                struct hp_err *err);

/* A call that was inlined (DW_TAG_inlined_subroutine, DWARF 5 section 3.3.8.2). */
struct hp_dwarf_call {
	const char *file;       /* of the call, DW_AT_call_file; "" = unknown */
	uint64_t line;          /* DW_AT_call_line */
	const char *callee;     /* name of the inlined function, "" = unknown */
	const char *callee_file;
	uint64_t callee_line;   /* where the inlined function is declared, 0 = unknown */
	unsigned depth;         /* inlined calls around it; those nested in a call follow it with a greater depth */
};
/* hp_dwarf_inlined(dw, function, ret, ret_cnt, err): all calls inlined into the functions whose declared name is ${function}
 * (function_len bytes of it; clones included), nested ones too, in DIE order; array owned by dw. 1, or 0: none. O(log n)
 * after the first call. */
HP_MUST_CHECK int hp_dwarf_inlined(struct hp_dwarf *dw, const char *function, size_t function_len,
                                   const struct hp_dwarf_call **ret, size_t *ret_cnt, struct hp_err *err);

/* hp_dwarf_regs(dw, symbol, ret, err): at most how many integer registers a call of the function named ${symbol} uses on x86-64.
 * 1, or 0: nothing is known about it. O(entries). */
struct hp_dwarf_regs {
	unsigned args; /* the first of rdi, rsi, rdx, rcx, r8, r9 */
	unsigned rets; /* the first of rax, rdx */
};
HP_MUST_CHECK int hp_dwarf_regs(struct hp_dwarf *dw, const char *symbol, struct hp_dwarf_regs *ret, struct hp_err *err);

/* hp_dwarf_var_digest(dw, sec_idx, off, ret, err): BLAKE2b-256 over the type of the variable that lives at byte ${off} of section
 * ${sec_idx}: 1, or 0: not described, or too large to be. Types with equal digests have the same layout, all the way to what
 * pointers point to. ret: HP_DIGEST_LEN (32) bytes. O(entries). */
HP_MUST_CHECK int hp_dwarf_var_digest(struct hp_dwarf *dw, uint32_t sec_idx, uint64_t off, uint8_t *ret, struct hp_err *err);

/* One difference between the types of two versions of a unit. Strings live as long as the new side's hp_dwarf. */
struct hp_type_diff {
	enum hp_type_diff_kind {
		HP_TYPE_SIZE,      /* size of a struct, union, class, array typedef ... */
		HP_TYPE_MEMBER,    /* member added, removed, moved, of another type, other bit-field place */
		HP_TYPE_ENUM,      /* enumerator value changed or removed */
		HP_TYPE_SIGNATURE, /* function's return type or parameters */
		HP_TYPE_VARIABLE,  /* type of a variable with static storage */
	} kind;
	const char *name;      /* "struct bigname", "t" of `typedef struct {} t`, "enum e", "enumerator A" of an anonymous enum,
	                        * function or variable (linkage name where there is one), "function.variable"; not escaped */
	const char *source;    /* "dnsmasq.h:422" of the new side, else the old; not escaped */
	const char *message;   /* "size 1032 became 2056; member 'name' at offset 0: char[1025] became char[2051]"; names in it
	                        * are escaped */
	bool brief;            /* SIZE, MEMBER: only local variables and parameters have this type on both sides, and nothing
	                        * points to it: no object of it outlives a function */
};
/* hp_dwarf_compare_types(old, new, ret, ret_cnt, err): structural comparison of all complete types, signatures of functions
 * with code and variables with storage that both sides have (matched by kind and name within one unit; anonymous types through
 * what contains them). Types on one side only are fine, so are added enumerators. A named type is compared at its users by
 * name and size, so that a change is reported once, and again only where its size matters: at members, parameters and
 * variables that hold it by value. Sorted by (kind, name); no duplicates. HP_E_LIMIT: types nested more than 256 deep, or
 * so entangled that comparing is not linear. O(size of both). */
HP_MUST_CHECK int hp_dwarf_compare_types(struct hp_dwarf *old_dw, struct hp_dwarf *new_dw, struct hp_type_diff **ret,
                                         size_t *ret_cnt, struct hp_err *err);

#endif
