#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "signer/keys.h"
#include "signer/sign.h"
#include "signer/verify.h"
#include "tests/lib/sample_pkg.h"

#define KEYS 3

struct env {
	struct hp_seckey *key[KEYS];
	struct hp_pubkey pub[KEYS];
	struct hp_buf file; /* unsigned package, expires at 1000 */
	char dir[64];
};

static int
setup(void **state)
{
	static struct env e;
	HP_AUTO(hp_buf) struct hp_buf part = { 0 };
	struct sample s;

	for (int i = 0; i < KEYS; i++) {
		assert_int_equal(hp_seckey_generate(&e.key[i], NULL), 0);
		hp_seckey_public(e.key[i], &e.pub[i]);
	}
	sample_init(&s);
	s.man.expires = 1000;
	assert_int_equal(hp_pkg_build(&s.man, s.payloads, &part, NULL), 0);
	assert_int_equal(hp_pkg_join(hp_buf_view(&part), NULL, 0, &e.file, NULL), 0);
	sample_release(&s);
	(void)snprintf(e.dir, sizeof(e.dir), "/tmp/hp-signer.XXXXXX");
	assert_non_null(mkdtemp(e.dir));
	*state = &e;
	return 0;
}

static int
teardown(void **state)
{
	struct env *e = *state;

	for (int i = 0; i < KEYS; i++)
		hp_seckey_free(e->key[i]);
	hp_buf_release(&e->file);
	(void)rmdir(e->dir);
	return 0;
}

/* ${e}'s package with records of keys [from, to). */
static void
sign_with(const struct env *e, int from, int to, struct hp_buf *ret)
{
	assert_int_equal(hp_buf_add(ret, e->file.p, e->file.len, NULL), 0);
	for (int i = from; i < to; i++) {
		struct hp_buf next = { 0 };

		assert_int_equal(hp_sign_pkg(hp_buf_view(ret), e->key[i], &next, NULL), 0);
		hp_buf_release(ret);
		*ret = next;
	}
}

/* Verify with trust in keys [0, trusted). */
static int
verify(const struct env *e, struct hp_view file, int trusted, struct hp_verify_opts opts)
{
	HP_AUTO(hp_verified_pkg) struct hp_verified_pkg *v = NULL;
	HP_AUTO(hp_trust) struct hp_trust trust = { 0 };
	int r;

	for (int i = 0; i < trusted; i++)
		assert_int_equal(hp_trust_add_key(&trust, &e->pub[i], NULL), 0);
	if (opts.now == 0)
		opts.now = 999;
	r = hp_verify_bytes(file, &trust, &opts, &v, NULL);
	assert_true((r == 0) == (v != NULL));
	if (r == 0) {
		assert_true(v->signers_cnt >= 1);
		assert_string_equal(v->pkg.man->name, "fix-alpha");
	}
	return r;
}

static void
test_who_signed(void **state)
{
	const struct env *e = *state;
	HP_AUTO(hp_buf) struct hp_buf one = { 0 }, two = { 0 }, other = { 0 };
	const struct hp_verify_opts none = { 0 }, req2 = { .require = 2 }, req3 = { .require = 3 },
	        ignore = { .ignore_unknown = true },
	                            both = { .require = 2, .ignore_unknown = true };

	sign_with(e, 0, 1, &one);
	sign_with(e, 0, 2, &two);
	sign_with(e, 2, 3, &other);
	assert_int_equal(verify(e, hp_buf_view(&e->file), 2, none), HP_E_SIG); /* unsigned */
	assert_int_equal(verify(e, hp_buf_view(&one), 1, none), 0);
	assert_int_equal(verify(e, hp_buf_view(&one), 0, none), HP_E_SIG);
	assert_int_equal(verify(e, hp_buf_view(&one), 0, ignore), HP_E_SIG);
	assert_int_equal(verify(e, hp_buf_view(&one), 2, req2), HP_E_SIG);
	assert_int_equal(verify(e, hp_buf_view(&two), 2, req2), 0);
	assert_int_equal(verify(e, hp_buf_view(&two), 2, req3), HP_E_SIG);
	assert_int_equal(verify(e, hp_buf_view(&two), 1, none), HP_E_SIG); /* key 1 is unknown */
	assert_int_equal(verify(e, hp_buf_view(&two), 1, ignore), 0);
	assert_int_equal(verify(e, hp_buf_view(&two), 1, both), HP_E_SIG);
	assert_int_equal(verify(e, hp_buf_view(&other), 2, none), HP_E_SIG);
	assert_int_equal(verify(e, hp_buf_view(&other), 2, ignore), HP_E_SIG);
	assert_int_equal(verify(e, hp_buf_view(&other), 3, none), 0);
}

