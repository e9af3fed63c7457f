/* Trees of objects: threads over pairs, and one result in the order of the paths. */
#include "differ/diff.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/file.h"
#include "differ/internal.h"
#include "differ/result.h"
#include "differ/tree.h"
#include "formats/limits.h"

#define JOBS_MAX 256u

/* Shared by the workers; next, done, failed and err under the lock. */
struct run {
	const struct hp_tree *tree;
	const struct hp_diff_options *opts;
	struct hp_result *results; /* [tree->cnt] */
	pthread_mutex_t lock;
	size_t next, done;
	size_t failed;     /* smallest index that failed, SIZE_MAX */
	struct hp_err err; /* its error */
};

/* LLVM's bitcode has a name of its own in the message, anything else that is not ELF is told by hp_elf_open(). */
static int
check_magic(struct hp_view v, const char *path, struct hp_err *err)
{
	if (v.len >= 4 && memcmp(v.p, "BC\xc0\xde", 4) == 0)
		return hp_err_set(err, HP_E_FORMAT,
		                  "'%s': LLVM bitcode (-flto): the code is made when linking; build without -flto", hp_esc(path));
	return 0;
}

static int
open_side(const char *path, struct hp_buf *buf, struct hp_object **ret, struct hp_err *err)
{
	int r = check_magic(hp_buf_view(buf), path, err);

	if (r < 0) {
		hp_buf_release(buf);
		return r;
	}
	r = hp_object_open(buf, path, ret, err);
	return r < 0 ? hp_err_add(err, "reading '%s'", hp_esc(path)) : 0;
}

static int
load_side(const struct hp_tree *tree, size_t i, bool old_side, struct hp_object **ret, struct hp_err *err)
{
	const char *path = old_side ? tree->files[i].old_path : tree->files[i].new_path;
	struct hp_buf buf = { 0 };
	int r;

	if (path == NULL)
		return 0;
	if (tree->archive) {
		struct hp_view v = old_side ? tree->old_data[i] : tree->new_data[i];

		r = hp_buf_add(&buf, v.p, v.len, err);
		path = tree->files[i].path;
	} else {
		r = hp_file_read(path, HP_ELF_LEN_MAX, &buf, err);
	}
	return r < 0 ? r : open_side(path, &buf, ret, err);
}

static int
same_bytes(const struct hp_tree *tree, size_t i, struct hp_buf *scratch, struct hp_err *err)
{
	const struct hp_diff_file *f = &tree->files[i];

	if (f->old_path == NULL || f->new_path == NULL)
		return 0;
	if (tree->archive)
		return hp_view_eq(tree->old_data[i], tree->new_data[i]);
	return hp_file_same(f->old_path, f->new_path, scratch, err);
}

static int
compare_one(const struct hp_tree *tree, size_t i, const struct hp_diff_options *opts, struct hp_buf *scratch,
            struct hp_result *ret, struct hp_err *err)
{
	int r = same_bytes(tree, i, scratch, err);

	if (r != 0)
		return r < 0 ? r : 0;
	ret->pair.path = tree->files[i].path;
	ret->baseline_known = opts->baseline_known;
	r = load_side(tree, i, true, &ret->pair.old_obj, err);
	if (r == 0)
		r = load_side(tree, i, false, &ret->pair.new_obj, err);
	if (r == 0)
		r = hp_pair_compare(ret, err);
	if (r < 0 || !ret->keep) {
		hp_object_free(ret->pair.old_obj);
		hp_object_free(ret->pair.new_obj);
		ret->pair.old_obj = ret->pair.new_obj = NULL;
	}
	return r;
}

static void
record(struct run *run, size_t i, int r, const struct hp_err *err)
{
	(void)pthread_mutex_lock(&run->lock);
	if (r < 0 && i < run->failed) {
		run->failed = i;
		run->err = *err;
	}
	run->done++;
	if (run->opts->progress != NULL)
		run->opts->progress(run->opts->progress_ctx, run->done, run->tree->cnt, run->tree->files[i].path);
	(void)pthread_mutex_unlock(&run->lock);
}

