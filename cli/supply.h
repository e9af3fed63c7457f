/* Documents that travel in a package: source patch, provenance (in-toto statement with SLSA's predicate), OpenVEX.
 *
 * All of them are made from inputs alone, no clock, no folder, no host name, so that a package stays reproducible.
 */
#ifndef HP_CLI_SUPPLY_H
#define HP_CLI_SUPPLY_H

#include "base/buf.h"
#include "base/err.h"
#include "packager/pack.h"

#define HP_PATCH_LEN_MAX ((uint64_t)64 << 20) /* bytes of all source patches together */
#define HP_DOC_LEN_MAX ((uint64_t)16 << 20)   /* bytes of a document that --vex gives */

struct hp_supply {
	/* What the verb knows. */
	const char *const *patches; /* paths of the source patches, in order */
	unsigned patches_cnt;
	const char *vex;            /* path of an OpenVEX document, NULL = made when the manifest names fixes */
	const char *builder;        /* URI that says who built, NULL = a neutral one */
	char *const *command;       /* build command, terminated by NULL; NULL = objects were given */
	bool digest_only;           /* the manifest tells the patch's digest, the package does not carry its text */
	/* Filled by hp_supply_open(). */
	struct hp_buf patch_bytes, vex_bytes;
};

/* hp_supply_open(s, err): read patches (joined in order) and the VEX document. HP_E_IO, HP_E_LIMIT, HP_E_FORMAT. */
HP_MUST_CHECK int hp_supply_open(struct hp_supply *s, struct hp_err *err);
void hp_supply_release(struct hp_supply *s);

/* hp_supply_add(s, set, baselines, cnt, signed_part, err): replace ${signed_part} by one with the documents in it, and with the
 * digest of the patch in its manifest. HP_E_FORMAT also: the meta file tells another digest. */
HP_MUST_CHECK int hp_supply_add(const struct hp_supply *s, const struct hp_patchset *set,
                                const struct hp_pack_baseline *baselines, size_t cnt, struct hp_buf *signed_part,
                                struct hp_err *err);

#endif
