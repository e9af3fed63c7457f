/* Hash map from byte strings to 64-bit values. Keys are not copied: they must outlive the map. One value a key.
 * Expected O(1) a call; the hash is keyed per map, so that hostile names cannot force collisions.
 * A zeroed struct is an empty map. */
#ifndef HP_BASE_MAP_H
#define HP_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct hp_map_slot;

struct hp_map {
	struct hp_map_slot *slots;
	size_t cnt;    /* keys in the map */
	size_t cap;    /* slots, a power of two, or 0 */
	uint64_t seed; /* hash key */
};

void hp_map_release(struct hp_map *map);
/* hp_map_put(map, key, len, value, err): insert or replace. ${key} may be NULL when ${len} is 0. 0, or HP_E_NOMEM. */
HP_MUST_CHECK int hp_map_put(struct hp_map *map, const void *key, size_t len, uint64_t value, struct hp_err *err);
/* hp_map_get(map, key, len, ret): true and *ret when present. */
bool hp_map_get(const struct hp_map *map, const void *key, size_t len, uint64_t *ret);
HP_MUST_CHECK int hp_map_put_str(struct hp_map *map, const char *key, uint64_t value, struct hp_err *err);
bool hp_map_get_str(const struct hp_map *map, const char *key, uint64_t *ret);

static inline void
hp_map_auto(struct hp_map *map)
{
	hp_map_release(map);
}

#endif
