/* The DWARF constants, wherever this version of libdwarf keeps them: Debian 12 (20210528) in libdwarf/, later releases in
 * libdwarf-0/ or libdwarf-2/. Only formats/dwarf_*.c and their tests include this.
 *
 * libdwarf itself is not called by hpbuild, see dwarf_internal.h; the tests use it as an independent reader.
 */
#ifndef HP_FORMATS_DWARF_COMPAT_H
#define HP_FORMATS_DWARF_COMPAT_H

#if __has_include(<libdwarf-2/dwarf.h>)
#include <libdwarf-2/dwarf.h>
#elif __has_include(<libdwarf-0/dwarf.h>)
#include <libdwarf-0/dwarf.h>
#else
#include <libdwarf/dwarf.h>
#endif

#endif
