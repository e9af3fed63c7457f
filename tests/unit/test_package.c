#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "formats/hash.h"
#include "formats/zst.h"
#include "tests/lib/sample_pkg.h"

static void
build(size_t targets_cnt, struct hp_buf *part)
{
	struct sample s;

	sample_init(&s);
	s.man.targets_cnt = targets_cnt;
	assert_int_equal(hp_pkg_build(&s.man, s.payloads, part, NULL), 0);
	sample_release(&s);
}

static int
parse(struct hp_view part)
{
	struct hp_pkg pkg;
	int r = hp_pkg_parse(part, &pkg, NULL);

	if (r == 0)
		hp_pkg_release(&pkg);
	return r;
}

static void
test_round_trip(void **state)
{
	HP_AUTO(hp_buf) struct hp_buf part = { 0 }, again = { 0 }, file = { 0 };
	struct hp_pkg_parts parts;
	struct hp_pkg pkg;
	struct sample s;
	uint8_t digest[64];

	(void)state;
	sample_init(&s);
	build(2, &part);
	build(2, &again);
	assert_true(hp_view_eq(hp_buf_view(&part), hp_buf_view(&again)));
	assert_int_equal(hp_pkg_join(hp_buf_view(&part), NULL, 0, &file, NULL), 0);
	assert_int_equal(hp_pkg_split(hp_buf_view(&file), &parts, NULL), 0);
	assert_int_equal(parts.sigs_cnt, 0);
	assert_true(hp_view_eq(parts.signed_part, hp_buf_view(&part)));
	assert_int_equal(hp_pkg_parse(parts.signed_part, &pkg, NULL), 0);
	assert_int_equal(pkg.man->targets_cnt, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_true(hp_view_eq(pkg.payloads[i].image, s.payloads[i].image));
		assert_true(hp_view_eq(pkg.payloads[i].fixups, s.payloads[i].fixups));
	}
	assert_int_equal(pkg.manifest.p[0], '{');
	hp_hash_512(hp_buf_view(&part), digest);
	assert_memory_equal(pkg.id, digest, HP_PKG_ID_LEN);
	hp_pkg_release(&pkg);
	sample_release(&s);
}

static void
test_restart_only(void **state)
{
	HP_AUTO(hp_buf) struct hp_buf part = { 0 };
	struct sample s;

	(void)state;
	sample_init(&s);
	s.man.restart_required = true;
	s.payloads[0] = (struct hp_payload){ 0 };
	assert_int_equal(hp_pkg_build(&s.man, s.payloads, &part, NULL), HP_E_FORMAT); /* functions without code */
	s.targets[0].funcs_cnt = 0;
	assert_int_equal(hp_pkg_build(&s.man, s.payloads, &part, NULL), HP_E_FORMAT); /* image_len */
	s.targets[0].image_len = 0;
	assert_int_equal(hp_pkg_build(&s.man, s.payloads, &part, NULL), 0);
	assert_int_equal(parse(hp_buf_view(&part)), 0);
	sample_release(&s);
}

static void
test_builder_refuses(void **state)
{
	HP_AUTO(hp_buf) struct hp_buf part = { 0 };
	struct sample s;

	(void)state;
	sample_init(&s);
	s.funcs[0].payload = 0x2000; /* constants, not code */
	assert_int_equal(hp_pkg_build(&s.man, s.payloads, &part, NULL), HP_E_FORMAT);
	s.funcs[0].payload = 0x1080; /* behind the code */
	assert_int_equal(hp_pkg_build(&s.man, s.payloads, &part, NULL), HP_E_FORMAT);
	s.funcs[0].payload = 0x107f;
	s.targets[0].image_len = 0x3001;
	assert_int_equal(hp_pkg_build(&s.man, s.payloads, &part, NULL), HP_E_FORMAT);
	s.targets[0].image_len = 0x2100;
	s.payloads[0].fixups.len--;
	assert_int_equal(hp_pkg_build(&s.man, s.payloads, &part, NULL), HP_E_FORMAT);
	s.payloads[0].fixups.len++;
	s.image[0] = 0;
	assert_int_equal(hp_pkg_build(&s.man, s.payloads, &part, NULL), HP_E_FORMAT);
	assert_int_equal(part.len, 0);
	s.image[0] = 0x7f;
	assert_int_equal(hp_pkg_build(&s.man, s.payloads, &part, NULL), 0);
	sample_release(&s);
}

