/* hpbuild apply: a verified package into a running process. */
#include "cli/cmd.h"

#include "base/cleanup.h"
#include "cli/live_common.h"
#include "cli/opts.h"
#include "cli/out.h"
#include "cli/rollback.h"
#include "cli/trust.h"

static struct hp_opt_list arg_trust, arg_allow, arg_skip;
static uint64_t arg_pid, arg_timeout = HP_LIVE_TIMEOUT_MS, arg_hook_timeout = HP_LIVE_HOOK_MS, arg_require = 1;
static struct hp_rollback arg_rollback;
static struct hp_skip arg_rules; /* arg_skip, parsed */
static bool arg_all, arg_dry_run, arg_json, arg_ignore_unknown;

static const struct hp_opt opts[] = {
	HP_OPT_TRUST(arg_trust),
	{ 'p', "pid", HP_OPT_U64, &arg_pid, "N", "the process" },
	{ 'a', "all", HP_OPT_FLAG, &arg_all, NULL, "every process that runs the baseline of PKG" },
	{ 0, "skip", HP_OPT_LIST, &arg_skip, "RULE", "with --all: not user=, group=, path= or pid=" },
	{ 'n', "dry-run", HP_OPT_FLAG, &arg_dry_run, NULL, "check everything that can be checked, touch nothing" },
	{ 0, "timeout", HP_OPT_U64, &arg_timeout, "MS", "look for a good moment this long (default: 3000)" },
	{ 0, "hook-timeout", HP_OPT_U64, &arg_hook_timeout, "MS", "a hook of the package may take this long (default: 2000)" },
	{ 0, "allow-active", HP_OPT_LIST, &arg_allow, "FUNC", "switch although a thread may be inside FUNC" },
	{ 0, "require", HP_OPT_U64, &arg_require, "N", "this many trusted keys must have signed (default: 1)" },
	{ 0, "ignore-unknown", HP_OPT_FLAG, &arg_ignore_unknown, NULL, "skip signatures of unknown keys" },
	HP_OPT_ROLLBACK(arg_rollback),
	{ 0, "json", HP_OPT_FLAG, &arg_json, NULL, "print JSON" },
	HP_OPT_COMMON,
	HP_OPT_END,
};
static const struct hp_usage usage = { "apply", "[options] --pid N|--all PKG",
	                               "Verify a package and put it into a running process. Applying it again is no error.\n"
	                               "On any failure the process is as it was.",
	                               1, 1 };

static int
apply_one(const struct hp_verified_pkg *pkg, pid_t pid, const struct hp_live_opts *o, const char *did, struct hp_err *err)
{
	HP_AUTO(hp_live) struct hp_live *live = NULL;
	struct hp_live_report report;
	int r = hp_live_open(pid, &live, err);

	if (r == 0)
		r = hp_live_apply(live, pkg, o, &report, err);
	if (r == 0 && !arg_dry_run)
		r = hp_rollback_after(&arg_rollback, pkg, err);
	if (r < 0)
		return r;
	if (arg_json)
		hp_out_json(hp_cli_live_json("hpbuild.apply/1", pid, pkg, &report, did));
	else
		hp_cli_live_text(pid, hp_live_comm(live), pkg, &report, did);
	return 0;
}

static void
summary(const struct hp_cli_all *all, const char *did)
{
	hp_out("%zu process%s the baseline: %zu %s, %zu already, %zu failed", all->seen_cnt,
	       all->seen_cnt == 1 ? " runs" : "es run", all->done_cnt, did, all->already_cnt, all->failed_cnt);
	if (all->skip->cnt > 0)
		hp_out(", %zu skipped", all->skipped_cnt);
	hp_out("\n");
}

/* Exit status, or a negative code. */
static int
apply_all(const struct hp_verified_pkg *pkg, const struct hp_live_opts *o, const char *did, struct hp_err *err)
{
	struct hp_cli_all all = { .pkg = pkg, .opts = o, .skip = &arg_rules, .did = did, .list = arg_json ? json_array() : NULL };
	int r = hp_cli_apply_all(&all, err);

	if (r == 0 && !arg_dry_run && all.done_cnt > 0)
		r = hp_rollback_after(&arg_rollback, pkg, err);
	if (arg_json)
		hp_out_json(json_pack("{s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I}", "schema", "hpbuild.apply-all/1", "processes",
		                      all.list, "matching", (json_int_t)all.seen_cnt, "done", (json_int_t)all.done_cnt, "already",
		                      (json_int_t)all.already_cnt, "failed", (json_int_t)all.failed_cnt, "partial",
		                      (json_int_t)all.partial_cnt, "skipped", (json_int_t)all.skipped_cnt));
	else
		summary(&all, did);
	if (all.partial_cnt > 0)
		hp_warn("%zu process%s only some of the package's modules, and stay%s as before ('status PKG' lists them)",
		        all.partial_cnt, all.partial_cnt == 1 ? " has" : "es have", all.partial_cnt == 1 ? "s" : "");
	return r < 0 ? r : all.status;
}

static int
apply(const char *path, pid_t pid, struct hp_err *err)
{
	const struct hp_verify_opts how = { .require = (uint32_t)arg_require, .ignore_unknown = arg_ignore_unknown,
		                            .allow_expired = arg_rollback.allow_expired };
	HP_AUTO(hp_verified_pkg) struct hp_verified_pkg *pkg = NULL;
	HP_AUTO(hp_trust) struct hp_trust trust = { 0 };
	struct hp_live_opts o;
	const char *did = arg_dry_run ? "would apply" : "applied";
	int r = hp_cli_trust(&arg_trust, &trust, err);

	if (r == 0)
		r = hp_verify_file(path, &trust, &how, &pkg, err);
	if (r == 0)
		r = hp_rollback_before(&arg_rollback, pkg, (int)pid, arg_dry_run, err);
	if (r < 0)
		return r;
	hp_cli_live_opts(arg_timeout, arg_dry_run, &arg_allow, &trust, &o);
	o.hook_ns = arg_hook_timeout * 1000000u;
	return arg_all ? apply_all(pkg, &o, did, err) : apply_one(pkg, pid, &o, did, err);
}

int
hp_cmd_apply(int argc, char **argv)
{
	struct hp_err err = { 0 };
	int first, r = hp_opts_parse(opts, &usage, argc, argv, &first);
	pid_t pid = 0;

	if (r < 0 && arg_all && arg_pid != 0)
		return hp_usage_error("apply", "--all and --pid exclude each other");
	if (r < 0 && !arg_all && arg_skip.cnt > 0)
		return hp_usage_error("apply", "--skip is for --all");
	if (r < 0 && !arg_all)
		r = hp_cli_live_pid("apply", arg_pid, &pid);
	if (r >= 0)
		return r;
	if (arg_require < 1 || arg_require > HP_PKG_SIGS_MAX)
		return hp_usage_error("apply", "--require wants a number from 1 to %u", HP_PKG_SIGS_MAX);
	if (arg_timeout > 3600000 || arg_hook_timeout > 3600000)
		return hp_usage_error("apply", "--timeout and --hook-timeout want at most an hour (3600000)");
	r = hp_skip_parse(&arg_skip, &arg_rules, &err);
	if (r == 0)
		r = apply(argv[first], pid, &err);
	return r < 0 ? hp_out_fail(&err, arg_json) : r;
}
