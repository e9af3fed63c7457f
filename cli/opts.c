#include "cli/opts.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/out.h"

#define OPTS_MAX 48

unsigned hp_arg_verbose, hp_arg_quiet;
const char *hp_arg_color = "auto";

static void
print_help(const struct hp_opt *opts, const struct hp_usage *usage)
{
	hp_out("Usage: hpbuild %s %s\n\n%s\n\nOptions:\n", usage->verb, usage->synopsis, usage->what);
	for (const struct hp_opt *o = opts; o->name != NULL; o++) {
		char left[64];
		int n = snprintf(left, sizeof(left), "%c%c%s--%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
		                 o->letter ? ", " : "  ", o->name, o->arg ? " " : "", o->arg ? o->arg : "");

		hp_out("  %-24s%s%s\n", left, n > 23 ? "\n                          " : "", o->help);
	}
}

static int
set_value(const struct hp_opt *o, const struct hp_usage *usage, const char *value)
{
	struct hp_opt_list *list = o->dest;
	char *end;

	switch (o->kind) {
	case HP_OPT_FLAG:
		*(bool *)o->dest = true;
		return -1;
	case HP_OPT_STR:
		*(const char **)o->dest = value;
		return -1;
	case HP_OPT_COUNT:
		++*(unsigned *)o->dest;
		return -1;
	case HP_OPT_U64:
		errno = 0;
		*(uint64_t *)o->dest = strtoull(value, &end, 10);
		if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno != 0)
			return hp_usage_error(usage->verb, "--%s wants a number, not '%s'", o->name, value);
		return -1;
	case HP_OPT_LIST:
		if (list->cnt == HP_OPT_LIST_MAX)
			return hp_usage_error(usage->verb, "--%s was given more than %d times", o->name, HP_OPT_LIST_MAX);
		list->v[list->cnt++] = value;
		return -1;
	}
	return HP_EXIT_FAILED;
}

/* Fill getopt's two views of the table; value 256 + index for long options without a letter. */
static void
fill_getopt(const struct hp_opt *opts, struct option *longs, char *shorts)
{
	size_t n = 0, s = 0;

	shorts[s++] = '+'; /* stop at the first positional argument: `build ... -- make -j2` */
	shorts[s++] = ':'; /* tell a missing argument from an unknown option */
	for (; opts[n].name != NULL && n < OPTS_MAX; n++) {
		bool takes = opts[n].kind != HP_OPT_FLAG && opts[n].kind != HP_OPT_COUNT;

		longs[n] = (struct option){ opts[n].name, takes ? required_argument : no_argument, NULL, 256 + (int)n };
		if (opts[n].letter) {
			shorts[s++] = opts[n].letter;
			if (takes)
				shorts[s++] = ':';
		}
	}
	longs[n] = (struct option){ NULL, 0, NULL, 0 };
	shorts[s] = '\0';
}

static const struct hp_opt *
find_opt(const struct hp_opt *opts, int c)
{
	if (c >= 256)
		return &opts[c - 256];
	for (; opts->name != NULL; opts++)
		if (opts->letter == c)
			return opts;
	return NULL;
}

static int
check_common(const struct hp_usage *usage)
{
	if (strcmp(hp_arg_color, "auto") != 0 && strcmp(hp_arg_color, "always") != 0 && strcmp(hp_arg_color, "never") != 0)
		return hp_usage_error(usage->verb, "--color wants auto, always or never, not '%s'", hp_arg_color);
	return -1;
}

int
hp_opts_parse(const struct hp_opt *opts, const struct hp_usage *usage, int argc, char **argv, int *ret_first)
{
	struct option longs[OPTS_MAX + 1];
	char shorts[2 * OPTS_MAX + 3];
	int c, r, n;

	fill_getopt(opts, longs, shorts);
	opterr = 0;
	optind = 1;
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct hp_opt *o;

		if (c == ':')
			return hp_usage_error(usage->verb, "option '%s' wants an argument", argv[optind - 1]);
		o = c == '?' ? NULL : find_opt(opts, c);
		if (o == NULL)
			return hp_usage_error(usage->verb, "unknown option '%s'", argv[optind - 1]);
		if (o->dest == NULL) {
			print_help(opts, usage);
			return HP_EXIT_OK;
		}
		r = set_value(o, usage, optarg);
		if (r >= 0)
			return r;
	}
	n = argc - optind;
	if (n < usage->min_args)
		return hp_usage_error(usage->verb, "wants %s%d argument%s, got %d",
		                      usage->max_args == usage->min_args ? "" : "at least ", usage->min_args,
		                      usage->min_args == 1 ? "" : "s", n);
	if (usage->max_args >= 0 && n > usage->max_args)
		return hp_usage_error(usage->verb, "unexpected argument '%s'", argv[optind + usage->max_args]);
	*ret_first = optind;
	return check_common(usage);
}
