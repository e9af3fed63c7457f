#include "cli/supply.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/file.h"
#include "cli/cmd.h"
#include "cli/out.h"
#include "formats/elf_file.h"
#include "formats/hash.h"
#include "formats/package.h"

#define STATEMENT_TYPE "https://in-toto.io/Statement/v1"  /* in-toto attestation framework, spec v1 */
#define PREDICATE_TYPE "https://slsa.dev/provenance/v1"   /* SLSA 1.0, "Provenance" */
#define VEX_CONTEXT "https://openvex.dev/ns/v0.2.0"       /* OpenVEX 0.2.0 */
#define BUILD_TYPE "urn:hpbuild:build-type:hotpatch:1"
#define BUILDER_UNNAMED "urn:hpbuild:builder:unnamed"

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

int
hp_supply_open(struct hp_supply *s, struct hp_err *err)
{
	json_t *root;
	int r = 0;

	for (unsigned i = 0; i < s->patches_cnt && r == 0; i++) {
		HP_AUTO(hp_buf) struct hp_buf one = { 0 };

		r = hp_file_read(s->patches[i], HP_PATCH_LEN_MAX - s->patch_bytes.len, &one, err);
		if (r == 0 && one.len > 0)
			r = hp_buf_add(&s->patch_bytes, one.p, one.len, err);
	}
	if (r == 0 && s->vex != NULL)
		r = hp_file_read(s->vex, HP_DOC_LEN_MAX, &s->vex_bytes, err);
	if (r < 0 || s->vex == NULL)
		return r;
	root = json_loadb((const char *)s->vex_bytes.p, s->vex_bytes.len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(root))
		r = hp_err_set(err, HP_E_FORMAT, "'%s' is not a JSON object", hp_esc(s->vex));
	json_decref(root);
	return r;
}

void
hp_supply_release(struct hp_supply *s)
{
	hp_buf_release(&s->patch_bytes);
	hp_buf_release(&s->vex_bytes);
}

/* JSON takes UTF-8 only; a name that is none is written as messages show it. */
static json_t *
text(const char *s)
{
	json_t *value = json_string(s);

	return value != NULL ? value : json_string(hp_esc(s));
}

static json_t *
digest(struct hp_view data)
{
	uint8_t sum[32];
	char hex[65];

	hp_hash_sha256(data, sum);
	hp_hex(sum, sizeof(sum), hex);
	return json_pack("{s:s}", "sha256", hex);
}

static void
add_file(json_t *list, const char *folder, const char *name, struct hp_view data)
{
	HP_AUTO(hp_mem) char *full = NULL;

	if (asprintf(&full, "%s%s", folder, name) < 0)
		full = NULL;
	if (full != NULL && data.len > 0)
		(void)json_array_append_new(list, json_pack("{s:o, s:o}", "name", text(full), "digest", digest(data)));
}

/* All that went in: modules, patch, and the objects of both trees that differ. */
static json_t *
dependencies(const struct hp_supply *s, const struct hp_patchset *set, const struct hp_pack_baseline *bases, size_t cnt)
{
	json_t *list = json_array();

	for (size_t i = 0; i < cnt; i++) {
		add_file(list, "baseline/", base_name(bases[i].path), bases[i].file);
		if (bases[i].debug.len > 0)
			add_file(list, "debug/", base_name(bases[i].debug_path), bases[i].debug);
	}
	add_file(list, "", "source.patch", hp_buf_view(&s->patch_bytes));
	for (size_t i = 0; i < set->pairs_cnt; i++) {
		const struct hp_pair *p = &set->pairs[i];

		if (p->old_obj != NULL)
			add_file(list, "original/", p->path, p->old_obj->elf->file);
		if (p->new_obj != NULL)
			add_file(list, "patched/", p->path, p->new_obj->elf->file);
	}
	return list;
}

static bool
has_text(const json_t *list, const char *str)
{
	const json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
		if (strcmp(json_string_value(v), str) == 0)
			return true;
	return false;
}

/* What compilers and linkers wrote into the .comment of a baseline. */
static void
add_comments(const struct hp_pack_baseline *base, json_t *list)
{
	HP_AUTO(hp_elf) struct hp_elf *elf = NULL;
	uint32_t sec;
	const char *str;

	if (hp_elf_open(base->file, base->path, &elf, NULL) < 0 || (sec = hp_elf_find_sec(elf, ".comment")) == HP_NONE)
		return;
	for (uint64_t off = 0; (str = hp_view_str(elf->secs[sec].data, off)) != NULL && json_array_size(list) < 64;
	     off += strlen(str) + 1)
		if (str[0] != '\0' && !has_text(list, str))
			(void)json_array_append_new(list, text(str));
}

