/* A payload that hpbuild was killed over before there was a record of it. Until it is filled its first bytes say what it is: the
 * name of its package, and at offset 48 the u64 length. The next apply unmaps it. (A kill between the two calls that map it and
 * write these bytes leaves address space that was never touched.) */
#include "applier/internal.h"

#include <string.h>
#include <sys/mman.h>

#include "base/le.h"

#define TAG_NAME "hpbuild:"
#define TAG_OFF_LEN 48u

void
hp_orphan_tag(const struct hp_rec *rec, uint64_t len, uint8_t ret[HP_ORPHAN_TAG_LEN])
{
	char name[HP_REC_NAME_LEN];

	hp_rec_name(rec->id, name);
	memset(ret, 0, HP_ORPHAN_TAG_LEN);
	memcpy(ret, name, sizeof(name));
	hp_le64_put(ret + TAG_OFF_LEN, len);
}

static bool
is_tag(const uint8_t *tag)
{
	char hex[] = "0123456789abcdef";
	size_t pos = strlen(TAG_NAME);

	if (memcmp(tag, TAG_NAME, pos) != 0)
		return false;
	for (; pos + 1 < HP_REC_NAME_LEN; pos++)
		if (tag[pos] == '\0' || strchr(hex, tag[pos]) == NULL)
			return false;
	return tag[pos] == '\0';
}

/* Private memory without a file, all of it, and no record speaks of it. */
static bool
is_nobodys(const struct hp_areas *areas, const struct hp_recs *recs, uint64_t va, uint64_t len)
{
	uint64_t end;

	if (len == 0 || len % HP_IMAGE_PAGE != 0 || __builtin_add_overflow(va, len, &end))
		return false;
	for (size_t i = 0; i < recs->cnt; i++)
		for (uint32_t t = 0; t < recs->v[i].targets_cnt; t++)
			if (recs->v[i].targets[t].payload_va == va)
				return false;
	for (uint64_t at = va; at < end;) {
		const struct hp_area *a = hp_area_at(areas, at);

		if (a == NULL || a->inode != 0 || a->shared || a->path[0] != '\0')
			return false;
		at = a->end;
	}
	return true;
}

static bool
is_orphan(const struct hp_proc *proc, const struct hp_areas *areas, const struct hp_recs *recs, const struct hp_area *a,
          uint64_t *ret_len)
{
	uint8_t tag[HP_ORPHAN_TAG_LEN];

	if (a->inode != 0 || a->shared || a->prot != PROT_READ || a->path[0] != '\0' ||
	    hp_proc_read(proc, a->start, tag, sizeof(tag), NULL) < 0 || !is_tag(tag))
		return false;
	*ret_len = hp_le64_get(tag + TAG_OFF_LEN);
	return is_nobodys(areas, recs, a->start, *ret_len);
}

void
hp_orphans_find(const struct hp_plan *plan, struct hp_orphans *ret)
{
	ret->cnt = 0;
	for (size_t i = 0; i < plan->areas.cnt && ret->cnt < HP_ORPHANS_MAX; i++)
		if (is_orphan(plan->proc, &plan->areas, &plan->recs, &plan->areas.v[i], &ret->len[ret->cnt]))
			ret->va[ret->cnt++] = plan->areas.v[i].start;
}

/* What seemed to be nobody's may have been the payload of another hpbuild that was at work: with the thread held, look again.
 * What is not surely left behind stays. */
static int
unmap_held(struct hp_borrow *b, const struct hp_plan *plan, const struct hp_orphans *orphans, struct hp_arena *arena,
           struct hp_err *err)
{
	struct hp_areas areas;
	struct hp_recs recs;
	int64_t got;
	int r = hp_proc_maps(plan->proc, arena, &areas, err);

	if (r == 0)
		r = hp_recs_read(plan->proc, &areas, arena, &recs, err);
	if (r == 0 && recs.bad_cnt > plan->recs.bad_cnt)
		return 0; /* somebody is writing one */
	for (unsigned i = 0; i < orphans->cnt && r == 0; i++) {
		const struct hp_area *a = hp_area_at(&areas, orphans->va[i]);
		uint64_t len;

		if (a != NULL && a->start == orphans->va[i] && is_orphan(plan->proc, &areas, &recs, a, &len) &&
		    len == orphans->len[i])
			r = hp_remote_munmap(b, a->start, len, &got, err);
	}
	return r;
}

int
hp_orphans_unmap(struct hp_borrow *b, const struct hp_plan *plan, const struct hp_orphans *orphans, struct hp_err *err)
{
	struct hp_arena arena;
	int r;

	if (orphans->cnt == 0)
		return 0;
	hp_arena_init(&arena);
	r = unmap_held(b, plan, orphans, &arena, err);
	hp_arena_release(&arena);
	return r;
}
