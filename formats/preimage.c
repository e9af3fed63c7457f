#include "formats/preimage.h"

#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "formats/insn_x86.h"

#define SEARCH_MIN 6u   /* bytes: shorter stretches of code are too common to search for */
#define EVIDENCE_MIN 20u /* fixed bytes of a whole function that can tell it from all others */

struct match {
	const struct hp_parts *parts;
	uint32_t part_idx;
	const struct hp_module *mod;
	uint64_t va;
	struct hp_view old, base; /* both part->len bytes */
	uint64_t sec_off;         /* of the part in its section */
	const struct hp_rel *rels;
	uint32_t rels_cnt;
	struct hp_ref_cursor cur;
	bool desc_relaxed;        /* the last TLS descriptor became another model, so its call is gone */
	struct hp_find *finds;
	uint32_t finds_cnt;
	uint64_t pos;             /* everything before has been compared */
	uint64_t bad;             /* first differing byte */
	const char *cause;
	struct hp_err *err;
};

/* How an operand that goes through the GOT may look after relaxation. ${a} and ${b} point at the first of ${before} opcode bytes
 * before the field in object and module. */
struct relaxed {
	bool ok;
	bool direct;    /* the field names the symbol, not its slot */
	bool absolute;  /* an immediate, not a distance */
	bool branch;
	int shift;      /* the field's place moved by this many bytes */
};

static int32_t
field32(struct hp_view v, uint64_t off)
{
	return (int32_t)hp_le32_get(v.p + off);
}

/* psABI B.2: mov foo@GOTPCREL(%rip),reg -> lea foo(%rip),reg | mov $foo,reg;  call/jmp *foo@GOTPCREL(%rip) -> addr32 call foo |
 * call foo; nop | jmp foo; nop;  test/binop with $foo. */
static struct relaxed
relax_got(const uint8_t *a, const uint8_t *b, const uint8_t *b_field, bool rex)
{
	const uint8_t a_op = a[rex ? 1 : 0], b_op = b[rex ? 1 : 0], a_rm = a[rex ? 2 : 1], b_rm = b[rex ? 2 : 1];
	uint8_t reg = (a_rm >> 3) & 7;
	bool same_rex = !rex || a[0] == b[0];
	/* The register moves from modrm.reg to modrm.rm, and its high bit from REX.R to REX.B. */
	bool moved_rex = !rex || b[0] == (uint8_t)((a[0] & ~0x05) | ((a[0] & 4) >> 2));

	if (same_rex && a_op == b_op && a_rm == b_rm)
		return (struct relaxed){ .ok = true, .branch = a_op == 0xff };
	if (a_op == 0x8b && b_op == 0x8d && same_rex && a_rm == b_rm)
		return (struct relaxed){ .ok = true, .direct = true };
	if (a_op == 0x8b && b_op == 0xc7 && moved_rex && b_rm == (0xc0 | reg))
		return (struct relaxed){ .ok = true, .direct = true, .absolute = true };
	if (a_op == 0x85 && b_op == 0xf7 && moved_rex && b_rm == (0xc0 | reg))
		return (struct relaxed){ .ok = true, .direct = true, .absolute = true };
	if ((a_op & 0xc7) == 0x03 && b_op == 0x81 && moved_rex && b_rm == (0xc0 | (a_op & 0x38) | reg))
		return (struct relaxed){ .ok = true, .direct = true, .absolute = true };
	if (a_op == 0xff && a_rm == 0x15 && b_op == 0x67 && b_rm == 0xe8)
		return (struct relaxed){ .ok = true, .direct = true, .branch = true };
	if (a_op == 0xff && ((a_rm == 0x15 && b_op == 0xe8) || (a_rm == 0x25 && b_op == 0xe9)) && b_field[3] == 0x90)
		return (struct relaxed){ .ok = true, .direct = true, .branch = true, .shift = -1 };
	return (struct relaxed){ .ok = false };
}