/* Of all baselines: distinct strings in their order. */
static json_t *
comments(const struct hp_pack_baseline *bases, size_t cnt)
{
	json_t *list = json_array();

	for (size_t i = 0; i < cnt; i++)
		add_comments(&bases[i], list);
	return list;
}

static json_t *
strings(const char *const *v, size_t cnt, bool base)
{
	json_t *list = json_array();

	for (size_t i = 0; i < cnt && v[i] != NULL; i++)
		(void)json_array_append_new(list, text(base ? base_name(v[i]) : v[i]));
	return list;
}

static json_t *
subjects(const struct hp_pkg *pkg)
{
	json_t *list = json_array();
	char name[64];

	for (size_t i = 0; i < pkg->man->targets_cnt; i++) {
		(void)snprintf(name, sizeof(name), "payload.%zu.elf", i); /* as `hpbuild extract` calls them */
		add_file(list, "", name, pkg->payloads[i].image);
		(void)snprintf(name, sizeof(name), "payload.%zu.fixups", i);
		add_file(list, "", name, pkg->payloads[i].fixups);
	}
	return list;
}

static json_t *
provenance(const struct hp_supply *s, const struct hp_patchset *set, const struct hp_pkg *pkg,
           const struct hp_pack_baseline *bases, size_t cnt)
{
	const struct hp_manifest *man = pkg->man;
	json_t *external = json_pack("{s:o, s:I, s:o}", "name", text(man->name), "serial", (json_int_t)man->serial, "patches",
	                             strings(s->patches, s->patches_cnt, true));
	json_t *internal = json_pack("{s:o, s:o}", "toolchain", strings(man->toolchain, man->toolchain_cnt, false),
	                             "baseline_comment", comments(bases, cnt));
	json_t *definition, *details;

	if (s->command != NULL)
		(void)json_object_set_new(external, "command", strings((const char *const *)s->command, SIZE_MAX, false));
	definition = json_pack("{s:s, s:o, s:o, s:o}", "buildType", BUILD_TYPE, "externalParameters", external,
	                       "internalParameters", internal, "resolvedDependencies", dependencies(s, set, bases, cnt));
	details = json_pack("{s:{s:s, s:{s:s}}}", "builder", "id", s->builder != NULL ? s->builder : BUILDER_UNNAMED, "version",
	                    "hpbuild", HP_VERSION);
	return json_pack("{s:s, s:o, s:s, s:{s:o, s:o}}", "_type", STATEMENT_TYPE, "subject", subjects(pkg), "predicateType",
	                 PREDICATE_TYPE, "predicate", "buildDefinition", definition, "runDetails", details);
}

/* OpenVEX wants a time. The reproducible one is SOURCE_DATE_EPOCH; without it, the document says 1970 rather than when it was
 * made. */
