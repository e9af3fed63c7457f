/* From the redirected functions outwards: every part that the new code needs becomes an item, every relocation a fix. */
#include "packager/internal.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/escape.h"
#include "formats/insn_x86.h"
#include "packager/ehframe.h"
#include "packager/peer.h"
#include "packager/tls.h"

static const char *
name_of(const struct hp_item *item, const struct hp_ref *ref, const struct hp_rel *rel)
{
	const struct hp_object *obj = item->obj->pair->new_obj;

	if (rel != NULL && obj->elf->syms[rel->sym_idx].name[0] != '\0')
		return obj->elf->syms[rel->sym_idx].name;
	return ref->part_idx != HP_NONE ? hp_part_name(obj->parts, ref->part_idx) : "(no name)";
}

static bool
is_global(const struct hp_sym *sym)
{
	return sym->bind != STB_LOCAL && sym->name[0] != '\0' && sym->type != STT_SECTION;
}

static bool
form_of(uint32_t type, enum hp_fixup_form *ret)
{
	switch (type) {
	case R_X86_64_64:
		*ret = HP_FORM_ABS64;
		return true;
	case R_X86_64_32:
		*ret = HP_FORM_ABS32;
		return true;
	case R_X86_64_32S:
		*ret = HP_FORM_ABS32S;
		return true;
	case R_X86_64_PC32:
	case R_X86_64_PLT32:
		*ret = HP_FORM_PC32;
		return true;
	default:
		return false;
	}
}

/* An access through the GOT: the module's slot when the dynamic linker has a say, else the address itself (mov becomes lea, as
 * the linker's own relaxation does), else a word of our own that holds it. */
static int
resolve_got(struct hp_pk *pk, struct hp_use *use, uint64_t off, struct hp_err *err)
{
	struct hp_item *item = use->item;
	struct hp_target target = { .kind = HP_FIX_MODULE };
	bool ff = off >= 2 && item->bytes[off - 2] == 0xff;
	bool branch = ff && (item->bytes[off - 1] == 0x15 || item->bytes[off - 1] == 0x25);
	int r = hp_target_slot(pk, use, branch, &target.value, err);

	if (r < 0)
		return r;
	if (r > 0)
		return hp_fix_new(pk, item, off, HP_FORM_PC32, &target, use->rel->addend, use->name, err);
	use->ref.branch = branch;
	use->ref.pc_rel = false;
	use->got = true;
	r = hp_target_find(pk, use, &target, err);
	if (r < 0)
		return r;
	if (off >= 2 && item->bytes[off - 2] == 0x8b && (target.kind == HP_FIX_ITEM || target.kind == HP_FIX_MODULE)) {
		item->bytes[off - 2] = 0x8d;
	} else {
		struct hp_item *cell = hp_item_cell(pk, &target, use->name, err);

		if (cell == NULL)
			return err != NULL && err->code != 0 ? err->code : HP_E_NOMEM;
		target = (struct hp_target){ .kind = HP_FIX_ITEM, .item = cell };
	}
	return hp_fix_new(pk, item, off, HP_FORM_PC32, &target, target.off + use->rel->addend, use->name, err);
}

static int
resolve_plain(struct hp_pk *pk, struct hp_use *use, uint64_t off, enum hp_fixup_form form, struct hp_err *err)
{
	struct hp_target target;
	int r = hp_target_find(pk, use, &target, err);

	if (r < 0)
		return r;
	if ((target.kind == HP_FIX_SLOT || target.kind == HP_FIX_IMPORT || target.kind == HP_FIX_PEER) && form != HP_FORM_ABS64)
		return hp_refuse(use, err, "an address in another module does not fit this field");
	if (form != HP_FORM_PC32 && form != HP_FORM_ABS64 && pk->mod->kind != HP_MAN_EXEC)
		return hp_refuse(use, err, "a 32-bit absolute address in position-independent code");
	return hp_fix_new(pk, use->item, off, form, &target, target.off - use->ref.bias, use->name, err);
}

