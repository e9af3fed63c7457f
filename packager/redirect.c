/* Which entries of the baseline are redirected, and whether that is safe: functions that share an address, room for the jump. */
#include "packager/internal.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/escape.h"
#include "formats/hooks.h"
#include "formats/insn_x86.h"

uint64_t
hp_entry_of(const struct hp_module *mod, uint64_t va, uint64_t len)
{
	struct hp_view code;
	struct hp_insn insn;

	if (!hp_module_code_at(mod, va, len, &code) || !hp_insn_decode(code, 0, &insn) || !insn.endbr64)
		return va;
	return va + insn.len;
}

bool
hp_is_piece(const char *name)
{
	const char *cold = strstr(name, ".cold");

	return cold != NULL && (cold[5] == '\0' || cold[5] == '.');
}

bool
hp_is_hook(const struct hp_pk_obj *obj, uint32_t part_idx)
{
	const struct hp_parts *parts = obj->pair->new_obj->parts;
	const struct hp_part *part = &parts->v[part_idx];

	return part->kind == HP_PART_FUNC && obj->pair->include[part_idx] &&
	       hp_hook_section(parts->elf->secs[part->sec_idx].name);
}

/* Does the new body carry this name too? */
static bool
has_name(const struct hp_parts *parts, uint32_t part_idx, const char *name)
{
	const struct hp_part *part = &parts->v[part_idx];

	for (uint32_t j = 0; j < part->syms_cnt; j++)
		if (strcmp(parts->elf->syms[parts->part_syms[part->syms_first + j]].name, name) == 0)
			return true;
	return false;
}

/* Functions of the baseline that stand at ${va} under a name that the new body does not carry: NULL = none. Names come from the
 * symbol table, from the original object's aliases and from other proven originals (linkers fold across objects). */
static const char *
other_function(const struct hp_pk *pk, const struct hp_pk_obj *obj, uint32_t new_part, uint64_t va)
{
	const struct hp_parts *parts = obj->pair->new_obj->parts;
	uint32_t first, cnt = hp_module_at(pk->mod, va, &first);

	for (uint32_t i = 0; i < cnt; i++) {
		const struct hp_mod_sym *s = &pk->mod->syms[first + i];

		if ((s->type == STT_FUNC || s->type == STT_GNU_IFUNC || (s->type == STT_NOTYPE && s->bind != STB_LOCAL)) &&
		    !has_name(parts, new_part, s->name))
			return s->name;
	}
	for (size_t o = 0; o < pk->objs_cnt; o++) {
		const struct hp_pk_obj *other = &pk->objs[o];
		const struct hp_parts *old;

		if (!other->in_module || other->pair->old_obj == NULL)
			continue;
		old = other->pair->old_obj->parts;
		for (uint32_t i = 0; i < old->cnt; i++) {
			if (old->v[i].kind != HP_PART_FUNC || other->places[i].state != HP_FUNC_PROVEN ||
			    other->places[i].va != va)
				continue;
			for (uint32_t j = 0; j < old->v[i].syms_cnt; j++) {
				const struct hp_sym *sym = &old->elf->syms[old->part_syms[old->v[i].syms_first + j]];

				if (sym->type == STT_FUNC && !has_name(parts, new_part, sym->name))
					return sym->name;
			}
		}
	}
	return NULL;
}

/* A reference to the part from code or data that stays as it is in the baseline. NULL = none. */
static const char *
outside_caller(const struct hp_pk_obj *obj, uint32_t part_idx)
{
	const struct hp_parts *parts = obj->pair->new_obj->parts;

	for (uint32_t i = 0; i < parts->cnt; i++) {
		struct hp_ref_cursor cur = HP_REF_CURSOR_INIT;
		const struct hp_rel *rels = hp_part_rels(parts, i);

		if (obj->pair->include[i] || (parts->elf->secs[parts->v[i].sec_idx].flags & SHF_ALLOC) == 0 ||
		    parts->v[i].kind == HP_PART_SPECIAL)
			continue;
		for (uint32_t j = 0; j < parts->v[i].rels_cnt; j++) {
			struct hp_ref ref;

			if (hp_ref_resolve(parts, i, &rels[j], &cur, &ref, NULL) < 0 || ref.part_idx == part_idx)
				return hp_part_name(parts, i);
		}
	}
	return NULL;
}

/* DESIGN section 4, "Several symbols at one address". */
static int
check_shared(struct hp_pk *pk, struct hp_pk_obj *obj, uint32_t part_idx, uint64_t va, enum hp_redirect *ret,
             struct hp_err *err)
{
	const struct hp_parts *parts = obj->pair->new_obj->parts;
	const struct hp_part *part = &parts->v[part_idx];
	const char *other = other_function(pk, obj, part_idx, va), *caller;

