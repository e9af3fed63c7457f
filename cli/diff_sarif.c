/* SARIF 2.1.0 (OASIS): one run; the rules with their texts; each reason a result on its source line, and each function that
 * changed, is new or gone an informational one. A waived refusal is a result with a suppression, as the standard has it. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/escape.h"
#include "cli/cmd.h"
#include "cli/diff_print.h"
#include "cli/out.h"
#include "differ/rules.h"

#define RULE_CHANGED "function-changed"
#define RULE_CHANGED_TEXT                                                                                                        \
	"A function of the patched tree that is not the same as in the original. The message says where its code first does "    \
	"something else."

struct sarif {
	json_t *results;
	const char *object;
	bool failed;
};

static json_t *
text(const char *s)
{
	return json_pack("{s:o}", "text", hp_json_text(s));
}

static json_t *
rule_json(const char *id, const char *title, const char *paragraph, const char *level)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:{s:s}}", "id", id, "shortDescription", text(title), "fullDescription",
	                 text(paragraph), "help", text(paragraph), "defaultConfiguration", "level", level);
}

static json_t *
rules_json(void)
{
	json_t *v = json_array();
	size_t cnt;
	const struct hp_rule *rules = hp_rule_all(&cnt);
	bool ok = v != NULL;

	for (size_t i = 0; i < cnt && ok; i++)
		ok = json_array_append_new(v, rule_json(rules[i].name, rules[i].title, rules[i].text,
		                                        hp_rule_refuses(rules[i].id) ? "error" : "note")) == 0;
	if (ok && json_array_append_new(v, rule_json(RULE_CHANGED, "function changed", RULE_CHANGED_TEXT, "none")) == 0)
		return v;
	json_decref(v);
	return NULL;
}

static size_t
rule_index(const char *id)
{
	size_t cnt, i = 0;
	const struct hp_rule *rules = hp_rule_all(&cnt);

	while (i < cnt && strcmp(rules[i].name, id) != 0)
		i++;
	return i; /* RULE_CHANGED is the last */
}

/* A path as a URI reference (RFC 3986): absolute ones as file:, others relative to the root of the sources. */
static json_t *
uri_json(const char *path, size_t len)
{
	static const char digits[] = "0123456789ABCDEF";
	HP_AUTO(hp_buf) struct hp_buf b = { 0 };
	int r = len > 0 && path[0] == '/' ? hp_buf_add(&b, "file://", 7, NULL) : 0;

	for (size_t i = 0; i < len && r == 0; i++) {
		unsigned char c = (unsigned char)path[i];
		char esc[3] = { '%', digits[c >> 4], digits[c & 15] };
		bool plain = isalnum(c) || strchr("-._~/+@,", c) != NULL;

		r = plain ? hp_buf_add(&b, &path[i], 1, NULL) : hp_buf_add(&b, esc, 3, NULL);
	}
	return r < 0 ? NULL : json_stringn((const char *)b.p, b.len);
}

/* Where: the source line "dir/a.c:12", or else the object file; and what, by its symbol. */
static json_t *
location(const char *source, const char *object, const char *symbol, const char *kind)
{
	const char *colon = strrchr(source, ':');
	unsigned long long line = colon != NULL ? strtoull(colon + 1, NULL, 10) : 0;
	json_t *physical, *logical = NULL, *ret;

	if (colon != NULL && line > 0 && line <= INT32_MAX)
		physical = json_pack("{s:{s:o}, s:{s:I}}", "artifactLocation", "uri", uri_json(source, (size_t)(colon - source)),
		                     "region", "startLine", (json_int_t)line);
	else
		physical = json_pack("{s:{s:o}}", "artifactLocation", "uri", uri_json(object, strlen(object)));
	if (symbol[0] != '\0')
		logical = json_pack("[{s:o, s:s, s:o}]", "name", hp_json_text(symbol), "kind", kind, "fullyQualifiedName",
		                    json_sprintf("%s:%s", hp_esc(object), hp_esc(symbol)));
	/* A place that is a whole tree has neither. */
	ret = source[0] == '\0' && object[0] == '\0' ? json_object() : json_pack("{s:O}", "physicalLocation", physical);
	json_decref(physical);
	if (ret != NULL && logical != NULL && json_object_set(ret, "logicalLocations", logical) < 0) {
		json_decref(ret);
		ret = NULL;
	}
	json_decref(logical);
	return ret;
}

