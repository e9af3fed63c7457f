/* hpbuild status: what is applied to a process, or to every process. Reads only; nothing is stopped. */
#include "cli/cmd.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/file.h"
#include "cli/live_common.h"
#include "cli/opts.h"
#include "cli/out.h"
#include "cli/trust.h"
#include "formats/hash.h"

static struct hp_opt_list arg_trust;
static uint64_t arg_pid;
static const char *arg_gdb;
static bool arg_json;

static const struct hp_opt opts[] = {
	HP_OPT_TRUST(arg_trust),
	{ 'p', "pid", HP_OPT_U64, &arg_pid, "N", "the process; without it: every process that has a package" },
	{ 0, "gdb", HP_OPT_STR, &arg_gdb, "DIR", "write symbol files to DIR, print what gdb needs to load them" },
	{ 0, "json", HP_OPT_FLAG, &arg_json, NULL, "print JSON" },
	HP_OPT_COMMON,
	HP_OPT_END,
};
static const struct hp_usage usage = { "status", "[options] [--pid N] [PKG]",
	                               "Show the packages of a process: id, name, state, functions, signers. What cannot be\n"
	                               "verified with the trusted keys is marked so. With PKG also the processes that run its\n"
	                               "baseline without it, and whether it could be applied.",
	                               0, 1 };

/* What is looked for, and how. */
struct look {
	struct hp_trust trust;
	struct hp_err no_trust;              /* why there is no trusted key */
	struct hp_verified_pkg *wanted;      /* PKG, NULL = none */
	bool quiet;                          /* say nothing about a process that has no package and does not run the baseline */
	json_t *list;                        /* NULL: print text */
};

/* The record's own word, unless memory says otherwise. */
static const char *
state_of(const struct hp_live *live, const struct hp_rec *rec)
{
	if (hp_live_record_unloaded(live, rec))
		return "unloaded";
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

/* What the record says of each module; names are the verified package's. */
static json_t *
modules_json(const struct hp_rec *rec, const struct hp_manifest *man)
{
	json_t *list = json_array();

	for (uint32_t t = 0; t < rec->targets_cnt && t < man->targets_cnt; t++) {
		json_t *funcs = json_array();

		for (size_t i = 0; i < man->targets[t].funcs_cnt; i++)
			(void)json_array_append_new(funcs, json_string(man->targets[t].funcs[i].name));
		(void)json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:o}", "name", man->targets[t].name, "bias",
		                                            json_sprintf("0x%" PRIx64, rec->targets[t].bias), "payload",
		                                            json_sprintf("0x%" PRIx64, rec->targets[t].payload_va), "functions",
		                                            funcs));
	}
	return list;
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
		(void)json_object_set_new(o, "modules", modules_json(rec, pkg->pkg.man));
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
	for (size_t t = 0; t < pkg->pkg.man->targets_cnt; t++) {
		if (pkg->pkg.man->targets_cnt > 1 && t < rec->targets_cnt)
			hp_out("    module     %s, payload at 0x%" PRIx64 "\n", hp_esc(pkg->pkg.man->targets[t].name),
			       rec->targets[t].payload_va);
		for (size_t i = 0; i < pkg->pkg.man->targets[t].funcs_cnt; i++)
			hp_out("    function   %s (%s)\n", hp_esc(pkg->pkg.man->targets[t].funcs[i].name),
			       hp_esc(pkg->pkg.man->targets[t].name));
	}
	for (uint32_t i = 0; i < pkg->signers_cnt; i++) {
		hp_key_id_text(pkg->signers[i], text);
		hp_out("    signed by  %s\n", text);
	}
}

/* Files and commands for gdb(1): one symbol file for each payload. */
static int
gdb_record(const struct hp_rec *rec, const struct hp_verified_pkg *pkg, struct hp_err *err)
{
	char id[2 * HP_PKG_ID_LEN + 1], path[4096];

	hp_hex(rec->id, HP_PKG_ID_LEN, id);
	for (uint32_t t = 0; t < rec->targets_cnt && t < pkg->pkg.man->targets_cnt; t++) {
		int r;

		if (snprintf(path, sizeof(path), "%s/hpbuild-%s-%u.elf", arg_gdb, id, t) >= (int)sizeof(path))
			return hp_err_set(err, HP_E_USAGE, "--gdb: the name is too long");
		r = hp_file_write(path, pkg->pkg.payloads[t].image, 0644, err);
		if (r < 0)
			return r;
		hp_out("add-symbol-file %s -o 0x%llx\n", path, (unsigned long long)rec->targets[t].payload_va);
	}
	return 0;
}

/* The baseline runs here without the package: "" = it could be applied, else why not. */
static bool
is_unpatched(struct hp_live *live, const struct hp_recs *recs, const struct look *look, char *why, size_t len)
{
	struct hp_live_opts o;
	struct hp_live_report report;
	struct hp_err err = { 0 };

	hp_cli_live_opts(0, true, NULL, &look->trust, &o);
	why[0] = '\0';
	if (look->wanted == NULL || hp_live_runs(live, look->wanted, NULL) <= 0)
		return false;
	for (size_t i = 0; i < recs->cnt; i++)
		if (memcmp(recs->v[i].id, look->wanted->pkg.id, HP_PKG_ID_LEN) == 0 && recs->v[i].state == HP_REC_APPLIED &&
		    !hp_live_record_unloaded(live, &recs->v[i]))
			return false;
	if (hp_live_apply(live, look->wanted, &o, &report, &err) < 0)
		hp_err_format(&err, why, len);
	return true;
}

