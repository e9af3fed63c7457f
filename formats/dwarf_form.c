#include "formats/dwarf_internal.h"

#include "formats/dwarf_compat.h"

#define NAME_MAX_LEN ((uint64_t)16384) /* of a shared string; longer ones count as absent */

uint64_t
hp_dw_get(struct hp_dw_cur *c, unsigned len)
{
	uint64_t v = 0;

	if ((size_t)(c->end - c->p) < len) {
		c->bad = true;
		c->p = c->end;
		return 0;
	}
	if (!c->be) {
		for (unsigned i = len; i-- > 0;)
			v = v << 8 | c->p[i];
	} else {
		for (unsigned i = 0; i < len; i++)
			v = v << 8 | c->p[i];
	}
	c->p += len;
	return v;
}

uint64_t
hp_dw_uleb(struct hp_dw_cur *c)
{
	uint64_t v = 0;
	unsigned shift = 0;

	while (c->p < c->end) {
		uint8_t b = *c->p++;

		if (shift < 64)
			v |= (uint64_t)(b & 0x7f) << shift;
		if ((b & 0x80) == 0)
			return v;
		shift = shift < 64 ? shift + 7 : shift;
	}
	c->bad = true;
	return 0;
}

int64_t
hp_dw_sleb(struct hp_dw_cur *c)
{
	uint64_t v = 0;
	unsigned shift = 0;

	while (c->p < c->end) {
		uint8_t b = *c->p++;

		if (shift < 64)
			v |= (uint64_t)(b & 0x7f) << shift;
		shift = shift < 64 ? shift + 7 : shift;
		if ((b & 0x80) == 0) {
			if ((b & 0x40) != 0 && shift < 64)
				v |= ~(uint64_t)0 << shift;
			return (int64_t)v;
		}
	}
	c->bad = true;
	return 0;
}

void
hp_dw_skip(struct hp_dw_cur *c, uint64_t len)
{
	if ((size_t)(c->end - c->p) < len) {
		c->bad = true;
		c->p = c->end;
		return;
	}
	c->p += len;
}

const char *
hp_dw_cstr(struct hp_dw_cur *c)
{
	const uint8_t *s = c->p, *z = s < c->end ? memchr(s, 0, (size_t)(c->end - s)) : NULL;

	if (z == NULL) {
		c->bad = true;
		c->p = c->end;
		return "";
	}
	c->p = z + 1;
	return (const char *)s;
}

int
hp_dw_form_len(const struct hp_dw_unit *u, uint64_t form)
{
	switch (form) {
	case DW_FORM_implicit_const:
	case DW_FORM_flag_present:
		return 0;
	case DW_FORM_data1:
	case DW_FORM_ref1:
	case DW_FORM_flag:
	case DW_FORM_strx1:
	case DW_FORM_addrx1:
		return 1;
	case DW_FORM_data2:
	case DW_FORM_ref2:
	case DW_FORM_strx2:
	case DW_FORM_addrx2:
		return 2;
	case DW_FORM_strx3:
	case DW_FORM_addrx3:
		return 3;
	case DW_FORM_data4:
	case DW_FORM_ref4:
	case DW_FORM_strx4:
	case DW_FORM_addrx4:
	case DW_FORM_ref_sup4:
		return 4;
	case DW_FORM_data8:
	case DW_FORM_ref8:
	case DW_FORM_ref_sig8:
	case DW_FORM_ref_sup8:
		return 8;
	case DW_FORM_data16:
		return 16;
	case DW_FORM_addr:
		return u->addr_len;
	case DW_FORM_ref_addr:
		return u->version <= 2 ? u->addr_len : u->off_len;
	case DW_FORM_strp:
	case DW_FORM_line_strp:
	case DW_FORM_strp_sup:
	case DW_FORM_sec_offset:
	case DW_FORM_GNU_ref_alt:
	case DW_FORM_GNU_strp_alt:
		return u->off_len;
	default:
		return -1;
	}
}

