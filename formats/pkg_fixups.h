/* Do the fixups of a package make sense for this module file? A package whose signature is right may still have been made
 * wrongly, or for a module that only shares the build ID. The payload's instructions tell what each field is for: a call must
 * lead to code, a store to something that can be written, a jump through memory and a SLOT to a word that the dynamic linker
 * fills in.
 */
#ifndef HP_FORMATS_PKG_FIXUPS_H
#define HP_FORMATS_PKG_FIXUPS_H

#include "formats/elf_module.h"
#include "formats/package.h"

/* hp_pkg_check_fixups(pkg, idx, mod, ret_cnt, err): all fixups, of whatever payload, that lead into target ${idx}, which is
 * ${mod}; *ret_cnt of them. HP_E_BASELINE: one leads to a section of the wrong kind or to none; HP_E_FORMAT: an image is
 * malformed. O(bytes of code in the payloads + fixups x sections). */
HP_MUST_CHECK int hp_pkg_check_fixups(const struct hp_pkg *pkg, size_t idx, const struct hp_module *mod, uint32_t *ret_cnt,
                                      struct hp_err *err);

#endif
