/* The payload image (formats/image.h) and its fixup table.
 *
 * Order in the file, which is also the order in memory: ELF header, program headers, .text | page | .rodata, .eh_frame_hdr,
 * .eh_frame | page | .data, .bss | then, not loaded: .symtab, .strtab, .shstrtab, section headers. Items keep the order in
 * which they were made, so the same inputs give the same bytes.
 */
#include "packager/import.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/escape.h"
#include "formats/image.h"
#include "packager/ehframe.h"

enum { EHDR_LEN = 64, PHDR_LEN = 56, SHDR_LEN = 64, SYM_LEN = 24, PHDRS_MAX = 5 };
enum sec_idx { S_NULL, S_TEXT, S_RODATA, S_EH_HDR, S_EH_FRAME, S_DATA, S_BSS, S_SYMTAB, S_STRTAB, S_SHSTRTAB, S_CNT };

static const char *const sec_names[S_CNT] = {
	"", ".text", ".rodata", ".eh_frame_hdr", ".eh_frame", ".data", ".bss", ".symtab", ".strtab", ".shstrtab",
};

struct sec {
	uint64_t off, len, align, entsize; /* off is also the address of loaded ones */
	uint32_t type, flags, link, info;
	uint32_t out_idx;                  /* index among the sections that are written; empty ones are left out */
	bool used;
};

struct hp_layout {
	struct hp_pk *pk;
	struct hp_eh eh;
	struct hp_buf hdr;  /* .eh_frame_hdr */
	struct sec secs[S_CNT];
	uint64_t mem_end;   /* address behind .bss */
	uint32_t phdrs_cnt;
	struct hp_buf *out;
};

static uint64_t
up(uint64_t v, uint64_t align)
{
	return (v + align - 1) & ~(align - 1);
}

/* Give every item of a class its address; from ${pos}, returns the end. */
static uint64_t
place_items(struct hp_layout *lo, enum hp_item_class cls, enum sec_idx idx, uint64_t pos)
{
	struct sec *sec = &lo->secs[idx];

	sec->align = 1;
	for (const struct hp_item *it = lo->pk->items; it != NULL; it = it->next)
		if (it->cls == cls && it->align > sec->align)
			sec->align = it->align;
	pos = up(pos, sec->align);
	sec->off = pos;
	for (struct hp_item *it = lo->pk->items; it != NULL; it = it->next) {
		if (it->cls != cls)
			continue;
		pos = up(pos, it->align);
		it->va = pos;
		pos += it->len;
		sec->used = true;
	}
	sec->len = pos - sec->off;
	return pos;
}

static uint64_t
place_eh(struct hp_layout *lo, uint64_t pos)
{
	struct sec *hdr = &lo->secs[S_EH_HDR], *frame = &lo->secs[S_EH_FRAME];

	if (lo->eh.fdes_cnt == 0)
		return pos;
	*hdr = (struct sec){ .off = up(pos, 4), .len = 12 + (uint64_t)lo->eh.fdes_cnt * 8, .align = 4, .used = true };
	*frame = (struct sec){ .off = up(hdr->off + hdr->len, 8), .len = lo->eh.frame.len, .align = 8, .used = true };
	return frame->off + frame->len;
}

static int
place(struct hp_layout *lo, struct hp_err *err)
{
	uint64_t pos;

	pos = place_items(lo, HP_ITEM_TEXT, S_TEXT, EHDR_LEN + PHDRS_MAX * PHDR_LEN);
	pos = place_items(lo, HP_ITEM_RODATA, S_RODATA, up(pos, HP_IMAGE_PAGE));
	pos = place_eh(lo, pos);
	pos = place_items(lo, HP_ITEM_DATA, S_DATA, up(pos, HP_IMAGE_PAGE));
	pos = place_items(lo, HP_ITEM_BSS, S_BSS, pos);
	lo->mem_end = pos;
	if (pos > HP_PKG_RAW_LEN_MAX)
		return hp_err_set(err, HP_E_LIMIT, "the payload would have %" PRIu64 " bytes", pos);
	if (lo->eh.fdes_cnt == 0)
		return 0;
	return hp_eh_place(&lo->eh, lo->secs[S_EH_FRAME].off, lo->secs[S_EH_HDR].off, &lo->hdr, err);
}

