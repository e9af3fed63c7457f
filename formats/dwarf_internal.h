/* What the formats/dwarf_*.c files share. Nobody else includes this.
 *
 * Why DWARF is decoded here and libdwarf (20210528) is not called: measured on sqlite3.o -g -O2 (9.3 MB; 96,010 entries with
 * 360,455 attributes; 211,725 rows of line table) libdwarf needs 66 ms for the entries and 250 ms for the lines, because it
 * allocates each attribute and each row and keeps them in a search tree; the readers here need 9 ms and 4 ms. The bar
 * for comparing two such objects, all included, is 60 ms. So: bounded cursors, one linear pass, nothing recursive. The tests
 * check our results against libdwarf's (test_dwarf_oracle.c).
 *
 * All offsets of DIEs are in one space: the .debug_info sections one after the other (COMDAT type units have sections of their
 * own), then the .debug_types sections. 0 is never a DIE, so it stands for "none" (void).
 */
#ifndef HP_FORMATS_DWARF_INTERNAL_H
#define HP_FORMATS_DWARF_INTERNAL_H

#include "base/buf.h"
#include "base/map.h"
#include "formats/dwarf_info.h"

/* A position in a section. Reads past the end give 0, set bad and stay at the end. */
struct hp_dw_cur {
	const uint8_t *p, *end;
	bool be, bad;
};

enum hp_dw_sect {
	HP_DW_INFO, /* .debug_info and .debug_types */
	HP_DW_ABBREV,
	HP_DW_STR,
	HP_DW_LINE_STR,
	HP_DW_STR_OFFSETS,
	HP_DW_ADDR,
	HP_DW_LINE,
	HP_DW_SECTS,
};

/* Flags of a node. */
enum hp_dw_flags {
	HP_DW_DECLARATION = 1 << 0,
	HP_DW_EXTERNAL = 1 << 1,
	HP_DW_HAS_CODE = 1 << 2,   /* DW_AT_low_pc or DW_AT_ranges */
	HP_DW_HAS_ADDR = 1 << 3,   /* location is one fixed address (in value) */
	HP_DW_HAS_LOC = 1 << 4,    /* has any DW_AT_location */
	HP_DW_HAS_SIZE = 1 << 5,
	HP_DW_HAS_VALUE = 1 << 6,  /* offset, constant, bound */
	HP_DW_BITFIELD = 1 << 7,
	HP_DW_PROTOTYPED = 1 << 8,
	HP_DW_ARTIFICIAL = 1 << 9,
	HP_DW_VIRTUAL = 1 << 10,
	HP_DW_OPAQUE = 1 << 11,    /* value is a digest of an expression, not a number */
	HP_DW_HAS_FILE = 1 << 12,
	HP_DW_ALIAS = 1 << 13,     /* an anonymous type; the name is that of its first typedef */
	HP_DW_SPLIT = 1 << 14,     /* location is not one address, but may have an address in it: pieces of a static variable */
};

/* One DIE that matters. Index 0 is unused. Children of n are n+1 .. end, each step to the child's own end. */
struct hp_dw_node {
	const char *name;        /* DW_AT_name, NULL = none */
	uint64_t value; /* member, inheritance: bits from the start; enumerator: value; subrange: count; variable: address;
	                 * subprogram: low_pc, or vtable slot when HP_DW_VIRTUAL */
	union {
		uint64_t size;       /* bytes of a type; bits of a bit-field */
		const char *linkage; /* linkage name of a subprogram or variable, NULL = none */
	};
	uint32_t off;            /* of the DIE */
	uint32_t parent;         /* node index, 0 = none */
	uint32_t end;            /* node index behind the last descendant */
	uint32_t type;           /* DIE offset, 0 = void or none */
	uint32_t origin;         /* DIE offset of abstract origin, specification or signature; 0 = none */
	uint32_t decl_line;
	uint32_t decl_file;      /* as in DWARF; valid when HP_DW_HAS_FILE */
	uint16_t tag;            /* DW_TAG_* */
	uint16_t flags;          /* enum hp_dw_flags */
	uint8_t encoding;        /* DW_ATE_* of a base type */
};