static void
test_signing_again(void **state)
{
	const struct env *e = *state;
	HP_AUTO(hp_buf) struct hp_buf two = { 0 }, again = { 0 }, swapped = { 0 }, tmp = { 0 };

	sign_with(e, 0, 2, &two);
	assert_int_equal(hp_sign_pkg(hp_buf_view(&two), e->key[0], &again, NULL), 0);
	assert_true(hp_view_eq(hp_buf_view(&two), hp_buf_view(&again))); /* replaced, not added; deterministic */
	assert_int_equal(hp_sign_pkg(hp_buf_view(&e->file), e->key[1], &tmp, NULL), 0);
	assert_int_equal(hp_sign_pkg(hp_buf_view(&tmp), e->key[0], &swapped, NULL), 0);
	assert_true(hp_view_eq(hp_buf_view(&two), hp_buf_view(&swapped))); /* order does not matter */
}

/* One wrong record of a trusted key spoils the package, however many others are right. */
static void
test_wrong_record(void **state)
{
	const struct env *e = *state;
	HP_AUTO(hp_buf) struct hp_buf two = { 0 };
	const struct hp_verify_opts ignore = { .ignore_unknown = true };

	sign_with(e, 0, 2, &two);
	for (size_t i = 0; i < 2; i++) {
		uint8_t *sig = two.p + two.len - HP_SIG_LEN - i * HP_SIGS_RECORD_LEN;

		sig[7] ^= 1;
		assert_int_equal(verify(e, hp_buf_view(&two), 2, ignore), HP_E_SIG);
		sig[7] ^= 1;
	}
	assert_int_equal(verify(e, hp_buf_view(&two), 2, ignore), 0);
}

