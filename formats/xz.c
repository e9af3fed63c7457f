#include "formats/xz.h"

#include <lzma.h>

#include "base/cleanup.h"
#include "formats/limits.h"

static inline void
xz_auto(lzma_stream *s)
{
	lzma_end(s);
}

static int
failed(lzma_ret r, struct hp_err *err)
{
	if (r == LZMA_MEM_ERROR)
		return hp_err_set(err, HP_E_NOMEM, "no memory to decompress");
	if (r == LZMA_MEMLIMIT_ERROR)
		return hp_err_set(err, HP_E_LIMIT, "xz stream wants more than %llu bytes of memory",
		                  (unsigned long long)HP_XZ_MEMORY_MAX);
	return hp_err_set(err, HP_E_FORMAT, "xz stream is damaged or cut short (liblzma: %d)", (int)r);
}

int
hp_xz_unpack(struct hp_view stream, uint64_t max_len, struct hp_buf *ret, struct hp_err *err)
{
	HP_AUTO(xz) lzma_stream s = LZMA_STREAM_INIT;
	uint8_t block[65536];
	uint64_t total = 0;
	lzma_ret r = lzma_stream_decoder(&s, HP_XZ_MEMORY_MAX, 0);

	s.next_in = stream.p;
	s.avail_in = stream.len;
	while (r == LZMA_OK) {
		size_t len;
		int e;

		s.next_out = block;
		s.avail_out = sizeof(block);
		r = lzma_code(&s, LZMA_FINISH);
		if (r != LZMA_OK && r != LZMA_STREAM_END)
			break;
		len = sizeof(block) - s.avail_out;
		total += len;
		if (total > max_len)
			return hp_err_set(err, HP_E_LIMIT, "xz stream holds more than %llu bytes", (unsigned long long)max_len);
		e = hp_buf_add(ret, block, len, err);
		if (e < 0)
			return e;
	}
	if (r != LZMA_STREAM_END)
		return failed(r, err);
	return s.avail_in == 0 ? 0 : hp_err_set(err, HP_E_FORMAT, "%zu bytes behind the xz stream", s.avail_in);
}

uint32_t
hp_xz_crc32(struct hp_view data)
{
	return lzma_crc32(data.p, data.len, 0);
}
