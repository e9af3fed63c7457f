#include "cli/live_common.h"

#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "cli/out.h"
#include "formats/hash.h"

int
hp_cli_live_pid(const char *verb, uint64_t pid, pid_t *ret)
{
	if (pid == 0)
		return hp_usage_error(verb, "--pid is missing");
	if (pid > INT_MAX)
		return hp_usage_error(verb, "--pid %llu is no process number", (unsigned long long)pid);
	*ret = (pid_t)pid;
	return -1;
}

static bool
is_step(const char *variable, enum hp_step step)
{
	const char *value = getenv(variable);

	return value != NULL && strtol(value, NULL, 10) == (long)step;
}

static void
on_step(void *arg, enum hp_step step)
{
	(void)arg;
	if (is_step("HPBUILD_TEST_KILL_AT", step))
		(void)raise(SIGKILL);
	if (is_step("HPBUILD_TEST_STOP_AT", step))
		(void)raise(SIGSTOP);
}

int
hp_cli_live_verify(const struct hp_rec *rec, const struct hp_trust *trust, struct hp_verified_pkg **ret, struct hp_err *err)
{
	const struct hp_verify_opts how = { .require = 1, .ignore_unknown = true, .allow_expired = true,
		                            .any_key_state = true };
	struct hp_verified_pkg *pkg;
	int r = hp_verify_bytes(rec->package, trust, &how, &pkg, err);

	if (r < 0)
		return r;
	if (memcmp(pkg->pkg.id, rec->id, HP_PKG_ID_LEN) != 0) {
		hp_verified_pkg_free(pkg);
		return hp_err_set(err, HP_E_BUSY, "the record's package is another one than its name says");
	}
	*ret = pkg;
	return 0;
}

static int
verify_record(const void *arg, const struct hp_rec *rec, struct hp_verified_pkg **ret, struct hp_err *err)
{
	return hp_cli_live_verify(rec, arg, ret, err);
}

void
hp_cli_live_opts(uint64_t timeout_ms, bool dry_run, const struct hp_opt_list *allow, const struct hp_trust *trust,
                 struct hp_live_opts *ret)
{
	*ret = (struct hp_live_opts){ .dry_run = dry_run, .timeout_ns = timeout_ms * 1000000u,
		                      .hook_ns = HP_LIVE_HOOK_MS * (uint64_t)1000000, .verify = verify_record,
		                      .verify_arg = trust };
	if (allow != NULL) {
		ret->allow = allow->v;
		ret->allow_cnt = allow->cnt;
	}
	if (getenv("HPBUILD_TEST_KILL_AT") != NULL || getenv("HPBUILD_TEST_STOP_AT") != NULL)
		ret->on_step = on_step;
}

static json_t *
modules_json(const struct hp_manifest *man, const struct hp_live_report *report)
{
	json_t *list = json_array();

	for (size_t i = 0; i < man->targets_cnt; i++) {
		const struct hp_live_module *m = &report->modules[i];
		json_t *o = json_pack("{s:s, s:I, s:o}", "name", man->targets[i].name, "functions",
		                      (json_int_t)man->targets[i].funcs_cnt, "address", json_sprintf("0x%" PRIx64, m->start));

		if (m->payload_va != 0)
			(void)json_object_set_new(o, "payload", json_sprintf("0x%" PRIx64, m->payload_va));
		(void)json_array_append_new(list, o);
	}
	return list;
}

static json_t *
replaced_json(const struct hp_live_report *report)
{
	json_t *list = json_array();
	char id[2 * HP_PKG_ID_LEN + 1];

	for (size_t i = 0; i < report->replaced_cnt && i < HP_LIVE_REPLACED_MAX; i++) {
		hp_hex(report->replaced[i], HP_PKG_ID_LEN, id);
		(void)json_array_append_new(list, json_string(id));
	}
	return list;
}

