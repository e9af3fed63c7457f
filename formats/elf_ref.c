/* What a relocation means: hp_ref_resolve() of formats/elf_parts.h. */
#include <string.h>

#include "base/escape.h"
#include "formats/elf_parts.h"
#include "formats/insn_x86.h"

#ifndef R_X86_64_CODE_4_GOTPCRELX /* newer than Debian 12's elf.h; psABI 1.0 addition for APX */
#define R_X86_64_CODE_4_GOTPCRELX 43
#endif

enum flag { PC = 1, GOT = 2, PLT = 4, TLS = 8, MARK = 16, BRANCH = 32, CALL = 64 };

struct type_info {
	uint16_t type;
	uint8_t width; /* bytes */
	uint8_t flags;
	int8_t bias;
};

/* x86-64 psABI table 4.9. Bias and branch come from the instruction, see code_bias(). */
static const struct type_info x86_64_types[] = {
	{ R_X86_64_NONE, 0, MARK, 0 },
	{ R_X86_64_64, 8, 0, 0 },
	{ R_X86_64_PC32, 4, PC, 0 },
	{ R_X86_64_GOT32, 4, GOT, 0 },
	{ R_X86_64_PLT32, 4, PC | PLT, 0 },
	{ R_X86_64_GOTPCREL, 4, PC | GOT, 0 },
	{ R_X86_64_32, 4, 0, 0 },
	{ R_X86_64_32S, 4, 0, 0 },
	{ R_X86_64_16, 2, 0, 0 },
	{ R_X86_64_PC16, 2, PC, 0 },
	{ R_X86_64_8, 1, 0, 0 },
	{ R_X86_64_PC8, 1, PC, 0 },
	{ R_X86_64_DTPMOD64, 8, TLS, 0 },
	{ R_X86_64_DTPOFF64, 8, TLS, 0 },
	{ R_X86_64_TPOFF64, 8, TLS, 0 },
	{ R_X86_64_TLSGD, 4, PC | TLS, 0 },
	{ R_X86_64_TLSLD, 4, PC | TLS, 0 },
	{ R_X86_64_DTPOFF32, 4, TLS, 0 },
	{ R_X86_64_GOTTPOFF, 4, PC | TLS | GOT, 0 },
	{ R_X86_64_TPOFF32, 4, TLS, 0 },
	{ R_X86_64_PC64, 8, PC, 0 },
	{ R_X86_64_GOTOFF64, 8, 0, 0 },
	{ R_X86_64_GOTPC32, 4, PC, 0 },
	{ R_X86_64_GOT64, 8, GOT, 0 },
	{ R_X86_64_GOTPCREL64, 8, PC | GOT, 0 },
	{ R_X86_64_GOTPC64, 8, PC, 0 },
	{ R_X86_64_PLTOFF64, 8, PLT, 0 },
	{ R_X86_64_SIZE32, 4, 0, 0 },
	{ R_X86_64_SIZE64, 8, 0, 0 },
	{ R_X86_64_GOTPC32_TLSDESC, 4, PC | TLS, 0 },
	{ R_X86_64_TLSDESC_CALL, 0, TLS | MARK, 0 },
	{ R_X86_64_GOTPCRELX, 4, PC | GOT, 0 },
	{ R_X86_64_REX_GOTPCRELX, 4, PC | GOT, 0 },
	{ R_X86_64_CODE_4_GOTPCRELX, 4, PC | GOT, 0 },
};

