/* A libdwarf handle that sees nothing but line tables. Only formats/dwarf_*.c include this.
 *
 * libdwarf finds a line table through the first entry of a unit. It is not shown the file's .debug_info, only one made here, with
 * one entry a unit that holds DW_AT_stmt_list: so the file can hurt it with its line tables only, and those are checked first
 * (dwarf_line.c).
 */
#ifndef HP_FORMATS_DWARF_LIBDWARF_H
#define HP_FORMATS_DWARF_LIBDWARF_H

#include "formats/dwarf_compat.h"
#include "formats/dwarf_internal.h"

#define HP_LD_SECTIONS 6

struct hp_ld {
	struct {
		const char *name;
		struct hp_view data;
	} sec[HP_LD_SECTIONS];
	bool big_endian;
	hp_ld_interface interface;
	Dwarf_Debug dbg;
};

/* hp_ld_open(dw, info, abbrev, ret, err): ${info} and ${abbrev} stand for the file's; the line sections are loaded.
 * ${ret} must not move while it is open. */
HP_MUST_CHECK int hp_ld_open(struct hp_dwarf *dw, struct hp_view info, struct hp_view abbrev, struct hp_ld *ret,
                             struct hp_err *err);
void hp_ld_close(struct hp_ld *ld);
/* hp_ld_fail(ld, e, what, err): HP_E_FORMAT with libdwarf's message; releases ${e}. */
int hp_ld_fail(struct hp_ld *ld, Dwarf_Error e, const char *what, struct hp_err *err);

#endif
