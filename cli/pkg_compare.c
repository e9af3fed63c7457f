#include "cli/pkg_compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "cli/out.h"
#include "formats/elf_file.h"
#include "formats/fixup.h"
#include "formats/hash.h"
#include "formats/minisign.h"

/* Differences as JSON objects {where, a, b}; the text form is printed from them. */
struct diffs {
	json_t *list;
};

/* Takes ${a} and ${b}. */
static void
differ(struct diffs *d, const char *where, json_t *a, json_t *b)
{
	json_t *name = json_string(where);

	if (name == NULL)
		name = json_string(hp_esc(where));
	(void)json_array_append_new(d->list, json_pack("{s:o, s:o, s:o}", "where", name, "a", a != NULL ? a : json_null(), "b",
	                                               b != NULL ? b : json_null()));
}

/* ---- JSON against JSON ---- */

static void compare_json(struct diffs *d, const char *where, json_t *a, json_t *b);

static void
compare_member(struct diffs *d, const char *where, const char *sep, const char *key, json_t *a, json_t *b)
{
	HP_AUTO(hp_mem) char *path = NULL;

	if (asprintf(&path, "%s%s%s%s", where, sep, key, sep[0] == '[' ? "]" : "") < 0)
		path = NULL;
	if (path != NULL)
		compare_json(d, path, a, b);
}

static void
compare_objects(struct diffs *d, const char *where, json_t *a, json_t *b)
{
	const char *key;
	json_t *v;

	json_object_foreach(a, key, v)
		compare_member(d, where, ".", key, v, json_object_get(b, key));
	json_object_foreach(b, key, v)
		if (json_object_get(a, key) == NULL)
			compare_member(d, where, ".", key, NULL, v);
}

static void
compare_json(struct diffs *d, const char *where, json_t *a, json_t *b)
{
	size_t cnt;
	char key[32];

	if (a != NULL && b != NULL && json_equal(a, b))
		return;
	if (json_is_object(a) && json_is_object(b)) {
		compare_objects(d, where, a, b);
	} else if (json_is_array(a) && json_is_array(b)) {
		cnt = json_array_size(a) > json_array_size(b) ? json_array_size(a) : json_array_size(b);
		for (size_t i = 0; i < cnt; i++) {
			(void)snprintf(key, sizeof(key), "%zu", i);
			compare_member(d, where, "[", key, json_array_get(a, i), json_array_get(b, i));
		}
	} else {
		differ(d, where, json_incref(a), json_incref(b));
	}
}

/* ---- bytes against bytes ---- */

static size_t
first_difference(struct hp_view a, struct hp_view b)
{
	size_t len = a.len < b.len ? a.len : b.len, i = 0;

	while (i < len && a.p[i] == b.p[i])
		i++;
	return i;
}

static void
compare_bytes(struct diffs *d, const char *where, struct hp_view a, struct hp_view b)
{
	HP_AUTO(hp_mem) char *path = NULL;
	size_t at = first_difference(a, b);
	char old_hex[33] = "", new_hex[33] = "";

	if (hp_view_eq(a, b))
		return;
	if (a.len != b.len)
		differ(d, where, json_sprintf("%zu bytes", a.len), json_sprintf("%zu bytes", b.len));
	hp_hex(a.p + at, a.len - at < 16 ? a.len - at : 16, old_hex);
	hp_hex(b.p + at, b.len - at < 16 ? b.len - at : 16, new_hex);
	if (asprintf(&path, "%s from byte 0x%zx", where, at) < 0)
		path = NULL;
	differ(d, path != NULL ? path : where, json_string(old_hex), json_string(new_hex));
}