struct hp_dw_attr {
	uint8_t action; /* enum in dwarf_abbrev.c; 0 = skip */
	uint16_t form;  /* DW_FORM_*; 0 = skip ${value} bytes */
	int64_t value;  /* DW_FORM_implicit_const, or bytes to skip */
};

struct hp_dw_abbrev {
	uint64_t code;
	uint16_t tag;
	uint8_t kind;       /* enum hp_dw_kind */
	bool children;
	uint32_t attrs_cnt;
	uint32_t attrs_idx; /* first in the table's attrs */
};

/* What to do with a DIE of some tag. */
enum hp_dw_kind {
	HP_DW_DROP,  /* nothing below it matters */
	HP_DW_KEEP,
	HP_DW_PARAM, /* kept when the parent is a subprogram or subroutine type */
	HP_DW_VAR,   /* inside functions kept when it has a name or a fixed address */
};

struct hp_dw_abbrevs {
	struct hp_dw_abbrev *v; /* sorted by code */
	uint32_t cnt;
	bool dense;             /* v[i].code == i + 1 */
	struct hp_dw_attr *attrs;
	struct {
		uint64_t off;       /* in .debug_abbrev */
		uint64_t shape;     /* address size, offset size, version 2 */
	} key;
};

struct hp_dw_unit {
	uint64_t off, end;      /* of the unit in HP_DW_INFO */
	uint64_t die_off;       /* first DIE */
	uint64_t abbrev_off;
	uint64_t sig;           /* type units: signature */
	uint64_t type_off;      /* type units: DIE offset of the type */
	uint64_t info_base;     /* where this unit's section starts in HP_DW_INFO */
	uint64_t str_off_base, addr_base;
	uint64_t stmt_list;     /* offset in .debug_line, UINT64_MAX = none */
	struct hp_dw_abbrevs *abbrevs;
	uint16_t version;
	uint8_t addr_len, off_len; /* bytes: 1..8; 4 or 8 */
	bool is_type;
	uint32_t node;          /* root node, 0 until read */
	struct hp_dwarf_unit id;
	uint32_t table;         /* index in tables, HP_NONE = no line table */
};

/* A file of a line table. */
struct hp_dw_file {
	const char *dir, *name;
	const char *path; /* both joined; NULL until asked for */
	uint32_t unit;    /* index of a unit that uses it */
};

/* One contribution to .debug_line (DWARF 5 section 6.2.4). */
struct hp_dw_table {
	struct hp_dw_cur program;
	uint16_t version;
	uint8_t min_len;        /* bytes of the shortest instruction */
	int8_t line_base;
	uint8_t line_range;     /* not 0 */
	uint8_t opcode_base;    /* not 0 */
	const uint8_t *operands; /* per standard opcode: how many; [0] is for opcode 1 */
	uint32_t files_idx;     /* of file number 0 (DWARF 5) or 1 (before) in dw->files */
	uint32_t files_cnt;
	uint32_t unit;          /* index of the first unit that uses it */
};

/* From this address on. */
struct hp_dw_row {
	uint64_t addr;
	uint32_t file; /* index in dw->files, HP_NONE = unknown */
	uint32_t line;
};

/* Rows of one run of code; addresses within ascend. */
struct hp_dw_seq {
	uint64_t start, end;
	size_t row, rows_cnt; /* in dw->rows */
};

struct hp_dw_place {
	uint64_t addr, len;
	uint32_t sec_idx;
};

