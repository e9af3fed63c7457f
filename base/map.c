#include "base/map.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/le.h"

struct hp_map_slot {
	const uint8_t *key; /* NULL = free */
	size_t len;
	uint64_t hash;
	uint64_t value;
};

void
hp_map_release(struct hp_map *map)
{
	free(map->slots);
	*map = (struct hp_map){ 0 };
}

/* wyhash-style folding: 64x64 -> 128 multiply, both halves xor-ed. */
static uint64_t
fold(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static uint64_t
hash_bytes(uint64_t seed, const uint8_t *p, size_t len)
{
	uint64_t h = seed ^ len, tail = 0;

	for (; len >= 8; p += 8, len -= 8)
		h = fold(h ^ hp_le64_get(p), 0x9e3779b97f4a7c15u ^ seed);
	for (size_t i = 0; i < len; i++)
		tail |= (uint64_t)p[i] << (8 * i);
	return fold(h ^ tail, 0xd1b54a32d192ed03u ^ seed);
}

static struct hp_map_slot *
find_slot(const struct hp_map *map, const uint8_t *key, size_t len, uint64_t hash)
{
	for (size_t i = hash & (map->cap - 1);; i = (i + 1) & (map->cap - 1)) {
		struct hp_map_slot *s = &map->slots[i];

		if (s->key == NULL || (s->hash == hash && s->len == len && memcmp(s->key, key, len) == 0))
			return s;
	}
}

static int
grow(struct hp_map *map, struct hp_err *err)
{
	struct hp_map bigger = { .cap = map->cap ? map->cap * 2 : 64, .cnt = map->cnt, .seed = map->seed };

	if (map->cap == 0 && getrandom(&bigger.seed, sizeof(bigger.seed), GRND_NONBLOCK) != sizeof(bigger.seed))
		bigger.seed = (uint64_t)(uintptr_t)map;
	bigger.slots = calloc(bigger.cap, sizeof(*bigger.slots));
	if (bigger.slots == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for a map of %zu slots", bigger.cap);
	for (size_t i = 0; i < map->cap; i++)
		if (map->slots[i].key != NULL)
			*find_slot(&bigger, map->slots[i].key, map->slots[i].len, map->slots[i].hash) = map->slots[i];
	free(map->slots);
	*map = bigger;
	return 0;
}

int
hp_map_put(struct hp_map *map, const void *key, size_t len, uint64_t value, struct hp_err *err)
{
	struct hp_map_slot *s;
	uint64_t hash;

	if (key == NULL)
		key = ""; /* of an empty view; NULL marks a free slot */
	if (map->cnt * 4 >= map->cap * 3) {
		int r = grow(map, err);

		if (r < 0)
			return r;
	}
	hash = hash_bytes(map->seed, key, len);
	s = find_slot(map, key, len, hash);
	if (s->key == NULL)
		map->cnt++;
	*s = (struct hp_map_slot){ .key = key, .len = len, .hash = hash, .value = value };
	return 0;
}

bool
hp_map_get(const struct hp_map *map, const void *key, size_t len, uint64_t *ret)
{
	const struct hp_map_slot *s;

	if (map->cap == 0)
		return false;
	if (key == NULL)
		key = "";
	s = find_slot(map, key, len, hash_bytes(map->seed, key, len));
	if (s->key == NULL)
		return false;
	*ret = s->value;
	return true;
}

int
hp_map_put_str(struct hp_map *map, const char *key, uint64_t value, struct hp_err *err)
{
	return hp_map_put(map, key, strlen(key), value, err);
}

bool
hp_map_get_str(const struct hp_map *map, const char *key, uint64_t *ret)
{
	return hp_map_get(map, key, strlen(key), ret);
}
