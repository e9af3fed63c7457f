#include "formats/dwarf_libdwarf.h"

#include <stdlib.h>

#include "base/escape.h"

/* The made-up unit: DWARF 4 header of 11 or 23 bytes, one entry "compile_unit, stmt_list". */
static const uint8_t abbrev[] = { 1, DW_TAG_compile_unit, 0, DW_AT_stmt_list, DW_FORM_sec_offset, 0, 0, 0 };

static void
put(struct hp_buf *b, bool be, unsigned len, uint64_t v, int *r)
{
	uint8_t bytes[8];

	for (unsigned i = 0; i < len; i++)
		bytes[i] = (uint8_t)(v >> 8 * (be ? len - 1 - i : i));
	if (*r == 0)
		*r = hp_buf_add(b, bytes, len, NULL);
}

static int
make_unit(const struct hp_dwarf *dw, const struct hp_dw_unit *u, struct hp_buf *b)
{
	bool be = dw->elf->big_endian;
	int r = 0;

	put(b, be, 4, 2 + 4 + 1 + 1 + 4, &r);
	put(b, be, 2, 4, &r);
	put(b, be, 4, 0, &r);
	put(b, be, 1, u->addr_len, &r);
	put(b, be, 1, 1, &r);
	put(b, be, 4, u->stmt_list, &r);
	return r;
}

/* DWARF 5 section 6.2.4; what libdwarf 20210528 does not check by itself. ret_len: bytes of the whole table. */
static bool
check_table(const struct hp_dwarf *dw, uint64_t off, uint64_t *ret_len)
{
	struct hp_view v;
	struct hp_dw_cur c;
	uint64_t len, header_len, version;
	unsigned off_len = 4, line_range, opcode_base;

	if (off > UINT32_MAX || !hp_view_sub(dw->sect[HP_DW_LINE], off, 0, &v))
		return false;
	c = (struct hp_dw_cur){ v.p, dw->sect[HP_DW_LINE].p + dw->sect[HP_DW_LINE].len, dw->elf->big_endian, false };
	len = hp_dw_get(&c, 4);
	if (len == 0xffffffff) {
		off_len = 8;
		len = hp_dw_get(&c, 8);
	}
	if (c.bad || len > (uint64_t)(c.end - c.p))
		return false;
	c.end = c.p + len;
	version = hp_dw_get(&c, 2);
	if (version < 2 || version > 5)
		return false;
	if (version == 5) {
		uint64_t addr_len = hp_dw_get(&c, 1), seg_len = hp_dw_get(&c, 1);

		if ((addr_len != 4 && addr_len != 8) || seg_len != 0)
			return false;
	}
	header_len = hp_dw_get(&c, off_len);
	if (c.bad || header_len > (uint64_t)(c.end - c.p))
		return false;
	hp_dw_skip(&c, 1);
	if (version >= 4 && hp_dw_get(&c, 1) == 0)
		return false;
	hp_dw_skip(&c, 2);
	line_range = (unsigned)hp_dw_get(&c, 1);
	opcode_base = (unsigned)hp_dw_get(&c, 1);
	if (c.bad || line_range == 0 || opcode_base == 0)
		return false;
	*ret_len = (uint64_t)(c.end - v.p);
	return true;
}

/* Names as the compiler was given them: relative to the unit's folder where they lie in it, so that they do not depend on
 * where the build ran. */
static const char *
join_path(struct hp_dwarf *dw, const struct hp_dw_unit *u, const char *dir, const char *name)
{
	size_t comp_len = strlen(u->id.comp_dir);

	if (name[0] != '/' && dir[0] != '\0' && strcmp(dir, ".") != 0 && strcmp(dir, u->id.comp_dir) != 0)
		name = hp_arena_printf(&dw->arena, "%s/%s", dir, name);
	else
		name = hp_arena_strdup(&dw->arena, name);
	if (name != NULL && comp_len > 1 && strncmp(name, u->id.comp_dir, comp_len) == 0 && name[comp_len] == '/')
		name += comp_len + 1;
	return name;
}

