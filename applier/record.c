#include "applier/record.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/hash.h"
#include "formats/limits.h"

#define NAME_PREFIX "/memfd:hpbuild:"

enum {
	OFF_VERSION = 8, OFF_STATE = 12, OFF_TOTAL = 16, OFF_PKG = 24, OFF_PKG_LEN = 32, OFF_ORDER = 40, OFF_TIME = 48,
	        OFF_ID = 56,
	OFF_TARGETS_CNT = 72, OFF_ENTRIES_CNT = 76, HEADER_LEN_1 = 80, OFF_VARS_CNT = 80, HEADER_LEN_2 = 88, TARGET_LEN = 32,
	TARGET_FRAMES = 24, ENTRY_LEN = 40, VAR_LEN = 16,
};
#define MAGIC "HPRECORD"
#define ENTRIES_MAX ((uint64_t)HP_PKG_TARGETS_MAX * HP_PKG_FUNCTIONS_MAX)

#define VARS_MAX ((uint64_t)HP_PKG_TARGETS_MAX * HP_PKG_VARIABLES_MAX)

/* What is read of one process, which can map one large file any number of times; the rest counts as malformed. */
#define RECS_LEN_MAX (4 * HP_PKG_LEN_MAX)
#define RECS_MAX 4096u

static uint64_t
header_len(const struct hp_rec *rec)
{
	return rec->version == 1 ? HEADER_LEN_1 : HEADER_LEN_2;
}

static uint64_t
tables_len(const struct hp_rec *rec)
{
	return header_len(rec) + (uint64_t)rec->targets_cnt * TARGET_LEN + (uint64_t)rec->entries_cnt * ENTRY_LEN +
	       (uint64_t)rec->vars_cnt * VAR_LEN;
}

uint64_t
hp_rec_len(const struct hp_rec *rec)
{
	return tables_len(rec) + rec->package.len;
}

static void
put_tables(const struct hp_rec *rec, uint8_t *p)
{
	hp_le64_put(p + OFF_ORDER, rec->order);
	hp_le64_put(p + OFF_TIME, rec->time);
	p += header_len(rec);
	for (uint32_t i = 0; i < rec->targets_cnt; i++, p += TARGET_LEN) {
		hp_le64_put(p, rec->targets[i].bias);
		hp_le64_put(p + 8, rec->targets[i].payload_va);
		hp_le64_put(p + 16, rec->targets[i].payload_len);
		hp_le64_put(p + TARGET_FRAMES, rec->targets[i].frames_va);
	}
	for (uint32_t i = 0; i < rec->entries_cnt; i++, p += ENTRY_LEN) {
		hp_le64_put(p, rec->entries[i].va);
		hp_le32_put(p + 8, rec->entries[i].target);
		hp_le32_put(p + 12, rec->entries[i].func);
		memcpy(p + 16, rec->entries[i].before, HP_REC_CODE_LEN);
		memcpy(p + 24, rec->entries[i].after, HP_REC_CODE_LEN);
	}
	for (uint32_t i = 0; i < rec->vars_cnt; i++, p += VAR_LEN) {
		hp_le64_put(p, rec->vars[i].va);
		hp_le32_put(p + 8, rec->vars[i].target);
		hp_le32_put(p + 12, rec->vars[i].var);
	}
}

int
hp_rec_write(const struct hp_rec *rec, struct hp_buf *ret, struct hp_err *err)
{
	uint64_t tables = tables_len(rec);
	uint8_t *p;
	int r;

	r = hp_buf_add_zero(ret, (size_t)tables, err);
	if (r < 0)
		return r;
	p = ret->p + ret->len - tables;
	memcpy(p, MAGIC, 8);
	hp_le32_put(p + OFF_VERSION, rec->version == 1 ? 1 : HP_REC_VERSION);
	hp_le32_put(p + OFF_STATE, (uint32_t)rec->state);
	hp_le64_put(p + OFF_TOTAL, hp_rec_len(rec));
	hp_le64_put(p + OFF_PKG, tables);
	hp_le64_put(p + OFF_PKG_LEN, rec->package.len);
	memcpy(p + OFF_ID, rec->id, HP_PKG_ID_LEN);
	hp_le32_put(p + OFF_TARGETS_CNT, rec->targets_cnt);
	hp_le32_put(p + OFF_ENTRIES_CNT, rec->entries_cnt);
	if (rec->version != 1)
		hp_le32_put(p + OFF_VARS_CNT, rec->vars_cnt);
	put_tables(rec, p);
	return rec->package.len > 0 ? hp_buf_add(ret, rec->package.p, rec->package.len, err) : 0;
}