/* A fixup of kind PEER means code of another target's image. */
static void
test_peers(void **state)
{
	static const struct {
		uint16_t module;
		uint64_t target;
		int want;
	} rows[] = { { 1, 0x1000, 0 }, { 1, 0x107f, 0 }, { 1, 0x1080, HP_E_FORMAT }, { 1, 0x2000, HP_E_FORMAT },
		     { 1, UINT64_MAX, HP_E_FORMAT }, { 0, 0x1000, HP_E_FORMAT }, { 2, 0x1000, HP_E_FORMAT } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct hp_fixup f = { 0x2008, HP_FORM_ABS64, HP_KIND_PEER, rows[i].module, 0, rows[i].target, 0 };
		HP_AUTO(hp_buf) struct hp_buf part = { 0 }, fixups = { 0 };
		struct sample s;

		sample_init(&s);
		s.man.targets_cnt = 2;
		assert_int_equal(hp_fixup_add(&fixups, &f, NULL), 0);
		s.payloads[0].fixups = hp_buf_view(&fixups);
		assert_int_equal(hp_pkg_build(&s.man, s.payloads, &part, NULL), rows[i].want);
		sample_release(&s);
	}
}

static void
test_split_sizes(void **state)
{
	HP_AUTO(hp_buf) struct hp_buf part = { 0 }, file = { 0 };
	struct hp_sig_record sigs[2] = { { .key_id = { 9 } }, { .key_id = { 3 } } };
	struct hp_pkg_parts parts;

	(void)state;
	build(1, &part);
	assert_int_equal(hp_pkg_join(hp_buf_view(&part), sigs, 2, &file, NULL), 0);
	for (size_t len = 0; len < file.len; len++)
		assert_int_equal(hp_pkg_split(hp_view_of(file.p, len), &parts, NULL), HP_E_FORMAT);
	assert_int_equal(hp_pkg_split(hp_buf_view(&file), &parts, NULL), 0);
	assert_int_equal(parts.sigs_cnt, 2);
	assert_int_equal(parts.sigs[0].key_id[0], 3); /* sorted */
	assert_int_equal(hp_buf_add_zero(&file, 1, NULL), 0);
	assert_int_equal(hp_pkg_split(hp_buf_view(&file), &parts, NULL), HP_E_FORMAT);
	file.len--;
	file.p[part.len + 16] = 9; /* two records of key 9 */
	assert_int_equal(hp_pkg_split(hp_buf_view(&file), &parts, NULL), HP_E_FORMAT);
	sigs[1].key_id[0] = 9;
	assert_int_equal(hp_pkg_join(hp_buf_view(&part), sigs, 2, &file, NULL), HP_E_FORMAT);
	part.len--;
	assert_int_equal(hp_pkg_join(hp_buf_view(&part), sigs, 1, &file, NULL), HP_E_FORMAT);
}

static void
test_too_many_records(void **state)
{
	HP_AUTO(hp_buf) struct hp_buf part = { 0 }, file = { 0 };
	struct hp_sig_record sigs[HP_PKG_SIGS_MAX + 1] = { 0 };
	struct hp_pkg_parts parts;

	(void)state;
	build(1, &part);
	for (size_t i = 0; i <= HP_PKG_SIGS_MAX; i++)
		sigs[i].key_id[0] = (uint8_t)i;
	assert_int_equal(hp_pkg_join(hp_buf_view(&part), sigs, HP_PKG_SIGS_MAX + 1, &file, NULL), HP_E_LIMIT);
	assert_int_equal(hp_pkg_join(hp_buf_view(&part), sigs, HP_PKG_SIGS_MAX, &file, NULL), 0);
	assert_int_equal(hp_pkg_split(hp_buf_view(&file), &parts, NULL), 0);
	hp_le32_put(file.p + part.len + 8, HP_PKG_SIGS_MAX + 1);
	assert_int_equal(hp_buf_add_zero(&file, HP_SIGS_RECORD_LEN, NULL), 0);
	assert_int_equal(hp_pkg_split(hp_buf_view(&file), &parts, NULL), HP_E_FORMAT);
	hp_le32_put(file.p + part.len + 8, 0xffffffff);
	assert_int_equal(hp_pkg_split(hp_buf_view(&file), &parts, NULL), HP_E_FORMAT);
}