static const char *
dir_name(Dwarf_Line_Context lc, Dwarf_Unsigned version, Dwarf_Unsigned idx)
{
	const char *dir = NULL;
	Dwarf_Error e = NULL;

	/* Index 0 is the unit's folder; before DWARF 5 it is not in the table. */
	if (version < 5 && idx == 0)
		return "";
	if (idx > INT32_MAX || dwarf_srclines_include_dir_data(lc, (Dwarf_Signed)idx, &dir, &e) != DW_DLV_OK || dir == NULL)
		return "";
	return dir;
}

/* u->files[i] = name of DWARF file number i, NULL = none. */
static int
read_files(struct hp_dwarf *dw, struct hp_dw_unit *u, struct hp_ld *ld, Dwarf_Line_Context lc, Dwarf_Unsigned version,
           struct hp_err *err)
{
	Dwarf_Signed base, cnt, end;
	Dwarf_Error e = NULL;
	uint64_t budget = 4 * (uint64_t)dw->sect[HP_DW_LINE].len + dw->sect[HP_DW_LINE_STR].len + 65536;

	if (dwarf_srclines_files_indexes(lc, &base, &cnt, &end, &e) != DW_DLV_OK)
		return hp_ld_fail(ld, e, "file names of a line table", err);
	if (base < 0 || end < base || end > INT32_MAX || (uint64_t)end > dw->sect[HP_DW_LINE].len + 1)
		return 0;
	u->files = hp_arena_array(&dw->arena, (size_t)end, sizeof(*u->files));
	if (u->files == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %lld file names", (long long)end);
	u->files_cnt = (uint32_t)end;
	for (Dwarf_Signed i = base; i < end; i++) {
		Dwarf_Unsigned dir_idx = 0, time = 0, len = 0;
		Dwarf_Form_Data16 *md5 = NULL;
		const char *name = NULL, *dir;

		if (dwarf_srclines_files_data_b(lc, i, &name, &dir_idx, &time, &len, &md5, &e) != DW_DLV_OK || name == NULL)
			continue;
		dir = dir_name(lc, version, dir_idx);
		len = strlen(name) + strlen(dir);
		if (len > budget)
			return hp_err_set(err, HP_E_LIMIT, "file names of a line table are too long");
		budget -= len;
		u->files[i] = join_path(dw, u, dir, name);
		if (u->files[i] == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory for file names");
	}
	return 0;
}

static int
read_rows(struct hp_dwarf *dw, const struct hp_dw_unit *u, struct hp_ld *ld, Dwarf_Line_Context lc, struct hp_err *err)
{
	Dwarf_Line *lines = NULL;
	Dwarf_Signed cnt = 0;
	Dwarf_Error e = NULL;
	struct hp_dw_row *more;
	int r = dwarf_srclines_from_linecontext(lc, &lines, &cnt, &e);

	if (r == DW_DLV_ERROR)
		return hp_ld_fail(ld, e, "a line table", err);
	if (r != DW_DLV_OK || cnt <= 0)
		return 0;
	more = realloc(dw->rows, (dw->rows_cnt + (size_t)cnt) * sizeof(*more));
	if (more == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %lld lines", (long long)cnt);
	dw->rows = more;
	for (Dwarf_Signed i = 0; i < cnt; i++) {
		Dwarf_Unsigned line = 0, file = 0;
		Dwarf_Addr addr = 0;
		Dwarf_Bool end = 0;

		if (dwarf_lineaddr(lines[i], &addr, &e) != DW_DLV_OK || dwarf_lineno(lines[i], &line, &e) != DW_DLV_OK ||
		    dwarf_line_srcfileno(lines[i], &file, &e) != DW_DLV_OK ||
		    dwarf_lineendsequence(lines[i], &end, &e) != DW_DLV_OK)
			return hp_ld_fail(ld, e, "a row of a line table", err);
		dw->rows[dw->rows_cnt] = (struct hp_dw_row){ addr, end || file >= u->files_cnt ? NULL : u->files[file],
			                                      (uint32_t)line, (uint32_t)dw->rows_cnt };
		dw->rows_cnt++;
	}
	return 0;
}

static int
read_table(struct hp_dwarf *dw, struct hp_dw_unit *u, struct hp_ld *ld, Dwarf_Die die, struct hp_err *err)
{
	Dwarf_Line_Context lc = NULL;
	Dwarf_Unsigned version = 0;
	Dwarf_Small tables = 0;
	Dwarf_Error e = NULL;
	int r = dwarf_srclines_b(die, &version, &tables, &lc, &e);

	if (r == DW_DLV_ERROR)
		return hp_ld_fail(ld, e, "a line table", err);
	if (r != DW_DLV_OK)
		return 0;
	r = read_files(dw, u, ld, lc, version, err);
	if (r == 0 && tables == 1)
		r = read_rows(dw, u, ld, lc, err);
	dwarf_srclines_dealloc_b(lc);
	return r;
}

/* Units that share a table (type units) share its names. False: the table must be read. */
static int
shared(struct hp_dwarf *dw, struct hp_map *seen, struct hp_dw_unit *u, struct hp_err *err)
{
	uint64_t first;

	if (hp_map_get(seen, &u->stmt_list, sizeof(u->stmt_list), &first)) {
		u->files = dw->units[first].files;
		u->files_cnt = dw->units[first].files_cnt;
		return 1;
	}
	return hp_map_put(seen, &u->stmt_list, sizeof(u->stmt_list), (uint64_t)(u - dw->units), err);
}

static int
read_unit(struct hp_dwarf *dw, struct hp_dw_unit *u, struct hp_ld *ld, struct hp_err *err)
{
	Dwarf_Unsigned len, type_off, next;
	Dwarf_Half version, addr_len, len_size, ext, kind;
	Dwarf_Sig8 sig;
	Dwarf_Off abbrev_off;
	Dwarf_Error e = NULL;
	Dwarf_Die die = NULL;
	int r;

	if (dwarf_next_cu_header_d(ld->dbg, 1, &len, &version, &abbrev_off, &addr_len, &len_size, &ext, &sig, &type_off, &next,
	                           &kind, &e) != DW_DLV_OK ||
	    dwarf_siblingof_b(ld->dbg, NULL, 1, &die, &e) != DW_DLV_OK)
		return hp_ld_fail(ld, e, "a line table", err);
	r = read_table(dw, u, ld, die, err);
	dwarf_dealloc_die(die);
	return r;
}

static int
by_addr(const void *a, const void *b)
{
	const struct hp_dw_row *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	/* The end of a sequence comes before the start of the next at the same address. */
	if ((x->file == NULL) != (y->file == NULL))
		return x->file == NULL ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* The units whose tables will be read, in order, as libdwarf shall see them. */
static int
plan(struct hp_dwarf *dw, struct hp_buf *info, uint32_t *list, uint32_t *ret_cnt, struct hp_err *err)
{
	uint64_t budget = 2 * (uint64_t)dw->sect[HP_DW_LINE].len, len;
	struct hp_map seen = { 0 };
	uint32_t cnt = 0;
	int r = 0;

	for (uint32_t i = 0; i < dw->units_cnt && r >= 0; i++) {
		struct hp_dw_unit *u = &dw->units[i];

		if (u->stmt_list == UINT64_MAX)
			continue;
		r = shared(dw, &seen, u, err);
		if (r != 0)
			continue;
		if (!check_table(dw, u->stmt_list, &len) || len > budget) {
			r = hp_err_set(err, HP_E_FORMAT, "'%s': .debug_line: malformed table at offset %llu", hp_esc(dw->elf->path),
			               (unsigned long long)u->stmt_list);
			break;
		}
		budget -= len;
		r = make_unit(dw, u, info);
		list[cnt++] = i;
	}
	/* libdwarf takes a unit this close to the end of the section for a rest that is too short to be one. */
	for (int i = 0; i < 8; i++)
		put(info, false, 8, 0, &r);
	hp_map_release(&seen);
	*ret_cnt = cnt;
	return r < 0 ? r : 0;
}

static int
share_names(struct hp_dwarf *dw, struct hp_err *err)
{
	struct hp_map seen = { 0 };
	int r = 0;

	for (uint32_t i = 0; i < dw->units_cnt && r >= 0; i++) {
		if (dw->units[i].stmt_list != UINT64_MAX)
			r = shared(dw, &seen, &dw->units[i], err);
	}
	hp_map_release(&seen);
	return r < 0 ? r : 0;
}

static int
read_tables(struct hp_dwarf *dw, struct hp_view info, const uint32_t *list, uint32_t cnt, struct hp_err *err)
{
	struct hp_ld ld;
	int r;

	if (cnt == 0)
		return 0;
	r = hp_ld_open(dw, info, hp_view_of(abbrev, sizeof(abbrev)), &ld, err);
	for (uint32_t i = 0; i < cnt && r == 0; i++)
		r = read_unit(dw, &dw->units[list[i]], &ld, err);
	hp_ld_close(&ld);
	if (r < 0)
		return hp_err_add(err, "'%s': .debug_line", hp_esc(dw->elf->path));
	return share_names(dw, err);
}

static int
read_lines(struct hp_dwarf *dw, struct hp_err *err)
{
	struct hp_buf info = { 0 };
	uint32_t *list, cnt = 0;
	int r;

	if (dw->rows_read)
		return 0;
	r = hp_dw_load(dw, HP_DW_LINE, err);
	if (r < 0)
		return r;
	list = calloc((size_t)dw->units_cnt + 1, sizeof(*list));
	if (list == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %u line tables", dw->units_cnt);
	r = plan(dw, &info, list, &cnt, err);
	if (r == 0)
		r = read_tables(dw, hp_buf_view(&info), list, cnt, err);
	free(list);
	hp_buf_release(&info);
	if (r < 0)
		return r;
	if (dw->rows_cnt > 0)
		qsort(dw->rows, dw->rows_cnt, sizeof(*dw->rows), by_addr);
	dw->rows_read = true;
	return 0;
}

int
hp_dwarf_line(struct hp_dwarf *dw, uint32_t sec_idx, uint64_t off, const char **ret_file, uint64_t *ret_line, struct hp_err *err)
{
	int r = read_lines(dw, err);
	size_t lo = 0, hi = dw->rows_cnt;
	uint64_t addr;

	if (r < 0)
		return r;
	if (sec_idx >= dw->elf->secs_cnt || off >= dw->elf->secs[sec_idx].len)
		return 0;
	addr = dw->base[sec_idx] + off;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (dw->rows[mid].addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0 || dw->rows[lo - 1].file == NULL)
		return 0;
	*ret_file = dw->rows[lo - 1].file;
	*ret_line = dw->rows[lo - 1].line;
	return 1;
}

int
hp_dw_source(struct hp_dwarf *dw, uint32_t n, const char **ret_file, uint64_t *ret_line, struct hp_err *err)
{
	const struct hp_dw_node *x = &dw->nodes[n];
	const struct hp_dw_unit *u = hp_dw_unit_of(dw, n);
	int r = read_lines(dw, err);

	if (r < 0)
		return r;
	if ((x->flags & HP_DW_HAS_FILE) == 0 || x->decl_file >= u->files_cnt || u->files[x->decl_file] == NULL)
		return 0;
	*ret_file = u->files[x->decl_file];
	*ret_line = x->decl_line;
	return 1;
}
