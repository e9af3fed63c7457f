/* Options against rollback and freeze, for `verify` (which only looks) and `apply` (which remembers). signer/floor.h is below. */
#ifndef HP_CLI_ROLLBACK_H
#define HP_CLI_ROLLBACK_H

#include <stdbool.h>

#include "base/err.h"
#include "cli/opts.h"
#include "formats/verified.h"

#define HP_STATE_DIR "/var/lib/hpbuild"

struct hp_rollback {
	const char *state; /* --state, NULL = HPBUILD_STATE, else HP_STATE_DIR for root and a folder of their own for others */
	bool allow_downgrade, allow_expired;
};

/* Rows of an option table. `rb` is a struct hp_rollback. */
#define HP_OPT_ROLLBACK(rb) \
	{ 0, "allow-expired", HP_OPT_FLAG, &(rb).allow_expired, NULL, "accept a package that has expired" }, \
	{ 0, "allow-downgrade", HP_OPT_FLAG, &(rb).allow_downgrade, NULL, "accept a package older than one applied before" }, \
	{ 0, "state", HP_OPT_STR, &(rb).state, "DIR", "what was applied before (default: " HP_STATE_DIR ")" }

/* What was overridden: for reports. */
struct hp_overrides {
	bool downgrade, expired;
};

/* hp_rollback_check(rb, pkg, ret, err): HP_E_EXPIRED: older than what was applied here. Warns of every override that was needed.
 */
HP_MUST_CHECK int hp_rollback_check(const struct hp_rollback *rb, const struct hp_verified_pkg *pkg, struct hp_overrides *ret,
                                    struct hp_err *err);
/* hp_rollback_before(rb, pkg, pid, dry_run, err): the same for apply, before anything is changed; unless ${dry_run} it also sees
 * that the floor can be raised afterwards, and records overrides. */
HP_MUST_CHECK int hp_rollback_before(const struct hp_rollback *rb, const struct hp_verified_pkg *pkg, int pid, bool dry_run,
                                     struct hp_err *err);
/* hp_rollback_after(rb, pkg, err): applied: raise the floor. */
HP_MUST_CHECK int hp_rollback_after(const struct hp_rollback *rb, const struct hp_verified_pkg *pkg, struct hp_err *err);

#endif