static void
test_every_bit_flip(void **state)
{
	const struct env *e = *state;
	HP_AUTO(hp_buf) struct hp_buf two = { 0 };
	const struct hp_verify_opts none = { 0 };

	sign_with(e, 0, 2, &two);
	for (size_t bit = 0; bit < two.len * 8; bit++) {
		int r;

		two.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		r = verify(e, hp_buf_view(&two), 2, none);
		assert_true(r == HP_E_SIG || r == HP_E_FORMAT);
		two.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(verify(e, hp_buf_view(&two), 2, none), 0);
}

static void
test_every_truncation(void **state)
{
	const struct env *e = *state;
	HP_AUTO(hp_buf) struct hp_buf two = { 0 };
	const struct hp_verify_opts none = { 0 };

	sign_with(e, 0, 2, &two);
	for (size_t len = 0; len < two.len; len++)
		assert_int_equal(verify(e, hp_view_of(two.p, len), 2, none), HP_E_FORMAT);
	assert_int_equal(hp_buf_add_zero(&two, 1, NULL), 0);
	assert_int_equal(verify(e, hp_buf_view(&two), 2, none), HP_E_FORMAT);
}

/* What is inside may be nonsense: without a good signature nobody looks. With one, it is refused as malformed. */
static void
test_verify_before_parse(void **state)
{
	const struct env *e = *state;
	HP_AUTO(hp_buf) struct hp_buf part = { 0 }, bad = { 0 }, out = { 0 };
	struct hp_sig_record rec = { 0 };
	const struct hp_verify_opts none = { 0 };

	assert_int_equal(hp_buf_add(&part, HP_PKG_MAGIC, 8, NULL), 0);
	assert_int_equal(hp_buf_add_u32(&part, HP_PKG_VERSION, NULL), 0);
	assert_int_equal(hp_buf_add_u32(&part, 0xffffffff, NULL), 0);
	assert_int_equal(hp_buf_add_u64(&part, HP_PKG_HEADER_LEN, NULL), 0);
	memcpy(rec.key_id, e->pub[0].key_id, sizeof(rec.key_id));
	assert_int_equal(hp_pkg_join(hp_buf_view(&part), &rec, 1, &bad, NULL), 0);
	assert_int_equal(verify(e, hp_buf_view(&bad), 1, none), HP_E_SIG);
	assert_int_equal(hp_sign_pkg(hp_buf_view(&bad), e->key[0], &out, NULL), HP_E_FORMAT);
	assert_int_equal(out.len, 0);
}

static void
test_expiry(void **state)
{
	const struct env *e = *state;
	HP_AUTO(hp_buf) struct hp_buf one = { 0 };

	sign_with(e, 0, 1, &one);
	assert_int_equal(verify(e, hp_buf_view(&one), 1, (struct hp_verify_opts){ .now = 999 }), 0);
	assert_int_equal(verify(e, hp_buf_view(&one), 1, (struct hp_verify_opts){ .now = 1000 }), HP_E_EXPIRED);
	assert_int_equal(verify(e, hp_buf_view(&one), 1, (struct hp_verify_opts){ .now = 1000, .allow_expired = true }), 0);
	assert_int_equal(verify(e, hp_buf_view(&e->file), 1, (struct hp_verify_opts){ .now = 1000 }), HP_E_SIG);
}

static void
test_attach(void **state)
{
	const struct env *e = *state;
	HP_AUTO(hp_buf) struct hp_buf text = { 0 }, attached = { 0 }, one = { 0 }, two = { 0 };
	struct hp_minisig sig;

	assert_int_equal(hp_sign_detached(hp_buf_view(&e->file), e->key[0], "note", &text, NULL), 0);
	assert_int_equal(hp_minisign_read_sig(hp_buf_view(&text), &sig, NULL), 0);
	assert_int_equal(hp_sign_attach(hp_buf_view(&e->file), &sig.rec, &e->pub[1], &attached, NULL), HP_E_SIG);
	assert_int_equal(hp_sign_attach(hp_buf_view(&e->file), &sig.rec, &e->pub[0], &attached, NULL), 0);
	sign_with(e, 0, 1, &one);
	assert_true(hp_view_eq(hp_buf_view(&one), hp_buf_view(&attached)));
	sig.rec.sig[0] ^= 1;
	assert_int_equal(hp_sign_attach(hp_buf_view(&e->file), &sig.rec, &e->pub[0], &two, NULL), HP_E_SIG);
}

static struct hp_secret *
secret(const char *text)
{
	struct hp_secret *s;

	assert_int_equal(hp_secret_new(HP_PASSPHRASE_MAX, &s, NULL), 0);
	s->len = strlen(text);
	memcpy(s->p, text, s->len);
	return s;
}

static void
test_key_files(void **state)
{
	const struct env *e = *state;
	HP_AUTO(hp_secret) struct hp_secret *good = secret("correct horse"), *bad = secret("correct horsf");
	HP_AUTO(hp_seckey_file) struct hp_seckey_file *file = NULL;
	struct hp_seckey *key = NULL;
	struct hp_err err = { 0 };
	struct stat st;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/a.key", e->dir);
	assert_int_equal(hp_seckey_save(e->key[0], path, good, HP_KDF_INTERACTIVE, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(hp_seckey_save(e->key[1], path, NULL, HP_KDF_INTERACTIVE, &err), HP_E_IO); /* never overwritten */
	assert_int_equal(hp_seckey_open(path, &file, NULL), 0);
	assert_true(file->encrypted);
	assert_memory_not_equal(file->box + 8, e->key[0]->sk, HP_SECKEY_LEN);
	assert_int_equal(hp_seckey_unlock(file, NULL, &key, NULL), HP_E_USAGE);
	assert_int_equal(hp_seckey_unlock(file, bad, &key, NULL), HP_E_SIG);
	assert_int_equal(hp_seckey_unlock(file, good, &key, NULL), 0);
	assert_memory_equal(key->sk, e->key[0]->sk, HP_SECKEY_LEN);
	assert_memory_equal(key->key_id, e->key[0]->key_id, HP_SIG_KEY_ID_LEN);
	hp_seckey_free(key);
	file->memlimit = UINT64_MAX;
	assert_int_equal(hp_seckey_unlock(file, good, &key, NULL), HP_E_LIMIT);
	file->memlimit = 0;
	file->opslimit = UINT64_MAX;
	assert_int_equal(hp_seckey_unlock(file, good, &key, NULL), HP_E_LIMIT);
	(void)unlink(path);
}

static void
test_plain_key_file(void **state)
{
	const struct env *e = *state;
	HP_AUTO(hp_seckey_file) struct hp_seckey_file *file = NULL;
	struct hp_seckey *key = NULL;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/b.key", e->dir);
	assert_int_equal(hp_seckey_open(path, &file, NULL), HP_E_IO);
	assert_int_equal(hp_seckey_save(e->key[1], path, NULL, HP_KDF_SENSITIVE, NULL), 0);
	assert_int_equal(hp_seckey_open(path, &file, NULL), 0);
	assert_false(file->encrypted);
	assert_int_equal(hp_seckey_unlock(file, NULL, &key, NULL), 0);
	assert_memory_equal(key->sk, e->key[1]->sk, HP_SECKEY_LEN);
	hp_seckey_free(key);
	file->box[20] ^= 1; /* a seed that does not make this public key */
	assert_int_equal(hp_seckey_unlock(file, NULL, &key, NULL), HP_E_FORMAT);
	(void)unlink(path);
}

static void
test_secret_lines(void **state)
{
	HP_AUTO(hp_secret) struct hp_secret *s = secret("old");
	int fd[2];
	char rest[8] = { 0 };

	(void)state;
	assert_int_equal(pipe(fd), 0);
	assert_int_equal(write(fd[1], "one\ntwo", 7), 7);
	assert_int_equal(hp_secret_read_line(fd[0], s, NULL), 0);
	assert_int_equal(s->len, 3);
	assert_memory_equal(s->p, "one", 3);
	assert_int_equal(read(fd[0], rest, 1), 1); /* the rest stays in the pipe */
	assert_int_equal(rest[0], 't');
	s->cap = 2;
	assert_int_equal(write(fd[1], "\n", 1), 1);
	assert_int_equal(hp_secret_read_line(fd[0], s, NULL), 0); /* exactly full */
	assert_int_equal(write(fd[1], "abc\n", 4), 4);
	assert_int_equal(hp_secret_read_line(fd[0], s, NULL), HP_E_LIMIT);
	(void)close(fd[1]);
	(void)close(fd[0]);
	assert_int_equal(hp_secret_read_line(fd[0], s, NULL), HP_E_IO);
}

static void
write_pub(const struct env *e, int i, const char *name)
{
	HP_AUTO(hp_buf) struct hp_buf text = { 0 };
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", e->dir, name);
	assert_int_equal(hp_minisign_write_pub(&e->pub[i], &text, NULL), 0);
	assert_int_equal(hp_file_write(path, hp_buf_view(&text), 0644, NULL), 0);
}

static void
remove_file(const struct env *e, const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", e->dir, name);
	assert_int_equal(unlink(path), 0);
}

static void
test_trust_folder(void **state)
{
	const struct env *e = *state;
	HP_AUTO(hp_trust) struct hp_trust trust = { 0 };
	struct hp_pubkey twin = e->pub[0];

	write_pub(e, 0, "a.pub");
	write_pub(e, 0, "b.pub"); /* the same key again */
	write_pub(e, 1, "c.pub");
	write_pub(e, 2, "d.pub.disabled");
	assert_int_equal(hp_trust_add_path(&trust, e->dir, NULL), 0);
	assert_int_equal(trust.cnt, 2);
	twin.pk[0] ^= 1;
	assert_int_equal(hp_trust_add_key(&trust, &twin, NULL), HP_E_FORMAT);
	assert_int_equal(hp_trust_add_path(&trust, "/nonexistent/x.pub", NULL), HP_E_IO);
	remove_file(e, "a.pub");
	remove_file(e, "b.pub");
	remove_file(e, "c.pub");
	remove_file(e, "d.pub.disabled");
}

static void
test_verify_file(void **state)
{
	const struct env *e = *state;
	HP_AUTO(hp_verified_pkg) struct hp_verified_pkg *v = NULL;
	HP_AUTO(hp_buf) struct hp_buf one = { 0 };
	HP_AUTO(hp_trust) struct hp_trust trust = { 0 };
	const struct hp_verify_opts opts = { .now = 1 };
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/p.hpk", e->dir);
	assert_int_equal(hp_trust_add_key(&trust, &e->pub[0], NULL), 0);
	assert_int_equal(hp_verify_file(path, &trust, &opts, &v, NULL), HP_E_IO);
	sign_with(e, 0, 1, &one);
	assert_int_equal(hp_file_write(path, hp_buf_view(&one), 0644, NULL), 0);
	assert_int_equal(hp_verify_file(path, &trust, &opts, &v, NULL), 0);
	assert_int_equal(v->signers_cnt, 1);
	assert_memory_equal(v->signers[0], e->pub[0].key_id, HP_SIG_KEY_ID_LEN);
	(void)unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_signed),       cmocka_unit_test(test_signing_again),
		              cmocka_unit_test(test_wrong_record),
		cmocka_unit_test(test_every_bit_flip),   cmocka_unit_test(test_every_truncation),
		           cmocka_unit_test(test_verify_before_parse),
		cmocka_unit_test(test_expiry),           cmocka_unit_test(test_attach),
		                     cmocka_unit_test(test_key_files),
		cmocka_unit_test(test_plain_key_file),   cmocka_unit_test(test_secret_lines),
		               cmocka_unit_test(test_trust_folder),
		cmocka_unit_test(test_verify_file),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
