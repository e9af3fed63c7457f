#include "applier/check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "base/le.h"

#define FIRST_LEN ((size_t)16384)   /* most threads use less */
#define LONG_LEN ((size_t)1 << 20)
#define BATCH 256u                  /* threads a process_vm_readv; IOV_MAX is 1024 */

int
hp_check_init(struct hp_check *check, size_t tasks_cap, struct hp_err *err)
{
	*check = (struct hp_check){ .buf_len = BATCH * FIRST_LEN };
	if (check->buf_len > tasks_cap * FIRST_LEN)
		check->buf_len = tasks_cap * FIRST_LEN;
	if (check->buf_len < LONG_LEN)
		check->buf_len = LONG_LEN;
	check->buf = malloc(check->buf_len);
	if (check->buf == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %zu bytes of stacks", check->buf_len);
	memset(check->buf, 0, check->buf_len); /* no page faults later */
	return 0;
}

void
hp_check_release(struct hp_check *check)
{
	free(check->buf);
	check->buf = NULL;
}

/* The range that execution at ${pc} is inside of. ${is_return}: pc is where a call returns to, not where a thread stands. */
static const struct hp_plan_range *
inside(const struct hp_check *check, const struct hp_plan *plan, uint64_t pc, bool is_return)
{
	/* A return address belongs to the call before it. A thread that stands at the first instruction or at the entry takes
	 * the redirection like any caller. */
	const struct hp_plan_range *r = hp_plan_range_at(plan, is_return ? pc - 1 : pc);

	if (r == NULL)
		return NULL;
	if (r->entry != 0 && pc > r->entry && pc < r->entry + HP_ARCH_JUMP_LEN)
		return r;
	if (check->overwritten_only || r->may_be_active || (!is_return && pc <= r->entry))
		return NULL;
	return r;
}

static const struct hp_plan_range *
scan(const struct hp_check *check, const struct hp_plan *plan, const uint8_t *p, size_t len)
{
	uint64_t lo, span;

	if (plan->bodies_cnt == 0)
		return NULL;
	lo = plan->bodies[0].lo;
	span = plan->bodies[plan->bodies_cnt - 1].hi - lo;
	for (size_t i = 0; i + 8 <= len; i += 8) {
		uint64_t word = hp_le64_get(p + i);
		const struct hp_plan_range *r;

		if (word - lo > span)
			continue;
		r = inside(check, plan, word, true);
		if (r != NULL)
			return r;
	}
	return NULL;
}

/* The rest of a deep stack, piece by piece. */
static const struct hp_plan_range *
scan_rest(const struct hp_check *check, const struct hp_plan *plan, pid_t tid, uint64_t va, uint64_t end, bool *ret_unread)
{
	while (va < end) {
		size_t len = end - va < LONG_LEN ? (size_t)(end - va) : LONG_LEN;
		struct iovec local = { check->buf, len };
		struct iovec remote = { (void *)(uintptr_t)va, len };
		ssize_t n = process_vm_readv(tid, &local, 1, &remote, 1, 0);
		const struct hp_plan_range *r;

		if (n <= 0) {
			*ret_unread = true;
			return NULL;
		}
		r = scan(check, plan, check->buf, (size_t)n);
		if (r != NULL)
			return r;
		va += (uint64_t)n & ~(uint64_t)7;
	}
	return NULL;
}

/* What the scan of one thread says: where its stack is, and whether the thread stands on its own. */
struct stack {
	uint64_t lo, end; /* from the red zone to the end of the mapping */
	bool own;         /* the thread's first stack, not that of a signal handler or coroutine */
};

static bool
find_stack(const struct hp_plan *plan, const struct hp_task *t, struct stack *ret)
{
	uint64_t sp = hp_arch_sp(&t->regs), tp = hp_arch_thread_ptr(&t->regs);
	const struct hp_area *a = hp_area_at(&plan->areas, sp);

	if (a == NULL || (a->prot & PROT_WRITE) == 0)
		return false;
	ret->lo = (sp - a->start > HP_ARCH_RED_ZONE ? sp - HP_ARCH_RED_ZONE : a->start) & ~(uint64_t)7;
	ret->end = a->end;
	ret->own = strcmp(a->path, "[stack]") == 0 || (tp >= sp && tp < a->end);
	return true;
}

static enum hp_check_verdict
report(struct hp_check *check, enum hp_check_verdict verdict, pid_t tid, const struct hp_plan_range *range, bool certain)
{
	if (verdict == HP_CHECK_ACTIVE) {
		if (check->blockers_cnt < HP_CHECK_BLOCKERS_MAX)
			check->blockers[check->blockers_cnt] = (struct hp_check_blocker){ tid, range };
		if (check->blockers_cnt++ > 0)
			return verdict;
	}
	check->tid = tid;
	check->range = range;
	check->certain = certain;
	return verdict;
}

/* The scan hit (or could not see all): ask the unwinder. ${hit} NULL: the scan did not find anything in what it saw. */
static enum hp_check_verdict
decide(struct hp_check *check, const struct hp_plan *plan, const struct hp_task *t, struct hp_unwind *unwind,
       const struct hp_plan_range *hit)
{
	struct hp_frames *frames = check->blockers_cnt == 0 ? &check->frames : &check->more_frames;

	if (unwind == NULL)
		return report(check, HP_CHECK_UNSURE, t->tid, hit, false);
	hp_unwind_thread(unwind, t, frames);
	for (size_t i = 1; i < frames->cnt; i++) {
		const struct hp_plan_range *r = inside(check, plan, frames->pc[i], frames->is_return[i]);

		if (r != NULL)
			return report(check, HP_CHECK_ACTIVE, t->tid, r, true);
	}
	if (!frames->complete && hit != NULL)
		return report(check, HP_CHECK_ACTIVE, t->tid, hit, false);
	if (!frames->complete)
		return report(check, HP_CHECK_ACTIVE, t->tid, NULL, false);
	return HP_CHECK_CLEAN;
}

static bool
may_go_on(const struct hp_check *check, enum hp_check_verdict verdict)
{
	return verdict == HP_CHECK_CLEAN || (verdict == HP_CHECK_ACTIVE && check->all);
}

/* Threads [from, to) of the stop: first pieces in one go, then each. */
static enum hp_check_verdict
check_batch(struct hp_check *check, const struct hp_plan *plan, const struct hp_stop *stop, size_t from, size_t to,
            struct hp_unwind *unwind)
{
	struct iovec local[BATCH], remote[BATCH];
	struct stack stacks[BATCH];
	size_t cnt = 0, pos = 0, idx[BATCH];
	enum hp_check_verdict verdict = HP_CHECK_CLEAN;
	const struct hp_plan_range *hits[BATCH];
	bool unread[BATCH] = { false };
	ssize_t got;

	for (size_t i = from; i < to; i++) {
		uint64_t len;

		if (stop->v[i].state != HP_TASK_STOPPED)
			continue;
		if (!find_stack(plan, &stop->v[i], &stacks[cnt]))
			return report(check, HP_CHECK_MOVED, stop->v[i].tid, NULL, false);
		len = stacks[cnt].end - stacks[cnt].lo;
		if (len > FIRST_LEN)
			len = FIRST_LEN;
		local[cnt] = (struct iovec){ check->buf + cnt * FIRST_LEN, (size_t)len };
		remote[cnt] = (struct iovec){ (void *)(uintptr_t)stacks[cnt].lo, (size_t)len };
		idx[cnt++] = i;
	}
	if (cnt == 0)
		return HP_CHECK_CLEAN;
	got = process_vm_readv(stop->v[idx[0]].tid, local, cnt, remote, cnt, 0);
	for (size_t k = 0; k < cnt; k++) {
		size_t len = local[k].iov_len;

		pos += len;
		if (got < 0 || (size_t)got < pos)
			return report(check, HP_CHECK_MOVED, stop->v[idx[k]].tid, NULL, false);
		hits[k] = scan(check, plan, local[k].iov_base, len);
	}
	for (size_t k = 0; k < cnt && may_go_on(check, verdict); k++) {
		enum hp_check_verdict one;

		if (inside(check, plan, hp_arch_pc(&stop->v[idx[k]].regs), false) != NULL)
			continue; /* is reported already */
		if (hits[k] == NULL && stacks[k].end - stacks[k].lo > FIRST_LEN)
			hits[k] = scan_rest(check, plan, stop->v[idx[k]].tid, stacks[k].lo + FIRST_LEN, stacks[k].end,
			                    &unread[k]);
		if (hits[k] == NULL && !unread[k] && stacks[k].own)
			continue;
		one = decide(check, plan, &stop->v[idx[k]], unwind, hits[k]);
		if (one != HP_CHECK_CLEAN)
			verdict = one;
	}
	return verdict;
}

enum hp_check_verdict
hp_check_run(struct hp_check *check, const struct hp_plan *plan, const struct hp_stop *stop, struct hp_unwind *unwind)
{
	size_t batch = check->buf_len / FIRST_LEN < BATCH ? check->buf_len / FIRST_LEN : BATCH;
	enum hp_check_verdict verdict = HP_CHECK_CLEAN;

	check->frames.cnt = 0;
	check->blockers_cnt = 0;
	for (size_t i = 0; i < stop->cnt; i++) {
		const struct hp_plan_range *r;

		if (stop->v[i].state != HP_TASK_STOPPED)
			continue;
		r = inside(check, plan, hp_arch_pc(&stop->v[i].regs), false);
		if (r == NULL)
			continue;
		if (check->all && check->blockers_cnt == 0)
			hp_unwind_thread(unwind, &stop->v[i], &check->frames);
		verdict = report(check, HP_CHECK_ACTIVE, stop->v[i].tid, r, true);
		if (!check->all)
			return verdict;
	}
	for (size_t from = 0; from < stop->cnt; from += batch) {
		size_t to = stop->cnt - from < batch ? stop->cnt : from + batch;
		enum hp_check_verdict one = check_batch(check, plan, stop, from, to, unwind);

		if (one != HP_CHECK_CLEAN)
			verdict = one;
		if (!may_go_on(check, one))
			break;
	}
	return verdict;
}
