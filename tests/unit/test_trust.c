/* Times, policies, rotation statements, states of keys. */
#include "tests/unit/unit.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "signer/rotate.h"
#include "signer/keyring.h"
#include "signer/verify.h"

static void
test_time(void **state)
{
	static const char *const bad[] = { "",
		                           "2026",
		                           "2026-02-29",
		                           "2026-1-01",
		                           "2026-01-01T",
		                           "2026-01-01T24:00:00Z",
		                           "2026-01-01T00:00:00",
		                           "2026-01-01T00:00:00z",
		                           " 2026-01-01",
		                           "2026-01-01 ",
		                           "1969-12-31",
		                           "2026-01-01T00:00:00ZZ" };
	char text[HP_TIME_TEXT];
	uint64_t t;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(hp_time_parse(bad[i], &t));
	assert_true(hp_time_parse("1970-01-01", &t));
	assert_int_equal(t, 0);
	assert_true(hp_time_parse("2024-02-29T23:59:59Z", &t));
	assert_int_equal(t, 1709251199);
	hp_time_text(t, text);
	assert_string_equal(text, "2024-02-29T23:59:59Z");
	hp_time_text(UINT64_MAX, text);
	assert_string_equal(text, "?");
}

static int
read_policy(const char *text, struct hp_policy *ret)
{
	static struct hp_arena arena; /* freed by the caller's next call */

	hp_arena_release(&arena);
	return hp_policy_read(hp_view_of(text, strlen(text)), &arena, ret, NULL);
}

static void
test_policy_text(void **state)
{
	static const char *const bad[] = { "name",
		                           "name ",
		                           "name  x",
		                           "Name x",
		                           "name x\r",
		                           "name\tx",
		                           "baseline 12",
		                           "baseline XX11223344556677",
		                           "not-before x",
		                           "not-before 2026-01-01\nnot-before 2026-01-01",
		                           "introduced-by 12",
		                           " name x",
		                           "not-before 2026-01-01\nnot-after 2026-01-01",
		                           "not-after 1970-01-01",
		                           "introduced-by 0123456789abcdef\nintroduced-by 0123456789abcdef" };
	HP_AUTO(hp_buf) struct hp_buf again = { 0 };
	struct hp_policy p;
	const char *full = "not-before 2026-01-01T00:00:00Z\nnot-after 2027-01-01T00:00:00Z\nname fix-*\nname a b\n"
	                   "baseline 0011223344556677\nintroduced-by 0123456789ABCDEF\n";

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(read_policy(bad[i], &p), HP_E_FORMAT);
	assert_int_equal(read_policy("# nothing\n\n", &p), 0);
	assert_true(hp_policy_empty(&p));
	assert_int_equal(read_policy("", &p), 0);
	assert_int_equal(read_policy(full, &p), 0);
	assert_false(hp_policy_empty(&p));
	assert_int_equal(p.names_cnt, 2);
	assert_string_equal(p.names[1], "a b");
	assert_int_equal(hp_policy_write(&p, &again, NULL), 0);
	assert_int_equal(again.len, strlen(full));
	assert_memory_equal(again.p, full, again.len);
	p.names[0] = "x\nname *";
	assert_int_equal(hp_policy_write(&p, &again, NULL), HP_E_FORMAT);
	(void)read_policy("", &p);
}

static void
test_rotation(void **state)
{
	HP_AUTO(hp_seckey) struct hp_seckey *old_key = NULL, *new_key = NULL;
	uint8_t bytes[HP_ROTATION_LEN + 1] = { 0 };
	struct hp_rotation rot, back;
	struct hp_pubkey old_pub;

	(void)state;
	assert_int_equal(hp_seckey_generate(&old_key, NULL), 0);
	assert_int_equal(hp_seckey_generate(&new_key, NULL), 0);
	hp_seckey_public(old_key, &old_pub);
	hp_rotation_make(old_key, new_key, 5, 9, &rot);
	hp_rotation_write(&rot, bytes);
	assert_int_equal(hp_rotation_read(hp_view_of(bytes, HP_ROTATION_LEN), &back, NULL), 0);
	assert_int_equal(back.not_before, 5);
	assert_int_equal(back.retire, 9);
	assert_int_equal(hp_rotation_check(&back, &old_pub, NULL), 0);
	assert_int_equal(hp_rotation_check(&back, &back.next, NULL), HP_E_SIG);
	for (size_t len = 0; len <= sizeof(bytes); len++)
		if (len != HP_ROTATION_LEN)
			assert_int_equal(hp_rotation_read(hp_view_of(bytes, len), &back, NULL), HP_E_FORMAT);
	for (size_t bit = 0; bit < 8 * HP_ROTATION_LEN; bit++) {
		int r;

		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		r = hp_rotation_read(hp_view_of(bytes, HP_ROTATION_LEN), &back, NULL);
		if (r == 0)
			r = hp_rotation_check(&back, &old_pub, NULL);
		assert_true(r == HP_E_FORMAT || r == HP_E_SIG);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	hp_rotation_make(old_key, old_key, 0, 0, &rot);
	hp_rotation_write(&rot, bytes);
	assert_int_equal(hp_rotation_read(hp_view_of(bytes, HP_ROTATION_LEN), &back, NULL), HP_E_FORMAT);
}

static void
test_states(void **state)
{
	HP_AUTO(hp_trust) struct hp_trust trust = { 0 };
	struct hp_pubkey a = { .key_id = { 1 }, .pk = { 1 } }, b = { .key_id = { 2 }, .pk = { 2 } };

	(void)state;
	assert_int_equal(hp_trust_add_key(&trust, &a, NULL), 0);
	assert_int_equal(hp_trust_add_key(&trust, &b, NULL), 0);
	assert_int_equal(hp_trust_state(&trust, &trust.keys[0], 100), HP_KEY_GOOD);
	trust.keys[0].policy.not_before = 100;
	trust.keys[0].policy.not_after = 200;
	assert_int_equal(hp_trust_state(&trust, &trust.keys[0], 99), HP_KEY_EARLY);
	assert_int_equal(hp_trust_state(&trust, &trust.keys[0], 100), HP_KEY_GOOD);
	assert_int_equal(hp_trust_state(&trust, &trust.keys[0], 199), HP_KEY_GOOD);
	assert_int_equal(hp_trust_state(&trust, &trust.keys[0], 200), HP_KEY_LATE);
	/* Two keys that introduce each other, which only damage can make: an answer, not a loop. */
	trust.keys[0].policy.introduced = trust.keys[1].policy.introduced = true;
	trust.keys[0].policy.introduced_by[0] = 2;
	trust.keys[1].policy.introduced_by[0] = 1;
	assert_int_equal(hp_trust_state(&trust, &trust.keys[1], 0), HP_KEY_GOOD);
	trust.keys[0].policy.introduced_by[0] = 3;
	trust.revoked = calloc(1, sizeof(*trust.revoked));
	assert_non_null(trust.revoked);
	trust.revoked[0].key_id[0] = 3;
	trust.revoked_cnt = trust.revoked_cap = 1;
	assert_int_equal(hp_trust_state(&trust, &trust.keys[1], 0), HP_KEY_REVOKED); /* through two steps */
	assert_null(hp_trust_revoked(&trust, a.key_id));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_policy_text),
		cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_states),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
