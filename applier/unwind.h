/* Stack unwinding of stopped threads with libdw, from the files that are really mapped (deleted ones too) and the payload of the
 * package. The only user of libdwfl.
 */
#ifndef HP_APPLIER_UNWIND_H
#define HP_APPLIER_UNWIND_H

#include "applier/plan.h"
#include "applier/trace.h"

#define HP_FRAMES_MAX 256u

/* Where the frames of one thread are, innermost first. */
struct hp_frames {
	uint64_t pc[HP_FRAMES_MAX];
	bool is_return[HP_FRAMES_MAX]; /* pc is where a call returns to; else where the thread stands or a signal came in */
	size_t cnt;
	bool complete; /* down to the thread's first function, every step from call frame information */
};

struct hp_unwind;

/* hp_unwind_new(plan, ret, err): report all modules and load their call frame information, while the target runs. */
HP_MUST_CHECK int hp_unwind_new(const struct hp_plan *plan, struct hp_unwind **ret, struct hp_err *err);
void hp_unwind_free(struct hp_unwind *u); /* NULL allowed */
/* hp_unwind_thread(u, task, ret): frames of a stopped task. */
void hp_unwind_thread(struct hp_unwind *u, const struct hp_task *task, struct hp_frames *ret);
/* hp_unwind_describe(u, frames, buf, len): "read < handle < main" for messages; ${u} may be NULL. */
void hp_unwind_describe(struct hp_unwind *u, const struct hp_frames *frames, char *buf, size_t len);

static inline void
hp_unwind_auto(struct hp_unwind **u)
{
	hp_unwind_free(*u);
}

#endif
