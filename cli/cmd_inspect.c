/* hpbuild inspect: what is in a package, as stable text or JSON. */
#include "cli/cmd.h"

#include "base/cleanup.h"
#include "cli/opts.h"
#include "cli/out.h"
#include "cli/pkg_open.h"
#include "cli/show.h"
#include "cli/trust.h"

static struct hp_opt_list arg_trust;
static bool arg_unverified, arg_json;

static const struct hp_opt opts[] = {
	HP_OPT_TRUST(arg_trust),
	{ 0, "unverified", HP_OPT_FLAG, &arg_unverified, NULL, "show a package without checking signatures" },
	{ 0, "json", HP_OPT_FLAG, &arg_json, NULL, "print JSON" },
	HP_OPT_COMMON,
	HP_OPT_END,
};
static const struct hp_usage usage = { "inspect", "[--trust PUBKEY|DIR]... | --unverified PKG",
	                               "Show what is in a package; with -v every fixup too.", 1, 1 };

int
hp_cmd_inspect(int argc, char **argv)
{
	HP_AUTO(hp_cli_pkg) struct hp_cli_pkg pkg = { 0 };
	struct hp_err err = { 0 };
	int first, r = hp_opts_parse(opts, &usage, argc, argv, &first);

	if (r >= 0)
		return r;
	if (hp_cli_pkg_open(argv[first], &arg_trust, arg_unverified, &pkg, &err) < 0)
		return hp_out_fail(&err, arg_json);
	if (arg_json)
		hp_out_json(hp_show_json(&pkg, hp_arg_verbose > 0));
	else
		hp_show_text(&pkg, hp_arg_verbose > 0);
	return HP_EXIT_OK;
}
