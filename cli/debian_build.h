/* `hpbuild build --debian-source`: from a patch to a package for a module that Debian has shipped. */
#ifndef HP_CLI_DEBIAN_BUILD_H
#define HP_CLI_DEBIAN_BUILD_H

#include "cli/debian.h"
#include "cli/packing.h"

/* hp_debian_build(d, module, p): ${module} is the path in its package, with or without a leading slash; NULL = the one that the
 * changed objects are in. Prints the result or what is in the way. Returns the exit status. */
int hp_debian_build(struct hp_debian *d, const char *module, struct hp_packing *p);

#endif
