#include "signer/keyring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/file.h"
#include "formats/limits.h"

void
hp_trust_release(struct hp_trust *trust)
{
	hp_arena_release(&trust->arena);
	free(trust->keys);
	free(trust->revoked);
	*trust = (struct hp_trust){ 0 };
}

const struct hp_trust_key *
hp_trust_find(const struct hp_trust *trust, const uint8_t *key_id)
{
	for (size_t i = 0; i < trust->cnt; i++)
		if (memcmp(trust->keys[i].pub.key_id, key_id, HP_SIG_KEY_ID_LEN) == 0)
			return &trust->keys[i];
	return NULL;
}

const struct hp_revoked *
hp_trust_revoked(const struct hp_trust *trust, const uint8_t *key_id)
{
	for (size_t i = 0; i < trust->revoked_cnt; i++)
		if (memcmp(trust->revoked[i].key_id, key_id, HP_SIG_KEY_ID_LEN) == 0)
			return &trust->revoked[i];
	return NULL;
}

/* Rotations make chains; a ring of them, which only damage can make, ends after as many steps as there are keys. */
static bool
is_revoked(const struct hp_trust *trust, const struct hp_trust_key *key)
{
	for (size_t step = 0; key != NULL && step <= trust->cnt; step++) {
		if (hp_trust_revoked(trust, key->pub.key_id) != NULL)
			return true;
		if (!key->policy.introduced)
			return false;
		if (hp_trust_revoked(trust, key->policy.introduced_by) != NULL)
			return true;
		key = hp_trust_find(trust, key->policy.introduced_by);
	}
	return false;
}

const uint8_t *
hp_trust_holder(const struct hp_trust *trust, const struct hp_trust_key *key)
{
	const uint8_t *id = key->pub.key_id;

	for (size_t step = 0; key != NULL && key->policy.introduced && step <= trust->cnt; step++) {
		id = key->policy.introduced_by;
		key = hp_trust_find(trust, id);
	}
	return id;
}

enum hp_key_state
hp_trust_state(const struct hp_trust *trust, const struct hp_trust_key *key, uint64_t now)
{
	if (is_revoked(trust, key))
		return HP_KEY_REVOKED;
	if (now < key->policy.not_before)
		return HP_KEY_EARLY;
	return key->policy.not_after != 0 && now >= key->policy.not_after ? HP_KEY_LATE : HP_KEY_GOOD;
}

const char *
hp_key_state_name(enum hp_key_state state)
{
	static const char *const names[] = { "good", "not yet valid", "no longer valid", "revoked" };

	return names[state];
}

/* ---- filling ---- */

