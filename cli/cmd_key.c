/* hpbuild key: the keyring folder of whoever verifies (list, trust, revoke), and rotation statements. */
#include "cli/cmd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/escape.h"
#include "base/file.h"
#include "cli/opts.h"
#include "cli/out.h"
#include "cli/passphrase.h"
#include "cli/trust.h"
#include "formats/elf_file.h"
#include "formats/hash.h"
#include "formats/limits.h"
#include "signer/rotate.h"
#include "signer/keyring.h"

static const char *arg_ring = HP_TRUST_DIR, *arg_before, *arg_after, *arg_reason, *arg_key, *arg_new_key, *arg_retire, *arg_out;
static struct hp_opt_list arg_names, arg_baselines;
static uint64_t arg_fd = HP_NO_FD, arg_new_fd = HP_NO_FD;
static bool arg_json;

static const struct hp_opt opts[] = {
	{ 0, "keyring", HP_OPT_STR, &arg_ring, "DIR", "the folder of trusted keys (default: " HP_TRUST_DIR ")" },
	{ 0, "not-before", HP_OPT_STR, &arg_before, "TIME", "trust, rotate: the key counts from then on" },
	{ 0, "not-after", HP_OPT_STR, &arg_after, "TIME", "trust: the key no longer counts from then on" },
	{ 0, "name", HP_OPT_LIST, &arg_names, "PATTERN", "trust: only for hotpatches of such a name; may be repeated" },
	{ 0, "baseline", HP_OPT_LIST, &arg_baselines, "FILE|ID", "trust: only for this module or build ID; may be repeated" },
	{ 0, "reason", HP_OPT_STR, &arg_reason, "TEXT", "revoke: why" },
	{ 'k', "key", HP_OPT_STR, &arg_key, "FILE", "rotate: the old secret key" },
	{ 0, "passphrase-fd", HP_OPT_U64, &arg_fd, "N", "rotate: read the old key's passphrase from file descriptor N" },
	{ 0, "new-key", HP_OPT_STR, &arg_new_key, "FILE", "rotate: the new secret key" },
	{ 0, "new-passphrase-fd", HP_OPT_U64, &arg_new_fd, "N", "rotate: read the new key's passphrase from file descriptor N" },
	{ 0, "retire", HP_OPT_STR, &arg_retire, "TIME", "rotate: the old key no longer counts from then on" },
	{ 'o', "output", HP_OPT_STR, &arg_out, "FILE", "rotate: write the statement to FILE" },
	{ 0, "json", HP_OPT_FLAG, &arg_json, NULL, "print JSON" },
	HP_OPT_COMMON,
	HP_OPT_END,
};
static const struct hp_usage usage = {
	"key",
	"list | trust FILE | revoke KEYID|PUBKEY | rotate --key OLD --new-key NEW -o FILE",
	"Look after the folder of trusted keys: list them, trust a public key or a rotation statement, revoke a key; or state "
	"with\n"
	"an old key that a new one replaces it. TIME is like 2026-01-31 or 2026-01-31T12:00:00Z.",
	0,
	1,
};

static int
parse_time(const char *option, const char *value, uint64_t *ret, struct hp_err *err)
{
	if (value == NULL)
		return 0;
	if (!hp_time_parse(value, ret) || *ret == 0)
		return hp_err_set(err, HP_E_USAGE, "--%s: '%s' is not a time like 2026-01-31 or 2026-01-31T12:00:00Z", option,
		                  hp_esc(value));
	return 0;
}

static char *
ring_path(const char *name, const char *suffix)
{
	char *path;

	return asprintf(&path, "%s/%s%s", arg_ring, name, suffix) < 0 ? NULL : path;
}

