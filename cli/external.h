/* An external signer: a command that holds the secret key somewhere else (a token, a service) and signs a digest for us. */
#ifndef HP_CLI_EXTERNAL_H
#define HP_CLI_EXTERNAL_H

#include "base/err.h"
#include "formats/minisign.h"

/* hp_external_sign(command, key_id, digest, ret, err): run ${command} with sh(1). It reads the 64 bytes of ${digest} as 128
 * hexadecimal digits and a newline, has the key's id in HPBUILD_KEY_ID, and prints the Ed25519 signature over these 64 bytes: 128
 * hexadecimal digits, or a minisign signature file. Its messages go to our stderr.
 * HP_E_IO: cannot be run, or ended with another status than 0; HP_E_FORMAT: printed something else. Whether the signature is
 * right is the caller's to check. */
HP_MUST_CHECK int hp_external_sign(const char *command, const uint8_t *key_id, const uint8_t digest[64],
                                   struct hp_sig_record *ret, struct hp_err *err);

#endif
