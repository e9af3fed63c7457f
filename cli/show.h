/* A package as text and as JSON, for inspect. */
#ifndef HP_CLI_SHOW_H
#define HP_CLI_SHOW_H

#include <jansson.h>

#include "cli/pkg_open.h"

/* hp_show_text(pkg, fixups): stable sorted text on stdout; ${fixups}: every fixup, too. */
void hp_show_text(const struct hp_cli_pkg *pkg, bool fixups);
/* hp_show_json(pkg, fixups): hpbuild.inspect/1; NULL when memory is gone. */
json_t *hp_show_json(const struct hp_cli_pkg *pkg, bool fixups);

#endif
