#include "formats/elf_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "formats/insn_x86.h"

/* While parts are being collected; arrays are malloc'ed and copied into the arena at the end. */
struct splitter {
	struct hp_elf *elf;
	struct hp_parts *parts;
	struct hp_part *v;
	uint32_t cnt, cap;
	uint32_t *order; /* symbols that can name parts, sorted by place */
	uint32_t order_cnt;
};

/* gas's names for "1:" and "1$:", which CPUs with linker relaxation keep: "L0\001", "L1\0022". */
static bool
is_number_label(const char *name)
{
	size_t n = 1;

	if (name[0] != 'L')
		return false;
	while (name[n] >= '0' && name[n] <= '9')
		n++;
	return n > 1 && (name[n] == '\001' || name[n] == '\002');
}

static bool
names_a_place(const struct hp_elf *elf, const struct hp_sym *s)
{
	if (s->sec_idx == HP_SEC_UNDEF || s->sec_idx >= elf->secs_cnt)
		return false;
	if (s->type != STT_FUNC && s->type != STT_OBJECT && s->type != STT_NOTYPE && s->type != STT_TLS &&
	    s->type != STT_GNU_IFUNC)
		return false;
	/* Assembler-local labels that some CPUs keep, and aarch64's and riscv64's mapping symbols, are no names. */
	return s->name[0] != '\0' && strncmp(s->name, ".L", 2) != 0 && !is_number_label(s->name) &&
	       !(s->type == STT_NOTYPE && s->bind == STB_LOCAL && s->name[0] == '$');
}

static int
rank(const struct hp_sym *s)
{
	int type = s->type == STT_NOTYPE ? 1 : 0;
	int bind = s->bind == STB_GLOBAL ? 0 : s->bind == STB_WEAK ? 1 : 2;

	return type * 4 + bind;
}

static int
by_place(const void *a, const void *b, void *ctx)
{
	const struct hp_sym *syms = ctx, *x = &syms[*(const uint32_t *)a], *y = &syms[*(const uint32_t *)b];
	int c;

	if (x->sec_idx != y->sec_idx)
		return x->sec_idx < y->sec_idx ? -1 : 1;
	if (x->value != y->value)
		return x->value < y->value ? -1 : 1;
	if ((x->size == 0) != (y->size == 0))
		return x->size == 0 ? 1 : -1;
	if (rank(x) != rank(y))
		return rank(x) - rank(y);
	c = strcmp(x->name, y->name);
	return c != 0 ? c : *(const uint32_t *)a < *(const uint32_t *)b ? -1 : 1;
}

