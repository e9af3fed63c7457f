#include "formats/package.h"

#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "formats/hash.h"
#include "formats/image.h"
#include "formats/limits.h"
#include "formats/zst.h"

#define MAGIC_LEN 8u

/* One row of the chunk table. */
struct row {
	uint32_t id, index, flags;
	uint64_t off;        /* bytes from the start of the signed part */
	uint64_t stored_len; /* bytes in the file */
	uint64_t raw_len;    /* bytes after decompression; the same when not compressed */
};

/* ---- signed part and signature block ---- */

static int
check_header(struct hp_view v, uint64_t *ret_signed_len, struct hp_err *err)
{
	uint32_t version;

	if (v.len < HP_PKG_HEADER_LEN || memcmp(v.p, HP_PKG_MAGIC, MAGIC_LEN) != 0)
		return hp_err_set(err, HP_E_FORMAT, "not a hotpatch package (no magic)");
	version = hp_le32_get(v.p + 8);
	if (version != HP_PKG_VERSION)
		return hp_err_set(err, HP_E_FORMAT, "package version %u, this program reads version %u", version, HP_PKG_VERSION);
	*ret_signed_len = hp_le64_get(v.p + 16);
	if (*ret_signed_len < HP_PKG_HEADER_LEN || *ret_signed_len > v.len)
		return hp_err_set(err, HP_E_FORMAT, "signed part of %llu bytes in %zu bytes",
		                  (unsigned long long)*ret_signed_len, v.len);
	return 0;
}

static int
read_records(struct hp_view block, struct hp_pkg_parts *ret, struct hp_err *err)
{
	uint32_t cnt;
	int order;

	if (block.len < HP_SIGS_HEADER_LEN || memcmp(block.p, HP_SIGS_MAGIC, MAGIC_LEN) != 0)
		return hp_err_set(err, HP_E_FORMAT, "no signature block behind the signed part");
	cnt = hp_le32_get(block.p + 8);
	if (hp_le32_get(block.p + 12) != 0)
		return hp_err_set(err, HP_E_FORMAT, "signature block: reserved bytes are not zero");
	if (cnt > HP_PKG_SIGS_MAX)
		return hp_err_set(err, HP_E_FORMAT, "%u signature records, the limit is %u", cnt, HP_PKG_SIGS_MAX);
	if (block.len > HP_SIGS_HEADER_LEN + (size_t)cnt * HP_SIGS_RECORD_LEN)
		return hp_err_set(err, HP_E_FORMAT, "%zu bytes behind the end of the signature block",
		                  block.len - HP_SIGS_HEADER_LEN - (size_t)cnt * HP_SIGS_RECORD_LEN);
	if (block.len < HP_SIGS_HEADER_LEN + (size_t)cnt * HP_SIGS_RECORD_LEN)
		return hp_err_set(err, HP_E_FORMAT, "signature block of %zu bytes is cut short: %u records", block.len, cnt);
	for (uint32_t i = 0; i < cnt; i++) {
		const uint8_t *p = block.p + HP_SIGS_HEADER_LEN + i * HP_SIGS_RECORD_LEN;

		memcpy(ret->sigs[i].key_id, p, HP_SIG_KEY_ID_LEN);
		memcpy(ret->sigs[i].sig, p + HP_SIG_KEY_ID_LEN, HP_SIG_LEN);
		order = i > 0 ? memcmp(ret->sigs[i - 1].key_id, p, HP_SIG_KEY_ID_LEN) : -1;
		if (order >= 0)
			return hp_err_set(err, HP_E_FORMAT, "signature record %u: %s", i,
			                  order == 0 ? "the same key twice" : "key ids are not in ascending order");
	}
	ret->sigs_cnt = cnt;
	return 0;
}

int
hp_pkg_split(struct hp_view file, struct hp_pkg_parts *ret, struct hp_err *err)
{
	struct hp_pkg_parts parts = { 0 };
	uint64_t signed_len;
	int r;

	if (file.len > HP_PKG_LEN_MAX)
		return hp_err_set(err, HP_E_LIMIT, "package of %zu bytes, the limit is %llu", file.len,
		                  (unsigned long long)HP_PKG_LEN_MAX);
	r = check_header(file, &signed_len, err);
	if (r < 0)
		return r;
	parts.signed_part = hp_view_of(file.p, (size_t)signed_len);
	r = read_records(hp_view_of(file.p + signed_len, file.len - (size_t)signed_len), &parts, err);
	if (r == 0)
		*ret = parts;
	return r;
}