static void
vex_time(char *ret, size_t len)
{
	const char *env = getenv("SOURCE_DATE_EPOCH");
	time_t t = env != NULL ? (time_t)strtoll(env, NULL, 10) : 0;
	struct tm tm;

	if (env == NULL)
		hp_note("the OpenVEX document has no time: set SOURCE_DATE_EPOCH, or give one with --vex");
	if (t < 0 || gmtime_r(&t, &tm) == NULL || strftime(ret, len, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		(void)snprintf(ret, len, "1970-01-01T00:00:00Z");
}

/* The file of a target, by its build ID. */
static bool
find_file(const struct hp_man_target *t, const struct hp_pack_baseline *bases, size_t cnt, struct hp_view *ret)
{
	for (size_t i = 0; i < cnt; i++) {
		HP_AUTO(hp_elf) struct hp_elf *elf = NULL;
		struct hp_view id;

		if (hp_elf_open(bases[i].file, bases[i].path, &elf, NULL) == 0 && hp_elf_build_id(elf, &id) &&
		    hp_view_eq(id, hp_view_of(t->build_id, t->build_id_len))) {
			*ret = bases[i].file;
			return true;
		}
	}
	return false;
}

static json_t *
vex_products(const struct hp_manifest *man, const struct hp_pack_baseline *bases, size_t cnt)
{
	json_t *list = json_array();
	char hex[2 * HP_BUILD_ID_LEN_MAX + 1];
	struct hp_view file;
	uint8_t sum[32];
	char sha[65];

	for (size_t i = 0; i < man->targets_cnt; i++) {
		json_t *product;

		hp_hex(man->targets[i].build_id, man->targets[i].build_id_len, hex);
		product = json_pack("{s:o}", "@id", json_sprintf("urn:gnu-build-id:%s", hex));
		if (find_file(&man->targets[i], bases, cnt, &file)) {
			hp_hash_sha256(file, sum);
			hp_hex(sum, sizeof(sum), sha);
			(void)json_object_set_new(product, "hashes", json_pack("{s:s}", "sha-256", sha));
		}
		(void)json_array_append_new(list, product);
	}
	return list;
}

static json_t *
vex(const struct hp_supply *s, const struct hp_manifest *man, const struct hp_pack_baseline *bases, size_t cnt)
{
	json_t *statements = json_array(), *doc;
	char when[32];
	uint8_t sum[32];
	char hex[65], *flat;

	vex_time(when, sizeof(when));
	for (size_t i = 0; i < man->fixes_cnt; i++)
		(void)json_array_append_new(
			statements, json_pack("{s:{s:s}, s:o, s:s, s:o}", "vulnerability", "name", man->fixes[i], "products",
		                              vex_products(man, bases, cnt), "status", "fixed", "status_notes",
		                              json_sprintf("once hotpatch '%s' (serial %llu) is applied to the process",
		                                           man->name, (unsigned long long)man->serial)));
	doc = json_pack("{s:s, s:s, s:s, s:i, s:o}", "@context", VEX_CONTEXT, "author",
	                s->builder != NULL ? s->builder : BUILDER_UNNAMED, "timestamp", when, "version", 1, "statements",
	                statements);
	/* OpenVEX names a document by what is in it. */
	flat = json_dumps(doc, JSON_COMPACT | JSON_SORT_KEYS);
	if (flat == NULL) {
		json_decref(doc);
		return NULL;
	}
	hp_hash_256(hp_view_of(flat, strlen(flat)), sum);
	hp_hex(sum, sizeof(sum), hex);
	(void)json_object_set_new(doc, "@id", json_sprintf("urn:hpbuild:vex:%s", hex));
	free(flat);
	return doc;
}

static int
to_buf(const char *p, size_t len, void *ctx)
{
	return hp_buf_add(ctx, p, len, NULL);
}

/* Takes ${value}. */
static int
dump(json_t *value, struct hp_buf *ret, struct hp_err *err)
{
	int bad = value == NULL || json_dump_callback(value, to_buf, ret, JSON_INDENT(1) | JSON_SORT_KEYS) < 0;

	json_decref(value);
	return bad ? hp_err_set(err, HP_E_NOMEM, "no memory for the package's documents") : hp_buf_add(ret, "\n", 1, err);
}

static int
rebuild(const struct hp_supply *s, const struct hp_patchset *set, const struct hp_pack_baseline *bases, size_t cnt,
        struct hp_pkg *pkg, struct hp_buf *ret, struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf statement = { 0 }, made_vex = { 0 };
	struct hp_pkg_docs docs = { .vex = hp_buf_view(&s->vex_bytes) };
	char hex[2 * HP_DIGEST_LEN + 1];
	uint8_t sum[HP_DIGEST_LEN];
	int r = 0;

	if (s->patch_bytes.len > 0) {
		hp_hash_256(hp_buf_view(&s->patch_bytes), sum);
		hp_hex(sum, sizeof(sum), hex);
		if (pkg->man->source_patch[0] != '\0' && strcmp(pkg->man->source_patch, hex) != 0)
			return hp_err_set(err, HP_E_FORMAT, "the meta file says source patch %s, the given one is %s",
			                  hp_esc(pkg->man->source_patch), hex);
		pkg->man->source_patch = hex;
		if (!s->digest_only)
			docs.patch = hp_buf_view(&s->patch_bytes);
	}
	if (s->vex == NULL && pkg->man->fixes_cnt > 0) {
		r = dump(vex(s, pkg->man, bases, cnt), &made_vex, err);
		docs.vex = hp_buf_view(&made_vex);
	}
	if (r == 0)
		r = dump(provenance(s, set, pkg, bases, cnt), &statement, err);
	docs.provenance = hp_buf_view(&statement);
	return r == 0 ? hp_pkg_build_with(pkg->man, pkg->payloads, &docs, ret, err) : r;
}

int
hp_supply_add(const struct hp_supply *s, const struct hp_patchset *set, const struct hp_pack_baseline *bases, size_t cnt,
              struct hp_buf *signed_part, struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf bare = *signed_part;
	struct hp_pkg pkg;
	int r;

	*signed_part = (struct hp_buf){ 0 };
	r = hp_pkg_parse(hp_buf_view(&bare), &pkg, err);
	if (r < 0)
		return r;
	r = rebuild(s, set, bases, cnt, &pkg, signed_part, err);
	hp_pkg_release(&pkg);
	return r;
}