	*ret = HP_REDIRECT_ENTRY;
	if (other == NULL)
		return 0;
	for (uint32_t j = 0; j < part->syms_cnt; j++)
		if (parts->elf->syms[parts->part_syms[part->syms_first + j]].bind != STB_LOCAL)
			return hp_err_set(
				err, HP_E_REFUSED,
				"'%s': function '%s' shares its address 0x%" PRIx64 " in the baseline with '%s', "
				"which the fix does not change in the same way, and it can be called from other objects",
				hp_esc(obj->pair->path), hp_esc(hp_part_name(parts, part_idx)), va, hp_esc(other));
	/* Calls inside a shared section may have no relocation, so nobody can tell who calls. */
	caller = parts->sec_first[part->sec_idx + 1] - parts->sec_first[part->sec_idx] > 1 ? "(its section is shared)"
	                                                                                   : outside_caller(obj, part_idx);
	if (caller != NULL)
		return hp_err_set(err, HP_E_REFUSED,
		                  "'%s': function '%s' shares its address 0x%" PRIx64 " in the baseline with '%s', "
		                  "which the fix does not change in the same way, and '%s', which stays as it is, refers to it",
		                  hp_esc(obj->pair->path), hp_esc(hp_part_name(parts, part_idx)), va, hp_esc(other),
		                  hp_esc(caller));
	*ret = HP_REDIRECT_DIRECT;
	return 0;
}

/* Some function of the baseline jumps into [lo, hi). */
static bool
jumped_to(const struct hp_module *mod, uint64_t lo, uint64_t hi)
{
	for (uint32_t i = 0; i < mod->syms_cnt; i++) {
		const struct hp_mod_sym *s = &mod->syms[i];
		struct hp_view code;
		struct hp_insn insn;

		if (s->type != STT_FUNC || !hp_module_code_at(mod, s->va, s->size, &code))
			continue;
		for (uint64_t off = 0; off < code.len && hp_insn_decode(code, off, &insn); off += insn.len) {
			uint64_t to = s->va + off + insn.len + (uint64_t)insn.rel;

			if (insn.rel_len > 0 && to >= lo && to < hi)
				return true;
		}
	}
	return false;
}

/* The jump needs HP_ENTRY_LEN bytes: the function's own, or padding behind it that is provably nothing else: nops, before the
 * next function, which nobody jumps to. Where the next function begins is known from a full symbol table only. */
static bool
has_room(const struct hp_module *mod, uint64_t va, uint64_t len, uint64_t entry)
{
	uint64_t end = va + len, want = entry + HP_ENTRY_LEN;
	struct hp_view code;
	struct hp_insn insn;

	if (end >= want)
		return true;
	if (!mod->has_symtab || hp_module_next_func(mod, va) < want || !hp_module_code_at(mod, end, want - end, &code))
		return false;
	for (uint64_t pos = 0; end + pos < want; pos += insn.len) {
		/* The last nop may reach beyond what is overwritten; nobody runs it. */
		struct hp_view rest;

		if (!hp_module_code_at(mod, end + pos, 15, &rest) && !hp_view_sub(code, pos, code.len - pos, &rest))
			return false;
		if (!hp_insn_decode(rest, 0, &insn) || !insn.nop)
			return false;
	}
	return hp_module_next_func(mod, va) != UINT64_MAX && !jumped_to(mod, end, want);
}

/* Nothing may come back into the overwritten bytes: no branch of the old body, no return from a call. (A thread may be in the old
 * body when the operator allows it.) A branch to the entry itself is fine, it meets the jump. */
static int
check_entry(struct hp_pk *pk, const struct hp_pk_obj *obj, const char *name, uint64_t va, uint64_t len, struct hp_err *err)
{
	uint64_t entry = hp_entry_of(pk->mod, va, len), lo = entry - va, hi = lo + HP_ENTRY_LEN;
	const char *path = hp_esc(obj->pair->path), *what = hp_esc(name);
	struct hp_view code;
	struct hp_insn insn;

	if (!has_room(pk->mod, va, len, entry))
		return hp_err_set(err, HP_E_REFUSED,
		                  "'%s': function '%s' is too short to redirect: %" PRIu64 " bytes at 0x%" PRIx64
		                  ", %d are needed",
		                  path, what, va + len - entry, entry, HP_ENTRY_LEN);
	if (!hp_module_code_at(pk->mod, va, len, &code))
		return hp_err_set(err, HP_E_BASELINE, "'%s': function '%s' lies outside of the baseline's code", path, what);
	for (uint64_t pos = 0; pos < code.len; pos += insn.len) {
		uint64_t end, target;

		if (!hp_insn_decode(code, pos, &insn)) {
			if (pos < hi)
				return hp_err_set(err, HP_E_REFUSED, "'%s': function '%s' does not start with instructions", path,
				                  what);
			break; /* data behind the code */
		}
		end = pos + insn.len;
		if (insn.call && end > lo && end < hi)
			return hp_err_set(err, HP_E_REFUSED,
			                  "'%s': function '%s' begins with a call that returns into the bytes of the "
			                  "redirection",
			                  path, what);
		target = end + (uint64_t)insn.rel;
		if (insn.branch && insn.rel_len > 0 && target > lo && target < hi)
			return hp_err_set(err, HP_E_REFUSED,
			                  "'%s': function '%s'+0x%" PRIx64 " jumps into the bytes of the redirection", path, what,
			                  pos);
	}
	return 0;
}

