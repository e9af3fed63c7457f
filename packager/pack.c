#include "packager/pack.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/escape.h"
#include "formats/elf_same.h"
#include "formats/hash.h"
#include "formats/package.h"
#include "packager/internal.h"

/* The ID of a rebuild counts for the debug file when both load the same bytes. */
static int
check_twin(const struct hp_pack_options *o, struct hp_elf *twin, struct hp_err *err)
{
	HP_AUTO(hp_elf) struct hp_elf *base = NULL;
	uint64_t va;
	int r = hp_elf_open(o->baseline, o->baseline_path, &base, err);

	if (r < 0)
		return r;
	if (hp_elf_same_image(base, twin, &va))
		return 0;
	if (va == UINT64_MAX)
		return hp_err_set(err, HP_E_BASELINE, "the rebuild '%s' has other segments", hp_esc(o->twin_path));
	return hp_err_set(err, HP_E_BASELINE, "the rebuild '%s' differs at 0x%llx", hp_esc(o->twin_path), (unsigned long long)va);
}

static int
open_module(struct hp_pk *pk, struct hp_err *err)
{
	const struct hp_pack_options *o = pk->opts;
	HP_AUTO(hp_elf) struct hp_elf *twin = NULL;
	struct hp_debug_file debug = { .bytes = o->debug, .path = o->debug_path != NULL ? o->debug_path : "",
		                       .source = o->debug_source != NULL ? o->debug_source : "debug-file",
		                       .partial = o->debug_partial };
	int r = 0;

	if (o->twin.len > 0) {
		r = hp_elf_open(o->twin, o->twin_path, &twin, err);
		if (r == 0)
			r = check_twin(o, twin, err);
		if (r == 0 && !hp_elf_build_id(twin, &debug.id))
			r = hp_err_set(err, HP_E_BASELINE, "'%s' has no build ID", hp_esc(o->twin_path));
	}
	return r < 0 ? r : hp_module_open(o->baseline, o->baseline_path, o->debug.len > 0 ? &debug : NULL, &pk->mod, err);
}