static int
put(const char *name, const char *suffix, struct hp_view data, struct hp_err *err)
{
	HP_AUTO(hp_mem) char *path = ring_path(name, suffix);

	if (path == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	if (mkdir(arg_ring, 0755) < 0 && errno != EEXIST)
		return hp_err_set(err, HP_E_IO, "cannot make folder '%s'", hp_esc(arg_ring));
	return hp_file_write(path, data, 0644, err);
}

/* The keyring as it is; an absent one is empty. */
static int
open_ring(struct hp_trust *ret, struct hp_err *err)
{
	return hp_path_kind(arg_ring) == HP_PATH_MISSING ? 0 : hp_trust_add_path(ret, arg_ring, err);
}

/* ---- list ---- */

static json_t *
json_key(const struct hp_trust *ring, const struct hp_trust_key *key, uint64_t now)
{
	json_t *names = json_array(), *baselines = json_array(), *obj;
	const struct hp_revoked *why = hp_trust_revoked(ring, key->pub.key_id);
	char id[17], hex[2 * HP_BUILD_ID_LEN_MAX + 1];

	for (size_t i = 0; i < key->policy.names_cnt; i++)
		(void)json_array_append_new(names, json_string(hp_esc(key->policy.names[i])));
	for (size_t i = 0; i < key->policy.baselines_cnt; i++) {
		hp_hex(key->policy.baselines[i].id, key->policy.baselines[i].len, hex);
		(void)json_array_append_new(baselines, json_string(hex));
	}
	hp_key_id_text(key->pub.key_id, id);
	obj = json_pack("{s:s, s:s, s:s, s:I, s:I, s:o, s:o, s:s}", "key_id", id, "state",
	                hp_key_state_name(hp_trust_state(ring, key, now)), "file", hp_esc(key->path), "not_before",
	                (json_int_t)key->policy.not_before, "not_after", (json_int_t)key->policy.not_after, "names", names,
	                "baselines", baselines, "reason", why != NULL ? hp_esc(why->reason) : "");
	hp_key_id_text(key->policy.introduced_by, id);
	(void)json_object_set_new(obj, "introduced_by", key->policy.introduced ? json_string(id) : json_null());
	return obj;
}

static void
show_key(const struct hp_trust *ring, const struct hp_trust_key *key, uint64_t now)
{
	const struct hp_revoked *why = hp_trust_revoked(ring, key->pub.key_id);
	char id[17], text[2 * HP_BUILD_ID_LEN_MAX + 1];

	hp_key_id_text(key->pub.key_id, id);
	hp_out("%s  %s%s%s  %s\n", id, hp_key_state_name(hp_trust_state(ring, key, now)),
	       why != NULL && why->reason[0] != '\0' ? ": " : "", why != NULL ? hp_esc(why->reason) : "", hp_esc(key->path));
	if (key->policy.not_before != 0) {
		hp_time_text(key->policy.not_before, text);
		hp_out("  from           %s\n", text);
	}
	if (key->policy.not_after != 0) {
		hp_time_text(key->policy.not_after, text);
		hp_out("  until          %s\n", text);
	}
	for (size_t i = 0; i < key->policy.names_cnt; i++)
		hp_out("  only name      %s\n", hp_esc(key->policy.names[i]));
	for (size_t i = 0; i < key->policy.baselines_cnt; i++) {
		hp_hex(key->policy.baselines[i].id, key->policy.baselines[i].len, text);
		hp_out("  only baseline  %s\n", text);
	}
	if (key->policy.introduced) {
		hp_key_id_text(key->policy.introduced_by, id);
		hp_out("  introduced by  %s\n", id);
	}
}

static int
do_list(const char *arg, struct hp_err *err)
{
	HP_AUTO(hp_trust) struct hp_trust ring = { 0 };
	uint64_t now = hp_time_now();
	json_t *list;
	int r = open_ring(&ring, err);

	(void)arg;
	if (r < 0)
		return r;
	if (!arg_json) {
		for (size_t i = 0; i < ring.cnt; i++)
			show_key(&ring, &ring.keys[i], now);
		return 0;
	}
	list = json_array();
	for (size_t i = 0; i < ring.cnt; i++)
		(void)json_array_append_new(list, json_key(&ring, &ring.keys[i], now));
	hp_out_json(json_pack("{s:s, s:s, s:o}", "schema", "hpbuild.keys/1", "keyring", hp_esc(arg_ring), "keys", list));
	return 0;
}

/* ---- trust ---- */

static int
baseline_of(const char *value, struct hp_policy_id *ret, struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf file = { 0 };
	HP_AUTO(hp_elf) struct hp_elf *elf = NULL;
	size_t len = strlen(value) / 2;
	struct hp_view id;
	int r;

	if (len >= HP_BUILD_ID_LEN_MIN && len <= HP_BUILD_ID_LEN_MAX && hp_unhex(value, len, ret->id)) {
		ret->len = (uint32_t)len;
		return 0;
	}
	r = hp_file_read(value, HP_ELF_LEN_MAX, &file, err);
	if (r == 0)
		r = hp_elf_open(hp_buf_view(&file), value, &elf, err);
	if (r < 0)
		return r;
	if (!hp_elf_build_id(elf, &id) || id.len > HP_BUILD_ID_LEN_MAX)
		return hp_err_set(err, HP_E_BASELINE, "'%s' has no build ID", hp_esc(value));
	memcpy(ret->id, id.p, id.len);
	ret->len = (uint32_t)id.len;
	return 0;
}

/* Adds what the options say to ${p}; its lists point into them and into ${ids}. */
static int
policy_of_options(struct hp_policy *p, struct hp_policy_id *ids, struct hp_err *err)
{
	int r = parse_time("not-before", arg_before, &p->not_before, err);

	if (r == 0)
		r = parse_time("not-after", arg_after, &p->not_after, err);
	if (r == 0 && arg_names.cnt > 0) {
		p->names = arg_names.v;
		p->names_cnt = arg_names.cnt;
	}
	for (unsigned i = 0; i < arg_baselines.cnt && r == 0; i++)
		r = baseline_of(arg_baselines.v[i], &ids[i], err);
	if (r == 0 && arg_baselines.cnt > 0) {
		p->baselines = ids;
		p->baselines_cnt = arg_baselines.cnt;
	}
	return r;
}

/* The policy is written first: a key must never be trusted for a moment without its limits. */
static int
store(const struct hp_pubkey *key, const char *name, const struct hp_policy *policy, struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf pub = { 0 }, text = { 0 };
	HP_AUTO(hp_arena) struct hp_arena arena = { 0 };
	HP_AUTO(hp_mem) char *path = ring_path(name, ".policy");
	struct hp_policy again;
	int r = hp_policy_write(policy, &text, err);

	if (r == 0)
		r = hp_policy_read(hp_buf_view(&text), &arena, &again, err);
	if (r == 0)
		r = hp_minisign_write_pub(key, &pub, err);
	if (r == 0 && path == NULL)
		r = hp_err_set(err, HP_E_NOMEM, "no memory");
	if (r == 0 && !hp_policy_empty(policy))
		r = put(name, ".policy", hp_buf_view(&text), err);
	else if (r == 0 && unlink(path) < 0 && errno != ENOENT && errno != ENOTDIR)
		r = hp_err_set(err, HP_E_IO, "cannot remove '%s'", hp_esc(path));
	return r == 0 ? put(name, ".pub", hp_buf_view(&pub), err) : r;
}

/* Where a key of this keyring has its files; a new one is called by its id. */
static const char *
name_in_ring(const struct hp_trust_key *key, const uint8_t *key_id, char *buf, size_t len)
{
	const char *slash = key != NULL ? strrchr(key->path, '/') : NULL;

	if (slash != NULL && strlen(slash + 1) > 4 && strlen(slash + 1) < len)
		(void)snprintf(buf, len, "%.*s", (int)strlen(slash + 1) - 4, slash + 1);
	else
		hp_key_id_text(key_id, buf);
	return buf;
}

/* The new key inherits what the old one may sign, never more; its time is its own. */
static int
trust_rotation(const struct hp_trust *ring, const struct hp_rotation *rot, struct hp_policy *p, struct hp_err *err)
{
	const struct hp_trust_key *old = hp_trust_find(ring, rot->old_id);
	char id[17], name[512];
	struct hp_policy retired;
	int r;

	hp_key_id_text(rot->old_id, id);
	if (old == NULL)
		return hp_err_set(err, HP_E_SIG, "the statement is of key %s, which is not trusted here", id);
	if (hp_trust_state(ring, old, hp_time_now()) != HP_KEY_GOOD)
		return hp_err_set(err, HP_E_SIG, "the statement is of key %s, which is %s", id,
		                  hp_key_state_name(hp_trust_state(ring, old, hp_time_now())));
	r = hp_rotation_check(rot, &old->pub, err);
	if (r < 0)
		return r;
	if (p->names_cnt + p->baselines_cnt > 0)
		return hp_err_set(err, HP_E_USAGE, "a rotation keeps the limits of the old key: no --name, no --baseline");
	p->names = old->policy.names;
	p->names_cnt = old->policy.names_cnt;
	p->baselines = old->policy.baselines;
	p->baselines_cnt = old->policy.baselines_cnt;
	p->not_before = p->not_before > rot->not_before ? p->not_before : rot->not_before;
	p->introduced = true;
	memcpy(p->introduced_by, rot->old_id, sizeof(p->introduced_by));
	r = store(&rot->next, name_in_ring(hp_trust_find(ring, rot->next.key_id), rot->next.key_id, name, sizeof(name)), p, err);
	if (r < 0 || rot->retire == 0 || (old->policy.not_after != 0 && old->policy.not_after <= rot->retire))
		return r;
	retired = old->policy;
	retired.not_after = rot->retire;
	return store(&old->pub, name_in_ring(old, rot->old_id, name, sizeof(name)), &retired, err);
}

static int
trust_bytes(struct hp_view file, struct hp_pubkey *ret_key, struct hp_err *err)
{
	HP_AUTO(hp_trust) struct hp_trust ring = { 0 };
	struct hp_policy_id ids[HP_OPT_LIST_MAX];
	struct hp_policy policy = { 0 };
	struct hp_rotation rot;
	char name[512];
	int r = open_ring(&ring, err);

	if (r == 0)
		r = policy_of_options(&policy, ids, err);
	if (r < 0)
		return r;
	if (file.len >= 8 && memcmp(file.p, HP_ROTATION_MAGIC, 8) == 0) {
		r = hp_rotation_read(file, &rot, err);
		*ret_key = rot.next;
	} else {
		r = hp_minisign_read_pub(file, ret_key, err);
	}
	if (r == 0 && hp_trust_revoked(&ring, ret_key->key_id) != NULL)
		r = hp_err_set(err, HP_E_SIG, "this key has been revoked here: remove it from " HP_REVOKED_FILE " first");
	if (r == 0 && hp_trust_find(&ring, ret_key->key_id) != NULL &&
	    memcmp(hp_trust_find(&ring, ret_key->key_id)->pub.pk, ret_key->pk, sizeof(ret_key->pk)) != 0)
		r = hp_err_set(err, HP_E_SIG, "another key with this id is trusted here");
	if (r < 0)
		return r;
	if (file.len >= 8 && memcmp(file.p, HP_ROTATION_MAGIC, 8) == 0)
		return trust_rotation(&ring, &rot, &policy, err);
	return store(ret_key, name_in_ring(hp_trust_find(&ring, ret_key->key_id), ret_key->key_id, name, sizeof(name)), &policy,
	             err);
}

static void
report(const char *did, const uint8_t *key_id, const char *file)
{
	char id[17];

	hp_key_id_text(key_id, id);
	if (arg_json)
		hp_out_json(json_pack("{s:s, s:s, s:s, s:s}", "schema", "hpbuild.key/1", "result", did, "key_id", id, "file",
		                      hp_esc(file)));
	else
		hp_note("key %s: %s ('%s')", id, did, hp_esc(file));
}

static int
do_trust(const char *arg, struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf file = { 0 };
	struct hp_pubkey key;
	int r = hp_file_read(arg, HP_KEY_FILE_LEN_MAX, &file, err);

	if (r == 0)
		r = trust_bytes(hp_buf_view(&file), &key, err);
	if (r < 0) {
		(void)hp_err_add(err, "'%s'", hp_esc(arg));
		return r;
	}
	report("trusted", key.key_id, arg_ring);
	return 0;
}

/* ---- revoke ---- */

static int
key_id_of(const char *arg, uint8_t *ret, struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf file = { 0 };
	struct hp_pubkey key;
	int r;

	if (hp_key_id_parse(arg, ret))
		return 0;
	r = hp_file_read(arg, HP_KEY_FILE_LEN_MAX, &file, err);
	if (r == 0)
		r = hp_minisign_read_pub(hp_buf_view(&file), &key, err);
	if (r < 0) {
		(void)hp_err_add(err, "'%s' is neither a key id nor a public key", hp_esc(arg));
		return r;
	}
	memcpy(ret, key.key_id, sizeof(key.key_id));
	return 0;
}

/* A new list, whole or not at all, with one line more. */
static int
append_revoked(const uint8_t *key_id, struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf text = { 0 };
	HP_AUTO(hp_mem) char *path = ring_path(HP_REVOKED_FILE, ""), *line = NULL;
	char id[17];
	int n, r = 0;

	if (path == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	if (hp_path_kind(path) != HP_PATH_MISSING)
		r = hp_file_read(path, HP_POLICY_LEN_MAX, &text, err);
	hp_key_id_text(key_id, id);
	n = asprintf(&line, "%s%s%s%s\n", text.len > 0 && text.p[text.len - 1] != '\n' ? "\n" : "", id,
	             arg_reason != NULL ? " " : "", arg_reason != NULL ? arg_reason : "");
	if (n < 0) {
		line = NULL;
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	}
	if (r == 0)
		r = hp_buf_add(&text, line, (size_t)n, err);
	return r == 0 ? put(HP_REVOKED_FILE, "", hp_buf_view(&text), err) : r;
}

static int
do_revoke(const char *arg, struct hp_err *err)
{
	HP_AUTO(hp_trust) struct hp_trust ring = { 0 };
	uint8_t key_id[HP_SIG_KEY_ID_LEN];
	int r;

	if (arg_reason != NULL && strpbrk(arg_reason, "\r\n") != NULL)
		return hp_err_set(err, HP_E_USAGE, "--reason is one line");
	r = key_id_of(arg, key_id, err);
	if (r == 0)
		r = open_ring(&ring, err);
	if (r == 0 && hp_trust_revoked(&ring, key_id) == NULL)
		r = append_revoked(key_id, err);
	if (r < 0)
		return r;
	report("revoked", key_id, arg_ring);
	return 0;
}

/* ---- rotate ---- */

static int
do_rotate(const char *arg, struct hp_err *err)
{
	HP_AUTO(hp_seckey) struct hp_seckey *old_key = NULL, *new_key = NULL;
	uint8_t bytes[HP_ROTATION_LEN];
	uint64_t before = 0, retire = 0;
	struct hp_rotation rot;
	int r = parse_time("not-before", arg_before, &before, err);

	(void)arg;
	if (r == 0)
		r = parse_time("retire", arg_retire, &retire, err);
	if (r == 0)
		r = hp_cli_seckey(arg_key, arg_fd, &old_key, err);
	if (r == 0)
		r = hp_cli_seckey(arg_new_key, arg_new_fd, &new_key, err);
	if (r < 0)
		return r;
	hp_rotation_make(old_key, new_key, before, retire, &rot);
	hp_rotation_write(&rot, bytes);
	r = hp_rotation_read(hp_view_of(bytes, sizeof(bytes)), &rot, err);
	if (r == 0)
		r = hp_file_write(arg_out, hp_view_of(bytes, sizeof(bytes)), 0644, err);
	if (r < 0)
		return r;
	report("introduced", rot.next.key_id, arg_out);
	return 0;
}

static const struct verb {
	const char *name;
	int (*run)(const char *arg, struct hp_err *err);
	bool wants_arg;
} verbs[] = {
	{ "list", do_list, false },
	{ "trust", do_trust, true },
	{ "revoke", do_revoke, true },
	{ "rotate", do_rotate, false },
};

static const struct verb *
find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

/* An option of another verb would be ignored, and the user believe that it did something: -1 go on, else the exit status. */
static int
check_args(const struct verb *v, bool has_arg)
{
	bool trust = v->run == do_trust, rotate = v->run == do_rotate;

	if (has_arg != v->wants_arg)
		return hp_usage_error("key", "%s wants %s", v->name, v->wants_arg ? "one argument" : "no argument");
	if (!trust && (arg_after != NULL || arg_names.cnt + arg_baselines.cnt > 0))
		return hp_usage_error("key", "--not-after, --name and --baseline go with trust");
	if (!trust && !rotate && arg_before != NULL)
		return hp_usage_error("key", "--not-before goes with trust and rotate");
	if (v->run != do_revoke && arg_reason != NULL)
		return hp_usage_error("key", "--reason goes with revoke");
	if (!rotate && (arg_key != NULL || arg_new_key != NULL || arg_retire != NULL || arg_out != NULL))
		return hp_usage_error("key", "--key, --new-key, --retire and -o go with rotate");
	if (rotate && (arg_key == NULL || arg_new_key == NULL || arg_out == NULL))
		return hp_usage_error("key", "rotate wants --key, --new-key and -o");
	return -1;
}

int
hp_cmd_key(int argc, char **argv)
{
	const struct verb *v = argc > 1 && argv[1][0] != '-' ? find_verb(argv[1]) : NULL;
	struct hp_err err = { 0 };
	int first, r;

	if (v == NULL && argc > 1 && argv[1][0] != '-')
		return hp_usage_error("key", "unknown '%s': list, trust, revoke or rotate", argv[1]);
	r = hp_opts_parse(opts, &usage, argc - (v != NULL), argv + (v != NULL), &first);
	if (r >= 0)
		return r;
	if (v == NULL)
		return hp_usage_error("key", "what to do? list, trust, revoke or rotate, before any option");
	argv++;
	argc--;
	r = check_args(v, first < argc);
	if (r >= 0)
		return r;
	return v->run(first < argc ? argv[first] : NULL, &err) < 0 ? hp_out_fail(&err, arg_json) : HP_EXIT_OK;
}
