/* hpbuild status: what is applied to a process, or to every process. Reads only; nothing is stopped. */
#include "cli/cmd.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "cli/live_common.h"
#include "cli/opts.h"
#include "cli/out.h"
#include "cli/trust.h"
#include "formats/hash.h"

static struct hp_opt_list arg_trust;
static uint64_t arg_pid;
static bool arg_json;

static const struct hp_opt opts[] = {
	HP_OPT_TRUST(arg_trust),
	{ 'p', "pid", HP_OPT_U64, &arg_pid, "N", "the process; without it: every process that has a package" },
	{ 0, "json", HP_OPT_FLAG, &arg_json, NULL, "print JSON" },
	HP_OPT_COMMON,
	HP_OPT_END,
};
static const struct hp_usage usage = { "status", "[options] [--pid N]",
	                               "Show the packages of a process: id, name, state, functions, signers. What cannot be\n"
	                               "verified with the trusted keys is marked so.",
	                               0, 0 };

/* The record's own word, unless memory says otherwise. */
static const char *
state_of(const struct hp_live *live, const struct hp_rec *rec)
{
	return hp_live_record_holds(live, rec) ? hp_rec_state_name(rec->state) : "modified";
}

static json_t *
functions_json(const struct hp_verified_pkg *pkg)
{
	json_t *funcs = json_array();

	for (size_t t = 0; t < pkg->pkg.man->targets_cnt; t++)
		for (size_t i = 0; i < pkg->pkg.man->targets[t].funcs_cnt; i++)
			(void)json_array_append_new(funcs, json_string(pkg->pkg.man->targets[t].funcs[i].name));
	return funcs;
}

static json_t *
record_json(const struct hp_live *live, const struct hp_rec *rec, const struct hp_verified_pkg *pkg)
{
	char text[2 * HP_PKG_ID_LEN + 1];
	json_t *signers = json_array(), *o;

	for (uint32_t i = 0; pkg != NULL && i < pkg->signers_cnt; i++) {
		hp_key_id_text(pkg->signers[i], text);
		(void)json_array_append_new(signers, json_string(text));
	}
	hp_hex(rec->id, HP_PKG_ID_LEN, text);
	o = json_pack("{s:s, s:s, s:I, s:I, s:I, s:b, s:o}", "id", text, "state", state_of(live, rec), "order",
	              (json_int_t)(rec->order & INT64_MAX), "time", (json_int_t)(rec->time & INT64_MAX), "entries",
	              (json_int_t)rec->entries_cnt, "verified", pkg != NULL, "signers", signers);
	if (pkg != NULL) {
		(void)json_object_set_new(o, "name", json_string(pkg->pkg.man->name));
		(void)json_object_set_new(o, "serial", json_integer((json_int_t)(pkg->pkg.man->serial & INT64_MAX)));
		(void)json_object_set_new(o, "functions", functions_json(pkg));
	}
	return o;
}

static void
record_text(const struct hp_live *live, const struct hp_rec *rec, const struct hp_verified_pkg *pkg, const struct hp_err *why)
{
	char text[2 * HP_PKG_ID_LEN + 1], reason[512];

	hp_hex(rec->id, HP_PKG_ID_LEN, text);
	hp_out("  %s  %s\n", text, state_of(live, rec));
	if (pkg == NULL) {
		hp_err_format(why, reason, sizeof(reason));
		hp_out("    NOT VERIFIED: %s\n    entries    %u\n", reason, rec->entries_cnt);
		return;
	}
	hp_out("    name       %s, serial %llu\n", hp_esc(pkg->pkg.man->name), (unsigned long long)pkg->pkg.man->serial);
	for (size_t t = 0; t < pkg->pkg.man->targets_cnt; t++)
		for (size_t i = 0; i < pkg->pkg.man->targets[t].funcs_cnt; i++)
			hp_out("    function   %s (%s)\n", hp_esc(pkg->pkg.man->targets[t].funcs[i].name),
			       hp_esc(pkg->pkg.man->targets[t].name));
	for (uint32_t i = 0; i < pkg->signers_cnt; i++) {
		hp_key_id_text(pkg->signers[i], text);
		hp_out("    signed by  %s\n", text);
	}
}