static void
add(struct sarif *s, json_t *result, json_t *where)
{
	if (result == NULL || where == NULL || json_object_set_new(result, "locations", json_array()) < 0 ||
	    (json_object_size(where) > 0 && json_array_append(json_object_get(result, "locations"), where) < 0) ||
	    json_array_append(s->results, result) < 0)
		s->failed = true;
	json_decref(where);
	json_decref(result);
}

static void
add_row(void *ctx, const struct hp_diff_row *row)
{
	struct sarif *s = ctx;

	if (!row->func || row->change == HP_NOISE)
		return; /* noise is a reason */
	add(s,
	    json_pack("{s:s, s:I, s:s, s:s, s:{s:o}}", "ruleId", RULE_CHANGED, "ruleIndex", (json_int_t)rule_index(RULE_CHANGED),
	              "kind", "informational", "level", "none", "message", "text",
	              json_sprintf("%s: %s%s%s", hp_esc(row->name), hp_change_names[row->change], row->why[0] != '\0' ? ": " : "",
	                           row->why)),
	    location(row->source, s->object, row->name, "function"));
}

/* ${cnt} equal ones, of as many objects. */
static void
add_reason(struct sarif *s, const struct hp_reason *r, size_t cnt)
{
	json_t *result = json_pack("{s:s, s:I, s:s, s:{s:o}}", "ruleId", r->rule, "ruleIndex", (json_int_t)rule_index(r->rule),
	                           "level", r->refuse ? "error" : "note", "message", "text",
	                           json_sprintf("%s%s%s", hp_esc(r->symbol), r->symbol[0] != '\0' ? ": " : "", r->message));

	if (result != NULL && cnt > 1)
		(void)json_object_set_new(result, "occurrenceCount", json_integer((json_int_t)cnt));
	if (result != NULL && r->waived)
		(void)json_object_set_new(result, "suppressions",
		                          json_pack("[{s:s, s:s}]", "kind", "external", "justification", "waiver file"));
	add(s, result, location(r->source, r->object, r->symbol, "member"));
}

static void
add_reasons(struct sarif *s, const struct hp_patchset *set, bool refuse)
{
	size_t cnt, same;
	const struct hp_reason **v = hp_diff_by_text(set, refuse, &cnt);

	for (size_t i = 0; i < cnt; i += same) {
		for (same = 1; i + same < cnt && hp_diff_text_order(v[i], v[i + same]) == 0; same++)
			;
		add_reason(s, v[i], same);
	}
	s->failed |= v == NULL;
	free(v);
}

json_t *
hp_diff_sarif(const struct hp_patchset *set)
{
	struct sarif s = { .results = json_array() };
	json_t *rules = rules_json();

	if (s.results != NULL) {
		add_reasons(&s, set, true);
		add_reasons(&s, set, false);
	}
	for (size_t i = 0; i < set->pairs_cnt && s.results != NULL; i++) {
		s.object = set->pairs[i].path;
		hp_diff_rows(&set->pairs[i], false, add_row, &s);
		hp_diff_rows(&set->pairs[i], true, add_row, &s);
	}
	if (s.failed || s.results == NULL || rules == NULL) {
		json_decref(s.results);
		json_decref(rules);
		return NULL;
	}
	return json_pack("{s:s, s:s, s:[{s:{s:{s:s, s:s, s:o}}, s:s, s:o}]}", "$schema",
	                 "https://json.schemastore.org/sarif-2.1.0.json", "version", "2.1.0", "runs", "tool", "driver", "name",
	                 "hpbuild", "version", HP_VERSION, "rules", rules, "columnKind", "utf16CodeUnits", "results", s.results);
}
