/* From two object trees to a written package: what `pack` and `build` share behind their options. */
#ifndef HP_CLI_PACKING_H
#define HP_CLI_PACKING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "cli/coverage.h"
#include "cli/debug_find.h"
#include "cli/opts.h"
#include "cli/supply.h"
#include "packager/pack.h"

struct hp_diff_file;
struct hp_seckey;

/* Rows of an option table for the documents in a package. `s` is a struct hp_supply. */
#define HP_OPT_SUPPLY(s) \
	{ 0, "vex", HP_OPT_STR, &(s).vex, "FILE", "put this OpenVEX document into the package" }, \
	{ 0, "builder", HP_OPT_STR, &(s).builder, "URI", "who builds, for the provenance statement" }, \
	{ 0, "patch-digest-only", HP_OPT_FLAG, &(s).digest_only, NULL, "do not put the patch's text into the package" }

/* A module that the package is for, and the files that belong to it. */
struct hp_packing_base {
	const char *path;
	const char *debug_file;   /* path, NULL = look for one */
	const char *debug_source; /* for the manifest, NULL = "debug-file" */
	const char *twin; /* path of a rebuild that debug_file belongs to, NULL = it belongs to the baseline itself */
	/* Filled in: */
	struct hp_buf bytes, debug_bytes, twin_bytes;
	struct hp_debug_found found; /* instead of debug_bytes */
	struct hp_coverage coverage; /* by hp_packing_make(), or by the caller of hp_packing_aim() */
};

struct hp_packing {
	/* Set by the verb. */
	struct hp_opt_list baselines;   /* paths; none = hp_packing_aim() comes later */
	struct hp_opt_list debug_files; /* paths, in any order */
	struct hp_debug_search search;
	struct hp_coverage coverage;    /* what to measure; the results are in bases */
	struct hp_opt_list outside;     /* patterns of objects that are in no baseline */
	const char *baseline_name, *baseline_version; /* for the manifest, NULL = from the path, unknown */
	const char *sysroot;    /* folder with the libraries that the baseline needs, NULL = "/" */
	const char *meta;       /* path, NULL = none */
	const char *name;       /* of the hotpatch, NULL = from meta or made up */
	const char *waivers;    /* path, NULL = none */
	const char *key;        /* path of the secret key, NULL = leave the package unsigned */
	uint64_t passphrase_fd; /* HP_NO_FD = ask */
	uint64_t serial, jobs;  /* 0 = default */
	const char *out;        /* path of the package */
	bool json;
	struct hp_supply supply;
	/* Filled by hp_packing_open() and hp_packing_aim(). */
	struct hp_packing_base bases[HP_PKG_TARGETS_MAX];
	struct hp_pack_baseline pack_bases[HP_PKG_TARGETS_MAX]; /* the same for the packager */
	size_t bases_cnt;
	struct hp_buf meta_bytes;
	struct hp_seckey *seckey;
};

/* hp_packing_open(p, err): read baselines and the other inputs and unlock the key, so that what is wrong with them is said
 * before anything that takes time. A debug file belongs to the baseline that has its build ID. */
HP_MUST_CHECK int hp_packing_open(struct hp_packing *p, struct hp_err *err);
/* hp_packing_aim(p, bases, cnt, err): these modules instead of those before; their files are read. The paths stay the caller's.
 */
HP_MUST_CHECK int hp_packing_aim(struct hp_packing *p, const struct hp_packing_base *bases, size_t cnt, struct hp_err *err);
void hp_packing_release(struct hp_packing *p);

/* hp_packing_make(p, original, patched): compare the two trees (folders, .a or .o); when the change can be hot, pack, sign if
 * there is a key, and write the package whole or not at all. Prints the result or what is in the way. Returns the exit status. */
int hp_packing_make(struct hp_packing *p, const char *original, const char *patched);

/* The steps of it. hp_packing_diff(p, original, patched, ret): HP_EXIT_OK when the change can be hot; ret is then to be released.
 * hp_packing_diff_files(): the same for some objects of the trees. hp_packing_write(p, set): pack, sign, write, print. */
int hp_packing_diff(const struct hp_packing *p, const char *original, const char *patched, struct hp_patchset *ret);
int hp_packing_diff_files(const struct hp_packing *p, const struct hp_diff_file *files, size_t cnt, struct hp_patchset *ret);
int hp_packing_write(const struct hp_packing *p, const struct hp_patchset *set);

static inline void
hp_packing_auto(struct hp_packing *p)
{
	hp_packing_release(p);
}

#endif
