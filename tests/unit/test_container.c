/* Faults of the container: each is refused by a message of its own. */
#include "tests/unit/unit.h"

#include "base/cleanup.h"
#include "formats/zst.h"
#include "tests/lib/sample_pkg.h"

struct file {
	struct hp_buf part, file; /* signed part; whole package with two records */
};

static void
make(struct file *f)
{
	static const struct hp_sig_record sigs[2] = { { .key_id = { 1 } }, { .key_id = { 2 } } };
	struct sample s;

	*f = (struct file){ 0 };
	sample_init(&s);
	assert_int_equal(hp_pkg_build(&s.man, s.payloads, &f->part, NULL), 0);
	assert_int_equal(hp_pkg_join(hp_buf_view(&f->part), sigs, 2, &f->file, NULL), 0);
	sample_release(&s);
}

static void
unmake(struct file *f)
{
	hp_buf_release(&f->part);
	hp_buf_release(&f->file);
}

static uint8_t *
row(struct file *f, unsigned i)
{
	return f->file.p + HP_PKG_HEADER_LEN + i * HP_PKG_ROW_LEN;
}

static uint8_t *
block(struct file *f)
{
	return f->file.p + f->part.len;
}

static void
add64(uint8_t *p, int64_t n)
{
	hp_le64_put(p, hp_le64_get(p) + (uint64_t)n);
}

/* Put ${len} bytes at ${at} of the signed part, and say so in the header. */
static void
insert(struct file *f, size_t at, size_t len)
{
	assert_int_equal(hp_buf_add_zero(&f->file, len, NULL), 0);
	memmove(f->file.p + at + len, f->file.p + at, f->file.len - len - at);
	memset(f->file.p + at, 0, len);
	f->part.len += len;
	add64(f->file.p + 16, (int64_t)len);
}

static void f_leading(struct file *f) { memmove(f->file.p + 1, f->file.p, f->file.len - 1); }
static void f_version(struct file *f) { f->file.p[8] = 2; }
static void f_signed_len(struct file *f) { hp_le64_put(f->file.p + 16, UINT64_MAX); }
static void f_trailing(struct file *f) { assert_int_equal(hp_buf_add_zero(&f->file, 1, NULL), 0); }
static void f_cut(struct file *f) { f->file.len -= 72; }
static void f_no_block(struct file *f) { f->file.len = f->part.len; }
static void f_block_reserved(struct file *f) { block(f)[12] = 1; }
static void f_many_records(struct file *f) { hp_le32_put(block(f) + 8, 33); }
static void f_same_key(struct file *f) { block(f)[16] = 2; }
static void f_key_order(struct file *f) { block(f)[16] = 3; }
static void f_no_rows(struct file *f) { hp_le32_put(f->file.p + 12, 0); }
static void f_many_rows(struct file *f) { hp_le32_put(f->file.p + 12, 257); }
static void f_twice(struct file *f) { memcpy(row(f, 2), row(f, 1), 8); }
static void f_order(struct file *f) { hp_le32_put(row(f, 1), 4), hp_le32_put(row(f, 1) + 8, HP_CHUNK_OPTIONAL); }
static void f_overlap(struct file *f) { add64(row(f, 1) + 16, -1); }
static void f_beyond(struct file *f) { add64(row(f, 2) + 24, 1000000); }
static void f_reserved(struct file *f) { row(f, 1)[12] = 1; }
static void f_flags(struct file *f) { row(f, 1)[8] |= 4; }
static void f_unknown(struct file *f) { hp_le32_put(row(f, 2), 9); }
static void f_optional(struct file *f) { row(f, 1)[8] |= HP_CHUNK_OPTIONAL; }
static void f_manifest_zstd(struct file *f) { row(f, 0)[8] |= HP_CHUNK_ZSTD; }
static void f_bomb(struct file *f) { hp_le64_put(row(f, 1) + 32, hp_le64_get(row(f, 1) + 24) * 1024 + 1024); }
static void f_end(struct file *f) { insert(f, f->part.len, 1); }
static void f_gap(struct file *f)
{
	insert(f, (size_t)hp_le64_get(row(f, 1) + 16), 1);
	add64(row(f, 1) + 16, 1);
	add64(row(f, 2) + 16, 1);
}
static void f_second_manifest(struct file *f)
{
	hp_le32_put(row(f, 2), HP_CHUNK_MANIFEST);
	hp_le32_put(row(f, 2) + 4, 1);
}
static void f_doc_required(struct file *f) { hp_le32_put(row(f, 2), HP_CHUNK_VEX); }
static void f_doc_index(struct file *f)
{
	hp_le32_put(row(f, 2), HP_CHUNK_VEX);
	hp_le32_put(row(f, 2) + 4, 1);
	row(f, 2)[8] |= HP_CHUNK_OPTIONAL;
}
static void f_lengths(struct file *f)
{
	row(f, 1)[8] &= (uint8_t)~HP_CHUNK_ZSTD;
	add64(row(f, 1) + 32, 1);
}
static void f_missing(struct file *f)
{
	hp_le32_put(row(f, 2), 9);
	row(f, 2)[8] |= HP_CHUNK_OPTIONAL;
}
static void f_no_target(struct file *f)
{
	hp_le32_put(row(f, 2) + 4, 5);
}
static void f_no_manifest(struct file *f) { hp_le32_put(row(f, 0), 0), row(f, 0)[8] = HP_CHUNK_OPTIONAL; }

