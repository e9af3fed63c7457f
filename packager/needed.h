/* The libraries that a module needs, as far as they can be found below a folder: which symbols and versions they offer. This is
 * how the packager learns what a new import would be bound to, and how anybody can check that an import of a package exists.
 *
 * Search, as in ld.so(8) without LD_LIBRARY_PATH and without the cache: a path in DT_NEEDED; DT_RPATH of the module that needs
 * it and of those that need that (only where it has no DT_RUNPATH); DT_RUNPATH; the folders of /etc/ld.so.conf; the usual
 * folders. $ORIGIN, $LIB and $PLATFORM are understood. Links are followed inside of the folder. Breadth first, as at run time.
 *
 * Files are untrusted. Not for several threads.
 */
#ifndef HP_PACKAGER_NEEDED_H
#define HP_PACKAGER_NEEDED_H

#include "base/err.h"
#include "base/view.h"
#include "formats/elf_dyn.h"

struct hp_needed;

/* hp_needed_open(module, path, sysroot, ret, err): ${module} (must outlive the result) is the file ${path}; ${sysroot} NULL =
 * "/". A library that is not found or not readable is remembered as missing. HP_E_FORMAT: ${module} itself is malformed. */
HP_MUST_CHECK int hp_needed_open(struct hp_view module, const char *path, const char *sysroot, struct hp_needed **ret,
                                 struct hp_err *err);
void hp_needed_free(struct hp_needed *n); /* NULL allowed */

struct hp_needed_sym {
	struct hp_dyn_sym sym;
	const char *version; /* "" = none; lives as long as the hp_needed */
	const char *library; /* path of the file below the sysroot; "" = the module itself */
	const char *missing; /* a library before it in the search that was not found and might define it too, NULL = none */
};

/* hp_needed_find(n, name, version, ret, err): what a static linker would bind ${name} to: the first library with a default
 * version of it, or with ${version} if that is not NULL. 1 found, 0 no library has it, HP_E_FORMAT. */
HP_MUST_CHECK int hp_needed_find(struct hp_needed *n, const char *name, const char *version, struct hp_needed_sym *ret,
                                 struct hp_err *err);
/* hp_needed_is_static(n): there is nothing that could bind: no dynamic section, or an executable without dynamic linker. */
bool hp_needed_is_static(const struct hp_needed *n);
/* hp_needed_missing(n): the first library that was not found, NULL = none; lives as long as ${n}. */
const char *hp_needed_missing(const struct hp_needed *n);
/* hp_needed_list(n): "libm.so.6, libfoo.so (not found)", for messages; escaped, lives as long as ${n}. */
const char *hp_needed_list(struct hp_needed *n);

static inline void
hp_needed_auto(struct hp_needed **n)
{
	hp_needed_free(*n);
}

#endif