static int
pad_to(struct hp_buf *out, uint64_t off, uint8_t fill, struct hp_err *err)
{
	size_t from = out->len;
	int r = hp_buf_add_zero(out, (size_t)(off - out->len), err);

	if (r == 0 && fill != 0)
		memset(out->p + from, fill, out->len - from);
	return r;
}

static int
write_items(struct hp_layout *lo, enum hp_item_class cls, uint8_t fill, struct hp_err *err)
{
	bool first = true;

	for (const struct hp_item *it = lo->pk->items; it != NULL; it = it->next) {
		int r;

		if (it->cls != cls)
			continue;
		r = pad_to(lo->out, it->va, first ? 0 : fill, err);
		if (r == 0)
			r = hp_buf_add(lo->out, it->bytes, (size_t)it->len, err);
		if (r < 0)
			return r;
		first = false;
	}
	return 0;
}

static int
write_eh(struct hp_layout *lo, struct hp_err *err)
{
	int r;

	if (lo->eh.fdes_cnt == 0)
		return 0;
	r = pad_to(lo->out, lo->secs[S_EH_HDR].off, 0, err);
	if (r == 0)
		r = hp_buf_add(lo->out, lo->hdr.p, lo->hdr.len, err);
	if (r == 0)
		r = pad_to(lo->out, lo->secs[S_EH_FRAME].off, 0, err);
	return r < 0 ? r : hp_buf_add(lo->out, lo->eh.frame.p, lo->eh.frame.len, err);
}

static int
add_sym(struct hp_buf *syms, struct hp_buf *strs, const struct hp_item *it, uint32_t shndx, struct hp_err *err)
{
	uint8_t rec[SYM_LEN] = { 0 };
	int r;

	hp_le32_put(rec, (uint32_t)strs->len);
	rec[4] = it->func ? STT_FUNC : STT_OBJECT; /* STB_LOCAL << 4 */
	hp_le16_put(rec + 6, (uint16_t)shndx);
	hp_le64_put(rec + 8, it->va);
	hp_le64_put(rec + 16, it->len);
	r = hp_buf_add(strs, it->name, strlen(it->name) + 1, err);
	return r < 0 ? r : hp_buf_add(syms, rec, sizeof(rec), err);
}

/* Names for people and debuggers. All local: nothing links against a payload. */
static int
write_symbols(struct hp_layout *lo, struct hp_err *err)
{
	static const enum sec_idx of_class[] = { S_TEXT, S_RODATA, S_DATA, S_BSS };
	HP_AUTO(hp_buf) struct hp_buf syms = { 0 };
	HP_AUTO(hp_buf) struct hp_buf strs = { 0 };
	int r = hp_buf_add_zero(&syms, SYM_LEN, err);

	if (r == 0)
		r = hp_buf_add_zero(&strs, 1, err);
	for (const struct hp_item *it = lo->pk->items; it != NULL && r == 0; it = it->next)
		if (it->name[0] != '\0')
			r = add_sym(&syms, &strs, it, lo->secs[of_class[it->cls]].out_idx, err);
	if (r == 0)
		r = hp_buf_align(lo->out, 8, err);
	if (r < 0)
		return r;
	lo->secs[S_SYMTAB] = (struct sec){
		.off = lo->out->len, .len = syms.len, .align = 8, .entsize = SYM_LEN, .link = lo->secs[S_STRTAB].out_idx,
		.info = (uint32_t)(syms.len / SYM_LEN), .out_idx = lo->secs[S_SYMTAB].out_idx, .used = true,
	};
	r = hp_buf_add(lo->out, syms.p, syms.len, err);
	lo->secs[S_STRTAB].off = lo->out->len;
	lo->secs[S_STRTAB].len = strs.len;
	return r < 0 ? r : hp_buf_add(lo->out, strs.p, strs.len, err);
}

