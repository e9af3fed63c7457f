#include "base/map.h"

#include "tests/unit/unit.h"

static void
empty_map_has_nothing(void **state)
{
	struct hp_map map = { 0 };
	uint64_t v = 5;

	(void)state;
	assert_false(hp_map_get(&map, "a", 1, &v));
	assert_false(hp_map_get_str(&map, "", &v));
	assert_int_equal(v, 5);
	hp_map_release(&map);
	hp_map_release(&map);
}

static void
keys_are_bytes_not_strings(void **state)
{
	struct hp_map map = { 0 };
	struct hp_err err = { 0 };
	uint64_t v;
	static const struct {
		const char *p;
		size_t len;
	} keys[] = { { "", 0 },    { "\0", 1 },   { "\0\0", 2 },     { "a", 1 },
		     { "a\0", 2 }, { "a\0b", 3 }, { "abcdefgh", 8 }, { "abcdefgh\0", 9 } };

	(void)state;
	for (size_t i = 0; i < CNT(keys); i++)
		assert_fine(hp_map_put(&map, keys[i].p, keys[i].len, i, &err), &err);
	assert_int_equal(map.cnt, CNT(keys));
	for (size_t i = 0; i < CNT(keys); i++) {
		assert_true(hp_map_get(&map, keys[i].p, keys[i].len, &v));
		assert_int_equal(v, i);
	}
	assert_fine(hp_map_put_str(&map, "a", UINT64_MAX, &err), &err);
	assert_true(hp_map_get_str(&map, "a", &v));
	assert_true(v == UINT64_MAX);
	assert_int_equal(map.cnt, CNT(keys));
	hp_map_release(&map);
	assert_int_equal(map.cnt + map.cap, 0);
}

/* The key of an empty view may have no address at all. */
static void
empty_key_without_address(void **state)
{
	struct hp_map map = { 0 };
	uint64_t v = 0;

	(void)state;
	assert_int_equal(hp_map_put(&map, NULL, 0, 7, NULL), 0);
	assert_int_equal(hp_map_put(&map, "", 0, 8, NULL), 0);
	assert_int_equal(map.cnt, 1);
	assert_true(hp_map_get(&map, NULL, 0, &v));
	assert_int_equal(v, 8);
	hp_map_release(&map);
}

/* Against a model: a plain array indexed by key number. Keys differ in few bits and in length only. */
static void
agrees_with_an_array(void **state)
{
	enum { KEYS = 5000, LEN = 24 };
	static uint8_t key[KEYS][LEN];
	static size_t len[KEYS];
	static uint64_t model[KEYS];
	static bool present[KEYS];
	struct rnd r = rnd_start("map");
	struct hp_map map = { 0 };
	size_t cnt = 0;

	(void)state;
	for (size_t i = 0; i < KEYS; i++) {
		/* The key number in the last 13 bits of a mostly constant key, so that all differ. */
		len[i] = 8 + i % 17;
		memset(key[i], 'k', LEN);
		key[i][len[i] - 1] = (uint8_t)i;
		key[i][len[i] - 2] = (uint8_t)(i >> 8);
	}
	for (int step = 0; step < 60000; step++) {
		size_t i = rnd_below(&r, KEYS);
		uint64_t v = 0;

		if (rnd_below(&r, 3) == 0) {
			model[i] = rnd_u64(&r);
			cnt += !present[i];
			present[i] = true;
			assert_int_equal(hp_map_put(&map, key[i], len[i], model[i], NULL), 0);
			assert_int_equal(map.cnt, cnt);
		} else {
			assert_int_equal(hp_map_get(&map, key[i], len[i], &v), present[i]);
			assert_true(!present[i] || v == model[i]);
		}
	}
	assert_true(map.cap >= map.cnt && (map.cap & (map.cap - 1)) == 0);
	hp_map_release(&map);
}

/* The hash key differs from map to map, so nobody can prepare names that collide. */
static void
seeds_differ(void **state)
{
	struct hp_map a = { 0 }, b = { 0 };

	(void)state;
	assert_int_equal(hp_map_put_str(&a, "x", 1, NULL), 0);
	assert_int_equal(hp_map_put_str(&b, "x", 1, NULL), 0);
	assert_true(a.seed != b.seed);
	hp_map_release(&a);
	hp_map_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_map_has_nothing),
		cmocka_unit_test(keys_are_bytes_not_strings),
		cmocka_unit_test(empty_key_without_address),
		cmocka_unit_test(agrees_with_an_array),
		cmocka_unit_test(seeds_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
