#include "cli/show.h"

#include "base/clock.h"
#include "base/escape.h"
#include "cli/out.h"
#include "formats/fixup.h"
#include "formats/hash.h"
#include "formats/minisign.h"

#define FORMS (HP_FORM_PC32 + 1)
#define KINDS (HP_KIND_PEER + 1)

typedef unsigned long long ull;

struct summary {
	uint32_t cnt, form[FORMS], kind[KINDS];
};

static struct summary
summarize(struct hp_view table)
{
	struct summary s = { .cnt = (uint32_t)(table.len / HP_FIXUP_LEN) };

	for (uint32_t i = 0; i < s.cnt; i++) {
		struct hp_fixup f = hp_fixup_get(table, i);

		s.form[f.form < FORMS ? f.form : 0]++;
		s.kind[f.kind < KINDS ? f.kind : 0]++;
	}
	return s;
}

static void
show_names(const char *label, const char *const *v, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++)
		hp_out("%-16s %s\n", label, hp_esc(v[i]));
}

static void
show_time(const char *label, uint64_t when)
{
	char text[HP_TIME_TEXT];

	hp_time_text(when, text);
	hp_out("%-16s %s\n", label, when == 0 ? "never" : text);
}

static void
show_doc(const char *label, struct hp_view doc)
{
	if (doc.len > 0)
		hp_out("%-16s %zu bytes\n", label, doc.len);
}

static void
show_fixups(struct hp_view table, bool all)
{
	struct summary s = summarize(table);

	hp_out("  fixups         %u", s.cnt);
	for (unsigned i = 0; i < FORMS; i++)
		if (s.form[i] > 0)
			hp_out(" %s:%u", hp_fixup_form_name((enum hp_fixup_form)i), s.form[i]);
	for (unsigned i = 0; i < KINDS; i++)
		if (s.kind[i] > 0)
			hp_out(" %s:%u", hp_fixup_kind_name((enum hp_fixup_kind)i), s.kind[i]);
	hp_out("\n");
	for (uint32_t i = 0; all && i < s.cnt; i++) {
		struct hp_fixup f = hp_fixup_get(table, i);

		hp_out("    0x%08llx %-6s %-7s module %u target 0x%llx addend %lld", (ull)f.place, hp_fixup_form_name(f.form),
		       hp_fixup_kind_name(f.kind), f.module, (ull)f.target, (long long)f.addend);
		if (f.import != HP_FIXUP_NO_IMPORT)
			hp_out(" import %u", f.import);
		hp_out("\n");
	}
}

static void
show_variable(const struct hp_man_var *v)
{
	hp_out("    variable %s%s%s", hp_esc(v->scope), v->scope[0] != '\0' ? "." : "", hp_esc(v->name));
	hp_out("%s%s%s size %llu payload 0x%llx type %s\n", v->object[0] != '\0' ? " (" : "", hp_esc(v->object),
	       v->object[0] != '\0' ? ")" : "", (ull)v->size, (ull)v->payload,
	       v->type[0] != '\0' ? hp_esc(v->type) : "not known");
}

static void
show_target(const struct hp_pkg *pkg, size_t idx, bool fixups)
{
	const struct hp_man_target *t = &pkg->man->targets[idx];
	char hex[2 * HP_BUILD_ID_LEN_MAX + 1];

	hp_hex(t->build_id, t->build_id_len, hex);
	hp_out("target %zu\n  name           %s\n  cpu            %s\n  kind           %s\n  build ID       %s\n", idx,
	       hp_esc(t->name), hp_esc(t->cpu), hp_man_kind_name(t->kind), hex);
	hp_out("  symbols from   %s\n  image          %llu bytes in memory, %zu in the ELF file\n", hp_esc(t->symbols),
	       (ull)t->image_len, pkg->payloads[idx].image.len);
	hp_out("  functions      %zu replaced, %zu added\n", t->funcs_cnt, t->added_cnt);
	for (size_t i = 0; i < t->funcs_cnt; i++)
		hp_out("    0x%08llx size %-6llu entry 0x%llx payload 0x%llx %s\n", (ull)t->funcs[i].address,
		       (ull)t->funcs[i].size, (ull)t->funcs[i].entry, (ull)t->funcs[i].payload, hp_esc(t->funcs[i].name));
	for (size_t i = 0; i < t->added_cnt; i++)
		hp_out("    added %s\n", hp_esc(t->added[i]));
	for (size_t i = 0; i < t->imports_cnt; i++)
		hp_out("    import %s%s%s\n", hp_esc(t->imports[i].name), t->imports[i].version[0] ? "@" : "",
		       hp_esc(t->imports[i].version));
	for (size_t i = 0; i < t->hooks_cnt; i++)
		hp_out("    hook %s %s payload 0x%llx\n", hp_esc(t->hooks[i].when), hp_esc(t->hooks[i].name),
		       (ull)t->hooks[i].payload);
	for (size_t i = 0; i < t->vars_cnt; i++)
		show_variable(&t->vars[i]);
	show_fixups(pkg->payloads[idx].fixups, fixups);
}

static void
show_signatures(const struct hp_cli_pkg *p)
{
	char id[17];

	hp_out("%-16s %s\n", "verified", p->verified != NULL ? "yes" : "NO");
	for (uint32_t i = 0; i < p->parts.sigs_cnt; i++) {
		hp_key_id_text(p->parts.sigs[i].key_id, id);
		hp_out("%-16s %s%s\n", "signature", id, p->verified != NULL ? "" : " (NOT checked)");
	}
	if (p->parts.sigs_cnt == 0)
		hp_out("%-16s none\n", "signature");
}

