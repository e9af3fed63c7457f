#include "signer/verify.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/escape.h"
#include "base/file.h"
#include "formats/hash.h"
#include "formats/limits.h"

static uint64_t
now_of(const struct hp_verify_opts *opts)
{
	return opts->now > 0 ? opts->now : hp_time_now();
}

/* Why a record does not count although its key is known; NULL: it does. */
static const char *
why_not(const struct hp_trust *trust, const struct hp_trust_key *key, const struct hp_verify_opts *opts, uint64_t now)
{
	enum hp_key_state state = hp_trust_state(trust, key, now);

	return state == HP_KEY_GOOD || opts->any_key_state ? NULL : hp_key_state_name(state);
}

static int
check_record(struct hp_verified_pkg *v, const struct hp_sig_record *rec, const uint8_t *digest, const struct hp_trust *trust,
             const struct hp_verify_opts *opts, struct hp_err *err)
{
	const struct hp_trust_key *key = hp_trust_find(trust, rec->key_id);
	const char *why = key != NULL ? why_not(trust, key, opts, now_of(opts)) : NULL;
	char id[17];

	hp_key_id_text(rec->key_id, id);
	if (key == NULL && !opts->ignore_unknown)
		return hp_err_set(err, HP_E_SIG, "signed by the unknown key %s", id);
	if (why != NULL && !opts->ignore_unknown)
		return hp_err_set(err, HP_E_SIG, "signed by key %s, which is %s", id, why);
	if (key == NULL || why != NULL)
		return 0;
	if (crypto_sign_verify_detached(rec->sig, digest, 64, key->pub.pk) != 0)
		return hp_err_set(err, HP_E_SIG, "wrong signature of the trusted key %s", id);
	/* Records have distinct key ids (hp_pkg_split), and so have trusted keys. */
	memcpy(v->signers[v->signers_cnt++], rec->key_id, HP_SIG_KEY_ID_LEN);
	return 0;
}

/* Signers in different hands: rotation gives the holder of a key a second one, yet no second vote. */
static uint32_t
count_holders(const struct hp_verified_pkg *v, const struct hp_trust *trust)
{
	const uint8_t *holders[HP_PKG_SIGS_MAX];
	uint32_t cnt = 0;

	for (uint32_t i = 0; i < v->signers_cnt; i++) {
		const struct hp_trust_key *key = hp_trust_find(trust, v->signers[i]);
		const uint8_t *holder = key != NULL ? hp_trust_holder(trust, key) : v->signers[i];
		uint32_t k = 0;

		while (k < cnt && memcmp(holders[k], holder, HP_SIG_KEY_ID_LEN) != 0)
			k++;
		if (k == cnt)
			holders[cnt++] = holder;
	}
	return cnt;
}

static int
check_count(const struct hp_verified_pkg *v, const struct hp_trust *trust, const struct hp_verify_opts *opts, struct hp_err *err)
{
	uint32_t require = opts->require > 0 ? opts->require : 1, cnt = count_holders(v, trust);

	if (cnt >= require)
		return 0;
	if (cnt < v->signers_cnt)
		return hp_err_set(err, HP_E_SIG,
		                  "signed by %u trusted keys of %u holders (rotation makes no second one), %u are required",
		                  v->signers_cnt, cnt, require);
	return hp_err_set(err, HP_E_SIG, "signed by %u trusted keys, %u are required", v->signers_cnt, require);
}

static int
check_records(struct hp_verified_pkg *v, const struct hp_trust *trust, const struct hp_verify_opts *opts, uint8_t *ret_digest,
              struct hp_err *err)
{
	if (v->parts.sigs_cnt == 0)
		return hp_err_set(err, HP_E_SIG, "the package is not signed");
	if (trust->cnt == 0)
		return hp_err_set(err, HP_E_SIG, "no trusted key is known");
	hp_hash_512(v->parts.signed_part, ret_digest);
	for (uint32_t i = 0; i < v->parts.sigs_cnt; i++) {
		int r = check_record(v, &v->parts.sigs[i], ret_digest, trust, opts, err);

		if (r < 0)
			return r;
	}
	return check_count(v, trust, opts, err);
}

