/* hpbuild pack: from original and patched objects and the shipped module to an unsigned package. */
#include "cli/cmd.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/file.h"
#include "cli/opts.h"
#include "cli/out.h"
#include "cli/pack_show.h"
#include "differ/diff.h"
#include "formats/limits.h"
#include "formats/package.h"
#include "packager/pack.h"

static const char *arg_original, *arg_patched, *arg_baseline, *arg_debug, *arg_meta, *arg_name, *arg_waivers, *arg_out;
static uint64_t arg_serial, arg_jobs;
static bool arg_json;

static const struct hp_opt opts[] = {
	{ 0, "original", HP_OPT_STR, &arg_original, "DIR", "objects built without the fix: a folder, a .a or a .o" },
	{ 0, "patched", HP_OPT_STR, &arg_patched, "DIR", "objects built with the fix" },
	{ 0, "baseline", HP_OPT_STR, &arg_baseline, "FILE", "the shipped executable or shared library" },
	{ 0, "debug-file", HP_OPT_STR, &arg_debug, "FILE", "separate debug file of the baseline" },
	{ 0, "meta", HP_OPT_STR, &arg_meta, "FILE", "JSON with what the manifest shall say" },
	{ 0, "name", HP_OPT_STR, &arg_name, "NAME", "name of the hotpatch" },
	{ 0, "serial", HP_OPT_U64, &arg_serial, "N", "serial number, greater than that of earlier packages" },
	{ 0, "waivers", HP_OPT_STR, &arg_waivers, "FILE", "refusals that are accepted" },
	{ 'j', "jobs", HP_OPT_U64, &arg_jobs, "N", "threads for the comparison (default: one per CPU)" },
	{ 'o', "output", HP_OPT_STR, &arg_out, "FILE", "write the package to FILE" },
	{ 0, "json", HP_OPT_FLAG, &arg_json, NULL, "print JSON" },
	HP_OPT_COMMON,
	HP_OPT_END,
};
static const struct hp_usage usage = {
	"pack", "--original DIR --patched DIR --baseline FILE [--debug-file FILE] [--meta FILE] -o OUT.hpk",
	"Make an unsigned package for the module FILE from the difference between two object trees.\n"
	"The original objects are proven to be what FILE was linked from.",
	0, 0,
};

/* Everything that is read before the work starts. */
struct inputs {
	struct hp_buf baseline, debug, meta;
};

static void
inputs_auto(struct inputs *in)
{
	hp_buf_release(&in->baseline);
	hp_buf_release(&in->debug);
	hp_buf_release(&in->meta);
}

static int
check_args(void)
{
	if (arg_original == NULL || arg_patched == NULL)
		return hp_usage_error("pack", "both --original and --patched are needed");
	if (arg_baseline == NULL)
		return hp_usage_error("pack", "--baseline is needed");
	if (arg_out == NULL)
		return hp_usage_error("pack", "-o is needed");
	if (arg_jobs > 1024)
		return hp_usage_error("pack", "--jobs %llu: at most 1024", (unsigned long long)arg_jobs);
	return -1;
}

static int
read_inputs(struct inputs *in, struct hp_err *err)
{
	int r = hp_file_read(arg_baseline, HP_ELF_LEN_MAX, &in->baseline, err);

	if (r == 0 && arg_debug != NULL)
		r = hp_file_read(arg_debug, HP_ELF_LEN_MAX, &in->debug, err);
	if (r == 0 && arg_meta != NULL)
		r = hp_file_read(arg_meta, HP_MANIFEST_LEN_MAX, &in->meta, err);
	if (r == 0 && arg_meta != NULL && in->meta.len == 0)
		return hp_err_set(err, HP_E_FORMAT, "meta file '%s' is empty", hp_esc(arg_meta));
	return r;
}

static int
make_package(const struct hp_patchset *set, const struct inputs *in, struct hp_pack_report *ret_report, size_t *ret_len,
             struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf signed_part = { 0 };
	HP_AUTO(hp_buf) struct hp_buf file = { 0 };
	struct hp_pack_options o = {
		.baseline_path = arg_baseline, .baseline = hp_buf_view(&in->baseline), .debug_path = arg_debug,
		.debug = hp_buf_view(&in->debug), .meta = hp_buf_view(&in->meta), .name = arg_name, .serial = arg_serial,
		.tool = "hpbuild " HP_VERSION,
	};
	int r = hp_pack(set, &o, &signed_part, ret_report, err);

	if (r < 0)
		return r;
	r = hp_pkg_join(hp_buf_view(&signed_part), NULL, 0, &file, err);
	if (r == 0)
		r = hp_file_write(arg_out, hp_buf_view(&file), 0644, err);
	*ret_len = file.len;
	if (r < 0)
		hp_pack_report_release(ret_report);
	return r;
}

static void
show_progress(void *ctx, size_t done, size_t total, const char *path)
{
	(void)ctx;
	hp_progress(done, total, path);
}

int
hp_cmd_pack(int argc, char **argv)
{
	HP_AUTO(inputs) struct inputs in = { 0 };
	struct hp_diff_options dopts = { .progress = show_progress };
	struct hp_patchset set = { 0 };
	struct hp_pack_report report;
	struct hp_err err = { 0 };
	size_t len = 0;
	int first, r = hp_opts_parse(opts, &usage, argc, argv, &first);

	if (r >= 0)
		return r;
	r = check_args();
	if (r >= 0)
		return r;
	dopts.jobs = (unsigned)arg_jobs;
	dopts.waivers_path = arg_waivers;
	r = read_inputs(&in, &err);
	if (r == 0)
		r = hp_diff(arg_original, arg_patched, &dopts, &set, &err);
	if (r < 0)
		return hp_out_fail(&err, arg_json);
	if (set.verdict != HP_HOTPATCHABLE) {
		r = hp_pack_show_verdict(&set, arg_json);
	} else if (make_package(&set, &in, &report, &len, &err) < 0) {
		r = hp_out_fail(&err, arg_json);
	} else {
		hp_pack_show(&set, &report, arg_out, len, arg_json);
		hp_pack_report_release(&report);
		r = HP_EXIT_OK;
	}
	hp_patchset_release(&set);
	return hp_out_finish(r);
}
