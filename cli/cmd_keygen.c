/* hpbuild keygen: a key pair in minisign's files. */
#include "cli/cmd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/file.h"
#include "cli/opts.h"
#include "cli/out.h"
#include "cli/passphrase.h"
#include "signer/keys.h"

static const char *arg_name = "hpbuild";
static uint64_t arg_fd = HP_NO_FD;
static bool arg_no_passphrase, arg_json;

static const struct hp_opt opts[] = {
	{ 'o', "output", HP_OPT_STR, &arg_name, "NAME", "write NAME.key and NAME.pub (default: hpbuild)" },
	{ 0, "passphrase-fd", HP_OPT_U64, &arg_fd, "N", "read the passphrase from file descriptor N" },
	{ 0, "no-passphrase", HP_OPT_FLAG, &arg_no_passphrase, NULL, "do not encrypt the secret key" },
	{ 0, "json", HP_OPT_FLAG, &arg_json, NULL, "print JSON" },
	HP_OPT_COMMON,
	HP_OPT_END,
};
static const struct hp_usage usage = { "keygen", "[-o NAME] [--passphrase-fd N | --no-passphrase]",
	                               "Make a key pair to sign packages with. Existing files are never overwritten.", 0, 0 };

struct paths {
	char *sec, *pub;
};

static int
check_free(const char *path, struct hp_err *err)
{
	if (access(path, F_OK) == 0 || errno != ENOENT) {
		errno = EEXIST;
		return hp_err_set(err, HP_E_IO, "will not overwrite '%s'", hp_esc(path));
	}
	return 0;
}

/* The public key is written last; without it the secret key is taken back, so that a second try can succeed. */
static int
write_pair(const struct paths *paths, const struct hp_seckey *key, const struct hp_secret *pass, struct hp_pubkey *pub,
           struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf text = { 0 };
	int r;

	hp_seckey_public(key, pub);
	r = hp_minisign_write_pub(pub, &text, err);
	if (r == 0)
		r = hp_seckey_save(key, paths->sec, pass, HP_KDF_SENSITIVE, err);
	if (r < 0)
		return r;
	r = hp_file_create(paths->pub, hp_buf_view(&text), 0644, err);
	if (r < 0)
		(void)unlink(paths->sec);
	return r;
}

static int
make_pair(const struct paths *paths, struct hp_pubkey *pub, struct hp_err *err)
{
	HP_AUTO(hp_secret) struct hp_secret *pass = NULL;
	HP_AUTO(hp_seckey) struct hp_seckey *key = NULL;
	int r = check_free(paths->sec, err);

	if (r == 0)
		r = check_free(paths->pub, err);
	if (r == 0 && !arg_no_passphrase)
		r = hp_cli_passphrase(arg_fd, true, "--passphrase-fd or --no-passphrase", &pass, err);
	if (r == 0)
		r = hp_seckey_generate(&key, err);
	return r == 0 ? write_pair(paths, key, pass, pub, err) : r;
}

static void
report(const struct paths *paths, const struct hp_pubkey *pub)
{
	char id[17];

	hp_key_id_text(pub->key_id, id);
	if (arg_json)
		hp_out_json(json_pack("{s:s, s:s, s:s, s:s, s:b}", "schema", "hpbuild.keygen/1", "key_id", id, "secret_key",
		                      paths->sec, "public_key", paths->pub, "encrypted", !arg_no_passphrase));
	else
		hp_out("key %s: secret '%s'%s, public '%s'\n", id, hp_esc(paths->sec),
		       arg_no_passphrase ? " (not encrypted)" : "", hp_esc(paths->pub));
}

int
hp_cmd_keygen(int argc, char **argv)
{
	HP_AUTO(hp_mem) char *sec = NULL, *pub_path = NULL;
	struct hp_err err = { 0 };
	struct hp_pubkey pub;
	struct paths paths;
	int first, r = hp_opts_parse(opts, &usage, argc, argv, &first);

	if (r >= 0)
		return r;
	if (arg_no_passphrase && arg_fd != HP_NO_FD)
		return hp_usage_error("keygen", "--no-passphrase and --passphrase-fd exclude each other");
	if (arg_name[0] == '\0')
		return hp_usage_error("keygen", "--output wants a name");
	if (asprintf(&sec, "%s.key", arg_name) < 0 || asprintf(&pub_path, "%s.pub", arg_name) < 0) {
		(void)hp_err_set(&err, HP_E_NOMEM, "no memory");
		return hp_out_fail(&err, arg_json);
	}
	paths = (struct paths){ sec, pub_path };
	r = make_pair(&paths, &pub, &err);
	if (r < 0)
		return hp_out_fail(&err, arg_json);
	report(&paths, &pub);
	return HP_EXIT_OK;
}