/* One process. ${list}: append to it when not NULL. ${quiet}: say nothing about a process without packages. */
static int
show(pid_t pid, const struct hp_trust *trust, const struct hp_err *no_trust, bool quiet, json_t *list, struct hp_err *err)
{
	HP_AUTO(hp_live) struct hp_live *live = NULL;
	json_t *packages = json_array();
	const struct hp_recs *recs;
	int r = hp_live_open(pid, &live, err);

	if (r == 0)
		r = hp_live_records(live, &recs, err);
	if (r < 0 || (quiet && recs->cnt == 0)) {
		json_decref(packages);
		return r;
	}
	if (list == NULL)
		hp_out("process %d (%s)%s\n", pid, hp_live_comm(live), recs->cnt > 0 ? "" : ": no package");
	for (size_t i = 0; i < recs->cnt; i++) {
		HP_AUTO(hp_verified_pkg) struct hp_verified_pkg *pkg = NULL;
		struct hp_err why = *no_trust;

		if (no_trust->code != 0 || hp_cli_live_verify(&recs->v[i], trust, &pkg, &why) < 0)
			pkg = NULL;
		if (list == NULL)
			record_text(live, &recs->v[i], pkg, &why);
		else
			(void)json_array_append_new(packages, record_json(live, &recs->v[i], pkg));
	}
	if (recs->bad_cnt > 0)
		hp_warn("process %d (%s): %zu malformed record%s", pid, hp_live_comm(live), recs->bad_cnt,
		        recs->bad_cnt == 1 ? "" : "s");
	if (list != NULL)
		(void)json_array_append_new(list, json_pack("{s:i, s:s, s:o, s:I}", "pid", (int)pid, "command",
		                                            hp_live_comm(live),
		                                            "packages", packages, "malformed", (json_int_t)recs->bad_cnt));
	else
		json_decref(packages);
	return 0;
}

/* Processes come and go, and some are out of reach: those are left out. */
static int
show_all(const struct hp_trust *trust, const struct hp_err *no_trust, json_t *list, struct hp_err *err)
{
	DIR *dir = opendir("/proc");
	struct dirent *d;

	if (dir == NULL)
		return hp_err_set(err, HP_E_IO, "cannot list /proc");
	while ((d = readdir(dir)) != NULL) {
		long pid = strtol(d->d_name, NULL, 10);
		int r = 0;

		if (pid > 0)
			r = show((pid_t)pid, trust, no_trust, true, list, NULL);
		if (r == HP_E_NOMEM)
			hp_warn("process %ld was left out: no memory", pid);
	}
	(void)closedir(dir);
	return 0;
}

static int
status(pid_t pid, struct hp_err *err)
{
	HP_AUTO(hp_trust) struct hp_trust trust = { 0 };
	struct hp_err no_trust = { 0 };
	json_t *list = arg_json ? json_array() : NULL;
	int r = hp_cli_trust(&arg_trust, &trust, &no_trust);

	if (r < 0 && no_trust.code != HP_E_SIG) { /* no key at all is no reason not to look */
		*err = no_trust;
		json_decref(list);
		return r;
	}
	r = pid != 0 ? show(pid, &trust, &no_trust, false, list, err) : show_all(&trust, &no_trust, list, err);
	if (r < 0) {
		json_decref(list);
		return r;
	}
	if (list != NULL)
		hp_out_json(json_pack("{s:s, s:o}", "schema", "hpbuild.status/1", "processes", list));
	return 0;
}

int
hp_cmd_status(int argc, char **argv)
{
	struct hp_err err = { 0 };
	int first, r = hp_opts_parse(opts, &usage, argc, argv, &first);
	pid_t pid = 0;

	if (r < 0 && arg_pid != 0)
		r = hp_cli_live_pid("status", arg_pid, &pid);
	if (r >= 0)
		return r;
	return status(pid, &err) < 0 ? hp_out_fail(&err, arg_json) : HP_EXIT_OK;
}