/* Other CPUs: only what tells branches and markers apart, and s390x, whose instructions count from two bytes before the field. */
static const struct type_info aarch64_types[] = {
	{ R_AARCH64_NONE, 0, MARK, 0 },
	{ R_AARCH64_TSTBR14, 4, PC | BRANCH, 0 },
	{ R_AARCH64_CONDBR19, 4, PC | BRANCH, 0 },
	{ R_AARCH64_JUMP26, 4, PC | BRANCH, 0 },
	{ R_AARCH64_CALL26, 4, PC | BRANCH | CALL, 0 },
};
static const struct type_info ppc64_types[] = {
	{ R_PPC64_NONE, 0, MARK, 0 },
	{ R_PPC64_REL24, 4, PC | BRANCH | CALL, 0 },
	{ R_PPC64_REL14, 4, PC | BRANCH, 0 },
	{ 116 /* R_PPC64_REL24_NOTOC */, 4, PC | BRANCH | CALL, 0 },
};
static const struct type_info s390_types[] = {
	{ R_390_NONE, 0, MARK, 0 },
	{ R_390_PC16DBL, 2, PC, -2 },
	{ R_390_PLT16DBL, 2, PC | PLT, -2 },
	{ R_390_PC32DBL, 4, PC, -2 },
	{ R_390_PLT32DBL, 4, PC | PLT | BRANCH | CALL, -2 },
	{ R_390_GOTPCDBL, 4, PC | GOT, -2 },
	{ R_390_GOTENT, 4, PC | GOT, -2 },
	{ R_390_GOTPLTENT, 4, PC | GOT | PLT, -2 },
	{ R_390_TLS_IEENT, 4, PC | GOT | TLS, -2 },
};
static const struct type_info riscv_types[] = {
	{ R_RISCV_NONE, 0, MARK, 0 },
	{ R_RISCV_BRANCH, 4, PC | BRANCH, 0 },
	{ R_RISCV_JAL, 4, PC | BRANCH, 0 },
	{ R_RISCV_CALL, 8, PC | BRANCH | CALL, 0 },
	{ R_RISCV_CALL_PLT, 8, PC | BRANCH | CALL | PLT, 0 },
	{ R_RISCV_RVC_BRANCH, 2, PC | BRANCH, 0 },
	{ R_RISCV_RVC_JUMP, 2, PC | BRANCH, 0 },
	{ R_RISCV_RELAX, 0, MARK, 0 },
	{ R_RISCV_ALIGN, 0, MARK, 0 },
};
static const struct type_info loongarch_types[] = {
	{ 0, 0, MARK, 0 },
	{ 64 /* R_LARCH_B16 */, 4, PC | BRANCH, 0 },
	{ 65 /* R_LARCH_B21 */, 4, PC | BRANCH, 0 },
	{ 66 /* R_LARCH_B26 */, 4, PC | BRANCH | CALL, 0 },
	{ 100 /* R_LARCH_RELAX */, 0, MARK, 0 },
	{ 102 /* R_LARCH_ALIGN */, 0, MARK, 0 },
	{ 110 /* R_LARCH_CALL36 */, 8, PC | BRANCH | CALL, 0 },
};

#define EM_LOONGARCH_ 258 /* EM_LOONGARCH, newer than some elf.h */
#define TABLE(machine, table) { machine, table, sizeof(table) / sizeof((table)[0]) }

static const struct {
	uint16_t machine;
	const struct type_info *types;
	size_t cnt;
} machines[] = {
	TABLE(EM_X86_64, x86_64_types), TABLE(EM_AARCH64, aarch64_types), TABLE(EM_PPC64, ppc64_types),
	TABLE(EM_S390, s390_types),     TABLE(EM_RISCV, riscv_types),     TABLE(EM_LOONGARCH_, loongarch_types),
};

static const struct type_info *
find_type(uint16_t machine, uint32_t type, bool *ret_known_machine)
{
	*ret_known_machine = false;
	for (size_t m = 0; m < sizeof(machines) / sizeof(machines[0]); m++) {
		if (machines[m].machine != machine)
			continue;
		*ret_known_machine = true;
		for (size_t i = 0; i < machines[m].cnt; i++)
			if (machines[m].types[i].type == type)
				return &machines[m].types[i];
	}
	return NULL;
}

/* Move the cursor to the instruction that holds section offset ${place}. Bytes that do not decode (data in code) are stepped
 * over one by one, so that a later instruction can be found again. */
static bool
seek_insn(const struct hp_parts *parts, uint32_t part_idx, uint64_t place, struct hp_ref_cursor *cur, struct hp_insn *insn)
{
	const struct hp_part *p = &parts->v[part_idx];
	struct hp_view bytes = hp_part_bytes(parts, part_idx);

	if (cur->part_idx != part_idx || place < cur->insn_off) {
		cur->part_idx = part_idx;
		cur->insn_off = p->off;
	}
	while (cur->insn_off - p->off < bytes.len) {
		bool ok = hp_insn_decode(bytes, cur->insn_off - p->off, insn);
		uint64_t end = cur->insn_off + (ok ? insn->len : 1);

		if (place < end) {
			cur->insn_end = end;
			return ok;
		}
		cur->insn_off = end;
	}
	return false;
}

/* The instruction decides from where the CPU counts, and whether the operand is a branch's. */
static void
apply_insn(const struct hp_parts *parts, uint32_t part_idx, const struct hp_rel *rel, struct hp_ref_cursor *cur,
           struct hp_ref *ret)
{
	struct hp_insn insn;

