#include "signer/sign.h"

#include <sodium.h>
#include <string.h>

#include "formats/hash.h"

/* A package that its reader refuses must not get a signature: whoever trusts the key trusts that somebody looked at it. */
int
hp_sign_check(struct hp_view file, struct hp_pkg_parts *ret, struct hp_err *err)
{
	struct hp_pkg pkg;
	int r = hp_pkg_split(file, ret, err);

	if (r == 0)
		r = hp_pkg_parse(ret->signed_part, &pkg, err);
	if (r < 0) {
		(void)hp_err_add(err, "refusing to sign");
		return r;
	}
	hp_pkg_release(&pkg);
	return 0;
}

static void
make_record(struct hp_view signed_part, const struct hp_seckey *key, struct hp_sig_record *ret)
{
	uint8_t digest[64];

	hp_hash_512(signed_part, digest);
	memcpy(ret->key_id, key->key_id, sizeof(ret->key_id));
	(void)crypto_sign_detached(ret->sig, NULL, digest, sizeof(digest), key->sk);
}

static int
join_with(const struct hp_pkg_parts *parts, const struct hp_sig_record *rec, struct hp_buf *ret_file, struct hp_err *err)
{
	struct hp_sig_record sigs[HP_PKG_SIGS_MAX + 1];
	uint32_t cnt = 0;

	for (uint32_t i = 0; i < parts->sigs_cnt; i++)
		if (memcmp(parts->sigs[i].key_id, rec->key_id, sizeof(rec->key_id)) != 0)
			sigs[cnt++] = parts->sigs[i];
	sigs[cnt++] = *rec;
	return hp_pkg_join(parts->signed_part, sigs, cnt, ret_file, err);
}

int
hp_sign_pkg(struct hp_view file, const struct hp_seckey *key, struct hp_buf *ret_file, struct hp_err *err)
{
	struct hp_pkg_parts parts;
	struct hp_sig_record rec;
	int r = hp_sign_check(file, &parts, err);

	if (r < 0)
		return r;
	make_record(parts.signed_part, key, &rec);
	return join_with(&parts, &rec, ret_file, err);
}

int
hp_sign_detached(struct hp_view file, const struct hp_seckey *key, const char *trusted_comment, struct hp_buf *ret_text,
                 struct hp_err *err)
{
	uint8_t global[HP_SIG_LEN + HP_MINISIGN_COMMENT_MAX];
	size_t len = strlen(trusted_comment);
	struct hp_pkg_parts parts;
	struct hp_minisig sig;
	int r;

	if (len > HP_MINISIGN_COMMENT_MAX)
		return hp_err_set(err, HP_E_USAGE, "trusted comment of %zu bytes, the limit is %u", len, HP_MINISIGN_COMMENT_MAX);
	r = hp_sign_check(file, &parts, err);
	if (r < 0)
		return r;
	make_record(parts.signed_part, key, &sig.rec);
	memcpy(sig.trusted_comment, trusted_comment, len + 1);
	memcpy(global, sig.rec.sig, HP_SIG_LEN);
	memcpy(global + HP_SIG_LEN, trusted_comment, len);
	(void)crypto_sign_detached(sig.global_sig, NULL, global, HP_SIG_LEN + len, key->sk);
	return hp_minisign_write_sig(&sig, ret_text, err);
}

int
hp_sign_attach(struct hp_view file, const struct hp_sig_record *rec, const struct hp_pubkey *pub, struct hp_buf *ret_file,
               struct hp_err *err)
{
	struct hp_pkg_parts parts;
	uint8_t digest[64];
	int r = hp_sign_check(file, &parts, err);

	if (r < 0)
		return r;
	hp_hash_512(parts.signed_part, digest);
	if (memcmp(rec->key_id, pub->key_id, HP_SIG_KEY_ID_LEN) != 0 ||
	    crypto_sign_verify_detached(rec->sig, digest, sizeof(digest), pub->pk) != 0)
		return hp_err_set(err, HP_E_SIG, "the signature is not one of this key over this package");
	return join_with(&parts, rec, ret_file, err);
}
