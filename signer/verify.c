#include "signer/verify.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/file.h"
#include "formats/hash.h"
#include "formats/limits.h"

void
hp_trust_release(struct hp_trust *trust)
{
	free(trust->keys);
	*trust = (struct hp_trust){ 0 };
}

static const struct hp_pubkey *
find_key(const struct hp_trust *trust, const uint8_t *key_id)
{
	for (size_t i = 0; i < trust->cnt; i++)
		if (memcmp(trust->keys[i].key_id, key_id, HP_SIG_KEY_ID_LEN) == 0)
			return &trust->keys[i];
	return NULL;
}

int
hp_trust_add_key(struct hp_trust *trust, const struct hp_pubkey *key, struct hp_err *err)
{
	const struct hp_pubkey *known = find_key(trust, key->key_id);
	char id[17];

	hp_key_id_text(key->key_id, id);
	if (known != NULL && memcmp(known->pk, key->pk, sizeof(key->pk)) != 0)
		return hp_err_set(err, HP_E_FORMAT, "two different trusted keys have the id %s", id);
	if (known != NULL)
		return 0;
	if (trust->cnt == HP_TRUST_KEYS_MAX)
		return hp_err_set(err, HP_E_LIMIT, "more than %u trusted keys", HP_TRUST_KEYS_MAX);
	if (trust->cnt == trust->cap) {
		size_t cap = trust->cap ? 2 * trust->cap : 8;
		struct hp_pubkey *keys = realloc(trust->keys, cap * sizeof(*keys));

		if (keys == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory for trusted keys");
		trust->keys = keys;
		trust->cap = cap;
	}
	trust->keys[trust->cnt++] = *key;
	return 0;
}

static int
add_file(struct hp_trust *trust, const char *path, struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf text = { 0 };
	struct hp_pubkey key;
	int r = hp_file_read(path, HP_KEY_FILE_LEN_MAX, &text, err);

	if (r == 0)
		r = hp_minisign_read_pub(hp_buf_view(&text), &key, err);
	if (r == 0)
		r = hp_trust_add_key(trust, &key, err);
	if (r < 0)
		(void)hp_err_add(err, "trusted key '%s'", hp_esc(path));
	return r;
}

int
hp_trust_add_path(struct hp_trust *trust, const char *path, struct hp_err *err)
{
	HP_AUTO(hp_arena) struct hp_arena arena = { 0 };
	char **names, *file;
	size_t cnt;
	int r;

	if (hp_path_kind(path) != HP_PATH_DIR)
		return add_file(trust, path, err);
	r = hp_tree_list(path, ".pub", &arena, &names, &cnt, err);
	for (size_t i = 0; r == 0 && i < cnt; i++) {
		if (strchr(names[i], '/') != NULL)
			continue; /* in a sub-folder: put away, not trusted */
		file = hp_arena_printf(&arena, "%s/%s", path, names[i]);
		r = file != NULL ? add_file(trust, file, err) : hp_err_set(err, HP_E_NOMEM, "no memory for trusted keys");
	}
	return r;
}

static int
check_records(struct hp_verified_pkg *v, const struct hp_trust *trust, const struct hp_verify_opts *opts, struct hp_err *err)
{
	uint32_t require = opts->require > 0 ? opts->require : 1;
	uint8_t digest[64];
	char id[17];

	if (v->parts.sigs_cnt == 0)
		return hp_err_set(err, HP_E_SIG, "the package is not signed");
	if (trust->cnt == 0)
		return hp_err_set(err, HP_E_SIG, "no trusted key is known");
	hp_hash_512(v->parts.signed_part, digest);
	for (uint32_t i = 0; i < v->parts.sigs_cnt; i++) {
		const struct hp_sig_record *rec = &v->parts.sigs[i];
		const struct hp_pubkey *key = find_key(trust, rec->key_id);

		hp_key_id_text(rec->key_id, id);
		if (key == NULL && !opts->ignore_unknown)
			return hp_err_set(err, HP_E_SIG, "signed by the unknown key %s", id);
		if (key == NULL)
			continue;
		if (crypto_sign_verify_detached(rec->sig, digest, sizeof(digest), key->pk) != 0)
			return hp_err_set(err, HP_E_SIG, "wrong signature of the trusted key %s", id);
		/* Records have distinct key ids (hp_pkg_split), and so have trusted keys. */
		memcpy(v->signers[v->signers_cnt++], rec->key_id, HP_SIG_KEY_ID_LEN);
	}
	if (v->signers_cnt < require)
		return hp_err_set(err, HP_E_SIG, "signed by %u trusted keys, %u are required", v->signers_cnt, require);
	return 0;
}

static int
check_expiry(const struct hp_manifest *man, const struct hp_verify_opts *opts, struct hp_err *err)
{
	uint64_t now = opts->now > 0 ? opts->now : (uint64_t)time(NULL);

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
		r = check_records(v, trust, opts, err);
	if (r == 0)
		r = hp_pkg_parse(v->parts.signed_part, &v->pkg, err);
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
