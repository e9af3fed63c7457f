/* Unwind records of the included functions, taken from the patched objects' .eh_frame.
 *
 * A CIE is copied once per content, an FDE for each function. pc_begin is stored as pcrel|sdata4, whatever the object had, so
 * that the image needs no fixups for it: the distance between .eh_frame and .text is fixed in the image. Sources: LSB 5.0 core
 * "Exception Frames"; DWARF 5 section 6.4.
 */
#include "packager/ehframe.h"

#include <stdlib.h>

#include "base/escape.h"

enum {
	PE_ABSPTR = 0x00, PE_UDATA4 = 0x03, PE_SDATA4 = 0x0b, PE_PCREL = 0x10, PE_DATAREL = 0x30, PE_OMIT = 0xff,
	PE_PCREL_SDATA4 = PE_PCREL | PE_SDATA4, PE_DATAREL_SDATA4 = PE_DATAREL | PE_SDATA4,
	PE_INDIRECT_PCREL_SDATA4 = 0x80 | PE_PCREL_SDATA4,
};

struct cie {
	uint64_t off;      /* in the object's .eh_frame, of the length field */
	uint64_t len;      /* with the length field */
	uint32_t out_off;  /* in the new .eh_frame, HP_NONE = not copied yet */
	uint8_t pointers;  /* encoding of pc_begin */
	uint8_t lsda;      /* encoding of the LSDA pointer, PE_OMIT = none */
	uint8_t personality; /* encoding of its pointer, PE_OMIT = none */
	uint32_t lsda_off, personality_off; /* bytes from the record's start: encoding of the one, pointer of the other */
	struct hp_item *out_personality;    /* of the copy at out_off */
};

struct reader {
	struct hp_pk *pk;
	struct hp_pk_obj *obj;
	uint32_t sec_idx;
	struct hp_view v;      /* .eh_frame */
	const struct hp_sec *sec; /* relocations loaded */
	struct cie *cies;
	uint32_t cies_cnt, cies_cap;
	struct hp_map *by_content; /* CIE bytes and personality -> offset in the new section */
	struct hp_eh *out;         /* NULL: only scan */
	struct place *tables;      /* scan: of all exception tables */
	uint32_t tables_cnt;
};

struct place {
	uint32_t sec_idx;
	uint64_t off;
};

static int
malformed(const struct reader *rd, uint64_t off, struct hp_err *err)
{
	return hp_err_set(err, HP_E_FORMAT, "'%s': .eh_frame record at offset 0x%llx is malformed", hp_esc(rd->obj->pair->path),
	                  (unsigned long long)off);
}

static bool
read_uleb(struct hp_view v, uint64_t *pos, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned shift = 0; *pos < v.len && shift < 63; shift += 7) {
		uint8_t b = v.p[(*pos)++];

		value |= (uint64_t)(b & 0x7f) << shift;
		if ((b & 0x80) == 0) {
			*ret = value;
			return true;
		}
	}
	return false;
}

static unsigned
pointer_len(uint8_t enc)
{
	switch (enc & 0x0f) {
	case PE_ABSPTR:
	case 0x04:
	case 0x0c:
		return 8;
	case PE_UDATA4:
	case PE_SDATA4:
		return 4;
	case 0x02:
	case 0x0a:
		return 2;
	default:
		return 0;
	}
}

/* Augmentation "zR", "zPLR", "zRS" ...: letters in order tell what the augmentation data holds. */
static int
read_augmentation(const struct reader *rd, struct cie *cie, struct hp_view v, uint64_t pos, const char *aug, struct hp_err *err)
{
	uint64_t skip;

	if (!read_uleb(v, &pos, &skip))
		return malformed(rd, cie->off, err);
	for (const char *a = aug + 1; *a != '\0'; a++) {
		if (*a == 'S' || *a == 'B')
			continue;
		if (pos >= v.len)
			return malformed(rd, cie->off, err);
		if (*a == 'R') {
			cie->pointers = v.p[pos++];
		} else if (*a == 'L') {
			cie->lsda_off = (uint32_t)pos;
			cie->lsda = v.p[pos++];
		} else if (*a == 'P') {
			cie->personality = v.p[pos++];
			cie->personality_off = (uint32_t)pos;
			pos += pointer_len(cie->personality);
		} else {
			return malformed(rd, cie->off, err);
		}
	}
	return pos > v.len ? malformed(rd, cie->off, err) : 0;
}

