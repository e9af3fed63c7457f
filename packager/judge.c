/* What the proof means for one object and one module: part of it and proven, not part of it, or a baseline that does not fit. And
 * the addresses that follow from it. Several modules: assign.c. */
#include "packager/internal.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/escape.h"

static bool
is_func(const struct hp_parts *parts, uint32_t i)
{
	return parts->v[i].kind == HP_PART_FUNC && parts->v[i].len > 0;
}

static uint32_t
count(const struct hp_pk_obj *obj, enum hp_func_state state)
{
	const struct hp_parts *parts = obj->pair->old_obj->parts;
	uint32_t n = 0;

	for (uint32_t i = 0; i < parts->cnt; i++)
		n += is_func(parts, i) && obj->places[i].state == state;
	return n;
}

/* Names of proven functions, each with the object that proves it; HP_NONE when several do. */
int
hp_list_proven(struct hp_pk *pk, struct hp_err *err)
{
	for (uint32_t o = 0; o < pk->objs_cnt; o++) {
		const struct hp_pk_obj *obj = &pk->objs[o];
		const struct hp_parts *parts;

		if (!obj->changed || obj->pair->old_obj == NULL)
			continue;
		parts = obj->pair->old_obj->parts;
		for (uint32_t i = 0; i < parts->cnt; i++) {
			const char *name = hp_part_name(parts, i);
			uint64_t by;
			int r;

			if (!is_func(parts, i) || obj->places[i].state != HP_FUNC_PROVEN)
				continue;
			by = hp_map_get_str(&pk->proven, name, &by) && by != o ? HP_NONE : o;
			r = hp_map_put_str(&pk->proven, name, by, err);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* Does another object of the set prove a function of this name? Build trees hold objects compiled twice (with and without -fPIC)
 * and several programs; of a pair of such twins only one is in the module. */
bool
hp_proven_elsewhere(const struct hp_pk *pk, const struct hp_pk_obj *obj, const char *name)
{
	uint64_t by;

	return hp_map_get_str(&pk->proven, name, &by) && (by == HP_NONE || obj != &pk->objs[by]);
}

/* Another changed object of the same source file, all of which is proven: of that pair it is the linked one. */
static bool
has_proven_twin(const struct hp_pk *pk, const struct hp_pk_obj *obj)
{
	for (size_t o = 0; o < pk->objs_cnt; o++) {
		const struct hp_pk_obj *other = &pk->objs[o];

		if (other != obj && other->changed && other->pair->old_obj != NULL && strcmp(other->file, obj->file) == 0 &&
		    count(other, HP_FUNC_PROVEN) > 0 && count(other, HP_FUNC_MISMATCH) == 0)
			return true;
	}
	return false;
}

/* Something is proven to be this object's, and no other object proves it. */
static bool
has_own_code(const struct hp_pk *pk, const struct hp_pk_obj *obj)
{
	const struct hp_parts *parts = obj->pair->old_obj->parts;

	for (uint32_t i = 0; i < parts->cnt; i++)
		if (is_func(parts, i) && obj->places[i].state == HP_FUNC_PROVEN && !obj->places[i].by_place &&
		    !hp_proven_elsewhere(pk, obj, hp_part_name(parts, i)))
			return true;
	return false;
}

static bool
is_other_module(const struct hp_pk *pk, const struct hp_pk_obj *obj)
{
	const struct hp_parts *parts = obj->pair->old_obj->parts;
	bool claimed = false;
	uint64_t v;

	if (count(obj, HP_FUNC_PROVEN) == 0 && count(obj, HP_FUNC_MISMATCH) == 0 && count(obj, HP_FUNC_AMBIGUOUS) == 0)
		return true;
	/* The module has file symbols, but none of this object's source file: its names are those of other objects. */
	if (count(obj, HP_FUNC_PROVEN) == 0 && pk->mod->has_files && obj->file[0] != '\0' &&
	    !hp_map_get_str(&pk->mod->files, obj->file, &v))
		return true;
	for (uint32_t i = 0; i < parts->cnt; i++) {
		if (!is_func(parts, i) || obj->places[i].state != HP_FUNC_MISMATCH)
			continue;
		if (!hp_proven_elsewhere(pk, obj, hp_part_name(parts, i)))
			return false;
		claimed = true;
	}
	if (!claimed)
		return false;
	/* The same name in another object is not enough to leave this one out: static functions share names, and a baseline of
	 * other source would get half of the fix. */
	if (pk->mod->has_files && obj->file[0] != '\0' && hp_map_get_str(&pk->mod->files, obj->file, &v))
		return has_proven_twin(pk, obj);
	return pk->mod->has_files || !has_own_code(pk, obj);
}

uint32_t
hp_first_mismatch(const struct hp_pk_obj *obj)
{
	for (uint32_t i = 0; i < obj->pair->old_obj->parts->cnt; i++)
		if (obj->places[i].state == HP_FUNC_MISMATCH)
			return i;
	return HP_NONE;
}

enum hp_fit
hp_fit_of(const struct hp_pk *pk, const struct hp_pk_obj *obj)
{
	if (is_other_module(pk, obj))
		return HP_FIT_OTHER;
	return hp_first_mismatch(obj) != HP_NONE ? HP_FIT_DIFFERS : HP_FIT_WHOLE;
}

int
hp_judge_members(struct hp_pk *pk, struct hp_err *err)
{
	int r = hp_list_proven(pk, err);

	for (size_t o = 0; o < pk->objs_cnt && r == 0; o++) {
		struct hp_pk_obj *obj = &pk->objs[o];

		obj->in_module = !is_other_module(pk, obj);
	}
	return r;
}

static int
say_ambiguous(const struct hp_pk *pk, const char *name, const char *object, struct hp_err *err)
{
	char list[160] = "";
	uint32_t first, cnt = hp_module_named(pk->mod, name, &first);
	size_t len = 0;

	for (uint32_t i = 0; i < cnt && len + 24 < sizeof(list); i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s0x%" PRIx64, i > 0 ? ", " : "",
		                        pk->mod->syms[pk->mod->by_name[first + i]].va);
	return hp_err_set(err, HP_E_BASELINE, "%s%s%s'%s' is ambiguous in the baseline, which has it at %s",
	                  object[0] != '\0' ? "'" : "", object[0] != '\0' ? hp_esc(object) : "", object[0] != '\0' ? "': " : "",
	                  hp_esc(name), list);
}

/* A hidden global has become local in the module; linkers keep its visibility, or list it behind the last file. */
static bool
may_be_global(const struct hp_mod_sym *s)
{
	return s->bind != STB_LOCAL || s->vis != STV_DEFAULT || s->file[0] == '\0';
}

int
hp_address_of_name(struct hp_pk *pk, const char *name, uint64_t *ret, struct hp_err *err)
{
	const struct hp_known *k = hp_known_name(pk, name);
	uint32_t first, cnt, hits = 0;
	bool global = false;

	if (k != NULL && k->has_addr) {
		*ret = k->addr;
		return 1;
	}
	cnt = hp_module_named(pk->mod, name, &first);
	for (uint32_t i = 0; i < cnt; i++) {
		const struct hp_mod_sym *s = &pk->mod->syms[pk->mod->by_name[first + i]];

		if (s->type == STT_TLS || s->type == STT_GNU_IFUNC || !may_be_global(s))
			continue;
		/* A real global beats leftovers; two of the same rank at two addresses are one too many. */
		if (s->bind != STB_LOCAL && !global) {
			global = true;
			hits = 0;
		} else if (s->bind == STB_LOCAL && global) {
			continue;
		}
		if (hits > 0 && *ret == s->va)
			continue;
		*ret = s->va;
		hits++;
	}
	if (hits > 1)
		return say_ambiguous(pk, name, "", err);
	return hits == 1;
}

/* Local names: only those of the object's own file count. */
static int
address_of_local(struct hp_pk *pk, const struct hp_pk_obj *obj, const struct hp_sym *sym, uint64_t *ret, struct hp_err *err)
{
	uint32_t first, cnt = hp_module_named(pk->mod, sym->name, &first), own = 0, all = 0;
	uint64_t own_va = 0, all_va = 0;

	for (uint32_t i = 0; i < cnt; i++) {
		const struct hp_mod_sym *s = &pk->mod->syms[pk->mod->by_name[first + i]];

		if (s->type == STT_TLS || s->bind != STB_LOCAL || (s->size != 0 && sym->size != 0 && s->size != sym->size))
			continue;
		all++;
		all_va = s->va;
		if (strcmp(s->file, obj->file) == 0) {
			own++;
			own_va = s->va;
		}
	}
	if (own > 1 || (own == 0 && all > 1))
		return say_ambiguous(pk, sym->name, obj->pair->path, err);
	*ret = own == 1 ? own_va : all_va;
	return all > 0;
}

int
hp_address_of_part(struct hp_pk *pk, struct hp_pk_obj *obj, uint32_t old_part, uint64_t *ret, struct hp_err *err)
{
	const struct hp_parts *parts = obj->pair->old_obj->parts;
	const struct hp_part *part = &parts->v[old_part];

	if (obj->places[old_part].state == HP_FUNC_PROVEN && !obj->places[old_part].by_place) {
		*ret = obj->places[old_part].va;
		return 1;
	}
	if (obj->secs[part->sec_idx].has_addr) {
		*ret = obj->secs[part->sec_idx].addr + part->off;
		return 1;
	}
	for (uint32_t j = 0; j < part->syms_cnt; j++) {
		const struct hp_sym *sym = &parts->elf->syms[parts->part_syms[part->syms_first + j]];
		int r;

		if (sym->name[0] == '\0' || sym->type == STT_SECTION)
			continue;
		r = sym->bind == STB_LOCAL ? address_of_local(pk, obj, sym, ret, err)
		                           : hp_address_of_name(pk, sym->name, ret, err);
		if (r != 0)
			return r;
	}
	return 0;
}
