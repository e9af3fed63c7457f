/* Records of a process, which may be forged, and the choice of a place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/mman.h>
#include <unistd.h>

#include "applier/arch.h"
#include "applier/place.h"
#include "applier/record.h"
#include "base/cleanup.h"

static struct hp_rec_target targets[2] = { { 0x400000, 0x7000000, 0x3000, 0x7100080 },
	                                       { 0x7f0000000000, 0x7e0000000000, 0x1000, 0 } };
static struct hp_rec_entry entries[3] = {
	{ 0x401000, 0, 0, { 1 }, { 2 } }, { 0x402000, 0, 1, { 3 }, { 4 } }, { 0x7f0000001000, 1, 0, { 5 }, { 6 } },
};

static struct hp_rec_var vars[2] = { { 0x7000010, 0, 0 }, { 0x6000020, 1, 3 } };

static void
write_sample(struct hp_buf *buf)
{
	struct hp_rec rec = { .vars = vars,
		              .vars_cnt = 2,
		              .state = HP_REC_APPLIED,
		              .order = 3,
		              .time = 9,
		              .targets = targets,
		              .targets_cnt = 2,
		              .entries = entries,
		              .entries_cnt = 3,
		              .package = hp_view_of("package", 7) };

	memset(rec.id, 0xab, sizeof(rec.id));
	assert_int_equal(hp_rec_write(&rec, buf, NULL), 0);
	assert_int_equal(buf->len, hp_rec_len(&rec));
}

static void
test_round_trip(void **state)
{
	struct hp_arena arena = { 0 };
	struct hp_buf buf = { 0 };
	struct hp_rec rec;

	(void)state;
	write_sample(&buf);
	assert_int_equal(hp_rec_read(hp_buf_view(&buf), &arena, &rec, NULL), 0);
	assert_int_equal(rec.state, HP_REC_APPLIED);
	assert_int_equal(rec.order, 3);
	assert_int_equal(rec.targets[1].payload_va, 0x7e0000000000);
	assert_int_equal(rec.entries_cnt, 3);
	assert_int_equal(rec.entries[2].after[0], 6);
	assert_int_equal(rec.vars_cnt, 2);
	assert_int_equal(rec.vars[1].va, 0x6000020);
	assert_int_equal(rec.vars[1].var, 3);
	assert_int_equal(rec.package.len, 7);
	assert_memory_equal(rec.package.p, "package", 7);
	assert_string_equal(hp_rec_state_name(HP_REC_SWITCHING), "interrupted");
	hp_arena_release(&arena);
	hp_buf_release(&buf);
}

/* What an earlier hpbuild left in a process: no variables, a shorter header. */
static void
test_version_1(void **state)
{
	struct hp_rec old = { .version = 1, .state = HP_REC_APPLIED, .targets = targets, .targets_cnt = 2, .entries = entries,
		              .entries_cnt = 3, .package = hp_view_of("package", 7) };
	struct hp_arena arena = { 0 };
	struct hp_buf buf = { 0 };
	struct hp_rec rec;

	(void)state;
	assert_int_equal(hp_rec_write(&old, &buf, NULL), 0);
	assert_int_equal(buf.len, 80 + 2 * 32 + 3 * 40 + 7);
	assert_int_equal(hp_le64_get(buf.p + 80), 0x400000); /* the first target follows */
	assert_int_equal(hp_rec_read(hp_buf_view(&buf), &arena, &rec, NULL), 0);
	assert_int_equal(rec.version, 1);
	assert_int_equal(rec.vars_cnt, 0);
	assert_int_equal(rec.entries[2].after[0], 6);
	buf.p[8] = 3;
	assert_int_equal(hp_rec_read(hp_buf_view(&buf), &arena, &rec, NULL), HP_E_FORMAT);
	hp_arena_release(&arena);
	hp_buf_release(&buf);
}

