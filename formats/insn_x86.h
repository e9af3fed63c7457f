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
/* hp_insn_text(code, off, va, buf, len): Intel syntax, for messages; "(bad)" when undecodable. */
void hp_insn_text(struct hp_view code, uint64_t off, uint64_t va, char *buf, size_t len);

#endif
