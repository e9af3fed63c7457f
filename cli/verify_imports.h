/* Do the imports of a package exist? Asked of the libraries that the module's file needs, as far as they can be found. */
#ifndef HP_CLI_VERIFY_IMPORTS_H
#define HP_CLI_VERIFY_IMPORTS_H

#include "base/arena.h"
#include "formats/package.h"

struct hp_imports_checked {
	uint32_t cnt;        /* imports that exist, or may be missing */
	const char *missing; /* the library that was not found, so that others could not be checked; in the arena; NULL = none */
};

/* hp_verify_imports(pkg, idx, module, path, sysroot, arena, ret, err): those of target ${idx}, whose file ${module} was read from
 * ${path}; ${sysroot} NULL = "/". HP_E_BASELINE: all libraries are there, and none has an import. */
HP_MUST_CHECK int hp_verify_imports(const struct hp_pkg *pkg, size_t idx, struct hp_view module, const char *path,
                                    const char *sysroot, struct hp_arena *arena, struct hp_imports_checked *ret,
                                    struct hp_err *err);

#endif
