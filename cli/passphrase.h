/* Passphrases of secret keys: from a file descriptor, or from the terminal, never from the command line. */
#ifndef HP_CLI_PASSPHRASE_H
#define HP_CLI_PASSPHRASE_H

#include <stdint.h>

#include "base/err.h"
#include "signer/keys.h"

#define HP_NO_FD UINT64_MAX /* --passphrase-fd was not given */

/* hp_cli_passphrase(fd, confirm, hint, ret, err): one line of ${fd}; for HP_NO_FD, asked on the terminal (twice with
 * ${confirm}). Without a terminal HP_E_USAGE, which names ${hint}, the options to use instead. */
HP_MUST_CHECK int hp_cli_passphrase(uint64_t fd, bool confirm, const char *hint, struct hp_secret **ret, struct hp_err *err);

/* hp_cli_seckey(path, fd, ret, err): the unlocked key in ${path}; asks for the passphrase only if there is one. */
HP_MUST_CHECK int hp_cli_seckey(const char *path, uint64_t fd, struct hp_seckey **ret, struct hp_err *err);

#endif
