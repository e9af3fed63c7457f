#include "base/arena.h"

#include <stdalign.h>

#include "tests/unit/unit.h"

static void
release_all(struct hp_arena *arena)
{
	hp_arena_release(arena);
	assert_null(arena->head);
	assert_int_equal(arena->total_len, 0);
	hp_arena_release(arena); /* again: no harm */
}

static void
blocks_are_zeroed_aligned_and_disjoint(void **state)
{
	struct rnd r = rnd_start("arena");
	struct hp_arena arena = { 0 };
	enum { N = 3000 };
	static struct {
		uint8_t *p;
		size_t len;
	} b[N];

	(void)state;
	hp_arena_init(&arena);
	for (size_t i = 0; i < N; i++) {
		b[i].len = rnd_below(&r, 50) == 0 ? rnd_below(&r, 200000) : rnd_below(&r, 300);
		b[i].p = hp_arena_alloc(&arena, b[i].len);
		assert_non_null(b[i].p);
		assert_int_equal((uintptr_t)b[i].p % alignof(max_align_t), 0);
		for (size_t k = 0; k < b[i].len; k++)
			assert_int_equal(b[i].p[k], 0);
		memset(b[i].p, (int)(i % 255 + 1), b[i].len);
	}
	for (size_t i = 0; i < N; i++)
		for (size_t k = 0; k < b[i].len; k++)
			assert_int_equal(b[i].p[k], i % 255 + 1);
	assert_true(arena.total_len > 0);
	release_all(&arena);
}

/* A big block must not throw away the rest of the chunk that is being filled. */
static void
big_blocks_do_not_waste(void **state)
{
	struct hp_arena arena = { 0 };
	char *small, *after;

	(void)state;
	small = hp_arena_alloc(&arena, 16);
	assert_non_null(hp_arena_alloc(&arena, 1 << 20));
	after = hp_arena_alloc(&arena, 16);
	assert_ptr_equal(after, small + 16);
	release_all(&arena);
}

static void
impossible_sizes_fail_and_leave_the_arena_usable(void **state)
{
	static const size_t sizes[] = { SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 15, SIZE_MAX - 64, SIZE_MAX / 2 };
	struct hp_arena arena = { 0 };
	volatile size_t len; /* keeps the compiler from seeing the size */

	(void)state;
	for (size_t i = 0; i < CNT(sizes); i++) {
		len = sizes[i];
		assert_null(hp_arena_alloc(&arena, len));
		assert_null(hp_arena_strndup(&arena, "x", len));
	}
	len = SIZE_MAX / 2;
	assert_null(hp_arena_array(&arena, len, 3));
	assert_null(hp_arena_array(&arena, (size_t)1 << 33, (size_t)1 << 33));
	assert_int_equal(arena.total_len, 0);
	assert_non_null(hp_arena_alloc(&arena, 8));
	release_all(&arena);
}

static void
empty_blocks_are_valid_and_distinct(void **state)
{
	struct hp_arena arena = { 0 };
	void *a = hp_arena_alloc(&arena, 0), *b = hp_arena_array(&arena, 0, 100), *c = hp_arena_array(&arena, 100, 0);

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	assert_non_null(c);
	assert_ptr_not_equal(a, b);
	assert_ptr_not_equal(b, c);
	release_all(&arena);
}

static void
strings_are_terminated_copies(void **state)
{
	struct hp_arena arena = { 0 };
	char longer[70000];
	char *s;

	(void)state;
	s = hp_arena_strndup(&arena, "a\0b", 3);
	assert_memory_equal(s, "a\0b\0", 4);
	assert_string_equal(hp_arena_strndup(&arena, "abc", 2), "ab");
	assert_string_equal(hp_arena_strndup(&arena, NULL, 0), "");
	assert_string_equal(hp_arena_strdup(&arena, ""), "");
	assert_string_equal(hp_arena_strdup(&arena, "name"), "name");
	assert_string_equal(hp_arena_printf(&arena, "%s:%d", "a.c", 12), "a.c:12");
	assert_string_equal(hp_arena_printf(&arena, "%s", ""), "");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_string_equal(hp_arena_printf(&arena, "%s", longer), longer);
	release_all(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_are_zeroed_aligned_and_disjoint),
		cmocka_unit_test(big_blocks_do_not_waste),
		cmocka_unit_test(impossible_sizes_fail_and_leave_the_arena_usable),
		cmocka_unit_test(empty_blocks_are_valid_and_distinct),
		cmocka_unit_test(strings_are_terminated_copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
