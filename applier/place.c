#include "applier/place.h"

#include <string.h>

#include "applier/arch.h"

#define PAGE 4096u
#define VA_MIN ((uint64_t)65536)              /* vm.mmap_min_addr as it is usually set */
#define HEAP_ROOM ((uint64_t)256 << 20)       /* left free above [heap] for brk(), when the gap has that much */
#define STACK_ROOM ((uint64_t)256 << 20)      /* left free below [stack] */

struct hp_window
hp_window_all(void)
{
	return (struct hp_window){ (int64_t)VA_MIN, (int64_t)HP_ARCH_VA_END };
}

/* Narrow to [lo, hi], which may lie anywhere: sums of 64-bit numbers from the package. */
static void
narrow(struct hp_window *w, __int128 lo, __int128 hi)
{
	if (lo > w->lo)
		w->lo = lo > (int64_t)HP_ARCH_VA_END ? (int64_t)HP_ARCH_VA_END : (int64_t)lo;
	if (hi < w->hi)
		w->hi = hi < 0 ? -1 : (int64_t)hi;
}

void
hp_window_pc32(struct hp_window *w, uint64_t place, uint64_t value)
{
	__int128 distance = (__int128)(int64_t)value - (__int128)place; /* V - place - B must fit */

	narrow(w, distance - INT32_MAX, distance - INT32_MIN);
}

void
hp_window_abs(struct hp_window *w, int64_t off, int64_t lo, int64_t hi)
{
	narrow(w, (__int128)lo - off, (__int128)hi - off);
}

/* One gap between two mappings, after leaving room; candidates at both of its ends that matter. */
static bool
best_in_gap(uint64_t start, uint64_t end, uint64_t len, struct hp_window w, uint64_t near, uint64_t *ret_va)
{
	uint64_t lo = start > (uint64_t)w.lo ? start : (uint64_t)w.lo, hi;

	if (end < start || end - start < len)
		return false;
	hi = end - len < (uint64_t)w.hi ? end - len : (uint64_t)w.hi;
	lo = (lo + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	hi &= ~(uint64_t)(PAGE - 1);
	if (lo > hi)
		return false;
	*ret_va = hi <= near ? hi : lo >= near ? lo : near & ~(uint64_t)(PAGE - 1);
	return true;
}

/* The gap below mapping ${idx} (cnt: behind the last one), without the room that its neighbours grow into. */
static void
gap_below(const struct hp_areas *areas, size_t idx, uint64_t *ret_start, uint64_t *ret_end)
{
	uint64_t start = idx > 0 ? areas->v[idx - 1].end : VA_MIN;
	uint64_t end = idx < areas->cnt ? areas->v[idx].start : HP_ARCH_VA_END;

	if (end > HP_ARCH_VA_END)
		end = HP_ARCH_VA_END;
	if (idx > 0 && end > start && strcmp(areas->v[idx - 1].path, "[heap]") == 0)
		start += end - start > 2 * HEAP_ROOM ? HEAP_ROOM : (end - start) / 2;
	if (idx < areas->cnt && end > start && strcmp(areas->v[idx].path, "[stack]") == 0)
		end -= end - start > 2 * STACK_ROOM ? STACK_ROOM : (end - start) / 2;
	*ret_start = start;
	*ret_end = end;
}

static uint64_t
cost(uint64_t va, uint64_t near)
{
	return va <= near ? near - va : 2 * (va - near) + 1; /* above is where brk() and later mappings tend to go */
}

bool
hp_place_find(const struct hp_areas *areas, uint64_t len, struct hp_window w, uint64_t near, unsigned skip, uint64_t *ret_va)
{
	uint64_t floor = 0; /* candidates up to this cost were used */

	if (w.lo < (int64_t)VA_MIN)
		w.lo = (int64_t)VA_MIN;
	if (w.lo > w.hi)
		return false;
	for (unsigned round = 0;; round++) {
		uint64_t best = UINT64_MAX, best_va = 0;

		for (size_t i = 0; i <= areas->cnt; i++) {
			uint64_t start, end, va;

			gap_below(areas, i, &start, &end);
			if (!best_in_gap(start, end, len, w, near, &va))
				continue;
			if (cost(va, near) < best && (round == 0 || cost(va, near) > floor)) {
				best = cost(va, near);
				best_va = va;
			}
		}
		if (best == UINT64_MAX)
			return false;
		if (round == skip) {
			*ret_va = best_va;
			return true;
		}
		floor = best;
	}
}
