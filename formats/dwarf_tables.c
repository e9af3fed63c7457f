#include "formats/dwarf_internal.h"

#include "base/escape.h"
#include "formats/dwarf_compat.h"

/* Headers of line tables: DWARF 5 section 6.2.4, DWARF 4 section 6.2.4. */

#define FORMATS_MAX 16u /* descriptions of an entry; the standard knows five */

struct header {
	struct hp_dwarf *dw;
	struct hp_dw_table t;
	struct hp_dw_unit u; /* sizes for reading forms */
	struct hp_dw_cur c;  /* up to the end of the table */
	const char **dirs;
	uint64_t dirs_cnt;
};

static int
malformed(const struct hp_dwarf *dw, uint64_t off, struct hp_err *err)
{
	return hp_err_set(err, HP_E_FORMAT, "'%s': .debug_line: malformed table at offset %llu", hp_esc(dw->elf->path),
	                  (unsigned long long)off);
}

/* All up to the tables of names. */
static bool
read_fixed(struct header *h, uint64_t off)
{
	struct hp_view sect = h->dw->sect[HP_DW_LINE];
	uint64_t len;

	if (off >= sect.len)
		return false;
	h->c = (struct hp_dw_cur){ sect.p + off, sect.p + sect.len, h->dw->elf->big_endian, false };
	len = hp_dw_get(&h->c, 4);
	h->u.off_len = 4;
	if (len == 0xffffffff) {
		h->u.off_len = 8;
		len = hp_dw_get(&h->c, 8);
	}
	if (h->c.bad || len > (uint64_t)(h->c.end - h->c.p))
		return false;
	h->c.end = h->c.p + len;
	h->t.version = (uint16_t)hp_dw_get(&h->c, 2);
	if (h->t.version < 2 || h->t.version > 5)
		return false;
	h->u.version = h->t.version;
	if (h->t.version == 5) {
		h->u.addr_len = (uint8_t)hp_dw_get(&h->c, 1);
		hp_dw_skip(&h->c, 1);
	}
	len = hp_dw_get(&h->c, h->u.off_len);
	if (h->c.bad || len > (uint64_t)(h->c.end - h->c.p))
		return false;
	h->t.program = h->c;
	h->t.program.p += len;
	h->t.min_len = (uint8_t)hp_dw_get(&h->c, 1);
	if (h->t.version >= 4)
		hp_dw_skip(&h->c, 1); /* operations per instruction: 1 on every CPU that Linux runs on */
	hp_dw_skip(&h->c, 1);
	h->t.line_base = (int8_t)(uint8_t)hp_dw_get(&h->c, 1);
	h->t.line_range = (uint8_t)hp_dw_get(&h->c, 1);
	h->t.opcode_base = (uint8_t)hp_dw_get(&h->c, 1);
	h->t.operands = h->c.p;
	if (h->t.line_range == 0 || h->t.opcode_base == 0)
		return false;
	hp_dw_skip(&h->c, h->t.opcode_base - 1u);
	h->c.end = h->t.program.p;
	return !h->c.bad && h->c.p <= h->c.end;
}

static int
add_file(struct header *h, const char *name, uint64_t dir, struct hp_err *err)
{
	struct hp_dw_file f = { .dir = dir < h->dirs_cnt ? h->dirs[dir] : "", .name = name, .unit = h->t.unit };

	h->t.files_cnt++;
	return hp_buf_add(&h->dw->files, &f, sizeof(f), err);
}