static int
by_key_id(const void *a, const void *b)
{
	return memcmp(((const struct hp_sig_record *)a)->key_id, ((const struct hp_sig_record *)b)->key_id, HP_SIG_KEY_ID_LEN);
}

int
hp_pkg_join(struct hp_view signed_part, const struct hp_sig_record *sigs, uint32_t cnt, struct hp_buf *ret, struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf file = { 0 };
	struct hp_sig_record sorted[HP_PKG_SIGS_MAX];
	struct hp_pkg_parts parts;
	int r;

	if (cnt > HP_PKG_SIGS_MAX)
		return hp_err_set(err, HP_E_LIMIT, "%u signatures, the limit is %u", cnt, HP_PKG_SIGS_MAX);
	if (cnt > 0) {
		memcpy(sorted, sigs, cnt * sizeof(sorted[0]));
		qsort(sorted, cnt, sizeof(sorted[0]), by_key_id);
	}
	r = hp_buf_reserve(&file, signed_part.len + HP_SIGS_HEADER_LEN + cnt * HP_SIGS_RECORD_LEN, err);
	if (r == 0)
		r = hp_buf_add(&file, signed_part.p, signed_part.len, err);
	if (r == 0)
		r = hp_buf_add(&file, HP_SIGS_MAGIC, MAGIC_LEN, err);
	if (r == 0)
		r = hp_buf_add_u32(&file, cnt, err);
	if (r == 0)
		r = hp_buf_add_u32(&file, 0, err);
	for (uint32_t i = 0; i < cnt && r == 0; i++) {
		r = hp_buf_add(&file, sorted[i].key_id, HP_SIG_KEY_ID_LEN, err);
		if (r == 0)
			r = hp_buf_add(&file, sorted[i].sig, HP_SIG_LEN, err);
	}
	if (r == 0)
		r = hp_pkg_split(hp_buf_view(&file), &parts, err);
	if (r == 0 && parts.signed_part.len != signed_part.len)
		r = hp_err_set(err, HP_E_FORMAT, "signed part has %zu bytes, its header says %zu", signed_part.len,
		               parts.signed_part.len);
	if (r == 0)
		r = hp_buf_add(ret, file.p, file.len, err);
	return r;
}

/* ---- reader of the signed part ---- */

static struct row
get_row(struct hp_view part, uint32_t idx)
{
	const uint8_t *p = part.p + HP_PKG_HEADER_LEN + (size_t)idx * HP_PKG_ROW_LEN;

	return (struct row){ .id = hp_le32_get(p),
		             .index = hp_le32_get(p + 4),
		             .flags = hp_le32_get(p + 8),
		             .off = hp_le64_get(p + 16),
		             .stored_len = hp_le64_get(p + 24),
		             .raw_len = hp_le64_get(p + 32) };
}

static bool
is_doc(uint32_t id)
{
	return id >= HP_CHUNK_PATCH && id <= HP_CHUNK_VEX;
}

static bool
known_id(uint32_t id)
{
	return (id >= HP_CHUNK_MANIFEST && id <= HP_CHUNK_FIXUPS) || is_doc(id);
}

