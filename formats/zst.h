/* zstd: one frame, one call. The only header user of zstd.h is formats/zst.c. */
#ifndef HP_FORMATS_ZST_H
#define HP_FORMATS_ZST_H

#include "base/buf.h"
#include "base/err.h"

/* hp_zst_pack(raw, ret, err): append one frame (level 19, single-threaded, content size and checksum on): deterministic for one
 * library version. */
HP_MUST_CHECK int hp_zst_pack(struct hp_view raw, struct hp_buf *ret, struct hp_err *err);
/* hp_zst_unpack(frame, raw_len, ret, err): append exactly ${raw_len} bytes. HP_E_FORMAT: not one whole frame, no content size or
 * another one, a dictionary. The caller bounds ${raw_len}; memory: raw_len and zstd's tables, no window. */
HP_MUST_CHECK int hp_zst_unpack(struct hp_view frame, uint64_t raw_len, struct hp_buf *ret, struct hp_err *err);
/* hp_zst_unpack_to(frame, raw_len, dest, err): the same into ${raw_len} bytes at ${dest}; what they hold after a failure is
 * undefined. */
HP_MUST_CHECK int hp_zst_unpack_to(struct hp_view frame, uint64_t raw_len, uint8_t *dest, struct hp_err *err);

#endif