void
hp_show_text(const struct hp_cli_pkg *p, bool fixups)
{
	const struct hp_manifest *man = p->pkg->man;
	char id[2 * HP_PKG_ID_LEN + 1];

	hp_hex(p->pkg->id, HP_PKG_ID_LEN, id);
	hp_out("%-16s %s\n", "package", id);
	show_signatures(p);
	hp_out("%-16s %s\n%-16s %llu\n", "name", hp_esc(man->name), "serial", (ull)man->serial);
	hp_out("%-16s %s", "baseline", hp_esc(man->baseline_name));
	hp_out("%s%s\n", man->baseline_version[0] ? " " : "", hp_esc(man->baseline_version));
	show_names("fixes", man->fixes, man->fixes_cnt);
	show_names("supersedes", man->supersedes, man->supersedes_cnt);
	hp_out("%-16s %s\n%-16s %s\n", "cumulative", man->cumulative ? "yes" : "no", "out of band",
	       man->out_of_band ? "yes" : "no");
	hp_out("%-16s %s\n", "restart required", man->restart_required ? "yes" : "no");
	show_time("expires", man->expires);
	for (size_t i = 0; i < man->waivers_cnt; i++) {
		hp_out("%-16s %s %s: %s\n", "waiver", hp_esc(man->waivers[i].rule), hp_esc(man->waivers[i].symbol),
		       hp_esc(man->waivers[i].reason));
		show_time("  until", man->waivers[i].expires);
	}
	show_names("toolchain", man->toolchain, man->toolchain_cnt);
	if (man->source_patch[0] != '\0')
		hp_out("%-16s %s\n", "source patch", hp_esc(man->source_patch));
	hp_out("%-16s %s\n", "made by", hp_esc(man->tool));
	show_doc("patch text", p->pkg->docs.patch);
	show_doc("provenance", p->pkg->docs.provenance);
	show_doc("OpenVEX", p->pkg->docs.vex);
	for (size_t i = 0; i < man->targets_cnt; i++)
		show_target(p->pkg, i, fixups);
}

static json_t *
json_fixup(const struct hp_fixup *f)
{
	json_t *place = json_sprintf("0x%llx", (ull)f->place), *target = json_sprintf("0x%llx", (ull)f->target);
	json_t *import = f->import == HP_FIXUP_NO_IMPORT ? json_null() : json_integer(f->import);

	return json_pack("{s:o, s:s, s:s, s:i, s:o, s:o, s:I}", "place", place, "form", hp_fixup_form_name(f->form), "kind",
	                 hp_fixup_kind_name(f->kind), "module", f->module, "import", import, "target", target, "addend",
	                 (json_int_t)f->addend);
}

static json_t *
json_fixups(struct hp_view table, bool all)
{
	struct summary s = summarize(table);
	json_t *forms = json_object(), *kinds = json_object(), *list = all ? json_array() : json_null();

	for (unsigned i = 0; i < FORMS; i++)
		if (s.form[i] > 0)
			(void)json_object_set_new(forms, hp_fixup_form_name((enum hp_fixup_form)i), json_integer(s.form[i]));
	for (unsigned i = 0; i < KINDS; i++)
		if (s.kind[i] > 0)
			(void)json_object_set_new(kinds, hp_fixup_kind_name((enum hp_fixup_kind)i), json_integer(s.kind[i]));
	for (uint32_t i = 0; all && i < s.cnt; i++) {
		struct hp_fixup f = hp_fixup_get(table, i);

		(void)json_array_append_new(list, json_fixup(&f));
	}
	return json_pack("{s:I, s:o, s:o, s:o}", "count", (json_int_t)s.cnt, "forms", forms, "kinds", kinds, "all", list);
}

json_t *
hp_show_json(const struct hp_cli_pkg *p, bool fixups)
{
	json_t *sigs = json_array(), *payloads = json_array();
	char id[2 * HP_PKG_ID_LEN + 1];

	for (uint32_t i = 0; i < p->parts.sigs_cnt; i++) {
		hp_key_id_text(p->parts.sigs[i].key_id, id);
		(void)json_array_append_new(sigs, json_string(id));
	}
	for (size_t i = 0; i < p->pkg->man->targets_cnt; i++)
		(void)json_array_append_new(payloads, json_pack("{s:I, s:o}", "image_file_len",
		                                                (json_int_t)p->pkg->payloads[i].image.len,
		                                                "fixups", json_fixups(p->pkg->payloads[i].fixups, fixups)));
	hp_hex(p->pkg->id, HP_PKG_ID_LEN, id);
	return json_pack("{s:s, s:s, s:b, s:o, s:o, s:o, s:{s:I, s:I, s:I}}", "schema", "hpbuild.inspect/1", "id", id, "verified",
	                 p->verified != NULL, "signatures", sigs, "manifest", hp_manifest_json(p->pkg->man), "payloads", payloads,
	                 "documents", "patch_len", (json_int_t)p->pkg->docs.patch.len, "provenance_len",
	                 (json_int_t)p->pkg->docs.provenance.len, "vex_len", (json_int_t)p->pkg->docs.vex.len);
}