static void *
work(void *arg)
{
	HP_AUTO(hp_buf) struct hp_buf scratch = { 0 };
	struct run *run = arg;

	for (;;) {
		struct hp_err err = { 0 };
		size_t i;
		int r;

		(void)pthread_mutex_lock(&run->lock);
		i = run->next < run->failed ? run->next++ : SIZE_MAX;
		(void)pthread_mutex_unlock(&run->lock);
		if (i >= run->tree->cnt)
			return NULL;
		r = compare_one(run->tree, i, run->opts, &scratch, &run->results[i], &err);
		record(run, i, r, &err);
	}
}

/* Pairs are handed out in order, so the smallest index that fails is always reached, whatever the number of threads. */
static void
run_jobs(struct run *run)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t jobs = run->opts->jobs > 0 ? run->opts->jobs : cpus > 0 ? (size_t)cpus : 1, started = 0;
	pthread_t threads[JOBS_MAX];

	jobs = jobs < JOBS_MAX ? jobs : JOBS_MAX;
	jobs = jobs < run->tree->cnt ? jobs : run->tree->cnt;
	/* This thread is one of them; a thread that cannot be started is only less help. */
	while (started + 1 < jobs && pthread_create(&threads[started], NULL, work, run) == 0)
		started++;
	(void)work(run);
	while (started > 0)
		(void)pthread_join(threads[--started], NULL);
}

static int
diff_tree(const struct hp_tree *tree, const struct hp_diff_options *opts, struct hp_patchset *set, struct hp_err *err)
{
	struct run run = { .tree = tree, .opts = opts, .lock = PTHREAD_MUTEX_INITIALIZER, .failed = SIZE_MAX };
	int r = 0;

	run.results = calloc(tree->cnt + 1, sizeof(*run.results));
	if (run.results == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %zu pairs", tree->cnt);
	run_jobs(&run);
	if (run.failed != SIZE_MAX) {
		if (err != NULL)
			*err = run.err;
		r = run.err.code;
	}
	if (r == 0)
		r = hp_callers_check(tree, run.results, err);
	if (r == 0)
		r = hp_result_merge(run.results, tree->cnt, opts, set, err);
	for (size_t i = 0; i < tree->cnt; i++)
		hp_result_release(&run.results[i]);
	free(run.results);
	(void)pthread_mutex_destroy(&run.lock);
	return r;
}

int
hp_diff(const char *old_path, const char *new_path, const struct hp_diff_options *opts, struct hp_patchset *ret,
        struct hp_err *err)
{
	HP_AUTO(hp_tree) struct hp_tree tree = { 0 };
	struct hp_patchset set = { 0 };
	int r = hp_tree_pair(old_path, new_path, &set.arena, &tree, err);

	if (r == 0)
		r = diff_tree(&tree, opts, &set, err);
	if (r < 0)
		hp_patchset_release(&set);
	else
		*ret = set;
	return r;
}

static int
by_path(const void *a, const void *b)
{
	return strcmp(((const struct hp_diff_file *)a)->path, ((const struct hp_diff_file *)b)->path);
}

static int
copy_files(const struct hp_diff_file *files, size_t cnt, struct hp_arena *arena, struct hp_tree *ret, struct hp_err *err)
{
	ret->files = hp_arena_array(arena, cnt, sizeof(*ret->files));
	if (ret->files == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %zu pairs", cnt);
	for (size_t i = 0; i < cnt; i++) {
		ret->files[i] = files[i];
		ret->files[i].path = hp_arena_strdup(arena, files[i].path);
		if (ret->files[i].path == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory for %zu pairs", cnt);
	}
	if (cnt > 0)
		qsort(ret->files, cnt, sizeof(*ret->files), by_path);
	ret->cnt = cnt;
	return 0;
}

int
hp_diff_files(const struct hp_diff_file *files, size_t cnt, const struct hp_diff_options *opts, struct hp_patchset *ret,
              struct hp_err *err)
{
	HP_AUTO(hp_tree) struct hp_tree tree = { 0 };
	struct hp_patchset set = { 0 };
	int r = cnt == 0 ? hp_err_set(err, HP_E_FORMAT, "no object files to compare")
	                 : copy_files(files, cnt, &set.arena, &tree, err);

	if (r == 0)
		r = diff_tree(&tree, opts, &set, err);
	if (r < 0)
		hp_patchset_release(&set);
	else
		*ret = set;
	return r;
}