/* A text relocation: the dynamic linker writes into the old body at start. So no process has the bytes of the file, with
 * which the applier compares memory before it overwrites anything. */
static int
check_text_relocs(const struct hp_pk *pk, const struct hp_pk_obj *obj, const char *name, uint64_t va, uint64_t len,
                  struct hp_err *err)
{
	const struct hp_mod_slot *slot = hp_module_slot_in(pk->mod, va, va + len);

	if (slot == NULL)
		return 0;
	return hp_err_set(err, HP_E_REFUSED,
	                  "'%s': function '%s' has a text relocation in the baseline, at offset 0x%" PRIx64
	                  ": the dynamic linker fills in an address%s%s there, so that no process has the bytes of the file; "
	                  "only a module linked from position-independent code (-fPIC, -z text) can have it replaced",
	                  hp_esc(obj->pair->path), hp_esc(name), slot->va - va, slot->name[0] != '\0' ? ", of " : "",
	                  hp_esc(slot->name));
}

static int
unproven(const struct hp_pk *pk, const struct hp_pk_obj *obj, const char *name, enum hp_func_state state, struct hp_err *err)
{
	return hp_err_set(err, HP_E_BASELINE, "'%s': the changed function '%s' %s (symbols of the baseline: %s)",
	                  hp_esc(obj->pair->path), hp_esc(name), state == HP_FUNC_AMBIGUOUS
	                  ? "matches several places of the baseline, and nothing tells which is meant" : state == HP_FUNC_PROVEN
	                  ? "is too small to be told from others without a symbol: give the --debug-file"
	                  : "was not found in the baseline", pk->mod->symbols);
}

static int
plan(struct hp_pk *pk, struct hp_pk_obj *obj, uint32_t part_idx, struct hp_err *err)
{
	const struct hp_parts *parts = obj->pair->new_obj->parts;
	const char *name = hp_part_name(parts, part_idx);
	uint32_t twin = obj->pair->new_twin[part_idx];
	const struct hp_place *place;
	int r;

	if (parts->v[part_idx].kind != HP_PART_FUNC || !obj->pair->include[part_idx] || twin == HP_NONE || hp_is_piece(name) ||
	    hp_is_hook(obj, part_idx))
		return 0;
	place = &obj->places[twin];
	if (place->state == HP_FUNC_ABSENT)
		return 0; /* the linker dropped it; reported by pack.c */
	if (place->state != HP_FUNC_PROVEN || place->by_place)
		return unproven(pk, obj, name, place->state, err);
	r = check_shared(pk, obj, part_idx, place->va, &obj->redirects[part_idx], err);
	if (r < 0 || obj->redirects[part_idx] != HP_REDIRECT_ENTRY)
		return r;
	r = check_text_relocs(pk, obj, name, place->va, obj->pair->old_obj->parts->v[twin].len, err);
	return r < 0 ? r : check_entry(pk, obj, name, place->va, obj->pair->old_obj->parts->v[twin].len, err);
}

/* A cold piece is reached through its parent alone, so a changed piece without its parent would change nothing. */
static int
check_piece(const struct hp_pk_obj *obj, uint32_t part_idx, struct hp_err *err)
{
	const struct hp_parts *parts = obj->pair->new_obj->parts;
	const char *name = hp_part_name(parts, part_idx);
	size_t len;

	if (parts->v[part_idx].kind != HP_PART_FUNC || !obj->pair->include[part_idx] || !hp_is_piece(name))
		return 0;
	len = (size_t)(strstr(name, ".cold") - name);
	for (uint32_t i = 0; i < parts->cnt; i++) {
		const char *parent = hp_part_name(parts, i);

		if (parts->v[i].kind == HP_PART_FUNC && obj->pair->include[i] && strncmp(parent, name, len) == 0 &&
		    parent[len] == '\0')
			return 0;
	}
	return hp_err_set(err, HP_E_REFUSED,
	                  "'%s': '%s' changed, but the function that it is a piece of is not part of the patch",
	                  hp_esc(obj->pair->path), hp_esc(name));
}

int
hp_plan_redirects(struct hp_pk *pk, struct hp_err *err)
{
	for (size_t o = 0; o < pk->objs_cnt; o++) {
		struct hp_pk_obj *obj = &pk->objs[o];

		if (!obj->in_module || obj->pair->old_obj == NULL || obj->pair->new_obj == NULL)
			continue;
		for (uint32_t i = 0; i < obj->pair->new_obj->parts->cnt; i++) {
			int r = plan(pk, obj, i, err);

			if (r == 0)
				r = check_piece(obj, i, err);
			if (r < 0)
				return r;
			pk->touched |= obj->redirects[i] == HP_REDIRECT_ENTRY;
		}
	}
	return 0;
}