static int
alloc_dirs(struct header *h, uint64_t cnt, struct hp_err *err)
{
	h->dirs = hp_arena_array(&h->dw->arena, (size_t)cnt, sizeof(*h->dirs));
	if (h->dirs == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %llu folders of a line table", (unsigned long long)cnt);
	return 0;
}

/* Before DWARF 5: lists of strings that end with an empty one; folder 0 is the unit's. */
static int
read_names_old(struct header *h, struct hp_err *err)
{
	struct hp_dw_cur count = h->c;
	uint64_t cnt = 1;
	int r;

	while (*hp_dw_cstr(&count) != '\0')
		cnt++;
	r = alloc_dirs(h, cnt, err);
	if (r < 0)
		return r;
	h->dirs[h->dirs_cnt++] = "";
	for (; h->dirs_cnt < cnt; h->dirs_cnt++)
		h->dirs[h->dirs_cnt] = hp_dw_cstr(&h->c);
	(void)hp_dw_cstr(&h->c);
	while (!h->c.bad) {
		const char *name = hp_dw_cstr(&h->c);
		uint64_t dir;

		if (*name == '\0')
			break;
		dir = hp_dw_uleb(&h->c);
		(void)hp_dw_uleb(&h->c);
		(void)hp_dw_uleb(&h->c);
		r = add_file(h, name, dir, err);
		if (r < 0)
			return r;
	}
	return 0;
}

struct entry_format {
	uint64_t content[FORMATS_MAX], form[FORMATS_MAX];
	unsigned cnt;
	uint64_t entries;
};

static bool
read_format(struct header *h, struct entry_format *f)
{
	f->cnt = (unsigned)hp_dw_get(&h->c, 1);
	if (f->cnt > FORMATS_MAX)
		return false;
	for (unsigned i = 0; i < f->cnt; i++) {
		f->content[i] = hp_dw_uleb(&h->c);
		f->form[i] = hp_dw_uleb(&h->c);
	}
	f->entries = hp_dw_uleb(&h->c);
	/* Each entry has two bytes at least, so that the count is in proportion. */
	return !h->c.bad && f->entries <= (f->cnt == 0 ? 0 : (uint64_t)(h->c.end - h->c.p) / 2);
}

static bool
read_entry(struct header *h, const struct entry_format *f, const char **ret_name, uint64_t *ret_dir)
{
	*ret_name = "";
	*ret_dir = 0;
	for (unsigned i = 0; i < f->cnt; i++) {
		struct hp_dw_value v;

		if (!hp_dw_form(h->dw, &h->u, f->form[i], 0, &h->c, &v))
			return false;
		if (f->content[i] == DW_LNCT_path && v.s != NULL)
			*ret_name = v.s;
		else if (f->content[i] == DW_LNCT_directory_index && v.cls == HP_DW_C_NUM)
			*ret_dir = v.u;
	}
	return true;
}

static int
read_names_5(struct header *h, uint64_t off, struct hp_err *err)
{
	struct entry_format f;
	const char *name;
	uint64_t dir;
	int r;

	if (!read_format(h, &f))
		return malformed(h->dw, off, err);
	r = alloc_dirs(h, f.entries, err);
	if (r < 0)
		return r;
	for (; h->dirs_cnt < f.entries; h->dirs_cnt++) {
		if (!read_entry(h, &f, &h->dirs[h->dirs_cnt], &dir))
			return malformed(h->dw, off, err);
	}
	if (!read_format(h, &f))
		return malformed(h->dw, off, err);
	for (uint64_t i = 0; i < f.entries; i++) {
		if (!read_entry(h, &f, &name, &dir))
			return malformed(h->dw, off, err);
		r = add_file(h, name, dir, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int
read_table(struct hp_dwarf *dw, uint32_t unit, uint64_t *budget, struct hp_err *err)
{
	struct header h = { .dw = dw, .t.unit = unit, .u.addr_len = dw->units[unit].addr_len };
	uint64_t off = dw->units[unit].stmt_list, len;
	int r;

	h.u.str_off_base = dw->units[unit].str_off_base;
	h.t.files_idx = (uint32_t)(dw->files.len / sizeof(struct hp_dw_file));
	if (!read_fixed(&h, off))
		return malformed(dw, off, err);
	len = (uint64_t)(h.t.program.end - dw->sect[HP_DW_LINE].p) - off;
	if (len > *budget)
		return malformed(dw, off, err);
	*budget -= len;
	r = h.t.version == 5 ? read_names_5(&h, off, err) : read_names_old(&h, err);
	if (r < 0)
		return r;
	if (h.c.bad)
		return malformed(dw, off, err);
	return hp_buf_add(&dw->tables, &h.t, sizeof(h.t), err);
}

/* Units may share a table: type units use that of their compile unit. */
int
hp_dw_read_tables(struct hp_dwarf *dw, struct hp_err *err)
{
	struct hp_map seen = { 0 };
	uint64_t budget;
	int r;

	if (dw->tables_read)
		return 0;
	r = hp_dw_load(dw, HP_DW_LINE, err);
	budget = 2 * (uint64_t)dw->sect[HP_DW_LINE].len; /* tables do not overlap */
	for (uint32_t i = 0; i < dw->units_cnt && r == 0; i++) {
		struct hp_dw_unit *u = &dw->units[i];
		uint64_t known;

		if (u->stmt_list == UINT64_MAX)
			continue;
		if (hp_map_get(&seen, &u->stmt_list, sizeof(u->stmt_list), &known)) {
			u->table = (uint32_t)known;
			continue;
		}
		u->table = (uint32_t)(dw->tables.len / sizeof(struct hp_dw_table));
		r = hp_map_put(&seen, &u->stmt_list, sizeof(u->stmt_list), u->table, err);
		if (r == 0)
			r = read_table(dw, i, &budget, err);
	}
	hp_map_release(&seen);
	dw->tables_read = r == 0;
	return r;
}

uint32_t
hp_dw_file(const struct hp_dw_table *t, uint64_t number)
{
	if (t->version < 5)
		number--;
	return number < t->files_cnt ? t->files_idx + (uint32_t)number : HP_NONE;
}

int
hp_dw_path(struct hp_dwarf *dw, uint32_t idx, const char **ret, struct hp_err *err)
{
	struct hp_dw_file *f = &hp_dw_items_of(&dw->files, struct hp_dw_file)[idx];
	const char *comp_dir = dw->units[f->unit].id.comp_dir, *path = f->name;
	size_t len = strlen(comp_dir);

	if (f->path == NULL) {
		if (path[0] != '/' && f->dir[0] != '\0' && strcmp(f->dir, ".") != 0 && strcmp(f->dir, comp_dir) != 0)
			path = hp_arena_printf(&dw->arena, "%s/%s", f->dir, path);
		if (path == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory for a file name");
		if (len > 1 && strncmp(path, comp_dir, len) == 0 && path[len] == '/')
			path += len + 1;
		f->path = path;
	}
	*ret = f->path;
	return 0;
}

int
hp_dw_source(struct hp_dwarf *dw, uint32_t n, const char **ret_file, uint64_t *ret_line, struct hp_err *err)
{
	const struct hp_dw_node *x = &dw->nodes[n];
	const struct hp_dw_unit *u = hp_dw_unit_of(dw, n);
	int r = hp_dw_read_tables(dw, err);
	/* A definition behind its declaration names the file only when it is another one. */
	const struct hp_dw_node *from = (x->flags & HP_DW_HAS_FILE) != 0 ? x : &dw->nodes[hp_dw_origin(dw, n)];
	uint32_t file;

	if (r < 0)
		return r;
	if ((from->flags & HP_DW_HAS_FILE) == 0 || u->table == HP_NONE)
		return 0;
	file = hp_dw_file(&hp_dw_items_of(&dw->tables, struct hp_dw_table)[u->table], from->decl_file);
	if (file == HP_NONE)
		return 0;
	*ret_line = x->decl_line;
	r = hp_dw_path(dw, file, ret_file, err);
	return r < 0 ? r : 1;
}
