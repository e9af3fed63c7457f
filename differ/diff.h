/* The differ: two object trees in, a patch set and a verdict out (DESIGN section 4).
 *
 * The result depends only on the bytes of the inputs, never on the number of threads, folders, time or locale. All names and
 * contents come from untrusted files; the paths of reasons and pairs are what the caller gave.
 *
 * hp_diff() starts its own threads; the progress callback is called from the calling thread's workers, one at a time.
 */
#ifndef HP_DIFFER_DIFF_H
#define HP_DIFFER_DIFF_H

#include <stdbool.h>

#include "formats/patchset.h"

struct hp_diff_options {
	unsigned jobs;            /* threads; 0 = one per CPU */
	const char *waivers_path; /* JSON file of accepted refusals (hpbuild-diff(1)), NULL = none */
	const char *today;        /* "2026-11-24" (UTC), decides which waivers have expired; NULL = none has */
	bool baseline_known;      /* the caller has the baseline and looks itself (packager): for room at short functions
	                           * (HP2013), and whether a function whose signature changed is exported; only noted then */
	void (*progress)(void *ctx, size_t done, size_t total, const char *path); /* NULL = none */
	void *progress_ctx;
};

/* hp_diff(old_path, new_path, opts, ret, err): compare two .o files, two .a archives or two folders (their *.o, paired by
 * relative path). ${ret} is released by the caller with hp_patchset_release(). A refusal is a result (ret->verdict), not a
 * failure. HP_E_IO: cannot read; HP_E_FORMAT: not an object file, LTO bytecode, no objects, file given where a folder is;
 * HP_E_ARCH: different or unsupported CPUs; HP_E_LIMIT, HP_E_NOMEM. Linear in the size of the objects that differ. */
HP_MUST_CHECK int hp_diff(const char *old_path, const char *new_path, const struct hp_diff_options *opts, struct hp_patchset *ret,
                          struct hp_err *err);

/* Two files that belong together. */
struct hp_diff_file {
	const char *path;     /* how the pair is called in the result */
	const char *old_path; /* NULL = only on the new side */
	const char *new_path; /* NULL = only on the old side */
};

/* hp_diff_files(files, cnt, opts, ret, err): the same for an explicit list of object files. Paths must be distinct. */
HP_MUST_CHECK int hp_diff_files(const struct hp_diff_file *files, size_t cnt, const struct hp_diff_options *opts,
                                struct hp_patchset *ret, struct hp_err *err);

#endif
