#include "formats/zst.h"

#include <zstd.h>

#include "base/cleanup.h"

#define LEVEL 19

static inline void
hp_zst_cctx_auto(ZSTD_CCtx **c)
{
	(void)ZSTD_freeCCtx(*c);
}

static inline void
hp_zst_dctx_auto(ZSTD_DCtx **d)
{
	(void)ZSTD_freeDCtx(*d);
}

static int
set_param(ZSTD_CCtx *c, ZSTD_cParameter param, int value, struct hp_err *err)
{
	size_t r = ZSTD_CCtx_setParameter(c, param, value);

	return ZSTD_isError(r) ? hp_err_set(err, HP_E_INTERNAL, "zstd: %s", ZSTD_getErrorName(r)) : 0;
}

int
hp_zst_pack(struct hp_view raw, struct hp_buf *ret, struct hp_err *err)
{
	HP_AUTO(hp_zst_cctx) ZSTD_CCtx *c = ZSTD_createCCtx();
	size_t bound = ZSTD_compressBound(raw.len), n;
	int r;

	if (c == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory to compress");
	if (ZSTD_isError(bound))
		return hp_err_set(err, HP_E_LIMIT, "%zu bytes are too many to compress", raw.len);
	r = set_param(c, ZSTD_c_compressionLevel, LEVEL, err);
	if (r == 0)
		r = set_param(c, ZSTD_c_checksumFlag, 1, err);
	if (r == 0)
		r = hp_buf_reserve(ret, bound, err);
	if (r < 0)
		return r;
	n = ZSTD_compress2(c, ret->p + ret->len, bound, raw.p, raw.len);
	if (ZSTD_isError(n))
		return hp_err_set(err, HP_E_NOMEM, "cannot compress %zu bytes: %s", raw.len, ZSTD_getErrorName(n));
	ret->len += n;
	return 0;
}

/* One frame and nothing else. A skippable frame has another magic number, and its "content size" would be 0. */
static int
check_frame(struct hp_view frame, uint64_t raw_len, struct hp_err *err)
{
	unsigned long long said;
	uint32_t magic;
	size_t n;

	if (!hp_view_u32(frame, 0, &magic) || magic != ZSTD_MAGICNUMBER)
		return hp_err_set(err, HP_E_FORMAT, "%zu bytes are not a zstd frame", frame.len);
	said = ZSTD_getFrameContentSize(frame.p, frame.len);
	if (said == ZSTD_CONTENTSIZE_ERROR || said == ZSTD_CONTENTSIZE_UNKNOWN)
		return hp_err_set(err, HP_E_FORMAT, "zstd frame does not tell its content size");
	if (said != raw_len)
		return hp_err_set(err, HP_E_FORMAT, "zstd frame holds %llu bytes, expected %llu", said,
		                  (unsigned long long)raw_len);
	if (ZSTD_getDictID_fromFrame(frame.p, frame.len) != 0)
		return hp_err_set(err, HP_E_FORMAT, "zstd frame wants a dictionary");
	n = ZSTD_findFrameCompressedSize(frame.p, frame.len);
	if (ZSTD_isError(n))
		return hp_err_set(err, HP_E_FORMAT, "zstd frame is cut short or damaged: %s", ZSTD_getErrorName(n));
	if (n != frame.len)
		return hp_err_set(err, HP_E_FORMAT, "zstd frame ends after %zu of %zu bytes", n, frame.len);
	return 0;
}

int
hp_zst_unpack_to(struct hp_view frame, uint64_t raw_len, uint8_t *dest, struct hp_err *err)
{
	HP_AUTO(hp_zst_dctx) ZSTD_DCtx *d = NULL;
	uint8_t none; /* zstd wants a valid pointer also for nothing */
	size_t n;
	int r = check_frame(frame, raw_len, err);

	if (r < 0)
		return r;
	d = ZSTD_createDCtx();
	if (d == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory to decompress");
	n = ZSTD_decompressDCtx(d, raw_len > 0 ? dest : &none, (size_t)raw_len, frame.p, frame.len);
	if (ZSTD_isError(n))
		return hp_err_set(err, HP_E_FORMAT, "zstd frame is damaged: %s", ZSTD_getErrorName(n));
	if (n != raw_len)
		return hp_err_set(err, HP_E_FORMAT, "zstd frame gave %zu bytes, expected %llu", n, (unsigned long long)raw_len);
	return 0;
}

int
hp_zst_unpack(struct hp_view frame, uint64_t raw_len, struct hp_buf *ret, struct hp_err *err)
{
	int r = check_frame(frame, raw_len, err);

	if (r == 0 && raw_len > SIZE_MAX)
		r = hp_err_set(err, HP_E_NOMEM, "no memory for %llu bytes", (unsigned long long)raw_len);
	if (r == 0)
		r = hp_buf_reserve(ret, (size_t)raw_len, err);
	if (r == 0)
		r = hp_zst_unpack_to(frame, raw_len, ret->p + ret->len, err);
	if (r == 0)
		ret->len += (size_t)raw_len;
	return r;
}
