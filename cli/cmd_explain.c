#include <string.h>

#include "base/escape.h"
#include "cli/cmd.h"
#include "cli/opts.h"
#include "cli/out.h"
#include "differ/rules.h"

static bool arg_json, arg_markdown;

static const struct hp_opt opts[] = {
	{ 0, "json", HP_OPT_FLAG, &arg_json, NULL, "print JSON (hpbuild.rules/1)" },
	{ 0, "markdown", HP_OPT_FLAG, &arg_markdown, NULL, "print all rules as docs/rules.md has them" },
	HP_OPT_COMMON,
	HP_OPT_END,
};

static const struct hp_usage usage = {
	.verb = "explain",
	.synopsis = "[options] [RULE...]",
	.what = "Explain verdict rules such as HP2007; without RULE, list them all.",
	.min_args = 0,
	.max_args = -1,
};

/* Words of ${text} in lines of at most ${width} columns. */
static void
print_wrapped(const char *text, size_t width)
{
	size_t column = 0;

	while (*text != '\0') {
		size_t len = strcspn(text, " ");

		if (column > 0 && column + 1 + len > width) {
			hp_out("\n");
			column = 0;
		}
		hp_out("%s%.*s", column > 0 ? " " : "", (int)len, text);
		column += len + (column > 0);
		text += len + strspn(text + len, " ");
	}
	hp_out("\n");
}

static json_t *
rule_json(const struct hp_rule *rule)
{
	return json_pack("{s:s, s:s, s:s, s:s}", "rule", rule->name, "severity", hp_rule_refuses(rule->id) ? "refuse" : "note",
	                 "title", rule->title, "text", rule->text);
}

static void
print_all(void)
{
	size_t cnt;
	const struct hp_rule *rules = hp_rule_all(&cnt);
	json_t *list = json_array();

	for (size_t i = 0; i < cnt; i++) {
		if (arg_json)
			(void)json_array_append_new(list, rule_json(&rules[i]));
		else
			hp_out("%s  %s  %s\n", rules[i].name, hp_rule_refuses(rules[i].id) ? "refuses" : "note   ",
			       rules[i].title);
	}
	if (arg_json)
		hp_out_json(json_pack("{s:s, s:O}", "schema", "hpbuild.rules/1", "rules", list));
	json_decref(list);
}

static void
print_markdown(void)
{
	size_t cnt;
	const struct hp_rule *rules = hp_rule_all(&cnt);

	hp_out("# Verdict rules\n\n");
	print_wrapped(
		"`hpbuild diff` gives every reason a rule with a stable ID. HP1xxx are notes: they explain a result and never "
		"change the exit status. HP2xxx refuse: the change needs a restart, unless a waiver accepts it. "
		"`hpbuild explain ID` prints the paragraph.",
		120);
	for (size_t i = 0; i < cnt; i++) {
		hp_out("\n## %s %s\n\n", rules[i].name, rules[i].title);
		print_wrapped(rules[i].text, 120);
	}
}

int
hp_cmd_explain(int argc, char **argv)
{
	int first, r = hp_opts_parse(opts, &usage, argc, argv, &first);
	json_t *list;

	if (r >= 0)
		return r;
	if (arg_markdown) {
		print_markdown();
		return HP_EXIT_OK;
	}
	if (first == argc) {
		print_all();
		return HP_EXIT_OK;
	}
	for (int i = first; i < argc; i++)
		if (hp_rule_find(argv[i]) == NULL)
			return hp_usage_error("explain", "no rule '%s'; 'hpbuild explain' lists them", hp_esc(argv[i]));
	list = json_array();
	for (int i = first; i < argc; i++) {
		const struct hp_rule *rule = hp_rule_find(argv[i]);

		if (arg_json) {
			(void)json_array_append_new(list, rule_json(rule));
			continue;
		}
		hp_out("%s%s: %s (%s)\n\n", i > first ? "\n" : "", rule->name, rule->title,
		       hp_rule_refuses(rule->id) ? "refuses" : "note");
		print_wrapped(rule->text, 78);
	}
	if (arg_json)
		hp_out_json(json_pack("{s:s, s:O}", "schema", "hpbuild.rules/1", "rules", list));
	json_decref(list);
	return HP_EXIT_OK;
}
