/* References from one module of a package to what the fix changes in another one.
 *
 * A function that is changed is no question: callers in other modules come through their own PLT entry or GOT slot to the old
 * entry, which is redirected. One that is new has no entry: the payload of the caller gets a word with its address in the other
 * payload, and the applier makes sure that the dynamic linker would bind the name to it. Data has no entry either, but there
 * would be two: whoever reads it through the dynamic linker's slot reads the old one. And a name that the fix adds to two modules
 * is bound by the dynamic linker to one of them for both. */
#include "packager/peer.h"

#include "base/escape.h"
#include "packager/import.h"

static const struct hp_new_def *
definition(const struct hp_pk *pk, const char *name)
{
	uint64_t v;

	return hp_map_get_str(&pk->new_defs, name, &v) ? (const struct hp_new_def *)(uintptr_t)v : NULL;
}

static bool
is_included(const struct hp_new_def *def)
{
	return def->obj->pair->include != NULL && def->obj->pair->include[def->part_idx];
}

/* The module did not have it before. */
static bool
is_new(const struct hp_new_def *def)
{
	const struct hp_pair *pair = def->obj->pair;

	return is_included(def) && (pair->new_twin == NULL || pair->new_twin[def->part_idx] == HP_NONE);
}

static bool
is_func(const struct hp_new_def *def)
{
	return def->obj->pair->new_obj->parts->v[def->part_idx].kind == HP_PART_FUNC;
}

/* Visible to other modules, as far as the object tells. */
static bool
is_visible(const struct hp_new_def *def, const char *name)
{
	const struct hp_object *obj = def->obj->pair->new_obj;
	const struct hp_part *p = &obj->parts->v[def->part_idx];

	for (uint32_t j = 0; j < p->syms_cnt; j++) {
		const struct hp_sym *sym = &obj->elf->syms[obj->parts->part_syms[p->syms_first + j]];

		if (strcmp(sym->name, name) == 0)
			return sym->bind != STB_LOCAL && (sym->vis == STV_DEFAULT || sym->vis == STV_PROTECTED);
	}
	return false;
}

static int
refuse(struct hp_pk *pk, const struct hp_use *use, const char *why, const struct hp_pk *other, struct hp_err *err)
{
	const char *text = hp_arena_printf(&pk->arena, "%s ('%s')", why, hp_esc(hp_base_name(other->base->path)));

	return text != NULL ? hp_refuse(use, err, text) : hp_err_set(err, HP_E_NOMEM, "no memory");
}

/* The module has a definition of its own; the executable's copy of a library's variable (COPY relocation) is none. */
static bool
has_own(struct hp_pk *pk, const char *name)
{
	uint64_t va;

	if (definition(pk, name) != NULL)
		return true;
	return hp_module_slot_of(pk->mod, name, NULL, HP_SLOT_COPY) == NULL && hp_address_of_name(pk, name, &va, NULL) > 0;
}

int
hp_peer_check(struct hp_pk *pk, const struct hp_use *use, const char *name, struct hp_err *err)
{
	const struct hp_new_def *own = definition(pk, name);
	bool defined = has_own(pk, name);

	for (size_t m = 0; m < pk->all_cnt; m++) {
		const struct hp_pk *other = &pk->all[m];
		const struct hp_new_def *def = other != pk ? definition(other, name) : NULL;

		/* a new object is in no module yet: see check_new_objects() */
		if (def == NULL || def->obj->pair->old_obj == NULL || !is_included(def) || !is_visible(def, name))
			continue;
		if (!defined && !is_func(def))
			return refuse(pk, use, "data that the fix changes or adds in another module", other,
			              err);
		if (own != NULL && is_new(own) && is_new(def) && is_visible(own, name) && pk->mod->kind == HP_MAN_SHARED)
			return refuse(pk, use,
			              "the fix adds it here and to another module, and the dynamic linker would bind both to one "
			              "of them (make it static or hidden)",
			              other, err);
	}
	return 0;
}

/* The one module of the package that gets this new function. 1, 0, HP_E_REFUSED: several do. */
static int
find_new(struct hp_pk *pk, const struct hp_use *use, const char *name, const struct hp_new_def **ret, struct hp_err *err)
{
	const struct hp_new_def *found = NULL;

	for (size_t m = 0; m < pk->all_cnt; m++) {
		const struct hp_pk *other = &pk->all[m];
		const struct hp_new_def *def = other != pk ? definition(other, name) : NULL;

		if (def == NULL || def->obj->pair->old_obj == NULL || !is_new(def) || !is_func(def) || !is_visible(def, name))
			continue;
		if (found != NULL)
			return refuse(pk, use, "a function that the fix adds to several other modules", other, err);
		found = def;
	}
	*ret = found;
	return found != NULL;
}

int
hp_peer_find(struct hp_pk *pk, const struct hp_use *use, struct hp_target *ret, struct hp_err *err)
{
	const struct hp_sym *sym = use->rel != NULL ? &use->item->obj->pair->new_obj->elf->syms[use->rel->sym_idx] : NULL;
	bool call = use->ref.branch && !use->got, word = use->got || (use->rel != NULL && use->rel->type == R_X86_64_64);
	const struct hp_new_def *def = NULL;
	struct hp_import import = { .version = "" };
	uint32_t idx;
	int r = sym == NULL || pk->all_cnt < 2 || has_own(pk, sym->name) ? 0 : find_new(pk, use, sym->name, &def, err);

	if (r <= 0)
		return r;
	if (sym->bind == STB_WEAK || hp_module_import(pk->mod, sym->name) != NULL)
		return refuse(pk, use, "the fix adds it to another module, and this one may find another definition",
		              def->obj->pk, err);
	if (!call && !word)
		return refuse(pk, use, "a direct reference to a function that the fix adds to another module", def->obj->pk, err);
	import.name = sym->name;
	import.library = hp_base_name(def->obj->pk->base->path);
	r = hp_import_number(pk, &import, &idx, err);
	if (r < 0)
		return r;
	*ret = (struct hp_target){ .kind = HP_FIX_PEER, .item = hp_item_of_part(def->obj->pk, def->obj, def->part_idx),
		                   .value = idx, .off = (int64_t)def->off };
	if (ret->item == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	def->obj->pk->touched = true;
	if (call) {
		ret->item = hp_item_import_stub(pk, use->name, ret, err);
		if (ret->item == NULL)
			return HP_E_NOMEM;
		*ret = (struct hp_target){ .kind = HP_FIX_ITEM, .item = ret->item };
	}
	ret->off += use->ref.off;
	return 1;
}
