#include "base/escape.h"

#include <stdbool.h>

#include "tests/unit/unit.h"

static void
known_texts(void **state)
{
	static const struct {
		const char *in, *out;
	} t[] = {
		{ "", "" },
		{ "plain name-1_x", "plain name-1_x" },
		{ "a\\b", "a\\\\b" },
		{ "line\nbreak\r\t", "line\\x0abreak\\x0d\\x09" },
		{ "\033[31mred\033[0m", "\\x1b[31mred\\x1b[0m" },
		{ "\x7f", "\\x7f" },
		{ "Grüße €", "Grüße €" },
		{ "😀", "😀" },
		{ "\xc2\x9b" "2J", "\\xc2\\x9b2J" },                     /* CSI as a C1 control */
		{ "a\xe2\x80\xae" "b", "a\\xe2\\x80\\xaeb" },            /* U+202E right-to-left override */
		{ "a\xe2\x81\xa6" "b", "a\\xe2\\x81\\xa6b" },            /* U+2066 isolate */
		{ "a\xd8\x9c" "b", "a\\xd8\\x9cb" },                     /* U+061C Arabic letter mark */
		{ "\xe2\x80\x8b", "\\xe2\\x80\\x8b" },                   /* U+200B zero width space */
		{ "\xef\xbb\xbf", "\\xef\\xbb\\xbf" },                   /* U+FEFF */
		{ "\xef\xbf\xb9", "\\xef\\xbf\\xb9" },                   /* U+FFF9 interlinear annotation */
		{ "\xf3\xa0\x81\x81", "\\xf3\\xa0\\x81\\x81" },          /* U+E0041 invisible tag */
		{ "\xc0\x80", "\\xc0\\x80" },                            /* overlong NUL */
		{ "\xe0\x80\xaf", "\\xe0\\x80\\xaf" },                   /* overlong slash */
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },                   /* surrogate */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },          /* beyond U+10FFFF */
		{ "\xff\xfe", "\\xff\\xfe" },
		{ "\xe2\x82", "\\xe2\\x82" },                            /* cut off */
		{ "\xe2\x82" "a", "\\xe2\\x82" "a" },
	};

	(void)state;
	for (size_t i = 0; i < CNT(t); i++)
		assert_string_equal(hp_escape_str(t[i].in).text, t[i].out);
	assert_string_equal(hp_escape_str(NULL).text, "(null)");
	assert_string_equal(hp_esc("x\n"), "x\\x0a");
	assert_string_equal(hp_escape_strn("a\0b", 3).text, "a\\x00b");
	assert_string_equal(hp_escape_strn(NULL, 0).text, "");
}

static void
two_in_one_argument_list(void **state)
{
	char buf[2 * HP_ESCAPE_LEN];

	(void)state;
	(void)snprintf(buf, sizeof(buf), "%s|%s", hp_esc("a\n"), hp_esc("b\n"));
	assert_string_equal(buf, "a\\x0a|b\\x0a");
}

/* The reverse: what \xNN and \\ stand for. */
static size_t
unescape(const char *s, uint8_t *ret)
{
	size_t n = 0;

	while (*s != '\0') {
		char hex[3] = { 0 };

		if (s[0] == '\\' && s[1] == '\\') {
			ret[n++] = '\\';
			s += 2;
		} else if (s[0] == '\\') {
			assert_int_equal(s[1], 'x');
			memcpy(hex, s + 2, 2);
			ret[n++] = (uint8_t)strtoul(hex, NULL, 16);
			s += 4;
		} else {
			ret[n++] = (uint8_t)*s++;
		}
	}
	return n;
}

static bool
is_calm(const char *s)
{
	for (; *s != '\0'; s++)
		if ((uint8_t)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

static void
random_bytes_come_back_or_are_cut(void **state)
{
	struct rnd r = rnd_start("escape");

	(void)state;
	for (int i = 0; i < 50000; i++) {
		uint8_t in[300], back[HP_ESCAPE_LEN];
		size_t len = rnd_below(&r, i % 2 ? 20 : sizeof(in) + 1), n, out_len;
		struct hp_escaped e;
		bool cut;

		for (size_t k = 0; k < len; k++)
			in[k] = (uint8_t)(rnd_below(&r, 4) == 0 ? rnd_u64(&r) : 0x80 | rnd_u64(&r));
		e = hp_escape_strn((const char *)in, len);
		out_len = strlen(e.text);
		assert_true(out_len < HP_ESCAPE_LEN);
		assert_true(is_calm(e.text));
		cut = out_len >= 3 && strcmp(e.text + out_len - 3, "...") == 0 && out_len > HP_ESCAPE_LEN - 12;
		if (cut)
			e.text[out_len - 3] = '\0';
		n = unescape(e.text, back);
		assert_true(cut ? n <= len : n == len);
		assert_memory_equal(back, in, n);
	}
}

static void
length_is_bounded_at_every_edge(void **state)
{
	char in[400];

	(void)state;
	for (size_t len = HP_ESCAPE_LEN - 20; len < sizeof(in); len++) {
		static const char *const fill[] = { "a", "\\", "\n", "\xc3\xa9", "\xf0\x9f\x98\x80" };

		for (size_t f = 0; f < CNT(fill); f++) {
			struct hp_escaped e;

			for (size_t k = 0; k < len; k++)
				in[k] = fill[f][k % strlen(fill[f])];
			e = hp_escape_strn(in, len);
			assert_non_null(memchr(e.text, 0, sizeof(e.text)));
			if (len >= HP_ESCAPE_LEN)
				assert_string_equal(e.text + strlen(e.text) - 3, "...");
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_texts),
		cmocka_unit_test(two_in_one_argument_list),
		cmocka_unit_test(random_bytes_come_back_or_are_cut),
		cmocka_unit_test(length_is_bounded_at_every_edge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