static int
check_row(const struct row *row, uint32_t reserved, struct hp_err *err)
{
	if (reserved != 0 || (row->flags & ~(uint32_t)(HP_CHUNK_ZSTD | HP_CHUNK_OPTIONAL)) != 0)
		return reserved != 0 ? hp_err_set(err, HP_E_FORMAT, "reserved bytes 0x%x", reserved)
		                     : hp_err_set(err, HP_E_FORMAT, "unknown flags 0x%x", row->flags);
	if (!known_id(row->id))
		return (row->flags & HP_CHUNK_OPTIONAL) != 0
		               ? 0
		               : hp_err_set(err, HP_E_FORMAT, "required chunk that this program does not know");
	if (((row->flags & HP_CHUNK_OPTIONAL) != 0) != is_doc(row->id))
		return hp_err_set(err, HP_E_FORMAT, "this chunk is %s optional", is_doc(row->id) ? "always" : "never");
	if (is_doc(row->id) && (row->index != 0 || row->raw_len == 0))
		return hp_err_set(err, HP_E_FORMAT, "a document that is empty or belongs to a target");
	if (row->id == HP_CHUNK_MANIFEST && row->index != 0)
		return hp_err_set(err, HP_E_FORMAT, "a manifest with index %u", row->index);
	if (row->id == HP_CHUNK_MANIFEST && row->flags != 0)
		return hp_err_set(err, HP_E_FORMAT, "a compressed manifest");
	if ((row->flags & HP_CHUNK_ZSTD) == 0 && row->raw_len != row->stored_len)
		return hp_err_set(err, HP_E_FORMAT, "stored as it is, yet %llu and %llu bytes long",
		                  (unsigned long long)row->stored_len, (unsigned long long)row->raw_len);
	/* Rounds down: a ratio of exactly the limit is fine, and nothing can overflow. */
	if (row->raw_len / HP_PKG_RATIO_MAX > row->stored_len)
		return hp_err_set(err, HP_E_LIMIT, "%llu bytes claim to unpack to %llu", (unsigned long long)row->stored_len,
		                  (unsigned long long)row->raw_len);
	return 0;
}

/* Each kind of fault has its own message: which one it is tells a damaged file from a broken writer from an attack. */
static int
check_place(struct hp_view part, const struct row *row, const struct row *prev, uint64_t end, struct hp_err *err)
{
	unsigned long long off = row->off, len = row->stored_len;

	if (prev != NULL && row->index == prev->index && row->id == prev->id)
		return hp_err_set(err, HP_E_FORMAT, "the same chunk twice");
	if (prev != NULL && (row->index < prev->index || (row->index == prev->index && row->id < prev->id)))
		return hp_err_set(err, HP_E_FORMAT, "out of order, behind id %u, index %u", prev->id, prev->index);
	if (row->off > end)
		return hp_err_set(err, HP_E_FORMAT, "gap of %llu bytes before byte %llu", off - (unsigned long long)end, off);
	if (row->off < end)
		return hp_err_set(err, HP_E_FORMAT, "overlap: begins at byte %llu, what is before it ends at %llu", off,
		                  (unsigned long long)end);
	if (!hp_view_has(part, row->off, row->stored_len))
		return hp_err_set(err, HP_E_FORMAT, "%llu bytes from byte %llu on, beyond the end of the signed part (%zu)", len,
		                  off, part.len);
	return 0;
}

/* Order, bounds, no gap, no overlap, no duplicate, sum of sizes: after this, rows of known chunks can be used as they are. */
static int
check_table(struct hp_view part, uint32_t *ret_cnt, struct hp_err *err)
{
	uint64_t signed_len, end, raw_sum = 0;
	struct row prev = { 0 };
	uint32_t cnt;
	int r = check_header(part, &signed_len, err);

	if (r < 0)
		return r;
	if (signed_len != part.len)
		return hp_err_set(err, HP_E_FORMAT, "signed part has %zu bytes, its header says %llu", part.len,
		                  (unsigned long long)signed_len);
	cnt = hp_le32_get(part.p + 12);
	if (cnt == 0 || cnt > HP_PKG_CHUNKS_MAX || !hp_view_has(part, HP_PKG_HEADER_LEN, (uint64_t)cnt * HP_PKG_ROW_LEN))
		return hp_err_set(err, HP_E_FORMAT, "chunk table of %u rows in %zu bytes", cnt, part.len);
	end = HP_PKG_HEADER_LEN + (uint64_t)cnt * HP_PKG_ROW_LEN;
	for (uint32_t i = 0; i < cnt; i++) {
		struct row row = get_row(part, i);

		r = check_place(part, &row, i > 0 ? &prev : NULL, end, err);
		if (r == 0)
			r = check_row(&row, hp_le32_get(part.p + HP_PKG_HEADER_LEN + i * HP_PKG_ROW_LEN + 12), err);
		if (r == 0 && known_id(row.id) &&
		    (row.raw_len > HP_PKG_RAW_LEN_MAX || (raw_sum += row.raw_len) > HP_PKG_RAW_LEN_MAX))
			r = hp_err_set(err, HP_E_LIMIT, "more than %llu bytes unpacked", (unsigned long long)HP_PKG_RAW_LEN_MAX);
		if (r < 0) {
			(void)hp_err_add(err, "row %u of the chunk table (id %u, index %u)", i, row.id, row.index);
			return r;
		}
		end += row.stored_len;
		prev = row;
	}
	if (end != part.len)
		return hp_err_set(err, HP_E_FORMAT, "chunks end at byte %llu of %zu", (unsigned long long)end, part.len);
	*ret_cnt = cnt;
	return 0;
}

