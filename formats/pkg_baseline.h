/* Does a package fit this module file? The same questions that the applier asks the module in memory. */
#ifndef HP_FORMATS_PKG_BASELINE_H
#define HP_FORMATS_PKG_BASELINE_H

#include "base/err.h"
#include "formats/elf_file.h"
#include "formats/manifest.h"

/* hp_pkg_check_baseline(man, elf, ret_idx, err): one of the targets is ${elf}: same build ID, same CPU, and every replaced
 * function's bytes have the signed digest. ret_idx: index in man->targets. HP_E_BASELINE: not so, with found and expected.
 * O(bytes of functions). */
HP_MUST_CHECK int hp_pkg_check_baseline(const struct hp_manifest *man, const struct hp_elf *elf, size_t *ret_idx,
                                        struct hp_err *err);

#endif