/* The signed part cut anywhere, its header mended so that only the rest can tell. */
static void
test_parse_truncated(void **state)
{
	HP_AUTO(hp_buf) struct hp_buf part = { 0 };

	(void)state;
	build(1, &part);
	for (size_t len = 0; len < part.len; len++) {
		HP_AUTO(hp_buf) struct hp_buf cut = { 0 };

		assert_int_equal(hp_buf_add(&cut, part.p, len, NULL), 0);
		if (len >= HP_PKG_HEADER_LEN)
			hp_le64_put(cut.p + 16, len);
		assert_int_equal(parse(hp_buf_view(&cut)), HP_E_FORMAT);
	}
}

/* No flipped bit may crash the parser; in header and table every one must be refused. (Elsewhere it may be harmless: that is what
 * signatures are for.) */
static void
test_parse_bit_flips(void **state)
{
	HP_AUTO(hp_buf) struct hp_buf part = { 0 };
	size_t table_end;

	(void)state;
	build(1, &part);
	table_end = HP_PKG_HEADER_LEN + 3 * HP_PKG_ROW_LEN;
	for (size_t bit = 0; bit < part.len * 8; bit++) {
		int r;

		part.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		r = parse(hp_buf_view(&part));
		assert_true(r == 0 || r == HP_E_FORMAT || r == HP_E_LIMIT);
		if (bit < table_end * 8)
			assert_true(r < 0);
		part.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(parse(hp_buf_view(&part)), 0);
}

/* Insert one more row, whose chunk of ${len} zero bytes is the last one, into a package of one target. */
static void
add_row(const struct hp_buf *part, uint32_t id, uint32_t index, uint32_t flags, size_t len, uint64_t raw_len, struct hp_buf *ret)
{
	const size_t table_end = HP_PKG_HEADER_LEN + 3 * HP_PKG_ROW_LEN;
	uint8_t row[HP_PKG_ROW_LEN] = { 0 };

	assert_int_equal(hp_buf_add(ret, part->p, table_end, NULL), 0);
	hp_le32_put(row, id);
	hp_le32_put(row + 4, index);
	hp_le32_put(row + 8, flags);
	hp_le64_put(row + 16, part->len + sizeof(row));
	hp_le64_put(row + 24, len);
	hp_le64_put(row + 32, raw_len);
	assert_int_equal(hp_buf_add(ret, row, sizeof(row), NULL), 0);
	assert_int_equal(hp_buf_add(ret, part->p + table_end, part->len - table_end, NULL), 0);
	assert_int_equal(hp_buf_add_zero(ret, len, NULL), 0);
	for (size_t i = 0; i < 3; i++) {
		uint8_t *off = ret->p + HP_PKG_HEADER_LEN + i * HP_PKG_ROW_LEN + 16;

		hp_le64_put(off, hp_le64_get(off) + sizeof(row));
	}
	hp_le32_put(ret->p + 12, 4);
	hp_le64_put(ret->p + 16, ret->len);
}

static void
check_row(const struct hp_buf *part, uint32_t id, uint32_t index, uint32_t flags, size_t len, uint64_t raw_len, int expected)
{
	HP_AUTO(hp_buf) struct hp_buf with = { 0 };

	add_row(part, id, index, flags, len, raw_len, &with);
	assert_int_equal(parse(hp_buf_view(&with)), expected);
}

static void
test_more_chunks(void **state)
{
	HP_AUTO(hp_buf) struct hp_buf part = { 0 };

	(void)state;
	build(1, &part);
	check_row(&part, 4, 0, HP_CHUNK_OPTIONAL, 10, 10, 0);                              /* unknown, optional */
	check_row(&part, 4, 7, HP_CHUNK_OPTIONAL, 0, 0, 0);
	check_row(&part, 0xffffffff, 0xffffffff, HP_CHUNK_OPTIONAL | HP_CHUNK_ZSTD, 5, UINT64_MAX, 0); /* never unpacked */
	check_row(&part, 4, 0, 0, 10, 10, HP_E_FORMAT);                                    /* unknown, required */
	check_row(&part, 4, 0, HP_CHUNK_OPTIONAL | 4, 10, 10, HP_E_FORMAT);                /* unknown flag */
	check_row(&part, HP_CHUNK_FIXUPS, 0, 0, 0, 0, HP_E_FORMAT);                        /* twice */
	check_row(&part, HP_CHUNK_IMAGE, 0, 0, 0, 0, HP_E_FORMAT);                         /* out of order */
	check_row(&part, HP_CHUNK_IMAGE, 1, 0, 0, 0, HP_E_FORMAT);                         /* of no target */
	check_row(&part, HP_CHUNK_MANIFEST, 1, 0, 0, 0, HP_E_FORMAT);                      /* a second manifest */
	check_row(&part, HP_CHUNK_FIXUPS, 1, HP_CHUNK_OPTIONAL, 0, 0, HP_E_FORMAT);        /* known, yet optional */
	check_row(&part, HP_CHUNK_IMAGE, 1, HP_CHUNK_ZSTD, 9, UINT64_MAX, HP_E_LIMIT);     /* huge */
	check_row(&part, HP_CHUNK_IMAGE, 1, HP_CHUNK_ZSTD, 9, 9216,
	          HP_E_FORMAT);          /* at the ratio limit: belongs to no target */
	check_row(&part, HP_CHUNK_IMAGE, 1, HP_CHUNK_ZSTD, 9, 10240, HP_E_LIMIT);          /* beyond it */
	check_row(&part, HP_CHUNK_IMAGE, 1, 0, 9, 10, HP_E_FORMAT);                        /* raw, two lengths */
}

/* Honest frames that unpack to much more than the ratio allows, and to more than the whole package may have. */
static void
test_bombs(void **state)
{
	HP_AUTO(hp_buf) struct hp_buf part = { 0 }, zeros = { 0 };
	struct sample s;
	uint64_t stored;

	(void)state;
	sample_init(&s);
	assert_int_equal(hp_buf_add(&zeros, s.image, SAMPLE_IMAGE_LEN, NULL), 0);
	assert_int_equal(hp_buf_add_zero(&zeros, 4 << 20, NULL), 0);
	s.payloads[0].image = hp_buf_view(&zeros);
	assert_int_equal(hp_pkg_build(&s.man, s.payloads, &part, NULL), 0);
	/* the writer rather stores it as it is than make something that the reader refuses */
	stored = hp_le64_get(part.p + HP_PKG_HEADER_LEN + HP_PKG_ROW_LEN + 24);
	assert_int_equal(stored, zeros.len);
	hp_le64_put(part.p + HP_PKG_HEADER_LEN + HP_PKG_ROW_LEN + 32, zeros.len + 1);
	assert_int_equal(parse(hp_buf_view(&part)), HP_E_FORMAT);
	sample_release(&s);
}

static void
test_frame_of_other_size(void **state)
{
	HP_AUTO(hp_buf) struct hp_buf part = { 0 };
	uint8_t *raw_len;

	(void)state;
	build(1, &part);
	raw_len = part.p + HP_PKG_HEADER_LEN + HP_PKG_ROW_LEN + 32;
	assert_int_equal(hp_le64_get(raw_len), SAMPLE_IMAGE_LEN);
	for (int d = -1; d <= 1; d++) {
		hp_le64_put(raw_len, (uint64_t)(SAMPLE_IMAGE_LEN + d));
		assert_int_equal(parse(hp_buf_view(&part)), d == 0 ? 0 : HP_E_FORMAT);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),       cmocka_unit_test(test_restart_only),
		         cmocka_unit_test(test_builder_refuses), cmocka_unit_test(test_peers),
		cmocka_unit_test(test_split_sizes),      cmocka_unit_test(test_too_many_records),
		        cmocka_unit_test(test_parse_truncated),
		cmocka_unit_test(test_parse_bit_flips),  cmocka_unit_test(test_more_chunks),   cmocka_unit_test(test_bombs),
		cmocka_unit_test(test_frame_of_other_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
