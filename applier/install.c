/* Payload and record into the process, while it runs. */
#include "applier/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/escape.h"

#define PLACE_TRIES 16u

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif

/* The kernel said no inside the target. */
static int
denied(const struct hp_job *job, int64_t result, const char *what, struct hp_err *err)
{
	return hp_err_set(err, HP_E_UNPATCHABLE, "process %d (%s): %s: %s", job->plan.proc->pid, job->plan.proc->comm, what,
	                  strerror((int)-result));
}

static int
map_payload(struct hp_job *job, struct hp_borrow *b, uint32_t idx, struct hp_err *err)
{
	struct hp_plan_target *t = &job->plan.targets[idx];
	struct hp_rec_target *rt = &job->plan.rec.targets[idx];
	uint64_t va;

	for (unsigned i = 0; i < PLACE_TRIES; i++) {
		int64_t got;
		int r;

		if (!hp_place_find(&job->plan.areas, t->image.mem_len, t->window, t->mod->start, i, &va))
			return hp_err_set(err, HP_E_UNPATCHABLE,
			                  "process %d (%s): no room for a payload of %" PRIu64 " bytes near module '%s'",
			                  job->plan.proc->pid, job->plan.proc->comm, t->image.mem_len, hp_esc(t->man->name));
		r = hp_remote_mmap(b, va, t->image.mem_len, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		                   &got, err);
		if (r < 0)
			return r;
		if (got == (int64_t)va) {
			uint8_t tag[HP_ORPHAN_TAG_LEN];

			rt->payload_va = va;
			hp_orphan_tag(&job->plan.rec, t->image.mem_len, tag);
			return hp_proc_write(job->plan.proc, va, tag, sizeof(tag), err);
		}
		if (got >= 0) { /* a kernel before 4.17 takes the address as a hint */
			r = hp_remote_munmap(b, (uint64_t)got, t->image.mem_len, &got, err);
			if (r < 0)
				return r;
		} else if (got != -EEXIST && got != -EPERM) {
			return denied(job, got, "cannot map memory for the payload", err);
		}
	}
	return hp_err_set(err, HP_E_BUSY, "process %d (%s): its mappings change too fast", job->plan.proc->pid,
	                  job->plan.proc->comm);
}

/* Mapped anew with the protection that it keeps, because a process may be forbidden to give that to memory which did not have it
 * (PR_SET_MDWE of prctl(2)). */
static int
protect_payload(struct hp_job *job, struct hp_borrow *b, uint32_t idx, struct hp_err *err)
{
	const struct hp_image *img = &job->plan.targets[idx].image;

	for (uint32_t i = 0; i < img->segs_cnt; i++) {
		int64_t got;
		int r;

		if (img->segs[i].prot == PROT_READ)
			continue;
		r = hp_remote_mmap(b, job->plan.rec.targets[idx].payload_va + img->segs[i].va, img->segs[i].mem_len,
		                   (int)img->segs[i].prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, &got, err);
		if (r < 0)
			return r;
		if (got < 0)
			return denied(job, got, "cannot protect the payload's memory", err);
	}
	return 0;
}

