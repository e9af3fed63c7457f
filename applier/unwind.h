/* Stack unwinding of stopped threads with libdw, from the files that are really mapped (deleted ones too) and the payload of the
 * package. The only user of libdwfl.
 */
#ifndef HP_APPLIER_UNWIND_H
#define HP_APPLIER_UNWIND_H

#include "applier/plan.h"
#include "applier/trace.h"

#define HP_UNWINDERS_MAX 8u
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

/* hp_unwind_add_payload(u): also the payload of the package, after it was placed. */
void hp_unwind_add_payload(struct hp_unwind *u);

/* An unwinder that the process has: libgcc's or LLVM's. */
struct hp_unwinder {
	uint64_t add_va, remove_va; /* of __register_frame_info, __deregister_frame_info; LLVM: of those without _info */
	bool per_record;            /* LLVM: takes one FDE, libgcc: a whole .eh_frame and room for its own notes */
};
/* hp_unwind_unwinders(u, ret): find them by their symbols; how many. */
size_t hp_unwind_unwinders(const struct hp_unwind *u, struct hp_unwinder ret[HP_UNWINDERS_MAX]);
/* hp_unwind_at_rest(u, task): the stopped thread is proven outside of allocator, dynamic linker and unwinder, and not in a signal
 * handler: it holds none of their locks, and a function that takes them may be called in it. */
bool hp_unwind_at_rest(struct hp_unwind *u, const struct hp_task *task);

static inline void
hp_unwind_auto(struct hp_unwind **u)
{
	hp_unwind_free(*u);
}

#endif
