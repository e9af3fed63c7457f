/* Fuzz target: the ELF reader, dynamic symbols, and for relocatable objects the parts and what their relocations refer to.
 * Whatever is accepted must be safe to walk: every index, view and name that the headers promise to be checked is followed here.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "formats/debug_link.h"
#include "formats/elf_dyn.h"
#include "formats/elf_file.h"
#include "formats/elf_parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Written, so that the reads are not optimised away. */
static volatile uint64_t sum;

static void
touch(struct hp_view v)
{
	if (v.len > 0)
		sum += (uint64_t)v.p[0] + v.p[v.len - 1];
}

static void
walk_syms(const struct hp_elf *elf, const struct hp_sym *syms, uint32_t cnt)
{
	for (uint32_t i = 0; i < cnt; i++) {
		sum += strlen(syms[i].name);
		if (syms[i].sec_idx < HP_SEC_ABS && syms[i].sec_idx != HP_SEC_UNDEF)
			sum += strlen(elf->secs[syms[i].sec_idx].name);
		if (syms[i].file_idx != HP_NONE)
			sum += strlen(syms[syms[i].file_idx].name);
	}
}

static void
walk_elf(struct hp_elf *elf)
{
	struct hp_view v;

	for (uint32_t i = 0; i < elf->secs_cnt; i++) {
		sum += strlen(elf->secs[i].name);
		touch(elf->secs[i].data);
		if (elf->secs[i].group != NULL)
			sum += strlen(elf->secs[i].group);
	}
	walk_syms(elf, elf->syms, elf->syms_cnt);
	walk_syms(elf, elf->dynsyms, elf->dynsyms_cnt);
	for (uint32_t i = 0; i < elf->segs_cnt; i++)
		if (hp_elf_bytes_at(elf, elf->segs[i].va, elf->segs[i].file_len, &v))
			touch(v);
	if (hp_elf_build_id(elf, &v))
		touch(v);
}

static void
walk_parts(const struct hp_parts *parts)
{
	for (uint32_t i = 0; i < parts->cnt; i++) {
		const struct hp_rel *rels = hp_part_rels(parts, i);
		struct hp_ref_cursor cur = HP_REF_CURSOR_INIT;
		struct hp_view piece;
		uint64_t start;

		sum += strlen(hp_part_name(parts, i));
		touch(hp_part_bytes(parts, i));
		sum += hp_parts_at(parts, parts->v[i].sec_idx, parts->v[i].off);
		if (parts->v[i].kind == HP_PART_MERGE && hp_merge_piece(parts, i, parts->v[i].len / 2, &start, &piece))
			touch(piece);
		for (uint32_t k = 0; k < parts->v[i].rels_cnt; k++) {
			struct hp_ref ref;

			if (hp_ref_resolve(parts, i, &rels[k], &cur, &ref, NULL) == 0 && ref.part_idx != HP_NONE)
				touch(hp_part_bytes(parts, ref.part_idx));
		}
	}
}

static void
walk_dynamic(struct hp_elf *elf)
{
	static const char *const names[] = { "f", "one", "malloc", "" };
	HP_AUTO(hp_arena) struct hp_arena arena = { 0 };
	struct hp_dyn dyn;
	struct hp_err err;

	if (hp_dyn_open_file(elf, &arena, &dyn, &err) <= 0)
		return;
	for (uint32_t i = 0; i < dyn.needed_cnt; i++)
		sum += strlen(dyn.needed[i]);
	for (unsigned i = 0; i < 24; i++) {
		struct hp_dyn_sym sym;

		if (hp_dyn_lookup(&dyn, names[i % 4], i < 12 ? NULL : "V_1", (enum hp_dyn_how)(i / 4 % 3), &sym, &err) > 0)
			sum += sym.value + (sym.version != NULL ? strlen(sym.version) : 0);
	}
}

static void
walk_debug(const struct hp_elf *elf)
{
	HP_AUTO(hp_buf) struct hp_buf mini = { 0 };
	struct hp_err err;
	const char *name;
	uint32_t crc;

	if (hp_debug_link(elf, &name, &crc))
		sum += strlen(name) + crc;
	if (hp_debug_mini(elf, &mini, &err) > 0)
		touch(hp_buf_view(&mini));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	HP_AUTO(hp_elf) struct hp_elf *elf = NULL;
	struct hp_parts *parts;
	struct hp_err err;

	if (hp_elf_open(hp_view_of(data, len), "input", &elf, &err) < 0)
		return 0;
	walk_elf(elf);
	walk_debug(elf);
	walk_dynamic(elf);
	if (hp_elf_load_all_rels(elf, &err) == 0 && elf->type == ET_REL && hp_parts_new(elf, &parts, &err) == 0)
		walk_parts(parts);
	return 0;
}
