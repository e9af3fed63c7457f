/* Verification: the only maker of struct hp_verified_pkg. Builds without sign.c and keys.c.
 *
 * Order: read once, split (sizes and records), hash, check signatures; only then is anything parsed. ${now} and expiry come last.
 * A package is accepted when every record of a trusted key is valid, records of unknown keys are absent (or ignored on
 * demand), and at least ${require} distinct trusted keys have signed. A key that is revoked, outside of its time, or not allowed
 * to sign this package (signer/keyring.h) is treated like an unknown one.
 */
#ifndef HP_SIGNER_VERIFY_H
#define HP_SIGNER_VERIFY_H

#include <stdbool.h>

#include "base/err.h"
#include "base/view.h"
#include "formats/minisign.h"
#include "formats/verified.h"
#include "signer/keyring.h"

struct hp_verify_opts {
	uint32_t require;    /* distinct trusted keys that must have signed; 0 counts as 1 */
	bool ignore_unknown; /* records of unknown keys are skipped instead of refused */
	bool allow_expired;
	bool any_key_state;  /* revoked and outdated keys count: to show or take back what was accepted earlier */
	uint64_t now; /* seconds since 1970; 0 = ask the clock */
};

/* hp_verify_file(path, trust, opts, ret, err), hp_verify_bytes(data, ...): read or copy into private memory and verify.
 * HP_E_FORMAT, HP_E_LIMIT: not a package, or malformed; HP_E_SIG: unsigned, a wrong signature, unknown or too few keys;
 * HP_E_EXPIRED; HP_E_IO; HP_E_NOMEM. ${ret} is freed with hp_verified_pkg_free(). O(size). */
HP_MUST_CHECK int hp_verify_file(const char *path, const struct hp_trust *trust, const struct hp_verify_opts *opts,
                                 struct hp_verified_pkg **ret, struct hp_err *err);
HP_MUST_CHECK int hp_verify_bytes(struct hp_view data, const struct hp_trust *trust, const struct hp_verify_opts *opts,
                                  struct hp_verified_pkg **ret, struct hp_err *err);

#endif