static void
number_sections(struct hp_layout *lo)
{
	uint32_t n = 0;

	for (int i = 0; i < S_CNT; i++) {
		struct sec *s = &lo->secs[i];

		s->used = s->used || i == S_NULL || i >= S_SYMTAB;
		s->out_idx = s->used ? n++ : 0;
		if (s->align == 0)
			s->align = 1;
	}
}

static int
add_shdr(struct hp_buf *out, const struct sec *s, uint32_t name, enum sec_idx idx, struct hp_err *err)
{
	static const uint32_t types[S_CNT] = { SHT_NULL, SHT_PROGBITS, SHT_PROGBITS, SHT_PROGBITS, SHT_PROGBITS, SHT_PROGBITS,
		                               SHT_NOBITS, SHT_SYMTAB, SHT_STRTAB, SHT_STRTAB };
	static const uint64_t flags[S_CNT] = {
		0, SHF_ALLOC | SHF_EXECINSTR, SHF_ALLOC, SHF_ALLOC, SHF_ALLOC, SHF_ALLOC | SHF_WRITE, SHF_ALLOC | SHF_WRITE, 0, 0,
		0
	};
	uint8_t rec[SHDR_LEN] = { 0 };

	if (idx != S_NULL) {
		hp_le32_put(rec, name);
		hp_le32_put(rec + 4, types[idx]);
		hp_le64_put(rec + 8, flags[idx]);
		hp_le64_put(rec + 16, flags[idx] != 0 ? s->off : 0);
		hp_le64_put(rec + 24, s->off);
		hp_le64_put(rec + 32, s->len);
		hp_le32_put(rec + 40, s->link);
		hp_le32_put(rec + 44, s->info);
		hp_le64_put(rec + 48, s->align);
		hp_le64_put(rec + 56, s->entsize);
	}
	return hp_buf_add(out, rec, sizeof(rec), err);
}

static int
write_sections(struct hp_layout *lo, uint64_t *ret_shoff, uint32_t *ret_cnt, struct hp_err *err)
{
	uint32_t names[S_CNT] = { 0 };
	uint64_t start = lo->out->len;
	int r = 0;

	*ret_cnt = 0;
	for (int i = 0; i < S_CNT && r == 0; i++) {
		if (!lo->secs[i].used)
			continue;
		names[i] = (uint32_t)(lo->out->len - start);
		r = hp_buf_add(lo->out, sec_names[i], strlen(sec_names[i]) + 1, err);
		(*ret_cnt)++;
	}
	lo->secs[S_SHSTRTAB].off = start;
	lo->secs[S_SHSTRTAB].len = lo->out->len - start;
	if (r == 0)
		r = hp_buf_align(lo->out, 8, err);
	*ret_shoff = lo->out->len;
	for (int i = 0; i < S_CNT && r == 0; i++)
		if (lo->secs[i].used)
			r = add_shdr(lo->out, &lo->secs[i], names[i], i, err);
	return r;
}

static void
put_phdr(struct hp_layout *lo, uint32_t type, uint32_t flags, uint64_t off, uint64_t file_len, uint64_t mem_len, uint64_t align)
{
	uint8_t *p = lo->out->p + EHDR_LEN + (size_t)lo->phdrs_cnt++ * PHDR_LEN;

	hp_le32_put(p, type);
	hp_le32_put(p + 4, flags);
	hp_le64_put(p + 8, off);
	hp_le64_put(p + 16, off);
	hp_le64_put(p + 24, off);
	hp_le64_put(p + 32, file_len);
	hp_le64_put(p + 40, mem_len);
	hp_le64_put(p + 48, align);
}

