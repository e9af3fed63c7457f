#include "formats/dwarf_internal.h"

#include <stdlib.h>

#include "formats/dwarf_compat.h"

/* The line number program: DWARF 5 section 6.2.5. */

struct machine {
	struct hp_dwarf *dw;
	const struct hp_dw_table *t;
	struct hp_dw_cur c;
	uint64_t addr;
	uint64_t file;      /* DWARF's number */
	uint64_t line;
	struct hp_dw_seq seq;
};

static void
start_seq(struct machine *m)
{
	m->addr = 0;
	m->file = 1;
	m->line = 1;
	m->seq = (struct hp_dw_seq){ .row = m->dw->rows.len / sizeof(struct hp_dw_row) };
}

/* Rows that tell nothing new are left out; of several at one address the last counts. */
static int
emit(struct machine *m, struct hp_err *err)
{
	struct hp_dw_row row = { m->addr, hp_dw_file(m->t, m->file), (uint32_t)m->line };
	struct hp_dw_row *last;

	if (m->seq.rows_cnt == 0)
		m->seq.start = m->addr;
	else {
		last = &hp_dw_items_of(&m->dw->rows, struct hp_dw_row)[m->seq.row + m->seq.rows_cnt - 1];
		if (last->addr == row.addr) {
			*last = row;
			return 0;
		}
		if (last->file == row.file && last->line == row.line)
			return 0;
	}
	m->seq.rows_cnt++;
	return hp_buf_add(&m->dw->rows, &row, sizeof(row), err);
}

static int
end_seq(struct machine *m, struct hp_err *err)
{
	int r = 0;

	m->seq.end = m->addr;
	if (m->seq.rows_cnt > 0 && m->seq.end > m->seq.start)
		r = hp_buf_add(&m->dw->seqs, &m->seq, sizeof(m->seq), err);
	start_seq(m);
	return r;
}

static int
extended(struct machine *m, struct hp_err *err)
{
	uint64_t len = hp_dw_uleb(&m->c);
	const uint8_t *end;
	int r = 0;

	if (len > (uint64_t)(m->c.end - m->c.p))
		len = (uint64_t)(m->c.end - m->c.p);
	if (len == 0)
		return 0;
	end = m->c.p + len;
	switch (hp_dw_get(&m->c, 1)) {
	case DW_LNE_end_sequence:
		r = end_seq(m, err);
		break;
	case DW_LNE_set_address:
		if (len - 1 <= 8)
			m->addr = hp_dw_get(&m->c, (unsigned)(len - 1));
		break;
	default: /* define_file (gone in DWARF 5), discriminators, vendors' own */
		break;
	}
	m->c.p = end;
	return r;
}

static int
standard(struct machine *m, unsigned op, struct hp_err *err)
{
	switch (op) {
	case DW_LNS_copy:
		return emit(m, err);
	case DW_LNS_advance_pc:
		m->addr += hp_dw_uleb(&m->c) * m->t->min_len;
		return 0;
	case DW_LNS_advance_line:
		m->line += (uint64_t)hp_dw_sleb(&m->c);
		return 0;
	case DW_LNS_set_file:
		m->file = hp_dw_uleb(&m->c);
		return 0;
	case DW_LNS_const_add_pc:
		m->addr += (uint64_t)((255u - m->t->opcode_base) / m->t->line_range) * m->t->min_len;
		return 0;
	case DW_LNS_fixed_advance_pc:
		m->addr += hp_dw_get(&m->c, 2);
		return 0;
	default: /* columns, statement and prologue marks, and what we do not know */
		for (unsigned i = 0; i < m->t->operands[op - 1] && !m->c.bad; i++)
			(void)hp_dw_uleb(&m->c);
		return 0;
	}
}

static int
run(struct hp_dwarf *dw, const struct hp_dw_table *t, struct hp_err *err)
{
	struct machine m = { .dw = dw, .t = t, .c = t->program };
	int r = 0;

	start_seq(&m);
	while (m.c.p < m.c.end && r == 0) {
		unsigned op = *m.c.p++;

		if (op >= t->opcode_base) {
			unsigned adjusted = op - t->opcode_base;

			m.addr += (uint64_t)(adjusted / t->line_range) * t->min_len;
			m.line += (uint64_t)(int64_t)(t->line_base + (int)(adjusted % t->line_range));
			r = emit(&m, err);
		} else {
			r = op == 0 ? extended(&m, err) : standard(&m, op, err);
		}
	}
	return r;
}

static int
by_start(const void *a, const void *b)
{
	const struct hp_dw_seq *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->row < y->row ? -1 : x->row > y->row;
}

static int
read_rows(struct hp_dwarf *dw, struct hp_err *err)
{
	int r = hp_dw_read_tables(dw, err);
	const struct hp_dw_table *t = hp_dw_items_of(&dw->tables, struct hp_dw_table);

	if (r < 0 || dw->rows_read)
		return r;
	dw->rows.len = dw->seqs.len = 0;
	for (size_t i = 0; i < dw->tables.len / sizeof(*t); i++) {
		r = run(dw, &t[i], err);
		if (r < 0)
			return r;
	}
	if (dw->seqs.len > 0)
		qsort(dw->seqs.p, dw->seqs.len / sizeof(struct hp_dw_seq), sizeof(struct hp_dw_seq), by_start);
	dw->rows_read = true;
	return 0;
}

static const struct hp_dw_row *
find_row(const struct hp_dwarf *dw, uint64_t addr)
{
	const struct hp_dw_seq *seqs = hp_dw_items_of(&dw->seqs, const struct hp_dw_seq);
	const struct hp_dw_row *rows;
	size_t lo = 0, hi = dw->seqs.len / sizeof(*seqs);

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (seqs[mid].start <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0 || addr >= seqs[lo - 1].end)
		return NULL;
	rows = hp_dw_items_of(&dw->rows, const struct hp_dw_row) + seqs[lo - 1].row;
	hi = seqs[lo - 1].rows_cnt;
	lo = 0;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (rows[mid].addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo > 0 ? &rows[lo - 1] : NULL;
}

int
hp_dwarf_line(struct hp_dwarf *dw, uint32_t sec_idx, uint64_t off, const char **ret_file, uint64_t *ret_line, struct hp_err *err)
{
	const struct hp_dw_row *row;
	int r = read_rows(dw, err);

	if (r < 0)
		return r;
	if (sec_idx >= dw->elf->secs_cnt || off >= dw->elf->secs[sec_idx].len)
		return 0;
	row = find_row(dw, dw->base[sec_idx] + off);
	if (row == NULL || row->file == HP_NONE)
		return 0;
	*ret_line = row->line;
	r = hp_dw_path(dw, row->file, ret_file, err);
	return r < 0 ? r : 1;
}
