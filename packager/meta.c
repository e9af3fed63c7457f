/* --meta: what people say about a hotpatch. The keys are listed in hpbuild-pack(1). */
#include <jansson.h>
#include <string.h>

#include "base/escape.h"
#include "formats/manifest.h"
#include "packager/internal.h"

struct meta {
	json_t *root;
	struct hp_arena *arena;
	struct hp_err *err;
	const char *key; /* being read */
};

static void
json_auto(json_t **value)
{
	json_decref(*value);
}

static int
wrong(const struct meta *m, const char *want)
{
	return hp_err_set(m->err, HP_E_FORMAT, "meta file: '%s' must be %s", hp_esc(m->key), want);
}

static int
get_string(struct meta *m, json_t *value, const char **ret)
{
	char *s;

	if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value))
		return wrong(m, "a string");
	s = hp_arena_strdup(m->arena, json_string_value(value));
	if (s == NULL)
		return hp_err_set(m->err, HP_E_NOMEM, "no memory");
	*ret = s;
	return 0;
}

static int
get_list(struct meta *m, json_t *value, const char ***ret, size_t *ret_cnt)
{
	size_t cnt = json_array_size(value);
	const char **v;

	if (!json_is_array(value))
		return wrong(m, "a list of strings");
	v = hp_arena_array(m->arena, cnt, sizeof(*v));
	if (v == NULL)
		return hp_err_set(m->err, HP_E_NOMEM, "no memory");
	for (size_t i = 0; i < cnt; i++) {
		int r = get_string(m, json_array_get(value, i), &v[i]);

		if (r < 0)
			return r;
	}
	*ret = v;
	*ret_cnt = cnt;
	return 0;
}

static int
get_number(const struct meta *m, json_t *value, uint64_t *ret)
{
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return wrong(m, "a whole number that is not negative");
	*ret = (uint64_t)json_integer_value(value);
	return 0;
}

static int
get_flag(const struct meta *m, json_t *value, bool *ret)
{
	if (!json_is_boolean(value))
		return wrong(m, "true or false");
	*ret = json_is_true(value);
	return 0;
}

static int
get_baseline(struct meta *m, json_t *value, struct hp_manifest *man)
{
	const char *key;
	json_t *v;

	if (!json_is_object(value))
		return wrong(m, "an object with 'name' and 'version'");
	json_object_foreach(value, key, v) {
		int r;

		m->key = key;
		if (strcmp(key, "name") == 0)
			r = get_string(m, v, &man->baseline_name);
		else if (strcmp(key, "version") == 0)
			r = get_string(m, v, &man->baseline_version);
		else
			r = hp_err_set(m->err, HP_E_FORMAT, "meta file: unknown key 'baseline.%s'", hp_esc(key));
		if (r < 0)
			return r;
	}
	return 0;
}

static int
get_key(struct meta *m, const char *key, json_t *v, struct hp_manifest *man)
{
	m->key = key;
	if (strcmp(key, "name") == 0)
		return get_string(m, v, &man->name);
	if (strcmp(key, "serial") == 0)
		return get_number(m, v, &man->serial);
	if (strcmp(key, "baseline") == 0)
		return get_baseline(m, v, man);
	if (strcmp(key, "fixes") == 0)
		return get_list(m, v, &man->fixes, &man->fixes_cnt);
	if (strcmp(key, "supersedes") == 0)
		return get_list(m, v, &man->supersedes, &man->supersedes_cnt);
	if (strcmp(key, "cumulative") == 0)
		return get_flag(m, v, &man->cumulative);
	if (strcmp(key, "out_of_band") == 0)
		return get_flag(m, v, &man->out_of_band);
	if (strcmp(key, "restart_required") == 0)
		return get_flag(m, v, &man->restart_required);
	if (strcmp(key, "expires") == 0)
		return get_number(m, v, &man->expires);
	if (strcmp(key, "source_patch") == 0)
		return get_string(m, v, &man->source_patch);
	return hp_err_set(m->err, HP_E_FORMAT, "meta file: unknown key '%s'", hp_esc(key));
}

int
hp_meta_read(struct hp_view json, struct hp_arena *arena, struct hp_manifest *man, struct hp_err *err)
{
	HP_AUTO(json) json_t *root = NULL;
	json_error_t why;
	struct meta m = { .arena = arena, .err = err };
	const char *key;
	json_t *v;

	if (json.len == 0)
		return 0;
	root = json_loadb((const char *)json.p, json.len, JSON_REJECT_DUPLICATES, &why);
	if (root == NULL)
		return hp_err_set(err, HP_E_FORMAT, "meta file: line %d: %s", why.line, hp_esc(why.text));
	if (!json_is_object(root))
		return hp_err_set(err, HP_E_FORMAT, "meta file: not a JSON object");
	m.root = root;
	json_object_foreach(root, key, v) {
		int r = get_key(&m, key, v, man);

		if (r < 0)
			return r;
	}
	return 0;
}