static void
compare_document(struct diffs *d, const char *where, struct hp_view a, struct hp_view b)
{
	json_t *old_json, *new_json;

	if (hp_view_eq(a, b))
		return;
	if (a.len == 0 || b.len == 0) {
		differ(d, where, json_string(a.len > 0 ? "there" : "not there"), json_string(b.len > 0 ? "there" : "not there"));
		return;
	}
	old_json = json_loadb((const char *)a.p, a.len, JSON_REJECT_DUPLICATES, NULL);
	new_json = json_loadb((const char *)b.p, b.len, JSON_REJECT_DUPLICATES, NULL);
	if (old_json == NULL || new_json == NULL || json_equal(old_json, new_json))
		compare_bytes(d, where, a, b);
	else
		compare_json(d, where, old_json, new_json);
	json_decref(old_json);
	json_decref(new_json);
}

/* ---- payload images: section and function of every place that differs ---- */

static const struct hp_sym *
function_at(const struct hp_elf *elf, uint64_t va)
{
	for (uint32_t i = 0; i < elf->syms_cnt; i++)
		if (elf->syms[i].type == STT_FUNC && va >= elf->syms[i].value && va - elf->syms[i].value < elf->syms[i].size)
			return &elf->syms[i];
	return NULL;
}

static struct hp_view
section_data(const struct hp_elf *elf, const char *name)
{
	uint32_t idx = hp_elf_find_sec(elf, name);

	return idx == HP_NONE ? hp_view_of(NULL, 0) : elf->secs[idx].data;
}

static void
compare_section(struct diffs *d, const char *image, const struct hp_elf *a, const struct hp_elf *b, const struct hp_sec *sec)
{
	struct hp_view old_data = section_data(a, sec->name), new_data = section_data(b, sec->name);
	uint32_t idx = hp_elf_find_sec(a, sec->name);
	const struct hp_sym *func = NULL;
	HP_AUTO(hp_mem) char *where = NULL;

	if (hp_view_eq(old_data, new_data))
		return;
	if (idx != HP_NONE)
		func = function_at(a, a->secs[idx].addr + first_difference(old_data, new_data));
	if (asprintf(&where, "%s %s%s%s%s", image, sec->name, func != NULL ? " ('" : "", func != NULL ? func->name : "",
	             func != NULL ? "')" : "") < 0)
		where = NULL;
	if (where != NULL)
		compare_bytes(d, where, old_data, new_data);
}

static void
compare_image(struct diffs *d, const char *name, struct hp_view a, struct hp_view b)
{
	HP_AUTO(hp_elf) struct hp_elf *old_elf = NULL, *new_elf = NULL;
	size_t before = json_array_size(d->list);

	if (hp_view_eq(a, b))
		return;
	if (hp_elf_open(a, name, &old_elf, NULL) == 0 && hp_elf_open(b, name, &new_elf, NULL) == 0) {
		for (uint32_t i = 1; i < old_elf->secs_cnt; i++)
			compare_section(d, name, old_elf, new_elf, &old_elf->secs[i]);
		for (uint32_t i = 1; i < new_elf->secs_cnt; i++)
			if (hp_elf_find_sec(old_elf, new_elf->secs[i].name) == HP_NONE)
				compare_section(d, name, old_elf, new_elf, &new_elf->secs[i]);
	}
	if (json_array_size(d->list) == before)
		compare_bytes(d, name, a, b);
}

static void
compare_fixups(struct diffs *d, const char *name, struct hp_view a, struct hp_view b)
{
	size_t at = first_difference(a, b) / HP_FIXUP_LEN;
	HP_AUTO(hp_mem) char *where = NULL;

	if (hp_view_eq(a, b))
		return;
	if (a.len != b.len)
		differ(d, name, json_sprintf("%zu fixups", a.len / HP_FIXUP_LEN),
		       json_sprintf("%zu fixups", b.len / HP_FIXUP_LEN));
	if (asprintf(&where, "%s record %zu", name, at) < 0)
		where = NULL;
	if (where != NULL && a.len != 0 && b.len != 0)
		compare_bytes(d, where, hp_view_of(a.p + at * HP_FIXUP_LEN, a.len > at * HP_FIXUP_LEN ? HP_FIXUP_LEN : 0),
		              hp_view_of(b.p + at * HP_FIXUP_LEN, b.len > at * HP_FIXUP_LEN ? HP_FIXUP_LEN : 0));
}