struct hp_dwarf {
	struct hp_arena arena;
	struct hp_elf *elf;
	struct hp_view sect[HP_DW_SECTS];
	bool sect_loaded[HP_DW_SECTS];
	uint64_t types_off;          /* where .debug_types starts in HP_DW_INFO */
	uint64_t *base;              /* per ELF section: address, or place in its HP_DW_* concatenation */
	struct hp_dw_place *places;  /* allocated sections by address */
	uint32_t places_cnt;
	struct hp_map abbrev_map;    /* hp_dw_abbrevs.key -> pointer */
	uint64_t abbrev_budget;      /* bytes of .debug_abbrev that may still be decoded */
	struct hp_map sig_map;       /* type signature -> index in units */
	struct hp_dw_unit *units;
	uint32_t units_cnt;
	struct hp_dwarf_unit *ids;   /* what hp_dwarf_units() returns */
	size_t ids_cnt;
	struct hp_dw_node *nodes;    /* malloc'ed */
	uint32_t nodes_cnt, nodes_cap;
	uint32_t *index;             /* per 64 bytes of HP_DW_INFO: first node at or behind that offset */
	size_t index_cnt;
	bool nodes_read;
	uint64_t names_budget;       /* bytes of qualified names that may still be made */
	struct hp_buf tables;        /* struct hp_dw_table */
	struct hp_buf files;         /* struct hp_dw_file */
	struct hp_buf rows;          /* struct hp_dw_row */
	struct hp_buf seqs;          /* struct hp_dw_seq, sorted by start */
	bool tables_read, rows_read;
	struct hp_dwarf_static *statics;
	size_t statics_cnt;
	bool statics_read;
	struct hp_dwarf_call *calls; /* sorted by enclosing function's name, then DIE order */
	const char **calls_function; /* [calls_cnt] */
	size_t calls_cnt;
	bool calls_read;
	struct hp_map decl_map;      /* symbol name -> node index */
	bool decls_read;
};

uint64_t hp_dw_get(struct hp_dw_cur *c, unsigned len); /* unsigned of 1..8 bytes */
uint64_t hp_dw_uleb(struct hp_dw_cur *c);
int64_t hp_dw_sleb(struct hp_dw_cur *c);
void hp_dw_skip(struct hp_dw_cur *c, uint64_t len);
const char *hp_dw_cstr(struct hp_dw_cur *c); /* "" when not terminated */

/* dwarf_reloc.c */
/* hp_dw_places(dw, err): give each section its address. */
HP_MUST_CHECK int hp_dw_places(struct hp_dwarf *dw, struct hp_err *err);
/* hp_dw_load(dw, sect, err): concatenate, relocate; dw->sect[sect] is set. Again: no cost. */
HP_MUST_CHECK int hp_dw_load(struct hp_dwarf *dw, enum hp_dw_sect sect, struct hp_err *err);
/* hp_dw_place(dw, addr, ret_sec, ret_off): which byte of which section has the address; false = none. */
bool hp_dw_place(const struct hp_dwarf *dw, uint64_t addr, uint32_t *ret_sec, uint64_t *ret_off);

/* dwarf_apply.c: relocate ${bytes}, a copy of section ${sec_idx}, whose relocations are loaded. */
HP_MUST_CHECK int hp_dw_relocate(const struct hp_dwarf *dw, uint32_t sec_idx, uint8_t *bytes, size_t len, struct hp_err *err);

/* dwarf_abbrev.c */
enum hp_dw_action {
	HP_DW_A_SKIP, HP_DW_A_NAME, HP_DW_A_LINKAGE, HP_DW_A_TYPE, HP_DW_A_ORIGIN, HP_DW_A_SIZE, HP_DW_A_BIT_SIZE,
	HP_DW_A_BIT_OFF, HP_DW_A_OLD_BIT_OFF, HP_DW_A_MEMBER, HP_DW_A_CONST, HP_DW_A_UPPER, HP_DW_A_COUNT, HP_DW_A_ENCODING,
	HP_DW_A_DECLARATION, HP_DW_A_EXTERNAL, HP_DW_A_LOW_PC, HP_DW_A_RANGES, HP_DW_A_LOCATION, HP_DW_A_PROTOTYPED,
	HP_DW_A_ARTIFICIAL, HP_DW_A_FILE, HP_DW_A_LINE, HP_DW_A_SIBLING, HP_DW_A_SLOT, HP_DW_A_VIRTUAL, HP_DW_A_LANG,
	HP_DW_A_PRODUCER, HP_DW_A_COMP_DIR, HP_DW_A_STMT_LIST, HP_DW_A_STR_BASE, HP_DW_A_ADDR_BASE, HP_DW_A_DWO,
};
HP_MUST_CHECK int hp_dw_abbrevs_get(struct hp_dwarf *dw, const struct hp_dw_unit *u, struct hp_dw_abbrevs **ret,
                                    struct hp_err *err);
