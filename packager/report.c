/* What hp_pack() tells about its work, and the small questions about items that manifest and report share. */
#include "packager/import.h"

#include <stdlib.h>

#include "formats/hash.h"

int
hp_cmp_str(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char *
hp_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* The item is an entry of its own in the baseline: how is it described in the manifest? */
void
hp_describe(const struct hp_pk *pk, const struct hp_item *it, struct hp_man_func *ret)
{
	uint32_t twin = it->obj->pair->new_twin[it->part_idx];
	const struct hp_part *old = &it->obj->pair->old_obj->parts->v[twin];
	struct hp_view code = { 0 };

	*ret = (struct hp_man_func){ .name = it->name, .address = it->obj->places[twin].va, .size = old->len, .payload = it->va };
	ret->entry = hp_entry_of(pk->mod, ret->address, ret->size);
	/* A short function is patched together with the padding behind it: check_entry() has looked at that. */
	if (ret->entry + HP_ENTRY_LEN > ret->address + ret->size)
		ret->size = ret->entry + HP_ENTRY_LEN - ret->address;
	if (hp_module_code_at(pk->mod, ret->address, ret->size, &code))
		hp_hash_256(code, ret->preimage);
}

bool
hp_is_replaced(const struct hp_item *it)
{
	return it->obj != NULL && it->func && it->obj->redirects[it->part_idx] == HP_REDIRECT_ENTRY;
}

/* Functions with a name of their own; pieces and stubs are not worth a line. */
bool
hp_is_added(const struct hp_item *it)
{
	return it->obj != NULL && it->func && !hp_is_replaced(it) && it->name[0] != '\0' && !hp_is_piece(it->name);
}

static uint64_t
code_len(const struct hp_pk *pk)
{
	uint64_t len = 0;

	for (const struct hp_item *it = pk->items; it != NULL; it = it->next)
		len += it->cls == HP_ITEM_TEXT ? it->len : 0;
	return len;
}

static int
report_objects(const struct hp_pk *pk, struct hp_arena *arena, struct hp_pack_target *rep, struct hp_err *err)
{
	rep->objects = hp_arena_array(arena, pk->objs_cnt, sizeof(*rep->objects));
	if (rep->objects == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	for (size_t o = 0; o < pk->objs_cnt; o++) {
		const struct hp_pk_obj *obj = &pk->objs[o];
		struct hp_pack_object *out = &rep->objects[rep->objects_cnt];

		if (!obj->changed)
			continue;
		*out = (struct hp_pack_object){ .path = hp_arena_strdup(arena, obj->pair->path),
			                        .in_module = obj->in_module };
		if (out->path == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory");
		rep->objects_cnt++;
		for (uint32_t i = 0; obj->pair->old_obj != NULL && i < obj->pair->old_obj->parts->cnt; i++) {
			if (obj->pair->old_obj->parts->v[i].kind != HP_PART_FUNC || obj->pair->old_obj->parts->v[i].len == 0)
				continue;
			out->funcs_cnt++;
			out->proven_cnt += obj->places[i].state == HP_FUNC_PROVEN;
			out->dropped_cnt += obj->places[i].state == HP_FUNC_ABSENT;
		}
	}
	return 0;
}

static int
report_dropped(const struct hp_pk *pk, struct hp_arena *arena, struct hp_pack_target *rep, struct hp_err *err)
{
	size_t cap = 0;

	for (int pass = 0; pass < 2; pass++) {
		if (pass == 1)
			rep->dropped = hp_arena_array(arena, cap, sizeof(*rep->dropped));
		if (pass == 1 && rep->dropped == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory");
		for (size_t o = 0; o < pk->objs_cnt; o++) {
			const struct hp_pair *pair = pk->objs[o].pair;

			if (!pk->objs[o].in_module || pair->old_obj == NULL || pair->new_obj == NULL)
				continue;
			for (uint32_t i = 0; i < pair->new_obj->parts->cnt; i++) {
				uint32_t twin = pair->new_twin[i];
				const char *name;

				if (pair->new_obj->parts->v[i].kind != HP_PART_FUNC || !pair->include[i] || twin == HP_NONE ||
				    pk->objs[o].places[twin].state != HP_FUNC_ABSENT)
					continue;
				name = hp_part_name(pair->new_obj->parts, i);
				if (pass == 0)
					cap++;
				else
					rep->dropped[rep->dropped_cnt++] = hp_arena_strdup(arena, name);
			}
		}
	}
	for (size_t i = 0; i < rep->dropped_cnt; i++)
		if (rep->dropped[i] == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory");
	qsort(rep->dropped, rep->dropped_cnt, sizeof(*rep->dropped), hp_cmp_str);
	return 0;
}

static int
cmp_report(const void *a, const void *b)
{
	const struct hp_pack_func *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int
report_funcs(const struct hp_pk *pk, struct hp_arena *arena, struct hp_pack_target *rep, struct hp_err *err)
{
	size_t cnt = 0;

	for (const struct hp_item *it = pk->items; it != NULL; it = it->next)
		cnt++;
	rep->replaced = hp_arena_array(arena, cnt, sizeof(*rep->replaced));
	rep->added = hp_arena_array(arena, cnt, sizeof(*rep->added));
	if (rep->replaced == NULL || rep->added == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	for (const struct hp_item *it = pk->items; it != NULL; it = it->next) {
		struct hp_pack_func f = { .new_size = it->len };
		struct hp_man_func man;

		if (!hp_is_replaced(it) && !hp_is_added(it))
			continue;
		f.name = hp_arena_strdup(arena, it->name);
		f.object = hp_arena_strdup(arena, it->obj->pair->path);
		if (f.name == NULL || f.object == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory");
		if (hp_is_replaced(it)) {
			hp_describe(pk, it, &man);
			f.address = man.address;
			f.old_size = man.size;
			rep->replaced[rep->replaced_cnt++] = f;
		} else {
			rep->added[rep->added_cnt++] = f;
		}
	}
	qsort(rep->replaced, rep->replaced_cnt, sizeof(*rep->replaced), cmp_report);
	qsort(rep->added, rep->added_cnt, sizeof(*rep->added), cmp_report);
	return 0;
}

static int
report_imports(const struct hp_pk *pk, struct hp_arena *arena, struct hp_pack_target *rep, struct hp_err *err)
{
	rep->imports = hp_arena_array(arena, pk->imports_cnt, sizeof(*rep->imports));
	if (rep->imports == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	for (uint32_t i = 0; i < pk->imports_cnt; i++) {
		struct hp_pack_import *to = &rep->imports[rep->imports_cnt++];

		to->name = hp_arena_strdup(arena, pk->imports[i].name);
		to->version = hp_arena_strdup(arena, pk->imports[i].version);
		to->library = hp_arena_strdup(arena, pk->imports[i].library);
		if (to->name == NULL || to->version == NULL || to->library == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory");
	}
	return 0;
}

static int
report_target(const struct hp_pk *pk, const struct hp_manifest *man, const struct hp_payload *payloads, struct hp_arena *arena,
              struct hp_pack_target *ret, struct hp_err *err)
{
	int r;

	*ret = (struct hp_pack_target){
		.name = hp_arena_strdup(arena, hp_base_name(pk->base->path)),
		.symbols = hp_arena_strdup(arena, pk->mod->symbols),
		.touched = pk->touched,
		.code_len = code_len(pk),
	};
	if (ret->name == NULL || ret->symbols == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	hp_hex(pk->mod->build_id.p, pk->mod->build_id.len, ret->build_id);
	if (pk->touched) {
		ret->image_len = man->targets[pk->target].image_len;
		ret->file_len = payloads[pk->target].image.len;
		ret->fixups_cnt = (uint32_t)(payloads[pk->target].fixups.len / HP_FIXUP_LEN);
	}
	r = report_objects(pk, arena, ret, err);
	if (r == 0)
		r = report_dropped(pk, arena, ret, err);
	if (r == 0)
		r = report_imports(pk, arena, ret, err);
	return r == 0 ? report_funcs(pk, arena, ret, err) : r;
}

int
hp_report(const struct hp_pk *pks, size_t cnt, const struct hp_manifest *man, const struct hp_payload *payloads,
          struct hp_pack_report *ret, struct hp_err *err)
{
	struct hp_pack_report rep = { .serial = man->serial, .targets_cnt = cnt };
	int r = 0;

	rep.name = hp_arena_strdup(&rep.arena, man->name);
	rep.targets = hp_arena_array(&rep.arena, cnt, sizeof(*rep.targets));
	if (rep.name == NULL || rep.targets == NULL)
		r = hp_err_set(err, HP_E_NOMEM, "no memory");
	for (size_t m = 0; m < cnt && r == 0; m++)
		r = report_target(&pks[m], man, payloads, &rep.arena, &rep.targets[m], err);
	if (r < 0)
		hp_arena_release(&rep.arena);
	else
		*ret = rep;
	return r;
}
