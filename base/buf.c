#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

void
hp_buf_release(struct hp_buf *buf)
{
	free(buf->p);
	*buf = (struct hp_buf){ 0 };
}

int
hp_buf_reserve(struct hp_buf *buf, size_t len, struct hp_err *err)
{
	size_t need, cap = buf->cap ? buf->cap : 256;
	uint8_t *p;

	if (__builtin_add_overflow(buf->len, len, &need) || need > SIZE_MAX / 2)
		return hp_err_set(err, HP_E_NOMEM, "buffer of %zu bytes cannot grow by %zu", buf->len, len);
	if (need <= buf->cap)
		return 0;
	while (cap < need)
		cap *= 2;
	p = realloc(buf->p, cap);
	if (p == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for a buffer of %zu bytes", cap);
	buf->p = p;
	buf->cap = cap;
	return 0;
}

int
hp_buf_add(struct hp_buf *buf, const void *p, size_t len, struct hp_err *err)
{
	int r = hp_buf_reserve(buf, len, err);

	if (r < 0)
		return r;
	if (len > 0)
		memcpy(buf->p + buf->len, p, len);
	buf->len += len;
	return 0;
}

int
hp_buf_add_zero(struct hp_buf *buf, size_t len, struct hp_err *err)
{
	int r = hp_buf_reserve(buf, len, err);

	if (r < 0)
		return r;
	if (len > 0)
		memset(buf->p + buf->len, 0, len);
	buf->len += len;
	return 0;
}

int
hp_buf_align(struct hp_buf *buf, size_t align, struct hp_err *err)
{
	return hp_buf_add_zero(buf, (align - buf->len % align) % align, err);
}

int
hp_buf_add_u32(struct hp_buf *buf, uint32_t v, struct hp_err *err)
{
	uint8_t b[4];

	hp_le32_put(b, v);
	return hp_buf_add(buf, b, sizeof(b), err);
}

int
hp_buf_add_u64(struct hp_buf *buf, uint64_t v, struct hp_err *err)
{
	uint8_t b[8];

	hp_le64_put(b, v);
	return hp_buf_add(buf, b, sizeof(b), err);
}
