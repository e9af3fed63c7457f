#include "formats/manifest.h"

#include <jansson.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/map.h"
#include "formats/hash.h"

#define SCHEMA "hpbuild.manifest/1"

/* The format as tables: one row a key, used by reader and writer, so that the two cannot drift apart. man/hpk.5 says the same. */
enum kind {
	F_SCHEMA,   /* the constant above; no field */
	F_STR,      /* const char *: text, may be empty */
	F_NAME,     /* const char *: text, not empty */
	F_INT,      /* uint64_t: 0 .. HP_MANIFEST_INT_MAX */
	F_ADDR,     /* uint64_t: "0x" and lower-case hexadecimal digits without leading zeros, because JSON numbers end at 2^53 */
	F_BOOL,     /* bool */
	F_DIGEST,   /* uint8_t[HP_DIGEST_LEN]: 64 hexadecimal digits */
	F_BUILD_ID, /* uint8_t[] with uint32_t length at len_off */
	F_MODKIND,  /* enum hp_man_kind */
	F_STRS,     /* const char ** with size_t count at len_off: array of texts, none empty */
	F_OBJS,     /* array of structs with size_t count at len_off */
	F_OBJS_OPT, /* likewise, but the key is left out when there are none: it came after the first version */
	F_GROUP,    /* an object in JSON whose members are fields of the same struct */
};

struct field {
	const char *key;
	enum kind kind;
	size_t off;              /* bytes from the start of the struct */
	size_t len_off;          /* likewise, of the length or count */
	const struct table *sub; /* for F_OBJS, F_GROUP */
	uint32_t max;            /* elements, for F_STRS, F_OBJS */
};

struct table {
	const struct field *fields;
	size_t cnt;
	size_t len; /* bytes of the struct */
};

#define OFF(type, field) offsetof(struct type, field)
#define LIST(type, field) offsetof(struct type, field), offsetof(struct type, field##_cnt)
#define TABLE(fields, type) { fields, sizeof(fields) / sizeof(fields[0]), sizeof(struct type) }

static const struct field func_fields[] = {
	{ "name", F_NAME, OFF(hp_man_func, name), 0, NULL, 0 },
	{ "address", F_ADDR, OFF(hp_man_func, address), 0, NULL, 0 },
	{ "size", F_INT, OFF(hp_man_func, size), 0, NULL, 0 },
	{ "entry", F_ADDR, OFF(hp_man_func, entry), 0, NULL, 0 },
	{ "payload", F_ADDR, OFF(hp_man_func, payload), 0, NULL, 0 },
	{ "preimage", F_DIGEST, OFF(hp_man_func, preimage), 0, NULL, 0 },
};
static const struct table func_table = TABLE(func_fields, hp_man_func);

static const struct field import_fields[] = {
	{ "name", F_NAME, OFF(hp_man_import, name), 0, NULL, 0 },
	{ "version", F_STR, OFF(hp_man_import, version), 0, NULL, 0 },
};
static const struct table import_table = TABLE(import_fields, hp_man_import);

static const struct field hook_fields[] = {
	{ "when", F_NAME, OFF(hp_man_hook, when), 0, NULL, 0 },
	{ "name", F_NAME, OFF(hp_man_hook, name), 0, NULL, 0 },
	{ "payload", F_ADDR, OFF(hp_man_hook, payload), 0, NULL, 0 },
};
static const struct table hook_table = TABLE(hook_fields, hp_man_hook);

static const struct field var_fields[] = {
	{ "object", F_STR, OFF(hp_man_var, object), 0, NULL, 0 },
	{ "scope", F_STR, OFF(hp_man_var, scope), 0, NULL, 0 },
	{ "name", F_NAME, OFF(hp_man_var, name), 0, NULL, 0 },
	{ "type", F_STR, OFF(hp_man_var, type), 0, NULL, 0 },
	{ "size", F_INT, OFF(hp_man_var, size), 0, NULL, 0 },
	{ "payload", F_ADDR, OFF(hp_man_var, payload), 0, NULL, 0 },
};
static const struct table var_table = TABLE(var_fields, hp_man_var);

