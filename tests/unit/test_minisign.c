#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "formats/minisign.h"

/* Made by minisign 0.11: a key pair with -W, and a signature over "hello\n". */
static const char pub_text[] = "untrusted comment: minisign public key A4429FF0E7E13DF4\n"
			       "RWT0PeHn8J9CpIAhhlXudjlJhwCYAcI0oEGrEpZ3h4AL2uAwx6m46Cmo\n";
static const char sec_text[] =
	"untrusted comment: minisign encrypted secret key\n"
	"RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA9D3h5/CfQqSdtvkLsdgjGW2CmPhX0Aw+lqp8NT5mv06fFF"
	"C6aCVbBYAhhlXudjlJhwCYAcI0oEGrEpZ3h4AL2uAwx6m46CmoAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";

static int
read_pub(const char *text, size_t len)
{
	struct hp_pubkey key;

	return hp_minisign_read_pub(hp_view_of(text, len), &key, NULL);
}

static void
test_pub(void **state)
{
	HP_AUTO(hp_buf) struct hp_buf again = { 0 };
	struct hp_pubkey key;
	char id[17];

	(void)state;
	assert_int_equal(hp_minisign_read_pub(hp_view_of(pub_text, strlen(pub_text)), &key, NULL), 0);
	hp_key_id_text(key.key_id, id);
	assert_string_equal(id, "A4429FF0E7E13DF4");
	assert_int_equal(key.pk[0], 0x80);
	assert_int_equal(key.pk[31], 0xa8);
	assert_int_equal(hp_minisign_write_pub(&key, &again, NULL), 0);
	assert_int_equal(again.len, strlen(pub_text));
	assert_memory_equal(again.p, pub_text, again.len);
}

static void
test_pub_bad(void **state)
{
	HP_AUTO(hp_buf) struct hp_buf text = { 0 };

	(void)state;
	assert_int_equal(read_pub(pub_text, strlen(pub_text) - 1), 0); /* no final newline */
	for (size_t len = 0; len < strlen(pub_text) - 1; len++)
		assert_int_equal(read_pub(pub_text, len), HP_E_FORMAT);
	assert_int_equal(read_pub(pub_text, sizeof(pub_text)), HP_E_FORMAT); /* a zero byte behind */
	assert_int_equal(hp_buf_add(&text, pub_text, strlen(pub_text), NULL), 0);
	assert_int_equal(hp_buf_add(&text, "\n", 1, NULL), 0);
	assert_int_equal(read_pub((const char *)text.p, text.len), HP_E_FORMAT);
	text.len--;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t old = text.p[i];

		for (int c = 0; c < 256; c++) {
			text.p[i] = (uint8_t)c;
			(void)read_pub((const char *)text.p, text.len); /* no crash */
		}
		text.p[i] = '\n';
		if (old != '\n' && i > 18)
			assert_int_equal(read_pub((const char *)text.p, text.len), HP_E_FORMAT);
		text.p[i] = old;
	}
	text.p[57] = 'E'; /* the algorithm's first letter becomes another */
	assert_int_equal(read_pub((const char *)text.p, text.len), HP_E_FORMAT);
}

static void
test_sec(void **state)
{
	char again[HP_SECKEY_TEXT_MAX];
	struct hp_seckey_file key;
	size_t len;

	(void)state;
	assert_int_equal(hp_minisign_read_sec(hp_view_of(sec_text, strlen(sec_text)), &key, NULL), 0);
	assert_false(key.encrypted);
	assert_int_equal(key.box[0], 0xf4); /* the key id */
	assert_int_equal(key.box[8], 0x9d);
	len = hp_minisign_write_sec(&key, again);
	assert_int_equal(hp_minisign_read_sec(hp_view_of(again, len), &key, NULL), 0);
	assert_memory_equal(strchr(again, '\n'), strchr(sec_text, '\n'), strlen(strchr(sec_text, '\n')));
	for (size_t i = 0; i < strlen(sec_text) - 1; i++)
		assert_int_equal(hp_minisign_read_sec(hp_view_of(sec_text, i), &key, NULL), HP_E_FORMAT);
}

static void
make_sig(struct hp_minisig *sig)
{
	*sig = (struct hp_minisig){ .rec = { .key_id = { 1, 2, 3, 4, 5, 6, 7, 8 } } };
	memset(sig->rec.sig, 0x5a, HP_SIG_LEN);
	memset(sig->global_sig, 0xa5, HP_SIG_LEN);
	memcpy(sig->trusted_comment, "timestamp:1", 12);
}

static void
test_sig(void **state)
{
	HP_AUTO(hp_buf) struct hp_buf text = { 0 };
	struct hp_minisig sig, again;
	uint8_t *line;

	(void)state;
	make_sig(&sig);
	assert_int_equal(hp_minisign_write_sig(&sig, &text, NULL), 0);
	assert_int_equal(hp_minisign_read_sig(hp_buf_view(&text), &again, NULL), 0);
	assert_memory_equal(&again, &sig, sizeof(sig));
	for (size_t len = 0; len + 1 < text.len; len++)
		assert_int_equal(hp_minisign_read_sig(hp_view_of(text.p, len), &again, NULL), HP_E_FORMAT);
	line = memchr(text.p, '\n', text.len);
	assert_memory_equal(line + 1, "RU", 2); /* base64 of "ED" */
	line[2] = 'W';                          /* "Ed": legacy */
	assert_int_equal(hp_minisign_read_sig(hp_buf_view(&text), &again, NULL), HP_E_FORMAT);
}

static void
test_comments(void **state)
{
	HP_AUTO(hp_buf) struct hp_buf text = { 0 };
	struct hp_minisig sig, again;

	(void)state;
	make_sig(&sig);
	memset(sig.trusted_comment, 'x', HP_MINISIGN_COMMENT_MAX);
	assert_int_equal(hp_minisign_write_sig(&sig, &text, NULL), 0);
	assert_int_equal(hp_minisign_read_sig(hp_buf_view(&text), &again, NULL), 0);
	assert_int_equal(strlen(again.trusted_comment), HP_MINISIGN_COMMENT_MAX);
	sig.trusted_comment[5] = '\n';
	assert_int_equal(hp_minisign_write_sig(&sig, &text, NULL), HP_E_USAGE);
	sig.trusted_comment[0] = '\0';
	text.len = 0;
	assert_int_equal(hp_minisign_write_sig(&sig, &text, NULL), 0);
	assert_int_equal(hp_minisign_read_sig(hp_buf_view(&text), &again, NULL), 0);
	assert_string_equal(again.trusted_comment, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pub), cmocka_unit_test(test_pub_bad),  cmocka_unit_test(test_sec),
		cmocka_unit_test(test_sig), cmocka_unit_test(test_comments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
