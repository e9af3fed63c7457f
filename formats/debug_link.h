/* What a stripped module says about its debug information: the name of a separate file, and a small symbol table of its own.
 *
 * Sources: GDB manual, "Debugging Information in Separate Files" and "MiniDebugInfo". Contents are untrusted.
 */
#ifndef HP_FORMATS_DEBUG_LINK_H
#define HP_FORMATS_DEBUG_LINK_H

#include "base/buf.h"
#include "formats/elf_file.h"

/* hp_debug_link(elf, ret_name, ret_crc): .gnu_debuglink: file name without folders, and the CRC-32 of the whole file. false:
 * there is none, or none that can be used. ret_name lives as long as the bytes of ${elf}. */
bool hp_debug_link(const struct hp_elf *elf, const char **ret_name, uint32_t *ret_crc);
/* hp_debug_mini(elf, ret, err): .gnu_debugdata: append the ELF file that it holds, xz-compressed. It names functions that are
 * not in .dynsym; nothing says that it names all. 1 found, 0 there is none, HP_E_FORMAT, HP_E_LIMIT, HP_E_NOMEM. */
HP_MUST_CHECK int hp_debug_mini(const struct hp_elf *elf, struct hp_buf *ret, struct hp_err *err);

#endif
