#include "formats/dwarf_internal.h"

#include "base/escape.h"

/* Relocations that occur in debug sections. R_LARCH_* by number: <elf.h> of glibc 2.36 lacks some.
 * Sources: the psABI of each CPU, chapter "Relocation". */
enum op { SKIP, SET, ADD, SUB, SET6, ADD6, SUB6, SET_ULEB, ADD_ULEB, SUB_ULEB };

struct howto {
	uint16_t machine;
	uint16_t type;
	uint8_t op;
	uint8_t len; /* bytes; 0 for LEB128 */
};

static const struct howto howtos[] = {
	{ EM_X86_64, R_X86_64_64, SET, 8 }, { EM_X86_64, R_X86_64_32, SET, 4 }, { EM_X86_64, R_X86_64_32S, SET, 4 },
	{ EM_X86_64, R_X86_64_DTPOFF64, SET, 8 }, { EM_X86_64, R_X86_64_DTPOFF32, SET, 4 }, { EM_X86_64, R_X86_64_NONE, SKIP, 0 },
	{ EM_X86_64, R_X86_64_16, SET, 2 }, { EM_X86_64, R_X86_64_8, SET, 1 },
	{ EM_AARCH64, R_AARCH64_ABS64, SET, 8 }, { EM_AARCH64, R_AARCH64_ABS32, SET, 4 }, { EM_AARCH64, R_AARCH64_ABS16, SET, 2 },
	{ EM_AARCH64, R_AARCH64_NONE, SKIP, 0 }, { EM_AARCH64, R_AARCH64_TLS_DTPREL, SET, 8 },
	{ EM_PPC64, R_PPC64_ADDR64, SET, 8 }, { EM_PPC64, R_PPC64_ADDR32, SET, 4 }, { EM_PPC64, R_PPC64_NONE, SKIP, 0 },
	{ EM_PPC64, R_PPC64_DTPREL64, SET, 8 }, { EM_PPC64, R_PPC64_UADDR64, SET, 8 }, { EM_PPC64, R_PPC64_UADDR32, SET, 4 },
	{ EM_S390, R_390_64, SET, 8 }, { EM_S390, R_390_32, SET, 4 }, { EM_S390, R_390_16, SET, 2 }, { EM_S390, R_390_8, SET, 1 },
	{ EM_S390, R_390_NONE, SKIP, 0 }, { EM_S390, R_390_TLS_LDO64, SET, 8 },
	{ EM_RISCV, R_RISCV_64, SET, 8 }, { EM_RISCV, R_RISCV_32, SET, 4 }, { EM_RISCV, R_RISCV_NONE, SKIP, 0 },
	{ EM_RISCV, R_RISCV_TLS_DTPREL64, SET, 8 }, { EM_RISCV, R_RISCV_TLS_DTPREL32, SET, 4 },
	{ EM_RISCV, R_RISCV_ADD8, ADD, 1 }, { EM_RISCV, R_RISCV_ADD16, ADD, 2 }, { EM_RISCV, R_RISCV_ADD32, ADD, 4 },
	{ EM_RISCV, R_RISCV_ADD64, ADD, 8 }, { EM_RISCV, R_RISCV_SUB8, SUB, 1 }, { EM_RISCV, R_RISCV_SUB16, SUB, 2 },
	{ EM_RISCV, R_RISCV_SUB32, SUB, 4 }, { EM_RISCV, R_RISCV_SUB64, SUB, 8 }, { EM_RISCV, R_RISCV_SUB6, SUB6, 1 },
	{ EM_RISCV, R_RISCV_SET6, SET6, 1 }, { EM_RISCV, R_RISCV_SET8, SET, 1 }, { EM_RISCV, R_RISCV_SET16, SET, 2 },
	{ EM_RISCV, R_RISCV_SET32, SET, 4 }, { EM_RISCV, 60, SET_ULEB, 0 }, { EM_RISCV, 61, SUB_ULEB, 0 },
	{ EM_RISCV, R_RISCV_RELAX, SKIP, 0 },
	{ 258, 0, SKIP, 0 }, { 258, 1, SET, 4 }, { 258, 2, SET, 8 }, { 258, 8, SET, 4 }, { 258, 9, SET, 8 },
	{ 258, 47, ADD, 1 }, { 258, 48, ADD, 2 }, { 258, 49, ADD, 3 }, { 258, 50, ADD, 4 }, { 258, 51, ADD, 8 },
	{ 258, 52, SUB, 1 }, { 258, 53, SUB, 2 }, { 258, 54, SUB, 3 }, { 258, 55, SUB, 4 }, { 258, 56, SUB, 8 },
	{ 258, 100, SKIP, 0 }, { 258, 105, ADD6, 1 }, { 258, 106, SUB6, 1 }, { 258, 107, ADD_ULEB, 0 }, { 258, 108, SUB_ULEB, 0 },
};

