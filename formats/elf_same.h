/* Two linked modules that were built at different times or places: do processes get the same bytes of both?
 *
 * The build ID covers more than what is loaded (debug information, names of sections, the compiler's release in .comment), so a
 * rebuild often has another ID and the very same code and data. Everything that is loaded must be equal, except the ID itself and
 * those fields of the ELF header that only say where the section headers lie.
 */
#ifndef HP_FORMATS_ELF_SAME_H
#define HP_FORMATS_ELF_SAME_H

#include "formats/elf_file.h"

/* hp_elf_same_image(a, b, ret_va): false: *ret_va is the first address whose byte differs, UINT64_MAX when the segments do.
 * O(size). */
bool hp_elf_same_image(const struct hp_elf *a, const struct hp_elf *b, uint64_t *ret_va);

#endif
