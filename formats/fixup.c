#include "formats/fixup.h"

#include <inttypes.h>

#include "base/le.h"
#include "formats/limits.h"

static const char *const form_names[] = { "?", "abs64", "abs32", "abs32s", "pc32" };
static const char *const kind_names[] = { "?", "payload", "module", "slot", "import", "tls-mod", "tls-off", "peer" };

unsigned
hp_fixup_len(enum hp_fixup_form form)
{
	switch (form) {
	case HP_FORM_ABS64:
		return 8;
	case HP_FORM_ABS32:
	case HP_FORM_ABS32S:
	case HP_FORM_PC32:
		return 4;
	}
	return 0;
}

const char *
hp_fixup_form_name(enum hp_fixup_form form)
{
	return (unsigned)form < sizeof(form_names) / sizeof(form_names[0]) ? form_names[form] : "?";
}

const char *
hp_fixup_kind_name(enum hp_fixup_kind kind)
{
	return (unsigned)kind < sizeof(kind_names) / sizeof(kind_names[0]) ? kind_names[kind] : "?";
}

int
hp_fixup_add(struct hp_buf *buf, const struct hp_fixup *f, struct hp_err *err)
{
	uint8_t rec[HP_FIXUP_LEN];

	hp_le64_put(rec, f->place);
	rec[8] = (uint8_t)f->form;
	rec[9] = (uint8_t)f->kind;
	hp_le16_put(rec + 10, f->module);
	hp_le32_put(rec + 12, f->import);
	hp_le64_put(rec + 16, f->target);
	hp_le64_put(rec + 24, (uint64_t)f->addend);
	return hp_buf_add(buf, rec, sizeof(rec), err);
}

struct hp_fixup
hp_fixup_get(struct hp_view table, uint32_t idx)
{
	const uint8_t *rec = table.p + (size_t)idx * HP_FIXUP_LEN;

	return (struct hp_fixup){
		.place = hp_le64_get(rec),
		.form = rec[8],
		.kind = rec[9],
		.module = hp_le16_get(rec + 10),
		.import = hp_le32_get(rec + 12),
		.target = hp_le64_get(rec + 16),
		.addend = (int64_t)hp_le64_get(rec + 24),
	};
}

/* What the fields besides place may hold for each kind. */
static int
check_kind(const struct hp_fixup *f, uint32_t idx, uint64_t image_len, uint32_t targets_cnt, uint32_t imports_cnt,
           struct hp_err *err)
{
	bool wants_module = f->kind == HP_KIND_MODULE || f->kind == HP_KIND_SLOT || f->kind == HP_KIND_TLS_MOD ||
	                    f->kind == HP_KIND_TLS_OFF || f->kind == HP_KIND_PEER;
	bool wants_import = f->kind == HP_KIND_IMPORT || f->kind == HP_KIND_PEER;
	bool wants_target = f->kind == HP_KIND_PAYLOAD || f->kind == HP_KIND_MODULE || f->kind == HP_KIND_SLOT ||
	                    f->kind == HP_KIND_PEER;

	if (f->kind < HP_KIND_PAYLOAD || f->kind > HP_KIND_PEER)
		return hp_err_set(err, HP_E_FORMAT, "fixup %" PRIu32 ": unknown kind %u", idx, (unsigned)f->kind);
	if (wants_module ? f->module >= targets_cnt : f->module != 0)
		return hp_err_set(err, HP_E_FORMAT, "fixup %" PRIu32 " (%s): module index %u, targets %" PRIu32, idx,
		                  hp_fixup_kind_name(f->kind), f->module, targets_cnt);
	if (wants_import ? f->import >= imports_cnt : f->import != HP_FIXUP_NO_IMPORT)
		return hp_err_set(err, HP_E_FORMAT, "fixup %" PRIu32 " (%s): import index %" PRIu32 ", imports %" PRIu32, idx,
		                  hp_fixup_kind_name(f->kind), f->import, imports_cnt);
	if ((wants_import && f->form != HP_FORM_ABS64) || (f->kind == HP_KIND_IMPORT && f->target > HP_FIXUP_WEAK) ||
	    (!wants_import && !wants_target && f->target != 0))
		return hp_err_set(err, HP_E_FORMAT, "fixup %" PRIu32 " (%s): wrong target or form", idx,
		                  hp_fixup_kind_name(f->kind));
	if (f->kind == HP_KIND_PAYLOAD && f->target > image_len)
		return hp_err_set(err, HP_E_FORMAT, "fixup %" PRIu32 ": target 0x%" PRIx64 " outside the image of 0x%" PRIx64,
		                  idx,
		                  f->target, image_len);
	return 0;
}

int
hp_fixups_check(struct hp_view table, uint64_t image_len, uint32_t targets_cnt, uint32_t imports_cnt, uint32_t *ret_cnt,
                struct hp_err *err)
{
	uint64_t free_from = 0; /* first byte behind the place before */
	uint32_t cnt;

	if (table.len % HP_FIXUP_LEN != 0)
		return hp_err_set(err, HP_E_FORMAT, "fixup table of %zu bytes is not whole records", table.len);
	if (table.len / HP_FIXUP_LEN > HP_PKG_FIXUPS_MAX)
		return hp_err_set(err, HP_E_LIMIT, "%zu fixups, at most %u", table.len / HP_FIXUP_LEN, HP_PKG_FIXUPS_MAX);
	cnt = (uint32_t)(table.len / HP_FIXUP_LEN);
	for (uint32_t i = 0; i < cnt; i++) {
		struct hp_fixup f = hp_fixup_get(table, i);
		unsigned len = hp_fixup_len(f.form);
		int r;

		if (len == 0)
			return hp_err_set(err, HP_E_FORMAT, "fixup %" PRIu32 ": unknown form %u", i, (unsigned)f.form);
		if (f.place > image_len || len > image_len - f.place)
			return hp_err_set(err, HP_E_FORMAT,
			                  "fixup %" PRIu32 ": place 0x%" PRIx64 " outside the image of 0x%" PRIx64, i,
			                  f.place, image_len);
		if (f.place < free_from)
			return hp_err_set(err, HP_E_FORMAT, "fixup %" PRIu32 ": place 0x%" PRIx64 " is unsorted or overlaps", i,
			                  f.place);
		free_from = f.place + len;
		r = check_kind(&f, i, image_len, targets_cnt, imports_cnt, err);
		if (r < 0)
			return r;
	}
	*ret_cnt = cnt;
	return 0;
}

int
hp_fixup_encode(const struct hp_fixup *f, uint64_t value, uint64_t place_va, uint8_t *ret_bytes, struct hp_err *err)
{
	int64_t field;
	bool fits = false;

	switch (f->form) {
	case HP_FORM_ABS64:
		hp_le64_put(ret_bytes, value);
		return 0;
	case HP_FORM_ABS32:
		fits = value <= UINT32_MAX;
		break;
	case HP_FORM_ABS32S:
		field = (int64_t)value;
		fits = field >= INT32_MIN && field <= INT32_MAX;
		break;
	case HP_FORM_PC32:
		value -= place_va;
		field = (int64_t)value;
		fits = field >= INT32_MIN && field <= INT32_MAX;
		break;
	}
	if (!fits)
		return hp_err_set(err, HP_E_REFUSED, "fixup at 0x%" PRIx64 ": value 0x%" PRIx64 " does not fit %s", f->place,
		                  value,
		                  hp_fixup_form_name(f->form));
	hp_le32_put(ret_bytes, (uint32_t)value);
	return 0;
}