static int
read_entries(const uint8_t *p, struct hp_rec *rec, struct hp_err *err)
{
	for (uint32_t i = 0; i < rec->entries_cnt; i++, p += ENTRY_LEN) {
		struct hp_rec_entry *e = &rec->entries[i];

		e->va = hp_le64_get(p);
		e->target = hp_le32_get(p + 8);
		e->func = hp_le32_get(p + 12);
		memcpy(e->before, p + 16, HP_REC_CODE_LEN);
		memcpy(e->after, p + 24, HP_REC_CODE_LEN);
		if (e->target >= rec->targets_cnt || (i > 0 && e->va <= e[-1].va))
			return hp_err_set(err, HP_E_FORMAT, "record: entry %" PRIu32 " is malformed", i);
	}
	return 0;
}

static int
read_vars(const uint8_t *p, struct hp_rec *rec, struct hp_err *err)
{
	for (uint32_t i = 0; i < rec->vars_cnt; i++, p += VAR_LEN) {
		rec->vars[i] = (struct hp_rec_var){ hp_le64_get(p), hp_le32_get(p + 8), hp_le32_get(p + 12) };
		if (rec->vars[i].target >= rec->targets_cnt)
			return hp_err_set(err, HP_E_FORMAT, "record: variable %" PRIu32 " is malformed", i);
	}
	return 0;
}

static int
read_header(struct hp_view bytes, struct hp_rec *rec, struct hp_err *err)
{
	const uint8_t *p = bytes.p;
	uint32_t state;

	if (bytes.len < HEADER_LEN_1 || memcmp(p, MAGIC, 8) != 0)
		return hp_err_set(err, HP_E_FORMAT, "not a record");
	rec->version = hp_le32_get(p + OFF_VERSION);
	if (rec->version < 1 || rec->version > HP_REC_VERSION || bytes.len < header_len(rec))
		return hp_err_set(err, HP_E_FORMAT, "not a record of version 1 to %u", HP_REC_VERSION);
	state = hp_le32_get(p + OFF_STATE);
	rec->targets_cnt = hp_le32_get(p + OFF_TARGETS_CNT);
	rec->entries_cnt = hp_le32_get(p + OFF_ENTRIES_CNT);
	rec->vars_cnt = rec->version == 1 ? 0 : hp_le32_get(p + OFF_VARS_CNT);
	if (state < HP_REC_BUILDING || state > HP_REC_REPLACED || rec->targets_cnt > HP_PKG_TARGETS_MAX ||
	    rec->entries_cnt > ENTRIES_MAX || rec->vars_cnt > VARS_MAX || tables_len(rec) > bytes.len ||
	    hp_le64_get(p + OFF_PKG) != tables_len(rec) || hp_le64_get(p + OFF_TOTAL) != bytes.len ||
	    hp_le64_get(p + OFF_PKG_LEN) != bytes.len - tables_len(rec))
		return hp_err_set(err, HP_E_FORMAT, "record: malformed header");
	rec->state = state;
	rec->order = hp_le64_get(p + OFF_ORDER);
	rec->time = hp_le64_get(p + OFF_TIME);
	memcpy(rec->id, p + OFF_ID, HP_PKG_ID_LEN);
	return 0;
}

