#include "signer/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/file.h"
#include "formats/limits.h"

/* A key file decides how much work its passphrase costs; more than minisign's own choice, doubled, is a trap or damage. */
#define OPSLIMIT_MAX (2ull * crypto_pwhash_scryptsalsa208sha256_OPSLIMIT_SENSITIVE)
#define MEMLIMIT_MAX ((uint64_t)crypto_pwhash_scryptsalsa208sha256_MEMLIMIT_SENSITIVE)

static int
secret_alloc(size_t len, void **ret, struct hp_err *err)
{
	void *p;

	if (sodium_init() < 0)
		return hp_err_set(err, HP_E_INTERNAL, "libsodium does not start");
	p = sodium_malloc(len);
	if (p == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for a secret");
	sodium_memzero(p, len);
	*ret = p;
	return 0;
}

/* sodium_malloc() puts a block at the end of a page and aligns it only when its length is aligned. */
static size_t
aligned(size_t len)
{
	return (len + 15) & ~(size_t)15;
}

int
hp_secret_new(size_t cap, struct hp_secret **ret, struct hp_err *err)
{
	void *p;
	int r = secret_alloc(aligned(sizeof(struct hp_secret) + cap), &p, err);

	if (r < 0)
		return r;
	*ret = p;
	(*ret)->cap = cap;
	return 0;
}

void
hp_secret_free(struct hp_secret *s)
{
	sodium_free(s);
}

/* Fill ${s} until the end of ${fd}, or until a newline if ${line}; read bytewise then, so that the rest stays in the pipe. */
static int
read_secret(int fd, struct hp_secret *s, bool line, struct hp_err *err)
{
	for (;;) {
		uint8_t extra;
		bool full = s->len == s->cap;
		ssize_t n = read(fd, full ? &extra : s->p + s->len, line || full ? 1 : s->cap - s->len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return hp_err_set(err, HP_E_IO, "cannot read");
		if (n == 0 || (line && (full ? extra : s->p[s->len]) == '\n'))
			return 0;
		if (full)
			return hp_err_set(err, HP_E_LIMIT, "more than %zu bytes", s->cap);
		s->len += (size_t)n;
	}
}

int
hp_secret_read_line(int fd, struct hp_secret *s, struct hp_err *err)
{
	s->len = 0;
	return read_secret(fd, s, true, err);
}

int
hp_seckey_generate(struct hp_seckey **ret, struct hp_err *err)
{
	uint8_t pk[HP_PUBKEY_LEN];
	struct hp_seckey *key;
	void *p;
	int r = secret_alloc(aligned(sizeof(*key)), &p, err);

	if (r < 0)
		return r;
	key = p;
	randombytes_buf(key->key_id, sizeof(key->key_id));
	(void)crypto_sign_keypair(pk, key->sk);
	*ret = key;
	return 0;
}

void
hp_seckey_free(struct hp_seckey *key)
{
	sodium_free(key);
}

void
hp_seckey_public(const struct hp_seckey *key, struct hp_pubkey *ret)
{
	memcpy(ret->key_id, key->key_id, sizeof(ret->key_id));
	(void)crypto_sign_ed25519_sk_to_pk(ret->pk, key->sk);
}

/* minisign's checksum: BLAKE2b-256 of the algorithm's name, key id and key. */
static void
checksum(const uint8_t *box, uint8_t *ret)
{
	crypto_generichash_state st;

	(void)crypto_generichash_init(&st, NULL, 0, 32);
	(void)crypto_generichash_update(&st, (const uint8_t *)"Ed", 2);
	(void)crypto_generichash_update(&st, box, HP_SIG_KEY_ID_LEN + HP_SECKEY_LEN);
	(void)crypto_generichash_final(&st, ret, 32);
	sodium_memzero(&st, sizeof(st));
}

/* box ^= scrypt(pass, salt). An involution: it encrypts and decrypts. */
static int
crypt_box(const struct hp_seckey_file *file, const struct hp_secret *pass, uint8_t *box, struct hp_err *err)
{
	uint8_t *stream;
	void *p;
	int r;

	if (file->opslimit > OPSLIMIT_MAX || file->memlimit > MEMLIMIT_MAX)
		return hp_err_set(err, HP_E_LIMIT, "the key file asks for %llu operations and %llu bytes of memory",
		                  (unsigned long long)file->opslimit, (unsigned long long)file->memlimit);
	r = secret_alloc(HP_SECBOX_LEN, &p, err);
	if (r < 0)
		return r;
	stream = p;
	if (crypto_pwhash_scryptsalsa208sha256(stream, HP_SECBOX_LEN, (const char *)pass->p, pass->len, file->salt,
	                                       file->opslimit, (size_t)file->memlimit) < 0)
		r = hp_err_set(err, HP_E_NOMEM, "the passphrase of this key costs %llu MiB of memory, which are not there",
		               (unsigned long long)(file->memlimit >> 20));
	for (size_t i = 0; i < HP_SECBOX_LEN && r == 0; i++)
		box[i] ^= stream[i];
	sodium_free(stream);
	return r;
}

static int
fill_file(const struct hp_seckey *key, const struct hp_secret *pass, enum hp_kdf_cost cost, struct hp_seckey_file *file,
          struct hp_err *err)
{
	memcpy(file->box, key->key_id, HP_SIG_KEY_ID_LEN);
	memcpy(file->box + HP_SIG_KEY_ID_LEN, key->sk, HP_SECKEY_LEN);
	if (pass == NULL)
		return 0; /* minisign -W leaves salt, limits and checksum zero */
	checksum(file->box, file->box + HP_SIG_KEY_ID_LEN + HP_SECKEY_LEN);
	file->encrypted = true;
	randombytes_buf(file->salt, sizeof(file->salt));
	file->opslimit = cost == HP_KDF_SENSITIVE ? crypto_pwhash_scryptsalsa208sha256_OPSLIMIT_SENSITIVE
	                                          : crypto_pwhash_scryptsalsa208sha256_OPSLIMIT_INTERACTIVE;
	file->memlimit = cost == HP_KDF_SENSITIVE ? crypto_pwhash_scryptsalsa208sha256_MEMLIMIT_SENSITIVE
	                                          : crypto_pwhash_scryptsalsa208sha256_MEMLIMIT_INTERACTIVE;
	return crypt_box(file, pass, file->box, err);
}

static int
new_file(struct hp_seckey_file **ret, struct hp_err *err)
{
	void *p;
	int r = secret_alloc(aligned(sizeof(**ret)), &p, err);

	if (r == 0)
		*ret = p;
	return r;
}

int
hp_seckey_save(const struct hp_seckey *key, const char *path, const struct hp_secret *pass, enum hp_kdf_cost cost,
               struct hp_err *err)
{
	HP_AUTO(hp_seckey_file) struct hp_seckey_file *file = NULL;
	HP_AUTO(hp_secret) struct hp_secret *text = NULL;
	int r = new_file(&file, err);

	if (r == 0)
		r = fill_file(key, pass, cost, file, err);
	if (r == 0)
		r = hp_secret_new(HP_SECKEY_TEXT_MAX, &text, err);
	if (r == 0) {
		text->len = hp_minisign_write_sec(file, (char *)text->p);
		r = hp_file_create(path, hp_view_of(text->p, text->len), 0600, err);
	}
	return r;
}

int
hp_seckey_open(const char *path, struct hp_seckey_file **ret, struct hp_err *err)
{
	HP_AUTO(hp_seckey_file) struct hp_seckey_file *file = NULL;
	HP_AUTO(hp_secret) struct hp_secret *text = NULL;
	HP_AUTO(hp_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return hp_err_set(err, HP_E_IO, "cannot open secret key '%s'", hp_esc(path));
	r = hp_secret_new(HP_SECKEY_TEXT_MAX, &text, err);
	if (r == 0)
		r = read_secret(fd, text, false, err);
	if (r == 0)
		r = new_file(&file, err);
	if (r == 0)
		r = hp_minisign_read_sec(hp_view_of(text->p, text->len), file, err);
	if (r < 0) {
		(void)hp_err_add(err, "reading secret key '%s'", hp_esc(path));
		return r;
	}
	*ret = file;
	file = NULL;
	return 0;
}

void
hp_seckey_close(struct hp_seckey_file *file)
{
	sodium_free(file);
}

/* The key in ${box} is whole: its checksum (only encrypted files have one), and its public half belongs to its seed. */
static int
check_box(const uint8_t *box, bool encrypted, struct hp_err *err)
{
	const uint8_t *sk = box + HP_SIG_KEY_ID_LEN;
	uint8_t sum[32], pk[HP_PUBKEY_LEN];
	struct hp_seckey *again;
	void *p;
	int r;

	checksum(box, sum);
	if (encrypted && sodium_memcmp(sum, sk + HP_SECKEY_LEN, sizeof(sum)) != 0)
		return hp_err_set(err, HP_E_SIG, "wrong passphrase");
	r = secret_alloc(aligned(sizeof(*again)), &p, err);
	if (r < 0)
		return r;
	again = p;
	(void)crypto_sign_seed_keypair(pk, again->sk, sk);
	if (sodium_memcmp(again->sk, sk, HP_SECKEY_LEN) != 0)
		r = hp_err_set(err, HP_E_FORMAT, "secret key is damaged: its public half belongs to another one");
	sodium_free(again);
	return r;
}

int
hp_seckey_unlock(const struct hp_seckey_file *file, const struct hp_secret *pass, struct hp_seckey **ret, struct hp_err *err)
{
	HP_AUTO(hp_secret) struct hp_secret *box = NULL;
	struct hp_seckey *key;
	void *p;
	int r;

	if (file->encrypted && pass == NULL)
		return hp_err_set(err, HP_E_USAGE, "the secret key is encrypted and no passphrase was given");
	r = hp_secret_new(HP_SECBOX_LEN, &box, err);
	if (r < 0)
		return r;
	memcpy(box->p, file->box, HP_SECBOX_LEN);
	if (file->encrypted)
		r = crypt_box(file, pass, box->p, err);
	if (r == 0)
		r = check_box(box->p, file->encrypted, err);
	if (r == 0)
		r = secret_alloc(aligned(sizeof(*key)), &p, err);
	if (r < 0)
		return r;
	key = p;
	memcpy(key->key_id, box->p, HP_SIG_KEY_ID_LEN);
	memcpy(key->sk, box->p + HP_SIG_KEY_ID_LEN, HP_SECKEY_LEN);
	*ret = key;
	return 0;
}