static void
put_headers(struct hp_layout *lo, uint64_t shoff, uint32_t shnum)
{
	static const uint8_t ident[] = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT, ELFOSABI_NONE };
	const struct sec *text = &lo->secs[S_TEXT], *ro = &lo->secs[S_RODATA], *eh = &lo->secs[S_EH_FRAME],
			 *data = &lo->secs[S_DATA];
	uint64_t ro_start = ro->used ? ro->off : lo->secs[S_EH_HDR].off,
		 ro_end = eh->used ? eh->off + eh->len : ro->off + ro->len;
	uint64_t rw_start = up(ro->used || eh->used ? ro_end : text->off + text->len, HP_IMAGE_PAGE), rw_file;
	uint8_t *p;

	put_phdr(lo, PT_LOAD, PF_R | PF_X, 0, text->off + text->len, text->off + text->len, HP_IMAGE_PAGE);
	if (ro->used || eh->used) {
		ro_start &= ~(uint64_t)(HP_IMAGE_PAGE - 1);
		put_phdr(lo, PT_LOAD, PF_R, ro_start, ro_end - ro_start, ro_end - ro_start, HP_IMAGE_PAGE);
	}
	if (data->used || lo->secs[S_BSS].used) {
		rw_file = data->used ? data->off + data->len - rw_start : 0;
		put_phdr(lo, PT_LOAD, PF_R | PF_W, rw_start, rw_file, lo->mem_end - rw_start, HP_IMAGE_PAGE);
	}
	if (eh->used)
		put_phdr(lo, PT_GNU_EH_FRAME, PF_R, lo->secs[S_EH_HDR].off, lo->hdr.len, lo->hdr.len, 4);
	put_phdr(lo, PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 16);
	p = lo->out->p;
	memcpy(p, ident, sizeof(ident));
	hp_le16_put(p + 16, ET_DYN);
	hp_le16_put(p + 18, EM_X86_64);
	hp_le32_put(p + 20, EV_CURRENT);
	hp_le64_put(p + 32, EHDR_LEN);
	hp_le64_put(p + 40, shoff);
	hp_le16_put(p + 52, EHDR_LEN);
	hp_le16_put(p + 54, PHDR_LEN);
	hp_le16_put(p + 56, (uint16_t)lo->phdrs_cnt);
	hp_le16_put(p + 58, SHDR_LEN);
	hp_le16_put(p + 60, (uint16_t)shnum);
	hp_le16_put(p + 62, (uint16_t)lo->secs[S_SHSTRTAB].out_idx);
}

/* Known now: distances inside the image, except to variables, whose storage may be another package's; constants, and in a non-PIE
 * executable the module's own addresses. */
static bool
is_known(const struct hp_layout *lo, const struct hp_fix *fix)
{
	if (fix->kind == HP_FIX_CONST)
		return true;
	if (fix->kind == HP_FIX_ITEM)
		return fix->form == HP_FORM_PC32 && !hp_is_variable(fix->target);
	return fix->kind == HP_FIX_MODULE && fix->form != HP_FORM_PC32 && lo->pk->mod->kind == HP_MAN_EXEC;
}

static int
apply_known(struct hp_layout *lo, const struct hp_fix *fix, struct hp_err *err)
{
	uint64_t place = fix->item->va + fix->off;
	uint64_t v = fix->kind == HP_FIX_ITEM ? fix->target->va : fix->value;
	struct hp_fixup f = { .place = place, .form = fix->form };
	int r = hp_fixup_encode(&f, v + (uint64_t)fix->addend, place, lo->out->p + place, err);

	return r < 0 ? hp_err_add(err, "'%s': the reference to '%s' does not fit its field", hp_esc(fix->item->name),
	                          hp_esc(fix->what))
	             : 0;
}

static int
cmp_fixup(const void *a, const void *b)
{
	const struct hp_fixup *x = a, *y = b;

	return x->place < y->place ? -1 : x->place > y->place;
}