json_t *
hp_cli_live_json(const char *schema, pid_t pid, const struct hp_verified_pkg *pkg, const struct hp_live_report *report,
                 const char *did)
{
	char id[2 * HP_PKG_ID_LEN + 1];
	json_t *o;

	hp_hex(pkg->pkg.id, HP_PKG_ID_LEN, id);
	o = json_pack("{s:s, s:i, s:s, s:s, s:s, s:b, s:b, s:b, s:I, s:I, s:I, s:i, s:f, s:f, s:i, s:f, s:f, s:o}", "schema",
	              schema, "pid", (int)pid, "id", id, "name", pkg->pkg.man->name, "result", did, "already", report->already,
	              "reused", report->reused, "completed", report->completed, "functions", (json_int_t)report->funcs_cnt,
	              "threads", (json_int_t)report->threads_cnt, "payload_bytes", (json_int_t)report->payload_len, "stops",
	              (int)report->attempts, "pause_us", (double)report->pause_ns / 1e3, "pauses_us",
	              (double)report->pauses_ns / 1e3, "borrows", (int)report->borrows, "borrow_us",
	              (double)report->borrow_ns / 1e3, "total_us", (double)report->total_ns / 1e3, "modules",
	              modules_json(pkg->pkg.man, report));
	(void)json_object_set_new(o, "imports", json_integer((json_int_t)report->imports_cnt));
	(void)json_object_set_new(o, "hooks", json_integer((json_int_t)report->hooks_cnt));
	(void)json_object_set_new(o, "trouble", hp_json_text(report->trouble));
	(void)json_object_set_new(o, "replaced", replaced_json(report));
	(void)json_object_set_new(o, "adopted", json_integer((json_int_t)report->adopted_cnt));
	return o;
}

/* Several modules: a line for each. */
static void
modules_text(const struct hp_manifest *man, const struct hp_live_report *report)
{
	for (size_t i = 0; i < man->targets_cnt; i++) {
		const struct hp_live_module *m = &report->modules[i];

		hp_out("  module %s at 0x%" PRIx64 ", %zu function%s", hp_esc(man->targets[i].name), m->start,
		       man->targets[i].funcs_cnt, man->targets[i].funcs_cnt == 1 ? "" : "s");
		if (m->payload_va != 0)
			hp_out(", payload at 0x%" PRIx64, m->payload_va);
		hp_out("\n");
	}
}

static void
replaced_text(const struct hp_live_report *report, bool dry_run)
{
	char id[2 * HP_PKG_ID_LEN + 1];

	for (size_t i = 0; i < report->replaced_cnt && i < HP_LIVE_REPLACED_MAX; i++) {
		hp_hex(report->replaced[i], HP_PKG_ID_LEN, id);
		hp_out("package %s %s\n", id, dry_run ? "would be replaced" : "is replaced");
	}
	if (report->adopted_cnt > 0)
		hp_out("%zu variable%s of %s %s\n", report->adopted_cnt, report->adopted_cnt == 1 ? "" : "s",
		       report->replaced_cnt == 1 ? "it" : "them", dry_run ? "would live on" : "live on");
}

void
hp_cli_live_text(pid_t pid, const char *comm, const struct hp_verified_pkg *pkg, const struct hp_live_report *report,
                 const char *did)
{
	char id[2 * HP_PKG_ID_LEN + 1];

	hp_hex(pkg->pkg.id, HP_PKG_ID_LEN, id);
	hp_out("%s: %s %s, process %d (%s), %zu function%s\n", report->already ? "already done" : did, id,
	       hp_esc(pkg->pkg.man->name), pid, comm, report->funcs_cnt, report->funcs_cnt == 1 ? "" : "s");
	if (report->already && report->registered)
		hp_out("made known to an unwinder that was loaded since\n");
	if (report->unloaded)
		hp_out("a module was unloaded since: nothing to restore there\n");
	if (pkg->pkg.man->targets_cnt > 1)
		modules_text(pkg->pkg.man, report);
	replaced_text(report, strncmp(did, "would", 5) == 0);
	if (report->imports_cnt > 0)
		hp_out("%zu import%s %sbound\n", report->imports_cnt, report->imports_cnt == 1 ? "" : "s",
		       strncmp(did, "would", 5) == 0 ? "can be " : "");
	if (report->hooks_cnt > 0)
		hp_out("%zu hook%s %scalled in the process\n", report->hooks_cnt, report->hooks_cnt == 1 ? "" : "s",
		       strncmp(did, "would", 5) == 0 ? "would be " : "");
	if (report->trouble[0] != '\0')
		hp_warn("process %d (%s): %s", pid, comm, report->trouble);
	if (report->completed)
		hp_out("an interrupted switch was brought to its end\n");
	if (report->attempts > 0)
		hp_out("paused %.3f ms (%zu thread%s, %u stop%s, %.3f ms together); one thread borrowed %u time%s, "
		       "at most %.3f ms; %.1f ms in all\n",
		       (double)report->pause_ns / 1e6, report->threads_cnt, report->threads_cnt == 1 ? "" : "s", report->attempts,
		       report->attempts == 1 ? "" : "s", (double)report->pauses_ns / 1e6, report->borrows,
		       report->borrows == 1 ? "" : "s", (double)report->borrow_ns / 1e6, (double)report->total_ns / 1e6);
}
