/* xz streams, as in .gnu_debugdata. The only user of lzma.h is formats/xz.c. */
#ifndef HP_FORMATS_XZ_H
#define HP_FORMATS_XZ_H

#include "base/buf.h"
#include "base/err.h"
#include "base/view.h"

/* hp_xz_unpack(stream, max_len, ret, err): append what ${stream}, one xz stream and nothing else, holds. HP_E_FORMAT damaged or
 * cut short; HP_E_LIMIT more than ${max_len} bytes, or a dictionary beyond HP_XZ_MEMORY_MAX. O(bytes that come out). */
HP_MUST_CHECK int hp_xz_unpack(struct hp_view stream, uint64_t max_len, struct hp_buf *ret, struct hp_err *err);
/* hp_xz_crc32(data): the CRC-32 of IEEE 802.3, which .gnu_debuglink uses as well. */
uint32_t hp_xz_crc32(struct hp_view data);

#endif