const struct hp_dw_abbrev *hp_dw_abbrev_find(const struct hp_dw_abbrevs *t, uint64_t code);

/* dwarf_form.c: the value of one attribute. */
struct hp_dw_value {
	enum hp_dw_class {
		HP_DW_C_NONE, /* present, value unknown to us */
		HP_DW_C_NUM,  /* u: constant, flag, section offset; sign-extended when the form says so */
		HP_DW_C_ADDR, /* u */
		HP_DW_C_REF,  /* u: DIE offset, 0 = unresolved */
		HP_DW_C_STR,  /* s */
		HP_DW_C_BLOCK,/* block */
	} cls;
	uint64_t u;
	const char *s;
	struct hp_view block;
};
/* hp_dw_form(dw, u, form, implicit, c, ret): decode and step over; false: unknown form or out of bounds. */
bool hp_dw_form(const struct hp_dwarf *dw, const struct hp_dw_unit *u, uint64_t form, int64_t implicit, struct hp_dw_cur *c,
                struct hp_dw_value *ret);
bool hp_dw_form_skip(const struct hp_dw_unit *u, uint64_t form, struct hp_dw_cur *c);
/* hp_dw_form_len(u, form): bytes of a form with fixed size, -1 = variable or unknown. */
int hp_dw_form_len(const struct hp_dw_unit *u, uint64_t form);

/* dwarf_units.c */
HP_MUST_CHECK int hp_dw_read_units(struct hp_dwarf *dw, struct hp_err *err);

/* dwarf_read.c */
/* hp_dw_read(dw, err): all DIEs into dw->nodes. Again: no cost. */
HP_MUST_CHECK int hp_dw_read(struct hp_dwarf *dw, struct hp_err *err);
/* hp_dw_read_root(dw, u, err): the identity in the unit's first DIE. */
HP_MUST_CHECK int hp_dw_read_root(struct hp_dwarf *dw, struct hp_dw_unit *u, struct hp_err *err);
/* hp_dw_find(dw, off): the node of the DIE at ${off}, 0 = none. */
uint32_t hp_dw_find(const struct hp_dwarf *dw, uint32_t off);
/* hp_dw_origin(dw, n): follow origins to the last node (at most 8 steps). */
uint32_t hp_dw_origin(const struct hp_dwarf *dw, uint32_t n);
/* hp_dw_scope(dw, n): the node around the declaration of ${n}: `struct a::b {}` stands outside of a. */
uint32_t hp_dw_scope(const struct hp_dwarf *dw, uint32_t n);
/* hp_dw_function_of(dw, n): the function that node ${n} lies in, its origin; 0 = none. */
uint32_t hp_dw_function_of(const struct hp_dwarf *dw, uint32_t n);
/* hp_dw_unit_of(dw, n): the unit that node ${n} lies in. */
struct hp_dw_unit *hp_dw_unit_of(const struct hp_dwarf *dw, uint32_t n);

/* dwarf_tables.c */
/* hp_dw_read_tables(dw, err): headers and file names of all line tables. Again: no cost. */
HP_MUST_CHECK int hp_dw_read_tables(struct hp_dwarf *dw, struct hp_err *err);
/* hp_dw_path(dw, idx, ret, err): name of dw->files[idx], relative to its unit's folder where it lies in it, so that it does not
 * depend on where the build ran. */
HP_MUST_CHECK int hp_dw_path(struct hp_dwarf *dw, uint32_t idx, const char **ret, struct hp_err *err);
/* hp_dw_file(dw, t, number): index in dw->files of DWARF's file ${number}, HP_NONE = none. */
uint32_t hp_dw_file(const struct hp_dw_table *t, uint64_t number);
/* hp_dw_source(dw, n, ret_file, ret_line, err): where node ${n} is declared. 1, 0 unknown. */
HP_MUST_CHECK int hp_dw_source(struct hp_dwarf *dw, uint32_t n, const char **ret_file, uint64_t *ret_line, struct hp_err *err);

#define hp_dw_items_of(buf, type) ((type *)(void *)(buf)->p)

#endif