static struct hp_fixup
fixup_of(const struct hp_pk *pk, const struct hp_fix *fix)
{
	struct hp_fixup f = { .place = fix->item->va + fix->off, .form = fix->form, .import = HP_FIXUP_NO_IMPORT,
		              .addend = fix->addend };

	if (fix->kind == HP_FIX_ITEM) {
		f.kind = HP_KIND_PAYLOAD;
		f.target = fix->target->va;
	} else if (fix->kind == HP_FIX_PEER) {
		f.kind = HP_KIND_PEER;
		f.module = (uint16_t)fix->target->obj->pk->target;
		f.import = (uint32_t)fix->value;
		f.target = fix->target->va;
	} else if (fix->kind == HP_FIX_IMPORT) {
		f.kind = HP_KIND_IMPORT;
		f.import = (uint32_t)fix->value;
		f.target = pk->imports[fix->value].weak ? HP_FIXUP_WEAK : 0;
	} else {
		f.kind = fix->kind == HP_FIX_MODULE ? HP_KIND_MODULE : HP_KIND_SLOT;
		f.module = (uint16_t)pk->target;
		f.target = fix->value;
	}
	return f;
}

static int
write_fixups(struct hp_layout *lo, struct hp_buf *ret, struct hp_err *err)
{
	size_t cnt = 0, n = 0;
	struct hp_fixup *v;
	int r;

	for (const struct hp_fix *fix = lo->pk->fixes; fix != NULL; fix = fix->next)
		cnt++;
	v = hp_arena_array(&lo->pk->arena, cnt, sizeof(*v));
	if (v == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for fixups");
	for (const struct hp_fix *fix = lo->pk->fixes; fix != NULL; fix = fix->next) {
		if (is_known(lo, fix)) {
			r = apply_known(lo, fix, err);
			if (r < 0)
				return r;
			continue;
		}
		v[n++] = fixup_of(lo->pk, fix);
		memset(lo->out->p + v[n - 1].place, 0, hp_fixup_len(fix->form)); /* same bytes whatever the object had there */
	}
	if (n > 0)
		qsort(v, n, sizeof(*v), cmp_fixup);
	for (size_t i = 0; i < n; i++) {
		r = hp_fixup_add(ret, &v[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

int
hp_layout_place(struct hp_pk *pk, struct hp_err *err)
{
	int r;

	pk->layout = hp_arena_alloc(&pk->arena, sizeof(*pk->layout));
	if (pk->layout == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	*pk->layout = (struct hp_layout){ .pk = pk };
	r = hp_eh_collect(pk, &pk->layout->eh, err);
	return r == 0 ? place(pk->layout, err) : r;
}

static int
write_all(struct hp_layout *lo, struct hp_buf *ret_fixups, struct hp_err *err)
{
	int r;

	number_sections(lo);
	r = hp_buf_add_zero(lo->out, EHDR_LEN + PHDRS_MAX * PHDR_LEN, err);
	if (r == 0)
		r = write_items(lo, HP_ITEM_TEXT, 0xcc, err);
	if (r == 0)
		r = write_items(lo, HP_ITEM_RODATA, 0, err);
	if (r == 0)
		r = write_eh(lo, err);
	if (r == 0)
		r = write_items(lo, HP_ITEM_DATA, 0, err);
	if (r == 0 && lo->secs[S_BSS].used && !lo->secs[S_DATA].used)
		r = pad_to(lo->out, up(lo->out->len, HP_IMAGE_PAGE), 0, err);
	if (r == 0)
		r = write_fixups(lo, ret_fixups, err);
	return r == 0 ? write_symbols(lo, err) : r;
}

int
hp_layout_write(struct hp_pk *pk, struct hp_buf *ret_image, struct hp_buf *ret_fixups, uint64_t *ret_mem_len, struct hp_err *err)
{
	struct hp_layout *lo = pk->layout;
	uint32_t shnum = 0;
	uint64_t shoff = 0;
	int r;

	lo->out = ret_image;
	r = write_all(lo, ret_fixups, err);
	if (r == 0)
		r = write_sections(lo, &shoff, &shnum, err);
	if (r < 0)
		return r;
	put_headers(lo, shoff, shnum);
	*ret_mem_len = up(lo->mem_end, HP_IMAGE_PAGE);
	return 0;
}

void
hp_layout_release(struct hp_pk *pk)
{
	if (pk->layout == NULL)
		return;
	hp_buf_release(&pk->layout->hdr);
	hp_buf_release(&pk->layout->eh.frame);
	pk->layout = NULL;
}