static int
read_cie(struct reader *rd, uint64_t off, uint64_t len, struct hp_err *err)
{
	struct cie cie = { .off = off, .len = len, .out_off = HP_NONE, .lsda = PE_OMIT, .personality = PE_OMIT };
	struct hp_view v = hp_view_of(rd->v.p + off, (size_t)len);
	const char *aug = hp_view_str(v, 9);
	uint64_t pos, skip;
	int r;

	if (aug == NULL || v.p[8] != 1)
		return malformed(rd, off, err);
	pos = 9 + strlen(aug) + 1;
	/* code alignment, data alignment (an SLEB128 has the same length), return register */
	for (int i = 0; i < 3; i++)
		if (!read_uleb(v, &pos, &skip))
			return malformed(rd, off, err);
	if (aug[0] == 'z') {
		r = read_augmentation(rd, &cie, v, pos, aug, err);
		if (r < 0)
			return r;
	} else if (aug[0] != '\0') {
		return malformed(rd, off, err);
	}
	if (rd->cies_cnt == rd->cies_cap) {
		uint32_t cap = rd->cies_cap * 2 + 8;
		struct cie *cies = hp_arena_array(&rd->pk->arena, cap, sizeof(*cies));

		if (cies == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory");
		if (rd->cies_cnt > 0)
			memcpy(cies, rd->cies, rd->cies_cnt * sizeof(*cies));
		rd->cies = cies;
		rd->cies_cap = cap;
	}
	rd->cies[rd->cies_cnt++] = cie;
	return 0;
}

/* The place in the object that a field is about. */
static bool
place_of(const struct reader *rd, uint64_t field_off, struct place *ret)
{
	const struct hp_elf *elf = rd->obj->pair->new_obj->elf;
	const struct hp_rel *rel = hp_elf_rel_at(rd->sec, field_off);
	const struct hp_sym *sym = rel != NULL ? &elf->syms[rel->sym_idx] : NULL;

	if (sym == NULL || sym->sec_idx == HP_SEC_UNDEF || sym->sec_idx >= elf->secs_cnt)
		return false;
	*ret = (struct place){ sym->sec_idx, sym->value + (uint64_t)rel->addend };
	return true;
}

/* The part whose code the FDE describes, HP_NONE = no whole part. */
static uint32_t
described(const struct reader *rd, uint64_t field_off)
{
	const struct hp_parts *parts = rd->obj->pair->new_obj->parts;
	struct place at;
	uint32_t part;

	if (!place_of(rd, field_off, &at))
		return HP_NONE;
	part = hp_parts_at(parts, at.sec_idx, at.off);
	return part != HP_NONE && parts->v[part].off == at.off ? part : HP_NONE;
}

static int
add_ref(struct reader *rd, uint32_t off, struct hp_item *target, struct hp_err *err)
{
	struct hp_eh *out = rd->out;

	if ((out->refs_cnt & (out->refs_cnt - 1)) == 0) {
		struct hp_eh_ref *v = hp_arena_array(&rd->pk->arena, out->refs_cnt == 0 ? 1 : 2ull * out->refs_cnt, sizeof(*v));

		if (v == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory");
		if (out->refs_cnt > 0)
			memcpy(v, out->refs, out->refs_cnt * sizeof(*v));
		out->refs = v;
	}
	out->refs[out->refs_cnt++] = (struct hp_eh_ref){ target, off };
	return 0;
}

/* Copied once per content and personality routine; both pointers of a copy are pcrel|sdata4, that to the personality indirect. */
static int
copy_cie(struct reader *rd, struct cie *cie, struct hp_item *personality, struct hp_err *err)
{
	size_t key_len = (size_t)cie->len + sizeof(personality);
	uint8_t *key = hp_arena_alloc(&rd->pk->arena, key_len); /* the map does not copy it */
	uint64_t at;
	int r;

	if (key == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	memcpy(key, rd->v.p + cie->off, (size_t)cie->len);
	memcpy(key + cie->len, &personality, sizeof(personality));
	cie->out_personality = personality;
	if (hp_map_get(rd->by_content, key, key_len, &at)) {
		cie->out_off = (uint32_t)at;
		return 0;
	}
	cie->out_off = (uint32_t)rd->out->frame.len;
	r = hp_map_put(rd->by_content, key, key_len, cie->out_off, err);
	if (r == 0)
		r = hp_buf_add(&rd->out->frame, rd->v.p + cie->off, (size_t)cie->len, err);
	if (r < 0 || personality == NULL)
		return r;
	rd->out->frame.p[cie->out_off + cie->personality_off - 1] = PE_INDIRECT_PCREL_SDATA4;
	if (cie->lsda != PE_OMIT)
		rd->out->frame.p[cie->out_off + cie->lsda_off] = PE_PCREL_SDATA4;
	return add_ref(rd, cie->out_off + cie->personality_off, personality, err);
}

static int
add_fde(struct reader *rd, uint32_t off, struct hp_item *item, struct hp_err *err)
{
	struct hp_eh *out = rd->out;

	if ((out->fdes_cnt & (out->fdes_cnt - 1)) == 0) {
		uint32_t cap = out->fdes_cnt == 0 ? 1 : out->fdes_cnt * 2;
		struct hp_eh_fde *v = hp_arena_array(&rd->pk->arena, cap, sizeof(*v));

		if (v == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory");
		if (out->fdes_cnt > 0)
			memcpy(v, out->fdes, out->fdes_cnt * sizeof(*v));
		out->fdes = v;
	}
	out->fdes[out->fdes_cnt++] = (struct hp_eh_fde){ item, off };
	return 0;
}

static struct cie *
find_cie(struct reader *rd, uint64_t off)
{
	for (uint32_t i = 0; i < rd->cies_cnt; i++)
		if (rd->cies[i].off == off)
			return &rd->cies[i];
	return NULL;
}

/* Where the pointer to the exception table stands in an FDE: behind pc_begin, its length, and that of the augmentation. */
static bool
lsda_field(const struct reader *rd, const struct cie *cie, uint64_t off, uint64_t len, uint64_t *ret)
{
	struct hp_view v = hp_view_of(rd->v.p + off, (size_t)len);
	uint64_t skip;

	*ret = 8 + 2ull * pointer_len(cie->pointers);
	return cie->lsda != PE_OMIT && read_uleb(v, ret, &skip) && *ret + 4 <= len && skip >= 4;
}

/* What an FDE says of exceptions. */
static int
scan_fde(struct reader *rd, uint64_t off, uint64_t len, const struct cie *cie, struct hp_err *err)
{
	uint32_t part = described(rd, off + 8);
	struct place at = { .sec_idx = HP_NONE };
	uint64_t field;

	if (cie->personality == PE_OMIT)
		return 0;
	if (lsda_field(rd, cie, off, len, &field) && place_of(rd, off + field, &at)) {
		if ((rd->tables_cnt & (rd->tables_cnt - 1)) == 0) {
			struct place *v =
				hp_arena_array(&rd->pk->arena, rd->tables_cnt == 0 ? 1 : 2ull * rd->tables_cnt, sizeof(*v));

			if (v == NULL)
				return hp_err_set(err, HP_E_NOMEM, "no memory");
			if (rd->tables_cnt > 0)
				memcpy(v, rd->tables, rd->tables_cnt * sizeof(*v));
			rd->tables = v;
		}
		rd->tables[rd->tables_cnt++] = at;
	}
	if (part == HP_NONE)
		return 0;
	rd->obj->lsdas[part] = (struct hp_lsda){
		.eh_sec = rd->sec_idx, .personality_rel = hp_elf_rel_at(rd->sec, cie->off + cie->personality_off),
		.personality_enc = cie->personality, .table_enc = cie->lsda, .sec_idx = at.sec_idx, .off = at.off,
	};
	return rd->obj->lsdas[part].personality_rel == NULL ? malformed(rd, off, err) : 0;
}

static int
copy_fde(struct reader *rd, uint64_t off, uint64_t len, struct cie *cie, struct hp_err *err)
{
	uint32_t part = described(rd, off + 8), at;
	struct hp_item *item = part != HP_NONE ? rd->obj->items[part] : NULL;
	const struct hp_lsda *l = item != NULL && rd->obj->lsdas != NULL ? &rd->obj->lsdas[part] : NULL;
	struct hp_item *personality = l != NULL ? l->personality : NULL;
	uint64_t field;
	int r = 0;

	if (item == NULL)
		return 0;
	if (len < 16)
		return malformed(rd, off, err);
	if (cie->pointers != PE_PCREL_SDATA4)
		return hp_err_set(err, HP_E_REFUSED,
		                  "'%s': the unwind record of '%s' uses pointer encoding 0x%x, only 0x%x is supported",
		                  hp_esc(rd->obj->pair->path), hp_esc(item->name), cie->pointers, PE_PCREL_SDATA4);
	if (cie->out_off == HP_NONE || cie->out_personality != personality)
		r = copy_cie(rd, cie, personality, err);
	at = (uint32_t)rd->out->frame.len;
	if (r == 0)
		r = hp_buf_add(&rd->out->frame, rd->v.p + off, (size_t)len, err);
	if (r < 0)
		return r;
	hp_le32_put(rd->out->frame.p + at + 4, at + 4 - cie->out_off);
	/* The field holds the length of the code, which must be that of the part. */
	if (hp_le32_get(rd->out->frame.p + at + 12) > item->len)
		return malformed(rd, off, err);
	if (l != NULL && l->item != NULL) {
		if (!lsda_field(rd, cie, off, len, &field))
			return malformed(rd, off, err);
		r = add_ref(rd, at + (uint32_t)field, l->item, err);
	}
	return r < 0 ? r : add_fde(rd, at, item, err);
}

static int
read_fde(struct reader *rd, uint64_t off, uint64_t len, uint64_t cie_off, struct hp_err *err)
{
	struct cie *cie = find_cie(rd, cie_off);

	if (cie == NULL)
		return malformed(rd, off, err);
	return rd->out != NULL ? copy_fde(rd, off, len, cie, err) : scan_fde(rd, off, len, cie, err);
}

static int
read_records(struct reader *rd, struct hp_err *err)
{
	for (uint64_t off = 0; off + 4 <= rd->v.len;) {
		uint64_t len = hp_le32_get(rd->v.p + off), id;
		int r;

		if (len == 0)
			return 0; /* terminator */
		if (len < 8 || len > rd->v.len - off - 4 || len == 0xffffffffu)
			return malformed(rd, off, err);
		id = hp_le32_get(rd->v.p + off + 4);
		r = id == 0 ? read_cie(rd, off, len + 4, err)
		            : id > off + 4 ? malformed(rd, off, err) : read_fde(rd, off, len + 4, off + 4 - id, err);
		if (r < 0)
			return r;
		off += len + 4;
	}
	return 0;
}

static bool
has_code(const struct hp_pk_obj *obj)
{
	if (obj->items == NULL)
		return false;
	for (uint32_t i = 0; i < obj->pair->new_obj->parts->cnt; i++)
		if (obj->items[i] != NULL && obj->items[i]->func)
			return true;
	return false;
}

/* All .eh_frame sections of the patched side. */
static int
read_sections(struct reader *rd, struct hp_err *err)
{
	struct hp_elf *elf = rd->obj->pair->new_obj->elf;

	for (uint32_t s = 1; s < elf->secs_cnt; s++) {
		int r;

		if (strcmp(elf->secs[s].name, ".eh_frame") != 0)
			continue;
		r = hp_elf_load_rels(elf, s, err);
		if (r < 0)
			return r;
		rd->sec_idx = s;
		rd->v = elf->secs[s].data;
		rd->sec = &elf->secs[s];
		rd->cies_cnt = 0;
		r = read_records(rd, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int
cmp_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->sec_idx != y->sec_idx)
		return x->sec_idx < y->sec_idx ? -1 : 1;
	return x->off < y->off ? -1 : x->off > y->off;
}

/* A table does not say how long it is; it ends where the next one begins. */
static uint64_t
table_end(const struct reader *rd, const struct hp_lsda *l)
{
	uint32_t lo = 0, hi = rd->tables_cnt;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		const struct place *p = &rd->tables[mid];

		if (p->sec_idx < l->sec_idx || (p->sec_idx == l->sec_idx && p->off <= l->off))
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < rd->tables_cnt && rd->tables[lo].sec_idx == l->sec_idx)
		return rd->tables[lo].off;
	return rd->obj->pair->new_obj->elf->secs[l->sec_idx].len;
}

int
hp_eh_scan(struct hp_pk *pk, struct hp_pk_obj *obj, struct hp_err *err)
{
	struct reader rd = { .pk = pk, .obj = obj };
	uint32_t cnt = obj->pair->new_obj->parts->cnt;
	int r;

	obj->lsdas = hp_arena_array(&pk->arena, cnt, sizeof(*obj->lsdas));
	if (obj->lsdas == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	r = read_sections(&rd, err);
	if (r < 0)
		return r;
	if (rd.tables_cnt > 0)
		qsort(rd.tables, rd.tables_cnt, sizeof(*rd.tables), cmp_place);
	for (uint32_t i = 0; i < cnt; i++) {
		struct hp_lsda *l = &obj->lsdas[i];
		uint64_t end = l->personality_rel != NULL && l->sec_idx != HP_NONE ? table_end(&rd, l) : 0;

		l->len = end > l->off ? end - l->off : 0;
	}
	return 0;
}

int
hp_eh_collect(struct hp_pk *pk, struct hp_eh *ret, struct hp_err *err)
{
	HP_AUTO(hp_map) struct hp_map by_content = { 0 };

	for (size_t o = 0; o < pk->objs_cnt; o++) {
		struct reader rd = { .pk = pk, .obj = &pk->objs[o], .by_content = &by_content, .out = ret };
		int r = has_code(&pk->objs[o]) ? read_sections(&rd, err) : 0;

		if (r < 0)
			return r;
	}
	return ret->frame.len == 0 ? 0 : hp_buf_add_u32(&ret->frame, 0, err);
}

static int
cmp_fde(const void *a, const void *b)
{
	const struct hp_eh_fde *x = a, *y = b;

	return x->item->va < y->item->va ? -1 : x->item->va > y->item->va;
}

int
hp_eh_place(struct hp_eh *eh, uint64_t frame_va, uint64_t hdr_va, struct hp_buf *ret_hdr, struct hp_err *err)
{
	static const uint8_t head[] = { 1, PE_PCREL_SDATA4, PE_UDATA4, PE_DATAREL_SDATA4 };
	int r;

	qsort(eh->fdes, eh->fdes_cnt, sizeof(*eh->fdes), cmp_fde);
	r = hp_buf_add(ret_hdr, head, sizeof(head), err);
	if (r == 0)
		r = hp_buf_add_u32(ret_hdr, (uint32_t)(frame_va - (hdr_va + 4)), err);
	if (r == 0)
		r = hp_buf_add_u32(ret_hdr, eh->fdes_cnt, err);
	for (uint32_t i = 0; i < eh->refs_cnt; i++)
		hp_le32_put(eh->frame.p + eh->refs[i].off, (uint32_t)(eh->refs[i].target->va - (frame_va + eh->refs[i].off)));
	for (uint32_t i = 0; i < eh->fdes_cnt && r == 0; i++) {
		const struct hp_eh_fde *fde = &eh->fdes[i];

		hp_le32_put(eh->frame.p + fde->off + 8, (uint32_t)(fde->item->va - (frame_va + fde->off + 8)));
		r = hp_buf_add_u32(ret_hdr, (uint32_t)(fde->item->va - hdr_va), err);
		if (r == 0)
			r = hp_buf_add_u32(ret_hdr, (uint32_t)(frame_va + fde->off - hdr_va), err);
	}
	return r;
}
