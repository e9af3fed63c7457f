/* What a trusted key may sign, and when: the text file NAME.policy beside NAME.pub. hpbuild-key(1), "FILES", is the definition.
 *
 *   not-before 2026-01-01T00:00:00Z
 *   not-after 2027-01-01              the first moment at which the key no longer counts
 *   name fix-*                        shell pattern for the name of the hotpatch
 *   baseline 5f3a...                  build ID of a module
 *   introduced-by 0123456789ABCDEF    came with a rotation statement of this key
 *
 * A key without such a file may sign everything at any time. Several names, several baselines: one of them must fit, for a
 * package with several targets each target. Strict: an unknown word is an error, because ignoring it would widen what is allowed.
 */
#ifndef HP_SIGNER_POLICY_H
#define HP_SIGNER_POLICY_H

#include "base/arena.h"
#include "base/buf.h"
#include "formats/manifest.h"
#include "formats/package.h"

#define HP_POLICY_LEN_MAX ((uint64_t)1 << 20) /* bytes of a policy file or of the revocation list */
#define HP_POLICY_LIST_MAX 4096u              /* names, baselines */

struct hp_policy_id {
	uint8_t id[HP_BUILD_ID_LEN_MAX];
	uint32_t len;
};

struct hp_policy {
	uint64_t not_before, not_after; /* seconds since 1970, 0 = no limit */
	const char **names;
	size_t names_cnt;
	struct hp_policy_id *baselines;
	size_t baselines_cnt;
	bool introduced;
	uint8_t introduced_by[HP_SIG_KEY_ID_LEN];
};

/* hp_policy_read(text, arena, ret, err): HP_E_FORMAT with the line, HP_E_LIMIT, HP_E_NOMEM. */
HP_MUST_CHECK int hp_policy_read(struct hp_view text, struct hp_arena *arena, struct hp_policy *ret, struct hp_err *err);
HP_MUST_CHECK int hp_policy_write(const struct hp_policy *policy, struct hp_buf *ret, struct hp_err *err);
/* hp_policy_empty(policy): true when it limits nothing and says nothing. */
bool hp_policy_empty(const struct hp_policy *policy);
/* hp_policy_allows(policy, man): name and build IDs of this package are among those that are allowed. */
bool hp_policy_allows(const struct hp_policy *policy, const struct hp_manifest *man);

#endif