/* Contents of a chunk: a view into the signed part, or unpacked into the arena. */
static int
load_chunk(struct hp_view part, const struct row *row, struct hp_arena *arena, struct hp_view *ret, struct hp_err *err)
{
	struct hp_view stored = hp_view_of(part.p + row->off, (size_t)row->stored_len);
	uint8_t *raw;
	int r;

	if ((row->flags & HP_CHUNK_ZSTD) == 0) {
		*ret = stored;
		return 0;
	}
	raw = hp_arena_alloc(arena, (size_t)row->raw_len);
	if (raw == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for a chunk of %llu bytes", (unsigned long long)row->raw_len);
	r = hp_zst_unpack_to(stored, row->raw_len, raw, err);
	if (r == 0)
		*ret = hp_view_of(raw, (size_t)row->raw_len);
	return r;
}

static struct hp_view *
doc_of(struct hp_pkg_docs *docs, uint32_t id)
{
	return id == HP_CHUNK_PATCH ? &docs->patch : id == HP_CHUNK_PROVENANCE ? &docs->provenance : &docs->vex;
}

/* Where the contents of a chunk that is not the manifest belong; NULL: it belongs to no target. */
static struct hp_view *
place_of(struct hp_pkg *pkg, const struct row *row)
{
	if (is_doc(row->id))
		return doc_of(&pkg->docs, row->id);
	if (row->index >= pkg->man->targets_cnt)
		return NULL;
	return row->id == HP_CHUNK_IMAGE ? &pkg->payloads[row->index].image : &pkg->payloads[row->index].fixups;
}

static int
load_manifest(struct hp_view part, const struct row *row, struct hp_pkg *pkg, struct hp_err *err)
{
	int r = load_chunk(part, row, &pkg->arena, &pkg->manifest, err);

	if (r == 0)
		r = hp_manifest_read(pkg->manifest, &pkg->arena, &pkg->man, err);
	if (r < 0)
		return r;
	pkg->payloads = hp_arena_array(&pkg->arena, pkg->man->targets_cnt, sizeof(*pkg->payloads));
	return pkg->payloads != NULL ? 0 : hp_err_set(err, HP_E_NOMEM, "no memory for the package");
}

static int
load_chunks(struct hp_view part, uint32_t rows_cnt, struct hp_pkg *pkg, struct hp_err *err)
{
	size_t found = 0;
	int r = 0;

	for (uint32_t i = 0; i < rows_cnt && r == 0; i++) {
		struct row row = get_row(part, i);
		struct hp_view *place;

		if (!known_id(row.id))
			continue;
		if (row.id == HP_CHUNK_MANIFEST) {
			r = load_manifest(part, &row, pkg, err);
			continue;
		}
		/* The manifest sorts first of all known chunks. */
		place = pkg->man != NULL ? place_of(pkg, &row) : NULL;
		if (place == NULL)
			return hp_err_set(err, HP_E_FORMAT, "chunk %u belongs to no target (id %u, index %u)", i, row.id,
			                  row.index);
		found += !is_doc(row.id);
		r = load_chunk(part, &row, &pkg->arena, place, err);
		if (r < 0)
			(void)hp_err_add(err, "chunk %u (id %u, index %u)", i, row.id, row.index);
	}
	if (r < 0)
		return r;
	/* No row can occur twice, so the number tells that all are there. */
	if (pkg->man == NULL || found != 2 * pkg->man->targets_cnt)
		return hp_err_set(err, HP_E_FORMAT, "a chunk is missing");
	return 0;
}

static int
check_funcs(const struct hp_man_target *t, const struct hp_image *img, struct hp_err *err)
{
	for (size_t i = 0; i < t->funcs_cnt; i++) {
		const struct hp_image_seg *seg = hp_image_seg_at(img, t->funcs[i].payload, 1);

		if (seg == NULL || (seg->prot & PROT_EXEC) == 0)
			return hp_err_set(err, HP_E_FORMAT, "function '%s': 0x%llx is not code of the image",
			                  hp_esc(t->funcs[i].name), (unsigned long long)t->funcs[i].payload);
	}
	return 0;
}

static int
check_hooks_and_vars(const struct hp_man_target *t, const struct hp_image *img, struct hp_err *err)
{
	for (size_t i = 0; i < t->hooks_cnt; i++) {
		const struct hp_image_seg *seg = hp_image_seg_at(img, t->hooks[i].payload, 1);

		if (seg == NULL || (seg->prot & PROT_EXEC) == 0)
			return hp_err_set(err, HP_E_FORMAT, "hook '%s': 0x%llx is not code of the image",
			                  hp_esc(t->hooks[i].name), (unsigned long long)t->hooks[i].payload);
	}
	for (size_t i = 0; i < t->vars_cnt; i++) {
		const struct hp_image_seg *seg = hp_image_seg_at(img, t->vars[i].payload, t->vars[i].size);

		if (seg == NULL || (seg->prot & PROT_WRITE) == 0)
			return hp_err_set(err, HP_E_FORMAT, "variable '%s': 0x%llx is not writable data of the image",
			                  hp_esc(t->vars[i].name), (unsigned long long)t->vars[i].payload);
	}
	return 0;
}

/* What fixups of one target say of other targets' images: inside of code, and not its own. */
static int
check_peers(const struct hp_manifest *man, uint32_t idx, const struct hp_payload *payloads, struct hp_err *err)
{
	struct hp_view table = payloads[idx].fixups;

	for (uint32_t i = 0; i < table.len / HP_FIXUP_LEN; i++) {
		struct hp_fixup f = hp_fixup_get(table, i);
		const struct hp_image_seg *seg;
		struct hp_image img;
		int r;

		if (f.kind != HP_KIND_PEER)
			continue;
		r = f.module == idx || payloads[f.module].image.len == 0 ? HP_E_FORMAT
		                                                         : hp_image_read(payloads[f.module].image, &img, err);
		seg = r == 0 ? hp_image_seg_at(&img, f.target, 1) : NULL;
		if (seg == NULL || (seg->prot & PROT_EXEC) == 0)
			return hp_err_set(err, HP_E_FORMAT, "fixup %u: 0x%llx is not code of target %u ('%s')", i,
			                  (unsigned long long)f.target, f.module, hp_esc(man->targets[f.module].name));
	}
	return 0;
}

/* Image, fixups and manifest of one target fit each other. */
static int
check_target(const struct hp_manifest *man, uint32_t idx, const struct hp_payload *payload, struct hp_err *err)
{
	const struct hp_man_target *t = &man->targets[idx];
	struct hp_image img = { 0 };
	uint32_t fixups_cnt;
	int r = 0;

	if (payload->image.len > 0 || !man->restart_required)
		r = hp_image_read(payload->image, &img, err);
	if (r < 0)
		return r;
	if ((t->image_len + HP_IMAGE_PAGE - 1) / HP_IMAGE_PAGE * HP_IMAGE_PAGE != img.mem_len)
		return hp_err_set(err, HP_E_FORMAT, "image needs %llu bytes of memory, the manifest says %llu",
		                  (unsigned long long)img.mem_len, (unsigned long long)t->image_len);
	r = check_funcs(t, &img, err);
	if (r == 0)
		r = check_hooks_and_vars(t, &img, err);
	if (r == 0)
		r = hp_fixups_check(payload->fixups, img.mem_len, (uint32_t)man->targets_cnt, (uint32_t)t->imports_cnt,
		                    &fixups_cnt, err);
	if (r == 0 && fixups_cnt > HP_PKG_FIXUPS_MAX)
		r = hp_err_set(err, HP_E_LIMIT, "%u fixups, the limit is %u", fixups_cnt, HP_PKG_FIXUPS_MAX);
	return r;
}

static int
check_patch(const struct hp_pkg *pkg, struct hp_err *err)
{
	char hex[2 * HP_DIGEST_LEN + 1];
	uint8_t digest[HP_DIGEST_LEN];

	if (pkg->docs.patch.len == 0)
		return 0;
	hp_hash_256(pkg->docs.patch, digest);
	hp_hex(digest, sizeof(digest), hex);
	if (strcmp(hex, pkg->man->source_patch) != 0)
		return hp_err_set(err, HP_E_FORMAT, "the source patch has digest %s, the manifest says '%s'", hex,
		                  hp_esc(pkg->man->source_patch));
	return 0;
}

static int
parse(struct hp_view part, struct hp_pkg *pkg, struct hp_err *err)
{
	uint32_t rows_cnt = 0;
	int r = check_table(part, &rows_cnt, err);

	if (r == 0)
		r = load_chunks(part, rows_cnt, pkg, err);
	if (r == 0)
		r = check_patch(pkg, err);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < pkg->man->targets_cnt; i++) {
		r = check_target(pkg->man, i, &pkg->payloads[i], err);
		if (r == 0)
			r = check_peers(pkg->man, i, pkg->payloads, err);
		if (r < 0) {
			(void)hp_err_add(err, "target %u ('%s')", i, hp_esc(pkg->man->targets[i].name));
			return r;
		}
	}
	return 0;
}

