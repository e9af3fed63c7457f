#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/escape.h"
#include "base/file.h"
#include "cli/cmd.h"
#include "cli/diff_print.h"
#include "cli/opts.h"
#include "cli/out.h"
#include "differ/diff.h"

static uint64_t arg_jobs;
static bool arg_json;
static const char *arg_sarif, *arg_waivers;

static const struct hp_opt opts[] = {
	{ 'j', "jobs", HP_OPT_U64, &arg_jobs, "N", "compare with N threads (default: one per CPU)" },
	{ 0, "json", HP_OPT_FLAG, &arg_json, NULL, "print JSON (hpbuild.diff/1)" },
	{ 0, "sarif", HP_OPT_STR, &arg_sarif, "FILE", "also write SARIF 2.1.0 for code-review pages to FILE" },
	{ 0, "waivers", HP_OPT_STR, &arg_waivers, "FILE", "accept the refusals listed in FILE" },
	HP_OPT_COMMON,
	HP_OPT_END,
};

static const struct hp_usage usage = {
	.verb = "diff",
	.synopsis = "[options] ORIGINAL PATCHED",
	.what = "Compare the objects of two builds (.o, .a or folders), without and with a fix, and say whether the fix can be "
		"applied to a\n"
		"running process.",
	.min_args = 2,
	.max_args = 2,
};

static void
show_progress(void *ctx, size_t done, size_t total, const char *path)
{
	(void)ctx;
	hp_progress(done, total, path);
}

static const char *
utc_day(char *buf, size_t len)
{
	time_t now = time(NULL);
	struct tm tm;

	return gmtime_r(&now, &tm) != NULL && strftime(buf, len, "%Y-%m-%d", &tm) > 0 ? buf : "9999-12-31";
}

static int
write_sarif(const struct hp_patchset *set, struct hp_err *err)
{
	json_t *value = hp_diff_sarif(set);
	char *text = value != NULL ? json_dumps(value, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_ENSURE_ASCII) : NULL;
	int r = text != NULL ? hp_file_write(arg_sarif, hp_view_of(text, strlen(text)), 0666, err)
	                     : hp_err_set(err, HP_E_NOMEM, "no memory for '%s'", hp_esc(arg_sarif));

	free(text);
	json_decref(value);
	return r;
}

int
hp_cmd_diff(int argc, char **argv)
{
	struct hp_diff_options options = { .progress = show_progress };
	struct hp_patchset set = { 0 };
	struct hp_err err = { 0 };
	char day[16];
	int first, r = hp_opts_parse(opts, &usage, argc, argv, &first);
	static const int status[] = { HP_EXIT_OK, HP_EXIT_NOTHING, HP_EXIT_REFUSED };

	if (r >= 0)
		return r;
	if (arg_jobs > HP_JOBS_MAX)
		return hp_usage_error("diff", "--jobs: at most %u", HP_JOBS_MAX);
	options.jobs = (unsigned)arg_jobs;
	options.waivers_path = arg_waivers;
	options.today = utc_day(day, sizeof(day));
	r = hp_diff(argv[first], argv[first + 1], &options, &set, &err);
	if (r == 0 && arg_sarif != NULL && (r = write_sarif(&set, &err)) < 0)
		hp_patchset_release(&set);
	if (r < 0)
		return hp_out_fail(&err, arg_json);
	if (arg_json)
		hp_out_json(hp_diff_json(&set));
	else
		hp_diff_print(&set);
	r = status[set.verdict];
	hp_patchset_release(&set);
	return r;
}
