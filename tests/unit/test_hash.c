/* BLAKE2b and the text forms of bytes, against published values. */
#include "formats/hash.h"
#include "tests/unit/unit.h"

static void
test_blake2b(void **state)
{
	uint8_t d[64];
	char hex[129];

	(void)state;
	hp_hash_512(hp_view_of("abc", 3), d); /* RFC 7693 appendix A */
	hp_hex(d, 64, hex);
	assert_string_equal(hex, "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
	                         "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
	hp_hash_256(hp_view_of("", 0), d); /* b2sum -l 256 of nothing */
	hp_hex(d, 32, hex);
	assert_string_equal(hex, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
}

static void
test_hex(void **state)
{
	const uint8_t bytes[] = { 0, 0x7f, 0xff };
	char hex[7];

	(void)state;
	hp_hex(bytes, 3, hex);
	assert_string_equal(hex, "007fff");
	hp_hex(bytes, 0, hex);
	assert_string_equal(hex, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blake2b),
		cmocka_unit_test(test_hex),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
