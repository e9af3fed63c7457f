#include "formats/dwarf_internal.h"

#include <stdlib.h>

#include "base/escape.h"
#include "formats/dwarf_compat.h"

/* Layout of unit headers: DWARF 5 section 7.5.1, DWARF 4 sections 7.5.1.1 and 7.5.1.2. */

static int
bad_header(const struct hp_dwarf *dw, uint64_t off, const char *what, uint64_t v, struct hp_err *err)
{
	return hp_err_set(err, HP_E_FORMAT, "'%s': .debug_info: unit at offset %llu: %s %llu", hp_esc(dw->elf->path),
	                  (unsigned long long)off, what, (unsigned long long)v);
}

static bool
read_length(struct hp_dw_cur *c, struct hp_dw_unit *u, uint64_t sect_len)
{
	uint64_t len = hp_dw_get(c, 4);

	u->off_len = 4;
	if (len == 0xffffffff) {
		u->off_len = 8;
		len = hp_dw_get(c, 8);
	}
	u->end = u->off + (u->off_len == 4 ? 4 : 12);
	if (c->bad || len > sect_len - u->end)
		return false;
	u->end += len;
	return true;
}

/* Returns 1 a unit that is read, 0 one of a kind that is not (skeleton's split part), negative failed. */
static int
read_header(const struct hp_dwarf *dw, struct hp_dw_unit *u, struct hp_err *err)
{
	struct hp_view sect = dw->sect[HP_DW_INFO];
	struct hp_dw_cur c = { sect.p + u->off, sect.p + sect.len, dw->elf->big_endian, false };
	uint64_t kind = DW_UT_compile, type_off = 0;

	if (!read_length(&c, u, sect.len))
		return bad_header(dw, u->off, "is longer than the section, which has", sect.len, err);
	c.end = sect.p + u->end;
	u->version = (uint16_t)hp_dw_get(&c, 2);
	if (c.bad || u->version < 2 || u->version > 5)
		return bad_header(dw, u->off, "DWARF version", u->version, err);
	if (u->version == 5) {
		kind = hp_dw_get(&c, 1);
		u->addr_len = (uint8_t)hp_dw_get(&c, 1);
		u->abbrev_off = hp_dw_get(&c, u->off_len);
	} else {
		u->abbrev_off = hp_dw_get(&c, u->off_len);
		u->addr_len = (uint8_t)hp_dw_get(&c, 1);
		if (u->off >= dw->types_off)
			kind = DW_UT_type;
	}
	if (u->addr_len != 4 && u->addr_len != 8)
		return bad_header(dw, u->off, "address size", u->addr_len, err);
	if (kind == DW_UT_type) {
		u->is_type = true;
		u->sig = hp_dw_get(&c, 8);
		type_off = hp_dw_get(&c, u->off_len);
		if (type_off < u->end - u->off)
			u->type_off = u->off + type_off;
	} else if (kind == DW_UT_skeleton) {
		hp_dw_skip(&c, 8);
	} else if (kind != DW_UT_compile && kind != DW_UT_partial) {
		return 0;
	}
	if (c.bad)
		return bad_header(dw, u->off, "has no whole header before offset", u->end, err);
	u->die_off = (uint64_t)(c.p - sect.p);
	u->stmt_list = UINT64_MAX;
	u->table = HP_NONE;
	/* DWARF 5: bases point behind the header of the contribution; a split unit has its only one there too. */
	u->str_off_base = u->version == 5 ? (u->off_len == 4 ? 8 : 16) : 0;
	u->addr_base = u->str_off_base;
	u->id = (struct hp_dwarf_unit){ "", "", "", 0 };
	return 1;
}

static int
add_unit(struct hp_dwarf *dw, struct hp_buf *all, const struct hp_dw_unit *u, struct hp_err *err)
{
	dw->units_cnt++;
	return hp_buf_add(all, u, sizeof(*u), err);
}

