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

#endif
