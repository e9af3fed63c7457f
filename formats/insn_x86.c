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

/* Number of the general register that ${reg} is a part of, -1 = another kind of register. */
static int8_t
gpr(ZydisRegister reg)
{
	ZydisRegister full = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);

	return full != ZYDIS_REGISTER_NONE && ZydisRegisterGetClass(full) == ZYDIS_REGCLASS_GPR64 ? ZydisRegisterGetId(full) : -1;
}

static uint16_t
bit(int8_t reg)
{
	return reg < 0 ? 0 : (uint16_t)(1u << reg);
}

static void
flow_memory(const ZydisDecodedOperand *op, struct hp_insn_flow *ret)
{
	uint16_t regs = bit(gpr(op->mem.base)) | bit(gpr(op->mem.index));
	bool written = (op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;

	*(written ? &ret->addr_stored : &ret->addr) |= regs;
	ret->stores |= written && op->visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT;
}

static void
flow_register(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *op, struct hp_insn_flow *ret)
{
	/* movs and its kin step the registers that they address with. */
	bool steps = insn->meta.category == ZYDIS_CATEGORY_STRINGOP && op->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN &&
	             (gpr(op->reg.value) == 6 || gpr(op->reg.value) == 7);
	bool reads = (op->actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0 && !steps;
	uint16_t reg = bit(gpr(op->reg.value));

	if (reads)
		ret->read |= reg;
	if ((op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0)
		ret->touched |= reg;
	if (op->actions == ZYDIS_OPERAND_ACTION_WRITE && op->size >= 32)
		ret->replaced |= reg;
}

static enum hp_flow_move
move_of(const ZydisDecodedInstruction *insn)
{
	switch ((int)insn->mnemonic) {
	case ZYDIS_MNEMONIC_LEA:
		return HP_FLOW_LEA;
	case ZYDIS_MNEMONIC_MOV:
		return HP_FLOW_COPY;
	case ZYDIS_MNEMONIC_ADD:
	case ZYDIS_MNEMONIC_INC:
		return HP_FLOW_ADD;
	case ZYDIS_MNEMONIC_SUB:
	case ZYDIS_MNEMONIC_DEC:
		return HP_FLOW_SUB;
	case ZYDIS_MNEMONIC_CMP:
		return HP_FLOW_COMPARE;
	default:
		return insn->meta.category == ZYDIS_CATEGORY_CMOV ? HP_FLOW_CHOOSE : HP_FLOW_OTHER;
	}
}

static int8_t
operand_gpr(const ZydisDecodedOperand *op)
{
	return op->type == ZYDIS_OPERAND_TYPE_REGISTER && op->size >= 32 ? gpr(op->reg.value) : -1;
}

/* xor or sub of a register with itself. */
static bool
is_zero_idiom(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *ops)
{
	return (insn->mnemonic == ZYDIS_MNEMONIC_XOR || insn->mnemonic == ZYDIS_MNEMONIC_SUB) && operand_gpr(&ops[0]) >= 0 &&
	       ops[1].type == ZYDIS_OPERAND_TYPE_REGISTER && ops[0].reg.value == ops[1].reg.value;
}

bool
hp_insn_flow(struct hp_view code, uint64_t off, struct hp_insn_flow *ret)
{
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction insn;

	*ret = (struct hp_insn_flow){ .dst = -1, .src = -1 };
	if (!decode(code, off, &insn, ops))
		return false;
	for (uint8_t i = 0; i < insn.operand_count; i++) {
		if (ops[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
			flow_memory(&ops[i], ret);
		else if (ops[i].type == ZYDIS_OPERAND_TYPE_REGISTER)
			flow_register(&insn, &ops[i], ret);
	}
	if (insn.operand_count_visible > 1 && is_zero_idiom(&insn, ops)) {
		ret->read = 0;
		ret->replaced |= ret->touched;
		return true;
	}
	ret->move = move_of(&insn);
	if (ret->move == HP_FLOW_OTHER)
		return true;
	ret->dst = operand_gpr(&ops[0]);
	ret->src = insn.operand_count_visible > 1 ? operand_gpr(&ops[1]) : -1;
	if (ret->dst < 0 && ret->move != HP_FLOW_COMPARE)
		ret->move = HP_FLOW_OTHER; /* to memory, or 8 or 16 bits */
	else if (ops[0].size < 32)
		ret->move = HP_FLOW_OTHER;
	else
		ret->read &= (uint16_t)~(bit(ret->dst) | bit(ret->src));
	if (ret->move == HP_FLOW_OTHER)
		ret->dst = ret->src = -1;
	return true;
}

static bool
is_stack(const ZydisDecodedOperand *op)
{
	return op->type == ZYDIS_OPERAND_TYPE_MEMORY && op->mem.type == ZYDIS_MEMOP_TYPE_MEM &&
	       (gpr(op->mem.base) == 4 || gpr(op->mem.base) == 5);
}

static bool
is_place(const ZydisDecodedOperand *op)
{
	return op->type == ZYDIS_OPERAND_TYPE_REGISTER || is_stack(op);
}

static uint64_t
mix(uint64_t h, uint64_t x)
{
	return (h ^ x) * 0x9e3779b97f4a7c15u + (h >> 29);
}

static uint64_t
operand_gist(const ZydisDecodedOperand *op)
{
	uint64_t h = mix((uint64_t)op->type, op->size);

	if (op->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && !op->imm.is_relative)
		return mix(h, op->imm.value.u);
	if (op->type == ZYDIS_OPERAND_TYPE_MEMORY && !is_stack(op) && op->mem.base != ZYDIS_REGISTER_RIP)
		return mix(mix(h, (uint64_t)op->mem.disp.value), op->mem.segment == ZYDIS_REGISTER_FS);
	return h;
}

uint64_t
hp_insn_gist(struct hp_view code, uint64_t off, bool *ret_glue)
{
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction insn;
	uint64_t h;
	bool stack_pointer;

	*ret_glue = false;
	if (!decode(code, off, &insn, ops))
		return 0;
	h = mix(1, (uint64_t)insn.mnemonic);
	stack_pointer =
		insn.operand_count_visible > 0 && ops[0].type == ZYDIS_OPERAND_TYPE_REGISTER && gpr(ops[0].reg.value) == 4;
	for (uint8_t i = 0; i < insn.operand_count_visible; i++)
		h = mix(h, operand_gist(&ops[i]));
	*ret_glue = is_nop(&insn) || is_endbr(code, off) || insn.mnemonic == ZYDIS_MNEMONIC_PUSH ||
	            insn.mnemonic == ZYDIS_MNEMONIC_POP || stack_pointer ||
	            (insn.operand_count_visible == 2 &&
	             (insn.meta.category == ZYDIS_CATEGORY_DATAXFER || insn.mnemonic == ZYDIS_MNEMONIC_MOV) &&
	             is_place(&ops[0]) && is_place(&ops[1])) ||
	            is_zero_idiom(&insn, ops);
	return h | 1;
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
