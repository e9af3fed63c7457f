/* Which changed objects are part of which of the package's modules. The bytes decide, and where they cannot, the symbols:
 *
 * an object goes into every module of which it is proven to be a part. When it is proven whole in one, it is no part of another
 * one whose symbol table does not know its source file, or that has only other code under some of its names and none of what
 * changed (two programs have a main() each; two modules may have copies of one header's inline functions). Everything else that
 * contradicts itself is an error, and so is a changed object that is in none of several modules: part of the fix would be
 * missing.
 */
#include "packager/internal.h"

#include <fnmatch.h>

#include "base/escape.h"

enum { SEARCH_MAX = 64 };

static void
tell(const struct hp_pack_options *opts, struct hp_err *why, const char *module)
{
	char text[HP_ERR_FRAMES * HP_ERR_TEXT];

	(void)hp_err_add(why, "not in '%s'", hp_esc(module));
	hp_err_format(why, text, sizeof(text));
	if (opts->tell != NULL)
		opts->tell(opts->tell_ctx, text);
}

/* Bytes of the baseline are to be replaced by this part of the patched side; ${ret_old}: of which part of the original. */
static bool
is_changed_func(const struct hp_pk_obj *obj, uint32_t part, uint32_t *ret_old)
{
	const struct hp_pair *pair = obj->pair;

	if (pair->new_obj->parts->v[part].kind != HP_PART_FUNC || !pair->include[part] || pair->new_twin[part] == HP_NONE ||
	    hp_is_piece(hp_part_name(pair->new_obj->parts, part)))
		return false;
	*ret_old = pair->new_twin[part];
	return true;
}

static bool
is_strong(const struct hp_place *place)
{
	return place->state == HP_FUNC_PROVEN && !place->by_place;
}

static bool
has_change(const struct hp_pk_obj *obj)
{
	uint32_t old;

	for (uint32_t i = 0; obj->pair->new_obj != NULL && i < obj->pair->new_obj->parts->cnt; i++)
		if (is_changed_func(obj, i, &old) && is_strong(&obj->places[old]))
			return true;
	return false;
}

/* Proven beyond doubt: nothing differs, and every function that changed is there, or was dropped by the linker. */
static bool
is_home(const struct hp_pk_obj *obj)
{
	const struct hp_parts *parts = obj->pair->old_obj->parts;
	bool proven = false;
	uint32_t old;

	for (uint32_t i = 0; i < parts->cnt; i++)
		proven |= parts->v[i].kind == HP_PART_FUNC && is_strong(&obj->places[i]);
	for (uint32_t i = 0; obj->pair->new_obj != NULL && i < obj->pair->new_obj->parts->cnt; i++)
		if (is_changed_func(obj, i, &old) && !is_strong(&obj->places[old]) && obj->places[old].state != HP_FUNC_ABSENT)
			return false;
	return proven;
}

/* The module has other code under names of the object, which says nothing: every program has a main(), and another object of the
 * set is proven to have the rest. */
static bool
is_excused(const struct hp_pk *pk, const struct hp_pk_obj *obj)
{
	const struct hp_parts *parts = obj->pair->old_obj->parts;

	for (uint32_t i = 0; i < parts->cnt; i++) {
		const char *name = hp_part_name(parts, i);

		if (obj->places[i].state == HP_FUNC_MISMATCH && strcmp(name, "main") != 0 && !hp_proven_elsewhere(pk, obj, name))
			return false;
	}
	return true;
}

/* 1: the function's bytes, which tell it from others in ${home} (NULL: from any), stand nowhere in the stripped module. */
static int
is_nowhere(struct hp_pk *pk, const struct hp_pk *home, const struct hp_pk_obj *obj, uint32_t old, struct hp_err *err)
{
	const struct hp_parts *parts = obj->pair->old_obj->parts;
	uint64_t v[SEARCH_MAX];
	uint32_t cnt, finds;

	if (home != NULL ? hp_preimage_search(parts, old, home->mod, 1, v) == 0 : !hp_preimage_is_distinct(parts, old))
		return 0;
	cnt = hp_preimage_search(parts, old, pk->mod, SEARCH_MAX, v);
	for (uint32_t i = 0; i < cnt; i++) {
		int r = hp_preimage_match(parts, old, pk->mod, v[i], pk->finds, &finds, NULL, err);

		if (r != 0)
			return r < 0 ? r : 0;
	}
	return cnt < SEARCH_MAX;
}

/* The module takes a symbol from elsewhere that the object defines: had the object been linked, it would have that one. */
static bool
imports_its_symbols(const struct hp_pk *pk, const struct hp_pk_obj *obj)
{
	const struct hp_object *old = obj->pair->old_obj;

	for (uint32_t i = 1; i < old->elf->syms_cnt; i++) {
		const struct hp_sym *sym = &old->elf->syms[i];

		if (sym->bind == STB_GLOBAL && old->parts->sym_part[i] != HP_NONE && hp_module_import(pk->mod, sym->name) != NULL)
			return true;
	}
	return false;
}

