/* Who else refers to a function whose signature changed (rule HP1015)? The differ has seen that all callers in the given objects
 * go along; objects that were not given may call it too, with the old arguments. The module's own bytes decide: no call, jump or
 * address of the function may stand outside of the functions that are replaced. Fields are looked for at every byte, without
 * decoding, so that nothing is missed; a chance hit refuses a change that could have been hot, never the reverse. */
#include "packager/internal.h"

#include <inttypes.h>

#include "base/escape.h"

/* Bytes of the baseline that belong to parts of the original which the payload replaces or carries. */
static bool
is_replaced(const struct hp_pk *pk, uint64_t va)
{
	for (size_t o = 0; o < pk->objs_cnt; o++) {
		const struct hp_pk_obj *obj = &pk->objs[o];
		const struct hp_pair *pair = obj->pair;

		if (!obj->in_module || pair->old_obj == NULL || pair->new_obj == NULL)
			continue;
		for (uint32_t i = 0; i < pair->new_obj->parts->cnt; i++) {
			uint32_t old = pair->new_twin[i];

			if (!pair->include[i] || old == HP_NONE || obj->places[old].state != HP_FUNC_PROVEN)
				continue;
			if (va - obj->places[old].va < pair->old_obj->parts->v[old].len)
				return true;
		}
	}
	return false;
}

/* The operand of a direct call or jump, or of [rip + disp32] (ModRM with mod 0, rm 5): what compilers reach a function by. */
static bool
is_operand(struct hp_view v, uint64_t i)
{
	return i >= 2 && (v.p[i - 1] == 0xe8 || v.p[i - 1] == 0xe9 || (v.p[i - 1] & 0xc7) == 0x05 ||
	                  (v.p[i - 2] == 0x0f && (v.p[i - 1] & 0xf0) == 0x80));
}

/* A field at byte ${i} of a segment that leads to ${target}: a branch or relative address, an absolute one, a relocation's
 * addend. */
static bool
leads_to(const struct hp_pk *pk, const struct hp_seg *seg, struct hp_view v, uint64_t i, uint64_t target)
{
	bool fixed = pk->mod->elf->type == ET_EXEC, code = seg->flags & PF_X;
	uint64_t word, at = seg->va + i;
	uint32_t half;

	/* a short jump: eb, 70..7f */
	if (code && i >= 1 && (v.p[i - 1] == 0xeb || (v.p[i - 1] & 0xf0) == 0x70) &&
	    at + 1 + (uint64_t)(int64_t)(int8_t)v.p[i] == target)
		return true;
	if (!hp_view_u32(v, i, &half))
		return false;
	if (code && is_operand(v, i) && at + 4 + (uint64_t)(int64_t)(int32_t)half == target)
		return true;
	if (fixed && half == target)
		return true;
	return hp_view_u64(v, i, &word) && word == target;
}

static int
check_function(const struct hp_pk *pk, const char *name, uint64_t target, struct hp_err *err)
{
	const struct hp_elf *elf = pk->mod->elf;

	for (uint32_t s = 0; s < elf->segs_cnt; s++) {
		const struct hp_seg *seg = &elf->segs[s];
		struct hp_view v;

		if (seg->type != PT_LOAD || !hp_view_sub(elf->file, seg->off, seg->file_len, &v))
			continue;
		for (uint64_t i = 0; i < v.len; i++)
			if (leads_to(pk, seg, v, i, target) && !is_replaced(pk, seg->va + i))
				return hp_err_set(err, HP_E_REFUSED,
				                  "the signature of '%s' changed, and the baseline refers to it at 0x%" PRIx64
				                  ", outside of what is replaced",
				                  hp_esc(name), seg->va + i);
	}
	return 0;
}

/* The function ${name} of one object: where its original stands in the baseline. */
static bool
find_original(const struct hp_pk_obj *obj, const char *name, uint64_t *ret)
{
	const struct hp_parts *parts = obj->pair->old_obj->parts;

	for (uint32_t i = 0; i < parts->cnt; i++)
		if (obj->places[i].state == HP_FUNC_PROVEN && strcmp(hp_part_name(parts, i), name) == 0) {
			*ret = obj->places[i].va;
			return true;
		}
	return false;
}

int
hp_check_signatures(struct hp_pk *pk, struct hp_err *err)
{
	for (size_t i = 0; i < pk->set->reasons_cnt; i++) {
		const struct hp_reason *reason = &pk->set->reasons[i];
		uint64_t idx, target;
		int r = 0;

		if (strcmp(reason->rule, "HP1015") != 0)
			continue;
		for (size_t o = 0; o < pk->objs_cnt && r == 0; o++) {
			const struct hp_pk_obj *obj = &pk->objs[o];

			if (!obj->in_module || obj->pair->old_obj == NULL || strcmp(obj->pair->path, reason->object) != 0)
				continue;
			if (hp_map_get_str(&pk->mod->exports, reason->symbol, &idx))
				return hp_err_set(err, HP_E_REFUSED,
				                  "the signature of '%s' changed, and the baseline exports it: other modules may "
				                  "call it",
				                  hp_esc(reason->symbol));
			if (find_original(obj, reason->symbol, &target))
				r = check_function(pk, reason->symbol, target, err);
		}
		if (r < 0)
			return r;
	}
	return 0;
}
