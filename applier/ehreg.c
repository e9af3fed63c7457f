/* The payload's call frame information, made known to the unwinders inside the process, so that C++ exceptions, pthread_cancel()
 * and backtrace() get through patched functions.
 *
 * libgcc takes a whole .eh_frame and a piece of memory for its own notes (unwind-dw2-fde.h: struct object, 6 to 8 words); since
 * GCC 13 it calls malloc() as well. LLVM takes one FDE after the other. Both take locks; so the thread that calls must hold none
 * (hp_unwind_at_rest()). The notes live in a page of the process that is never unmapped while the payload is registered. A note
 * in front of libgcc's says which unwinder it is for: after a kill at any point it tells what was done:
 *
 *   slot of 128 bytes:  0 u64 address of the unwinder's function, 0 = free   8 u64 1 = done (LLVM)
 *                      16 libgcc's struct object: not all zero = libgcc has it
 */
#include "applier/internal.h"

#include <string.h>
#include <sys/mman.h>

#include "base/le.h"

#define SLOT_LEN 128u
#define SLOT_OBJECT 16u
#define TARGET_LEN (HP_UNWINDERS_MAX * SLOT_LEN)

static uint64_t
page_len(const struct hp_job *job)
{
	return ((uint64_t)job->plan.rec.targets_cnt * TARGET_LEN + HP_IMAGE_PAGE - 1) / HP_IMAGE_PAGE * HP_IMAGE_PAGE;
}

static bool
has_frames(const struct hp_job *job)
{
	for (uint32_t i = 0; i < job->plan.rec.targets_cnt; i++)
		if (job->plan.targets[i].image.eh_frame_va != 0)
			return true;
	return false;
}

int
hp_ehreg_prepare(struct hp_job *job, struct hp_err *err)
{
	int r;

	if (!has_frames(job) || job->unwind != NULL)
		return 0;
	r = hp_unwind_new(&job->plan, &job->unwind, err);
	if (r == 0)
		job->unwinders_cnt = hp_unwind_unwinders(job->unwind, job->unwinders);
	return r;
}

enum slot_state { SLOT_FREE, SLOT_BEGUN, SLOT_DONE };

/* The slot of a target for an unwinder, or the first free one. */
static int
find_slot(const struct hp_job *job, uint32_t target, const struct hp_unwinder *uw, uint64_t *ret_va, enum slot_state *ret_state,
          struct hp_err *err)
{
	uint8_t slots[TARGET_LEN];
	uint64_t base = job->plan.rec.targets[target].frames_va;
	int r = hp_proc_read(job->plan.proc, base, slots, sizeof(slots), err);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < HP_UNWINDERS_MAX; i++) {
		const uint8_t *slot = slots + (size_t)i * SLOT_LEN;

		if (hp_le64_get(slot) != 0 && hp_le64_get(slot) != uw->add_va)
			continue;
		*ret_va = base + i * SLOT_LEN;
		*ret_state = hp_le64_get(slot) == 0 ? SLOT_FREE : SLOT_BEGUN;
		for (unsigned k = 8; k < SLOT_LEN; k++)
			if (slot[k] != 0)
				*ret_state = SLOT_DONE;
		return 0;
	}
	return hp_err_set(err, HP_E_UNPATCHABLE, "process %d (%s) has too many unwinders", job->plan.proc->pid,
	                  job->plan.proc->comm);
}

/* 1 something is to be registered, 0 nothing. */
static int
is_needed(const struct hp_job *job, struct hp_err *err)
{
	for (uint32_t t = 0; t < job->plan.rec.targets_cnt; t++)
		for (size_t i = 0; i < job->unwinders_cnt && job->plan.targets[t].image.eh_frame_va != 0; i++) {
			enum slot_state state;
			uint64_t va;
			int r;

			if (job->plan.rec.targets[t].frames_va == 0)
				return 1;
			r = find_slot(job, t, &job->unwinders[i], &va, &state, err);
			if (r < 0)
				return r;
			if (state != SLOT_DONE)
				return 1;
		}
	return 0;
}

static int
map_notes(struct hp_job *job, struct hp_borrow *b, struct hp_err *err)
{
	struct hp_rec *rec = &job->plan.rec;
	int64_t got;
	int r = hp_remote_mmap(b, 0, page_len(job), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, &got, err);

	if (r < 0)
		return r;
	if (got < 0)
		return hp_err_set(err, HP_E_UNPATCHABLE, "process %d (%s): cannot map memory for its unwinder: %s",
		                  job->plan.proc->pid, job->plan.proc->comm, strerror((int)-got));
	for (uint32_t i = 0; i < rec->targets_cnt; i++)
		rec->targets[i].frames_va = (uint64_t)got + (uint64_t)i * TARGET_LEN;
	return hp_rec_set_frames(job->plan.proc, rec, err);
}

/* One function for each FDE. ${func_va} gets the run-time address of the record. */
static int
each_record(struct hp_job *job, struct hp_borrow *b, uint32_t target, uint64_t func_va, struct hp_err *err)
{
	const struct hp_image *img = &job->plan.targets[target].image;
	struct hp_view eh;
	uint32_t len, id;
	int r = 0;

	if (!hp_view_sub(img->file, img->eh_frame_va, img->eh_frame_len, &eh))
		return hp_err_set(err, HP_E_FORMAT, "the payload's .eh_frame is outside its file");
	for (uint64_t pos = 0; r == 0 && hp_view_u32(eh, pos, &len) && len != 0 && len < UINT32_MAX - 16;
	     pos += (uint64_t)len + 4) {
		const uint64_t args[2] = { job->plan.rec.targets[target].payload_va + img->eh_frame_va + pos };

		if (!hp_view_u32(eh, pos + 4, &id))
			break;
		if (id != 0)
			r = hp_remote_func(b, func_va, args, err);
	}
	return r;
}