/* Bytes of a block's length field, 0 = ULEB128, -1 = not a block. */
static int
block_prefix(uint64_t form)
{
	switch (form) {
	case DW_FORM_block1:
		return 1;
	case DW_FORM_block2:
		return 2;
	case DW_FORM_block4:
		return 4;
	case DW_FORM_block:
	case DW_FORM_exprloc:
		return 0;
	default:
		return -1;
	}
}

bool
hp_dw_form_skip(const struct hp_dw_unit *u, uint64_t form, struct hp_dw_cur *c)
{
	int len = hp_dw_form_len(u, form), prefix;

	if (form == DW_FORM_indirect) {
		form = hp_dw_uleb(c);
		len = hp_dw_form_len(u, form);
	}
	if (len >= 0) {
		hp_dw_skip(c, (uint64_t)len);
		return !c->bad;
	}
	prefix = block_prefix(form);
	if (prefix >= 0) {
		hp_dw_skip(c, prefix == 0 ? hp_dw_uleb(c) : hp_dw_get(c, (unsigned)prefix));
		return !c->bad;
	}
	switch (form) {
	case DW_FORM_string:
		(void)hp_dw_cstr(c);
		return !c->bad;
	case DW_FORM_sdata:
	case DW_FORM_udata:
	case DW_FORM_ref_udata:
	case DW_FORM_strx:
	case DW_FORM_addrx:
	case DW_FORM_loclistx:
	case DW_FORM_rnglistx:
	case DW_FORM_GNU_addr_index:
	case DW_FORM_GNU_str_index:
		(void)hp_dw_uleb(c);
		return !c->bad;
	default:
		return false;
	}
}

static void
set_str(struct hp_view sect, uint64_t off, struct hp_dw_value *ret)
{
	struct hp_view room;

	ret->cls = HP_DW_C_NONE;
	/* Many entries may share one string: an endless one must not cost its length each time. */
	if (off >= sect.len || !hp_view_sub(sect, off, sect.len - off < NAME_MAX_LEN ? sect.len - off : NAME_MAX_LEN, &room) ||
	    memchr(room.p, 0, room.len) == NULL)
		return;
	ret->cls = HP_DW_C_STR;
	ret->s = (const char *)room.p;
}

/* Entry ${idx} of .debug_str_offsets (width = offset size) or .debug_addr (width = address size). */
static bool
indexed(const struct hp_dwarf *dw, enum hp_dw_sect sect, uint64_t base, uint64_t idx, unsigned width, uint64_t *ret)
{
	struct hp_view v;
	struct hp_dw_cur c;

	if (idx > UINT32_MAX || !hp_view_sub(dw->sect[sect], base + idx * width, width, &v))
		return false;
	c = (struct hp_dw_cur){ v.p, v.p + v.len, dw->elf->big_endian, false };
	*ret = hp_dw_get(&c, width);
	return true;
}

static void
set_strx(const struct hp_dwarf *dw, const struct hp_dw_unit *u, uint64_t idx, struct hp_dw_value *ret)
{
	uint64_t off;

	ret->cls = HP_DW_C_NONE;
	if (indexed(dw, HP_DW_STR_OFFSETS, u->str_off_base, idx, u->off_len, &off))
		set_str(dw->sect[HP_DW_STR], off, ret);
}

static void
set_addrx(const struct hp_dwarf *dw, const struct hp_dw_unit *u, uint64_t idx, struct hp_dw_value *ret)
{
	ret->cls = indexed(dw, HP_DW_ADDR, u->addr_base, idx, u->addr_len, &ret->u) ? HP_DW_C_ADDR : HP_DW_C_NONE;
}

static void
set_ref(const struct hp_dwarf *dw, uint64_t base, uint64_t off, struct hp_dw_value *ret)
{
	ret->cls = HP_DW_C_REF;
	ret->u = off < dw->sect[HP_DW_INFO].len && base < dw->sect[HP_DW_INFO].len - off ? base + off : 0;
}

static void
set_sig(const struct hp_dwarf *dw, const uint8_t *at, struct hp_dw_value *ret)
{
	uint64_t idx;

	ret->cls = HP_DW_C_REF;
	ret->u = hp_map_get(&dw->sig_map, at, 8, &idx) ? dw->units[idx].type_off : 0;
}