int
hp_rec_read(struct hp_view bytes, struct hp_arena *arena, struct hp_rec *ret, struct hp_err *err)
{
	struct hp_rec rec = { 0 };
	const uint8_t *p = bytes.p;
	uint64_t tables;

	if (read_header(bytes, &rec, err) < 0)
		return HP_E_FORMAT;
	tables = tables_len(&rec);
	rec.package = hp_view_of(p + tables, bytes.len - (size_t)tables);
	rec.targets = hp_arena_array(arena, rec.targets_cnt, sizeof(*rec.targets));
	rec.entries = hp_arena_array(arena, rec.entries_cnt, sizeof(*rec.entries));
	rec.vars = hp_arena_array(arena, rec.vars_cnt, sizeof(*rec.vars));
	if (rec.targets == NULL || rec.entries == NULL || rec.vars == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for a record of %" PRIu32 " entries", rec.entries_cnt);
	p += header_len(&rec);
	for (uint32_t i = 0; i < rec.targets_cnt; i++, p += TARGET_LEN)
		rec.targets[i] = (struct hp_rec_target){ hp_le64_get(p), hp_le64_get(p + 8), hp_le64_get(p + 16),
			                                 hp_le64_get(p + TARGET_FRAMES) };
	if (read_entries(p, &rec, err) < 0 || read_vars(p + (size_t)rec.entries_cnt * ENTRY_LEN, &rec, err) < 0)
		return HP_E_FORMAT;
	*ret = rec;
	return 0;
}

void
hp_rec_name(const uint8_t id[HP_PKG_ID_LEN], char ret[HP_REC_NAME_LEN])
{
	memcpy(ret, "hpbuild:", 8);
	hp_hex(id, HP_PKG_ID_LEN, ret + 8);
}

/* One mapping with the right name. HP_E_FORMAT when it does not hold a record of that package. *left: bytes that may still be
 * read. */
static int
read_area(const struct hp_proc *proc, const struct hp_area *area, struct hp_arena *arena, uint64_t *left, struct hp_rec *ret,
          struct hp_err *err)
{
	char name[HP_REC_NAME_LEN];
	uint8_t head[HEADER_LEN_1], *bytes;
	uint64_t len;
	int r;

	if (area->end - area->start < HEADER_LEN_1 || hp_proc_read(proc, area->start, head, sizeof(head), NULL) < 0)
		return hp_err_set(err, HP_E_FORMAT, "record: cannot be read");
	len = hp_le64_get(head + OFF_TOTAL);
	if (len < HEADER_LEN_1 || len > area->end - area->start || len > 2 * HP_PKG_LEN_MAX || len > *left)
		return hp_err_set(err, HP_E_FORMAT, "record: length 0x%" PRIx64 " does not fit its mapping", len);
	*left -= len;
	bytes = hp_arena_alloc(arena, (size_t)len);
	if (bytes == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for a record of %" PRIu64 " bytes", len);
	if (hp_proc_read(proc, area->start, bytes, (size_t)len, NULL) < 0)
		return hp_err_set(err, HP_E_FORMAT, "record: cannot be read");
	r = hp_rec_read(hp_view_of(bytes, (size_t)len), arena, ret, err);
	if (r < 0)
		return r;
	hp_rec_name(ret->id, name);
	if (strncmp(area->path + strlen("/memfd:"), name, strlen(name)) != 0)
		return hp_err_set(err, HP_E_FORMAT, "record: name and package id differ");
	ret->va = area->start;
	ret->len = area->end - area->start;
	return 0;
}

static int
compare_order(const void *a, const void *b)
{
	const struct hp_rec *x = a, *y = b;

	return x->order < y->order ? -1 : x->order > y->order;
}

int
hp_recs_read(const struct hp_proc *proc, const struct hp_areas *areas, struct hp_arena *arena, struct hp_recs *ret,
             struct hp_err *err)
{
	struct hp_recs recs = { 0 };
	uint64_t left = RECS_LEN_MAX;
	size_t cap = 0;

	for (size_t i = 0; i < areas->cnt; i++)
		cap += strncmp(areas->v[i].path, NAME_PREFIX, strlen(NAME_PREFIX)) == 0;
	recs.v = hp_arena_array(arena, cap, sizeof(*recs.v));
	if (recs.v == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %zu records", cap);
	for (size_t i = 0; i < areas->cnt; i++) {
		int r;

		if (strncmp(areas->v[i].path, NAME_PREFIX, strlen(NAME_PREFIX)) != 0)
			continue;
		r = recs.cnt < RECS_MAX ? read_area(proc, &areas->v[i], arena, &left, &recs.v[recs.cnt], err) : HP_E_LIMIT;
		if (r == HP_E_NOMEM)
			return r;
		if (r < 0)
			recs.bad_cnt++;
		else
			recs.cnt++;
	}
	if (recs.cnt > 1)
		qsort(recs.v, recs.cnt, sizeof(*recs.v), compare_order);
	*ret = recs;
	return 0;
}

int
hp_rec_set_state(const struct hp_proc *proc, struct hp_rec *rec, enum hp_rec_state state, struct hp_err *err)
{
	uint8_t bytes[4];
	int r;

	hp_le32_put(bytes, (uint32_t)state);
	r = hp_proc_write(proc, rec->va + OFF_STATE, bytes, sizeof(bytes), err);
	if (r == 0)
		rec->state = state;
	return r;
}

int
hp_rec_refresh(const struct hp_proc *proc, const struct hp_rec *rec, struct hp_err *err)
{
	size_t len = (size_t)tables_len(rec), head = (size_t)header_len(rec);
	uint8_t *p = calloc(1, len);
	int r;

	if (p == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %zu bytes", len);
	put_tables(rec, p);
	r = hp_proc_write(proc, rec->va + OFF_ORDER, p + OFF_ORDER, OFF_ID - OFF_ORDER, err);
	if (r == 0 && len > head)
		r = hp_proc_write(proc, rec->va + head, p + head, len - head, err);
	free(p);
	return r;
}

int
hp_rec_set_frames(const struct hp_proc *proc, const struct hp_rec *rec, struct hp_err *err)
{
	for (uint32_t i = 0; i < rec->targets_cnt; i++) {
		uint8_t bytes[8];
		int r;

		hp_le64_put(bytes, rec->targets[i].frames_va);
		r = hp_proc_write(proc, rec->va + header_len(rec) + (uint64_t)i * TARGET_LEN + TARGET_FRAMES, bytes,
		                  sizeof(bytes), err);
		if (r < 0)
			return r;
	}
	return 0;
}

const char *
hp_rec_state_name(enum hp_rec_state state)
{
	switch (state) {
	case HP_REC_BUILDING:
	case HP_REC_PREPARED:
		return "prepared";
	case HP_REC_SWITCHING:
	case HP_REC_REVERTING:
		return "interrupted";
	case HP_REC_APPLIED:
		return "applied";
	case HP_REC_REVERTED:
		return "reverted";
	case HP_REC_REPLACED:
		return "replaced";
	}
	return "?";
}
