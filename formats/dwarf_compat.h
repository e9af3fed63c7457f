/* The difference between Debian 12's libdwarf (20210528, headers in libdwarf/, no version macro) and today's 0.x/2.x, whose
 * <libdwarf.h> defines DW_LIBDWARF_VERSION. Only formats/dwarf_*.c include this. */
#ifndef HP_FORMATS_DWARF_COMPAT_H
#define HP_FORMATS_DWARF_COMPAT_H

#if __has_include(<libdwarf-0/libdwarf.h>)
#include <libdwarf-0/dwarf.h>
#include <libdwarf-0/libdwarf.h>
#elif __has_include(<libdwarf-2/libdwarf.h>)
#include <libdwarf-2/dwarf.h>
#include <libdwarf-2/libdwarf.h>
#else
#include <libdwarf/dwarf.h>
#include <libdwarf/libdwarf.h>
#endif

#ifdef DW_LIBDWARF_VERSION /* 0.x, 2.x */
typedef Dwarf_Obj_Access_Interface_a hp_ld_interface;
typedef Dwarf_Obj_Access_Methods_a hp_ld_methods;
typedef Dwarf_Obj_Access_Section_a hp_ld_section;
typedef Dwarf_Unsigned hp_ld_index; /* of a section, in the methods */
typedef Dwarf_Unsigned hp_ld_filesize;
#define HP_LD_MORE_METHODS
#define hp_ld_finish(dbg, error) dwarf_object_finish(dbg)
#define HP_LD_RELEASE_ERROR(dbg, error) dwarf_dealloc_error((dbg), (error))
#else /* 20210528 */
typedef Dwarf_Obj_Access_Interface hp_ld_interface;
typedef Dwarf_Obj_Access_Methods hp_ld_methods;
typedef Dwarf_Obj_Access_Section hp_ld_section;
typedef Dwarf_Half hp_ld_index;
#define hp_ld_finish(dbg, error) dwarf_object_finish((dbg), (error))
#define HP_LD_RELEASE_ERROR(dbg, error) dwarf_dealloc_error((dbg), (error))
#endif

#endif