static void
compare_payloads(struct diffs *d, const struct hp_pkg *a, const struct hp_pkg *b)
{
	size_t cnt = a->man->targets_cnt < b->man->targets_cnt ? a->man->targets_cnt : b->man->targets_cnt;
	char name[64];

	for (size_t i = 0; i < cnt; i++) {
		(void)snprintf(name, sizeof(name), "payload.%zu.elf", i);
		compare_image(d, name, a->payloads[i].image, b->payloads[i].image);
		(void)snprintf(name, sizeof(name), "payload.%zu.fixups", i);
		compare_fixups(d, name, a->payloads[i].fixups, b->payloads[i].fixups);
	}
}

/* ---- signatures ---- */

static const struct hp_sig_record *
record_of(const struct hp_pkg_parts *parts, const uint8_t *key_id)
{
	for (uint32_t i = 0; i < parts->sigs_cnt; i++)
		if (memcmp(parts->sigs[i].key_id, key_id, HP_SIG_KEY_ID_LEN) == 0)
			return &parts->sigs[i];
	return NULL;
}

static void
compare_signatures(struct diffs *d, const struct hp_pkg_parts *a, const struct hp_pkg_parts *b)
{
	for (int side = 0; side < 2; side++) {
		const struct hp_pkg_parts *mine = side == 0 ? a : b, *other = side == 0 ? b : a;

		for (uint32_t i = 0; i < mine->sigs_cnt; i++) {
			char where[64] = "signature of ";

			if (record_of(other, mine->sigs[i].key_id) != NULL)
				continue;
			hp_key_id_text(mine->sigs[i].key_id, where + strlen(where));
			differ(d, where, json_string(side == 0 ? "there" : "not there"),
			       json_string(side == 0 ? "not there" : "there"));
		}
	}
}

static void
show_text(const struct diffs *d, bool same_id)
{
	size_t i;
	json_t *v;

	json_array_foreach(d->list, i, v) {
		for (int side = 0; side < 2; side++) {
			json_t *value = json_object_get(v, side == 0 ? "a" : "b");
			char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII | JSON_SORT_KEYS);

			if (side == 0)
				hp_out("%s\n", hp_esc(json_string_value(json_object_get(v, "where"))));
			hp_out("  %c  %s\n", side == 0 ? 'A' : 'B',
			       json_is_null(value) ? "not there"
			       : text != NULL      ? text
			                           : "?");
			free(text);
		}
	}
	if (json_array_size(d->list) == 0)
		hp_out("no difference\n");
	else if (same_id)
		hp_out("the signed parts are the same\n");
}

bool
hp_compare_pkgs(const struct hp_cli_pkg *a, const struct hp_cli_pkg *b, bool json)
{
	bool same_part = hp_view_eq(a->parts.signed_part, b->parts.signed_part), same;
	struct diffs d = { json_array() };
	json_t *old_man = hp_manifest_json(a->pkg->man), *new_man = hp_manifest_json(b->pkg->man);

	compare_json(&d, "manifest", old_man, new_man);
	json_decref(old_man);
	json_decref(new_man);
	compare_payloads(&d, a->pkg, b->pkg);
	compare_document(&d, "source patch", a->pkg->docs.patch, b->pkg->docs.patch);
	compare_document(&d, "provenance", a->pkg->docs.provenance, b->pkg->docs.provenance);
	compare_document(&d, "OpenVEX", a->pkg->docs.vex, b->pkg->docs.vex);
	/* The same contents in other bytes: another compressor, or other white space in the manifest. */
	if (!same_part && json_array_size(d.list) == 0)
		compare_bytes(&d, "how the same contents are stored", a->parts.signed_part, b->parts.signed_part);
	compare_signatures(&d, &a->parts, &b->parts);
	same = json_array_size(d.list) == 0;
	if (json)
		hp_out_json(json_pack("{s:s, s:b, s:b, s:o}", "schema", "hpbuild.compare/1", "same", same, "same_signed_part",
		                      same_part, "differences", json_incref(d.list)));
	else
		show_text(&d, same_part);
	json_decref(d.list);
	return same;
}