/* The memfd is sized and filled from our side, so that the target's file size limit has no say. */
static int
fill_record_file(struct hp_job *job, int remote_fd, struct hp_err *err)
{
	HP_AUTO(hp_fd) int fd = -1;
	struct hp_buf buf = { 0 };
	char name[32];
	size_t off = 0;
	int r;

	(void)snprintf(name, sizeof(name), "fd/%d", remote_fd);
	fd = openat(job->plan.proc->dir_fd, name, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return hp_err_set(err, HP_E_IO, "cannot open the record's memory file of process %d", job->plan.proc->pid);
	job->plan.rec.state = HP_REC_BUILDING;
	r = hp_rec_write(&job->plan.rec, &buf, err);
	while (r == 0 && off < buf.len) {
		ssize_t n = write(fd, buf.p + off, buf.len - off);

		if (n <= 0)
			r = hp_err_set(err, HP_E_IO, "cannot write the record of process %d", job->plan.proc->pid);
		else
			off += (size_t)n;
	}
	hp_buf_release(&buf);
	return r;
}

static int
map_record(struct hp_job *job, struct hp_borrow *b, struct hp_err *err)
{
	struct hp_rec *rec = &job->plan.rec;
	uint8_t tag[HP_ORPHAN_TAG_LEN];
	int64_t fd, got, closed;
	int r;

	/* The payload is not filled yet: it begins with its tag, and that with the name. Its segments may have been mapped over
	 * it. */
	hp_orphan_tag(rec, rec->targets[0].payload_len, tag);
	r = hp_proc_write(job->plan.proc, rec->targets[0].payload_va, tag, sizeof(tag), err);
	if (r == 0)
		r = hp_remote_memfd(b, rec->targets[0].payload_va, MFD_CLOEXEC | MFD_NOEXEC_SEAL, &fd, err);
	if (r == 0 && fd == -EINVAL) /* before Linux 6.3 */
		r = hp_remote_memfd(b, rec->targets[0].payload_va, MFD_CLOEXEC, &fd, err);
	if (r < 0)
		return r;
	if (fd < 0)
		return denied(job, fd, "cannot create the record", err);
	r = fill_record_file(job, (int)fd, err);
	if (r == 0)
		r = hp_remote_mmap(b, 0, hp_rec_len(rec), PROT_READ, MAP_PRIVATE, (int)fd, &got, err);
	if (r == 0 && got < 0)
		r = denied(job, got, "cannot map the record", err);
	if (r == 0) {
		rec->va = (uint64_t)got;
		rec->len = hp_rec_len(rec);
	}
	if (hp_remote_close(b, (int)fd, &closed, r == 0 ? err : NULL) < 0 && r == 0)
		r = HP_E_BUSY;
	return r;
}

static int
unmap_all(struct hp_job *job, struct hp_borrow *b, struct hp_err *err)
{
	struct hp_rec *rec = &job->plan.rec;
	int64_t got;
	int r = 0;

	/* The record goes first: it must never speak of a payload that is not there. */
	if (rec->va != 0)
		r = hp_remote_munmap(b, rec->va, rec->len, &got, err);
	rec->va = 0;
	for (uint32_t i = 0; i < rec->targets_cnt && r == 0; i++) {
		if (rec->targets[i].payload_va != 0)
			r = hp_remote_munmap(b, rec->targets[i].payload_va, rec->targets[i].payload_len, &got, err);
		rec->targets[i].payload_va = 0;
	}
	return r;
}

static int
map_all(struct hp_job *job, struct hp_borrow *b, const struct hp_orphans *orphans, struct hp_err *err)
{
	int64_t got;
	int r = hp_orphans_unmap(b, &job->plan, orphans, err);

	for (uint32_t i = 0; i < job->plan.rec.targets_cnt && r == 0; i++)
		r = map_payload(job, b, i, err);
	if (r < 0)
		return r;
	hp_plan_place_vars(&job->plan);
	hp_job_step(job, HP_STEP_BORROWED);
	/* The record comes last: where there is one, the payload has its protections. */
	for (uint32_t i = 0; i < job->plan.rec.targets_cnt && r == 0; i++)
		r = protect_payload(job, b, i, err);
	if (r == 0)
		r = map_record(job, b, err);
	if (r == 0 && job->plan.drop != NULL)
		r = hp_remote_munmap(b, job->plan.drop->va, job->plan.drop->len, &got, err);
	return r;
}

/* Bytes of a segment that are not the zeros which fresh memory has anyhow. */
static size_t
used_len(const uint8_t *p, uint64_t len)
{
	while (len > 0 && p[len - 1] == 0)
		len--;
	return (size_t)len;
}

static int
fill_seg(const struct hp_job *job, uint32_t idx, const struct hp_image_seg *seg, struct hp_err *err)
{
	const uint8_t *want = job->plan.targets[idx].mem + seg->va;
	uint64_t va = job->plan.rec.targets[idx].payload_va + seg->va;
	HP_AUTO(hp_mem) uint8_t *have = NULL;
	int r;

	if (job->plan.targets[idx].gone) /* its variables begin anew as well */
		return hp_proc_write(job->plan.proc, va, want, (size_t)seg->mem_len, err);
	if (job->plan.rec.state == HP_REC_BUILDING) {
		size_t len = job->plan.old != NULL ? (size_t)seg->mem_len : used_len(want, seg->mem_len);

		return hp_proc_write(job->plan.proc, va, want, len, err);
	}
	if (seg->prot & PROT_WRITE)
		return 0; /* the patch's variables live on */
	have = malloc((size_t)seg->mem_len);
	if (have == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for a segment of %" PRIu64 " bytes", seg->mem_len);
	r = hp_proc_read(job->plan.proc, va, have, (size_t)seg->mem_len, err);
	if (r < 0)
		return r;
	return memcmp(have, want, (size_t)seg->mem_len) == 0 ? 0 : hp_proc_write(job->plan.proc, va, want,
	                                                                         (size_t)seg->mem_len, err);
}

int
hp_install_refill(struct hp_job *job, struct hp_err *err)
{
	for (uint32_t i = 0; i < job->plan.rec.targets_cnt; i++) {
		int r = 0;

		if (job->plan.rec.state == HP_REC_BUILDING) /* away with the tag */
			r = hp_proc_write(job->plan.proc, job->plan.rec.targets[i].payload_va, job->plan.targets[i].mem,
			                  HP_ORPHAN_TAG_LEN, err);
		for (uint32_t s = 0; s < job->plan.targets[i].image.segs_cnt && r == 0; s++)
			r = fill_seg(job, i, &job->plan.targets[i].image.segs[s], err);
		if (r < 0)
			return r;
	}
	if (job->plan.rec.state == HP_REC_BUILDING)
		return hp_rec_set_state(job->plan.proc, &job->plan.rec, HP_REC_PREPARED, err);
	return 0;
}

int
hp_install(struct hp_job *job, struct hp_err *err)
{
	struct hp_orphans orphans;
	struct hp_borrow b;
	int r, undo, ended;

	if (job->plan.rec.targets_cnt == 0)
		return hp_err_set(err, HP_E_FORMAT, "the package has no target");
	r = hp_ehreg_prepare(job, err);
	if (r < 0)
		return r;
	hp_orphans_find(&job->plan, &orphans);
	r = hp_borrow_begin(job->plan.proc, &job->plan.areas, NULL, job->deadline_ns, &b, err);
	if (r < 0)
		return r;
	r = map_all(job, &b, &orphans, err);
	undo = r < 0 ? unmap_all(job, &b, NULL) : 0;
	ended = hp_borrow_end(&b, r < 0 ? NULL : err);
	hp_job_note_borrow(job, &b);
	if ((ended < 0 || undo < 0) && hp_proc_is_going(job->plan.proc))
		return hp_err_set(err, HP_E_BUSY, "process %d ended meanwhile", job->plan.proc->pid);
	if (ended < 0 || undo < 0)
		return hp_err_set(err, HP_E_UNDO, "process %d (%s): a borrowed thread could not be given back as it was",
		                  job->plan.proc->pid, job->plan.proc->comm);
	if (r < 0)
		return r;
	hp_job_step(job, HP_STEP_RECORDED);
	if (job->unwind != NULL)
		hp_unwind_add_payload(job->unwind);
	r = hp_bind_run(job, err);
	if (r == 0)
		r = hp_plan_bind(&job->plan, err);
	if (r == 0)
		r = hp_install_refill(job, err);
	if (r == 0)
		r = hp_ehreg_add(job, err);
	if (r == 0)
		hp_job_step(job, HP_STEP_FILLED);
	return r;
}

int
hp_install_undo(struct hp_job *job, struct hp_err *err)
{
	struct hp_borrow b;
	int r, ended;

	if (job->plan.rec.targets[0].payload_va == 0 || !hp_proc_exists(job->plan.proc))
		return 0;
	r = hp_ehreg_remove(job, err);
	if (r == 0)
		r = hp_plan_reread_areas(&job->plan, err);
	if (r == 0)
		r = hp_borrow_begin(job->plan.proc, &job->plan.areas, NULL, hp_now_ns() + 1000000000u, &b, err);
	if (r < 0)
		return hp_proc_exists(job->plan.proc) ? r : 0;
	r = unmap_all(job, &b, err);
	ended = hp_borrow_end(&b, r < 0 ? NULL : err);
	hp_job_note_borrow(job, &b);
	if ((r < 0 || ended < 0) && hp_proc_is_going(job->plan.proc))
		return 0;
	return r < 0 ? r : ended;
}
