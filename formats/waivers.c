#include "formats/waivers.h"

#include <ctype.h>
#include <jansson.h>
#include <string.h>

#include "base/escape.h"
#include "base/file.h"

#define LEN_MAX ((uint64_t)1 << 20)
#define WAIVERS_MAX 4096u

static bool
is_day(const char *s)
{
	static const char shape[] = "dddd-dd-dd";

	for (size_t i = 0; i < sizeof(shape); i++)
		if (shape[i] == 'd' ? !isdigit((unsigned char)s[i]) : s[i] != shape[i])
			return false;
	return true;
}

static int
read_one(json_t *v, size_t i, const char *path, struct hp_arena *arena, struct hp_waiver *ret, struct hp_err *err)
{
	const char *rule, *symbol, *reason, *expires;
	json_error_t why;

	if (json_unpack_ex(v, &why, JSON_STRICT, "{s:s, s:s, s:s, s:s}", "rule", &rule, "symbol", &symbol, "reason", &reason,
	                   "expires", &expires) < 0)
		return hp_err_set(err, HP_E_FORMAT, "'%s': waiver %zu: %s", hp_esc(path), i + 1, hp_esc(why.text));
	if (strncmp(rule, "HP2", 3) != 0 || reason[0] == '\0' || symbol[0] == '\0' || !is_day(expires))
		return hp_err_set(err, HP_E_FORMAT,
		                  "'%s': waiver %zu: wants a rule HP2xxx, a symbol, a reason and a day such as 2027-01-31",
		                  hp_esc(path), i + 1);
	*ret = (struct hp_waiver){ hp_arena_strdup(arena, rule), hp_arena_strdup(arena, symbol), hp_arena_strdup(arena, reason),
		                   hp_arena_strdup(arena, expires) };
	if (ret->rule == NULL || ret->symbol == NULL || ret->reason == NULL || ret->expires == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for waivers");
	return 0;
}

static int
read_all(json_t *root, const char *path, struct hp_arena *arena, struct hp_waiver **ret, size_t *ret_cnt, struct hp_err *err)
{
	const char *schema;
	json_error_t why;
	json_t *list;
	size_t cnt;

	if (json_unpack_ex(root, &why, JSON_STRICT, "{s:s, s:o}", "schema", &schema, "waivers", &list) < 0)
		return hp_err_set(err, HP_E_FORMAT, "'%s': %s", hp_esc(path), hp_esc(why.text));
	if (strcmp(schema, "hpbuild.waivers/1") != 0 || !json_is_array(list))
		return hp_err_set(err, HP_E_FORMAT, "'%s': not a list of waivers (hpbuild.waivers/1)", hp_esc(path));
	cnt = json_array_size(list);
	if (cnt > WAIVERS_MAX)
		return hp_err_set(err, HP_E_LIMIT, "'%s': %zu waivers, more than %u", hp_esc(path), cnt, WAIVERS_MAX);
	*ret = hp_arena_array(arena, cnt, sizeof(**ret));
	if (*ret == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for waivers");
	for (size_t i = 0; i < cnt; i++) {
		int r = read_one(json_array_get(list, i), i, path, arena, &(*ret)[i], err);

		if (r < 0)
			return r;
	}
	*ret_cnt = cnt;
	return 0;
}

int
hp_waivers_read(const char *path, struct hp_arena *arena, struct hp_waiver **ret, size_t *ret_cnt, struct hp_err *err)
{
	struct hp_buf buf;
	json_error_t why;
	json_t *root;
	int r = hp_file_read(path, LEN_MAX, &buf, err);

	if (r < 0)
		return r;
	root = json_loadb((const char *)buf.p, buf.len, JSON_REJECT_DUPLICATES, &why);
	hp_buf_release(&buf);
	if (root == NULL)
		return hp_err_set(err, HP_E_FORMAT, "'%s': line %d: %s", hp_esc(path), why.line, hp_esc(why.text));
	r = read_all(root, path, arena, ret, ret_cnt, err);
	json_decref(root);
	return r;
}