/* 1: the section of the function is not in the module: linkers place it as a whole, so one function of it tells. */
static int
is_dropped(struct hp_pk *pk, const struct hp_pk *home, const struct hp_pk_obj *obj, uint32_t old, struct hp_err *err)
{
	const struct hp_parts *parts = obj->pair->old_obj->parts;
	int r = is_nowhere(pk, home, obj, old, err);

	for (uint32_t i = 0; i < parts->cnt && r == 0; i++)
		if (i != old && parts->v[i].kind == HP_PART_FUNC && parts->v[i].sec_idx == parts->v[old].sec_idx)
			r = is_nowhere(pk, home, obj, i, err);
	return r;
}

/* 1: none of the functions that changed is in the stripped module. */
static int
is_absent(struct hp_pk *pk, const struct hp_pk *home, const struct hp_pk_obj *obj, struct hp_err *err)
{
	uint32_t old;
	int r = 1;

	if (imports_its_symbols(pk, obj))
		return 1;
	for (uint32_t i = 0; obj->pair->new_obj != NULL && i < obj->pair->new_obj->parts->cnt && r == 1; i++)
		if (is_changed_func(obj, i, &old) && obj->places[old].state != HP_FUNC_ABSENT)
			r = is_dropped(pk, home, obj, old, err);
	return r;
}

/* 1: the object, proven whole in ${home}, is no part of this module although something there looks like it. */
static int
is_stranger(struct hp_pk *pk, const struct hp_pk *home, const struct hp_pk_obj *obj, enum hp_fit fit, struct hp_err *err)
{
	uint64_t v;

	if (pk->mod->has_files && obj->file[0] != '\0' && !hp_map_get_str(&pk->mod->files, obj->file, &v))
		return 1;
	if (has_change(obj))
		return 0;
	if (fit == HP_FIT_DIFFERS)
		return is_excused(pk, obj);
	if (pk->mod->has_symtab)
		return 0; /* the linker dropped what changed */
	return is_absent(pk, home, obj, err);
}

/* Nothing of the object was seen in a module without symbols. Its functions may be too small to be seen. ${home}: the module of
 * which it is proven to be a part, NULL = none. */
static int
check_absent(struct hp_pk *pk, const struct hp_pk *home, const struct hp_pk_obj *obj, struct hp_err *err)
{
	int r = pk->mod->has_symtab && pk->mod->has_statics ? 1 : is_absent(pk, home, obj, err);

	if (r != 0)
		return r < 0 ? r : 0;
	if (home == NULL)
		return hp_err_set(err, HP_E_BASELINE,
		                  "whether the changed object '%s' is part of '%s' cannot be told without symbols, because what "
		                  "changed is too small: give its --debug-file, or --outside if it is none",
		                  hp_esc(obj->pair->path), hp_esc(pk->base->path));
	return hp_err_set(err, HP_E_BASELINE,
	                  "'%s' is part of '%s'; whether it is part of '%s', too, cannot be told without symbols, because what "
	                  "changed is too small: give its --debug-file",
	                  hp_esc(obj->pair->path), hp_esc(home->base->path), hp_esc(pk->base->path));
}

static bool
is_outside(const struct hp_pack_options *opts, const char *path)
{
	for (size_t i = 0; i < opts->outside_cnt; i++)
		if (fnmatch(opts->outside[i], path, 0) == 0)
			return true;
	return false;
}

/* Why the object is in none of the modules, or not in one of which it seems to be a part. ${in}: a module that it is in, NULL =
 * none. */
static int
explain(const struct hp_pk *pks, size_t cnt, size_t idx, const enum hp_fit *fits, const struct hp_pk *in,
        const struct hp_pack_options *opts, struct hp_err *err)
{
	const char *path = pks[0].objs[idx].pair->path;

	for (size_t m = 0; m < cnt; m++) {
		const struct hp_pk_obj *obj = &pks[m].objs[idx];
		struct hp_err why = { 0 };

		if (fits[m] == HP_FIT_DIFFERS)
			(void)hp_say_mismatch(&pks[m], obj, hp_first_mismatch(obj), &why);
		else if (fits[m] == HP_FIT_OTHER && in == NULL)
			(void)hp_err_set(
				&why, HP_E_BASELINE, "'%s': none of its functions is there%s", hp_esc(path),
				pks[m].mod->has_symtab ? "" : ", as far as can be seen without symbols: give its --debug-file");
		else
			continue;
		if (cnt == 1)
			return hp_say_mismatch(&pks[m], obj, hp_first_mismatch(obj), err);
		tell(opts, &why, pks[m].base->path);
		if (in != NULL)
			return hp_err_set(err, HP_E_BASELINE,
			                  "'%s' is part of '%s', but '%s' has other code under its names: not of the same build",
			                  hp_esc(path), hp_esc(in->base->path), hp_esc(pks[m].base->path));
	}
	return hp_err_set(err, HP_E_BASELINE,
	                  "the changed object '%s' is part of none of the %zu baselines (--outside, if it is meant to be so)",
	                  hp_esc(path), cnt);
}

