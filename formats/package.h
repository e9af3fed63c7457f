/* Package container (.hpk): signed part + signature block. man/hpk.5 is the definition.
 *
 * Two levels, so that nothing is parsed before it is trusted:
 *   hp_pkg_split()  looks at sizes, magic and signature records only (see signer/verify.h, its only caller besides `--unverified`);
 *   hp_pkg_parse()  reads chunk table, manifest, images and fixups of a signed part.
 * Views point into the caller's bytes, which must outlive them; images are decompressed into the package's own memory.
 */
#ifndef HP_FORMATS_PACKAGE_H
#define HP_FORMATS_PACKAGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/view.h"
#include "formats/fixup.h"
#include "formats/manifest.h"

#define HP_SIG_KEY_ID_LEN 8u
#define HP_SIG_LEN 64u
#define HP_PKG_ID_LEN 16u /* bytes; printed as 32 hex digits */

struct hp_sig_record {
	uint8_t key_id[HP_SIG_KEY_ID_LEN];
	uint8_t sig[HP_SIG_LEN]; /* Ed25519 over BLAKE2b-512 of the signed part, as in minisign's "ED" */
};

struct hp_pkg_parts {
	struct hp_view signed_part; /* all bytes that a signature covers */
	struct hp_sig_record sigs[HP_PKG_SIGS_MAX];
	uint32_t sigs_cnt; /* 0: unsigned */
};

/* hp_pkg_split(file, ret, err): find signed part and records. Every byte of ${file} belongs to one of the two.
 * HP_E_FORMAT: not a package, wrong version, sizes that do not add up, duplicate key ids, trailing bytes. */
HP_MUST_CHECK int hp_pkg_split(struct hp_view file, struct hp_pkg_parts *ret, struct hp_err *err);
/* hp_pkg_join(signed_part, sigs, cnt, ret, err): the file for a signed part and its records (sorted by key id). */
HP_MUST_CHECK int hp_pkg_join(struct hp_view signed_part, const struct hp_sig_record *sigs, uint32_t cnt, struct hp_buf *ret,
                              struct hp_err *err);

/* What packager makes for one module: an ELF image and its fixups. image: the whole ELF file (see formats/image.h). */
struct hp_payload {
	struct hp_view image;
	struct hp_view fixups; /* records of formats/fixup.h */
};

struct hp_pkg {
	struct hp_arena arena;     /* owns the rest */
	uint8_t id[HP_PKG_ID_LEN]; /* first bytes of BLAKE2b-256 of the signed part */
	struct hp_manifest *man;
	struct hp_payload *payloads; /* man->targets_cnt of them */
};

/* hp_pkg_parse(signed_part, ret, err): everything checked: chunk table (order, bounds, no gaps, no overlaps, no duplicates,
 * unknown required chunks), manifest, decompressed images against their signed sizes, fixups (hp_fixups_check), function
 * payload addresses inside the image. ${ret} is released with hp_pkg_release() on success only. */
HP_MUST_CHECK int hp_pkg_parse(struct hp_view signed_part, struct hp_pkg *ret, struct hp_err *err);
void hp_pkg_release(struct hp_pkg *pkg);
/* hp_pkg_build(man, payloads, ret_signed_part, err): the reverse; deterministic. payloads: man->targets_cnt. */
HP_MUST_CHECK int hp_pkg_build(const struct hp_manifest *man, const struct hp_payload *payloads, struct hp_buf *ret_signed_part,
                               struct hp_err *err);

#endif