int
hp_pk_start(struct hp_pk *pk, struct hp_err *err)
{
	const struct hp_pack_options *o = pk->opts;
	int r;

	if (pk->set->machine != EM_X86_64)
		return hp_err_set(err, HP_E_ARCH, "objects for ELF machine %u; only x86-64 can be packed", pk->set->machine);
	pk->items_tail = &pk->items;
	pk->fixes_tail = &pk->fixes;
	r = open_module(pk, err);
	if (r < 0)
		return hp_err_add(err, "baseline '%s'", hp_esc(o->baseline_path));
	pk->objs_cnt = pk->set->pairs_cnt;
	pk->objs = hp_arena_array(&pk->arena, pk->objs_cnt, sizeof(*pk->objs));
	if (pk->objs == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	for (size_t i = 0; i < pk->objs_cnt; i++)
		pk->objs[i].pair = &pk->set->pairs[i];
	return 0;
}

void
hp_pk_finish(struct hp_pk *pk)
{
	hp_module_free(pk->mod);
	hp_map_release(&pk->names);
	hp_map_release(&pk->proven);
	hp_map_release(&pk->new_defs);
	hp_map_release(&pk->pieces);
	hp_arena_release(&pk->arena);
}

static int
cmp_func(const void *a, const void *b)
{
	const struct hp_man_func *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

static int
cmp_str(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* The item is an entry of its own in the baseline: how is it described in the manifest? */
static void
describe(const struct hp_pk *pk, const struct hp_item *it, struct hp_man_func *ret)
{
	uint32_t twin = it->obj->pair->new_twin[it->part_idx];
	const struct hp_part *old = &it->obj->pair->old_obj->parts->v[twin];
	struct hp_view code = { 0 };

	*ret = (struct hp_man_func){ .name = it->name, .address = it->obj->places[twin].va, .size = old->len, .payload = it->va };
	ret->entry = hp_entry_of(pk->mod, ret->address, ret->size);
	if (hp_module_code_at(pk->mod, ret->address, ret->size, &code))
		hp_hash_256(code, ret->preimage);
}

static bool
is_replaced(const struct hp_item *it)
{
	return it->obj != NULL && it->func && it->obj->redirects[it->part_idx] == HP_REDIRECT_ENTRY;
}

/* Functions with a name of their own; pieces and stubs are not worth a line. */
static bool
is_added(const struct hp_item *it)
{
	return it->obj != NULL && it->func && !is_replaced(it) && it->name[0] != '\0' && !hp_is_piece(it->name);
}

static int
fill_target(struct hp_pk *pk, struct hp_man_target *t, struct hp_err *err)
{
	size_t cnt = 0, n = 0;

	for (const struct hp_item *it = pk->items; it != NULL; it = it->next)
		cnt++;
	t->funcs = hp_arena_array(&pk->arena, cnt, sizeof(*t->funcs));
	t->added = hp_arena_array(&pk->arena, cnt, sizeof(*t->added));
	if (t->funcs == NULL || t->added == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	for (const struct hp_item *it = pk->items; it != NULL; it = it->next) {
		if (is_replaced(it))
			describe(pk, it, &t->funcs[t->funcs_cnt++]);
		else if (is_added(it))
			t->added[t->added_cnt++] = it->name;
	}
	qsort(t->funcs, t->funcs_cnt, sizeof(*t->funcs), cmp_func);
	for (size_t i = 1; i < t->funcs_cnt; i++)
		if (t->funcs[i].address < t->funcs[i - 1].address + t->funcs[i - 1].size)
			return hp_err_set(err, HP_E_BASELINE, "functions '%s' and '%s' overlap in the baseline at 0x%llx",
			                  hp_esc(t->funcs[i - 1].name), hp_esc(t->funcs[i].name),
			                  (unsigned long long)t->funcs[i].address);
	qsort(t->added, t->added_cnt, sizeof(*t->added), cmp_str);
	/* Two objects may each add a static function of one name: named once. */
	for (size_t i = 0; i < t->added_cnt; i++)
		if (n == 0 || strcmp(t->added[n - 1], t->added[i]) != 0)
			t->added[n++] = t->added[i];
	t->added_cnt = n;
	t->name = base_name(pk->opts->baseline_path);
	t->cpu = "x86_64";
	t->kind = pk->mod->kind;
	t->build_id_len = (uint32_t)pk->mod->build_id.len;
	memcpy(t->build_id, pk->mod->build_id.p, pk->mod->build_id.len);
	t->symbols = pk->mod->symbols;
	return 0;
}

static int
fill_waivers(struct hp_pk *pk, struct hp_manifest *man, struct hp_err *err)
{
	man->waivers = hp_arena_array(&pk->arena, pk->set->reasons_cnt, sizeof(*man->waivers));
	if (man->waivers == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	for (size_t i = 0; i < pk->set->reasons_cnt; i++) {
		const struct hp_reason *why = &pk->set->reasons[i];

		if (why->waived)
			man->waivers[man->waivers_cnt++] = (struct hp_man_waiver){ why->rule, why->symbol, why->message, 0 };
	}
	return 0;
}

static int
fill_manifest(struct hp_pk *pk, struct hp_manifest *man, struct hp_err *err)
{
	const struct hp_pack_options *o = pk->opts;
	int r;

	man->name = "";
	man->baseline_name = o->baseline_name != NULL ? o->baseline_name : base_name(o->baseline_path);
	man->baseline_version = o->baseline_version != NULL ? o->baseline_version : "";
	man->source_patch = "";
	man->tool = o->tool;
	man->toolchain = pk->set->toolchain;
	man->toolchain_cnt = pk->set->toolchain_cnt;
	r = hp_meta_read(o->meta, &pk->arena, man, err);
	if (r < 0)
		return r;
	if (o->name != NULL)
		man->name = o->name;
	if (man->name[0] == '\0')
		man->name = hp_arena_printf(&pk->arena, "%s-hotpatch", base_name(o->baseline_path));
	if (o->serial != 0)
		man->serial = o->serial;
	if (man->serial == 0)
		man->serial = 1;
	if (man->name == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	return fill_waivers(pk, man, err);
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
report_objects(const struct hp_pk *pk, struct hp_pack_report *rep, struct hp_err *err)
{
	rep->objects = hp_arena_array(&rep->arena, pk->objs_cnt, sizeof(*rep->objects));
	if (rep->objects == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	for (size_t o = 0; o < pk->objs_cnt; o++) {
		const struct hp_pk_obj *obj = &pk->objs[o];
		struct hp_pack_object *out = &rep->objects[rep->objects_cnt];

		if (!obj->changed)
			continue;
		*out = (struct hp_pack_object){ .path = hp_arena_strdup(&rep->arena, obj->pair->path),
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
report_dropped(const struct hp_pk *pk, struct hp_pack_report *rep, struct hp_err *err)
{
	size_t cap = 0;

	for (int pass = 0; pass < 2; pass++) {
		if (pass == 1)
			rep->dropped = hp_arena_array(&rep->arena, cap, sizeof(*rep->dropped));
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
					rep->dropped[rep->dropped_cnt++] = hp_arena_strdup(&rep->arena, name);
			}
		}
	}
	for (size_t i = 0; i < rep->dropped_cnt; i++)
		if (rep->dropped[i] == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory");
	qsort(rep->dropped, rep->dropped_cnt, sizeof(*rep->dropped), cmp_str);
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
report_funcs(const struct hp_pk *pk, struct hp_pack_report *rep, struct hp_err *err)
{
	size_t cnt = 0;

	for (const struct hp_item *it = pk->items; it != NULL; it = it->next)
		cnt++;
	rep->replaced = hp_arena_array(&rep->arena, cnt, sizeof(*rep->replaced));
	rep->added = hp_arena_array(&rep->arena, cnt, sizeof(*rep->added));
	if (rep->replaced == NULL || rep->added == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	for (const struct hp_item *it = pk->items; it != NULL; it = it->next) {
		struct hp_pack_func f = { .new_size = it->len };
		struct hp_man_func man;

		if (!is_replaced(it) && !is_added(it))
			continue;
		f.name = hp_arena_strdup(&rep->arena, it->name);
		f.object = hp_arena_strdup(&rep->arena, it->obj->pair->path);
		if (f.name == NULL || f.object == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory");
		if (is_replaced(it)) {
			describe(pk, it, &man);
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
report(const struct hp_pk *pk, const struct hp_manifest *man, const struct hp_payload *payload, struct hp_pack_report *ret,
       struct hp_err *err)
{
	struct hp_pack_report rep = { .serial = man->serial, .image_len = man->targets[0].image_len,
		                      .file_len = payload->image.len, .code_len = code_len(pk),
		                      .fixups_cnt = (uint32_t)(payload->fixups.len / HP_FIXUP_LEN) };
	int r = report_objects(pk, &rep, err);

	if (r == 0)
		r = report_dropped(pk, &rep, err);
	if (r == 0)
		r = report_funcs(pk, &rep, err);
	rep.name = hp_arena_strdup(&rep.arena, man->name);
	rep.symbols = hp_arena_strdup(&rep.arena, pk->mod->symbols);
	if (r == 0 && (rep.name == NULL || rep.symbols == NULL))
		r = hp_err_set(err, HP_E_NOMEM, "no memory");
	if (r < 0) {
		hp_arena_release(&rep.arena);
		return r;
	}
	hp_hex(pk->mod->build_id.p, pk->mod->build_id.len, rep.build_id);
	*ret = rep;
	return 0;
}

/* The name of one of the C++ runtime's own types, _ZTSN10__cxxabiv117__class_type_infoE, is in the file. */
static bool
has_cxx_runtime(struct hp_view file)
{
	static const char name[] =
		"N10__cxxabiv117__class_type_inf"; /* and an 'o': or hpbuild would find this string in itself */
	const size_t len = sizeof(name) - 1;

	for (const uint8_t *p = file.p; (p = memmem(p, file.len - (size_t)(p - file.p), name, len)) != NULL; p += len)
		if (p + len < file.p + file.len && p[len] == 'o')
			return true;
	return false;
}

/* The applier finds the unwinder of a process by its symbols. A stripped module with C++'s runtime inside hides it: an exception
 * that passes a patched frame would find no handler above it and end the process (std::terminate()). The runtime is told by the
 * names of its own types, which stripping leaves. */
static int
check_exceptions(const struct hp_pk *pk, struct hp_err *err)
{

	if (pk->mod->elf->syms_cnt > 1 || hp_module_import(pk->mod, "__cxa_throw") != NULL ||
	    hp_module_import(pk->mod, "_Unwind_RaiseException") != NULL ||
	    !has_cxx_runtime(pk->mod->elf->file))
		return 0;
	return hp_err_set(
		err, HP_E_REFUSED,
		"'%s' is stripped and has C++'s runtime inside: exceptions could not pass a patched function, because its "
		"unwinder cannot be found in the process",
		hp_esc(pk->opts->baseline_path));
}

static int
pack(struct hp_pk *pk, struct hp_buf *ret_signed_part, struct hp_pack_report *ret_report, struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf image = { 0 };
	HP_AUTO(hp_buf) struct hp_buf fixups = { 0 };
	struct hp_man_target target = { 0 };
	struct hp_manifest man = { .targets = &target, .targets_cnt = 1 };
	struct hp_payload payload;
	int r = fill_manifest(pk, &man, err);

	if (r == 0)
		r = hp_locate(pk, err);
	if (r == 0)
		r = hp_judge(pk, err);
	if (r == 0)
		r = check_exceptions(pk, err);
	if (r == 0)
		r = hp_plan_redirects(pk, err);
	if (r == 0)
		r = hp_check_signatures(pk, err);
	if (r == 0)
		r = hp_resolve(pk, err);
	if (r == 0)
		r = hp_layout(pk, &image, &fixups, &target.image_len, err);
	if (r == 0)
		r = fill_target(pk, &target, err);
	if (r < 0)
		return r;
	payload = (struct hp_payload){ hp_buf_view(&image), hp_buf_view(&fixups) };
	r = hp_pkg_build(&man, &payload, ret_signed_part, err);
	return r < 0 ? r : report(pk, &man, &payload, ret_report, err);
}

int
hp_pack(const struct hp_patchset *set, const struct hp_pack_options *opts, struct hp_buf *ret_signed_part,
        struct hp_pack_report *ret_report, struct hp_err *err)
{
	struct hp_pk pk = { .set = set, .opts = opts };
	int r;

	if (set->verdict != HP_HOTPATCHABLE)
		return hp_err_set(err, set->verdict == HP_NOTHING ? HP_E_NOTHING : HP_E_REFUSED,
		                  set->verdict == HP_NOTHING ? "no functional change" : "the change was refused");
	r = hp_pk_start(&pk, err);
	if (r == 0)
		r = pack(&pk, ret_signed_part, ret_report, err);
	hp_pk_finish(&pk);
	return r;
}

void
hp_pack_report_release(struct hp_pack_report *rep)
{
	hp_arena_release(&rep->arena);
}