static const struct field target_fields[] = {
	{ "name", F_NAME, OFF(hp_man_target, name), 0, NULL, 0 },
	{ "cpu", F_NAME, OFF(hp_man_target, cpu), 0, NULL, 0 },
	{ "kind", F_MODKIND, OFF(hp_man_target, kind), 0, NULL, 0 },
	{ "build_id", F_BUILD_ID, OFF(hp_man_target, build_id), OFF(hp_man_target, build_id_len), NULL, 0 },
	{ "symbols", F_STR, OFF(hp_man_target, symbols), 0, NULL, 0 },
	{ "image_len", F_INT, OFF(hp_man_target, image_len), 0, NULL, 0 },
	{ "functions", F_OBJS, LIST(hp_man_target, funcs), &func_table, HP_PKG_FUNCTIONS_MAX },
	{ "imports", F_OBJS, LIST(hp_man_target, imports), &import_table, HP_PKG_IMPORTS_MAX },
	{ "added", F_STRS, LIST(hp_man_target, added), NULL, HP_PKG_FUNCTIONS_MAX },
	{ "hooks", F_OBJS_OPT, LIST(hp_man_target, hooks), &hook_table, HP_PKG_HOOKS_MAX },
	{ "variables", F_OBJS_OPT, LIST(hp_man_target, vars), &var_table, HP_PKG_VARIABLES_MAX },
};
static const struct table target_table = TABLE(target_fields, hp_man_target);

static const struct field waiver_fields[] = {
	{ "rule", F_NAME, OFF(hp_man_waiver, rule), 0, NULL, 0 },
	{ "symbol", F_STR, OFF(hp_man_waiver, symbol), 0, NULL, 0 },
	{ "reason", F_STR, OFF(hp_man_waiver, reason), 0, NULL, 0 },
	{ "expires", F_INT, OFF(hp_man_waiver, expires), 0, NULL, 0 },
};
static const struct table waiver_table = TABLE(waiver_fields, hp_man_waiver);

static const struct field baseline_fields[] = {
	{ "name", F_STR, OFF(hp_manifest, baseline_name), 0, NULL, 0 },
	{ "version", F_STR, OFF(hp_manifest, baseline_version), 0, NULL, 0 },
};
static const struct table baseline_table = TABLE(baseline_fields, hp_manifest);

static const struct field man_fields[] = {
	{ "schema", F_SCHEMA, 0, 0, NULL, 0 },
	{ "name", F_NAME, OFF(hp_manifest, name), 0, NULL, 0 },
	{ "serial", F_INT, OFF(hp_manifest, serial), 0, NULL, 0 },
	{ "baseline", F_GROUP, 0, 0, &baseline_table, 0 },
	{ "targets", F_OBJS, LIST(hp_manifest, targets), &target_table, HP_PKG_TARGETS_MAX },
	{ "fixes", F_STRS, LIST(hp_manifest, fixes), NULL, HP_MANIFEST_LIST_MAX },
	{ "supersedes", F_STRS, LIST(hp_manifest, supersedes), NULL, HP_MANIFEST_LIST_MAX },
	{ "cumulative", F_BOOL, OFF(hp_manifest, cumulative), 0, NULL, 0 },
	{ "out_of_band", F_BOOL, OFF(hp_manifest, out_of_band), 0, NULL, 0 },
	{ "restart_required", F_BOOL, OFF(hp_manifest, restart_required), 0, NULL, 0 },
	{ "expires", F_INT, OFF(hp_manifest, expires), 0, NULL, 0 },
	{ "waivers", F_OBJS, LIST(hp_manifest, waivers), &waiver_table, HP_MANIFEST_LIST_MAX },
	{ "toolchain", F_STRS, LIST(hp_manifest, toolchain), NULL, HP_MANIFEST_LIST_MAX },
	{ "source_patch", F_STR, OFF(hp_manifest, source_patch), 0, NULL, 0 },
	{ "tool", F_STR, OFF(hp_manifest, tool), 0, NULL, 0 },
};
static const struct table man_table = TABLE(man_fields, hp_manifest);

static const char *const kind_names[] = { [HP_MAN_EXEC] = "exec", [HP_MAN_PIE] = "pie", [HP_MAN_SHARED] = "shared" };

