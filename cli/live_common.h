/* What apply, revert and status share. */
#ifndef HP_CLI_LIVE_COMMON_H
#define HP_CLI_LIVE_COMMON_H

#include <jansson.h>

#include "applier/applier.h"
#include "cli/opts.h"
#include "cli/skip.h"
#include "signer/verify.h"

#define HP_LIVE_TIMEOUT_MS 3000u
#define HP_LIVE_HOOK_MS 2000u /* one hook */

/* hp_cli_live_pid(verb, pid, ret): a process number from --pid; -1 go on, else the exit status after a message. */
int hp_cli_live_pid(const char *verb, uint64_t pid, pid_t *ret);
/* hp_cli_live_opts(timeout_ms, dry_run, allow, ret): also the test hook: HPBUILD_TEST_KILL_AT=N in the environment kills this
 * program at step N (enum hp_step), HPBUILD_TEST_STOP_AT=N stops it there. */
void hp_cli_live_opts(uint64_t timeout_ms, bool dry_run, const struct hp_opt_list *allow, const struct hp_trust *trust,
                      struct hp_live_opts *ret);
/* hp_cli_live_verify(rec, trust, ret, err): the package inside a record, which may have expired since. */
HP_MUST_CHECK int hp_cli_live_verify(const struct hp_rec *rec, const struct hp_trust *trust, struct hp_verified_pkg **ret,
                                     struct hp_err *err);
/* hp_cli_live_json(schema, pid, pkg, report, did): the report of apply and revert. */
json_t *hp_cli_live_json(const char *schema, pid_t pid, const struct hp_verified_pkg *pkg, const struct hp_live_report *report,
                         const char *did);
/* hp_cli_live_text(pid, comm, pkg, report, did): the same for people. */
void hp_cli_live_text(pid_t pid, const char *comm, const struct hp_verified_pkg *pkg, const struct hp_live_report *report,
                      const char *did);

/* hp_cli_each_process(each, arg, err): call ${each} for every process but our own; it returns negative to stop. Processes come
 * and go meanwhile. */
HP_MUST_CHECK int hp_cli_each_process(int (*each)(void *arg, pid_t pid), void *arg, struct hp_err *err);

/* Outcome of `apply --all`. */
struct hp_cli_all {
	const struct hp_verified_pkg *pkg;
	const struct hp_live_opts *opts;
	const struct hp_skip *skip; /* which to leave alone */
	const char *did;
	json_t *list;          /* hpbuild.apply/1 or hpbuild.error/1 for each; NULL: print text */
	pid_t *seen;           /* processes that run the baseline */
	size_t seen_cnt, done_cnt, already_cnt, failed_cnt, skipped_cnt;
	size_t partial_cnt; /* processes with only some of the package's modules, which stay as they are */
	size_t new_cnt;        /* in the last pass */
	int status;            /* exit status: of the worst failure */
};
/* hp_cli_apply_all(all, err): apply to every process that runs the baseline, also those that come while this works. A failure of
 * one is reported and counted, and the others go on. */
HP_MUST_CHECK int hp_cli_apply_all(struct hp_cli_all *all, struct hp_err *err);

#endif
