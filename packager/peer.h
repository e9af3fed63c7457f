/* References from one module of a package to what the fix changes or adds in another one; the rules are in peer.c. */
#ifndef HP_PACKAGER_PEER_H
#define HP_PACKAGER_PEER_H

#include "packager/internal.h"

/* hp_peer_check(pk, use, name, err): HP_E_REFUSED when the global ${name} is something that the fix changes or adds in another
 * module, and that this reference would miss. */
HP_MUST_CHECK int hp_peer_check(struct hp_pk *pk, const struct hp_use *use, const char *name, struct hp_err *err);
/* hp_peer_find(pk, use, ret, err): a function that the fix adds to another module and that this one does not know yet: 1 ret is
 * the way to it, 0 none, HP_E_REFUSED. */
HP_MUST_CHECK int hp_peer_find(struct hp_pk *pk, const struct hp_use *use, struct hp_target *ret, struct hp_err *err);

#endif
