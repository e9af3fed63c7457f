/* Option tables: parsing and --help from one source (getopt_long below).
 *
 *   static const char *arg_out; static bool arg_json;
 *   static const struct hp_opt opts[] = {
 *           { 'o', "output", HP_OPT_STR, &arg_out, "FILE", "write the package to FILE" },
 *           { 0, "json", HP_OPT_FLAG, &arg_json, NULL, "print JSON" },
 *           HP_OPT_COMMON,
 *           HP_OPT_END,
 *   };
 *   r = hp_opts_parse(opts, &usage, argc, argv, &first);   // r >= 0: leave with this exit status
 */
#ifndef HP_CLI_OPTS_H
#define HP_CLI_OPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum hp_opt_kind {
	HP_OPT_FLAG,  /* bool */
	HP_OPT_STR,   /* const char * */
	HP_OPT_U64,   /* uint64_t, decimal */
	HP_OPT_LIST,  /* struct hp_opt_list, may be given several times */
	HP_OPT_COUNT, /* unsigned, each use adds one */
};

#define HP_OPT_LIST_MAX 64

struct hp_opt_list {
	const char *v[HP_OPT_LIST_MAX];
	unsigned cnt;
};

struct hp_opt {
	char letter;      /* 0 = none */
	const char *name; /* without "--"; NULL ends the table */
	enum hp_opt_kind kind;
	void *dest;       /* NULL only for HP_OPT_HELP's row */
	const char *arg;  /* name of the argument in --help; NULL for FLAG, COUNT */
	const char *help;
};

struct hp_usage {
	const char *verb;      /* "pack" */
	const char *synopsis;  /* "[options] ORIGINAL PATCHED" */
	const char *what;      /* one or two sentences */
	int min_args, max_args; /* positional arguments; max < 0 = no limit */
};

/* -q, -v, --color; their values are in cli/out.h. Every verb's table has this row set. */
extern unsigned hp_arg_verbose, hp_arg_quiet;
extern const char *hp_arg_color;

#define HP_OPT_COMMON \
	{ 'q', "quiet", HP_OPT_COUNT, &hp_arg_quiet, NULL, "print results and errors only" }, \
	{ 'v', "verbose", HP_OPT_COUNT, &hp_arg_verbose, NULL, "say more" }, \
	{ 0, "color", HP_OPT_STR, &hp_arg_color, "WHEN", "colour messages: auto, always, never" }, \
	{ 'h', "help", HP_OPT_FLAG, NULL, NULL, "print this help" }
#define HP_OPT_END { 0, NULL, HP_OPT_FLAG, NULL, NULL, NULL }

/* hp_opts_parse(opts, usage, argc, argv, ret_first): -1 go on, argv[*ret_first..argc) are the positional arguments ("--" is
 * skipped); otherwise an exit status: 0 after --help, 2 after a usage error, which was printed. */
int hp_opts_parse(const struct hp_opt *opts, const struct hp_usage *usage, int argc, char **argv, int *ret_first);

#endif
