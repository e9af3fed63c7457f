/* Whether the stopped threads allow the entries to be rewritten.
 *
 * Two opinions. The scan reads the used part of every stack (from the red zone to the end of its mapping) and looks for words
 * that could be return addresses into the functions; it is fast, never misses a frame on a thread's own stack, and cries wolf
 * at stale
 * words. Where it hits, or where the thread is not on its own stack, the unwinder decides: a complete unwind without such a
 * frame is clean; an incomplete one leaves the scan's word standing.
 *
 * Nothing here allocates, except what libdw does inside the unwinder.
 */
#ifndef HP_APPLIER_CHECK_H
#define HP_APPLIER_CHECK_H

#include "applier/plan.h"
#include "applier/trace.h"
#include "applier/unwind.h"

enum hp_check_verdict {
	HP_CHECK_CLEAN,
	HP_CHECK_UNSURE, /* a scan hit, and no unwinder was given to decide */
	HP_CHECK_ACTIVE, /* a thread is inside a function, or may be */
	HP_CHECK_MOVED,  /* a stack is not where the maps said: read them anew */
};

#define HP_CHECK_BLOCKERS_MAX 8u

/* A thread that is in the way, and where it is (or may be); NULL: not known. */
struct hp_check_blocker {
	pid_t tid;
	const struct hp_plan_range *range;
};

struct hp_check {
	uint8_t *buf;   /* room for the first piece of every stack, or one long piece */
	size_t buf_len;
	bool overwritten_only; /* revert: only the bytes that are written matter */

	bool all; /* go on after the first thread that is in the way, and unwind it; with an unwinder only */

	/* the reason, after UNSURE and ACTIVE: the first thread */
	pid_t tid;
	const struct hp_plan_range *range;
	bool certain; /* the unwinder or the program counter says so, not only the scan */
	struct hp_frames frames;
	/* after ACTIVE: every thread that was found to be in the way */
	struct hp_check_blocker blockers[HP_CHECK_BLOCKERS_MAX];
	size_t blockers_cnt;          /* may exceed the array */
	struct hp_frames more_frames; /* scratch, for all but the first */
};

/* hp_check_init(check, tasks_cap, err): room for that many threads. */
HP_MUST_CHECK int hp_check_init(struct hp_check *check, size_t tasks_cap, struct hp_err *err);
void hp_check_release(struct hp_check *check);
/* hp_check_run(check, plan, stop, unwind): look at every stopped task. ${unwind} NULL: scan only. */
enum hp_check_verdict hp_check_run(struct hp_check *check, const struct hp_plan *plan, const struct hp_stop *stop,
                                   struct hp_unwind *unwind);

#endif
