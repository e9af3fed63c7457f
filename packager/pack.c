#include "packager/pack.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/escape.h"
#include "formats/elf_same.h"
#include "formats/hash.h"
#include "formats/hooks.h"
#include "formats/package.h"
#include "packager/import.h"
#include "packager/internal.h"
#include "packager/needed.h"

/* The ID of a rebuild counts for the debug file when both load the same bytes. */
static int
check_twin(const struct hp_pack_baseline *o, struct hp_elf *twin, struct hp_err *err)
{
	HP_AUTO(hp_elf) struct hp_elf *base = NULL;
	uint64_t va;
	int r = hp_elf_open(o->file, o->path, &base, err);

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
	const struct hp_pack_baseline *o = pk->base;
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
	return r < 0 ? r : hp_module_open(o->file, o->path, o->debug.len > 0 ? &debug : NULL, &pk->mod, err);
}

int
hp_pk_start(struct hp_pk *pk, struct hp_err *err)
{
	int r;

	if (pk->set->machine != EM_X86_64)
		return hp_err_set(err, HP_E_ARCH, "objects for ELF machine %u; only x86-64 can be packed", pk->set->machine);
	pk->items_tail = &pk->items;
	pk->fixes_tail = &pk->fixes;
	pk->unresolved = &pk->items;
	r = open_module(pk, err);
	if (r < 0)
		return hp_err_add(err, "baseline '%s'", hp_esc(pk->base->path));
	pk->objs_cnt = pk->set->pairs_cnt;
	pk->objs = hp_arena_array(&pk->arena, pk->objs_cnt, sizeof(*pk->objs));
	if (pk->objs == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	for (size_t i = 0; i < pk->objs_cnt; i++)
		pk->objs[i] = (struct hp_pk_obj){ .pair = &pk->set->pairs[i], .pk = pk };
	return 0;
}

void
hp_pk_finish(struct hp_pk *pk)
{
	hp_layout_release(pk);
	hp_module_free(pk->mod);
	hp_needed_free(pk->needed);
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
fill_hooks(struct hp_pk *pk, struct hp_man_target *t, struct hp_err *err)
{
	size_t cnt = 0;

	for (int pass = 0; pass < 2; pass++) {
		if (pass == 1)
			t->hooks = hp_arena_array(&pk->arena, cnt, sizeof(*t->hooks));
		if (pass == 1 && t->hooks == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory");
		/* items of one class have ascending addresses */
		for (const struct hp_item *it = pk->items; it != NULL; it = it->next) {
			const struct hp_parts *parts;
			const char *section;

			if (it->obj == NULL || !hp_is_hook(it->obj, it->part_idx))
				continue;
			parts = it->obj->pair->new_obj->parts;
			section = parts->elf->secs[parts->v[it->part_idx].sec_idx].name;
			if (pass == 0)
				cnt++;
			else
				t->hooks[t->hooks_cnt++] = (struct hp_man_hook){ hp_hook_when(section),
					hp_hook_name(section, it->name), it->va };
		}
	}
	return 0;
}

static int
fill_target(struct hp_pk *pk, struct hp_man_target *t, struct hp_err *err)
{
	size_t cnt = 0, n = 0;
	int r;

	for (const struct hp_item *it = pk->items; it != NULL; it = it->next)
		cnt++;
	t->funcs = hp_arena_array(&pk->arena, cnt, sizeof(*t->funcs));
	t->added = hp_arena_array(&pk->arena, cnt, sizeof(*t->added));
	if (t->funcs == NULL || t->added == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	for (const struct hp_item *it = pk->items; it != NULL; it = it->next) {
		if (hp_is_replaced(it))
			hp_describe(pk, it, &t->funcs[t->funcs_cnt++]);
		else if (hp_is_added(it))
			t->added[t->added_cnt++] = it->name;
	}
	qsort(t->funcs, t->funcs_cnt, sizeof(*t->funcs), cmp_func);
	for (size_t i = 1; i < t->funcs_cnt; i++)
		if (t->funcs[i].address < t->funcs[i - 1].address + t->funcs[i - 1].size)
			return hp_err_set(err, HP_E_BASELINE, "functions '%s' and '%s' overlap in the baseline at 0x%llx",
			                  hp_esc(t->funcs[i - 1].name), hp_esc(t->funcs[i].name),
			                  (unsigned long long)t->funcs[i].address);
	qsort(t->added, t->added_cnt, sizeof(*t->added), hp_cmp_str);
	/* Two objects may each add a static function of one name: named once. */
	for (size_t i = 0; i < t->added_cnt; i++)
		if (n == 0 || strcmp(t->added[n - 1], t->added[i]) != 0)
			t->added[n++] = t->added[i];
	t->added_cnt = n;
	r = fill_hooks(pk, t, err);
	if (r == 0)
		r = hp_identify(pk, t, err);
	if (r < 0)
		return r;
	t->name = hp_base_name(pk->base->path);
	t->cpu = "x86_64";
	t->kind = pk->mod->kind;
	t->build_id_len = (uint32_t)pk->mod->build_id.len;
	memcpy(t->build_id, pk->mod->build_id.p, pk->mod->build_id.len);
	t->symbols = pk->mod->symbols;
	t->imports_cnt = pk->imports_cnt;
	return hp_imports_list(pk, &t->imports, err);
}

static int
fill_waivers(const struct hp_patchset *set, struct hp_arena *arena, struct hp_manifest *man, struct hp_err *err)
{
	man->waivers = hp_arena_array(arena, set->reasons_cnt, sizeof(*man->waivers));
	if (man->waivers == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	for (size_t i = 0; i < set->reasons_cnt; i++) {
		const struct hp_reason *why = &set->reasons[i];

		if (why->waived)
			man->waivers[man->waivers_cnt++] = (struct hp_man_waiver){ why->rule, why->symbol, why->message, 0 };
	}
	return 0;
}

static int
fill_manifest(const struct hp_patchset *set, const struct hp_pack_options *o, struct hp_arena *arena, struct hp_manifest *man,
              struct hp_err *err)
{
	const char *first = hp_base_name(o->baselines[0].path);
	int r;

	man->name = "";
	man->baseline_name = o->baseline_name != NULL ? o->baseline_name : first;
	man->baseline_version = o->baseline_version != NULL ? o->baseline_version : "";
	man->source_patch = "";
	man->tool = o->tool;
	man->toolchain = set->toolchain;
	man->toolchain_cnt = set->toolchain_cnt;
	r = hp_meta_read(o->meta, arena, man, err);
	if (r < 0)
		return r;
	if (o->name != NULL)
		man->name = o->name;
	if (man->name[0] == '\0')
		man->name = hp_arena_printf(arena, "%s-hotpatch", first);
	if (o->serial != 0)
		man->serial = o->serial;
	if (man->serial == 0)
		man->serial = 1;
	if (man->name == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	return fill_waivers(set, arena, man, err);
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
		hp_esc(pk->base->path));
}

/* One call of hp_pack(). */
struct work {
	struct hp_pk *pks; /* one for each baseline */
	size_t cnt;
	const struct hp_pack_options *opts;
	struct hp_arena arena;
	struct hp_man_target *targets; /* touched modules; all that follows has the same indexes */
	struct hp_payload *payloads;
	struct hp_buf *images, *fixups;
	uint32_t targets_cnt;
};

/* What each module gets. */
static int
resolve(struct work *w, struct hp_err *err)
{
	int r = 0;

	for (size_t m = 0; m < w->cnt && r == 0; m++)
		r = hp_locate(&w->pks[m], err);
	if (r == 0)
		r = hp_judge(w->pks, w->cnt, w->opts, err);
	for (size_t m = 0; m < w->cnt && r == 0; m++)
		r = hp_plan_redirects(&w->pks[m], err);
	for (size_t m = 0; m < w->cnt && r == 0; m++)
		r = hp_check_signatures(&w->pks[m], err);
	if (r == 0)
		r = hp_resolve(w->pks, w->cnt, err);
	for (size_t m = 0; m < w->cnt && r == 0; m++)
		r = w->pks[m].touched ? check_exceptions(&w->pks[m], err) : 0;
	for (size_t m = 0; m < w->cnt && r == 0; m++)
		if (w->pks[m].touched)
			w->pks[m].target = w->targets_cnt++;
	if (r == 0 && w->targets_cnt == 0)
		r = hp_err_set(err, HP_E_NOTHING, "none of the changed functions is in '%s'%s: nothing to replace",
		               hp_esc(w->opts->baselines[0].path), w->cnt > 1 ? " or another baseline" : "");
	return r;
}

static int
lay_out(struct work *w, struct hp_err *err)
{
	int r = 0;

	for (size_t m = 0; m < w->cnt && r == 0; m++)
		if (w->pks[m].touched)
			r = hp_layout_place(&w->pks[m], err);
	for (size_t m = 0; m < w->cnt && r == 0; m++) {
		struct hp_pk *pk = &w->pks[m];
		uint32_t t = pk->target;

		if (!pk->touched)
			continue;
		r = hp_layout_write(pk, &w->images[t], &w->fixups[t], &w->targets[t].image_len, err);
		if (r == 0)
			r = fill_target(pk, &w->targets[t], err);
		w->payloads[t] = (struct hp_payload){ hp_buf_view(&w->images[t]), hp_buf_view(&w->fixups[t]) };
	}
	return r;
}

static int
pack(struct work *w, const struct hp_patchset *set, struct hp_buf *ret_signed_part, struct hp_pack_report *ret_report,
     struct hp_err *err)
{
	struct hp_manifest man = { .targets = w->targets };
	int r = fill_manifest(set, w->opts, &w->arena, &man, err);

	if (r == 0)
		r = resolve(w, err);
	if (r == 0)
		r = lay_out(w, err);
	man.targets_cnt = w->targets_cnt;
	if (r == 0)
		r = hp_pkg_build(&man, w->payloads, ret_signed_part, err);
	return r < 0 ? r : hp_report(w->pks, w->cnt, &man, w->payloads, ret_report, err);
}

/* One module cannot be two targets. */
static int
check_distinct(const struct work *w, size_t idx, struct hp_err *err)
{
	for (size_t m = 0; m < idx; m++)
		if (hp_view_eq(w->pks[m].mod->build_id, w->pks[idx].mod->build_id))
			return hp_err_set(err, HP_E_USAGE, "baselines '%s' and '%s' have the same build ID",
			                  hp_esc(w->pks[m].base->path), hp_esc(w->pks[idx].base->path));
	return 0;
}

static int
start(struct work *w, const struct hp_patchset *set, struct hp_err *err)
{
	size_t cnt = w->opts->baselines_cnt;
	int r = 0;

	if (cnt == 0 || cnt > HP_PKG_TARGETS_MAX)
		return hp_err_set(err, HP_E_USAGE, "%zu baselines; a package can have 1 to %u", cnt, HP_PKG_TARGETS_MAX);
	w->pks = hp_arena_array(&w->arena, cnt, sizeof(*w->pks));
	w->targets = hp_arena_array(&w->arena, cnt, sizeof(*w->targets));
	w->payloads = hp_arena_array(&w->arena, cnt, sizeof(*w->payloads));
	w->images = hp_arena_array(&w->arena, cnt, sizeof(*w->images));
	w->fixups = hp_arena_array(&w->arena, cnt, sizeof(*w->fixups));
	if (w->pks == NULL || w->targets == NULL || w->payloads == NULL || w->images == NULL || w->fixups == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	for (size_t m = 0; m < cnt && r == 0; m++) {
		w->pks[m] = (struct hp_pk){ .set = set, .base = &w->opts->baselines[m], .all = w->pks, .all_cnt = cnt };
		w->cnt = m + 1;
		r = hp_pk_start(&w->pks[m], err);
		if (r == 0)
			r = check_distinct(w, m, err);
	}
	return r;
}

int
hp_pack(const struct hp_patchset *set, const struct hp_pack_options *opts, struct hp_buf *ret_signed_part,
        struct hp_pack_report *ret_report, struct hp_err *err)
{
	struct work w = { .opts = opts };
	int r;

	if (set->verdict != HP_HOTPATCHABLE)
		return hp_err_set(err, set->verdict == HP_NOTHING ? HP_E_NOTHING : HP_E_REFUSED,
		                  set->verdict == HP_NOTHING ? "no functional change" : "the change was refused");
	r = start(&w, set, err);
	if (r == 0)
		r = pack(&w, set, ret_signed_part, ret_report, err);
	for (size_t m = 0; m < w.cnt; m++) {
		hp_buf_release(&w.images[m]);
		hp_buf_release(&w.fixups[m]);
		hp_pk_finish(&w.pks[m]);
	}
	hp_arena_release(&w.arena);
	return r;
}

void
hp_pack_report_release(struct hp_pack_report *rep)
{
	hp_arena_release(&rep->arena);
}