const char *
hp_man_kind_name(enum hp_man_kind kind)
{
	return kind >= HP_MAN_EXEC && kind <= HP_MAN_SHARED ? kind_names[kind] : "?";
}

/* ---- what must hold beyond the types, for reader and writer alike ---- */

static int
check_sorted(const char *const *v, size_t cnt, const char *what, struct hp_err *err)
{
	for (size_t i = 1; i < cnt; i++)
		if (strcmp(v[i - 1], v[i]) > 0)
			return hp_err_set(err, HP_E_FORMAT, "%s: '%s' is not in order", what, hp_esc(v[i]));
	return 0;
}

static int
check_hex(const char *s, size_t len, const char *what, struct hp_err *err)
{
	if (strlen(s) != 2 * len || strspn(s, "0123456789abcdef") != 2 * len)
		return hp_err_set(err, HP_E_FORMAT, "%s: '%s' is not %zu hexadecimal digits", what, hp_esc(s), 2 * len);
	return 0;
}

static int
check_func(const struct hp_man_func *f, uint64_t min_address, struct hp_err *err)
{
	uint64_t end;

	if (f->size == 0 || __builtin_add_overflow(f->address, f->size, &end))
		return hp_err_set(err, HP_E_FORMAT, "function '%s': size %llu at 0x%llx", hp_esc(f->name),
		                  (unsigned long long)f->size, (unsigned long long)f->address);
	if (f->address < min_address)
		return hp_err_set(err, HP_E_FORMAT, "function '%s' at 0x%llx is out of order or overlaps the one before",
		                  hp_esc(f->name), (unsigned long long)f->address);
	if (f->entry < f->address || f->entry >= end)
		return hp_err_set(err, HP_E_FORMAT, "function '%s': entry 0x%llx is not inside it", hp_esc(f->name),
		                  (unsigned long long)f->entry);
	return 0;
}

static int
check_hooks(const struct hp_man_target *t, struct hp_err *err)
{
	static const char *const whens[] = { HP_HOOK_PRE_APPLY, HP_HOOK_POST_APPLY, HP_HOOK_PRE_REVERT, HP_HOOK_POST_REVERT };

	for (size_t i = 0; i < t->hooks_cnt; i++) {
		const struct hp_man_hook *h = &t->hooks[i];
		size_t k = 0;

		while (k < sizeof(whens) / sizeof(whens[0]) && strcmp(whens[k], h->when) != 0)
			k++;
		if (k == sizeof(whens) / sizeof(whens[0]))
			return hp_err_set(err, HP_E_FORMAT, "hook '%s': unknown moment '%s'", hp_esc(h->name), hp_esc(h->when));
		if (i > 0 && h->payload <= h[-1].payload)
			return hp_err_set(err, HP_E_FORMAT, "hook '%s' is not in order", hp_esc(h->name));
	}
	return 0;
}

const char *
hp_man_var_key(const struct hp_man_var *v, struct hp_arena *arena)
{
	return hp_arena_printf(arena, "%zu %zu %s%s%s", strlen(v->object), strlen(v->scope), v->object, v->scope, v->name);
}

