#include "formats/rotation.h"

#include <string.h>

#include "base/le.h"

int
hp_rotation_read(struct hp_view data, struct hp_rotation *ret, struct hp_err *err)
{
	const uint8_t *p = data.p;
	struct hp_rotation rot;

	if (data.len < 8 || memcmp(p, HP_ROTATION_MAGIC, 8) != 0)
		return hp_err_set(err, HP_E_FORMAT, "not a rotation statement (no magic)");
	if (data.len != HP_ROTATION_LEN)
		return hp_err_set(err, HP_E_FORMAT, "rotation statement of %zu bytes, expected %u", data.len, HP_ROTATION_LEN);
	if (hp_le32_get(p + 8) != HP_ROTATION_VERSION)
		return hp_err_set(err, HP_E_FORMAT, "rotation statement version %u, this program reads version %u",
		                  hp_le32_get(p + 8), HP_ROTATION_VERSION);
	if (hp_le32_get(p + 12) != 0)
		return hp_err_set(err, HP_E_FORMAT, "rotation statement: reserved bytes are not zero");
	memcpy(rot.old_id, p + 16, sizeof(rot.old_id));
	memcpy(rot.next.key_id, p + 24, sizeof(rot.next.key_id));
	memcpy(rot.next.pk, p + 32, sizeof(rot.next.pk));
	rot.not_before = hp_le64_get(p + 64);
	rot.retire = hp_le64_get(p + 72);
	memcpy(rot.old_sig, p + HP_ROTATION_OLD_LEN, HP_SIG_LEN);
	memcpy(rot.new_sig, p + HP_ROTATION_NEW_LEN, HP_SIG_LEN);
	if (memcmp(rot.old_id, rot.next.key_id, sizeof(rot.old_id)) == 0)
		return hp_err_set(err, HP_E_FORMAT, "rotation statement: the new key has the id of the old one");
	*ret = rot;
	return 0;
}

void
hp_rotation_write(const struct hp_rotation *rot, uint8_t *ret)
{
	memcpy(ret, HP_ROTATION_MAGIC, 8);
	hp_le32_put(ret + 8, HP_ROTATION_VERSION);
	hp_le32_put(ret + 12, 0);
	memcpy(ret + 16, rot->old_id, sizeof(rot->old_id));
	memcpy(ret + 24, rot->next.key_id, sizeof(rot->next.key_id));
	memcpy(ret + 32, rot->next.pk, sizeof(rot->next.pk));
	hp_le64_put(ret + 64, rot->not_before);
	hp_le64_put(ret + 72, rot->retire);
	memcpy(ret + HP_ROTATION_OLD_LEN, rot->old_sig, HP_SIG_LEN);
	memcpy(ret + HP_ROTATION_NEW_LEN, rot->new_sig, HP_SIG_LEN);
}
