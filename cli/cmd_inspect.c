/* hpbuild inspect: what is in a package, as stable text or JSON. */
#include "cli/cmd.h"

#include <jansson.h>

#include "base/cleanup.h"
#include "cli/pkg_compare.h"
#include "cli/opts.h"
#include "cli/out.h"
#include "cli/pkg_open.h"
#include "cli/show.h"
#include "cli/trust.h"

static struct hp_opt_list arg_trust;
static bool arg_unverified, arg_json, arg_provenance, arg_vex, arg_patch, arg_compare;

static const struct hp_opt opts[] = {
	HP_OPT_TRUST(arg_trust),
	{ 0, "unverified", HP_OPT_FLAG, &arg_unverified, NULL, "show a package without checking signatures" },
	{ 0, "provenance", HP_OPT_FLAG, &arg_provenance, NULL, "print the in-toto provenance statement" },
	{ 0, "vex", HP_OPT_FLAG, &arg_vex, NULL, "print the OpenVEX document" },
	{ 0, "patch", HP_OPT_FLAG, &arg_patch, NULL, "print the source patch" },
	{ 0, "compare", HP_OPT_FLAG, &arg_compare, NULL, "say where two packages differ" },
	{ 0, "json", HP_OPT_FLAG, &arg_json, NULL, "print JSON" },
	HP_OPT_COMMON,
	HP_OPT_END,
};
static const struct hp_usage usage = { "inspect", "[--trust PUBKEY|DIR]... | --unverified PKG | --compare A B",
	                               "Show what is in a package; with -v every fixup too.", 1, 2 };

static int
show_doc(const struct hp_pkg_docs *docs, struct hp_err *err)
{
	struct hp_view doc = arg_patch ? docs->patch : arg_vex ? docs->vex : docs->provenance;
	json_t *root;

	if (doc.len == 0)
		return hp_err_set(err, HP_E_NOTHING, "the package has no %s",
		                  arg_patch ? "source patch" : arg_vex ? "OpenVEX document" : "provenance statement");
	if (arg_patch) {
		hp_out_lines(doc.p, doc.len);
		return 0;
	}
	root = json_loadb((const char *)doc.p, doc.len, JSON_REJECT_DUPLICATES, NULL);
	if (root == NULL)
		return hp_err_set(err, HP_E_FORMAT, "the document is not JSON");
	hp_out_json(root);
	return 0;
}

static int
compare(const char *a_path, const char *b_path)
{
	HP_AUTO(hp_cli_pkg) struct hp_cli_pkg a = { 0 }, b = { 0 };
	struct hp_err err = { 0 };
	int r = hp_cli_pkg_open(a_path, &arg_trust, arg_unverified, &a, &err);

	if (r == 0)
		r = hp_cli_pkg_open(b_path, &arg_trust, arg_unverified, &b, &err);
	if (r < 0)
		return hp_out_fail(&err, arg_json);
	return hp_compare_pkgs(&a, &b, arg_json) ? HP_EXIT_OK : HP_EXIT_FAILED; /* as cmp(1) and diff(1) */
}

int
hp_cmd_inspect(int argc, char **argv)
{
	HP_AUTO(hp_cli_pkg) struct hp_cli_pkg pkg = { 0 };
	struct hp_err err = { 0 };
	int first, r = hp_opts_parse(opts, &usage, argc, argv, &first);

	if (r >= 0)
		return r;
	if (arg_provenance + arg_vex + arg_patch + arg_compare > 1)
		return hp_usage_error("inspect", "--provenance, --vex, --patch and --compare exclude each other");
	if (arg_compare != (argc - first == 2))
		return hp_usage_error("inspect", "two packages go with --compare");
	if (arg_compare)
		return compare(argv[first], argv[first + 1]);
	if (hp_cli_pkg_open(argv[first], &arg_trust, arg_unverified, &pkg, &err) < 0)
		return hp_out_fail(&err, arg_json);
	r = 0;
	if (arg_provenance || arg_vex || arg_patch)
		r = show_doc(&pkg.pkg->docs, &err);
	else if (arg_json)
		hp_out_json(hp_show_json(&pkg, hp_arg_verbose > 0));
	else
		hp_show_text(&pkg, hp_arg_verbose > 0);
	return r < 0 ? hp_out_fail(&err, arg_json) : HP_EXIT_OK;
}
