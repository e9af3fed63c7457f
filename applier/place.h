/* Where a payload goes: the addresses at which every fixup and every redirection fits, and a free piece of address space there.
 * Pure arithmetic on what was read from the process; nothing here touches it.
 */
#ifndef HP_APPLIER_PLACE_H
#define HP_APPLIER_PLACE_H

#include "applier/proc.h"

/* Load addresses that are possible, inclusive. Empty when lo > hi. */
struct hp_window {
	int64_t lo, hi;
};

/* The whole user address space. */
struct hp_window hp_window_all(void);
/* hp_window_pc32(w, place, value): a field at load address + ${place} must reach the fixed ${value} with a signed 32-bit
 * distance. */
void hp_window_pc32(struct hp_window *w, uint64_t place, uint64_t value);
/* hp_window_abs(w, off, lo, hi): load address + ${off} must lie in [lo, hi]. */
void hp_window_abs(struct hp_window *w, int64_t off, int64_t lo, int64_t hi);

/* hp_place_find(areas, len, w, near, skip, ret_va): a free, page-aligned piece of ${len} bytes that starts inside ${w}, near
 * ${near}, below it when possible; room that heap and stack grow into is left alone. ${skip}: how many candidates to pass over
 * (after a race). false: none. */
bool hp_place_find(const struct hp_areas *areas, uint64_t len, struct hp_window w, uint64_t near, unsigned skip,
                   uint64_t *ret_va);

#endif
