/* Does the address of a constant leave direct reads? Then unchanged code may hold the old address. */
#include "differ/internal.h"
#include "formats/insn_x86.h"

/* Another object can name it. */
static bool
is_visible(const struct hp_side *side, uint32_t part)
{
	const struct hp_part *p = hp_side_part(side, part);

	for (uint32_t k = 0; k < p->syms_cnt; k++)
		if (side->elf->syms[side->parts->part_syms[p->syms_first + k]].bind != STB_LOCAL)
			return true;
	return false;
}

/* The instruction reads memory at the constant's place. lea and mov of an address are followed no further. */
static bool
reads_only(const struct hp_side *side, uint32_t part, const struct hp_edge *e)
{
	struct hp_view code = hp_part_bytes(side->parts, part);
	struct hp_insn insn;
	uint64_t off = 0;

	while (off < code.len) {
		uint64_t len = hp_insn_decode(code, off, &insn) ? insn.len : 1;

		if (e->off < off + len)
			break;
		off += len;
	}
	if (off >= code.len || insn.disp_len != 4 || off + insn.disp_off != e->off)
		return false;
	/* lea: opcode 8d right before the ModRM byte (and the SIB byte of an absolute address). */
	return !(insn.disp_off >= 2 && code.p[off + insn.disp_off - 2] == 0x8d) &&
	       !(insn.disp_off >= 3 && code.p[off + insn.disp_off - 3] == 0x8d);
}

int
hp_verdict_escapes(struct hp_side *side, uint32_t part, struct hp_err *err)
{
	if (is_visible(side, part) || side->elf->machine != EM_X86_64)
		return 1;
	for (uint32_t i = 0; i < side->parts->cnt; i++) {
		int r;

		if (side->ident[i] == HP_IDENT_WHOLE)
			continue;
		r = hp_side_edges(side, i, err);
		if (r < 0)
			return r;
		for (uint32_t k = 0; k < side->edges_cnt[i]; k++) {
			const struct hp_edge *e = &side->edges[i][k];

			if (e->ref.part_idx != part || i == part)
				continue;
			if (!hp_part_is_func(hp_side_part(side, i)) || !reads_only(side, i, e))
				return 1;
		}
	}
	return 0;
}
