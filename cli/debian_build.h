/* `hpbuild build --debian-source`: from a patch to a package for a module that Debian has shipped. */
#ifndef HP_CLI_DEBIAN_BUILD_H
#define HP_CLI_DEBIAN_BUILD_H

#include "cli/debian.h"
#include "cli/packing.h"

/* hp_debian_build(d, modules, p): ${modules} are paths in their packages, with or without a leading slash; several are targets of
 * one package; none = the one that the changed objects are in. Prints the result or what is in the way. Returns the exit status.
 */
int hp_debian_build(struct hp_debian *d, const struct hp_opt_list *modules, struct hp_packing *p);

#endif