static int
check_vars(const struct hp_man_target *t, struct hp_err *err)
{
	HP_AUTO(hp_arena) struct hp_arena arena = { 0 };
	HP_AUTO(hp_map) struct hp_map seen = { 0 };
	int r = 0;

	for (size_t i = 0; i < t->vars_cnt && r == 0; i++) {
		const struct hp_man_var *v = &t->vars[i];
		const char *id = hp_man_var_key(v, &arena);
		uint64_t end, one;

		if (id == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory for variables");
		if (v->type[0] != '\0')
			r = check_hex(v->type, HP_DIGEST_LEN, "type", err);
		if (r == 0 && (v->size == 0 || __builtin_add_overflow(v->payload, v->size, &end) ||
		               (i > 0 && v->payload - v[-1].payload < v[-1].size) || (i > 0 && v->payload < v[-1].payload)))
			r = hp_err_set(err, HP_E_FORMAT, "variable '%s' is out of order or overlaps the one before",
			               hp_esc(v->name));
		if (r == 0 && hp_map_get_str(&seen, id, &one))
			r = hp_err_set(err, HP_E_FORMAT, "two variables '%s' of one scope", hp_esc(v->name));
		if (r == 0)
			r = hp_map_put_str(&seen, id, 1, err);
	}
	return r;
}

static int
check_target(const struct hp_manifest *man, size_t idx, struct hp_err *err)
{
	const struct hp_man_target *t = &man->targets[idx];
	uint64_t min_address = 0;
	int r;

	for (size_t i = 0; i < idx; i++)
		if (hp_view_eq(hp_view_of(man->targets[i].build_id, man->targets[i].build_id_len),
		               hp_view_of(t->build_id, t->build_id_len)))
			return hp_err_set(err, HP_E_FORMAT, "the same build ID as targets[%zu]", i);
	if (t->image_len > HP_PKG_RAW_LEN_MAX)
		return hp_err_set(err, HP_E_LIMIT, "image of %llu bytes", (unsigned long long)t->image_len);
	for (size_t i = 0; i < t->funcs_cnt; i++) {
		r = check_func(&t->funcs[i], min_address, err);
		if (r < 0)
			return r;
		min_address = t->funcs[i].address + t->funcs[i].size;
	}
	r = check_sorted(t->added, t->added_cnt, "added", err);
	if (r == 0)
		r = check_hooks(t, err);
	return r == 0 ? check_vars(t, err) : r;
}

static int
check(const struct hp_manifest *man, struct hp_err *err)
{
	size_t funcs_cnt = 0;
	int r = 0;

	if (man->targets_cnt == 0)
		return hp_err_set(err, HP_E_FORMAT, "no targets");
	for (size_t i = 0; i < man->targets_cnt; i++) {
		r = check_target(man, i, err);
		if (r < 0) {
			(void)hp_err_add(err, "targets[%zu]", i);
			return r;
		}
		funcs_cnt += man->targets[i].funcs_cnt;
	}
	if (funcs_cnt == 0 && !man->restart_required)
		return hp_err_set(err, HP_E_FORMAT, "no functions, and no restart_required");
	for (size_t i = 0; i < man->supersedes_cnt && r == 0; i++)
		r = check_hex(man->supersedes[i], 16, "supersedes", err);
	if (r == 0 && man->source_patch[0] != '\0')
		r = check_hex(man->source_patch, HP_DIGEST_LEN, "source_patch", err);
	if (r == 0)
		r = check_sorted(man->toolchain, man->toolchain_cnt, "toolchain", err);
	return r;
}

/* ---- reader ---- */

struct reader {
	struct hp_arena *arena;
	struct hp_err *err;
};

static int
read_str(struct reader *rd, const json_t *v, bool may_be_empty, const char **ret)
{
	size_t len;
	char *copy;

	if (!json_is_string(v))
		return hp_err_set(rd->err, HP_E_FORMAT, "is not a string");
	len = json_string_length(v);
	if (len > HP_NAME_LEN_MAX)
		return hp_err_set(rd->err, HP_E_LIMIT, "has %zu bytes, the limit is %u", len, HP_NAME_LEN_MAX);
	if (len == 0 && !may_be_empty)
		return hp_err_set(rd->err, HP_E_FORMAT, "is empty");
	copy = hp_arena_strndup(rd->arena, json_string_value(v), len);
	if (copy == NULL)
		return hp_err_set(rd->err, HP_E_NOMEM, "no memory for the manifest");
	*ret = copy;
	return 0;
}

static int
read_int(struct reader *rd, const json_t *v, uint64_t *ret)
{
	json_int_t n = json_integer_value(v);

	if (!json_is_integer(v) || n < 0 || (uint64_t)n > HP_MANIFEST_INT_MAX)
		return hp_err_set(rd->err, HP_E_FORMAT, "is not an integer from 0 to 2^53-1");
	*ret = (uint64_t)n;
	return 0;
}

static int
read_addr(struct reader *rd, const json_t *v, uint64_t *ret)
{
	const char *s = json_string_value(v), *digits;
	size_t len;

	if (s == NULL || strncmp(s, "0x", 2) != 0)
		return hp_err_set(rd->err, HP_E_FORMAT, "is not an address (a string like \"0x1a40\")");
	digits = s + 2;
	len = strlen(digits);
	if (len < 1 || len > 16 || strspn(digits, "0123456789abcdef") != len || (len > 1 && digits[0] == '0'))
		return hp_err_set(rd->err, HP_E_FORMAT, "'%s' is not an address in its shortest form", hp_esc(s));
	*ret = strtoull(digits, NULL, 16);
	return 0;
}

static int
read_bytes(struct reader *rd, const json_t *v, size_t min_len, size_t max_len, uint8_t *ret, uint32_t *ret_len)
{
	const char *s = json_string_value(v);
	size_t len = s != NULL ? strlen(s) / 2 : 0;

	if (s == NULL || len < min_len || len > max_len || !hp_unhex(s, len, ret))
		return hp_err_set(rd->err, HP_E_FORMAT, "is not a string of %zu to %zu hexadecimal digits", 2 * min_len,
		                  2 * max_len);
	if (ret_len != NULL)
		*ret_len = (uint32_t)len;
	return 0;
}

static int
read_modkind(struct reader *rd, const json_t *v, enum hp_man_kind *ret)
{
	const char *s = json_string_value(v);

	for (int k = HP_MAN_EXEC; s != NULL && k <= HP_MAN_SHARED; k++)
		if (strcmp(s, kind_names[k]) == 0) {
			*ret = (enum hp_man_kind)k;
			return 0;
		}
	return hp_err_set(rd->err, HP_E_FORMAT, "is none of \"exec\", \"pie\", \"shared\"");
}

static int read_object(struct reader *rd, const json_t *obj, const struct table *table, void *dest);

/* Arrays of strings and of objects. */
static int
read_list(struct reader *rd, const json_t *v, const struct field *f, void *dest)
{
	size_t cnt = json_array_size(v), len = f->kind == F_STRS ? sizeof(char *) : f->sub->len;
	char *items;

	if (!json_is_array(v))
		return hp_err_set(rd->err, HP_E_FORMAT, "is not an array");
	if (cnt > f->max)
		return hp_err_set(rd->err, HP_E_LIMIT, "has %zu elements, the limit is %u", cnt, f->max);
	items = hp_arena_array(rd->arena, cnt, len);
	if (items == NULL)
		return hp_err_set(rd->err, HP_E_NOMEM, "no memory for the manifest");
	for (size_t i = 0; i < cnt; i++) {
		void *item = items + i * len;
		const json_t *e = json_array_get(v, i);
		int r = f->kind == F_STRS ? read_str(rd, e, false, item) : read_object(rd, e, f->sub, item);

		if (r < 0) {
			(void)hp_err_add(rd->err, "element %zu", i);
			return r;
		}
	}
	*(void **)(void *)((char *)dest + f->off) = items;
	*(size_t *)(void *)((char *)dest + f->len_off) = cnt;
	return 0;
}

static int
read_field(struct reader *rd, const json_t *v, const struct field *f, void *dest)
{
	void *p = (char *)dest + f->off, *len_p = (char *)dest + f->len_off;

	switch (f->kind) {
	case F_SCHEMA:
		if (!json_is_string(v) || strcmp(json_string_value(v), SCHEMA) != 0)
			return hp_err_set(rd->err, HP_E_FORMAT, "is not \"%s\"", SCHEMA);
		return 0;
	case F_STR:
	case F_NAME:
		return read_str(rd, v, f->kind == F_STR, p);
	case F_INT:
		return read_int(rd, v, p);
	case F_ADDR:
		return read_addr(rd, v, p);
	case F_BOOL:
		if (!json_is_boolean(v))
			return hp_err_set(rd->err, HP_E_FORMAT, "is neither true nor false");
		*(bool *)p = json_is_true(v);
		return 0;
	case F_DIGEST:
		return read_bytes(rd, v, HP_DIGEST_LEN, HP_DIGEST_LEN, p, NULL);
	case F_BUILD_ID:
		return read_bytes(rd, v, HP_BUILD_ID_LEN_MIN, HP_BUILD_ID_LEN_MAX, p, len_p);
	case F_MODKIND:
		return read_modkind(rd, v, p);
	case F_STRS:
	case F_OBJS:
	case F_OBJS_OPT:
		return read_list(rd, v, f, dest);
	case F_GROUP:
		return read_object(rd, v, f->sub, dest);
	}
	return hp_err_set(rd->err, HP_E_INTERNAL, "unknown kind of field");
}

/* jansson has refused duplicate keys; all known keys present and no more keys than those: the sets are equal. An optional array
 * that is absent stays empty; one that is there has elements, so that nothing can be written in two ways. */
static int
read_object(struct reader *rd, const json_t *obj, const struct table *table, void *dest)
{
	size_t present = 0;

	if (!json_is_object(obj))
		return hp_err_set(rd->err, HP_E_FORMAT, "is not an object");
	for (size_t i = 0; i < table->cnt; i++) {
		const struct field *f = &table->fields[i];
		const json_t *v = json_object_get(obj, f->key);
		int r;

		if (v == NULL && f->kind == F_OBJS_OPT)
			continue;
		present++;
		if (v == NULL)
			return hp_err_set(rd->err, HP_E_FORMAT, "key '%s' is missing", f->key);
		r = f->kind == F_OBJS_OPT && json_is_array(v) && json_array_size(v) == 0
		            ? hp_err_set(rd->err, HP_E_FORMAT, "is empty: it must be left out then")
		            : read_field(rd, v, f, dest);
		if (r < 0) {
			(void)hp_err_add(rd->err, "'%s'", f->key);
			return r;
		}
	}
	if (json_object_size(obj) != present)
		return hp_err_set(rd->err, HP_E_FORMAT, "%zu unknown keys", json_object_size(obj) - present);
	return 0;
}

/* jansson recurses and allocates while it parses; what that can cost is bounded here, by counting brackets and commas outside
 * of strings. Whether they are well placed is jansson's to say. */
static int
check_cost(struct hp_view json, struct hp_err *err)
{
	uint32_t depth = 0, nodes = 0, values = 0;
	bool in_string = false;

	for (size_t i = 0; i < json.len; i++) {
		uint8_t c = json.p[i];

		if (in_string && c == '\\') {
			i++;
		} else if (c == '"') {
			in_string = !in_string;
		} else if (!in_string && (c == '{' || c == '[')) {
			if (++depth > HP_MANIFEST_DEPTH_MAX)
				return hp_err_set(err, HP_E_LIMIT, "nested deeper than %u at byte %zu", HP_MANIFEST_DEPTH_MAX, i);
			nodes++;
			values++;
		} else if (!in_string && (c == '}' || c == ']') && depth > 0) {
			depth--;
		} else if (!in_string && c == ',') {
			values++;
		}
		if (nodes > HP_MANIFEST_NODES_MAX || values > HP_MANIFEST_VALUES_MAX)
			return hp_err_set(err, HP_E_LIMIT, "too many JSON values at byte %zu", i);
	}
	return 0;
}

static inline void
hp_json_auto(json_t **v)
{
	json_decref(*v);
}

static int
read_manifest(struct hp_view json, struct hp_arena *arena, struct hp_manifest **ret, struct hp_err *err)
{
	struct reader rd = { arena, err };
	HP_AUTO(hp_json) json_t *root = NULL;
	struct hp_manifest *man;
	json_error_t je;
	int r;

	if (json.len > HP_MANIFEST_LEN_MAX)
		return hp_err_set(err, HP_E_LIMIT, "%zu bytes, the limit is %llu", json.len,
		                  (unsigned long long)HP_MANIFEST_LEN_MAX);
	r = check_cost(json, err);
	if (r < 0)
		return r;
	root = json_loadb((const char *)json.p, json.len, JSON_REJECT_DUPLICATES, &je);
	if (root == NULL && json_error_code(&je) == json_error_out_of_memory)
		return hp_err_set(err, HP_E_NOMEM, "no memory for JSON");
	if (root == NULL)
		return hp_err_set(err, HP_E_FORMAT, "line %d column %d: %s", je.line, je.column, hp_esc(je.text));
	man = hp_arena_alloc(arena, sizeof(*man));
	if (man == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for the manifest");
	r = read_object(&rd, root, &man_table, man);
	if (r == 0)
		r = check(man, err);
	if (r == 0)
		*ret = man;
	return r;
}

int
hp_manifest_read(struct hp_view json, struct hp_arena *arena, struct hp_manifest **ret, struct hp_err *err)
{
	int r = read_manifest(json, arena, ret, err);

	if (r < 0)
		(void)hp_err_add(err, "manifest");
	return r;
}

/* ---- writer ---- */

static json_t *write_object(const struct table *table, const void *src);

static json_t *
write_hex(const uint8_t *bytes, size_t len)
{
	char hex[2 * HP_BUILD_ID_LEN_MAX + 1];

	if (len > HP_BUILD_ID_LEN_MAX)
		return NULL;
	hp_hex(bytes, len, hex);
	return json_string(hex);
}

static json_t *
write_list(const struct field *f, const void *src)
{
	const char *items = *(char *const *)(const void *)((const char *)src + f->off);
	size_t cnt = *(const size_t *)(const void *)((const char *)src + f->len_off);
	json_t *list = json_array();

	for (size_t i = 0; i < cnt; i++) {
		json_t *v = f->kind == F_STRS ? json_string(((const char *const *)(const void *)items)[i])
		                              : write_object(f->sub, items + i * f->sub->len);

		/* Takes ${v}, also when it fails; NULL is a failure. */
		if (json_array_append_new(list, v) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *
write_field(const struct field *f, const void *src)
{
	const void *p = (const char *)src + f->off;

	switch (f->kind) {
	case F_SCHEMA:
		return json_string(SCHEMA);
	case F_STR:
	case F_NAME:
		return json_string(*(const char *const *)p);
	case F_INT:
		return json_integer((json_int_t) * (const uint64_t *)p);
	case F_ADDR:
		return json_sprintf("0x%llx", (unsigned long long)*(const uint64_t *)p);
	case F_BOOL:
		return json_boolean(*(const bool *)p);
	case F_DIGEST:
		return write_hex(p, HP_DIGEST_LEN);
	case F_BUILD_ID:
		return write_hex(p, *(const uint32_t *)(const void *)((const char *)src + f->len_off));
	case F_MODKIND:
		return json_string(hp_man_kind_name(*(const enum hp_man_kind *)p));
	case F_STRS:
	case F_OBJS:
	case F_OBJS_OPT:
		return write_list(f, src);
	case F_GROUP:
		return write_object(f->sub, src);
	}
	return NULL;
}

/* NULL: no memory, or text that is not UTF-8. */
static json_t *
write_object(const struct table *table, const void *src)
{
	json_t *obj = json_object();

	for (size_t i = 0; i < table->cnt; i++) {
		const struct field *f = &table->fields[i];

		if (f->kind == F_OBJS_OPT && *(const size_t *)(const void *)((const char *)src + f->len_off) == 0)
			continue;
		if (json_object_set_new(obj, f->key, write_field(f, src)) < 0) {
			json_decref(obj);
			return NULL;
		}
	}
	return obj;
}

json_t *
hp_manifest_json(const struct hp_manifest *man)
{
	return write_object(&man_table, man);
}

static int
to_buf(const char *p, size_t len, void *ctx)
{
	return hp_buf_add(ctx, p, len, NULL);
}

/* The reader is the judge: what it would refuse is not written. That also catches NULL, over-long and non-UTF-8 text. */
int
hp_manifest_write(const struct hp_manifest *man, struct hp_buf *ret_json, struct hp_err *err)
{
	HP_AUTO(hp_arena) struct hp_arena arena = { 0 };
	HP_AUTO(hp_buf) struct hp_buf json = { 0 };
	HP_AUTO(hp_json) json_t *root = write_object(&man_table, man);
	struct hp_manifest *again;
	int r;

	if (root == NULL)
		return hp_err_set(err, HP_E_FORMAT, "cannot write the manifest '%s': missing or non-UTF-8 text, or no memory",
		                  hp_esc(man->name));
	if (json_dump_callback(root, to_buf, &json, JSON_INDENT(2) | JSON_SORT_KEYS) < 0)
		return hp_err_set(err, HP_E_NOMEM, "no memory to write the manifest");
	r = hp_buf_add(&json, "\n", 1, err);
	if (r == 0)
		r = hp_manifest_read(hp_buf_view(&json), &arena, &again, err);
	if (r == 0)
		r = hp_buf_add(ret_json, json.p, json.len, err);
	return r;
}
