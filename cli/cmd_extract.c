/* hpbuild extract: write a package's parts to files. */
#include "cli/cmd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/file.h"
#include "cli/opts.h"
#include "cli/out.h"
#include "cli/pkg_open.h"
#include "cli/trust.h"

static struct hp_opt_list arg_trust;
static const char *arg_dir, *arg_signed_part;
static bool arg_unverified, arg_json;
static json_t *arg_written; /* names of the files that were written, for --json */

static const struct hp_opt opts[] = {
	{ 'o', "output", HP_OPT_STR, &arg_dir, "DIR", "write manifest and payloads into DIR" },
	{ 0, "signed-part", HP_OPT_STR, &arg_signed_part, "FILE", "write the signed bytes to FILE" },
	HP_OPT_TRUST(arg_trust),
	{ 0, "unverified", HP_OPT_FLAG, &arg_unverified, NULL, "extract without checking signatures" },
	{ 0, "json", HP_OPT_FLAG, &arg_json, NULL, "print JSON" },
	HP_OPT_COMMON,
	HP_OPT_END,
};
static const struct hp_usage usage = {
	"extract", "[-o DIR] [--signed-part FILE] [--trust PUBKEY|DIR]... | --unverified PKG",
	"Write a package's parts: manifest.json, per target payload.N.elf and payload.N.fixups, and where\n"
	"they are there source.patch, provenance.json, vex.json.\n"
	"No file name is taken from the package.",
	1, 1
};

static int
put(const char *path, struct hp_view data, struct hp_err *err)
{
	int r = hp_file_write(path, data, 0644, err);

	if (r < 0)
		return r;
	if (arg_json)
		(void)json_array_append_new(arg_written, json_string(path));
	else
		hp_out("%s\n", path);
	return 0;
}

static int
put_in_dir(const char *name, struct hp_view data, struct hp_err *err)
{
	HP_AUTO(hp_mem) char *path = NULL;

	if (asprintf(&path, "%s/%s", arg_dir, name) < 0) {
		path = NULL;
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	}
	return put(path, data, err);
}

static int
extract_docs(const struct hp_pkg_docs *docs, struct hp_err *err)
{
	int r = 0;

	if (docs->patch.len > 0)
		r = put_in_dir("source.patch", docs->patch, err);
	if (r == 0 && docs->provenance.len > 0)
		r = put_in_dir("provenance.json", docs->provenance, err);
	if (r == 0 && docs->vex.len > 0)
		r = put_in_dir("vex.json", docs->vex, err);
	return r;
}

static int
extract_dir(const struct hp_pkg *pkg, struct hp_err *err)
{
	char name[64];
	int r;

	if (mkdir(arg_dir, 0777) < 0 && errno != EEXIST)
		return hp_err_set(err, HP_E_IO, "cannot make folder '%s'", hp_esc(arg_dir));
	r = put_in_dir("manifest.json", pkg->manifest, err);
	for (size_t i = 0; i < pkg->man->targets_cnt && r == 0; i++) {
		(void)snprintf(name, sizeof(name), "payload.%zu.elf", i);
		r = put_in_dir(name, pkg->payloads[i].image, err);
		(void)snprintf(name, sizeof(name), "payload.%zu.fixups", i);
		if (r == 0)
			r = put_in_dir(name, pkg->payloads[i].fixups, err);
	}
	return r == 0 ? extract_docs(&pkg->docs, err) : r;
}

int
hp_cmd_extract(int argc, char **argv)
{
	HP_AUTO(hp_cli_pkg) struct hp_cli_pkg pkg = { 0 };
	struct hp_err err = { 0 };
	int first, r = hp_opts_parse(opts, &usage, argc, argv, &first);

	if (r >= 0)
		return r;
	if (arg_dir == NULL && arg_signed_part == NULL)
		return hp_usage_error("extract", "nothing to write: give -o or --signed-part");
	arg_written = json_array();
	r = hp_cli_pkg_open(argv[first], &arg_trust, arg_unverified, &pkg, &err);
	if (r == 0 && arg_dir != NULL)
		r = extract_dir(pkg.pkg, &err);
	if (r == 0 && arg_signed_part != NULL)
		r = put(arg_signed_part, pkg.parts.signed_part, &err);
	if (r < 0) {
		json_decref(arg_written);
		return hp_out_fail(&err, arg_json);
	}
	if (arg_json)
		hp_out_json(json_pack("{s:s, s:o}", "schema", "hpbuild.extract/1", "files", arg_written));
	else
		json_decref(arg_written);
	return HP_EXIT_OK;
}
