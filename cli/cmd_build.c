/* hpbuild build: from a source patch to a package. */
#include "cli/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/file.h"
#include "cli/debian_build.h"
#include "cli/folder.h"
#include "cli/opts.h"
#include "cli/out.h"
#include "cli/packing.h"
#include "cli/passphrase.h"
#include "cli/rebuild.h"

static struct hp_opt_list arg_patches, arg_binaries, arg_modules;
static struct hp_debian arg_debian;
static const char *arg_dir;
static const char *arg_source = ".", *arg_objects;
static uint64_t arg_strip = 1;
static bool arg_keep;
static struct hp_packing arg_packing = { .passphrase_fd = HP_NO_FD };

static const struct hp_opt opts[] = {
	{ 0, "patch", HP_OPT_LIST, &arg_patches, "FILE", "source patch; several are applied in order" },
	{ 'p', "strip", HP_OPT_U64, &arg_strip, "N", "leading path components to remove in patches (default: 1)" },
	{ 0, "source", HP_OPT_STR, &arg_source, "DIR", "where to build (default: here)" },
	{ 0, "objects", HP_OPT_STR, &arg_objects, "DIR", "where the objects are (default: below the sources)" },
	{ 0, "baseline", HP_OPT_LIST, &arg_packing.baselines, "FILE",
	  "shipped executable or library; several: one package for all" },
	{ 0, "debian-source", HP_OPT_STR, &arg_debian.spec, "NAME=VERSION", "rebuild this Debian source package instead" },
	{ 0, "binary", HP_OPT_LIST, &arg_binaries, "NAME[=VERSION]", "shipped binary package (default: all of the source)" },
	{ 0, "module", HP_OPT_LIST, &arg_modules, "PATH", "a module's path in its package (default: find it)" },
	{ 0, "dir", HP_OPT_STR, &arg_dir, "DIR", "fetch and build here, and keep it for the next fix" },
	{ 0, "install-build-deps", HP_OPT_FLAG, &arg_debian.install_deps, NULL, "install what the source needs (as root)" },
	{ 0, "debug-file", HP_OPT_LIST, &arg_packing.debug_files, "FILE", "debug file of a baseline (default: find it)" },
	HP_OPT_DEBUG_SEARCH(arg_packing.search),
	HP_OPT_COVERAGE(arg_packing.coverage),
	{ 0, "outside", HP_OPT_LIST, &arg_packing.outside, "PATTERN", "changed objects that may be in none of the baselines" },
	{ 0, "sysroot", HP_OPT_STR, &arg_packing.sysroot, "DIR", "where the baseline's libraries are (default: /)" },
	HP_OPT_SUPPLY(arg_packing.supply),
	{ 0, "meta", HP_OPT_STR, &arg_packing.meta, "FILE", "JSON with what the manifest shall say" },
	{ 0, "name", HP_OPT_STR, &arg_packing.name, "NAME", "name of the hotpatch (default: of the first patch)" },
	{ 0, "serial", HP_OPT_U64, &arg_packing.serial, "N", "serial number, greater than that of earlier packages" },
	{ 0, "waivers", HP_OPT_STR, &arg_packing.waivers, "FILE", "refusals that are accepted" },
	{ 0, "key", HP_OPT_STR, &arg_packing.key, "FILE", "sign with this secret key" },
	{ 0, "passphrase-fd", HP_OPT_U64, &arg_packing.passphrase_fd, "N", "read the passphrase from file descriptor N" },
	{ 'j', "jobs", HP_OPT_U64, &arg_packing.jobs, "N", "threads for the comparison (default: one per CPU)" },
	{ 'o', "output", HP_OPT_STR, &arg_packing.out, "FILE", "write the package to FILE" },
	{ 0, "keep", HP_OPT_FLAG, &arg_keep, NULL, "keep the scratch folder with original objects and logs" },
	{ 0, "json", HP_OPT_FLAG, &arg_packing.json, NULL, "print JSON" },
	HP_OPT_COMMON,
	HP_OPT_END,
};
static const struct hp_usage usage = {
	"build", "--patch FILE... --baseline FILE... -o OUT.hpk [options] -- COMMAND [ARG...]",
	"Build with COMMAND, apply the patch, build again in the same place, and make a package of the difference.\n"
	"The sources are left as they were found. With --debian-source NAME=VERSION, without --baseline and COMMAND:\n"
	"fetch and rebuild what Debian shipped, and make a package for the shipped module.",
	0, -1,
};

static int
check_args(int commands)
{
	bool debian = arg_debian.spec != NULL;

	if (arg_patches.cnt == 0)
		return hp_usage_error("build", "--patch is needed");
	if (!debian && arg_packing.baselines.cnt == 0)
		return hp_usage_error("build", "--baseline is needed");
	if (!debian && commands == 0)
		return hp_usage_error("build", "a build command is needed behind --");
	if (debian && (commands > 0 || arg_packing.baselines.cnt > 0 || arg_packing.debug_files.cnt > 0))
		return hp_usage_error("build", "--debian-source brings its own build command, baseline and debug file");
	if (!debian && (arg_binaries.cnt > 0 || arg_modules.cnt > 0 || arg_dir != NULL || arg_debian.install_deps))
		return hp_usage_error("build", "--binary, --module, --dir and --install-build-deps go with --debian-source");
	if (debian && (arg_packing.coverage.all || arg_packing.coverage.libraries.cnt > 0))
		return hp_usage_error("build", "--prove-all and --library go with --baseline");
	if (arg_packing.out == NULL)
		return hp_usage_error("build", "-o is needed");
	if (arg_packing.jobs > HP_JOBS_MAX)
		return hp_usage_error("build", "--jobs: at most %u", HP_JOBS_MAX);
	if (arg_strip > 64)
		return hp_usage_error("build", "--strip: at most 64");
	return -1;
}