/* Initial-exec to local-exec: mov x@gottpoff(%rip),reg -> mov $x@tpoff,reg; add -> lea x@tpoff(reg),reg or add $x@tpoff,reg. */
static struct relaxed
relax_gottpoff(const uint8_t *a, const uint8_t *b)
{
	uint8_t reg = (a[2] >> 3) & 7, high = (a[0] & 4) >> 2;
	bool moved_rex = b[0] == (uint8_t)((a[0] & ~0x05) | high);

	if (memcmp(a, b, 3) == 0)
		return (struct relaxed){ .ok = true };
	if (a[1] == 0x8b && b[1] == 0xc7 && moved_rex && b[2] == (0xc0 | reg))
		return (struct relaxed){ .ok = true, .direct = true };
	if (a[1] == 0x03 && b[1] == 0x81 && moved_rex && b[2] == (0xc0 | reg))
		return (struct relaxed){ .ok = true, .direct = true };
	if (a[1] == 0x03 && b[1] == 0x8d && b[0] == (uint8_t)(a[0] | high) && b[2] == (0x80 | reg << 3 | reg))
		return (struct relaxed){ .ok = true, .direct = true };
	return (struct relaxed){ .ok = false };
}

static bool
differ_at(struct match *m, uint64_t off, const char *cause)
{
	m->bad = off;
	m->cause = cause;
	return false;
}

static bool
compare_to(struct match *m, uint64_t end)
{
	while (m->pos < end) {
		if (m->old.p[m->pos] != m->base.p[m->pos])
			return differ_at(m, m->pos, "other bytes");
		m->pos++;
	}
	return true;
}

static void
found(struct match *m, const struct hp_rel *rel, enum hp_find_kind kind, bool branch, uint64_t value)
{
	m->finds[m->finds_cnt++] = (struct hp_find){
		.rel_idx = m->parts->v[m->part_idx].rels_first + (uint32_t)(rel - m->rels),
		.sym_idx = rel->sym_idx, .kind = kind, .branch = branch, .value = value,
		.module_wide = rel->type == R_X86_64_TLSLD,
	};
}

/* The string or constant that is meant must be the same one in the module. */
static bool
same_piece(struct match *m, const struct hp_rel *rel, const struct hp_ref *ref, uint64_t target)
{
	struct hp_view piece, base;
	uint64_t start;

	if (ref->part_idx == HP_NONE || m->parts->v[ref->part_idx].kind != HP_PART_MERGE || ref->off < 0 ||
	    !hp_merge_piece(m->parts, ref->part_idx, (uint64_t)ref->off, &start, &piece))
		return true;
	target -= (uint64_t)ref->off - start;
	if (!hp_elf_bytes_at(m->mod->elf, target, piece.len, &base) || !hp_view_eq(piece, base))
		return differ_at(m, rel->off - m->sec_off, "a string or constant differs");
	return true;
}

/* A place that holds an address: the linker's value, or what a dynamic relocation says. */
static bool
match_abs64(struct match *m, const struct hp_rel *rel, const struct hp_ref *ref)
{
	uint64_t off = rel->off - m->sec_off, value;
	const struct hp_mod_slot *slot = hp_module_slot_at(m->mod, m->va + off);

	if (slot != NULL && slot->name[0] != '\0') {
		found(m, rel, HP_FIND_NAME, false, 0);
		return true;
	}
	if (slot != NULL && slot->kind != HP_SLOT_RELATIVE)
		return differ_at(m, off, "the dynamic linker fills this place in another way");
	value = slot != NULL ? (uint64_t)slot->addend : hp_le64_get(m->base.p + off);
	if (!same_piece(m, rel, ref, value + (uint64_t)ref->bias))
		return false;
	found(m, rel, HP_FIND_ADDR, false, value - (uint64_t)rel->addend);
	return true;
}

