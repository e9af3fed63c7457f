#include "formats/hash.h"

#include <sodium.h>
#include <string.h>

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
hp_hash_sha256(struct hp_view data, uint8_t ret[32])
{
	(void)crypto_hash_sha256(ret, data.p, data.len);
}

void
hp_hex(const uint8_t *bytes, size_t len, char *ret)
{
	(void)sodium_bin2hex(ret, 2 * len + 1, bytes, len);
}

bool
hp_unhex(const char *text, size_t len, uint8_t *ret)
{
	size_t n = 0;

	if (strlen(text) != 2 * len || strspn(text, "0123456789abcdef") != 2 * len)
		return false;
	return sodium_hex2bin(ret, len, text, 2 * len, NULL, &n, NULL) == 0 && n == len;
}

void
hp_base64(const uint8_t *bytes, size_t len, char *ret)
{
	(void)sodium_bin2base64(ret, HP_BASE64_LEN(len) + 1, bytes, len, sodium_base64_VARIANT_ORIGINAL);
}

bool
hp_unbase64(const char *text, size_t text_len, uint8_t *ret, size_t len)
{
	size_t n = 0;

	if (text_len != HP_BASE64_LEN(len))
		return false;
	return sodium_base642bin(ret, len, text, text_len, NULL, &n, NULL, sodium_base64_VARIANT_ORIGINAL) == 0 && n == len;
}
