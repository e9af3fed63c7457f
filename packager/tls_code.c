/* Code that reaches thread-local variables. Where the baseline has the GOT slot that the access wants, that is used; where its
 * linker has relaxed such accesses away, the new code is relaxed in the same way: to initial-exec when there is a slot with the
 * offset from the thread pointer, in executables to local-exec. Sources: "ELF Handling For Thread-Local Storage" 4.4.6, 4.4.7;
 * "Thread-Local Storage Descriptors for IA32 and AMD64/EM64T" 1.0, section 4. */
#include "packager/tls.h"

#include "base/le.h"

/* The two ways in which a relaxed access ends. */
struct place {
	bool slot;             /* initial-exec: target is a GOT slot; else local-exec: target is the offset itself */
	struct hp_target target;
};

/* An executable's own variables lie at offsets that are known when linking. */
static int
find_relaxed(struct hp_pk *pk, const struct hp_use *use, struct place *ret, struct hp_err *err)
{
	bool shared = pk->mod->kind == HP_MAN_SHARED;
	uint64_t slot = 0;
	int r = hp_target_tls_slot(pk, use, HP_SLOT_TPOFF, &slot, shared ? err : NULL);

	*ret = (struct place){ .slot = r == 0, .target = { .kind = r == 0 ? HP_FIX_MODULE : HP_FIX_CONST, .value = slot } };
	return r == 0 || shared ? r : hp_target_tpoff(pk, use, &ret->target.value, err);
}

/* The field of a relaxed access at ${off}: RIP-relative to the slot, or the offset. */
static int
add_field(struct hp_pk *pk, const struct hp_use *use, uint64_t off, const struct place *p, struct hp_err *err)
{
	return p->slot ? hp_fix_new(pk, use->item, off, HP_FORM_PC32, &p->target, -4, use->name, err)
	               : hp_fix_new(pk, use->item, off, HP_FORM_ABS32S, &p->target, use->ref.off, use->name, err);
}

static bool
has_bytes(const struct hp_item *item, uint64_t off, const uint8_t *bytes, size_t len)
{
	return off <= item->len && len <= item->len - off && memcmp(item->bytes + off, bytes, len) == 0;
}

/* The call of __tls_get_addr that ends a sequence; its relocation is the next one. Returns the sequence's length, 0 = unknown. */
static uint64_t
sequence_len(const struct hp_use *use, uint64_t off, uint32_t left)
{
	static const uint8_t lea_gd[] = { 0x66, 0x48, 0x8d, 0x3d }, call_gd[] = { 0x66, 0x66, 0x48, 0xe8 };
	static const uint8_t indirect_gd[] = { 0x66, 0x48, 0xff, 0x15 };
	static const uint8_t lea_ld[] = { 0x48, 0x8d, 0x3d }, call_ld[] = { 0xe8 }, indirect_ld[] = { 0xff, 0x15 };
	const struct hp_item *item = use->item;
	uint64_t next, len = 0;

	if (left < 2 || off < 4)
		return 0;
	next = use->rel[1].off - use->rel[0].off;
	if (use->rel->type == R_X86_64_TLSGD && has_bytes(item, off - 4, lea_gd, 4) && next == 8 &&
	    (has_bytes(item, off + 4, call_gd, 4) || has_bytes(item, off + 4, indirect_gd, 4)))
		len = 16;
	else if (use->rel->type == R_X86_64_TLSLD && has_bytes(item, off - 3, lea_ld, 3) && next == 5 &&
	         has_bytes(item, off + 4, call_ld, 1))
		len = 12;
	else if (use->rel->type == R_X86_64_TLSLD && has_bytes(item, off - 3, lea_ld, 3) && next == 6 &&
	         has_bytes(item, off + 4, indirect_ld, 2))
		len = 13;
	return off + next + 4 <= item->len ? len : 0;
}

/* General dynamic: 16 bytes become mov %fs:0,%rax and lea x@tpoff(%rax),%rax or add x@gottpoff(%rip),%rax. */
static int
relax_gd(struct hp_pk *pk, const struct hp_use *use, uint64_t off, uint32_t left, struct hp_err *err)
{
	static const uint8_t le[] = { 0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0, 0x48, 0x8d, 0x80 };
	static const uint8_t ie[] = { 0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0, 0x48, 0x03, 0x05 };
	struct place place;
	int r;

	if (sequence_len(use, off, left) == 0)
		return hp_refuse(use, err, "a thread-local access by instructions that are not known");
	r = find_relaxed(pk, use, &place, err);
	if (r < 0)
		return r;
	memcpy(use->item->bytes + off - 4, place.slot ? ie : le, sizeof(le));
	r = add_field(pk, use, off + 8, &place, err);
	return r < 0 ? r : 2;
}

/* Local dynamic in an executable: the block's end is the thread pointer itself, the offsets that follow count from there. */
static int
relax_ld(const struct hp_use *use, uint64_t off, uint32_t left, struct hp_err *err)
{
	static const uint8_t le[] = { 0x66, 0x66, 0x66, 0x66, 0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0 };
	uint64_t len = sequence_len(use, off, left);

	if (len == 0)
		return hp_refuse(use, err, "a thread-local access by instructions that are not known");
	memcpy(use->item->bytes + off - 3, le + sizeof(le) - len, (size_t)len);
	return 2;
}