/* Returns how many relocations were used, negative = failed. */
static int
resolve_rel(struct hp_pk *pk, struct hp_item *item, const struct hp_rel *rel, uint32_t left, struct hp_ref_cursor *cur,
            struct hp_err *err)
{
	const struct hp_parts *parts = item->obj->pair->new_obj->parts;
	struct hp_use use = { .item = item, .rel = rel };
	uint64_t off = rel->off - parts->v[item->part_idx].off;
	enum hp_fixup_form form;
	char text[96];
	int r = hp_ref_resolve(parts, item->part_idx, rel, cur, &use.ref, err);

	if (r < 0)
		return hp_err_add(err, "'%s': '%s'", hp_esc(item->obj->pair->path), hp_esc(item->name));
	if (use.ref.none && !use.ref.tls)
		return 1;
	use.name = name_of(item, &use.ref, rel);
	if (item->bytes == NULL || off > item->len || use.ref.width > item->len - off)
		return hp_err_set(err, HP_E_FORMAT, "'%s': a relocation of '%s' lies outside of it",
		                  hp_esc(item->obj->pair->path), hp_esc(item->name));
	if (pk->all_cnt > 1 && is_global(&parts->elf->syms[rel->sym_idx])) {
		r = hp_peer_check(pk, &use, parts->elf->syms[rel->sym_idx].name, err);
		if (r < 0)
			return r;
	}
	if (use.ref.tls)
		return hp_resolve_tls(pk, &use, off, left, err);
	switch (rel->type) {
	case R_X86_64_GOTPCREL:
	case R_X86_64_GOTPCRELX:
	case R_X86_64_REX_GOTPCRELX:
		r = resolve_got(pk, &use, off, err);
		return r < 0 ? r : 1;
	default:
		break;
	}
	if (!form_of(rel->type, &form)) {
		(void)snprintf(text, sizeof(text), "relocation type %" PRIu32 " (x86-64 psABI table 4.9) is not supported",
		               rel->type);
		return hp_refuse(&use, err, text);
	}
	r = resolve_plain(pk, &use, off, form, err);
	return r < 0 ? r : 1;
}

/* A short jump to another function (a tail call in a section that both share) cannot reach out of the payload. It goes to a long
 * jump behind the function instead, which was nearer than the old target if that lay behind. */
