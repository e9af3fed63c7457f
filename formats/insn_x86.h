/* x86-64 instructions: lengths, branch targets and operand places, through Zydis (formats/insn_x86.c is its only user). */
#ifndef HP_FORMATS_INSN_X86_H
#define HP_FORMATS_INSN_X86_H

#include <stdbool.h>
#include <stdint.h>

#include "base/view.h"

struct hp_insn {
	uint8_t len;      /* bytes, 1..15 */
	bool branch;      /* call, jmp, jcc, loop, xbegin: with a relative operand or not */
	bool call;
	bool cond;        /* conditional: falls through as well */
	bool ret;         /* ret, iret: never falls through */
	bool nop;         /* any nop form, int3 padding included; endbr64 is not */
	bool endbr64;
	bool rip_rel;     /* has a memory operand [rip + disp32] */
	uint8_t rel_off, rel_len;   /* relative branch operand: byte in the instruction, bytes; len 0 = none */
	uint8_t disp_off, disp_len; /* memory displacement */
	uint8_t imm_off, imm_len;   /* (first) immediate that is not a branch operand */
	int64_t rel;      /* branch: distance from the end of the instruction */
	int64_t disp;     /* sign-extended displacement */
	uint64_t imm;
};

/* hp_insn_decode(code, off, ret): the instruction at ${code}[off]. false: no valid instruction, or it is cut off. */
bool hp_insn_decode(struct hp_view code, uint64_t off, struct hp_insn *ret);
/* What an instruction does with the general registers. Masks have bit n for register n (rax 0, rcx 1, rdx 2, rbx 3, rsp 4,
 * rbp 5, rsi 6, rdi 7, r8..r15), whatever part of it is meant. */
enum hp_flow_move {
	HP_FLOW_OTHER,
	HP_FLOW_LEA,     /* dst = an address made of ${addr} */
	HP_FLOW_COPY,    /* dst = src */
	HP_FLOW_ADD,     /* dst += src */
	HP_FLOW_SUB,     /* dst -= src */
	HP_FLOW_CHOOSE,  /* dst = src or dst (cmov) */
	HP_FLOW_COMPARE, /* flags = dst - src */
};
struct hp_insn_flow {
	enum hp_flow_move move; /* but OTHER: 32 or 64 bits */
	int8_t dst, src;        /* registers; -1 = memory, an immediate or none */
	uint16_t addr;          /* in addresses of memory that is read, or of lea */
	uint16_t addr_stored;   /* in addresses of memory that is written */
	uint16_t read;          /* read in any other way; without dst and src when ${move} is not OTHER */
	uint16_t touched;       /* written in any way */
	uint16_t replaced;      /* get a value that does not depend on what they held */
	bool stores;            /* an explicit memory operand is written */
};
/* hp_insn_flow(code, off, ret): false: no valid instruction. Calls: what the callee does is not in it. */
bool hp_insn_flow(struct hp_view code, uint64_t off, struct hp_insn_flow *ret);

/* hp_insn_gist(code, off, ret_glue): a number for what the instruction does, without what compilers choose freely: which
 * registers, where on the stack, how far a jump goes, what a RIP-relative address is. 0: no valid instruction. *ret_glue: it only
 * moves values between registers and stack, or does nothing. For messages: equal numbers do not prove anything. */
uint64_t hp_insn_gist(struct hp_view code, uint64_t off, bool *ret_glue);

/* hp_insn_text(code, off, va, buf, len): Intel syntax, for messages; "(bad)" when undecodable. */
void hp_insn_text(struct hp_view code, uint64_t off, uint64_t va, char *buf, size_t len);

#endif