static bool
match_got(struct match *m, const struct hp_rel *rel)
{
	bool rex = rel->type == R_X86_64_REX_GOTPCRELX;
	uint64_t off = rel->off - m->sec_off, before = rex ? 3 : 2, place;
	struct relaxed x;

	/* Of what old assemblers wrote, GNU ld relaxes mov to lea, in any mode. */
	if (rel->type == R_X86_64_GOTPCREL) {
		bool lea = off >= 2 && m->pos <= off - 2 && m->old.p[off - 2] == 0x8b && m->base.p[off - 2] == 0x8d;

		if (lea && !compare_to(m, off - 2))
			return false;
		if (lea)
			m->pos = off - 1;
		if (!compare_to(m, off))
			return false;
		x = (struct relaxed){ .ok = true, .direct = lea, .branch = off >= 2 && m->old.p[off - 2] == 0xff };
	} else {
		if (off < before || m->pos > off - before)
			return differ_at(m, off, "relocation inside another instruction's bytes");
		if (!compare_to(m, off - before))
			return false;
		x = relax_got(m->old.p + off - before, m->base.p + off - before, m->base.p + off, rex);
		if (!x.ok)
			return differ_at(m, off - before, "other bytes, or relaxed in an unknown way");
	}
	place = off + (uint64_t)(int64_t)x.shift;
	m->pos = off + 4;
	if (x.absolute) {
		found(m, rel, HP_FIND_ADDR, false, (uint64_t)(int64_t)field32(m->base, place) - (uint64_t)rel->addend - 4);
		return true;
	}
	/* The distance counts from the end of the field, wherever it moved. */
	found(m, rel, x.direct ? HP_FIND_ADDR : HP_FIND_SLOT, x.branch && x.direct,
	      m->va + place + (uint64_t)(int64_t)field32(m->base, place) - (uint64_t)rel->addend);
	return true;
}

static bool
match_gottpoff(struct match *m, const struct hp_rel *rel)
{
	uint64_t off = rel->off - m->sec_off;
	struct relaxed x;

	if (off < 3 || m->pos > off - 3)
		return differ_at(m, off, "relocation inside another instruction's bytes");
	if (!compare_to(m, off - 3))
		return false;
	x = relax_gottpoff(m->old.p + off - 3, m->base.p + off - 3);
	if (!x.ok)
		return differ_at(m, off - 3, "other bytes, or relaxed in an unknown way");
	m->pos = off + 4;
	if (x.direct)
		found(m, rel, HP_FIND_TPOFF, false, (uint64_t)(int64_t)field32(m->base, off) - (uint64_t)(rel->addend + 4));
	else
		found(m, rel, HP_FIND_TLS_SLOT, false,
		      m->va + off + (uint64_t)(int64_t)field32(m->base, off) - (uint64_t)rel->addend);
	return true;
}

/* General and local dynamic: a fixed sequence that ends in a call of __tls_get_addr (one more relocation). The linker
 * rewrites the whole of it, in an executable, to local-exec or initial-exec. Returns how many relocations were used, 0 = differs.
 */
