/* Growable byte buffer for what we write. A failed append leaves the buffer as it was and returns HP_E_NOMEM.
 * `p` is malloc'ed; hp_buf_release() frees it. A zeroed struct is an empty buffer. */
#ifndef HP_BASE_BUF_H
#define HP_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"

struct hp_buf {
	uint8_t *p;
	size_t len; /* bytes used */
	size_t cap; /* bytes allocated */
};

void hp_buf_release(struct hp_buf *buf);
/* hp_buf_reserve(buf, len, err): room for ${len} more bytes. */
HP_MUST_CHECK int hp_buf_reserve(struct hp_buf *buf, size_t len, struct hp_err *err);
HP_MUST_CHECK int hp_buf_add(struct hp_buf *buf, const void *p, size_t len, struct hp_err *err);
HP_MUST_CHECK int hp_buf_add_zero(struct hp_buf *buf, size_t len, struct hp_err *err);
/* hp_buf_align(buf, align, err): add zero bytes until len is a multiple of ${align} (a power of two). */
HP_MUST_CHECK int hp_buf_align(struct hp_buf *buf, size_t align, struct hp_err *err);
HP_MUST_CHECK int hp_buf_add_u32(struct hp_buf *buf, uint32_t v, struct hp_err *err);
HP_MUST_CHECK int hp_buf_add_u64(struct hp_buf *buf, uint64_t v, struct hp_err *err);

static inline struct hp_view
hp_buf_view(const struct hp_buf *buf)
{
	return hp_view_of(buf->p, buf->len);
}

static inline void
hp_buf_auto(struct hp_buf *buf)
{
	hp_buf_release(buf);
}

#endif
