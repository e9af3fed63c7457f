#include "cli/pack_show.h"

#include "base/escape.h"
#include "cli/cmd.h"
#include "cli/diff_print.h"
#include "cli/out.h"
#include "cli/packing.h"
#include "signer/keys.h"

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

static json_t *
json_target(const struct hp_pack_target *t)
{
	json_t *objects = json_array(), *dropped = json_array(), *imports = json_array();

	for (size_t i = 0; i < t->imports_cnt; i++)
		(void)json_array_append_new(imports, json_pack("{s:o, s:o, s:o}", "name", hp_json_text(t->imports[i].name),
		                                               "version", hp_json_text(t->imports[i].version), "library",
		                                               hp_json_text(t->imports[i].library)));
	for (size_t i = 0; i < t->objects_cnt; i++) {
		const struct hp_pack_object *o = &t->objects[i];

		(void)json_array_append_new(objects,
		                            json_pack("{s:o, s:b, s:I, s:I, s:I}", "path", hp_json_text(o->path), "in_module",
		                                      o->in_module, "functions", (json_int_t)o->funcs_cnt, "proven",
		                                      (json_int_t)o->proven_cnt, "dropped", (json_int_t)o->dropped_cnt));
	}
	for (size_t i = 0; i < t->dropped_cnt; i++)
		(void)json_array_append_new(dropped, hp_json_text(t->dropped[i]));
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I}", "build_id", t->build_id, "symbols",
	                 t->symbols, "objects", objects, "replaced", json_funcs(t->replaced, t->replaced_cnt), "added",
	                 json_funcs(t->added, t->added_cnt), "dropped", dropped, "imports", imports, "image_size",
	                 (json_int_t)t->file_len, "memory_size", (json_int_t)t->image_len, "code_size", (json_int_t)t->code_len,
	                 "fixups", (json_int_t)t->fixups_cnt);
}

/* A package for one module has its target's members at the top as well. */
static void
show_json(const struct hp_packing *p, const struct hp_patchset *set, const struct hp_pack_report *rep, size_t len,
          const char *signer)
{
	json_t *targets = json_array();
	json_t *root = json_pack("{s:s, s:s?, s:o, s:o, s:I, s:I, s:o, s:o}", "schema", "hpbuild.pack/1", "signed_by", signer,
	                         "package", hp_json_text(p->out), "name", hp_json_text(rep->name), "serial",
	                         (json_int_t)rep->serial, "package_size", (json_int_t)len, "reasons",
	                         hp_diff_json_reasons(set), "targets", targets);

	for (size_t i = 0; i < rep->targets_cnt; i++) {
		json_t *t = json_target(&rep->targets[i]);

		(void)json_object_set_new(t, "coverage", hp_coverage_json(&p->bases[i].coverage));
		if (rep->targets_cnt == 1)
			(void)json_object_update(root, t);
		(void)json_object_set_new(t, "name", hp_json_text(rep->targets[i].name));
		(void)json_object_set_new(t, "touched", json_boolean(rep->targets[i].touched));
		(void)json_array_append_new(targets, t);
	}
	hp_out_json(root);
}

static void
show_objects(const struct hp_pack_target *t, bool all)
{
	for (size_t i = 0; i < t->objects_cnt; i++) {
		const struct hp_pack_object *o = &t->objects[i];

		if (o->in_module)
			hp_out("  proven     %s: %u of %u functions equal the baseline%s\n", hp_esc(o->path), o->proven_cnt,
			       o->funcs_cnt, o->dropped_cnt > 0 ? ", others were left out by the linker" : "");
		else if (all)
			hp_out("  not part   %s: none of its functions is in the baseline\n", hp_esc(o->path));
	}
}

static void
show_target(const struct hp_pack_target *t, bool alone)
{
	if (!alone)
		hp_out("  target     %s: image %llu, code %llu, %u fixups\n", hp_esc(t->name), (unsigned long long)t->file_len,
		       (unsigned long long)t->code_len, t->fixups_cnt);
	hp_out("  baseline   build ID %s, symbols from %s\n", t->build_id, t->symbols);
	for (size_t i = 0; i < t->replaced_cnt; i++)
		hp_out("  replaces   %s at 0x%llx, %llu bytes by %llu (%s)\n", hp_esc(t->replaced[i].name),
		       (unsigned long long)t->replaced[i].address, (unsigned long long)t->replaced[i].old_size,
		       (unsigned long long)t->replaced[i].new_size, hp_esc(t->replaced[i].object));
	for (size_t i = 0; i < t->added_cnt; i++)
		hp_out("  adds       %s, %llu bytes (%s)\n", hp_esc(t->added[i].name), (unsigned long long)t->added[i].new_size,
		       hp_esc(t->added[i].object));
	for (size_t i = 0; i < t->imports_cnt; i++)
		hp_out("  imports    %s%s%s%s%s%s\n", hp_esc(t->imports[i].name), t->imports[i].version[0] != '\0' ? "@" : "",
		       hp_esc(t->imports[i].version), t->imports[i].library[0] != '\0' ? " (" : "", hp_esc(t->imports[i].library),
		       t->imports[i].library[0] != '\0' ? ")" : "");
	for (size_t i = 0; i < t->dropped_cnt; i++)
		hp_out("  left out   %s: changed, but the linker dropped it from the baseline\n", hp_esc(t->dropped[i]));
	show_objects(t, alone);
}

static void
show_head(const struct hp_packing *p, const struct hp_pack_report *rep, size_t len, const char *signer)
{
	const struct hp_pack_target *first = &rep->targets[0];
	const char *with = signer != NULL ? "signed by " : "unsigned", *whom = signer != NULL ? signer : "";
	size_t touched = 0;

	for (size_t i = 0; i < rep->targets_cnt; i++)
		touched += rep->targets[i].touched;
	if (rep->targets_cnt == 1)
		hp_out("%s: %zu bytes (image %llu, code %llu, %u fixups), %s%s\n", hp_esc(p->out), len,
		       (unsigned long long)first->file_len, (unsigned long long)first->code_len, first->fixups_cnt, with, whom);
	else
		hp_out("%s: %zu bytes, %zu module%s, %s%s\n", hp_esc(p->out), len, touched, touched == 1 ? "" : "s", with, whom);
	hp_out("  name       %s, serial %llu\n", hp_esc(rep->name), (unsigned long long)rep->serial);
}

void
hp_pack_show(const struct hp_packing *p, const struct hp_patchset *set, const struct hp_pack_report *rep, size_t len)
{
	const char *signer = NULL;
	char id[17];

	if (p->seckey != NULL) {
		hp_key_id_text(p->seckey->key_id, id);
		signer = id;
	}
	if (p->json) {
		show_json(p, set, rep, len, signer);
		return;
	}
	show_head(p, rep, len, signer);
	for (size_t i = 0; i < rep->targets_cnt; i++) {
		if (!rep->targets[i].touched) {
			hp_out("  untouched  %s: nothing that the fix changes is in it\n", hp_esc(rep->targets[i].name));
			continue;
		}
		show_target(&rep->targets[i], rep->targets_cnt == 1);
		hp_coverage_show(&p->bases[i].coverage);
	}
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
