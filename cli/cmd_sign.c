/* hpbuild sign: add or replace a signature record, or write a detached signature. */
#include "cli/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/file.h"
#include "cli/external.h"
#include "cli/opts.h"
#include "cli/out.h"
#include "cli/passphrase.h"
#include "formats/hash.h"
#include "formats/limits.h"
#include "signer/sign.h"

static const char *arg_key, *arg_minisig, *arg_comment, *arg_attach, *arg_pubkey, *arg_signer;
static uint64_t arg_fd = HP_NO_FD;
static bool arg_digest, arg_json;

static const struct hp_opt opts[] = {
	{ 'k', "key", HP_OPT_STR, &arg_key, "FILE", "secret key (default: $HPBUILD_KEY)" },
	{ 0, "passphrase-fd", HP_OPT_U64, &arg_fd, "N", "read the passphrase from file descriptor N" },
	{ 0, "minisig", HP_OPT_STR, &arg_minisig, "FILE", "write a detached signature to FILE, leave PKG alone" },
	{ 0, "comment", HP_OPT_STR, &arg_comment, "TEXT", "trusted comment of the detached signature" },
	{ 0, "print-digest", HP_OPT_FLAG, &arg_digest, NULL, "print what an external signer signs" },
	{ 0, "attach", HP_OPT_STR, &arg_attach, "FILE", "add the detached signature in FILE to PKG" },
	{ 0, "signer", HP_OPT_STR, &arg_signer, "COMMAND", "let this command sign the digest; it holds the key" },
	{ 0, "pubkey", HP_OPT_STR, &arg_pubkey, "FILE", "public key of the signature that --attach or --signer adds" },
	{ 0, "json", HP_OPT_FLAG, &arg_json, NULL, "print JSON" },
	HP_OPT_COMMON,
	HP_OPT_END,
};
static const struct hp_usage usage = {
	"sign", "[--key FILE] [--minisig FILE] PKG | --print-digest PKG | --attach FILE | --signer COMMAND --pubkey FILE PKG",
	"Add a signature to a package, or replace the one of the same key. The file is replaced\n"
	"whole or not at all. What cannot be parsed is not signed.",
	1, 1
};

static int
read_pubkey(struct hp_pubkey *ret, struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf pub = { 0 };
	int r = hp_file_read(arg_pubkey, HP_KEY_FILE_LEN_MAX, &pub, err);

	if (r == 0)
		r = hp_minisign_read_pub(hp_buf_view(&pub), ret, err);
	if (r < 0)
		(void)hp_err_add(err, "public key '%s'", hp_esc(arg_pubkey));
	return r;
}

/* A record that somebody else made: in a file, or now by a command. */
static int
foreign_record(struct hp_view file, const struct hp_pubkey *pub, struct hp_sig_record *ret, struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf text = { 0 };
	struct hp_pkg_parts parts;
	struct hp_minisig sig;
	uint8_t digest[64];
	int r;

	if (arg_signer != NULL) {
		r = hp_sign_check(file, &parts, err); /* a signing service must not see what we would refuse afterwards */
		if (r < 0)
			return r;
		hp_hash_512(parts.signed_part, digest);
		return hp_external_sign(arg_signer, pub->key_id, digest, ret, err);
	}
	r = hp_file_read(arg_attach, HP_KEY_FILE_LEN_MAX, &text, err);
	if (r == 0)
		r = hp_minisign_read_sig(hp_buf_view(&text), &sig, err);
	if (r < 0)
		(void)hp_err_add(err, "signature '%s'", hp_esc(arg_attach));
	else
		*ret = sig.rec;
	return r;
}

