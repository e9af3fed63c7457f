/* BLAKE2b (RFC 7693) through libsodium. One pass, no failure. */
#ifndef HP_FORMATS_HASH_H
#define HP_FORMATS_HASH_H

#include <stdint.h>

#include "base/view.h"

void hp_hash_256(struct hp_view data, uint8_t ret[32]);
void hp_hash_512(struct hp_view data, uint8_t ret[64]);
/* hp_hex(bytes, len, ret): lower-case digits and a terminator: 2 * len + 1 chars. */
void hp_hex(const uint8_t *bytes, size_t len, char *ret);

#endif
