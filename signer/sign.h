/* Signing. Needs an unlocked secret key (signer/keys.h). Deterministic: Ed25519 signatures of one key and one input are equal. */
#ifndef HP_SIGNER_SIGN_H
#define HP_SIGNER_SIGN_H

#include "base/buf.h"
#include "base/err.h"
#include "signer/keys.h"

/* hp_sign_pkg(file, key, ret_file, err): append to ${ret_file} the package ${file} with a record of ${key} added, or replaced.
 * Refuses what hp_pkg_parse() refuses. HP_E_FORMAT, HP_E_LIMIT (too many records), HP_E_NOMEM. */
HP_MUST_CHECK int hp_sign_pkg(struct hp_view file, const struct hp_seckey *key, struct hp_buf *ret_file, struct hp_err *err);

/* hp_sign_detached(file, key, trusted_comment, ret_text, err): append the .minisig file over the signed part of ${file}.
 * Refuses as above; HP_E_USAGE: the comment is too long or more than one line. */
HP_MUST_CHECK int hp_sign_detached(struct hp_view file, const struct hp_seckey *key, const char *trusted_comment,
                                   struct hp_buf *ret_text, struct hp_err *err);

/* hp_sign_attach(file, rec, pub, ret_file, err): as hp_sign_pkg(), with a record that somebody else made, which must be valid
 * under ${pub}. HP_E_SIG when it is not. */
HP_MUST_CHECK int hp_sign_attach(struct hp_view file, const struct hp_sig_record *rec, const struct hp_pubkey *pub,
                                 struct hp_buf *ret_file, struct hp_err *err);

/* hp_sign_check(file, ret, err): what all of the above do first: split, and refuse what hp_pkg_parse() refuses. */
HP_MUST_CHECK int hp_sign_check(struct hp_view file, struct hp_pkg_parts *ret, struct hp_err *err);

#endif