/* What to write: the new package, or the text of a detached signature. */
static int
make_output(struct hp_view file, struct hp_buf *ret, uint8_t *ret_key_id, struct hp_err *err)
{
	HP_AUTO(hp_seckey) struct hp_seckey *key = NULL;
	struct hp_sig_record rec;
	struct hp_pubkey pub;
	int r;

	if (arg_pubkey != NULL) {
		r = read_pubkey(&pub, err);
		if (r == 0)
			r = foreign_record(file, &pub, &rec, err);
		if (r == 0)
			r = hp_sign_attach(file, &rec, &pub, ret, err);
	} else {
		r = hp_cli_seckey(arg_key, arg_fd, &key, err);
		if (r == 0)
			hp_seckey_public(key, &pub);
		if (r == 0 && arg_minisig != NULL)
			r = hp_sign_detached(file, key, arg_comment != NULL ? arg_comment : "hotpatch package", ret, err);
		else if (r == 0)
			r = hp_sign_pkg(file, key, ret, err);
	}
	if (r == 0)
		memcpy(ret_key_id, pub.key_id, sizeof(pub.key_id));
	return r;
}

static int
sign(const char *path, struct hp_view file, struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf out = { 0 };
	const char *to = arg_minisig != NULL ? arg_minisig : path;
	uint8_t key_id[HP_SIG_KEY_ID_LEN];
	unsigned mode = 0644;
	struct stat st;
	char id[17];
	int r = make_output(file, &out, key_id, err);

	if (arg_minisig == NULL && stat(path, &st) == 0)
		mode = st.st_mode & 0777;
	if (r == 0)
		r = hp_file_write(to, hp_buf_view(&out), mode, err);
	if (r < 0)
		return r;
	hp_key_id_text(key_id, id);
	if (arg_json)
		hp_out_json(json_pack("{s:s, s:s, s:s}", "schema", "hpbuild.sign/1", "key_id", id, "file", to));
	else
		hp_note("'%s': signed with key %s", hp_esc(to), id);
	return 0;
}

static int
print_digest(struct hp_view file, struct hp_err *err)
{
	struct hp_pkg_parts parts;
	uint8_t digest[64];
	char hex[129];
	int r = hp_pkg_split(file, &parts, err);

	if (r < 0)
		return r;
	hp_hash_512(parts.signed_part, digest);
	hp_hex(digest, sizeof(digest), hex);
	if (arg_json)
		hp_out_json(json_pack("{s:s, s:s, s:s}", "schema", "hpbuild.digest/1", "algorithm", "blake2b-512", "digest",
		                      hex));
	else
		hp_out("%s\n", hex);
	return 0;
}

int
hp_cmd_sign(int argc, char **argv)
{
	HP_AUTO(hp_buf) struct hp_buf file = { 0 };
	struct hp_err err = { 0 };
	int first, r = hp_opts_parse(opts, &usage, argc, argv, &first);

	if (r >= 0)
		return r;
	if ((arg_minisig != NULL) + arg_digest + (arg_attach != NULL) + (arg_signer != NULL) > 1)
		return hp_usage_error("sign", "--minisig, --print-digest, --attach and --signer exclude each other");
	if ((arg_attach != NULL || arg_signer != NULL) != (arg_pubkey != NULL))
		return hp_usage_error("sign", "--pubkey goes with --attach or --signer");
	if (arg_comment != NULL && arg_minisig == NULL)
		return hp_usage_error("sign", "--comment goes with --minisig");
	if (arg_key == NULL)
		arg_key = getenv("HPBUILD_KEY");
	if (arg_key == NULL && !arg_digest && arg_pubkey == NULL)
		return hp_usage_error("sign", "which key? give --key or set HPBUILD_KEY");
	r = hp_file_read(argv[first], HP_PKG_LEN_MAX, &file, &err);
	if (r == 0) {
		r = arg_digest ? print_digest(hp_buf_view(&file), &err) : sign(argv[first], hp_buf_view(&file), &err);
		if (r < 0)
			(void)hp_err_add(&err, "'%s'", hp_esc(argv[first]));
	}
	return r < 0 ? hp_out_fail(&err, arg_json) : HP_EXIT_OK;
}
