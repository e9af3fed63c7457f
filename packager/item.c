/* Items and fixes: what the payload consists of, before it has addresses. */
#include "packager/internal.h"

enum { ALIGN_MAX = 4096, FUNC_ALIGN = 16 };

struct hp_item *
hp_item_new(struct hp_pk *pk, enum hp_item_class cls, const char *name, const uint8_t *bytes, uint64_t len, uint64_t align)
{
	struct hp_item *item = hp_arena_alloc(&pk->arena, sizeof(*item));

	if (item == NULL)
		return NULL;
	*item = (struct hp_item){ .cls = cls, .name = name, .part_idx = HP_NONE, .len = len, .align = align };
	if (cls != HP_ITEM_BSS) {
		item->bytes = hp_arena_array(&pk->arena, len, 1);
		if (item->bytes == NULL)
			return NULL;
		if (bytes != NULL && len > 0)
			memcpy(item->bytes, bytes, len);
	}
	*pk->items_tail = item;
	pk->items_tail = &item->next;
	return item;
}

static enum hp_item_class
class_of(enum hp_part_kind kind)
{
	switch (kind) {
	case HP_PART_FUNC:
	case HP_PART_CODE:
		return HP_ITEM_TEXT;
	case HP_PART_DATA:
		return HP_ITEM_DATA;
	case HP_PART_BSS:
		return HP_ITEM_BSS;
	case HP_PART_RODATA:
	case HP_PART_ANON:
	case HP_PART_MERGE:
	case HP_PART_TLS:
	case HP_PART_SPECIAL:
		break;
	}
	return HP_ITEM_RODATA;
}

/* What the section promised for this place. */
static uint64_t
part_align(const struct hp_sec *sec, const struct hp_part *part)
{
	uint64_t align = sec->align > ALIGN_MAX ? ALIGN_MAX : sec->align;

	while (align > 1 && (part->off & (align - 1)) != 0)
		align >>= 1;
	if (part->kind == HP_PART_FUNC && align < FUNC_ALIGN)
		align = FUNC_ALIGN;
	return align == 0 ? 1 : align;
}

struct hp_item *
hp_item_of_part(struct hp_pk *pk, struct hp_pk_obj *obj, uint32_t part_idx)
{
	const struct hp_parts *parts = obj->pair->new_obj->parts;
	const struct hp_part *part = &parts->v[part_idx];
	enum hp_item_class cls = class_of(part->kind);
	struct hp_view bytes = hp_part_bytes(parts, part_idx);
	struct hp_item *item = obj->items[part_idx];

	if (item != NULL)
		return item;
	/* A variable of a NOBITS section has no bytes; a writable one without contents is zero. */
	if (bytes.len != part->len && cls != HP_ITEM_BSS)
		bytes = hp_view_of(NULL, 0);
	item = hp_item_new(pk, cls, part->sym_idx != HP_NONE ? hp_part_name(parts, part_idx) : "", bytes.p, part->len,
	                   part_align(&parts->elf->secs[part->sec_idx], part));
	if (item == NULL)
		return NULL;
	item->func = part->kind == HP_PART_FUNC;
	item->obj = obj;
	item->part_idx = part_idx;
	obj->items[part_idx] = item;
	return item;
}

/* Key of a shared piece: one byte of alignment (log2), then the content. */
struct hp_item *
hp_item_of_piece(struct hp_pk *pk, struct hp_view piece, uint64_t align)
{
	uint8_t *key = hp_arena_array(&pk->arena, piece.len + 1, 1);
	struct hp_item *item;
	uint64_t v;

	if (key == NULL)
		return NULL;
	key[0] = (uint8_t)__builtin_ctzll(align | (uint64_t)1 << 63);
	memcpy(key + 1, piece.p, piece.len);
	if (hp_map_get(&pk->pieces, key, piece.len + 1, &v))
		return (struct hp_item *)(uintptr_t)v;
	item = hp_item_new(pk, HP_ITEM_RODATA, "", piece.p, piece.len, align);
	if (item == NULL || hp_map_put(&pk->pieces, key, piece.len + 1, (uintptr_t)item, NULL) < 0)
		return NULL;
	return item;
}

