#include "formats/dwarf_internal.h"

#include <stdlib.h>

#include "base/escape.h"

/* Sections that are read. TYPES is appended to INFO. */
static const struct {
	const char *name;
	enum hp_dw_sect sect;
	bool second; /* behind all sections of the first name */
} names[] = {
	{ ".debug_info", HP_DW_INFO, false },       { ".debug_types", HP_DW_INFO, true },
	{ ".debug_abbrev", HP_DW_ABBREV, false },   { ".debug_str", HP_DW_STR, false },
	{ ".debug_line_str", HP_DW_LINE_STR, false }, { ".debug_str_offsets", HP_DW_STR_OFFSETS, false },
	{ ".debug_addr", HP_DW_ADDR, false },       { ".debug_line", HP_DW_LINE, false },
};
#define NAMES_CNT (sizeof(names) / sizeof(names[0]))

#define FIRST_ADDR ((uint64_t)0x10000) /* 0 stays free: it is what dropped code points to */
#define GAP ((uint64_t)64)             /* so that the end of a section is not the start of the next */
#define SEC_LEN_MAX ((uint64_t)1 << 40) /* SHT_NOBITS may claim anything */

static int
by_addr(const void *a, const void *b)
{
	const struct hp_dw_place *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return x->sec_idx < y->sec_idx ? -1 : x->sec_idx > y->sec_idx;
}

static void
place_debug_secs(struct hp_dwarf *dw)
{
	uint64_t used[HP_DW_SECTS] = { 0 };

	for (size_t k = 0; k < NAMES_CNT; k++) {
		if (names[k].second)
			dw->types_off = used[HP_DW_INFO];
		for (uint32_t i = 1; i < dw->elf->secs_cnt; i++) {
			struct hp_sec *sec = &dw->elf->secs[i];

			if ((sec->flags & SHF_ALLOC) != 0 || strcmp(sec->name, names[k].name) != 0)
				continue;
			dw->base[i] = used[names[k].sect];
			used[names[k].sect] += sec->data.len;
		}
	}
}

/* In a relocatable object every section starts at address 0; here each gets an address of its own, so that an address found
 * in the relocated debug information says which section it means. */
int
hp_dw_places(struct hp_dwarf *dw, struct hp_err *err)
{
	struct hp_elf *elf = dw->elf;
	uint64_t addr = FIRST_ADDR;

	dw->base = hp_arena_array(&dw->arena, elf->secs_cnt, sizeof(*dw->base));
	dw->places = hp_arena_array(&dw->arena, elf->secs_cnt, sizeof(*dw->places));
	if (dw->base == NULL || dw->places == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %u sections", elf->secs_cnt);
	for (uint32_t i = 1; i < elf->secs_cnt; i++) {
		const struct hp_sec *sec = &elf->secs[i];
		uint64_t len = sec->len < SEC_LEN_MAX ? sec->len : SEC_LEN_MAX;

		if ((sec->flags & SHF_ALLOC) == 0)
			continue;
		if (elf->type == ET_REL) {
			uint64_t align = sec->align <= 4096 ? sec->align : 4096;

			addr = (addr + align - 1) / align * align;
			dw->base[i] = addr;
			addr += len + GAP;
		} else if ((sec->flags & SHF_TLS) != 0 && sec->type == SHT_NOBITS) {
			continue; /* takes no address space */
		} else {
			dw->base[i] = sec->addr;
		}
		dw->places[dw->places_cnt++] = (struct hp_dw_place){ dw->base[i], len, i };
	}
	qsort(dw->places, dw->places_cnt, sizeof(*dw->places), by_addr);
	place_debug_secs(dw);
	return 0;
}

bool
hp_dw_place(const struct hp_dwarf *dw, uint64_t addr, uint32_t *ret_sec, uint64_t *ret_off)
{
	uint32_t lo = 0, hi = dw->places_cnt;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (dw->places[mid].addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0 || addr - dw->places[lo - 1].addr > dw->places[lo - 1].len)
		return false;
	*ret_sec = dw->places[lo - 1].sec_idx;
	*ret_off = addr - dw->places[lo - 1].addr;
	return true;
}

static bool
is_part(const struct hp_sec *sec, enum hp_dw_sect sect, size_t k)
{
	return names[k].sect == sect && (sec->flags & SHF_ALLOC) == 0 && strcmp(sec->name, names[k].name) == 0;
}

static int
check_sec(struct hp_dwarf *dw, uint32_t i, struct hp_err *err)
{
	struct hp_sec *sec = &dw->elf->secs[i];

	if ((sec->flags & SHF_COMPRESSED) != 0)
		return hp_err_set(err, HP_E_FORMAT,
		                  "'%s': '%s' is compressed; build with -gz=none or run objcopy --decompress-debug-sections",
		                  hp_esc(dw->elf->path), hp_esc(sec->name));
	return dw->elf->type == ET_REL ? hp_elf_load_rels(dw->elf, i, err) : 0;
}

/* One section without relocations is used where it is; otherwise all parts are copied one after the other. */
static int
join(struct hp_dwarf *dw, enum hp_dw_sect sect, const uint32_t *parts, uint32_t cnt, struct hp_err *err)
{
	struct hp_sec *secs = dw->elf->secs;
	uint64_t len = 0;
	uint8_t *copy;

	if (cnt == 1 && secs[parts[0]].rels_cnt == 0) {
		dw->sect[sect] = secs[parts[0]].data;
		return 0;
	}
	for (uint32_t i = 0; i < cnt; i++)
		len += secs[parts[i]].data.len;
	copy = hp_arena_alloc(&dw->arena, (size_t)len);
	if (copy == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %llu bytes of debug information", (unsigned long long)len);
	for (uint32_t i = 0; i < cnt; i++) {
		const struct hp_sec *sec = &secs[parts[i]];
		uint8_t *at = copy + dw->base[parts[i]];
		int r;

		if (sec->data.len == 0)
			continue;
		memcpy(at, sec->data.p, sec->data.len);
		r = hp_dw_relocate(dw, parts[i], at, sec->data.len, err);
		if (r < 0)
			return r;
	}
	dw->sect[sect] = hp_view_of(copy, (size_t)len);
	return 0;
}

int
hp_dw_load(struct hp_dwarf *dw, enum hp_dw_sect sect, struct hp_err *err)
{
	uint32_t *parts, cnt = 0;
	int r;

	if (dw->sect_loaded[sect])
		return 0;
	parts = hp_arena_array(&dw->arena, dw->elf->secs_cnt, sizeof(*parts));
	if (parts == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %u sections", dw->elf->secs_cnt);
	for (size_t k = 0; k < NAMES_CNT; k++) {
		for (uint32_t i = 1; i < dw->elf->secs_cnt; i++) {
			if (!is_part(&dw->elf->secs[i], sect, k))
				continue;
			r = check_sec(dw, i, err);
			if (r < 0)
				return r;
			parts[cnt++] = i;
		}
	}
	r = cnt > 0 ? join(dw, sect, parts, cnt, err) : 0;
	if (r == 0)
		dw->sect_loaded[sect] = true;
	return r;
}
