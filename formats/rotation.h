/* Rotation statement: the holder of a key introduces its successor. hpk(5), "Rotation statement", is the definition.
 *
 * Layout only; signer/rotate.h makes and checks them. The magic differs from that of packages, so that a signature over one can
 * never count as one over the other.
 */
#ifndef HP_FORMATS_ROTATION_H
#define HP_FORMATS_ROTATION_H

#include "base/err.h"
#include "base/view.h"
#include "formats/minisign.h"

#define HP_ROTATION_MAGIC "\x89HPR\r\n\x1a\n"
#define HP_ROTATION_VERSION 1u
#define HP_ROTATION_LEN 208u
#define HP_ROTATION_OLD_LEN 80u  /* bytes that the old key signs */
#define HP_ROTATION_NEW_LEN 144u /* bytes that the new key signs: those, and the old key's signature */

struct hp_rotation {
	uint8_t old_id[HP_SIG_KEY_ID_LEN];
	struct hp_pubkey next;   /* the new key */
	uint64_t not_before;     /* seconds since 1970: the new key counts from then on, 0 = at once */
	uint64_t retire;         /* the old key counts until then, 0 = as before */
	uint8_t old_sig[HP_SIG_LEN], new_sig[HP_SIG_LEN];
};

/* hp_rotation_read(data, ret, err): HP_E_FORMAT: not exactly one statement of version 1, or old and new key are the same. */
HP_MUST_CHECK int hp_rotation_read(struct hp_view data, struct hp_rotation *ret, struct hp_err *err);
/* hp_rotation_write(rot, ret): HP_ROTATION_LEN bytes. */
void hp_rotation_write(const struct hp_rotation *rot, uint8_t *ret);

#endif
