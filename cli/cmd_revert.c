/* hpbuild revert: take an applied package back. It needs nothing but the process: the package is in its record. */
#include "cli/cmd.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "cli/live_common.h"
#include "cli/opts.h"
#include "cli/out.h"
#include "cli/trust.h"
#include "formats/hash.h"

static struct hp_opt_list arg_trust;
static uint64_t arg_pid, arg_timeout = HP_LIVE_TIMEOUT_MS, arg_hook_timeout = HP_LIVE_HOOK_MS;
static const char *arg_id;
static bool arg_all, arg_dry_run, arg_json;

static const struct hp_opt opts[] = {
	HP_OPT_TRUST(arg_trust),
	{ 'p', "pid", HP_OPT_U64, &arg_pid, "N", "the process" },
	{ 0, "id", HP_OPT_STR, &arg_id, "ID", "the package (32 hex digits, or how they begin); default: the last one" },
	{ 'a', "all", HP_OPT_FLAG, &arg_all, NULL, "all packages of the process, the last one first" },
	{ 'n', "dry-run", HP_OPT_FLAG, &arg_dry_run, NULL, "check everything that can be checked, touch nothing" },
	{ 0, "timeout", HP_OPT_U64, &arg_timeout, "MS", "look for a good moment this long (default: 3000)" },
	{ 0, "hook-timeout", HP_OPT_U64, &arg_hook_timeout, "MS", "a hook of the package may take this long (default: 2000)" },
	{ 0, "json", HP_OPT_FLAG, &arg_json, NULL, "print JSON" },
	HP_OPT_COMMON,
	HP_OPT_END,
};
static const struct hp_usage usage = { "revert", "[options] --pid N [--id ID|--all]",
	                               "Take a package back. The process runs its original functions again; the memory of the\n"
	                               "package stays mapped.",
	                               0, 0 };

static bool
is_wanted(const struct hp_rec *rec)
{
	char id[2 * HP_PKG_ID_LEN + 1];

	hp_hex(rec->id, HP_PKG_ID_LEN, id);
	if (arg_id != NULL)
		return strncmp(id, arg_id, strlen(arg_id)) == 0;
	return rec->state == HP_REC_APPLIED || rec->state == HP_REC_SWITCHING || rec->state == HP_REC_REVERTING;
}

/* The latest record that fits; with --id it must be the only one. */
static int
pick(const struct hp_recs *recs, const struct hp_rec **ret, struct hp_err *err)
{
	const struct hp_rec *found = NULL;

	for (size_t i = recs->cnt; i-- > 0;) {
		if (!is_wanted(&recs->v[i]))
			continue;
		if (found != NULL && arg_id != NULL)
			return hp_err_set(err, HP_E_USAGE, "more than one package begins with '%s'", hp_esc(arg_id));
		if (found == NULL)
			found = &recs->v[i];
	}
	if (found == NULL && recs->bad_cnt > 0)
		return hp_err_set(err, HP_E_BUSY, "the process has %zu record%s that cannot be read", recs->bad_cnt,
		                  recs->bad_cnt == 1 ? "" : "s");
	if (found == NULL && arg_id != NULL)
		return hp_err_set(err, HP_E_NOTHING, "the process has no package '%s'", hp_esc(arg_id));
	if (found == NULL)
		return hp_err_set(err, HP_E_NOTHING, "no package is applied to the process");
	*ret = found;
	return 0;
}

static const char *
did(void)
{
	return arg_dry_run ? "would revert" : "reverted";
}

/* ${list}: append the report instead of printing it, when not NULL. */
static int
revert_one(struct hp_live *live, pid_t pid, const struct hp_rec *rec, const struct hp_trust *trust, json_t *list,
           struct hp_err *err)
{
	HP_AUTO(hp_verified_pkg) struct hp_verified_pkg *pkg = NULL;
	struct hp_live_report report;
	struct hp_live_opts o;
	int r = hp_cli_live_verify(rec, trust, &pkg, err);

	if (r < 0)
		return hp_err_add(err, "the package in process %d", pid);
	hp_cli_live_opts(arg_timeout, arg_dry_run, NULL, trust, &o);
	o.hook_ns = arg_hook_timeout * 1000000u;
	r = hp_live_revert(live, pkg, &o, &report, err);
	if (r < 0)
		return r;
	if (list != NULL)
		(void)json_array_append_new(list, hp_cli_live_json("hpbuild.revert/1", pid, pkg, &report, did()));
	else if (arg_json)
		hp_out_json(hp_cli_live_json("hpbuild.revert/1", pid, pkg, &report, did()));
	else
		hp_cli_live_text(pid, hp_live_comm(live), pkg, &report, did());
	return 0;
}

/* From the last to the first. What was taken back stays so when a later step fails. The records are read anew each time, because
 * the last revert changed them. */
static int
revert_all(struct hp_live *live, pid_t pid, const struct hp_trust *trust, struct hp_err *err)
{
	json_t *list = arg_json ? json_array() : NULL;
	const struct hp_recs *recs;
	int r = hp_live_records(live, &recs, err);
	size_t done = 0;

	for (size_t i = r == 0 ? recs->cnt : 0; i-- > 0 && r == 0;) {
		r = hp_live_records(live, &recs, err);
		if (r < 0 || i >= recs->cnt || !is_wanted(&recs->v[i]))
			continue;
		r = revert_one(live, pid, &recs->v[i], trust, list, err);
		done += r == 0;
	}
	if (list != NULL && r == 0)
		hp_out_json(json_pack("{s:s, s:i, s:o}", "schema", "hpbuild.revert-all/1", "pid", (int)pid, "packages", list));
	else
		json_decref(list);
	if (r < 0 && done > 0)
		return hp_err_add(err, "%zu package%s taken back before that", done, done == 1 ? " was" : "s were");
	return r == 0 && done == 0 ? hp_err_set(err, HP_E_NOTHING, "no package is applied to the process") : r;
}

static int
revert(pid_t pid, struct hp_err *err)
{
	HP_AUTO(hp_trust) struct hp_trust trust = { 0 };
	HP_AUTO(hp_live) struct hp_live *live = NULL;
	const struct hp_recs *recs;
	const struct hp_rec *rec = NULL;
	int r = hp_live_open(pid, &live, err);

	if (r == 0)
		r = hp_live_records(live, &recs, err);
	if (r == 0)
		r = pick(recs, &rec, err);
	if (r == 0)
		r = hp_cli_trust(&arg_trust, &trust, err);
	if (r < 0)
		return r;
	return arg_all ? revert_all(live, pid, &trust, err) : revert_one(live, pid, rec, &trust, NULL, err);
}

int
hp_cmd_revert(int argc, char **argv)
{
	struct hp_err err = { 0 };
	int first, r = hp_opts_parse(opts, &usage, argc, argv, &first);
	pid_t pid;

	if (r < 0)
		r = hp_cli_live_pid("revert", arg_pid, &pid);
	if (r >= 0)
		return r;
	if (arg_timeout > 3600000 || arg_hook_timeout > 3600000)
		return hp_usage_error("revert", "--timeout and --hook-timeout want at most an hour (3600000)");
	if (arg_all && arg_id != NULL)
		return hp_usage_error("revert", "--all and --id exclude each other");
	if (arg_id != NULL && arg_id[0] == '\0')
		return hp_usage_error("revert", "--id is empty");
	return revert(pid, &err) < 0 ? hp_out_fail(&err, arg_json) : HP_EXIT_OK;
}