/* What the proof in another module says about this one. */
static int
refine(struct hp_pk *pk, const struct hp_pk *home, const struct hp_pk_obj *obj, enum hp_fit *fit, struct hp_err *err)
{
	int r;

	if (home != pk && *fit == HP_FIT_OTHER)
		return check_absent(pk, home, obj, err);
	if (home == NULL || home == pk)
		return 0;
	r = is_stranger(pk, home, obj, *fit, err);
	if (r > 0)
		*fit = HP_FIT_OTHER;
	return r < 0 ? r : 0;
}

static int
assign(struct hp_pk *pks, size_t cnt, size_t idx, const struct hp_pack_options *opts, struct hp_err *err)
{
	enum hp_fit fits[HP_PKG_TARGETS_MAX];
	const struct hp_pk *home = NULL, *in = NULL;
	bool differs = false, outside;

	for (size_t m = 0; m < cnt; m++) {
		fits[m] = hp_fit_of(&pks[m], &pks[m].objs[idx]);
		if (in == NULL && fits[m] == HP_FIT_WHOLE)
			in = &pks[m];
		if (home == NULL && fits[m] == HP_FIT_WHOLE && is_home(&pks[m].objs[idx]))
			home = &pks[m];
	}
	outside = home == NULL && is_outside(opts, pks[0].objs[idx].pair->path);
	for (size_t m = 0; m < cnt && !outside; m++) {
		int r = in == NULL && cnt > 1 ? 0 : refine(&pks[m], home, &pks[m].objs[idx], &fits[m], err);

		if (r < 0)
			return r;
		pks[m].objs[idx].in_module = fits[m] == HP_FIT_WHOLE;
		differs |= fits[m] == HP_FIT_DIFFERS;
	}
	if (outside || (!differs && (in != NULL || cnt == 1)))
		return 0;
	return explain(pks, cnt, idx, fits, home != NULL ? home : in, opts, err);
}

static bool
has_member(const struct hp_pk *pk)
{
	for (size_t o = 0; o < pk->objs_cnt; o++)
		if (pk->objs[o].in_module && pk->objs[o].pair->old_obj != NULL)
			return true;
	return false;
}

/* Without any changed object. A symbol table shows that; without one, the module may as well be of another build. */
static int
check_empty(const struct hp_pk *pk, size_t cnt, struct hp_err *err)
{
	if (cnt > 1 && pk->mod->has_symtab)
		return 0;
	for (size_t o = pk->objs_cnt; o-- > 0;)
		if (pk->objs[o].changed && pk->objs[o].pair->old_obj != NULL)
			return hp_say_none(pk, &pk->objs[o], err);
	return hp_err_set(err, HP_E_BASELINE, "the patch changes no object of '%s'", hp_esc(pk->base->path));
}

static int
prepare(struct hp_pk *pks, size_t cnt, struct hp_err *err)
{
	int r = 0;

	for (size_t m = 0; m < cnt && r == 0; m++) {
		r = hp_mark_lost(&pks[m], err);
		if (r == 0)
			r = hp_list_proven(&pks[m], err);
	}
	return r;
}

/* All objects, so that all that is in the way is told. */
static int
assign_all(struct hp_pk *pks, size_t cnt, const struct hp_pack_options *opts, struct hp_err *err)
{
	struct hp_err first = { 0 };

	for (size_t o = 0; o < pks[0].objs_cnt; o++) {
		struct hp_err why = { 0 };
		int r;

		if (!pks[0].objs[o].changed)
			continue;
		if (pks[0].objs[o].pair->old_obj == NULL) {
			for (size_t m = 0; m < cnt; m++)
				pks[m].objs[o].in_module = true; /* a new object; what is used of it decides */
			continue;
		}
		r = assign(pks, cnt, o, opts, &why);
		if (r < 0 && first.code == 0)
			first = why;
		if (r < 0 && (r != HP_E_BASELINE || cnt == 1))
			break;
	}
	if (err != NULL && first.code != 0)
		*err = first;
	return first.code;
}

int
hp_judge(struct hp_pk *pks, size_t cnt, const struct hp_pack_options *opts, struct hp_err *err)
{
	int r = prepare(pks, cnt, err);

	if (r == 0)
		r = assign_all(pks, cnt, opts, err);
	for (size_t m = 0; m < cnt && r == 0; m++) {
		if (!has_member(&pks[m]))
			r = check_empty(&pks[m], cnt, err);
		if (r == 0)
			r = hp_drop_duplicates(&pks[m], err);
	}
	return r;
}
