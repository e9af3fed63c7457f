#include "signer/rotate.h"

#include <sodium.h>
#include <string.h>

#include "formats/hash.h"

static void
sum_of(const struct hp_rotation *rot, size_t len, uint8_t *ret)
{
	uint8_t bytes[HP_ROTATION_LEN];

	hp_rotation_write(rot, bytes);
	hp_hash_512(hp_view_of(bytes, len), ret);
}

void
hp_rotation_make(const struct hp_seckey *old_key, const struct hp_seckey *new_key, uint64_t not_before, uint64_t retire,
                 struct hp_rotation *ret)
{
	struct hp_rotation rot = { .not_before = not_before, .retire = retire };
	uint8_t sum[64];

	memcpy(rot.old_id, old_key->key_id, sizeof(rot.old_id));
	hp_seckey_public(new_key, &rot.next);
	sum_of(&rot, HP_ROTATION_OLD_LEN, sum);
	(void)crypto_sign_detached(rot.old_sig, NULL, sum, sizeof(sum), old_key->sk);
	sum_of(&rot, HP_ROTATION_NEW_LEN, sum);
	(void)crypto_sign_detached(rot.new_sig, NULL, sum, sizeof(sum), new_key->sk);
	*ret = rot;
}

int
hp_rotation_check(const struct hp_rotation *rot, const struct hp_pubkey *old_key, struct hp_err *err)
{
	uint8_t sum[64];

	if (memcmp(rot->old_id, old_key->key_id, sizeof(rot->old_id)) != 0)
		return hp_err_set(err, HP_E_SIG, "the rotation statement is of another key");
	sum_of(rot, HP_ROTATION_OLD_LEN, sum);
	if (crypto_sign_verify_detached(rot->old_sig, sum, sizeof(sum), old_key->pk) != 0)
		return hp_err_set(err, HP_E_SIG, "rotation statement: wrong signature of the old key");
	sum_of(rot, HP_ROTATION_NEW_LEN, sum);
	if (crypto_sign_verify_detached(rot->new_sig, sum, sizeof(sum), rot->next.pk) != 0)
		return hp_err_set(err, HP_E_SIG, "rotation statement: wrong signature of the new key");
	return 0;
}