static const struct howto *
find_howto(uint16_t machine, uint32_t type)
{
	for (size_t i = 0; i < sizeof(howtos) / sizeof(howtos[0]); i++) {
		if (howtos[i].machine == machine && howtos[i].type == type)
			return &howtos[i];
	}
	return NULL;
}

static uint64_t
get(const uint8_t *p, unsigned len, bool be)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < len; i++)
		v |= (uint64_t)p[i] << 8 * (be ? len - 1 - i : i);
	return v;
}

static void
put(uint8_t *p, unsigned len, bool be, uint64_t v)
{
	for (unsigned i = 0; i < len; i++)
		p[i] = (uint8_t)(v >> 8 * (be ? len - 1 - i : i));
}

/* The field keeps its number of bytes: the assembler has padded it. False: no terminated LEB128 of at most 10 bytes. */
static bool
apply_uleb(uint8_t *p, size_t room, enum op op, uint64_t v)
{
	uint64_t old = 0;
	size_t len = 0;

	do {
		if (len == room || len == 10)
			return false;
		old |= len < 9 ? (uint64_t)(p[len] & 0x7f) << 7 * len : (uint64_t)p[len] << 63;
	} while (p[len++] & 0x80);
	v = op == SET_ULEB ? v : op == ADD_ULEB ? old + v : old - v;
	for (size_t i = 0; i < len; i++, v >>= 7)
		p[i] = (uint8_t)((v & 0x7f) | (i + 1 < len ? 0x80 : 0));
	return true;
}

static bool
apply(const struct hp_dwarf *dw, const struct howto *h, uint8_t *bytes, size_t len, uint64_t off, uint64_t v)
{
	bool be = dw->elf->big_endian;
	uint8_t *p = bytes + off;

	if (off > len || h->len > len - off)
		return false;
	switch ((enum op)h->op) {
	case SKIP:
		return true;
	case SET:
		put(p, h->len, be, v);
		return true;
	case ADD:
		put(p, h->len, be, get(p, h->len, be) + v);
		return true;
	case SUB:
		put(p, h->len, be, get(p, h->len, be) - v);
		return true;
	case SET6:
		*p = (uint8_t)((*p & 0xc0) | (v & 0x3f));
		return true;
	case ADD6:
		*p = (uint8_t)((*p & 0xc0) | ((*p + v) & 0x3f));
		return true;
	case SUB6:
		*p = (uint8_t)((*p & 0xc0) | ((*p - v) & 0x3f));
		return true;
	case SET_ULEB:
	case ADD_ULEB:
	case SUB_ULEB:
		return apply_uleb(p, len - (size_t)off, (enum op)h->op, v);
	}
	return false;
}

int
hp_dw_relocate(const struct hp_dwarf *dw, uint32_t sec_idx, uint8_t *bytes, size_t len, struct hp_err *err)
{
	const struct hp_elf *elf = dw->elf;
	const struct hp_sec *sec = &elf->secs[sec_idx];
	const struct howto *h = NULL;
	uint32_t h_type = 0;

	for (uint32_t i = 0; i < sec->rels_cnt; i++) {
		const struct hp_rel *rel = &sec->rels[i];
		const struct hp_sym *sym = rel->sym_idx < elf->syms_cnt ? &elf->syms[rel->sym_idx] : NULL;
		uint64_t v = (uint64_t)rel->addend;

		if (h == NULL || h_type != rel->type) {
			h = find_howto(elf->machine, rel->type);
			h_type = rel->type;
		}
		if (h == NULL)
			return hp_err_set(err, HP_E_ARCH,
			                  "'%s': '%s': relocation type %u of CPU %u is not known in debug information",
			                  hp_esc(elf->path), hp_esc(sec->name), rel->type, elf->machine);
		if (sym != NULL)
			v += sym->value + (sym->sec_idx < elf->secs_cnt ? dw->base[sym->sec_idx] : 0);
		if (!apply(dw, h, bytes, len, rel->off, v))
			return hp_err_set(err, HP_E_FORMAT, "'%s': '%s': relocation at offset %llu does not fit in %zu bytes",
			                  hp_esc(elf->path), hp_esc(sec->name), (unsigned long long)rel->off, len);
	}
	return 0;
}
