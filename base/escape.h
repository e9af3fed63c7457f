/* Untrusted text (names from ELF files, packages, processes) on its way to a message or a terminal. */
#ifndef HP_BASE_ESCAPE_H
#define HP_BASE_ESCAPE_H

#include <stddef.h>

#define HP_ESCAPE_LEN 256

struct hp_escaped {
	char text[HP_ESCAPE_LEN];
};

/* hp_escape_str(s): printable ASCII and well-formed UTF-8 (no C1 controls, no bidi overrides) stay, anything else becomes
 * \xNN, a backslash becomes \\; longer text ends in "...". ${s} NULL gives "(null)". The result lives as long as
 * the variable it is assigned to; in an argument list write hp_esc(s), which lives until the end of the full block. */
struct hp_escaped hp_escape_strn(const char *s, size_t len);
struct hp_escaped hp_escape_str(const char *s);
#define hp_esc(s) ((const char *)(struct hp_escaped[1]){ hp_escape_str(s) }[0].text)

#endif
