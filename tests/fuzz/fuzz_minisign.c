/* Fuzz target: minisign's text files. The first byte chooses the kind; what is accepted must come back the same when it is
 * written and read again. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "formats/minisign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
must(int r)
{
	if (r < 0)
		abort();
}

static void
pub(struct hp_view text)
{
	HP_AUTO(hp_buf) struct hp_buf again = { 0 };
	struct hp_pubkey a, b;

	if (hp_minisign_read_pub(text, &a, NULL) < 0)
		return;
	must(hp_minisign_write_pub(&a, &again, NULL));
	must(hp_minisign_read_pub(hp_buf_view(&again), &b, NULL));
	if (memcmp(a.key_id, b.key_id, sizeof(a.key_id)) != 0 || memcmp(a.pk, b.pk, sizeof(a.pk)) != 0)
		abort();
}

static void
sec(struct hp_view text)
{
	struct hp_seckey_file a, b;
	char again[HP_SECKEY_TEXT_MAX];
	size_t len;

	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	if (hp_minisign_read_sec(text, &a, NULL) < 0)
		return;
	len = hp_minisign_write_sec(&a, again);
	must(hp_minisign_read_sec(hp_view_of(again, len), &b, NULL));
	if (a.encrypted != b.encrypted || a.opslimit != b.opslimit || a.memlimit != b.memlimit ||
	    memcmp(a.salt, b.salt, sizeof(a.salt)) != 0 || memcmp(a.box, b.box, sizeof(a.box)) != 0)
		abort();
}

static void
sig(struct hp_view text)
{
	HP_AUTO(hp_buf) struct hp_buf again = { 0 };
	struct hp_minisig a, b;

	if (hp_minisign_read_sig(text, &a, NULL) < 0)
		return;
	must(hp_minisign_write_sig(&a, &again, NULL));
	must(hp_minisign_read_sig(hp_buf_view(&again), &b, NULL));
	if (memcmp(&a.rec, &b.rec, sizeof(a.rec)) != 0 || strcmp(a.trusted_comment, b.trusted_comment) != 0 ||
	    memcmp(a.global_sig, b.global_sig, sizeof(a.global_sig)) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct hp_view text;

	if (len == 0)
		return 0;
	text = hp_view_of(data + 1, len - 1);
	switch (data[0]) {
	case 'p':
		pub(text);
		break;
	case 's':
		sec(text);
		break;
	default:
		sig(text);
		break;
	}
	return 0;
}
