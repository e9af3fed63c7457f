/* A package whose signatures were checked. The applier takes only this type, and only signer/verify.c makes one
 * (tests/lint checks that), so an unverified package cannot be applied by mistake. */
#ifndef HP_FORMATS_VERIFIED_H
#define HP_FORMATS_VERIFIED_H

#include "base/buf.h"
#include "formats/package.h"

struct hp_verified_pkg {
	struct hp_buf file; /* the private copy that was verified, whole file; pkg and parts point into it */
	struct hp_pkg_parts parts;
	struct hp_pkg pkg;
	uint8_t signers[HP_PKG_SIGS_MAX][HP_SIG_KEY_ID_LEN]; /* trusted keys with a valid record */
	uint32_t signers_cnt;                                /* >= 1 */
};

void hp_verified_pkg_free(struct hp_verified_pkg *pkg); /* NULL allowed */

static inline void
hp_verified_pkg_auto(struct hp_verified_pkg **pkg)
{
	hp_verified_pkg_free(*pkg);
}

#endif
