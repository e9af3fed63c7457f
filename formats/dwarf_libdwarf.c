#include "formats/dwarf_libdwarf.h"

#include "base/escape.h"

static int
get_section_info(void *obj, hp_ld_index idx, hp_ld_section *ret, int *error)
{
	const struct hp_ld *ld = obj;

	(void)error;
	if (idx >= HP_LD_SECTIONS)
		return DW_DLV_NO_ENTRY;
	*ret = (hp_ld_section){ 0 };
#ifdef DW_LIBDWARF_VERSION
	ret->as_name = ld->sec[idx].name;
	ret->as_size = ld->sec[idx].data.len;
#else
	ret->name = ld->sec[idx].name;
	ret->size = ld->sec[idx].data.len;
#endif
	return DW_DLV_OK;
}

#ifdef DW_LIBDWARF_VERSION
static Dwarf_Small
#else
static Dwarf_Endianness
#endif
get_byte_order(void *obj)
{
	const struct hp_ld *ld = obj;

#ifdef DW_LIBDWARF_VERSION
	return ld->big_endian ? DW_END_big : DW_END_little;
#else
	return ld->big_endian ? DW_OBJECT_MSB : DW_OBJECT_LSB;
#endif
}

static Dwarf_Small
get_length_size(void *obj)
{
	(void)obj;
	return 4;
}

static Dwarf_Small
get_pointer_size(void *obj)
{
	(void)obj;
	return 8;
}

static Dwarf_Unsigned
get_section_count(void *obj)
{
	(void)obj;
	return HP_LD_SECTIONS;
}

static int
load_section(void *obj, hp_ld_index idx, Dwarf_Small **ret, int *error)
{
	const struct hp_ld *ld = obj;

	(void)error;
	if (idx >= HP_LD_SECTIONS || ld->sec[idx].data.len == 0)
		return DW_DLV_NO_ENTRY;
	*ret = (Dwarf_Small *)(uintptr_t)ld->sec[idx].data.p; /* libdwarf does not write there */
	return DW_DLV_OK;
}

#ifdef DW_LIBDWARF_VERSION
static Dwarf_Unsigned
get_filesize(void *obj)
{
	const struct hp_ld *ld = obj;
	Dwarf_Unsigned len = 0;

	for (int i = 0; i < HP_LD_SECTIONS; i++)
		len += ld->sec[i].data.len;
	return len;
}
#endif

static const hp_ld_methods methods = {
#ifdef DW_LIBDWARF_VERSION
	.om_get_section_info = get_section_info, .om_get_byte_order = get_byte_order, .om_get_length_size = get_length_size,
	.om_get_pointer_size = get_pointer_size, .om_get_filesize = get_filesize, .om_get_section_count = get_section_count,
	.om_load_section = load_section,
#else
	.get_section_info = get_section_info, .get_byte_order = get_byte_order, .get_length_size = get_length_size,
	.get_pointer_size = get_pointer_size, .get_section_count = get_section_count, .load_section = load_section,
#endif
};

int
hp_ld_fail(struct hp_ld *ld, Dwarf_Error e, const char *what, struct hp_err *err)
{
	int r = hp_err_set(err, HP_E_FORMAT, "%s: %s", what, e != NULL ? dwarf_errmsg(e) : "no such entry");

	if (e != NULL)
		HP_LD_RELEASE_ERROR(ld->dbg, e);
	return r;
}

int
hp_ld_open(struct hp_dwarf *dw, struct hp_view info, struct hp_view abbrev, struct hp_ld *ret, struct hp_err *err)
{
	Dwarf_Error e = NULL;
	int r;

	*ret = (struct hp_ld){ .big_endian = dw->elf->big_endian };
	ret->sec[0].name = "";
	ret->sec[1].name = ".debug_info";
	ret->sec[1].data = info;
	ret->sec[2].name = ".debug_abbrev";
	ret->sec[2].data = abbrev;
	ret->sec[3].name = ".debug_line";
	ret->sec[3].data = dw->sect[HP_DW_LINE];
	ret->sec[4].name = ".debug_line_str";
	ret->sec[4].data = dw->sect[HP_DW_LINE_STR];
	ret->sec[5].name = ".debug_str";
	ret->sec[5].data = dw->sect[HP_DW_STR];
#ifdef DW_LIBDWARF_VERSION
	ret->interface = (hp_ld_interface){ .ai_object = ret, .ai_methods = &methods };
#else
	ret->interface = (hp_ld_interface){ .object = ret, .methods = &methods };
#endif
	r = dwarf_object_init_b(&ret->interface, NULL, NULL, DW_GROUPNUMBER_ANY, &ret->dbg, &e);
	if (r == DW_DLV_OK)
		return 0;
	r = hp_err_set(err, HP_E_FORMAT, "line tables: %s", r == DW_DLV_ERROR && e != NULL ? dwarf_errmsg(e) : "not found");
	if (e != NULL)
		HP_LD_RELEASE_ERROR(NULL, e);
	return r;
}

void
hp_ld_close(struct hp_ld *ld)
{
	if (ld->dbg != NULL)
		(void)hp_ld_finish(ld->dbg, NULL);
	ld->dbg = NULL;
}