static int
sort_symbols(struct splitter *sp, struct hp_err *err)
{
	const struct hp_elf *elf = sp->elf;

	sp->order = calloc((size_t)elf->syms_cnt + 1, sizeof(*sp->order));
	if (sp->order == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %u symbols", elf->syms_cnt);
	for (uint32_t i = 1; i < elf->syms_cnt; i++) {
		const struct hp_sym *s = &elf->syms[i];
		uint64_t end;

		if (!names_a_place(elf, s))
			continue;
		if (__builtin_add_overflow(s->value, s->size, &end) || end > elf->secs[s->sec_idx].len)
			return hp_err_set(err, HP_E_FORMAT,
			                  "'%s': symbol %u '%s' ends at %llu, beyond the %llu bytes of section '%s'",
			                  hp_esc(elf->path), i, hp_esc(s->name), (unsigned long long)end,
			                  (unsigned long long)elf->secs[s->sec_idx].len, hp_esc(elf->secs[s->sec_idx].name));
		sp->order[sp->order_cnt++] = i;
	}
	qsort_r(sp->order, sp->order_cnt, sizeof(*sp->order), by_place, elf->syms);
	return 0;
}

static bool
starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

static bool
is_special_name(const char *name)
{
	static const char *const prefixes[] = { ".eh_frame", ".gcc_except_table", ".init_array", ".fini_array", ".preinit_array",
		                                ".ctors", ".dtors", ".note", "__patchable_function_entries", "__mcount_loc",
		                                ".discard" };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (starts_with(name, prefixes[i]))
			return true;
	return false;
}

/* A section in which unnamed bytes are expected: the compiler's own data sections, and ppc64's table of contents. */
static bool
is_plain_data_name(const char *name)
{
	static const char *const prefixes[] = { ".rodata", ".data", ".bss", ".sdata", ".sbss", ".lrodata", ".ldata", ".lbss",
		                                ".tdata", ".tbss", ".toc", ".gnu.linkonce" };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (starts_with(name, prefixes[i]))
			return true;
	return false;
}

static bool
is_mergeable(const struct hp_sec *s)
{
	return (s->flags & SHF_MERGE) && !(s->flags & SHF_WRITE) && s->entsize > 0 && s->rel_sec == HP_NONE &&
	       s->type == SHT_PROGBITS;
}

static enum hp_part_kind
section_kind(const struct hp_sec *s, bool has_symbols)
{
	bool standard = s->type == SHT_PROGBITS || s->type == SHT_NOBITS;

	if (!standard || is_special_name(s->name))
		return HP_PART_SPECIAL;
	if (s->flags & SHF_EXECINSTR)
		return HP_PART_FUNC;
	if (!has_symbols && !is_plain_data_name(s->name) && !is_mergeable(s))
		return HP_PART_SPECIAL;
	if (s->flags & SHF_TLS)
		return HP_PART_TLS;
	if (is_mergeable(s))
		return HP_PART_MERGE;
	if (s->type == SHT_NOBITS)
		return HP_PART_BSS;
	if (!(s->flags & SHF_WRITE) || starts_with(s->name, ".data.rel.ro") || starts_with(s->name, ".toc"))
		return HP_PART_RODATA;
	return HP_PART_DATA;
}

static int
add_part(struct splitter *sp, const struct hp_part *p, struct hp_err *err)
{
	if (sp->cnt == sp->cap) {
		uint32_t cap = sp->cap ? sp->cap * 2 : 256;
		struct hp_part *v = cap < sp->cap ? NULL : realloc(sp->v, (size_t)cap * sizeof(*v));

		if (v == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory for %u parts", cap);
		sp->v = v;
		sp->cap = cap;
	}
	sp->v[sp->cnt++] = *p;
	return 0;
}

/* Only padding between functions? x86 assemblers fill with nops (or int3), others with zero or one nop word. */
static bool
is_padding(const struct hp_elf *elf, struct hp_view bytes)
{
	struct hp_insn insn;

	for (size_t i = 0; i < bytes.len && bytes.p[i] == 0; i++)
		if (i + 1 == bytes.len)
			return true;
	if (elf->machine != EM_X86_64)
		return bytes.len < 16;
	for (uint64_t off = 0; off < bytes.len; off += insn.len)
		if (!hp_insn_decode(bytes, off, &insn) || !insn.nop)
			return false;
	return true;
}

/* Bytes [from, to) of a section that no symbol covers. */
static int
add_gap(struct splitter *sp, uint32_t sec_idx, enum hp_part_kind kind, uint64_t from, uint64_t to, struct hp_err *err)
{
	const struct hp_sec *s = &sp->elf->secs[sec_idx];
	struct hp_part p = { .kind = kind, .sec_idx = sec_idx, .off = from, .len = to - from, .sym_idx = HP_NONE };
	struct hp_view bytes;

	if (from >= to)
		return 0;
	if (kind == HP_PART_FUNC) {
		if (hp_view_sub(s->data, from, to - from, &bytes) && is_padding(sp->elf, bytes))
			return 0;
		p.kind = HP_PART_CODE;
	} else if (kind == HP_PART_RODATA) {
		p.kind = HP_PART_ANON;
	}
	return add_part(sp, &p, err);
}

/* Nops at the end of assembly without a size that only align what follows: they depend on what stands before. */
static uint64_t
without_padding(const struct hp_elf *elf, const struct hp_sec *s, uint64_t from, uint64_t to)
{
	struct hp_view code;
	struct hp_insn insn;
	uint64_t end = 0;

	if (elf->machine != EM_X86_64 || !(s->flags & SHF_EXECINSTR) || !hp_view_sub(s->data, from, to - from, &code))
		return to;
	for (uint64_t off = 0; off < code.len; off += insn.len) {
		if (!hp_insn_decode(code, off, &insn))
			return to;
		if (!insn.nop || code.p[off] == 0xcc)
			end = off + insn.len;
	}
	return end > 0 && code.len - end < s->align ? from + end : to;
}

/* Where the symbol at order[i] ends: its size, or for a sizeless one the next place that has a symbol. */
static uint64_t
symbol_end(const struct splitter *sp, uint32_t i, uint32_t last)
{
	const struct hp_sym *syms = sp->elf->syms, *s = &syms[sp->order[i]];

	if (s->size > 0)
		return s->value + s->size;
	for (uint32_t k = i + 1; k < last; k++)
		if (syms[sp->order[k]].value > s->value)
			return without_padding(sp->elf, &sp->elf->secs[s->sec_idx], s->value, syms[sp->order[k]].value);
	return without_padding(sp->elf, &sp->elf->secs[s->sec_idx], s->value, sp->elf->secs[s->sec_idx].len);
}

/* One section whose symbols are order[first..last). */
static int
split_section(struct splitter *sp, uint32_t sec_idx, uint32_t first, uint32_t last, struct hp_err *err)
{
	const struct hp_sec *s = &sp->elf->secs[sec_idx];
	enum hp_part_kind kind = section_kind(s, last > first);
	uint64_t end = 0;
	int r = 0;

	if (kind == HP_PART_MERGE || kind == HP_PART_SPECIAL) {
		struct hp_part p = { .kind = kind, .sec_idx = sec_idx, .len = s->len, .sym_idx = HP_NONE };

		return add_part(sp, &p, err);
	}
	for (uint32_t i = first; i < last && r == 0; i++) {
		uint64_t at = sp->elf->syms[sp->order[i]].value, size = sp->elf->syms[sp->order[i]].size, to;
		struct hp_part p = { .kind = kind, .sec_idx = sec_idx, .off = at, .sym_idx = sp->order[i] };

		if (i > first && at < end) {
			/* An alias or an inner label; a range that overlaps makes the part longer. */
			if (size > 0 && at + size > end) {
				sp->v[sp->cnt - 1].len += at + size - end;
				end = at + size;
			}
			continue;
		}
		to = symbol_end(sp, i, last);
		p.len = to - at;
		r = add_gap(sp, sec_idx, kind, end, at, err);
		if (r == 0 && to > at)
			r = add_part(sp, &p, err);
		end = to;
	}
	return r < 0 ? r : add_gap(sp, sec_idx, kind, end, s->len, err);
}

static int
split_all(struct splitter *sp, struct hp_err *err)
{
	struct hp_elf *elf = sp->elf;
	uint32_t next = 0;

	for (uint32_t s = 0; s < elf->secs_cnt; s++) {
		uint32_t first = next;
		int r = 0;

		while (next < sp->order_cnt && elf->syms[sp->order[next]].sec_idx == s)
			next++;
		sp->parts->sec_first[s] = sp->cnt;
		if ((elf->secs[s].flags & SHF_ALLOC) && elf->secs[s].len > 0)
			r = split_section(sp, s, first, next, err);
		if (r < 0)
			return r;
	}
	sp->parts->sec_first[elf->secs_cnt] = sp->cnt;
	return 0;
}

uint32_t
hp_parts_at(const struct hp_parts *parts, uint32_t sec_idx, uint64_t off)
{
	uint32_t lo = parts->sec_first[sec_idx], hi = parts->sec_first[sec_idx + 1];

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (parts->v[mid].off + parts->v[mid].len <= off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < parts->sec_first[sec_idx + 1] && parts->v[lo].off <= off ? lo : HP_NONE;
}

/* Fill part_syms, sym_part and each part's symbol range. Symbols are sorted like parts, so one pass does it. */
static int
assign_symbols(struct splitter *sp, struct hp_err *err)
{
	struct hp_parts *parts = sp->parts;
	const struct hp_elf *elf = sp->elf;
	uint32_t n = 0;

	parts->part_syms = hp_arena_array(&sp->elf->arena, (size_t)sp->order_cnt + 1, sizeof(*parts->part_syms));
	parts->sym_part = hp_arena_array(&sp->elf->arena, (size_t)elf->syms_cnt + 1, sizeof(*parts->sym_part));
	if (parts->part_syms == NULL || parts->sym_part == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %u symbols", elf->syms_cnt);
	for (uint32_t i = 0; i < elf->syms_cnt; i++) {
		const struct hp_sym *s = &elf->syms[i];

		parts->sym_part[i] = s->sec_idx != HP_SEC_UNDEF && s->sec_idx < elf->secs_cnt && s->type != STT_SECTION
		                             ? hp_parts_at(parts, s->sec_idx, s->value)
		                             : HP_NONE;
	}
	for (uint32_t i = 0; i < sp->order_cnt; i++) {
		const struct hp_sym *s = &elf->syms[sp->order[i]];
		uint32_t idx = parts->sym_part[sp->order[i]];

		if (idx == HP_NONE || parts->v[idx].off != s->value || parts->v[idx].sym_idx == HP_NONE)
			continue;
		if (parts->v[idx].syms_cnt == 0)
			parts->v[idx].syms_first = n;
		parts->v[idx].syms_cnt++;
		parts->part_syms[n++] = sp->order[i];
	}
	return 0;
}

static void
assign_rels(struct hp_parts *parts)
{
	for (uint32_t s = 1; s < parts->elf->secs_cnt; s++) {
		const struct hp_sec *sec = &parts->elf->secs[s];
		uint32_t rel = 0;

		for (uint32_t i = parts->sec_first[s]; i < parts->sec_first[s + 1]; i++) {
			struct hp_part *p = &parts->v[i];

			while (rel < sec->rels_cnt && sec->rels[rel].off < p->off)
				rel++;
			p->rels_first = rel;
			while (rel < sec->rels_cnt && sec->rels[rel].off < p->off + p->len)
				rel++;
			p->rels_cnt = rel - p->rels_first;
		}
	}
}

static bool
is_table_section(const struct hp_elf *elf, uint32_t sec_idx)
{
	const struct hp_sec *s = &elf->secs[sec_idx];

	return elf->machine == EM_X86_64 && (s->flags & SHF_ALLOC) && !(s->flags & (SHF_EXECINSTR | SHF_WRITE)) &&
	       s->rels_cnt > 0;
}

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The place that a relocation of code has in a table section; tables are loaded with lea (no immediate behind the
 * displacement, so the CPU counts from place + 4) or indexed with an absolute displacement. */
static bool
table_place(const struct hp_elf *elf, const struct hp_rel *rel, uint32_t *ret_sec, uint64_t *ret_off)
{
	const struct hp_sym *sym;

	if (rel->sym_idx == 0)
		return false;
	sym = &elf->syms[rel->sym_idx];
	if (sym->sec_idx == HP_SEC_UNDEF || sym->sec_idx >= elf->secs_cnt || !is_table_section(elf, sym->sec_idx))
		return false;
	*ret_sec = sym->sec_idx;
	*ret_off = sym->value + (uint64_t)rel->addend + (rel->type == R_X86_64_PC32 ? 4 : 0);
	return *ret_off < elf->secs[sym->sec_idx].len;
}

/* Collect where code refers into sections with tables; twice over the relocations: count, then fill. */
static int
find_table_refs(struct hp_parts *parts, struct hp_err *err)
{
	struct hp_elf *elf = parts->elf;
	HP_AUTO(hp_mem) uint32_t *fill = calloc((size_t)elf->secs_cnt + 1, sizeof(*fill));
	uint32_t sec, total = 0;
	uint64_t off;

	parts->table_refs_first = hp_arena_array(&elf->arena, (size_t)elf->secs_cnt + 1, sizeof(*parts->table_refs_first));
	if (fill == NULL || parts->table_refs_first == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for table references");
	for (int pass = 0; pass < 2; pass++) {
		for (uint32_t s = 1; s < elf->secs_cnt; s++)
			for (uint32_t i = 0; (elf->secs[s].flags & SHF_EXECINSTR) && i < elf->secs[s].rels_cnt; i++) {
				if (!table_place(elf, &elf->secs[s].rels[i], &sec, &off))
					continue;
				if (pass == 1)
					parts->table_refs[parts->table_refs_first[sec] + fill[sec]] = off;
				fill[sec]++;
			}
		for (uint32_t s = 0; pass == 0 && s < elf->secs_cnt; s++) {
			parts->table_refs_first[s] = total;
			total += fill[s];
			fill[s] = 0;
		}
		if (pass == 0) {
			parts->table_refs_first[elf->secs_cnt] = total;
			parts->table_refs = hp_arena_array(&elf->arena, (size_t)total + 1, sizeof(*parts->table_refs));
			if (parts->table_refs == NULL)
				return hp_err_set(err, HP_E_NOMEM, "no memory for %u table references", total);
		}
	}
	for (uint32_t s = 0; s < elf->secs_cnt; s++)
		qsort(parts->table_refs + parts->table_refs_first[s],
		      parts->table_refs_first[s + 1] - parts->table_refs_first[s], sizeof(*parts->table_refs), by_value);
	return 0;
}

static int
fill_parts(struct splitter *sp, struct hp_err *err)
{
	struct hp_parts *parts = sp->parts;
	int r = hp_elf_load_all_rels(sp->elf, err);

	if (r == 0)
		r = sort_symbols(sp, err);
	if (r == 0)
		r = split_all(sp, err);
	if (r < 0)
		return r;
	parts->v = hp_arena_array(&sp->elf->arena, (size_t)sp->cnt + 1, sizeof(*parts->v));
	if (parts->v == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %u parts", sp->cnt);
	if (sp->cnt > 0)
		memcpy(parts->v, sp->v, sp->cnt * sizeof(*parts->v));
	parts->cnt = sp->cnt;
	r = assign_symbols(sp, err);
	if (r < 0)
		return r;
	assign_rels(parts);
	return find_table_refs(parts, err);
}

int
hp_parts_new(struct hp_elf *elf, struct hp_parts **ret, struct hp_err *err)
{
	struct splitter sp = { .elf = elf };
	int r;

	if (elf->type != ET_REL)
		return hp_err_set(err, HP_E_FORMAT, "'%s': ELF type %u, expected 1 (relocatable object)", hp_esc(elf->path),
		                  elf->type);
	sp.parts = hp_arena_alloc(&elf->arena, sizeof(*sp.parts));
	if (sp.parts == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for the parts of '%s'", hp_esc(elf->path));
	sp.parts->elf = elf;
	sp.parts->sec_first = hp_arena_array(&elf->arena, (size_t)elf->secs_cnt + 1, sizeof(*sp.parts->sec_first));
	if (sp.parts->sec_first == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for the parts of '%s'", hp_esc(elf->path));
	r = fill_parts(&sp, err);
	free(sp.v);
	free(sp.order);
	if (r == 0)
		*ret = sp.parts;
	return r;
}

const char *
hp_part_name(const struct hp_parts *parts, uint32_t idx)
{
	const struct hp_part *p = &parts->v[idx];

	return p->sym_idx != HP_NONE ? parts->elf->syms[p->sym_idx].name : parts->elf->secs[p->sec_idx].name;
}

struct hp_view
hp_part_bytes(const struct hp_parts *parts, uint32_t idx)
{
	const struct hp_part *p = &parts->v[idx];
	struct hp_view v = { NULL, 0 };

	(void)hp_view_sub(parts->elf->secs[p->sec_idx].data, p->off, p->len, &v);
	return v;
}

const struct hp_rel *
hp_part_rels(const struct hp_parts *parts, uint32_t idx)
{
	const struct hp_part *p = &parts->v[idx];

	return p->rels_cnt == 0 ? NULL : parts->elf->secs[p->sec_idx].rels + p->rels_first;
}

/* Length of the string at ${p} with its terminator of ${width} zero bytes; 0 = no terminator. */
static uint64_t
string_len(const uint8_t *p, uint64_t len, uint64_t width)
{
	for (uint64_t i = 0; len - i >= width; i += width) {
		uint64_t k = 0;

		while (k < width && p[i + k] == 0)
			k++;
		if (k == width)
			return i + width;
		if (len - i < 2 * width)
			break;
	}
	return 0;
}

bool
hp_merge_piece(const struct hp_parts *parts, uint32_t part_idx, uint64_t off, uint64_t *ret_start, struct hp_view *ret)
{
	const struct hp_sec *sec = &parts->elf->secs[parts->v[part_idx].sec_idx];
	uint64_t len, start = off;

	if (off >= sec->data.len)
		return false;
	if (sec->flags & SHF_STRINGS) {
		len = string_len(sec->data.p + off, sec->data.len - off, sec->entsize);
		if (len == 0)
			return false;
	} else {
		start = off - off % sec->entsize;
		len = sec->entsize;
	}
	if (!hp_view_sub(sec->data, start, len, ret))
		return false;
	*ret_start = start;
	return true;
}
