#include "formats/insn_x86.h"

#include <Zydis/Zydis.h>
#include <stdio.h>
#include <string.h>

static bool
decode(struct hp_view code, uint64_t off, ZydisDecodedInstruction *insn, ZydisDecodedOperand *ops)
{
	ZydisDecoder dec;

	if (off >= code.len || !ZYAN_SUCCESS(ZydisDecoderInit(&dec, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)))
		return false;
	if (ops == NULL)
		return ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&dec, ZYAN_NULL, code.p + off, code.len - off, insn));
	return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&dec, code.p + off, code.len - off, insn, ops));
}

static bool
is_nop(const ZydisDecodedInstruction *insn)
{
	/* `xchg %ax,%ax` is decoded as NOP with a prefix or as XCHG; the assembler's padding uses 66 90 and 0f 1f forms only. */
	return insn->mnemonic == ZYDIS_MNEMONIC_NOP || insn->mnemonic == ZYDIS_MNEMONIC_INT3;
}

static bool
is_endbr(struct hp_view code, uint64_t off)
{
	static const uint8_t endbr64[4] = { 0xf3, 0x0f, 0x1e, 0xfa };

	return hp_view_has(code, off, 4) && memcmp(code.p + off, endbr64, 4) == 0;
}

bool
hp_insn_decode(struct hp_view code, uint64_t off, struct hp_insn *ret)
{
	ZydisDecodedInstruction insn;
	int imm_seen = 0;

	if (!decode(code, off, &insn, NULL))
		return false;
	*ret = (struct hp_insn){
		.len = insn.length,
		.call = insn.meta.category == ZYDIS_CATEGORY_CALL,
		.cond = insn.meta.category == ZYDIS_CATEGORY_COND_BR,
		.ret = insn.meta.category == ZYDIS_CATEGORY_RET,
		.nop = is_nop(&insn),
		.endbr64 = is_endbr(code, off),
	};
	ret->branch = ret->call || ret->cond || insn.meta.category == ZYDIS_CATEGORY_UNCOND_BR ||
	              insn.mnemonic == ZYDIS_MNEMONIC_XBEGIN;
	ret->nop = ret->nop && !ret->endbr64;
	if (insn.raw.disp.size != 0) {
		ret->disp_off = insn.raw.disp.offset;
		ret->disp_len = insn.raw.disp.size / 8;
		ret->disp = insn.raw.disp.value;
		/* mod = 0, rm = 5: [rip + disp32] in 64-bit mode (Intel SDM vol. 2, 2.2.1.6). */
		ret->rip_rel =
			(insn.attributes & ZYDIS_ATTRIB_HAS_MODRM) != 0 && insn.raw.modrm.mod == 0 && insn.raw.modrm.rm == 5;
	}
	for (int i = 0; i < 2; i++) {
		if (insn.raw.imm[i].size == 0)
			continue;
		if (insn.raw.imm[i].is_relative) {
			ret->rel_off = insn.raw.imm[i].offset;
			ret->rel_len = insn.raw.imm[i].size / 8;
			ret->rel = insn.raw.imm[i].value.s;
		} else if (imm_seen++ == 0) {
			ret->imm_off = insn.raw.imm[i].offset;
			ret->imm_len = insn.raw.imm[i].size / 8;
			ret->imm = insn.raw.imm[i].value.u;
		}
	}
	return true;
}

void
hp_insn_text(struct hp_view code, uint64_t off, uint64_t va, char *buf, size_t len)
{
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction insn;
	ZydisFormatter fmt;

	if (!decode(code, off, &insn, ops) || !ZYAN_SUCCESS(ZydisFormatterInit(&fmt, ZYDIS_FORMATTER_STYLE_INTEL)) ||
	    !ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&fmt, &insn, ops, insn.operand_count_visible, buf, len, va, NULL)))
		(void)snprintf(buf, len, "(bad)");
}