static void
head_text(pid_t pid, const struct hp_live *live, const struct hp_recs *recs, bool unpatched, const char *why)
{
	hp_out("process %d (%s)%s", pid, hp_live_comm(live), recs->cnt > 0 || unpatched ? "" : ": no package");
	if (unpatched)
		hp_out(": runs the baseline unpatched%s%s", why[0] != '\0' ? "; cannot be patched now: " : "", why);
	hp_out("\n");
}

static json_t *
head_json(pid_t pid, const struct hp_live *live, const struct hp_recs *recs, bool unpatched, const char *why, json_t *packages)
{
	json_t *o = json_pack("{s:i, s:s, s:o, s:I, s:b}", "pid", (int)pid, "command", hp_live_comm(live), "packages", packages,
	                      "malformed", (json_int_t)recs->bad_cnt, "unpatched", unpatched);

	if (why[0] != '\0')
		(void)json_object_set_new(o, "obstacle", hp_json_text(why));
	return o;
}

static int
show_record(const struct hp_live *live, const struct hp_rec *rec, const struct look *look, json_t *packages, struct hp_err *err)
{
	HP_AUTO(hp_verified_pkg) struct hp_verified_pkg *pkg = NULL;
	struct hp_err why = look->no_trust;

	if (look->no_trust.code != 0 || hp_cli_live_verify(rec, &look->trust, &pkg, &why) < 0)
		pkg = NULL;
	if (arg_gdb != NULL) {
		if (pkg != NULL)
			return gdb_record(rec, pkg, err);
		hp_warn("a package that cannot be verified was left out");
	} else if (look->list == NULL) {
		record_text(live, rec, pkg, &why);
	} else {
		(void)json_array_append_new(packages, record_json(live, rec, pkg));
	}
	return 0;
}

/* One process. */
static int
show(pid_t pid, const struct look *look, struct hp_err *err)
{
	HP_AUTO(hp_live) struct hp_live *live = NULL;
	const struct hp_recs *recs;
	json_t *packages;
	char why[512];
	bool unpatched;
	int r = hp_live_open(pid, &live, err);

	if (r == 0)
		r = hp_live_records(live, &recs, err);
	if (r < 0)
		return r;
	unpatched = is_unpatched(live, recs, look, why, sizeof(why));
	if (look->quiet && recs->cnt == 0 && !unpatched)
		return 0;
	if (look->list == NULL && arg_gdb == NULL)
		head_text(pid, live, recs, unpatched, why);
	packages = json_array();
	for (size_t i = 0; i < recs->cnt && r == 0; i++)
		r = show_record(live, &recs->v[i], look, packages, err);
	if (recs->bad_cnt > 0)
		hp_warn("process %d (%s): %zu malformed record%s", pid, hp_live_comm(live), recs->bad_cnt,
		        recs->bad_cnt == 1 ? "" : "s");
	if (look->list != NULL)
		(void)json_array_append_new(look->list, head_json(pid, live, recs, unpatched, why, packages));
	else
		json_decref(packages);
	return r;
}

/* Processes come and go, and some are out of reach: those are left out. */
static int
show_each(void *arg, pid_t pid)
{
	if (show(pid, arg, NULL) == HP_E_NOMEM)
		hp_warn("process %d was left out: no memory", pid);
	return 0;
}

static int
look_around(struct look *look, pid_t pid, const char *path, struct hp_err *err)
{
	const struct hp_verify_opts how = { .require = 1, .ignore_unknown = true };
	int r = hp_cli_trust(&arg_trust, &look->trust, &look->no_trust);

	if (r < 0 && (look->no_trust.code != HP_E_SIG || path != NULL)) { /* no key at all is no reason not to look */
		*err = look->no_trust;
		return r;
	}
	r = path != NULL ? hp_verify_file(path, &look->trust, &how, &look->wanted, err) : 0;
	if (r < 0)
		return r;
	look->quiet = pid == 0;
	return pid != 0 ? show(pid, look, err) : hp_cli_each_process(show_each, look, err);
}

static int
status(pid_t pid, const char *path, struct hp_err *err)
{
	struct look look = { .list = arg_json ? json_array() : NULL };
	int r = look_around(&look, pid, path, err);

	if (look.list != NULL && r == 0)
		hp_out_json(json_pack("{s:s, s:o}", "schema", "hpbuild.status/1", "processes", look.list));
	else
		json_decref(look.list);
	hp_verified_pkg_free(look.wanted);
	hp_trust_auto(&look.trust);
	return r;
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
	if (arg_gdb != NULL && (pid == 0 || arg_json || first < argc))
		return hp_usage_error("status", "--gdb wants --pid, and neither --json nor PKG");
	return status(pid, first < argc ? argv[first] : NULL, &err) < 0 ? hp_out_fail(&err, arg_json) : HP_EXIT_OK;
}
