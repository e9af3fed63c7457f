/* Running other programs: without a shell, output to a log file, interrupts noted and reported as what they are. */
#ifndef HP_CLI_COMMAND_H
#define HP_CLI_COMMAND_H

#include <signal.h>
#include <stdbool.h>

#include "base/err.h"

struct hp_command_signals {
	struct sigaction v[3];
};

/* hp_command_catch(ret_old): from now on SIGINT, SIGTERM and SIGHUP end only the command that runs, so that the caller can clean
 * up; hp_command_restore() undoes it. hp_command_forget(): go on after an interrupt, for the cleaning up itself. */
void hp_command_catch(struct hp_command_signals *ret_old);
void hp_command_restore(const struct hp_command_signals *old);
void hp_command_forget(void);
bool hp_command_was_interrupted(void);

/* hp_command_run(dir, argv, log, what, err): run ${argv} (ends in NULL, looked up in PATH) in folder ${dir} without input; both
 * outputs are appended to the file ${log}. HP_E_IO: ended with another status than 0 (the log's end is printed), interrupted. */
HP_MUST_CHECK int hp_command_run(const char *dir, char *const *argv, const char *log, const char *what, struct hp_err *err);

#endif