int
hp_fix_new(struct hp_pk *pk, struct hp_item *item, uint64_t off, enum hp_fixup_form form, const struct hp_target *target,
           int64_t addend, const char *what, struct hp_err *err)
{
	struct hp_fix *fix = hp_arena_alloc(&pk->arena, sizeof(*fix));

	if (fix == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	if (item->bytes == NULL || off > item->len || hp_fixup_len(form) > item->len - off)
		return hp_err_set(err, HP_E_FORMAT, "a relocated field leaves its part");
	*fix = (struct hp_fix){
		.item = item, .off = off, .form = form, .kind = target->kind, .target = target->item, .value = target->value,
		.addend = addend, .what = what,
	};
	*pk->fixes_tail = fix;
	pk->fixes_tail = &fix->next;
	return 0;
}

/* Made once a slot: found again through the same table as shared pieces, under a key that no content can have. */
static struct hp_item *
find_made(struct hp_pk *pk, const char *kind, uint64_t a, uint64_t b, uint64_t c, const uint8_t **ret_key, size_t *ret_len)
{
	uint64_t v;
	uint8_t *key = hp_arena_array(&pk->arena, 32, 1);

	if (key == NULL)
		return NULL;
	key[0] = 0xff;
	key[1] = (uint8_t)kind[0];
	hp_le64_put(key + 8, a);
	hp_le64_put(key + 16, b);
	hp_le64_put(key + 24, c);
	*ret_key = key;
	*ret_len = 32;
	return hp_map_get(&pk->pieces, key, 32, &v) ? (struct hp_item *)(uintptr_t)v : NULL;
}

/* Through ${slot}, which ${key_a}, ${key_b} tell apart from other slots. */
static struct hp_item *
stub(struct hp_pk *pk, const char *name, const struct hp_target *slot, uint64_t key_a, uint64_t key_b, struct hp_err *err)
{
	static const uint8_t jmp[] = { 0xff, 0x25, 0, 0, 0, 0 }; /* jmp *slot(%rip) */
	const uint8_t *key = NULL;
	size_t len = 0;
	struct hp_item *item = find_made(pk, "stub", key_a, key_b, 0, &key, &len);

	if (item != NULL)
		return item;
	item = hp_item_new(pk, HP_ITEM_TEXT, hp_arena_printf(&pk->arena, "%s@plt", name), jmp, sizeof(jmp), 8);
	if (key == NULL || item == NULL || hp_map_put(&pk->pieces, key, len, (uintptr_t)item, NULL) < 0) {
		(void)hp_err_set(err, HP_E_NOMEM, "no memory");
		return NULL;
	}
	item->func = true;
	return hp_fix_new(pk, item, 2, HP_FORM_PC32, slot, -4, name, err) < 0 ? NULL : item;
}

struct hp_item *
hp_item_stub(struct hp_pk *pk, const char *name, uint64_t slot_va, struct hp_err *err)
{
	struct hp_target slot = { .kind = HP_FIX_MODULE, .value = slot_va };

	return stub(pk, name, &slot, slot_va, 0, err);
}

struct hp_item *
hp_item_cell(struct hp_pk *pk, const struct hp_target *target, const char *name, struct hp_err *err)
{
	const uint8_t *key = NULL;
	size_t len = 0;
	uint64_t what = target->kind == HP_FIX_ITEM ? (uintptr_t)target->item : target->value;
	struct hp_item *item = find_made(pk, "cell", target->kind, what, (uint64_t)target->off, &key, &len);

	if (item != NULL)
		return item;
	item = hp_item_new(pk, HP_ITEM_RODATA, "", NULL, 8, 8);
	if (key == NULL || item == NULL || hp_map_put(&pk->pieces, key, len, (uintptr_t)item, NULL) < 0) {
		(void)hp_err_set(err, HP_E_NOMEM, "no memory");
		return NULL;
	}
	return hp_fix_new(pk, item, 0, HP_FORM_ABS64, target, target->off, name, err) < 0 ? NULL : item;
}

struct hp_item *
hp_item_import_stub(struct hp_pk *pk, const char *name, const struct hp_target *import, struct hp_err *err)
{
	struct hp_target slot = { .kind = HP_FIX_ITEM, .item = hp_item_cell(pk, import, name, err) };

	return slot.item == NULL ? NULL : stub(pk, name, &slot, import->value, 1, err);
}