int
hp_pkg_parse_hashed(struct hp_view signed_part, const uint8_t *digest, struct hp_pkg *ret, struct hp_err *err)
{
	struct hp_pkg pkg = { 0 };
	int r = parse(signed_part, &pkg, err);

	memcpy(pkg.id, digest, HP_PKG_ID_LEN);
	if (r == 0)
		*ret = pkg;
	else
		hp_pkg_release(&pkg);
	return r;
}

int
hp_pkg_parse(struct hp_view signed_part, struct hp_pkg *ret, struct hp_err *err)
{
	uint8_t digest[64];

	hp_hash_512(signed_part, digest);
	return hp_pkg_parse_hashed(signed_part, digest, ret, err);
}

void
hp_pkg_release(struct hp_pkg *pkg)
{
	hp_arena_release(&pkg->arena);
	*pkg = (struct hp_pkg){ 0 };
}

/* ---- writer ---- */

struct writer {
	struct hp_buf rows, chunks;
	uint64_t chunks_off; /* where the first chunk will stand in the signed part */
	uint32_t rows_cnt;
};

static int
put_row(struct writer *w, const struct row *row, struct hp_err *err)
{
	uint8_t b[HP_PKG_ROW_LEN] = { 0 };

	hp_le32_put(b, row->id);
	hp_le32_put(b + 4, row->index);
	hp_le32_put(b + 8, row->flags);
	hp_le64_put(b + 16, row->off);
	hp_le64_put(b + 24, row->stored_len);
	hp_le64_put(b + 32, row->raw_len);
	w->rows_cnt++;
	return hp_buf_add(&w->rows, b, sizeof(b), err);
}

