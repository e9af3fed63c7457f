/* Every process: for `apply --all` and `status`. */
#include "cli/live_common.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "cli/cmd.h"
#include "cli/out.h"

#define SEEN_MAX 65536u
#define PASSES_MAX 10u

int
hp_cli_each_process(int (*each)(void *arg, pid_t pid), void *arg, struct hp_err *err)
{
	DIR *dir = opendir("/proc");
	struct dirent *d;
	int r = 0;

	if (dir == NULL)
		return hp_err_set(err, HP_E_IO, "cannot list /proc");
	while (r >= 0 && (d = readdir(dir)) != NULL) {
		long pid = strtol(d->d_name, NULL, 10);

		if (pid > 0 && pid != (long)getpid())
			r = each(arg, (pid_t)pid);
	}
	(void)closedir(dir);
	return r < 0 ? hp_err_set(err, r, "stopped") : 0;
}

static bool
is_seen(const struct hp_cli_all *all, pid_t pid)
{
	for (size_t i = 0; i < all->seen_cnt; i++)
		if (all->seen[i] == pid)
			return true;
	return false;
}

static void
note_failure(struct hp_cli_all *all, pid_t pid, const char *comm, const struct hp_err *err)
{
	int status = hp_exit_status(err->code);
	char text[1000];

	all->failed_cnt++;
	if (all->status != HP_EXIT_UNDO && (all->status == HP_EXIT_OK || status == HP_EXIT_UNDO))
		all->status = status;
	hp_err_format(err, text, sizeof(text));
	if (all->list != NULL)
		(void)json_array_append_new(all->list, json_pack("{s:i, s:s, s:s, s:s, s:s, s:i}", "pid", (int)pid, "command",
		                                                 comm, "result", "failed", "error", hp_err_name(err->code),
		                                                 "message", text, "status", status));
	else
		hp_out("failed: process %d (%s): %s\n", pid, comm, text);
}

static void
note_success(struct hp_cli_all *all, pid_t pid, const char *comm, const struct hp_live_report *report)
{
	if (report->already)
		all->already_cnt++;
	else
		all->done_cnt++;
	if (all->list != NULL)
		(void)json_array_append_new(all->list, hp_cli_live_json("hpbuild.apply/1", pid, all->pkg, report, all->did));
	else
		hp_cli_live_text(pid, comm, all->pkg, report, all->did);
}

static void
note_skipped(struct hp_cli_all *all, pid_t pid, const char *comm, const struct hp_skip_rule *rule)
{
	all->skipped_cnt++;
	if (all->list != NULL)
		(void)json_array_append_new(all->list, json_pack("{s:i, s:s, s:s, s:o}", "pid", (int)pid, "command", comm,
		                                                 "result", "skipped", "rule", hp_json_text(rule->text)));
	else
		hp_out("skipped: process %d (%s): %s\n", pid, comm, hp_esc(rule->text));
}

/* A process that cannot be looked at (gone, a kernel thread, somebody else's) is none that runs the baseline, as far as we know.
 */
static int
apply_one(void *arg, pid_t pid)
{
	struct hp_cli_all *all = arg;
	HP_AUTO(hp_live) struct hp_live *live = NULL;
	const struct hp_skip_rule *rule;
	struct hp_live_report report;
	struct hp_err err = { 0 };
	int runs, r;

	if (is_seen(all, pid) || all->seen_cnt == SEEN_MAX || hp_live_open(pid, &live, NULL) < 0)
		return 0;
	runs = hp_live_runs(live, all->pkg, NULL);
	if (runs <= 0)
		return 0;
	if (runs == 2) { /* or not yet: looked at again in the next pass */
		all->partial_cnt++;
		return 0;
	}
	all->seen[all->seen_cnt++] = pid;
	all->new_cnt++;
	r = hp_skip_match(all->skip, pid, live, &rule, &err);
	if (r > 0)
		note_skipped(all, pid, hp_live_comm(live), rule);
	else if (r == 0 && hp_live_apply(live, all->pkg, all->opts, &report, &err) == 0)
		note_success(all, pid, hp_live_comm(live), &report);
	else
		note_failure(all, pid, hp_live_comm(live), &err);
	return 0;
}

int
hp_cli_apply_all(struct hp_cli_all *all, struct hp_err *err)
{
	HP_AUTO(hp_mem) pid_t *seen = calloc(SEEN_MAX, sizeof(*seen));
	int r = 0;

	if (seen == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	all->seen = seen;
	for (unsigned i = 0; i < PASSES_MAX && r == 0; i++) {
		all->new_cnt = all->partial_cnt = 0;
		r = hp_cli_each_process(apply_one, all, err);
		if (all->new_cnt == 0)
			break;
	}
	all->seen = NULL;
	return r;
}
