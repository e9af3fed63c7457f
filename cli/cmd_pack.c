/* hpbuild pack: from original and patched objects and the shipped module to an unsigned package. */
#include "cli/cmd.h"

#include "base/cleanup.h"
#include "cli/opts.h"
#include "cli/out.h"
#include "cli/packing.h"
#include "cli/passphrase.h"

static const char *arg_original, *arg_patched;
static struct hp_opt_list arg_patches;
static struct hp_packing arg_packing = { .passphrase_fd = HP_NO_FD };

static const struct hp_opt opts[] = {
	{ 0, "original", HP_OPT_STR, &arg_original, "DIR", "objects built without the fix: a folder, a .a or a .o" },
	{ 0, "patched", HP_OPT_STR, &arg_patched, "DIR", "objects built with the fix" },
	{ 0, "baseline", HP_OPT_LIST, &arg_packing.baselines, "FILE",
	  "shipped executable or library; several: one package for all" },
	{ 0, "debug-file", HP_OPT_LIST, &arg_packing.debug_files, "FILE", "debug file of a baseline (default: find it)" },
	HP_OPT_DEBUG_SEARCH(arg_packing.search),
	HP_OPT_COVERAGE(arg_packing.coverage),
	{ 0, "outside", HP_OPT_LIST, &arg_packing.outside, "PATTERN", "changed objects that may be in none of the baselines" },
	{ 0, "patch", HP_OPT_LIST, &arg_patches, "FILE", "source patch, to be recorded; several in their order" },
	{ 0, "sysroot", HP_OPT_STR, &arg_packing.sysroot, "DIR", "where the baseline's libraries are (default: /)" },
	HP_OPT_SUPPLY(arg_packing.supply),
	{ 0, "meta", HP_OPT_STR, &arg_packing.meta, "FILE", "JSON with what the manifest shall say" },
	{ 0, "name", HP_OPT_STR, &arg_packing.name, "NAME", "name of the hotpatch" },
	{ 0, "serial", HP_OPT_U64, &arg_packing.serial, "N", "serial number, greater than that of earlier packages" },
	{ 0, "waivers", HP_OPT_STR, &arg_packing.waivers, "FILE", "refusals that are accepted" },
	{ 'j', "jobs", HP_OPT_U64, &arg_packing.jobs, "N", "threads for the comparison (default: one per CPU)" },
	{ 'o', "output", HP_OPT_STR, &arg_packing.out, "FILE", "write the package to FILE" },
	{ 0, "json", HP_OPT_FLAG, &arg_packing.json, NULL, "print JSON" },
	HP_OPT_COMMON,
	HP_OPT_END,
};
static const struct hp_usage usage = {
	"pack", "--original DIR --patched DIR --baseline FILE... [--debug-file FILE]... [--meta FILE] -o OUT.hpk",
	"Make an unsigned package for the module FILE from the difference between two object trees.\n"
	"The original objects are proven to be what FILE was linked from.",
	0, 0,
};

int
hp_cmd_pack(int argc, char **argv)
{
	struct hp_err err = { 0 };
	int first, r = hp_opts_parse(opts, &usage, argc, argv, &first);

	if (r >= 0)
		return r;
	if (arg_original == NULL || arg_patched == NULL)
		return hp_usage_error("pack", "both --original and --patched are needed");
	if (arg_packing.baselines.cnt == 0)
		return hp_usage_error("pack", "--baseline is needed");
	if (arg_packing.out == NULL)
		return hp_usage_error("pack", "-o is needed");
	if (arg_packing.jobs > HP_JOBS_MAX)
		return hp_usage_error("pack", "--jobs: at most %u", HP_JOBS_MAX);
	arg_packing.supply.patches = arg_patches.v;
	arg_packing.supply.patches_cnt = arg_patches.cnt;
	r = hp_packing_open(&arg_packing, &err);
	r = r < 0 ? hp_out_fail(&err, arg_packing.json) : hp_packing_make(&arg_packing, arg_original, arg_patched);
	hp_packing_release(&arg_packing);
	return r;
}