static uint32_t
match_tls_call(struct match *m, const struct hp_rel *rel, uint32_t left)
{
	static const uint8_t le[] = { 0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0, 0x48, 0x8d, 0x80 };
	static const uint8_t ie[] = { 0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0, 0x48, 0x03, 0x05 };
	/* The indirect call of -fno-plt is one byte longer, filled with one prefix more. */
	static const uint8_t ld[] = { 0x66, 0x66, 0x66, 0x66, 0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0 };
	bool gd = rel->type == R_X86_64_TLSGD, indirect;
	uint64_t off = rel->off - m->sec_off, before = gd ? 4 : 3, start = off - before, len;

	if (off < before || m->pos > start || left < 2 || m->old.len - off < 6)
		return 0;
	indirect = m->old.p[off + 4] == 0xff;
	len = gd ? 16 : indirect ? 13 : 12;
	if (start + len > m->old.len || !compare_to(m, start))
		return 0;
	if (memcmp(m->old.p + start, m->base.p + start, before) == 0) {
		m->pos = off + 4;
		found(m, rel, HP_FIND_TLS_SLOT, false,
		      m->va + off + (uint64_t)(int64_t)field32(m->base, off) - (uint64_t)rel->addend);
		return 1; /* not relaxed; the call is compared as any other */
	}
	if (gd && memcmp(m->base.p + start, le, sizeof(le)) == 0)
		found(m, rel, HP_FIND_TPOFF, false, (uint64_t)(int64_t)field32(m->base, start + 12));
	else if (gd && memcmp(m->base.p + start, ie, sizeof(ie)) == 0)
		found(m, rel, HP_FIND_TLS_SLOT, false, m->va + start + 16 + (uint64_t)(int64_t)field32(m->base, start + 12));
	else if (gd || memcmp(m->base.p + start, indirect ? ld : ld + 1, (size_t)len) != 0)
		return 0;
	m->pos = start + len;
	return 2;
}

/* A TLS descriptor: lea x@tlsdesc(%rip),reg -> mov x@gottpoff(%rip),reg | mov $x@tpoff,reg ("Thread-Local Storage Descriptors for
 * IA32 and AMD64/EM64T", 1.0, section 4). */
static bool
match_tlsdesc(struct match *m, const struct hp_rel *rel)
{
	uint64_t off = rel->off - m->sec_off;
	const uint8_t *a, *b;
	bool to_ie, to_le;

	if (off < 3 || m->pos > off - 3)
		return differ_at(m, off, "relocation inside another instruction's bytes");
	if (!compare_to(m, off - 3))
		return false;
	a = m->old.p + off - 3;
	b = m->base.p + off - 3;
	to_ie = a[1] == 0x8d && b[1] == 0x8b && a[0] == b[0] && a[2] == b[2];
	to_le = a[1] == 0x8d && b[1] == 0xc7 && b[0] == (uint8_t)((a[0] & ~0x05) | ((a[0] & 4) >> 2)) &&
	        b[2] == (0xc0 | ((a[2] >> 3) & 7));
	m->desc_relaxed = to_ie || to_le;
	if (!m->desc_relaxed && memcmp(a, b, 3) != 0)
		return differ_at(m, off - 3, "other bytes, or relaxed in an unknown way");
	m->pos = off + 4;
	if (to_le)
		found(m, rel, HP_FIND_TPOFF, false, (uint64_t)(int64_t)field32(m->base, off) - (uint64_t)(rel->addend + 4));
	else
		found(m, rel, HP_FIND_TLS_SLOT, false,
		      m->va + off + (uint64_t)(int64_t)field32(m->base, off) - (uint64_t)rel->addend);
	return true;
}

/* The call through it, call *x@tlscall(%rax), which becomes a nop of two bytes. */
static bool
match_tlsdesc_call(struct match *m, const struct hp_rel *rel)
{
	static const uint8_t call[] = { 0xff, 0x10 }, nop[] = { 0x66, 0x90 };
	uint64_t off = rel->off - m->sec_off;

	if (!m->desc_relaxed)
		return true; /* compared as any other bytes */
	if (off > m->old.len || m->old.len - off < 2 || m->pos > off || !compare_to(m, off) ||
	    memcmp(m->old.p + off, call, 2) != 0 || memcmp(m->base.p + off, nop, 2) != 0)
		return differ_at(m, off, "a thread-local access was relaxed in an unknown way");
	m->pos = off + 2;
	return true;
}

/* Where _GLOBAL_OFFSET_TABLE_ points: linkers put it at the start of .got.plt, or of .got when there is no other. 0: unknown. */
static uint64_t
got_of(const struct hp_module *mod)
{
	uint32_t idx = hp_elf_find_sec(mod->elf, ".got.plt");

	if (idx == HP_NONE)
		idx = hp_elf_find_sec(mod->elf, ".got");
	return idx != HP_NONE ? mod->elf->secs[idx].addr : 0;
}

