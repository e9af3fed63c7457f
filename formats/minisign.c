#include "formats/minisign.h"

#include <inttypes.h>
#include <string.h>

#include "base/escape.h"
#include "formats/hash.h"
#include "formats/limits.h"

#define UNTRUSTED "untrusted comment: "
#define TRUSTED "trusted comment: "
#define ALG_KEY "Ed"      /* the algorithm of a key */
#define ALG_PREHASH "ED"  /* signature over BLAKE2b-512 of the message */
#define KDF_NONE "\0\0"
#define KDF_SCRYPT "Sc"
#define SUM_BLAKE2B "B2"

#define PUB_LEN (2u + HP_SIG_KEY_ID_LEN + HP_PUBKEY_LEN)
#define SEC_LEN (6u + HP_KDF_SALT_LEN + 16u + HP_SECBOX_LEN)
#define SIG_LEN (2u + HP_SIG_KEY_ID_LEN + HP_SIG_LEN)

/* Take one line off ${text}; the last one may lack its newline. */
static bool
next_line(struct hp_view *text, struct hp_view *ret_line)
{
	const uint8_t *nl = text->len > 0 ? memchr(text->p, '\n', text->len) : NULL;
	size_t len = nl != NULL ? (size_t)(nl - text->p) : text->len;

	if (text->len == 0)
		return false;
	*ret_line = hp_view_of(text->p, len);
	*text = hp_view_of(text->p + len + (nl != NULL), text->len - len - (nl != NULL));
	return true;
}

static int
take_comment(struct hp_view *text, const char *prefix, struct hp_view *ret, struct hp_err *err)
{
	struct hp_view line;
	size_t len = strlen(prefix);

	if (!next_line(text, &line) || line.len < len || memcmp(line.p, prefix, len) != 0)
		return hp_err_set(err, HP_E_FORMAT, "not a minisign file: no line '%s...'", prefix);
	*ret = hp_view_of(line.p + len, line.len - len);
	if (ret->len > HP_MINISIGN_COMMENT_MAX)
		return hp_err_set(err, HP_E_FORMAT, "comment of %zu bytes, the limit is %u", ret->len, HP_MINISIGN_COMMENT_MAX);
	if (ret->len > 0 && (memchr(ret->p, 0, ret->len) != NULL || memchr(ret->p, '\r', ret->len) != NULL))
		return hp_err_set(err, HP_E_FORMAT, "comment with a zero byte or carriage return");
	return 0;
}

static int
take_base64(struct hp_view *text, uint8_t *ret, size_t len, const char *what, struct hp_err *err)
{
	struct hp_view line;

	if (!next_line(text, &line) || !hp_unbase64((const char *)line.p, line.len, ret, len))
		return hp_err_set(err, HP_E_FORMAT, "no base64 line of %zu bytes where the %s should be", len, what);
	return 0;
}

static int
check_end(struct hp_view text, struct hp_err *err)
{
	return text.len == 0 ? 0 : hp_err_set(err, HP_E_FORMAT, "%zu bytes too many at the end", text.len);
}

int
hp_minisign_read_pub(struct hp_view text, struct hp_pubkey *ret, struct hp_err *err)
{
	struct hp_view comment;
	uint8_t b[PUB_LEN];
	int r = take_comment(&text, UNTRUSTED, &comment, err);

	if (r == 0)
		r = take_base64(&text, b, sizeof(b), "public key", err);
	if (r == 0)
		r = check_end(text, err);
	if (r < 0)
		return r;
	if (memcmp(b, ALG_KEY, 2) != 0)
		return hp_err_set(err, HP_E_FORMAT, "public key of an unknown algorithm");
	memcpy(ret->key_id, b + 2, HP_SIG_KEY_ID_LEN);
	memcpy(ret->pk, b + 2 + HP_SIG_KEY_ID_LEN, HP_PUBKEY_LEN);
	return 0;
}

static int
add_line(struct hp_buf *buf, const char *prefix, const char *text, struct hp_err *err)
{
	int r = hp_buf_add(buf, prefix, strlen(prefix), err);

	if (r == 0)
		r = hp_buf_add(buf, text, strlen(text), err);
	return r == 0 ? hp_buf_add(buf, "\n", 1, err) : r;
}

int
hp_minisign_write_pub(const struct hp_pubkey *key, struct hp_buf *ret, struct hp_err *err)
{
	char comment[64] = "minisign public key ", line[HP_BASE64_LEN(PUB_LEN) + 1];
	uint8_t b[PUB_LEN];
	int r;

	hp_key_id_text(key->key_id, comment + strlen(comment));
	memcpy(b, ALG_KEY, 2);
	memcpy(b + 2, key->key_id, HP_SIG_KEY_ID_LEN);
	memcpy(b + 2 + HP_SIG_KEY_ID_LEN, key->pk, HP_PUBKEY_LEN);
	hp_base64(b, sizeof(b), line);
	r = add_line(ret, UNTRUSTED, comment, err);
	return r == 0 ? add_line(ret, "", line, err) : r;
}

