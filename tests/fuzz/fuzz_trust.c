/* Fuzz target: key policies and rotation statements. What is accepted must come back the same when it is written and read
 * again. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "signer/policy.h"
#include "signer/rotate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
rotation(struct hp_view data)
{
	static const struct hp_pubkey nobody;
	uint8_t again[HP_ROTATION_LEN];
	struct hp_rotation rot;

	if (hp_rotation_read(data, &rot, NULL) < 0)
		return;
	hp_rotation_write(&rot, again);
	if (data.len != sizeof(again) || memcmp(again, data.p, sizeof(again)) != 0 || hp_rotation_check(&rot, &nobody, NULL) == 0)
		abort();
}

static void
policy(struct hp_view data)
{
	HP_AUTO(hp_arena) struct hp_arena arena = { 0 };
	HP_AUTO(hp_buf) struct hp_buf first = { 0 }, second = { 0 };
	struct hp_policy p;

	if (hp_policy_read(data, &arena, &p, NULL) < 0)
		return;
	if (hp_policy_write(&p, &first, NULL) < 0 || hp_policy_read(hp_buf_view(&first), &arena, &p, NULL) < 0 ||
	    hp_policy_write(&p, &second, NULL) < 0 || !hp_view_eq(hp_buf_view(&first), hp_buf_view(&second)))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	rotation(hp_view_of(data, len));
	policy(hp_view_of(data, len));
	return 0;
}