/* The medium and large code models count from the GOT. */
static bool
match_got_relative(struct match *m, const struct hp_rel *rel, unsigned width)
{
	uint64_t off = rel->off - m->sec_off, got = got_of(m->mod), place = m->va + off;
	uint64_t v =
		(width == 8 ? hp_le64_get(m->base.p + off) : (uint64_t)(int64_t)field32(m->base, off)) - (uint64_t)rel->addend;

	if (got == 0)
		return differ_at(m, off, "counts from the GOT, which the module does not show");
	switch (rel->type) {
	case R_X86_64_GOTPC32:
	case R_X86_64_GOTPC64:
		return place + v == got || differ_at(m, off, "this is not the address of the GOT");
	case R_X86_64_GOTOFF64:
		found(m, rel, HP_FIND_ADDR, false, got + v);
		return true;
	case R_X86_64_PLTOFF64:
		found(m, rel, HP_FIND_ADDR, true, got + v);
		return true;
	default: /* GOT64 */
		found(m, rel, HP_FIND_SLOT, false, got + v);
		return true;
	}
}

/* A field that no relaxation touches: everything before it has been compared. */
static bool
match_field(struct match *m, const struct hp_rel *rel, const struct hp_ref *ref)
{
	uint64_t off = rel->off - m->sec_off, wide, place = m->va + off;
	int32_t narrow = ref->width >= 4 ? field32(m->base, off) : 0;
	uint64_t v = rel->type == R_X86_64_32 ? (uint32_t)narrow : (uint64_t)(int64_t)narrow;

	wide = ref->width >= 8 ? hp_le64_get(m->base.p + off) : 0;
	m->pos = off + ref->width;
	switch (rel->type) {
	case R_X86_64_64:
		return match_abs64(m, rel, ref);
	case R_X86_64_PC32:
	case R_X86_64_PLT32:
		if (!same_piece(m, rel, ref, place + v + (uint64_t)ref->bias))
			return false;
		found(m, rel, HP_FIND_ADDR, ref->branch, place + v - (uint64_t)rel->addend);
		return true;
	case R_X86_64_PC64:
		found(m, rel, HP_FIND_ADDR, false, place + wide - (uint64_t)rel->addend);
		return true;
	case R_X86_64_32:
	case R_X86_64_32S:
		if (!same_piece(m, rel, ref, v + (uint64_t)ref->bias))
			return false;
		found(m, rel, HP_FIND_ADDR, false, v - (uint64_t)rel->addend);
		return true;
	case R_X86_64_TPOFF32:
		found(m, rel, HP_FIND_TPOFF, false, v - (uint64_t)rel->addend);
		return true;
	case R_X86_64_TPOFF64:
		found(m, rel, HP_FIND_TPOFF, false, wide - (uint64_t)rel->addend);
		return true;
	case R_X86_64_DTPOFF32: /* where local-dynamic became local-exec, so did its offsets */
	case R_X86_64_DTPOFF64:
		found(m, rel, m->mod->kind == HP_MAN_SHARED ? HP_FIND_DTPOFF : HP_FIND_TPOFF, false,
		      (ref->width == 8 ? wide : v) - (uint64_t)rel->addend);
		return true;
	case R_X86_64_GOTPC32:
	case R_X86_64_GOTPC64:
	case R_X86_64_GOTOFF64:
	case R_X86_64_PLTOFF64:
	case R_X86_64_GOT64:
		return match_got_relative(m, rel, ref->width);
	default:
		return true; /* a field whose value tells nothing: SIZE32 ... */
	}
}

