#include "formats/hash.h"

#include <sodium.h>

/* crypto_generichash is BLAKE2b. It fails only for lengths out of range, which these are not. */
void
hp_hash_256(struct hp_view data, uint8_t ret[32])
{
	(void)crypto_generichash(ret, 32, data.p, data.len, NULL, 0);
}

void
hp_hash_512(struct hp_view data, uint8_t ret[64])
{
	(void)crypto_generichash(ret, 64, data.p, data.len, NULL, 0);
}

void
hp_hex(const uint8_t *bytes, size_t len, char *ret)
{
	(void)sodium_bin2hex(ret, 2 * len + 1, bytes, len);
}
