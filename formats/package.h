/* Package container (.hpk): signed part + signature block. man/hpk.5 is the definition.
 *
 * Two levels, so that nothing is parsed before it is trusted:
 *   hp_pkg_split()  looks at sizes, magic and signature records only (called by signer/ and for `--unverified`);
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

/* Layout, little-endian, see hpk(5). Header, then rows of the chunk table, then the chunks without gaps; all that is signed. */
#define HP_PKG_MAGIC "\x89HPK\r\n\x1a\n" /* 8 bytes: this kind of signed statement only; no text transfer leaves it whole */
#define HP_PKG_VERSION 1u
#define HP_PKG_HEADER_LEN 24u /* magic, u32 version, u32 rows, u64 length of the signed part */
#define HP_PKG_ROW_LEN 40u    /* u32 id, u32 index, u32 flags, u32 zero, u64 offset, u64 stored length, u64 raw length */
#define HP_SIGS_MAGIC "\x89HPS\r\n\x1a\n" /* opens the signature block */
#define HP_SIGS_HEADER_LEN 16u /* magic, u32 records, u32 zero */
#define HP_SIGS_RECORD_LEN 72u /* key id, signature */

/* Rows ascend by (index, id). Ids are never reused. */
enum hp_chunk_id {
	HP_CHUNK_MANIFEST = 1, /* index 0, never compressed */
	HP_CHUNK_IMAGE = 2,    /* index: which target */
	HP_CHUNK_FIXUPS = 3,   /* likewise */
	/* Documents for people and tools: index 0, each at most once, always optional. */
	HP_CHUNK_PATCH = 16,      /* the source patch, whose digest the manifest tells */
	HP_CHUNK_PROVENANCE = 17, /* in-toto statement (JSON) */
	HP_CHUNK_VEX = 18,        /* OpenVEX document (JSON) */
};

enum hp_chunk_flags {
	HP_CHUNK_ZSTD = 1 << 0,     /* stored as one zstd frame */
	HP_CHUNK_OPTIONAL = 1 << 1, /* a reader that does not know the id skips it */
};

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
/* hp_pkg_join(signed_part, sigs, cnt, ret, err): append the file for a signed part and its records, which are sorted by key
 * id here. HP_E_FORMAT: ${signed_part} is none, or two records of one key; HP_E_LIMIT: too many records. */
HP_MUST_CHECK int hp_pkg_join(struct hp_view signed_part, const struct hp_sig_record *sigs, uint32_t cnt, struct hp_buf *ret,
                              struct hp_err *err);

/* What packager makes for one module: an ELF image and its fixups. image: the whole ELF file (see formats/image.h). */
struct hp_payload {
	struct hp_view image;
	struct hp_view fixups; /* records of formats/fixup.h */
};

/* What travels with the package and is signed with it, but changes nothing when it is applied. len 0: not there. */
struct hp_pkg_docs {
	struct hp_view patch, provenance, vex;
};

struct hp_pkg {
	struct hp_arena arena;     /* owns the rest */
	uint8_t id[HP_PKG_ID_LEN]; /* first bytes of the digest that is signed: BLAKE2b-512 of the signed part */
	struct hp_view manifest;   /* JSON as it was signed; points into the signed part */
	struct hp_manifest *man;
	struct hp_payload *payloads; /* man->targets_cnt of them */
	struct hp_pkg_docs docs;     /* as they were signed; not parsed */
};

/* hp_pkg_parse(signed_part, ret, err): everything checked: chunk table (order, bounds, no gaps, no overlaps, no duplicates,
 * unknown required chunks), manifest, decompressed images against their signed sizes, fixups (hp_fixups_check), function
 * payload addresses inside the image. ${ret} is released with hp_pkg_release() on success only. */
HP_MUST_CHECK int hp_pkg_parse(struct hp_view signed_part, struct hp_pkg *ret, struct hp_err *err);
/* hp_pkg_parse_hashed(signed_part, digest, ret, err): the same for a caller that has its BLAKE2b-512, 64 bytes, already. */
HP_MUST_CHECK int hp_pkg_parse_hashed(struct hp_view signed_part, const uint8_t *digest, struct hp_pkg *ret, struct hp_err *err);
void hp_pkg_release(struct hp_pkg *pkg);
/* hp_pkg_build_with(man, payloads, docs, ret_signed_part, err): the reverse; deterministic. payloads: man->targets_cnt. What
 * hp_pkg_parse() would refuse is refused here, also a patch whose digest is not man->source_patch. An empty image is for a
 * target without functions in a package that requires a restart. */
HP_MUST_CHECK int hp_pkg_build_with(const struct hp_manifest *man, const struct hp_payload *payloads,
                                    const struct hp_pkg_docs *docs, struct hp_buf *ret_signed_part, struct hp_err *err);
/* hp_pkg_build(): without documents. */
HP_MUST_CHECK int hp_pkg_build(const struct hp_manifest *man, const struct hp_payload *payloads, struct hp_buf *ret_signed_part,
                               struct hp_err *err);

#endif
