/* Where two packages differ, for people who want a reproducible build: by place in the contents, not by byte of the file. */
#ifndef HP_CLI_PKG_COMPARE_H
#define HP_CLI_PKG_COMPARE_H

#include <stdbool.h>

#include "cli/pkg_open.h"

/* hp_compare_pkgs(a, b, json): print the differences; returns true when there are none. */
bool hp_compare_pkgs(const struct hp_cli_pkg *a, const struct hp_cli_pkg *b, bool json);

#endif