static int
lengthen(struct hp_pk *pk, struct hp_use *use, uint64_t off, uint64_t end, struct hp_err *err)
{
	struct hp_item *item = use->item;
	uint64_t at = item->len, dist = at - end;
	uint8_t *bytes;

	if (end > at || dist > INT8_MAX)
		return hp_refuse(use, err, "a short jump between functions cannot reach out of the payload");
	bytes = hp_arena_array(&pk->arena, at + 5, 1);
	if (bytes == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	memcpy(bytes, item->bytes, (size_t)at);
	bytes[at] = 0xe9; /* jmp rel32 */
	bytes[off] = (uint8_t)dist;
	item->bytes = bytes;
	item->len = at + 5;
	use->ref.bias = 4;
	return resolve_plain(pk, use, at + 1, HP_FORM_PC32, err);
}

/* A reference that the assembler resolved because its target lies in the same section. ${off}: of the field in the item, ${end}:
 * the instruction's end, from where the CPU counts. */
static int
resolve_inner(struct hp_pk *pk, struct hp_item *item, uint64_t off, unsigned width, uint64_t end, int64_t dist, bool branch,
              bool call, struct hp_err *err)
{
	const struct hp_parts *parts = item->obj->pair->new_obj->parts;
	const struct hp_part *part = &parts->v[item->part_idx];
	uint64_t target = part->off + end + (uint64_t)dist;
	struct hp_use use = { .item = item };

	if (target >= part->off && target - part->off < part->len)
		return 0; /* inside the part: moves with it */
	use.ref = (struct hp_ref){
		.part_idx = hp_parts_at(parts, part->sec_idx, target), .sym_idx = HP_NONE, .bias = (int64_t)(end - off),
		.pc_rel = true, .branch = branch, .call = call, .width = (uint8_t)width,
	};
	use.name = "(a place in the same section)";
	/* clang -O0 jumps right behind the function's end from where control never comes, as after a rethrow: into padding. */
	if (use.ref.part_idx == HP_NONE && branch && !call && target == part->off + part->len)
		return 0;
	if (use.ref.part_idx == HP_NONE)
		return hp_refuse(&use, err, "it is no part of the section");
	use.ref.off = (int64_t)(target - parts->v[use.ref.part_idx].off);
	use.name = hp_part_name(parts, use.ref.part_idx);
	if (width != 4)
		return lengthen(pk, &use, off, end, err);
	return resolve_plain(pk, &use, off, HP_FORM_PC32, err);
}

/* Only a section with several parts can hide such references. */
static int
scan_code(struct hp_pk *pk, struct hp_item *item, struct hp_err *err)
{
	const struct hp_parts *parts = item->obj->pair->new_obj->parts;
	const struct hp_part *part = &parts->v[item->part_idx];
	struct hp_view code = hp_part_bytes(parts, item->part_idx);
	const struct hp_rel *rels = hp_part_rels(parts, item->part_idx);
	struct hp_insn insn;
	uint32_t i = 0;
	int r;

	if (parts->sec_first[part->sec_idx + 1] - parts->sec_first[part->sec_idx] < 2)
		return 0;
	for (uint64_t pos = 0; pos < code.len; pos += insn.len) {
		bool relocated;

		if (!hp_insn_decode(code, pos, &insn))
			return hp_err_set(err, HP_E_REFUSED,
			                  "'%s': function '%s'+0x%" PRIx64 " has bytes that are no instruction",
			                  hp_esc(item->obj->pair->path), hp_esc(item->name), pos);
		while (i < part->rels_cnt && rels[i].off - part->off < pos)
			i++;
		relocated = i < part->rels_cnt && rels[i].off - part->off < pos + insn.len;
		if (insn.rel_len > 0 && !relocated) {
			r = resolve_inner(pk, item, pos + insn.rel_off, insn.rel_len, pos + insn.len, insn.rel, true, insn.call,
			                  err);
			if (r < 0)
				return r;
		}
		if (insn.rip_rel && !relocated) {
			r = resolve_inner(pk, item, pos + insn.disp_off, insn.disp_len, pos + insn.len, insn.disp, false, false,
			                  err);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int
resolve_item(struct hp_pk *pk, struct hp_item *item, struct hp_err *err)
{
	const struct hp_parts *parts = item->obj->pair->new_obj->parts;
	struct hp_ref_cursor cur = HP_REF_CURSOR_INIT;
	const struct hp_rel *rels = hp_part_rels(parts, item->part_idx);
	int r;

	for (uint32_t i = 0, cnt = parts->v[item->part_idx].rels_cnt; i < cnt;) {
		r = resolve_rel(pk, item, &rels[i], cnt - i, &cur, err);

		if (r < 0)
			return r;
		i += (uint32_t)r;
	}
	r = item->func ? scan_code(pk, item, err) : 0;
	return r == 0 && item->func ? hp_lsda_resolve(pk, item, err) : r;
}

/* Global definitions of the patched side, for references between objects of the set. A strong definition beats a weak one. */
static int
index_defs(struct hp_pk *pk, struct hp_pk_obj *obj, struct hp_err *err)
{
	const struct hp_object *new = obj->pair->new_obj;

	for (uint32_t i = 1; i < new->elf->syms_cnt; i++) {
		const struct hp_sym *sym = &new->elf->syms[i];
		uint32_t part = new->parts->sym_part[i];
		struct hp_new_def *def;
		uint64_t v;
		int r;

		if (sym->bind == STB_LOCAL || sym->name[0] == '\0' || part == HP_NONE ||
		    (sym->bind == STB_WEAK && hp_map_get_str(&pk->new_defs, sym->name, &v)))
			continue;
		/* An unchanged function that another object's definition has replaced stays what it is in the baseline. */
		if (sym->bind == STB_WEAK && !(obj->pair->include != NULL && obj->pair->include[part]))
			continue;
		if (hp_is_lost(obj, part))
			continue;
		def = hp_arena_alloc(&pk->arena, sizeof(*def));
		if (def == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory");
		*def = (struct hp_new_def){ obj, part, sym->value - new->parts->v[part].off };
		r = hp_map_put_str(&pk->new_defs, sym->name, (uintptr_t)def, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int
start(struct hp_pk *pk, struct hp_err *err)
{
	for (size_t o = 0; o < pk->objs_cnt; o++) {
		struct hp_pk_obj *obj = &pk->objs[o];

		if (!obj->in_module || obj->pair->new_obj == NULL)
			continue;
		for (uint32_t i = 0; i < obj->pair->new_obj->parts->cnt; i++)
			if ((obj->redirects[i] != HP_REDIRECT_NONE || hp_is_hook(obj, i)) && hp_item_of_part(pk, obj, i) == NULL)
				return hp_err_set(err, HP_E_NOMEM, "no memory");
	}
	return 0;
}

/* The list grows while it is walked. Returns 1 when there was something to do. */
static int
go_on(struct hp_pk *pk, struct hp_err *err)
{
	int progress = 0;

	while (*pk->unresolved != NULL) {
		struct hp_item *item = *pk->unresolved;
		int r = item->obj != NULL ? resolve_item(pk, item, err) : 0;

		if (r < 0)
			return r;
		pk->unresolved = &item->next;
		progress = 1;
	}
	return progress;
}

/* Nothing tells into which module a new object was linked; when one module alone uses it, a copy there is as good. */
static int
check_new_objects(const struct hp_pk *pks, size_t cnt, struct hp_err *err)
{
	for (size_t o = 0; o < pks[0].objs_cnt; o++) {
		const struct hp_pair *pair = pks[0].objs[o].pair;
		const struct hp_pk *user = NULL;

		for (size_t m = 0; m < cnt && pair->old_obj == NULL; m++) {
			bool used = false;

			for (uint32_t i = 0; i < pair->new_obj->parts->cnt; i++)
				used |= pks[m].objs[o].items[i] != NULL;
			if (used && user != NULL)
				return hp_err_set(
					err, HP_E_REFUSED,
					"the new object '%s' is used in '%s' and in '%s': nothing tells into which of them it "
					"is linked",
					hp_esc(pair->path), hp_esc(user->base->path), hp_esc(pks[m].base->path));
			if (used)
				user = &pks[m];
		}
	}
	return 0;
}

int
hp_resolve(struct hp_pk *pks, size_t cnt, struct hp_err *err)
{
	int r = 0, progress = 1;

	for (size_t m = 0; m < cnt; m++)
		for (size_t o = 0; o < pks[m].objs_cnt && r == 0; o++)
			if (pks[m].objs[o].in_module && pks[m].objs[o].pair->new_obj != NULL)
				r = index_defs(&pks[m], &pks[m].objs[o], err);
	for (size_t m = 0; m < cnt && r == 0; m++)
		if (pks[m].touched)
			r = start(&pks[m], err);
	/* Code of one module may need something of another one's payload. */
	while (r == 0 && progress > 0) {
		progress = 0;
		for (size_t m = 0; m < cnt && r == 0; m++) {
			r = go_on(&pks[m], err);
			progress |= r > 0;
			r = r < 0 ? r : 0;
		}
	}
	return r == 0 ? check_new_objects(pks, cnt, err) : r;
}
