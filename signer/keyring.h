/* The trusted keys of a command: single public key files, or a keyring folder.
 *
 * A keyring folder holds NAME.pub (minisign's file), NAME.policy (signer/policy.h, optional) and HP_REVOKED_FILE, one key id and
 * a reason a line. Beside a single key file the same two are looked for, so that naming the file instead of its folder does not
 * lift a limit. Who can write there decides what is trusted.
 */
#ifndef HP_SIGNER_KEYRING_H
#define HP_SIGNER_KEYRING_H

#include "formats/minisign.h"
#include "signer/policy.h"

#define HP_TRUST_KEYS_MAX 1024u
#define HP_REVOKED_MAX 65536u
#define HP_REVOKED_FILE "revoked.keys"

enum hp_key_state { HP_KEY_GOOD, HP_KEY_EARLY, HP_KEY_LATE, HP_KEY_REVOKED };

struct hp_trust_key {
	struct hp_pubkey pub;
	struct hp_policy policy;
	const char *path; /* of the .pub file, "" = added by hand */
};

struct hp_revoked {
	uint8_t key_id[HP_SIG_KEY_ID_LEN];
	const char *reason; /* "" = none given */
};

/* A zeroed struct trusts nobody. */
struct hp_trust {
	struct hp_arena arena;     /* policies, texts */
	struct hp_trust_key *keys; /* malloc'ed; distinct key ids */
	size_t cnt, cap;
	struct hp_revoked *revoked; /* malloc'ed */
	size_t revoked_cnt, revoked_cap;
};

/* hp_trust_add_path(trust, path, err): add a public key file, or every *.pub file directly in a folder, with policies and
 * revocations. A key that is there already is no error; the policy that was read first stays. HP_E_IO, HP_E_FORMAT (also: another
 * key with the same id), HP_E_LIMIT. */
HP_MUST_CHECK int hp_trust_add_path(struct hp_trust *trust, const char *path, struct hp_err *err);
/* hp_trust_add_key(trust, key, err): without policy. */
HP_MUST_CHECK int hp_trust_add_key(struct hp_trust *trust, const struct hp_pubkey *key, struct hp_err *err);
void hp_trust_release(struct hp_trust *trust);

/* hp_trust_find(trust, key_id): NULL = unknown. O(keys). */
const struct hp_trust_key *hp_trust_find(const struct hp_trust *trust, const uint8_t *key_id);
/* hp_trust_revoked(trust, key_id): the entry that revokes the key, NULL = none. */
const struct hp_revoked *hp_trust_revoked(const struct hp_trust *trust, const uint8_t *key_id);
/* hp_trust_state(trust, key, now): does the key count at this time? A key that a revoked one introduced is revoked, too. */
enum hp_key_state hp_trust_state(const struct hp_trust *trust, const struct hp_trust_key *key, uint64_t now);
/* hp_trust_holder(trust, key): the key id at the beginning of the chain of rotations that led to ${key}: keys with one beginning
 * are in one hand, and count once where several signers are required. Lives as long as ${trust}. */
const uint8_t *hp_trust_holder(const struct hp_trust *trust, const struct hp_trust_key *key);
const char *hp_key_state_name(enum hp_key_state state); /* "good", "not yet valid", "no longer valid", "revoked" */

static inline void
hp_trust_auto(struct hp_trust *trust)
{
	hp_trust_release(trust);
}

#endif