/* Compressed where that helps and the reader's ratio limit allows it. */
static int
put_chunk(struct writer *w, enum hp_chunk_id id, uint32_t index, struct hp_view raw, struct hp_err *err)
{
	struct row row = { .id = id,
		           .index = index,
		           .flags = is_doc(id) ? HP_CHUNK_OPTIONAL : 0,
		           .off = w->chunks_off + w->chunks.len,
		           .stored_len = raw.len,
		           .raw_len = raw.len };
	HP_AUTO(hp_buf) struct hp_buf frame = { 0 };
	struct hp_view stored = raw;
	int r = 0;

	if (id != HP_CHUNK_MANIFEST)
		r = hp_zst_pack(raw, &frame, err);
	if (r < 0)
		return r;
	if (frame.len > 0 && frame.len < raw.len && raw.len / HP_PKG_RATIO_MAX <= frame.len) {
		stored = hp_buf_view(&frame);
		row.flags |= HP_CHUNK_ZSTD;
		row.stored_len = frame.len;
	}
	r = hp_buf_add(&w->chunks, stored.p, stored.len, err);
	return r == 0 ? put_row(w, &row, err) : r;
}

static uint32_t
docs_cnt(const struct hp_pkg_docs *docs)
{
	return (docs->patch.len > 0) + (docs->provenance.len > 0) + (docs->vex.len > 0);
}