/* Forms that are one number of known size. */
static bool
fixed_form(const struct hp_dwarf *dw, const struct hp_dw_unit *u, uint64_t form, unsigned len, struct hp_dw_cur *c,
           struct hp_dw_value *ret)
{
	const uint8_t *at = c->p;

	if (len > 8) {
		hp_dw_skip(c, len);
		ret->block = hp_view_of(at, c->bad ? 0 : len);
		ret->cls = HP_DW_C_BLOCK;
		return !c->bad;
	}
	ret->u = hp_dw_get(c, len);
	if (c->bad)
		return false;
	switch (form) {
	case DW_FORM_addr:
		ret->cls = HP_DW_C_ADDR;
		break;
	case DW_FORM_ref1:
	case DW_FORM_ref2:
	case DW_FORM_ref4:
	case DW_FORM_ref8:
		set_ref(dw, u->off, ret->u, ret);
		break;
	case DW_FORM_ref_addr:
		set_ref(dw, 0, ret->u, ret);
		break;
	case DW_FORM_ref_sig8:
		set_sig(dw, at, ret);
		break;
	case DW_FORM_strp:
		set_str(dw->sect[HP_DW_STR], ret->u, ret);
		break;
	case DW_FORM_line_strp:
		set_str(dw->sect[HP_DW_LINE_STR], ret->u, ret);
		break;
	case DW_FORM_strx1:
	case DW_FORM_strx2:
	case DW_FORM_strx3:
	case DW_FORM_strx4:
		set_strx(dw, u, ret->u, ret);
		break;
	case DW_FORM_addrx1:
	case DW_FORM_addrx2:
	case DW_FORM_addrx3:
	case DW_FORM_addrx4:
		set_addrx(dw, u, ret->u, ret);
		break;
	case DW_FORM_flag_present:
		ret->u = 1;
		break;
	case DW_FORM_data1:
	case DW_FORM_data2:
	case DW_FORM_data4:
	case DW_FORM_data8:
	case DW_FORM_flag:
	case DW_FORM_sec_offset:
		break;
	default:
		ret->cls = HP_DW_C_NONE;
		break;
	}
	return true;
}

bool
hp_dw_form(const struct hp_dwarf *dw, const struct hp_dw_unit *u, uint64_t form, int64_t implicit, struct hp_dw_cur *c,
           struct hp_dw_value *ret)
{
	int len;

	*ret = (struct hp_dw_value){ .cls = HP_DW_C_NUM };
	if (form == DW_FORM_indirect)
		form = hp_dw_uleb(c);
	len = hp_dw_form_len(u, form);
	if (form == DW_FORM_implicit_const) {
		ret->u = (uint64_t)implicit;
		return true;
	}
	if (len >= 0)
		return fixed_form(dw, u, form, (unsigned)len, c, ret);
	len = block_prefix(form);
	if (len >= 0) {
		uint64_t n = len == 0 ? hp_dw_uleb(c) : hp_dw_get(c, (unsigned)len);
		const uint8_t *at = c->p;

		hp_dw_skip(c, n);
		ret->cls = HP_DW_C_BLOCK;
		ret->block = hp_view_of(at, c->bad ? 0 : (size_t)n);
		return !c->bad;
	}
	if (form == DW_FORM_string) {
		ret->cls = HP_DW_C_STR;
		ret->s = hp_dw_cstr(c);
	} else if (form == DW_FORM_sdata) {
		ret->u = (uint64_t)hp_dw_sleb(c);
	} else if (form == DW_FORM_udata) {
		ret->u = hp_dw_uleb(c);
	} else if (form == DW_FORM_ref_udata) {
		set_ref(dw, u->off, hp_dw_uleb(c), ret);
	} else if (form == DW_FORM_strx || form == DW_FORM_GNU_str_index) {
		set_strx(dw, u, hp_dw_uleb(c), ret);
	} else if (form == DW_FORM_addrx || form == DW_FORM_GNU_addr_index) {
		set_addrx(dw, u, hp_dw_uleb(c), ret);
	} else {
		ret->cls = HP_DW_C_NONE;
		return hp_dw_form_skip(u, form, c);
	}
	return !c->bad;
}
