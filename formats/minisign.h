/* Text files of minisign: public key, secret key, detached signature. Layout only; what the bytes mean to cryptography is in
 * signer/.
 *
 * Source: https://jedisct1.github.io/minisign/ ("Signature format", "Public key format", "Secret key format"); tried with
 * minisign 0.11. Only prehashed signatures (`ED`) are read or written, never legacy ones (`Ed`). Files are untrusted: exactly the
 * lines of the format, each comment at most HP_MINISIGN_COMMENT_MAX bytes. A final CR of a line is refused, not guessed at.
 */
#ifndef HP_FORMATS_MINISIGN_H
#define HP_FORMATS_MINISIGN_H

#include "base/buf.h"
#include "base/err.h"
#include "base/view.h"
#include "formats/package.h"

#define HP_MINISIGN_COMMENT_MAX 1024u
#define HP_PUBKEY_LEN 32u
#define HP_SECKEY_LEN 64u /* seed, then public key */
#define HP_KDF_SALT_LEN 32u

struct hp_pubkey {
	uint8_t key_id[HP_SIG_KEY_ID_LEN];
	uint8_t pk[HP_PUBKEY_LEN];
};

/* Key id, secret key and checksum: the part of a secret key file that a passphrase encrypts (xor with scrypt's output). */
#define HP_SECBOX_LEN (HP_SIG_KEY_ID_LEN + HP_SECKEY_LEN + 32u)
/* Bytes of a whole secret key file, at most. */
#define HP_SECKEY_TEXT_MAX ((size_t)HP_KEY_FILE_LEN_MAX)

/* Holds secrets: must live in wiped memory. */
struct hp_seckey_file {
	bool encrypted;
	uint8_t salt[HP_KDF_SALT_LEN];
	uint64_t opslimit, memlimit; /* of libsodium's crypto_pwhash_scryptsalsa208sha256 */
	uint8_t box[HP_SECBOX_LEN];
};

struct hp_minisig {
	struct hp_sig_record rec;
	char trusted_comment[HP_MINISIGN_COMMENT_MAX + 1];
	uint8_t global_sig[HP_SIG_LEN]; /* Ed25519 over rec.sig and the trusted comment */
};

/* hp_minisign_read_pub(text, ret, err): HP_E_FORMAT. */
HP_MUST_CHECK int hp_minisign_read_pub(struct hp_view text, struct hp_pubkey *ret, struct hp_err *err);
HP_MUST_CHECK int hp_minisign_write_pub(const struct hp_pubkey *key, struct hp_buf *ret, struct hp_err *err);

/* hp_minisign_read_sec(text, ret, err): HP_E_FORMAT; ${ret} is undefined then and must be wiped all the same. */
HP_MUST_CHECK int hp_minisign_read_sec(struct hp_view text, struct hp_seckey_file *ret, struct hp_err *err);
/* hp_minisign_write_sec(key, ret): the text; ${ret} has HP_SECKEY_TEXT_MAX bytes and holds secrets. Returns its length. */
size_t hp_minisign_write_sec(const struct hp_seckey_file *key, char *ret);

HP_MUST_CHECK int hp_minisign_read_sig(struct hp_view text, struct hp_minisig *ret, struct hp_err *err);
HP_MUST_CHECK int hp_minisign_write_sig(const struct hp_minisig *sig, struct hp_buf *ret, struct hp_err *err);

/* hp_key_id_text(key_id, ret): as minisign prints it: the id as a little-endian number in 16 upper-case digits. ret: 17 chars. */
void hp_key_id_text(const uint8_t *key_id, char *ret);
/* hp_key_id_parse(text, ret): the reverse, in upper or lower case; false = no key id. */
bool hp_key_id_parse(const char *text, uint8_t *ret);

#endif
