/* What is in the shipped and in the rebuilt packages of a struct hp_debian. */
#ifndef HP_CLI_DEB_MODULES_H
#define HP_CLI_DEB_MODULES_H

#include "cli/debian.h"

/* hp_deb_unpack_rebuilt(d, err): the packages that the build has left in ${d->dir}, to rebuilt/. */
HP_MUST_CHECK int hp_deb_unpack_rebuilt(struct hp_debian *d, struct hp_err *err);
/* hp_deb_find_modules(d, err): fill in d->modules from shipped/ and rebuilt/. HP_E_NOTHING: there are none. */
HP_MUST_CHECK int hp_deb_find_modules(struct hp_debian *d, struct hp_err *err);

#endif
