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
is_nobodys(const struct hp_plan *plan, uint64_t va, uint64_t len)
{
	uint64_t end;

	if (len == 0 || len % HP_IMAGE_PAGE != 0 || __builtin_add_overflow(va, len, &end))
		return false;
	for (size_t i = 0; i < plan->recs.cnt; i++)
		for (uint32_t t = 0; t < plan->recs.v[i].targets_cnt; t++)
			if (plan->recs.v[i].targets[t].payload_va == va)
				return false;
	for (uint64_t at = va; at < end;) {
		const struct hp_area *a = hp_area_at(&plan->areas, at);

		if (a == NULL || a->inode != 0 || a->shared || a->path[0] != '\0')
			return false;
		at = a->end;
	}
	return true;
}

void
hp_orphans_find(const struct hp_plan *plan, struct hp_orphans *ret)
{
	ret->cnt = 0;
	for (size_t i = 0; i < plan->areas.cnt && ret->cnt < HP_ORPHANS_MAX; i++) {
		const struct hp_area *a = &plan->areas.v[i];
		uint8_t tag[HP_ORPHAN_TAG_LEN];

		if (a->inode != 0 || a->shared || a->prot != PROT_READ || a->path[0] != '\0' ||
		    hp_proc_read(plan->proc, a->start, tag, sizeof(tag), NULL) < 0 || !is_tag(tag) ||
		    !is_nobodys(plan, a->start, hp_le64_get(tag + TAG_OFF_LEN)))
			continue;
		ret->va[ret->cnt] = a->start;
		ret->len[ret->cnt++] = hp_le64_get(tag + TAG_OFF_LEN);
	}
}

int
hp_orphans_unmap(struct hp_borrow *b, const struct hp_orphans *orphans, struct hp_err *err)
{
	int64_t got;
	int r = 0;

	for (unsigned i = 0; i < orphans->cnt && r == 0; i++)
		r = hp_remote_munmap(b, orphans->va[i], orphans->len[i], &got, err);
	return r;
}