static int
write_docs(struct writer *w, const struct hp_pkg_docs *docs, struct hp_err *err)
{
	struct hp_pkg_docs copy = *docs;
	int r = 0;

	for (uint32_t id = HP_CHUNK_PATCH; id <= HP_CHUNK_VEX && r == 0; id++)
		if (doc_of(&copy, id)->len > 0)
			r = put_chunk(w, (enum hp_chunk_id)id, 0, *doc_of(&copy, id), err);
	return r;
}

static int
write_chunks(struct writer *w, const struct hp_manifest *man, const struct hp_payload *payloads, const struct hp_pkg_docs *docs,
             struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf json = { 0 };
	int r = hp_manifest_write(man, &json, err);

	w->chunks_off = HP_PKG_HEADER_LEN + (1 + 2 * (uint64_t)man->targets_cnt + docs_cnt(docs)) * HP_PKG_ROW_LEN;
	if (r == 0)
		r = put_chunk(w, HP_CHUNK_MANIFEST, 0, hp_buf_view(&json), err);
	for (uint32_t i = 0; i < man->targets_cnt && r == 0; i++) {
		r = put_chunk(w, HP_CHUNK_IMAGE, i, payloads[i].image, err);
		if (r == 0)
			r = put_chunk(w, HP_CHUNK_FIXUPS, i, payloads[i].fixups, err);
		if (r == 0 && i == 0) /* documents have index 0 and the highest ids */
			r = write_docs(w, docs, err);
	}
	return r;
}

static int
write_part(const struct writer *w, struct hp_buf *part, struct hp_err *err)
{
	int r = hp_buf_reserve(part, HP_PKG_HEADER_LEN + w->rows.len + w->chunks.len, err);

	if (r == 0)
		r = hp_buf_add(part, HP_PKG_MAGIC, MAGIC_LEN, err);
	if (r == 0)
		r = hp_buf_add_u32(part, HP_PKG_VERSION, err);
	if (r == 0)
		r = hp_buf_add_u32(part, w->rows_cnt, err);
	if (r == 0)
		r = hp_buf_add_u64(part, HP_PKG_HEADER_LEN + w->rows.len + w->chunks.len, err);
	if (r == 0)
		r = hp_buf_add(part, w->rows.p, w->rows.len, err);
	if (r == 0)
		r = hp_buf_add(part, w->chunks.p, w->chunks.len, err);
	return r;
}

int
hp_pkg_build(const struct hp_manifest *man, const struct hp_payload *payloads, struct hp_buf *ret_signed_part, struct hp_err *err)
{
	static const struct hp_pkg_docs none;

	return hp_pkg_build_with(man, payloads, &none, ret_signed_part, err);
}

int
hp_pkg_build_with(const struct hp_manifest *man, const struct hp_payload *payloads, const struct hp_pkg_docs *docs,
                  struct hp_buf *ret_signed_part, struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf part = { 0 };
	struct writer w = { 0 };
	struct hp_pkg check;
	int r = write_chunks(&w, man, payloads, docs, err);

	if (r == 0)
		r = write_part(&w, &part, err);
	hp_buf_release(&w.rows);
	hp_buf_release(&w.chunks);
	if (r == 0 && part.len > HP_PKG_LEN_MAX - HP_SIGS_HEADER_LEN - (uint64_t)HP_PKG_SIGS_MAX * HP_SIGS_RECORD_LEN)
		r = hp_err_set(err, HP_E_LIMIT, "package of %zu bytes", part.len);
	/* The reader is the judge: what it would refuse is not handed out. */
	if (r == 0)
		r = hp_pkg_parse(hp_buf_view(&part), &check, err);
	if (r < 0) {
		(void)hp_err_add(err, "packing '%s'", hp_esc(man->name));
		return r;
	}
	hp_pkg_release(&check);
	return hp_buf_add(ret_signed_part, part.p, part.len, err);
}
