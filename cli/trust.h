/* Which keys a command trusts. Shared by verify, inspect, extract and the live program. */
#ifndef HP_CLI_TRUST_H
#define HP_CLI_TRUST_H

#include "base/err.h"
#include "cli/opts.h"
#include "signer/verify.h"

#define HP_TRUST_DIR "/etc/hpbuild/trusted.d"

/* Rows of an option table. `list` is a struct hp_opt_list. */
#define HP_OPT_TRUST(list) \
	{ 0, "trust", HP_OPT_LIST, &(list), "PUBKEY|DIR", "trust this key, or all *.pub of a folder" }

/* hp_cli_trust(paths, ret, err): the keys of --trust; without any, of HPBUILD_TRUST (paths joined by ':'), else of HP_TRUST_DIR.
 * HP_E_SIG: there is no key at all, with a hint what to do. ${ret} is released by the caller, also on failure. */
HP_MUST_CHECK int hp_cli_trust(const struct hp_opt_list *paths, struct hp_trust *ret, struct hp_err *err);

#endif