static const struct {
	void (*damage)(struct file *f);
	const char *message;
} faults[] = {
	{ f_leading, "no magic" },
	{ f_version, "package version 2" },
	{ f_signed_len, "signed part of 18446744073709551615 bytes" },
	{ f_trailing, "1 bytes behind the end of the signature block" },
	{ f_cut, "cut short" },
	{ f_no_block, "no signature block" },
	{ f_block_reserved, "signature block: reserved bytes" },
	{ f_many_records, "33 signature records, the limit is 32" },
	{ f_same_key, "the same key twice" },
	{ f_key_order, "key ids are not in ascending order" },
	{ f_no_rows, "chunk table of 0 rows" },
	{ f_many_rows, "chunk table of 257 rows" },
	{ f_twice, "the same chunk twice" },
	{ f_order, "out of order" },
	{ f_gap, "gap of 1 bytes" },
	{ f_overlap, "overlap" },
	{ f_beyond, "beyond the end of the signed part" },
	{ f_end, "chunks end at byte" },
	{ f_reserved, "reserved bytes 0x1" },
	{ f_flags, "unknown flags" },
	{ f_unknown, "required chunk that this program does not know" },
	{ f_optional, "this chunk is never optional" },
	{ f_doc_required, "this chunk is always optional" },
	{ f_doc_index, "a document that is empty or belongs to a target" },
	{ f_second_manifest, "a manifest with index 1" },
	{ f_manifest_zstd, "a compressed manifest" },
	{ f_lengths, "stored as it is, yet" },
	{ f_bomb, "claim to unpack to" },
	{ f_missing, "a chunk is missing" },
	{ f_no_target, "belongs to no target" },
	{ f_no_manifest, "belongs to no target" },
};

static void
test_each_fault(void **state)
{
	char text[1024];

	(void)state;
	for (size_t i = 0; i < CNT(faults); i++) {
		struct hp_pkg_parts parts;
		struct hp_err err = { 0 };
		struct file f;
		struct hp_pkg pkg;
		int r;

		make(&f);
		faults[i].damage(&f);
		r = hp_pkg_split(hp_buf_view(&f.file), &parts, &err);
		if (r == 0)
			r = hp_pkg_parse(parts.signed_part, &pkg, &err);
		hp_err_format(&err, text, sizeof(text));
		if ((r != HP_E_FORMAT && r != HP_E_LIMIT) || strstr(text, faults[i].message) == NULL)
			fail_msg("fault %zu: expected '%s', got %d '%s'", i, faults[i].message, r, text);
		/* No other fault's message fits. */
		for (size_t k = 0; k < CNT(faults); k++)
			if (strcmp(faults[k].message, faults[i].message) != 0 && strstr(text, faults[k].message) != NULL)
				fail_msg("fault %zu: '%s' also says '%s'", i, text, faults[k].message);
		unmake(&f);
	}
	print_message("%zu faults, each with its message\n", CNT(faults));
}

/* An unknown chunk that is flagged optional is skipped, whatever it claims: later versions can add some. */
static void
test_optional_is_skipped(void **state)
{
	struct hp_pkg_parts parts;
	struct hp_pkg pkg;
	struct file f;

	(void)state;
	make(&f);
	insert(&f, HP_PKG_HEADER_LEN + 3 * HP_PKG_ROW_LEN, HP_PKG_ROW_LEN);
	for (unsigned i = 0; i < 3; i++)
		add64(row(&f, i) + 16, HP_PKG_ROW_LEN);
	hp_le32_put(f.file.p + 12, 4);
	hp_le32_put(row(&f, 3), 99);
	hp_le32_put(row(&f, 3) + 8, HP_CHUNK_OPTIONAL | HP_CHUNK_ZSTD);
	hp_le64_put(row(&f, 3) + 16, f.part.len);
	hp_le64_put(row(&f, 3) + 32, UINT64_MAX);
	assert_int_equal(hp_pkg_split(hp_buf_view(&f.file), &parts, NULL), 0);
	assert_int_equal(hp_pkg_parse(parts.signed_part, &pkg, NULL), 0);
	hp_pkg_release(&pkg);
	unmake(&f);
}

static void
test_documents(void **state)
{
	HP_AUTO(hp_buf) struct hp_buf part = { 0 }, again = { 0 };
	struct hp_pkg_docs docs = { hp_view_of("--- a\n", 6), { 0 }, hp_view_of("{}", 2) };
	const char *digest = "76b3a97caf63d3ff7a6d0fae29a1aea5b5b1ee2d6f8f84f7ca0e9e1ed3e3ac4a";
	struct hp_err err = { 0 };
	struct hp_pkg pkg;
	struct sample s;

	(void)state;
	sample_init(&s);
	assert_int_equal(hp_pkg_build_with(&s.man, s.payloads, &docs, &part, &err), HP_E_FORMAT); /* no digest */
	s.man.source_patch = digest;
	assert_int_equal(hp_pkg_build_with(&s.man, s.payloads, &docs, &part, &err), HP_E_FORMAT); /* another one */
	assert_int_equal(part.len, 0);
	docs.patch.len = 0;
	s.man.targets_cnt = 2;
	assert_fine(hp_pkg_build_with(&s.man, s.payloads, &docs, &part, &err), &err);
	assert_fine(hp_pkg_parse(hp_buf_view(&part), &pkg, &err), &err);
	assert_int_equal(pkg.docs.patch.len, 0);
	assert_int_equal(pkg.docs.provenance.len, 0);
	assert_true(hp_view_eq(pkg.docs.vex, docs.vex));
	assert_fine(hp_pkg_build_with(pkg.man, pkg.payloads, &pkg.docs, &again, &err), &err);
	assert_true(hp_view_eq(hp_buf_view(&part), hp_buf_view(&again)));
	hp_pkg_release(&pkg);
	sample_release(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_fault),
		cmocka_unit_test(test_optional_is_skipped),
		cmocka_unit_test(test_documents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