static int
read_headers(struct hp_dwarf *dw, struct hp_buf *all, struct hp_err *err)
{
	size_t len = dw->sect[HP_DW_INFO].len;
	uint64_t off = 0;

	if (len > UINT32_MAX)
		return hp_err_set(err, HP_E_LIMIT, "'%s': %zu bytes of .debug_info", hp_esc(dw->elf->path), len);
	while (off < len) {
		struct hp_dw_unit u = { .off = off };
		int r = read_header(dw, &u, err);

		if (r < 0)
			return r;
		off = u.end;
		r = r > 0 ? add_unit(dw, all, &u, err) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static int
index_types(struct hp_dwarf *dw, struct hp_err *err)
{
	for (uint32_t i = 0; i < dw->units_cnt; i++) {
		struct hp_dw_unit *u = &dw->units[i];
		int r;

		if (!u->is_type)
			continue;
		/* The key is compared with the bytes of DW_FORM_ref_sig8, so it is the bytes in the header. */
		r = hp_map_put(&dw->sig_map, dw->sect[HP_DW_INFO].p + u->die_off - u->off_len - 8, 8, i, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int
list_ids(struct hp_dwarf *dw, struct hp_err *err)
{
	dw->ids = hp_arena_array(&dw->arena, dw->units_cnt, sizeof(*dw->ids));
	if (dw->ids == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %u units", dw->units_cnt);
	for (uint32_t i = 0; i < dw->units_cnt; i++) {
		struct hp_dw_unit *u = &dw->units[i];
		int r = hp_dw_abbrevs_get(dw, u, &u->abbrevs, err);

		if (r == 0)
			r = hp_dw_read_root(dw, u, err);
		if (r < 0) {
			(void)hp_err_add(err, "'%s': unit at offset %llu of .debug_info", hp_esc(dw->elf->path),
			                 (unsigned long long)u->off);
			return r;
		}
		if (r > 0)
			dw->ids[dw->ids_cnt++] = u->id;
	}
	return 0;
}

int
hp_dw_read_units(struct hp_dwarf *dw, struct hp_err *err)
{
	struct hp_buf all = { 0 };
	int r = read_headers(dw, &all, err);

	if (r == 0) {
		dw->units = hp_arena_alloc(&dw->arena, all.len);
		if (dw->units == NULL)
			r = hp_err_set(err, HP_E_NOMEM, "no memory for %u units", dw->units_cnt);
		else if (all.len > 0)
			memcpy(dw->units, all.p, all.len);
	}
	hp_buf_release(&all);
	if (r == 0)
		r = index_types(dw, err);
	return r < 0 ? r : list_ids(dw, err);
}

static int
load_sections(struct hp_dwarf *dw, struct hp_err *err)
{
	static const enum hp_dw_sect now[] = {
		HP_DW_INFO, HP_DW_ABBREV, HP_DW_STR, HP_DW_LINE_STR, HP_DW_STR_OFFSETS, HP_DW_ADDR
	};

	for (size_t i = 0; i < sizeof(now) / sizeof(now[0]); i++) {
		int r = hp_dw_load(dw, now[i], err);

		if (r < 0)
			return r;
	}
	dw->abbrev_budget = 4 * (uint64_t)dw->sect[HP_DW_ABBREV].len + 65536;
	return 0;
}

int
hp_dwarf_open(struct hp_elf *elf, struct hp_dwarf **ret, struct hp_err *err)
{
	uint32_t info = hp_elf_find_sec(elf, ".debug_info");
	struct hp_dwarf *dw;
	int r;

	if (info == HP_NONE || elf->secs[info].data.len == 0)
		return 0;
	dw = calloc(1, sizeof(*dw));
	if (dw == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for debug information");
	dw->elf = elf;
	r = hp_dw_places(dw, err);
	if (r == 0)
		r = load_sections(dw, err);
	if (r == 0)
		r = hp_dw_read_units(dw, err);
	if (r < 0) {
		hp_dwarf_free(dw);
		return r;
	}
	*ret = dw;
	return 1;
}

void
hp_dwarf_free(struct hp_dwarf *dw)
{
	if (dw == NULL)
		return;
	hp_map_release(&dw->abbrev_map);
	hp_map_release(&dw->sig_map);
	hp_map_release(&dw->decl_map);
	free(dw->nodes);
	hp_buf_release(&dw->tables);
	hp_buf_release(&dw->files);
	hp_buf_release(&dw->rows);
	hp_buf_release(&dw->seqs);
	hp_arena_release(&dw->arena);
	free(dw);
}

int
hp_dwarf_units(struct hp_dwarf *dw, const struct hp_dwarf_unit **ret, size_t *ret_cnt, struct hp_err *err)
{
	(void)err;
	*ret = dw->ids;
	*ret_cnt = dw->ids_cnt;
	return 0;
}