static int
add(struct hp_trust *trust, const struct hp_trust_key *key, struct hp_err *err)
{
	const struct hp_trust_key *known = hp_trust_find(trust, key->pub.key_id);
	char id[17];

	hp_key_id_text(key->pub.key_id, id);
	if (known != NULL && memcmp(known->pub.pk, key->pub.pk, sizeof(key->pub.pk)) != 0)
		return hp_err_set(err, HP_E_FORMAT, "two different trusted keys have the id %s", id);
	if (known != NULL)
		return 0;
	/* Else one signer could count as two. */
	for (size_t i = 0; i < trust->cnt; i++)
		if (memcmp(trust->keys[i].pub.pk, key->pub.pk, sizeof(key->pub.pk)) == 0)
			return hp_err_set(err, HP_E_FORMAT, "one key under two ids, one of them %s", id);
	if (trust->cnt == HP_TRUST_KEYS_MAX)
		return hp_err_set(err, HP_E_LIMIT, "more than %u trusted keys", HP_TRUST_KEYS_MAX);
	if (trust->cnt == trust->cap) {
		size_t cap = trust->cap ? 2 * trust->cap : 8;
		struct hp_trust_key *keys = realloc(trust->keys, cap * sizeof(*keys));

		if (keys == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory for trusted keys");
		trust->keys = keys;
		trust->cap = cap;
	}
	trust->keys[trust->cnt++] = *key;
	return 0;
}

int
hp_trust_add_key(struct hp_trust *trust, const struct hp_pubkey *key, struct hp_err *err)
{
	return add(trust, &(struct hp_trust_key){ .pub = *key, .path = "" }, err);
}

/* A file that may be absent: then ${ret} stays empty. Anything else that keeps us from reading it is an error, not "no limits".
 */
static int
read_optional(const char *path, struct hp_buf *ret, struct hp_err *err)
{
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return 0;
	return hp_file_read(path, HP_POLICY_LEN_MAX, ret, err);
}

static int
read_policy(struct hp_trust *trust, const char *pub_path, struct hp_policy *ret, struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf text = { 0 };
	size_t len = strlen(pub_path);
	char *path;
	int r;

	if (len > 4 && strcmp(pub_path + len - 4, ".pub") == 0)
		len -= 4;
	path = hp_arena_printf(&trust->arena, "%.*s.policy", (int)len, pub_path);
	if (path == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for trusted keys");
	r = read_optional(path, &text, err);
	if (r == 0)
		r = hp_policy_read(hp_buf_view(&text), &trust->arena, ret, err);
	if (r < 0)
		(void)hp_err_add(err, "policy '%s'", hp_esc(path));
	return r;
}

static int
add_file(struct hp_trust *trust, const char *path, struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf text = { 0 };
	struct hp_trust_key key = { 0 };
	int r = hp_file_read(path, HP_KEY_FILE_LEN_MAX, &text, err);

	if (r == 0)
		r = hp_minisign_read_pub(hp_buf_view(&text), &key.pub, err);
	if (r == 0)
		r = read_policy(trust, path, &key.policy, err);
	if (r == 0 && (key.path = hp_arena_strdup(&trust->arena, path)) == NULL)
		r = hp_err_set(err, HP_E_NOMEM, "no memory for trusted keys");
	if (r == 0)
		r = add(trust, &key, err);
	if (r < 0)
		(void)hp_err_add(err, "trusted key '%s'", hp_esc(path));
	return r;
}

static int
add_revoked(struct hp_trust *trust, const struct hp_revoked *entry, struct hp_err *err)
{
	if (hp_trust_revoked(trust, entry->key_id) != NULL)
		return 0;
	if (trust->revoked_cnt == HP_REVOKED_MAX)
		return hp_err_set(err, HP_E_LIMIT, "more than %u revoked keys", HP_REVOKED_MAX);
	if (trust->revoked_cnt == trust->revoked_cap) {
		size_t cap = trust->revoked_cap ? 2 * trust->revoked_cap : 8;
		struct hp_revoked *list = realloc(trust->revoked, cap * sizeof(*list));

		if (list == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory for revoked keys");
		trust->revoked = list;
		trust->revoked_cap = cap;
	}
	trust->revoked[trust->revoked_cnt++] = *entry;
	return 0;
}

/* "KEYID" or "KEYID reason". */
static int
read_revoked_line(struct hp_trust *trust, char *line, struct hp_err *err)
{
	struct hp_revoked entry = { .reason = "" };
	char *blank = strchr(line, ' ');

	if (line[0] == '\0' || line[0] == '#')
		return 0;
	if (blank != NULL) {
		*blank = '\0';
		entry.reason = blank + 1;
	}
	if (!hp_key_id_parse(line, entry.key_id))
		return hp_err_set(err, HP_E_FORMAT, "'%s' is not a key id", hp_esc(line));
	return add_revoked(trust, &entry, err);
}

static int
add_revocations(struct hp_trust *trust, const char *dir, struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf text = { 0 };
	char *path = hp_arena_printf(&trust->arena, "%s/" HP_REVOKED_FILE, dir), *copy, *line;
	size_t no = 0;
	int r;

	if (path == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for revoked keys");
	r = read_optional(path, &text, err);
	copy = hp_arena_strndup(&trust->arena, (const char *)text.p, text.len);
	if (r == 0 && copy == NULL)
		r = hp_err_set(err, HP_E_NOMEM, "no memory for revoked keys");
	while (r == 0 && (line = strsep(&copy, "\n")) != NULL) {
		no++;
		r = read_revoked_line(trust, line, err);
		if (r < 0)
			(void)hp_err_add(err, "line %zu", no);
	}
	if (r < 0)
		(void)hp_err_add(err, "'%s'", hp_esc(path));
	return r;
}

static int
add_single(struct hp_trust *trust, const char *path, struct hp_err *err)
{
	const char *slash = strrchr(path, '/');
	const char *dir = slash == NULL ? "." : hp_arena_strndup(&trust->arena, path, slash > path ? (size_t)(slash - path) : 1);
	int r = dir != NULL ? add_revocations(trust, dir, err) : hp_err_set(err, HP_E_NOMEM, "no memory for trusted keys");

	return r == 0 ? add_file(trust, path, err) : r;
}

int
hp_trust_add_path(struct hp_trust *trust, const char *path, struct hp_err *err)
{
	HP_AUTO(hp_arena) struct hp_arena arena = { 0 };
	char **names, *file;
	size_t cnt;
	int r;

	if (hp_path_kind(path) != HP_PATH_DIR)
		return add_single(trust, path, err);
	r = add_revocations(trust, path, err);
	if (r == 0)
		r = hp_tree_list(path, ".pub", &arena, &names, &cnt, err);
	for (size_t i = 0; r == 0 && i < cnt; i++) {
		if (strchr(names[i], '/') != NULL)
			continue; /* in a sub-folder: put away, not trusted */
		file = hp_arena_printf(&arena, "%s/%s", path, names[i]);
		r = file != NULL ? add_file(trust, file, err) : hp_err_set(err, HP_E_NOMEM, "no memory for trusted keys");
	}
	return r;
}