static int
add(struct hp_job *job, struct hp_borrow *b, uint32_t target, const struct hp_unwinder *uw, struct hp_err *err)
{
	const struct hp_rec_target *rt = &job->plan.rec.targets[target];
	uint64_t begin = rt->payload_va + job->plan.targets[target].image.eh_frame_va, slot;
	enum slot_state state;
	uint8_t word[8];
	int r = find_slot(job, target, uw, &slot, &state, err);

	if (r < 0 || state == SLOT_DONE)
		return r;
	hp_le64_put(word, uw->add_va);
	r = hp_proc_write(job->plan.proc, slot, word, sizeof(word), err);
	if (r < 0)
		return r;
	if (!uw->per_record)
		return hp_remote_func(b, uw->add_va, (uint64_t[2]){ begin, slot + SLOT_OBJECT }, err);
	r = each_record(job, b, target, uw->add_va, err);
	hp_le64_put(word, 1);
	return r == 0 ? hp_proc_write(job->plan.proc, slot + 8, word, sizeof(word), err) : r;
}

static int
take_out(struct hp_job *job, struct hp_borrow *b, uint32_t target, const struct hp_unwinder *uw, struct hp_err *err)
{
	const struct hp_rec_target *rt = &job->plan.rec.targets[target];
	static const uint8_t zero[SLOT_LEN];
	enum slot_state state;
	uint64_t slot;
	int r = find_slot(job, target, uw, &slot, &state, err);

	if (r < 0 || state != SLOT_DONE)
		return r;
	if (uw->per_record)
		r = each_record(job, b, target, uw->remove_va, err);
	else
		r = hp_remote_func(b, uw->remove_va,
		                   (uint64_t[2]){ rt->payload_va + job->plan.targets[target].image.eh_frame_va, 0 }, err);
	return r == 0 ? hp_proc_write(job->plan.proc, slot, zero, sizeof(zero), err) : r;
}

static int
for_all(struct hp_job *job, struct hp_borrow *b,
        int (*what)(struct hp_job *, struct hp_borrow *, uint32_t, const struct hp_unwinder *, struct hp_err *),
        struct hp_err *err)
{
	int r = 0;

	for (uint32_t t = 0; t < job->plan.rec.targets_cnt && r == 0; t++)
		for (size_t i = 0; i < job->unwinders_cnt && r == 0; i++)
			if (job->plan.targets[t].image.eh_frame_va != 0)
				r = what(job, b, t, &job->unwinders[i], err);
	return r;
}

static bool
accept_thread(void *arg, const struct hp_task *task)
{
	return hp_unwind_at_rest(arg, task);
}

int
hp_ehreg_borrow(struct hp_job *job, uint64_t deadline_ns, struct hp_borrow *ret, struct hp_err *err)
{
	struct hp_borrow_want want = { .accept = accept_thread };
	int r = hp_plan_reread_areas(&job->plan, err);

	if (r == 0 && job->unwind == NULL)
		r = hp_unwind_new(&job->plan, &job->unwind, err);
	want.arg = job->unwind;
	return r == 0 ? hp_borrow_begin(job->plan.proc, &job->plan.areas, &want, deadline_ns, ret, err) : r;
}

int
hp_ehreg_add(struct hp_job *job, struct hp_err *err)
{
	struct hp_borrow b;
	int r, ended;

	if (job->unwind == NULL)
		return 0;
	r = is_needed(job, err);
	if (r <= 0)
		return r;
	r = hp_ehreg_borrow(job, job->deadline_ns, &b, err);
	if (r < 0)
		return hp_err_add(err, "making the payload known to the unwinder");
	if (job->plan.rec.targets[0].frames_va == 0)
		r = map_notes(job, &b, err);
	if (r == 0)
		r = for_all(job, &b, add, err);
	ended = hp_borrow_end(&b, r < 0 ? NULL : err);
	hp_job_note_borrow(job, &b);
	job->report->registered = r == 0;
	return r < 0 ? r : ended;
}

int
hp_ehreg_remove(struct hp_job *job, struct hp_err *err)
{
	uint64_t notes = job->plan.rec.targets[0].frames_va;
	struct hp_borrow b;
	int64_t got;
	int r, ended;

	if (notes == 0)
		return 0;
	r = hp_ehreg_borrow(job, hp_now_ns() + 1000000000u, &b, err);
	if (r < 0)
		return r;
	r = for_all(job, &b, take_out, err);
	if (r == 0) {
		for (uint32_t i = 0; i < job->plan.rec.targets_cnt; i++)
			job->plan.rec.targets[i].frames_va = 0;
		r = hp_rec_set_frames(job->plan.proc, &job->plan.rec, err);
	}
	if (r == 0)
		r = hp_remote_munmap(&b, notes, page_len(job), &got, err);
	ended = hp_borrow_end(&b, r < 0 ? NULL : err);
	hp_job_note_borrow(job, &b);
	return r < 0 ? r : ended;
}

/* What an old record says, which the target may have forged: it must be private anonymous memory for data. */
bool
hp_ehreg_is_notes(const struct hp_plan *plan, uint64_t va)
{
	const struct hp_area *a = hp_area_at(&plan->areas, va);

	return a != NULL && a->inode == 0 && !a->shared && a->prot == (PROT_READ | PROT_WRITE) && va % SLOT_LEN == 0 &&
	       a->end - va >= TARGET_LEN;
}