/* Compare up to and including the field of ${rel}. *ret_used: relocations consumed. */
static int
match_rel(struct match *m, const struct hp_rel *rel, uint32_t left, uint32_t *ret_used)
{
	uint64_t off = rel->off - m->sec_off;
	struct hp_ref ref;
	int r;

	*ret_used = 1;
	r = hp_ref_resolve(m->parts, m->part_idx, rel, &m->cur, &ref, m->err);
	if (r < 0)
		return r;
	if (rel->type == R_X86_64_TLSDESC_CALL)
		return match_tlsdesc_call(m, rel);
	if (ref.none)
		return 1;
	if (ref.width == 0)
		return hp_err_set(m->err, HP_E_ARCH, "relocation type %u", rel->type);
	if (off > m->old.len || ref.width > m->old.len - off)
		return differ_at(m, m->pos, "a relocated field leaves the function");
	switch (rel->type) {
	case R_X86_64_GOTPCREL:
	case R_X86_64_GOTPCRELX:
	case R_X86_64_REX_GOTPCRELX:
		return match_got(m, rel);
	case R_X86_64_GOTTPOFF:
		return match_gottpoff(m, rel);
	case R_X86_64_GOTPC32_TLSDESC:
		return match_tlsdesc(m, rel);
	case R_X86_64_TLSGD:
	case R_X86_64_TLSLD:
		*ret_used = match_tls_call(m, rel, left);
		return *ret_used > 0 ||
		       differ_at(m, off < 4 ? 0 : off - 4, "a thread-local access was relaxed in an unknown way");
	default:
		break;
	}
	return compare_to(m, off) && match_field(m, rel, &ref);
}

static void
describe(const struct match *m, struct hp_preimage_diff *ret)
{
	uint64_t pos = 0, base_off;
	struct hp_insn insn;

	while (pos < m->bad && hp_insn_decode(m->old, pos, &insn) && pos + insn.len <= m->bad)
		pos += insn.len;
	base_off = pos;
	ret->off = pos;
	ret->cause = m->cause;
	hp_insn_text(m->old, pos, pos, ret->old_text, sizeof(ret->old_text));
	hp_insn_text(m->base, base_off, m->va + base_off, ret->base_text, sizeof(ret->base_text));
}

int
hp_preimage_match(const struct hp_parts *parts, uint32_t part_idx, const struct hp_module *mod, uint64_t va,
                  struct hp_find *finds, uint32_t *ret_cnt, struct hp_preimage_diff *ret_diff, struct hp_err *err)
{
	const struct hp_part *part = &parts->v[part_idx];
	struct match m = {
		.parts = parts, .part_idx = part_idx, .mod = mod, .va = va, .old = hp_part_bytes(parts, part_idx),
		.sec_off = part->off, .rels = hp_part_rels(parts, part_idx), .rels_cnt = part->rels_cnt,
		.cur = HP_REF_CURSOR_INIT, .finds = finds, .err = err,
	};
	bool code = part->kind == HP_PART_FUNC;

	if (!(code ? hp_module_code_at(mod, va, m.old.len, &m.base) : hp_elf_bytes_at(mod->elf, va, m.old.len, &m.base))) {
		if (ret_diff != NULL)
			*ret_diff = (struct hp_preimage_diff){ .old_text = "", .base_text = "(nothing)",
			                                       .cause = "the address lies outside of the module's code" };
		return 0;
	}
	for (uint32_t i = 0, used; i < m.rels_cnt; i += used) {
		int r = match_rel(&m, &m.rels[i], m.rels_cnt - i, &used);

		if (r < 0)
			return r;
		if (r == 0)
			goto differs;
	}
	if (compare_to(&m, m.old.len)) {
		*ret_cnt = m.finds_cnt;
		return 1;
	}
differs:
	if (ret_diff != NULL && code)
		describe(&m, ret_diff);
	else if (ret_diff != NULL)
		*ret_diff = (struct hp_preimage_diff){ .off = m.bad, .cause = m.cause };
	return 0;
}

/* Opcode bytes before a field that the linker may rewrite. */
static uint64_t
soft_bytes(uint32_t type)
{
	switch (type) {
	case R_X86_64_64:
	case R_X86_64_PC32:
	case R_X86_64_PLT32:
	case R_X86_64_32:
	case R_X86_64_32S:
	case R_X86_64_TPOFF32:
		return 0;
	default:
		return 4;
	}
}