	if (!seek_insn(parts, part_idx, rel->off, cur, &insn)) {
		ret->bias = ret->pc_rel ? ret->width : 0;
		return;
	}
	if (ret->pc_rel)
		ret->bias = (int64_t)(cur->insn_end - rel->off);
	ret->branch = insn.rel_len > 0 && cur->insn_off + insn.rel_off == rel->off;
	ret->call = ret->branch && insn.call;
}

/* A PC-relative field in anonymous data is an entry of a jump table, whose start is added to it again at run time. In named
 * tables and special sections the field counts from its own place. */
static int64_t
table_bias(const struct hp_parts *parts, uint32_t part_idx, const struct hp_rel *rel)
{
	const struct hp_part *p = &parts->v[part_idx];
	uint32_t lo = parts->table_refs_first[p->sec_idx], hi = parts->table_refs_first[p->sec_idx + 1], first = lo;
	uint64_t start = p->off;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (parts->table_refs[mid] <= rel->off)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo > first && parts->table_refs[lo - 1] > start)
		start = parts->table_refs[lo - 1];
	return -(int64_t)(rel->off - start);
}

/* A place in a section: the part that holds it, else the one before it (one past the end), else the first. */
static void
point_into(const struct hp_parts *parts, uint32_t sec_idx, int64_t pos, struct hp_ref *ret)
{
	uint32_t first = parts->sec_first[sec_idx], last = parts->sec_first[sec_idx + 1], idx;

	if (first == last)
		return;
	idx = pos < 0 ? first : hp_parts_at(parts, sec_idx, (uint64_t)pos);
	if (idx == HP_NONE) {
		uint32_t lo = first, hi = last;

		while (lo < hi) {
			uint32_t mid = lo + (hi - lo) / 2;

			if (parts->v[mid].off <= (uint64_t)pos)
				lo = mid + 1;
			else
				hi = mid;
		}
		idx = lo > first ? lo - 1 : first;
	}
	ret->part_idx = idx;
	ret->off = (int64_t)((uint64_t)pos - parts->v[idx].off);
}

int
hp_ref_resolve(const struct hp_parts *parts, uint32_t part_idx, const struct hp_rel *rel, struct hp_ref_cursor *cur,
               struct hp_ref *ret, struct hp_err *err)
{
	const struct hp_elf *elf = parts->elf;
	const struct hp_sec *sec = &elf->secs[parts->v[part_idx].sec_idx];
	const struct hp_sym *sym = elf->syms_cnt > 0 ? &elf->syms[rel->sym_idx] : NULL;
	bool known_machine;
	const struct type_info *t = find_type(elf->machine, rel->type, &known_machine);
	uint8_t flags = t != NULL ? t->flags : 0;

	if (!known_machine)
		return hp_err_set(err, HP_E_ARCH, "'%s': CPU (e_machine %u) is not supported", hp_esc(elf->path), elf->machine);
	if (t == NULL && elf->machine == EM_X86_64)
		return hp_err_set(err, HP_E_ARCH, "'%s': section '%s': unknown relocation type %u at offset 0x%llx",
		                  hp_esc(elf->path), hp_esc(sec->name), rel->type, (unsigned long long)rel->off);
	*ret = (struct hp_ref){
		.part_idx = HP_NONE, .sym_idx = rel->sym_idx, .pc_rel = flags & PC, .got = flags & GOT, .plt = flags & PLT,
		.tls = flags & TLS, .none = flags & MARK, .branch = flags & BRANCH, .call = flags & CALL,
		.width = t != NULL ? t->width : 0, .bias = t != NULL ? t->bias : 0,
	};
	if (elf->machine == EM_X86_64 && !ret->none) {
		if (sec->flags & SHF_EXECINSTR)
			apply_insn(parts, part_idx, rel, cur, ret);
		else if (ret->pc_rel && parts->v[part_idx].kind == HP_PART_ANON)
			ret->bias = table_bias(parts, part_idx, rel);
	}
	ret->off = (int64_t)((uint64_t)rel->addend + (uint64_t)ret->bias);
	if (sym == NULL || sym->sec_idx == HP_SEC_UNDEF || sym->sec_idx >= elf->secs_cnt)
		return 0;
	if (sym->type != STT_SECTION && parts->sym_part[rel->sym_idx] != HP_NONE) {
		const struct hp_part *p = &parts->v[parts->sym_part[rel->sym_idx]];

		ret->part_idx = parts->sym_part[rel->sym_idx];
		ret->off = (int64_t)((uint64_t)ret->off + sym->value - p->off);
		return 0;
	}
	point_into(parts, sym->sec_idx, (int64_t)(sym->value + (uint64_t)ret->off), ret);
	return 0;
}
