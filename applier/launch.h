/* A program that is patched before its first instruction: hold it at its entry point, where the dynamic linker has mapped and
 * relocated every module that the program names, and nothing of main() has run.
 *
 * While it is held it is not traced, so that hp_live_apply() works on it like on any process: it runs in a circle, a jump to
 * itself that stands in place of its first instruction. If hpbuild is killed before that, the kernel kills the program.
 */
#ifndef HP_APPLIER_LAUNCH_H
#define HP_APPLIER_LAUNCH_H

#include "applier/proc.h"

#define HP_LAUNCH_CODE_LEN 2u

struct hp_launch {
	struct hp_proc proc; /* after its exec */
	uint64_t entry_va;
	uint8_t code[HP_LAUNCH_CODE_LEN]; /* what stands at the entry point */
};

/* hp_launch_seize(pid, err): trace ${pid}, which is about to call execve(). HP_E_BUSY: gone, or not permitted. */
HP_MUST_CHECK int hp_launch_seize(pid_t pid, struct hp_err *err);
/* hp_launch_hold(pid, ret, err): a seized process: wait for its exec, run it to its entry point, hold it there. HP_E_BUSY: it
 * ended before. After a failure it dies with the caller. */
HP_MUST_CHECK int hp_launch_hold(pid_t pid, struct hp_launch *ret, struct hp_err *err);
/* hp_launch_go(launch, err): let it run. */
HP_MUST_CHECK int hp_launch_go(struct hp_launch *launch, struct hp_err *err);
/* hp_launch_exit(launch, status): end it with an exit status, as if it had done so itself. */
void hp_launch_exit(struct hp_launch *launch, int status);
void hp_launch_release(struct hp_launch *launch);

#endif
