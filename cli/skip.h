/* Rules of `apply --all --skip RULE`: processes that are left alone, by user, group, executable or number.
 *
 * A rule is user=NAME|UID, group=NAME|GID, path=FILE or pid=N. Users and groups match as real or effective ones. A file matches
 * as what the process runs: the same file, or one under that name that was removed or replaced since.
 */
#ifndef HP_CLI_SKIP_H
#define HP_CLI_SKIP_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "applier/applier.h"
#include "cli/opts.h"

struct hp_skip_rule {
	const char *text; /* as given */
	enum { HP_SKIP_USER, HP_SKIP_GROUP, HP_SKIP_PATH, HP_SKIP_PID } kind;
	id_t id;              /* user, group or process */
	char path[PATH_MAX];  /* without links, when it exists */
	dev_t dev;            /* of the file; with inode 0 = it does not exist now */
	ino_t inode;
};

struct hp_skip {
	struct hp_skip_rule v[HP_OPT_LIST_MAX];
	unsigned cnt;
};

/* hp_skip_parse(list, ret, err): HP_E_USAGE: no rule, or no such user or group. */
HP_MUST_CHECK int hp_skip_parse(const struct hp_opt_list *list, struct hp_skip *ret, struct hp_err *err);
/* hp_skip_match(skip, pid, live, ret_rule, err): 1 the first rule that matches, 0 none does, HP_E_BUSY: the process is gone. */
HP_MUST_CHECK int hp_skip_match(const struct hp_skip *skip, pid_t pid, const struct hp_live *live,
                                const struct hp_skip_rule **ret_rule, struct hp_err *err);

#endif
