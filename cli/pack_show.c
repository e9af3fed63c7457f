#include "cli/pack_show.h"

#include "base/escape.h"
#include "cli/cmd.h"
#include "cli/diff_print.h"
#include "cli/out.h"

static json_t *
json_funcs(const struct hp_pack_func *v, size_t cnt)
{
	json_t *list = json_array();

	for (size_t i = 0; i < cnt; i++)
		(void)json_array_append_new(list,
		                            json_pack("{s:o, s:o, s:I, s:I, s:I}", "name", hp_json_text(v[i].name), "object",
		                                      hp_json_text(v[i].object), "address", (json_int_t)v[i].address, "old_size",
		                                      (json_int_t)v[i].old_size, "new_size", (json_int_t)v[i].new_size));
	return list;
}

static void
show_json(const struct hp_patchset *set, const struct hp_pack_report *rep, const char *path, size_t len, const char *signer,
          const struct hp_coverage *cov)
{
	json_t *objects = json_array(), *dropped = json_array();

	for (size_t i = 0; i < rep->objects_cnt; i++) {
		const struct hp_pack_object *o = &rep->objects[i];

		(void)json_array_append_new(objects,
		                            json_pack("{s:o, s:b, s:I, s:I, s:I}", "path", hp_json_text(o->path), "in_module",
		                                      o->in_module, "functions", (json_int_t)o->funcs_cnt, "proven",
		                                      (json_int_t)o->proven_cnt, "dropped", (json_int_t)o->dropped_cnt));
	}
	for (size_t i = 0; i < rep->dropped_cnt; i++)
		(void)json_array_append_new(dropped, hp_json_text(rep->dropped[i]));
	hp_out_json(json_pack(
		"{s:s, s:s?, s:o, s:o, s:I, s:o, s:s, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "schema",
		"hpbuild.pack/1", "signed_by", signer, "package", hp_json_text(path), "name", hp_json_text(rep->name), "serial",
		(json_int_t)rep->serial, "build_id", hp_json_text(rep->build_id), "symbols", rep->symbols, "objects", objects,
		"replaced", json_funcs(rep->replaced, rep->replaced_cnt), "added", json_funcs(rep->added, rep->added_cnt),
		"dropped", dropped, "package_size", (json_int_t)len, "image_size", (json_int_t)rep->file_len, "memory_size",
		(json_int_t)rep->image_len, "code_size", (json_int_t)rep->code_len, "fixups", (json_int_t)rep->fixups_cnt,
		"reasons", hp_diff_json_reasons(set), "coverage", hp_coverage_json(cov)));
}

static void
show_objects(const struct hp_pack_report *rep)
{
	for (size_t i = 0; i < rep->objects_cnt; i++) {
		const struct hp_pack_object *o = &rep->objects[i];

		if (!o->in_module)
			hp_out("  not part   %s: none of its functions is in the baseline\n", hp_esc(o->path));
		else
			hp_out("  proven     %s: %u of %u functions equal the baseline%s\n", hp_esc(o->path), o->proven_cnt,
			       o->funcs_cnt, o->dropped_cnt > 0 ? ", others were left out by the linker" : "");
	}
}

void
hp_pack_show(const struct hp_patchset *set, const struct hp_pack_report *rep, const char *path, size_t len, const char *signer,
             const struct hp_coverage *cov, bool json)
{
	if (json) {
		show_json(set, rep, path, len, signer, cov);
		return;
	}
	hp_out("%s: %zu bytes (image %llu, code %llu, %u fixups), %s%s\n", hp_esc(path), len,
	       (unsigned long long)rep->file_len, (unsigned long long)rep->code_len, rep->fixups_cnt,
	       signer != NULL ? "signed by " : "unsigned", signer != NULL ? signer : "");
	hp_out("  name       %s, serial %llu\n", hp_esc(rep->name), (unsigned long long)rep->serial);
	hp_out("  baseline   build ID %s, symbols from %s\n", rep->build_id, rep->symbols);
	for (size_t i = 0; i < rep->replaced_cnt; i++)
		hp_out("  replaces   %s at 0x%llx, %llu bytes by %llu (%s)\n", hp_esc(rep->replaced[i].name),
		       (unsigned long long)rep->replaced[i].address, (unsigned long long)rep->replaced[i].old_size,
		       (unsigned long long)rep->replaced[i].new_size, hp_esc(rep->replaced[i].object));
	for (size_t i = 0; i < rep->added_cnt; i++)
		hp_out("  adds       %s, %llu bytes (%s)\n", hp_esc(rep->added[i].name),
		       (unsigned long long)rep->added[i].new_size, hp_esc(rep->added[i].object));
	for (size_t i = 0; i < rep->dropped_cnt; i++)
		hp_out("  left out   %s: changed, but the linker dropped it from the baseline\n", hp_esc(rep->dropped[i]));
	show_objects(rep);
	hp_coverage_show(cov);
}

int
hp_pack_show_verdict(const struct hp_patchset *set, bool json)
{
	bool nothing = set->verdict == HP_NOTHING;

	if (json)
		hp_out_json(json_pack("{s:s, s:s, s:o}", "schema", "hpbuild.pack/1", "verdict", nothing ? "nothing" : "refused",
		                      "reasons", hp_diff_json_reasons(set)));
	else
		hp_diff_print(set);
	hp_note("%s",
	        nothing ? "nothing to patch: no functional change" : "refused: this change needs a restart; nothing was written");
	return nothing ? HP_EXIT_NOTHING : HP_EXIT_REFUSED;
}