/* Bytes from the start of a field to where fixed ones begin again. */
static uint64_t
hard_from(uint32_t type)
{
	switch (type) {
	case R_X86_64_64:
	case R_X86_64_TLSGD:
		return 12;
	case R_X86_64_PC64:
	case R_X86_64_GOTPC64:
	case R_X86_64_GOTOFF64:
	case R_X86_64_PLTOFF64:
	case R_X86_64_GOT64:
	case R_X86_64_GOTPCREL64:
	case R_X86_64_TPOFF64:
	case R_X86_64_DTPOFF64:
	case R_X86_64_SIZE64:
		return 8;
	default:
		return 4;
	}
}

/* The longest run of bytes that no relocation (and no opcode that relaxation may rewrite) touches. */
static struct hp_view
longest_fixed(const struct hp_parts *parts, uint32_t part_idx, uint64_t *ret_off)
{
	struct hp_view bytes = hp_part_bytes(parts, part_idx), best = { bytes.p, 0 };
	const struct hp_rel *rels = hp_part_rels(parts, part_idx);
	uint64_t start = 0, base = parts->v[part_idx].off;

	*ret_off = 0;
	for (uint32_t i = 0; i <= parts->v[part_idx].rels_cnt; i++) {
		bool last = i == parts->v[part_idx].rels_cnt;
		uint64_t end = last ? bytes.len : rels[i].off - base;
		uint64_t soft = last ? 0 : soft_bytes(rels[i].type);

		if (end > bytes.len)
			break;
		if (end >= start + soft && end - soft - start > best.len) {
			best = hp_view_of(bytes.p + start, (size_t)(end - soft - start));
			*ret_off = start;
		}
		if (!last && rels[i].off - base + 8 > start)
			start = rels[i].off - base + hard_from(rels[i].type);
	}
	return best;
}

static bool
is_distinct(const struct hp_part *part, struct hp_view fixed)
{
	return fixed.len >= SEARCH_MIN && part->len >= EVIDENCE_MIN + 4ull * part->rels_cnt;
}

bool
hp_preimage_is_distinct(const struct hp_parts *parts, uint32_t part_idx)
{
	uint64_t skip;

	return is_distinct(&parts->v[part_idx], longest_fixed(parts, part_idx, &skip));
}

uint32_t
hp_preimage_search(const struct hp_parts *parts, uint32_t part_idx, const struct hp_module *mod, uint32_t max, uint64_t *ret_va)
{
	const struct hp_part *part = &parts->v[part_idx];
	uint64_t skip, align = parts->elf->secs[part->sec_idx].align, mask;
	struct hp_view fixed = longest_fixed(parts, part_idx, &skip);
	uint32_t cnt = 0;

	mask = (align == 0 || (align & (align - 1)) != 0 ? 1 : align) - 1;
	if (!is_distinct(part, fixed))
		return 0;
	for (uint32_t i = 0; i < mod->elf->segs_cnt && cnt < max; i++) {
		const struct hp_seg *seg = &mod->elf->segs[i];
		struct hp_view v;
		const uint8_t *p;

		if (seg->type != PT_LOAD || (seg->flags & PF_X) == 0 || !hp_elf_bytes_at(mod->elf, seg->va, seg->file_len, &v))
			continue;
		for (size_t at = 0; cnt < max && at < v.len && (p = memmem(v.p + at, v.len - at, fixed.p, fixed.len)) != NULL;
		     at = (size_t)(p - v.p) + 1) {
			uint64_t va = seg->va + (uint64_t)(p - v.p) - skip;

			/* The section's own alignment holds for its start, so for the part's address minus its offset. */
			if (((va - part->off) & mask) == 0)
				ret_va[cnt++] = va;
		}
	}
	return cnt;
}
