/* BLAKE2b (RFC 7693), hexadecimal digits and base64 (RFC 4648) through libsodium. */
#ifndef HP_FORMATS_HASH_H
#define HP_FORMATS_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/view.h"

void hp_hash_256(struct hp_view data, uint8_t ret[32]);
void hp_hash_512(struct hp_view data, uint8_t ret[64]);
/* SHA-256 (FIPS 180-4): only where documents for other tools want it; nothing of ours relies on it. */
void hp_hash_sha256(struct hp_view data, uint8_t ret[32]);
/* hp_hex(bytes, len, ret): lower-case digits and a terminator: 2 * len + 1 chars. */
void hp_hex(const uint8_t *bytes, size_t len, char *ret);
/* hp_unhex(text, len, ret): exactly ${len} bytes from 2 * len lower-case digits and a terminator; false = text is something
 * else. */
bool hp_unhex(const char *text, size_t len, uint8_t *ret);

/* Length of the base64 text of ${len} bytes, with padding, without terminator. */
#define HP_BASE64_LEN(len) (((len) + 2) / 3 * 4)
/* hp_base64(bytes, len, ret): HP_BASE64_LEN(len) + 1 chars. Constant time, like its reverse: secret keys pass here. */
void hp_base64(const uint8_t *bytes, size_t len, char *ret);
/* hp_unbase64(text, text_len, ret, len): exactly ${len} bytes; false = not the base64 text of so many bytes. */
bool hp_unbase64(const char *text, size_t text_len, uint8_t *ret, size_t len);

#endif