/* Which keys may sign this very package: known only after it was parsed. The others' records are like those of unknown keys. */
static int
check_policies(struct hp_verified_pkg *v, const struct hp_trust *trust, const struct hp_verify_opts *opts, struct hp_err *err)
{
	uint32_t cnt = 0;
	char id[17];

	for (uint32_t i = 0; i < v->signers_cnt; i++) {
		const struct hp_trust_key *key = hp_trust_find(trust, v->signers[i]);

		if (key != NULL && hp_policy_allows(&key->policy, v->pkg.man)) {
			memmove(v->signers[cnt++], v->signers[i], HP_SIG_KEY_ID_LEN);
			continue;
		}
		hp_key_id_text(v->signers[i], id);
		if (!opts->ignore_unknown)
			return hp_err_set(err, HP_E_SIG,
			                  "key %s may not sign '%s': its policy names other hotpatches or baselines", id,
			                  hp_esc(v->pkg.man->name));
	}
	v->signers_cnt = cnt;
	return check_count(v, trust, opts, err);
}

static int
check_expiry(const struct hp_manifest *man, const struct hp_verify_opts *opts, struct hp_err *err)
{
	uint64_t now = now_of(opts);

	if (man->expires == 0 || opts->allow_expired || now < man->expires)
		return 0;
	return hp_err_set(err, HP_E_EXPIRED, "expired %llu seconds ago", (unsigned long long)(now - man->expires));
}

/* Takes the bytes in ${file}, also on failure. */
static int
verify_buf(struct hp_buf *file, const struct hp_trust *trust, const struct hp_verify_opts *opts, struct hp_verified_pkg **ret,
           struct hp_err *err)
{
	HP_AUTO(hp_verified_pkg) struct hp_verified_pkg *v = calloc(1, sizeof(*v));
	uint8_t digest[64];
	int r;

	if (v == NULL) {
		hp_buf_release(file);
		return hp_err_set(err, HP_E_NOMEM, "no memory for the package");
	}
	v->file = *file;
	*file = (struct hp_buf){ 0 };
	/* Not needed for right results, but for the fast hash of this CPU. */
	r = sodium_init() < 0 ? hp_err_set(err, HP_E_INTERNAL, "libsodium does not start") : 0;
	if (r == 0)
		r = hp_pkg_split(hp_buf_view(&v->file), &v->parts, err);
	if (r == 0)
		r = check_records(v, trust, opts, digest, err);
	if (r == 0)
		r = hp_pkg_parse_hashed(v->parts.signed_part, digest, &v->pkg, err);
	if (r == 0)
		r = check_policies(v, trust, opts, err);
	if (r == 0)
		r = check_expiry(v->pkg.man, opts, err);
	if (r < 0)
		return r;
	*ret = v;
	v = NULL;
	return 0;
}

int
hp_verify_file(const char *path, const struct hp_trust *trust, const struct hp_verify_opts *opts, struct hp_verified_pkg **ret,
               struct hp_err *err)
{
	struct hp_buf file;
	int r = hp_file_read(path, HP_PKG_LEN_MAX, &file, err);

	if (r < 0)
		return r;
	r = verify_buf(&file, trust, opts, ret, err);
	if (r < 0)
		(void)hp_err_add(err, "'%s'", hp_esc(path));
	return r;
}

int
hp_verify_bytes(struct hp_view data, const struct hp_trust *trust, const struct hp_verify_opts *opts,
                struct hp_verified_pkg **ret, struct hp_err *err)
{
	struct hp_buf file = { 0 };
	int r;

	if (data.len > HP_PKG_LEN_MAX)
		return hp_err_set(err, HP_E_LIMIT, "package of %zu bytes", data.len);
	r = hp_buf_add(&file, data.p, data.len, err);
	return r == 0 ? verify_buf(&file, trust, opts, ret, err) : r;
}
