/* New writable variables: what tells that a later package means the same one (DESIGN section 6, hpk(5)). */
#include <string.h>

#include "formats/dwarf_info.h"
#include "formats/hash.h"
#include "packager/internal.h"

bool
hp_is_variable(const struct hp_item *it)
{
	const struct hp_pair *pair = it->obj != NULL ? it->obj->pair : NULL;

	return pair != NULL && (it->cls == HP_ITEM_DATA || it->cls == HP_ITEM_BSS) && it->name[0] != '\0' && it->len > 0 &&
	       (pair->new_twin == NULL || pair->new_twin[it->part_idx] == HP_NONE);
}

/* Itanium C++ ABI 3.3.3, 5.1.4.1: guards of static locals have one layout, and no description. */
static bool
is_guard(const char *name)
{
	return strncmp(name, "_ZGV", 4) == 0;
}

static int
add_type(struct hp_pk *pk, struct hp_dwarf *dw, const struct hp_item *it, struct hp_man_var *ret, struct hp_err *err)
{
	static const char guard[] = "guard variable of the Itanium C++ ABI";
	const struct hp_part *part = &it->obj->pair->new_obj->parts->v[it->part_idx];
	uint8_t digest[HP_DIGEST_LEN];
	char hex[2 * HP_DIGEST_LEN + 1];
	int r = 1;

	ret->type = "";
	if (is_guard(it->name))
		hp_hash_256(hp_view_of((const uint8_t *)guard, sizeof(guard)), digest);
	else
		r = dw != NULL ? hp_dwarf_var_digest(dw, part->sec_idx, part->off, digest, err) : 0;
	if (r <= 0)
		return r;
	hp_hex(digest, sizeof(digest), hex);
	ret->type = hp_arena_strdup(&pk->arena, hex);
	return ret->type != NULL ? 0 : hp_err_set(err, HP_E_NOMEM, "no memory");
}

/* A static local is known by its function and declared name: the number in its symbol changes with every build. A name that the
 * C++ compiler mangled has the function in it, overloads told apart. */
static int
add_scope(struct hp_pk *pk, struct hp_dwarf *dw, const struct hp_item *it, struct hp_man_var *ret, struct hp_err *err)
{
	const struct hp_part *part = &it->obj->pair->new_obj->parts->v[it->part_idx];
	const struct hp_dwarf_static *statics = NULL;
	size_t cnt = 0;
	int r = 0;

	if (dw != NULL && strncmp(it->name, "_Z", 2) != 0)
		r = hp_dwarf_statics(dw, &statics, &cnt, err);
	for (size_t i = 0; i < cnt && r == 0; i++) {
		const struct hp_dwarf_static *s = &statics[i];

		if (s->sec_idx != part->sec_idx || s->off != part->off || s->function[0] == '\0')
			continue;
		ret->scope = hp_arena_strdup(&pk->arena, s->function);
		ret->name = s->ordinal == 0 ? hp_arena_strdup(&pk->arena, s->name)
		                            : hp_arena_printf(&pk->arena, "%s#%u", s->name, s->ordinal);
		if (ret->scope == NULL || ret->name == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory");
		break;
	}
	return r;
}

/* Debug information of the object that was asked about last. */
struct cached {
	const struct hp_pk_obj *obj;
	struct hp_dwarf *dw;
};

static int
open_dwarf(struct cached *c, const struct hp_pk_obj *obj, struct hp_err *err)
{
	if (c->obj == obj)
		return 0;
	hp_dwarf_free(c->dw);
	c->dw = NULL;
	c->obj = obj;
	return hp_dwarf_open(obj->pair->new_obj->elf, &c->dw, err);
}

static int
describe(struct hp_pk *pk, struct cached *c, const struct hp_item *it, struct hp_man_var *ret, struct hp_err *err)
{
	const struct hp_parts *parts = it->obj->pair->new_obj->parts;
	const struct hp_sym *sym = &parts->elf->syms[parts->v[it->part_idx].sym_idx];
	int r;

	*ret = (struct hp_man_var){ .object = "", .scope = "", .name = it->name, .size = it->len, .payload = it->va };
	r = open_dwarf(c, it->obj, err);
	if (r < 0)
		return r;
	r = add_type(pk, c->dw, it, ret, err);
	if (r < 0 || sym->bind != STB_LOCAL)
		return r;
	ret->object = it->obj->pair->path;
	return add_scope(pk, c->dw, it, ret, err);
}

int
hp_identify(struct hp_pk *pk, struct hp_man_target *ret, struct hp_err *err)
{
	static const enum hp_item_class order[] = { HP_ITEM_DATA, HP_ITEM_BSS }; /* as laid out: ascending addresses */
	struct cached c = { NULL, NULL };
	size_t cnt = 0;
	int r = 0;

	for (const struct hp_item *it = pk->items; it != NULL; it = it->next)
		cnt += hp_is_variable(it);
	ret->vars = hp_arena_array(&pk->arena, cnt, sizeof(*ret->vars));
	if (ret->vars == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	for (size_t i = 0; i < 2; i++)
		for (const struct hp_item *it = pk->items; it != NULL && r == 0; it = it->next)
			if (it->cls == order[i] && hp_is_variable(it))
				r = describe(pk, &c, it, &ret->vars[ret->vars_cnt++], err);
	hp_dwarf_free(c.dw);
	return r;
}