/* b: SEC_LEN bytes: algorithm, KDF, checksum algorithm, salt, two limits, box. */
static int
decode_sec(const uint8_t *b, struct hp_seckey_file *ret, struct hp_err *err)
{
	if (memcmp(b, ALG_KEY, 2) != 0 || memcmp(b + 4, SUM_BLAKE2B, 2) != 0)
		return hp_err_set(err, HP_E_FORMAT, "secret key of an unknown algorithm");
	if (memcmp(b + 2, KDF_SCRYPT, 2) != 0 && memcmp(b + 2, KDF_NONE, 2) != 0)
		return hp_err_set(err, HP_E_FORMAT, "secret key is encrypted in an unknown way");
	ret->encrypted = memcmp(b + 2, KDF_SCRYPT, 2) == 0;
	memcpy(ret->salt, b + 6, HP_KDF_SALT_LEN);
	ret->opslimit = hp_le64_get(b + 6 + HP_KDF_SALT_LEN);
	ret->memlimit = hp_le64_get(b + 14 + HP_KDF_SALT_LEN);
	memcpy(ret->box, b + 22 + HP_KDF_SALT_LEN, HP_SECBOX_LEN);
	return 0;
}

int
hp_minisign_read_sec(struct hp_view text, struct hp_seckey_file *ret, struct hp_err *err)
{
	struct hp_view comment;
	uint8_t b[SEC_LEN] = { 0 };
	int r = take_comment(&text, UNTRUSTED, &comment, err);

	if (r == 0)
		r = take_base64(&text, b, sizeof(b), "secret key", err);
	if (r == 0)
		r = check_end(text, err);
	if (r == 0)
		r = decode_sec(b, ret, err);
	explicit_bzero(b, sizeof(b));
	return r;
}

size_t
hp_minisign_write_sec(const struct hp_seckey_file *key, char *ret)
{
	static const char comment[] = UNTRUSTED "minisign encrypted secret key\n", plain[] = UNTRUSTED "minisign secret key\n";
	const char *head = key->encrypted ? comment : plain;
	size_t len = strlen(head);
	uint8_t b[SEC_LEN];

	memcpy(b, ALG_KEY, 2);
	memcpy(b + 2, key->encrypted ? KDF_SCRYPT : KDF_NONE, 2);
	memcpy(b + 4, SUM_BLAKE2B, 2);
	memcpy(b + 6, key->salt, HP_KDF_SALT_LEN);
	hp_le64_put(b + 6 + HP_KDF_SALT_LEN, key->opslimit);
	hp_le64_put(b + 14 + HP_KDF_SALT_LEN, key->memlimit);
	memcpy(b + 22 + HP_KDF_SALT_LEN, key->box, HP_SECBOX_LEN);
	memcpy(ret, head, len);
	hp_base64(b, sizeof(b), ret + len);
	explicit_bzero(b, sizeof(b));
	len += HP_BASE64_LEN(SEC_LEN);
	ret[len++] = '\n';
	return len;
}

int
hp_minisign_read_sig(struct hp_view text, struct hp_minisig *ret, struct hp_err *err)
{
	struct hp_view comment, trusted;
	struct hp_minisig sig = { 0 };
	uint8_t b[SIG_LEN];
	int r = take_comment(&text, UNTRUSTED, &comment, err);

	if (r == 0)
		r = take_base64(&text, b, sizeof(b), "signature", err);
	if (r < 0)
		return r;
	if (memcmp(b, ALG_PREHASH, 2) != 0)
		return hp_err_set(err, HP_E_FORMAT, "%s",
		                  memcmp(b, ALG_KEY, 2) == 0 ? "legacy signature (Ed), only prehashed ones (ED) are accepted"
		                                             : "signature of an unknown algorithm");
	memcpy(sig.rec.key_id, b + 2, HP_SIG_KEY_ID_LEN);
	memcpy(sig.rec.sig, b + 2 + HP_SIG_KEY_ID_LEN, HP_SIG_LEN);
	r = take_comment(&text, TRUSTED, &trusted, err);
	if (r == 0)
		r = take_base64(&text, sig.global_sig, HP_SIG_LEN, "global signature", err);
	if (r == 0)
		r = check_end(text, err);
	if (r < 0)
		return r;
	memcpy(sig.trusted_comment, trusted.p, trusted.len);
	*ret = sig;
	return 0;
}

int
hp_minisign_write_sig(const struct hp_minisig *sig, struct hp_buf *ret, struct hp_err *err)
{
	char line[HP_BASE64_LEN(SIG_LEN) + 1], global[HP_BASE64_LEN(HP_SIG_LEN) + 1];
	uint8_t b[SIG_LEN];
	int r;

	if (strpbrk(sig->trusted_comment, "\r\n") != NULL)
		return hp_err_set(err, HP_E_USAGE, "a trusted comment is one line");
	memcpy(b, ALG_PREHASH, 2);
	memcpy(b + 2, sig->rec.key_id, HP_SIG_KEY_ID_LEN);
	memcpy(b + 2 + HP_SIG_KEY_ID_LEN, sig->rec.sig, HP_SIG_LEN);
	hp_base64(b, sizeof(b), line);
	hp_base64(sig->global_sig, HP_SIG_LEN, global);
	r = add_line(ret, UNTRUSTED, "signature from an hpbuild secret key", err);
	if (r == 0)
		r = add_line(ret, "", line, err);
	if (r == 0)
		r = add_line(ret, TRUSTED, sig->trusted_comment, err);
	return r == 0 ? add_line(ret, "", global, err) : r;
}

void
hp_key_id_text(const uint8_t *key_id, char *ret)
{
	(void)snprintf(ret, 17, "%016" PRIX64, hp_le64_get(key_id));
}

bool
hp_key_id_parse(const char *text, uint8_t *ret)
{
	if (strlen(text) != 16 || strspn(text, "0123456789abcdefABCDEF") != 16)
		return false;
	hp_le64_put(ret, strtoull(text, NULL, 16));
	return true;
}