/* "fixes/CVE-2025-32023.patch" gives "CVE-2025-32023". */
static char *
name_of_patch(const char *path)
{
	const char *base = strrchr(path, '/');
	char *name = strdup(base != NULL ? base + 1 : path);
	char *dot = name != NULL ? strrchr(name, '.') : NULL;

	if (dot != NULL && dot != name)
		*dot = '\0';
	return name;
}

static int
make_work_dir(char **ret, struct hp_err *err)
{
	const char *tmp = getenv("TMPDIR");

	if (asprintf(ret, "%s/hpbuild-XXXXXX", tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp") < 0) {
		*ret = NULL;
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	}
	if (mkdtemp(*ret) == NULL)
		return hp_err_set(err, HP_E_IO, "cannot make the scratch folder '%s'", hp_esc(*ret));
	return 0;
}

static int
rebuild_and_pack(char *const *command, const char *work_dir)
{
	HP_AUTO(hp_mem) char *originals = NULL;
	struct hp_rebuild rb = {
		.source = arg_source, .objects = arg_objects, .patches = arg_patches.v, .patches_cnt = arg_patches.cnt,
		.strip = (unsigned)arg_strip, .command = command, .work_dir = work_dir,
	};
	struct hp_err err = { 0 };

	if (hp_rebuild_original(&rb, &err) < 0 || hp_rebuild_patched(&rb, &err) < 0) {
		arg_keep = true; /* for the logs */
		return hp_out_fail(&err, arg_packing.json);
	}
	hp_note("built in %.1f s and, with the fix, %.1f s", rb.seconds[0], rb.seconds[1]);
	if (asprintf(&originals, "%s/originals", work_dir) < 0) {
		originals = NULL;
		(void)hp_err_set(&err, HP_E_NOMEM, "no memory");
		return hp_out_fail(&err, arg_packing.json);
	}
	return hp_packing_make(&arg_packing, originals, arg_objects);
}

static int
build_debian(const char *work_dir)
{
	struct hp_err err = { 0 };
	int r;

	arg_debian.binaries = arg_binaries.v;
	arg_debian.binaries_cnt = arg_binaries.cnt;
	arg_debian.dir = realpath(work_dir, NULL);
	arg_debian.rebuild.patches = arg_patches.v;
	arg_debian.rebuild.patches_cnt = arg_patches.cnt;
	arg_debian.rebuild.strip = (unsigned)arg_strip;
	if (arg_debian.dir == NULL) {
		(void)hp_err_set(&err, HP_E_IO, "cannot use folder '%s'", hp_esc(work_dir));
		return hp_out_fail(&err, arg_packing.json);
	}
	r = hp_debian_build(&arg_debian, &arg_modules, &arg_packing);
	arg_keep |= r != HP_EXIT_OK; /* for the logs */
	hp_debian_release(&arg_debian);
	free((char *)(uintptr_t)arg_debian.dir);
	return r;
}

static int
make_dir(char **ret, struct hp_err *err)
{
	int r;

	if (arg_dir == NULL)
		return make_work_dir(ret, err);
	arg_keep = true;
	*ret = strdup(arg_dir);
	r = *ret == NULL ? hp_err_set(err, HP_E_NOMEM, "no memory") : hp_folder_make(arg_dir, err);
	return r;
}

int
hp_cmd_build(int argc, char **argv)
{
	HP_AUTO(hp_mem) char *work_dir = NULL;
	HP_AUTO(hp_mem) char *name = NULL;
	struct hp_err err = { 0 };
	int first, r = hp_opts_parse(opts, &usage, argc, argv, &first);

	if (r >= 0)
		return r;
	r = check_args(argc - first);
	if (r >= 0)
		return r;
	if (arg_objects == NULL)
		arg_objects = arg_source;
	if (arg_packing.name == NULL && arg_packing.meta == NULL)
		arg_packing.name = name = name_of_patch(arg_patches.v[0]);
	arg_packing.supply.patches = arg_patches.v;
	arg_packing.supply.patches_cnt = arg_patches.cnt;
	arg_packing.supply.command = argv + first;
	r = hp_packing_open(&arg_packing, &err);
	if (r == 0)
		r = make_dir(&work_dir, &err);
	if (r < 0)
		r = hp_out_fail(&err, arg_packing.json);
	else
		r = arg_debian.spec != NULL ? build_debian(work_dir) : rebuild_and_pack(argv + first, work_dir);
	if (work_dir != NULL && !arg_keep)
		hp_remove_tree(work_dir);
	else if (work_dir != NULL)
		hp_note("scratch folder: %s", work_dir);
	hp_packing_release(&arg_packing);
	return r;
}