/* Every truncation is refused; whatever flipped bytes are accepted stays inside the bytes and the limits. */
static void
test_hostile(void **state)
{
	struct hp_arena arena = { 0 };
	struct hp_buf buf = { 0 };
	struct hp_rec rec;

	(void)state;
	write_sample(&buf);
	for (size_t len = 0; len < buf.len; len++)
		assert_int_equal(hp_rec_read(hp_view_of(buf.p, len), &arena, &rec, NULL), HP_E_FORMAT);
	for (size_t bit = 0; bit < 8 * buf.len; bit++) {
		buf.p[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		if (hp_rec_read(hp_buf_view(&buf), &arena, &rec, NULL) == 0) {
			assert_true(rec.package.p >= buf.p && rec.package.p + rec.package.len == buf.p + buf.len);
			for (uint32_t i = 0; i < rec.entries_cnt; i++)
				assert_true(rec.entries[i].target < rec.targets_cnt);
			for (uint32_t i = 0; i < rec.vars_cnt; i++)
				assert_true(rec.vars[i].target < rec.targets_cnt);
		}
		buf.p[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	hp_arena_release(&arena);
	hp_buf_release(&buf);
}

static void
test_window(void **state)
{
	struct hp_window w = hp_window_all();

	(void)state;
	hp_window_pc32(&w, 0x1000, 0x7f0000000000);
	assert_true(w.lo == 0x7f0000000000 - 0x1000 - INT32_MAX);
	assert_true(w.hi == (int64_t)HP_ARCH_VA_END || w.hi == 0x7f0000000000 - 0x1000 + 0x80000000ll);
	w = hp_window_all();
	hp_window_abs(&w, 0x1000, 0, UINT32_MAX);
	assert_true(w.hi == UINT32_MAX - 0x1000ll);
	hp_window_pc32(&w, 0, 0x7f0000000000);
	assert_true(w.lo > w.hi);
	w = hp_window_all();
	hp_window_pc32(&w, UINT64_MAX, (uint64_t)INT64_MIN); /* far outside: empty, no overflow */
	assert_true(w.lo > w.hi);
	w = hp_window_all();
	hp_window_abs(&w, INT64_MIN, INT64_MIN, INT64_MAX);
	assert_true(w.lo <= w.hi);
}

static void
test_place(void **state)
{
	struct hp_area v[] = {
		{ .start = 0x400000, .end = 0x500000, .path = "/bin/x" },
		{ .start = 0x600000, .end = 0x700000, .path = "[heap]" },
		{ .start = 0x7ffff0000000, .end = 0x7ffff0100000, .path = "/lib/y" },
		{ .start = 0x7fffffe00000, .end = 0x7fffffeff000, .path = "[stack]" },
	};
	const struct hp_areas areas = { v, 4 };
	struct hp_window w = hp_window_all();
	uint64_t va, next;

	(void)state;
	assert_true(hp_place_find(&areas, 0x2000, w, 0x400000, 0, &va));
	assert_int_equal(va, 0x400000 - 0x2000); /* right below the program */
	assert_true(hp_place_find(&areas, 0x2000, w, 0x400000, 1, &next));
	assert_int_not_equal(next, va);
	assert_true(hp_place_find(&areas, 0x500000, w, 0x400000, 0, &va)); /* too large for that gap */
	assert_true(va >= 0x700000 + ((uint64_t)256 << 20));              /* and the heap keeps its room */
	w.hi = 0x600000;
	assert_false(hp_place_find(&areas, 0x500000, w, 0x400000, 0, &va));
	w.lo = 0x700000;
	assert_false(hp_place_find(&areas, 0x1000, w, 0x400000, 0, &va));
	w = hp_window_all();
	w.lo = 0x7ffff0000000;
	assert_true(hp_place_find(&areas, 0x1000, w, 0x7ffff0000000, 0, &va));
	assert_true(va >= 0x7ffff0100000 && va + 0x1000 <= 0x7fffffe00000);
	assert_false(hp_place_find(&areas, UINT64_MAX - 0xfff, hp_window_all(), 0, 0, &va));
	assert_true(hp_place_find(&(struct hp_areas){ v, 0 }, 0x1000, hp_window_all(), 0x400000, 0, &va));
}

static void
test_areas(void **state)
{
	struct hp_area v[] = { { .start = 0x1000, .end = 0x2000, .prot = 5 }, { .start = 0x2000, .end = 0x3000, .prot = 1 } };
	const struct hp_areas areas = { v, 2 };

	(void)state;
	assert_null(hp_area_at(&areas, 0xfff));
	assert_ptr_equal(hp_area_at(&areas, 0x1fff), &v[0]);
	assert_ptr_equal(hp_area_at(&areas, 0x2000), &v[1]);
	assert_null(hp_area_at(&areas, 0x3000));
	assert_true(hp_areas_cover(&areas, 0x1800, 0x1000, 1));
	assert_false(hp_areas_cover(&areas, 0x1800, 0x1000, 4));
	assert_false(hp_areas_cover(&areas, 0x2800, 0x1000, 1));
	assert_false(hp_areas_cover(&areas, 0x2800, UINT64_MAX, 1));
}

static void
test_jump(void **state)
{
	uint8_t b[HP_ARCH_JUMP_LEN];
	int64_t lo, hi;

	(void)state;
	assert_true(hp_arch_jump(0x1000, 0x2000, b));
	assert_int_equal(b[0], 0xe9);
	assert_int_equal(hp_le32_get(b + 1), 0xffb);
	hp_arch_jump_reach(UINT64_C(0x7f0000000000), &lo, &hi);
	assert_true(hp_arch_jump(UINT64_C(0x7f0000000000), (uint64_t)lo, b));
	assert_false(hp_arch_jump(UINT64_C(0x7f0000000000), (uint64_t)lo - 1, b));
	assert_true(hp_arch_jump(UINT64_C(0x7f0000000000), (uint64_t)hi, b));
	assert_false(hp_arch_jump(UINT64_C(0x7f0000000000), (uint64_t)hi + 1, b));
}

/* One small file, mapped more often than anybody applies packages. */
static void
test_many(void **state)
{
	enum { MANY = 4200, MOST = 4096 };
	static void *maps[MANY];
	HP_AUTO(hp_proc) struct hp_proc proc = HP_PROC_INIT;
	struct hp_arena arena = { 0 };
	struct hp_buf buf = { 0 };
	struct hp_areas areas;
	struct hp_recs recs;
	int fd = memfd_create("hpbuild:abababababababababababababababab", MFD_CLOEXEC);

	(void)state;
	write_sample(&buf);
	assert_int_equal(write(fd, buf.p, buf.len), buf.len);
	for (unsigned i = 0; i < MANY; i++) {
		maps[i] = mmap(NULL, buf.len, PROT_READ, MAP_PRIVATE, fd, 0);
		assert_true(maps[i] != MAP_FAILED);
	}
	(void)close(fd);
	if (hp_proc_open(getpid(), &proc, NULL) < 0)
		skip();
	assert_int_equal(hp_proc_maps(&proc, &arena, &areas, NULL), 0);
	assert_int_equal(hp_recs_read(&proc, &areas, &arena, &recs, NULL), 0);
	assert_int_equal(recs.cnt, MOST);
	assert_int_equal(recs.bad_cnt, MANY - MOST);
	for (unsigned i = 0; i < MANY; i++)
		(void)munmap(maps[i], buf.len);
	hp_arena_release(&arena);
	hp_buf_release(&buf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_version_1), cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_window),     cmocka_unit_test(test_place),     cmocka_unit_test(test_areas),
		cmocka_unit_test(test_jump),       cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
