/* Make and check rotation statements (formats/rotation.h). Making needs both secret keys: the new one proves that it exists. */
#ifndef HP_SIGNER_ROTATE_H
#define HP_SIGNER_ROTATE_H

#include "formats/rotation.h"
#include "signer/keys.h"

/* hp_rotation_make(old_key, new_key, not_before, retire, ret): signed by both. */
void hp_rotation_make(const struct hp_seckey *old_key, const struct hp_seckey *new_key, uint64_t not_before, uint64_t retire,
                      struct hp_rotation *ret);
/* hp_rotation_check(rot, old_key, err): both signatures. HP_E_SIG: another old key, or one of the two is wrong. */
HP_MUST_CHECK int hp_rotation_check(const struct hp_rotation *rot, const struct hp_pubkey *old_key, struct hp_err *err);

#endif
