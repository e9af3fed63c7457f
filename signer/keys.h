/* Secret keys: made, kept in files of minisign, unlocked. Nothing here is needed to verify.
 *
 * All secrets live in memory of sodium_malloc(): locked, guarded, wiped when freed. Nothing is ever copied out of it except into
 * the key file itself. One key belongs to one thread at a time.
 */
#ifndef HP_SIGNER_KEYS_H
#define HP_SIGNER_KEYS_H

#include "base/err.h"
#include "base/view.h"
#include "formats/minisign.h"

#define HP_PASSPHRASE_MAX 1024u /* bytes, as in minisign */

/* A passphrase, or other secret text. */
struct hp_secret {
	size_t len, cap; /* bytes used, bytes there */
	uint8_t p[];
};

/* hp_secret_new(cap, ret, err): ${cap} bytes of wiped memory. HP_E_NOMEM, HP_E_INTERNAL (no libsodium). */
HP_MUST_CHECK int hp_secret_new(size_t cap, struct hp_secret **ret, struct hp_err *err);
void hp_secret_free(struct hp_secret *s); /* NULL allowed */
/* hp_secret_read_line(fd, s, err): fill ${s} up to a newline (dropped) or the end of ${fd}. HP_E_LIMIT: longer than cap. */
HP_MUST_CHECK int hp_secret_read_line(int fd, struct hp_secret *s, struct hp_err *err);

struct hp_seckey {
	uint8_t key_id[HP_SIG_KEY_ID_LEN];
	uint8_t sk[HP_SECKEY_LEN];
};

/* Cost of a passphrase: what minisign uses (1 GiB, seconds), or libsodium's "interactive" (16 MiB) where memory is scarce. */
enum hp_kdf_cost { HP_KDF_SENSITIVE, HP_KDF_INTERACTIVE };

HP_MUST_CHECK int hp_seckey_generate(struct hp_seckey **ret, struct hp_err *err);
void hp_seckey_free(struct hp_seckey *key); /* NULL allowed */
void hp_seckey_public(const struct hp_seckey *key, struct hp_pubkey *ret);

/* hp_seckey_save(key, path, pass, cost, err): write a new file of mode 0600. pass NULL: not encrypted.
 * HP_E_IO: exists already (never overwritten), or cannot be written; HP_E_NOMEM: not enough for the cost. */
HP_MUST_CHECK int hp_seckey_save(const struct hp_seckey *key, const char *path, const struct hp_secret *pass,
                                 enum hp_kdf_cost cost, struct hp_err *err);

/* hp_seckey_open(path, ret, err): read a key file; ret->encrypted tells whether a passphrase is wanted.
 * Freed with hp_seckey_close(). HP_E_IO, HP_E_FORMAT, HP_E_LIMIT. */
HP_MUST_CHECK int hp_seckey_open(const char *path, struct hp_seckey_file **ret, struct hp_err *err);
void hp_seckey_close(struct hp_seckey_file *file); /* NULL allowed */
/* hp_seckey_unlock(file, pass, ret, err): pass NULL for a file that is not encrypted. HP_E_SIG: wrong passphrase;
 * HP_E_FORMAT: the file is damaged; HP_E_LIMIT: asks for more work than minisign ever would; HP_E_NOMEM. Takes seconds when
 * encrypted. */
HP_MUST_CHECK int hp_seckey_unlock(const struct hp_seckey_file *file, const struct hp_secret *pass, struct hp_seckey **ret,
                                   struct hp_err *err);

static inline void
hp_secret_auto(struct hp_secret **s)
{
	hp_secret_free(*s);
}

static inline void
hp_seckey_auto(struct hp_seckey **key)
{
	hp_seckey_free(*key);
}

static inline void
hp_seckey_file_auto(struct hp_seckey_file **file)
{
	hp_seckey_close(*file);
}

#endif