/* A descriptor: lea x@tlsdesc(%rip),reg becomes mov, and its call a nop. */
static int
relax_desc(struct hp_pk *pk, const struct hp_use *use, uint64_t off, struct hp_err *err)
{
	uint8_t *p = use->item->bytes + off - 3;
	struct place place;
	int r;

	if (off < 3 || (p[0] & 0xf8) != 0x48 || p[1] != 0x8d || (p[2] & 0xc7) != 0x05)
		return hp_refuse(use, err, "a thread-local access by instructions that are not known");
	r = find_relaxed(pk, use, &place, err);
	if (r < 0)
		return r;
	if (place.slot) {
		p[1] = 0x8b;
	} else {
		uint8_t reg = (p[2] >> 3) & 7, high = (p[0] & 4) >> 2;

		p[0] = (uint8_t)((p[0] & ~0x05) | high);
		p[1] = 0xc7;
		p[2] = 0xc0 | reg;
	}
	r = add_field(pk, use, off, &place, err);
	return r < 0 ? r : 1;
}

/* The call names the variable, too, so it is asked for again: one function may use descriptors of several variables, of which the
 * baseline has some, and compilers may put other code, also other descriptors, between the two halves. */
static int
relax_desc_call(struct hp_pk *pk, const struct hp_use *use, uint64_t off, struct hp_err *err)
{
	static const uint8_t call[] = { 0xff, 0x10 };
	uint64_t slot;

	if (pk->mod->kind == HP_MAN_SHARED && hp_target_tls_slot(pk, use, HP_SLOT_TLSDESC, &slot, NULL) == 0)
		return 1;
	if (!has_bytes(use->item, off, call, 2))
		return hp_refuse(use, err, "a thread-local access by instructions that are not known");
	use->item->bytes[off] = 0x66;
	use->item->bytes[off + 1] = 0x90;
	return 1;
}

static int
resolve_ie(struct hp_pk *pk, const struct hp_use *use, uint64_t off, struct hp_err *err)
{
	struct hp_item *cell;
	struct place place;
	int r = find_relaxed(pk, use, &place, err);

	if (r < 0)
		return r;
	if (!place.slot) {
		cell = hp_item_cell(pk, &place.target, use->name, err);
		if (cell == NULL)
			return HP_E_NOMEM;
		place.target = (struct hp_target){ .kind = HP_FIX_ITEM, .item = cell };
	}
	r = hp_fix_new(pk, use->item, off, HP_FORM_PC32, &place.target, use->rel->addend, use->name, err);
	return r < 0 ? r : 1;
}

/* Through a slot that the baseline has. 1 done, 0 it has none. */
static int
by_slot(struct hp_pk *pk, const struct hp_use *use, uint64_t off, enum hp_slot_kind kind, struct hp_err *err)
{
	struct hp_target target = { .kind = HP_FIX_MODULE };
	int r;

	if (pk->mod->kind != HP_MAN_SHARED || hp_target_tls_slot(pk, use, kind, &target.value, NULL) < 0)
		return 0;
	r = hp_fix_new(pk, use->item, off, HP_FORM_PC32, &target, use->rel->addend, use->name, err);
	return r < 0 ? r : 1;
}

int
hp_resolve_tls(struct hp_pk *pk, struct hp_use *use, uint64_t off, uint32_t left, struct hp_err *err)
{
	struct hp_target target = { .kind = HP_FIX_CONST };
	bool shared = pk->mod->kind == HP_MAN_SHARED;
	uint64_t slot;
	int r;

	switch (use->rel->type) {
	case R_X86_64_TLSGD:
		r = by_slot(pk, use, off, HP_SLOT_DTPMOD, err);
		return r != 0 ? r : relax_gd(pk, use, off, left, err);
	case R_X86_64_TLSLD:
		r = by_slot(pk, use, off, HP_SLOT_DTPMOD, err);
		if (r == 0 && shared)
			return hp_target_tls_slot(pk, use, HP_SLOT_DTPMOD, &slot, err);
		return r != 0 ? r : relax_ld(use, off, left, err);
	case R_X86_64_GOTPC32_TLSDESC:
		r = by_slot(pk, use, off, HP_SLOT_TLSDESC, err);
		return r != 0 ? r : relax_desc(pk, use, off, err);
	case R_X86_64_TLSDESC_CALL:
		return relax_desc_call(pk, use, off, err);
	case R_X86_64_GOTTPOFF:
		return resolve_ie(pk, use, off, err);
	case R_X86_64_DTPOFF32:
	case R_X86_64_TPOFF32:
		r = use->rel->type == R_X86_64_TPOFF32 || !shared ? hp_target_tpoff(pk, use, &target.value, err)
		                                                  : hp_target_dtpoff(pk, use, &target.value, err);
		if (r == 0)
			r = hp_fix_new(pk, use->item, off, HP_FORM_ABS32S, &target, use->ref.off, use->name, err);
		return r < 0 ? r : 1;
	default:
		return hp_refuse(use, err, "a thread-local variable, by a relocation of the large code model");
	}
}
