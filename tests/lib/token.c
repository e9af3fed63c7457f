/* token new SEED PUB: a key that hpbuild never sees: 32 random bytes in SEED, and its public key in PUB.
 * token sign SEED: an external signer for `hpbuild sign --signer`: 128 hexadecimal digits on standard input, the Ed25519
 * signature over these 64 bytes on standard output. Uses libsodium alone to sign, as the driver of a hardware token would use the
 * token. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "formats/minisign.h"

static int
new_key(const char *seed_path, const char *pub_path)
{
	uint8_t seed[crypto_sign_SEEDBYTES], sk[crypto_sign_SECRETKEYBYTES];
	struct hp_pubkey pub = { 0 };
	struct hp_buf text = { 0 };
	int r;

	randombytes_buf(seed, sizeof(seed));
	(void)crypto_sign_seed_keypair(pub.pk, sk, seed);
	memcpy(pub.key_id, pub.pk, sizeof(pub.key_id));
	r = hp_minisign_write_pub(&pub, &text, NULL);
	if (r == 0)
		r = hp_file_write(seed_path, hp_view_of(seed, sizeof(seed)), 0600, NULL);
	if (r == 0)
		r = hp_file_write(pub_path, hp_buf_view(&text), 0644, NULL);
	hp_buf_release(&text);
	return r == 0 ? 0 : 1;
}

static int
sign(const char *seed_path)
{
	uint8_t digest[64], pk[crypto_sign_PUBLICKEYBYTES], sk[crypto_sign_SECRETKEYBYTES], sig[crypto_sign_BYTES];
	char line[130] = "", hex[2 * crypto_sign_BYTES + 1];
	struct hp_buf seed;
	size_t n;

	if (fgets(line, sizeof(line), stdin) == NULL || sodium_hex2bin(digest, sizeof(digest), line, 128, NULL, &n, NULL) < 0 ||
	    n != sizeof(digest))
		return 1;
	if (hp_file_read(seed_path, crypto_sign_SEEDBYTES, &seed, NULL) < 0 || seed.len != crypto_sign_SEEDBYTES)
		return 1;
	(void)crypto_sign_seed_keypair(pk, sk, seed.p);
	(void)crypto_sign_detached(sig, NULL, digest, sizeof(digest), sk);
	(void)puts(sodium_bin2hex(hex, sizeof(hex), sig, sizeof(sig)));
	hp_buf_release(&seed);
	return 0;
}

int
main(int argc, char **argv)
{
	if (sodium_init() < 0)
		return 1;
	if (argc == 4 && strcmp(argv[1], "new") == 0)
		return new_key(argv[2], argv[3]);
	return argc == 3 && strcmp(argv[1], "sign") == 0 ? sign(argv[2]) : 2;
}
