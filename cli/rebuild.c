#include "cli/rebuild.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/file.h"
#include "cli/command.h"
#include "cli/folder.h"
#include "cli/out.h"
#include "formats/limits.h"

static double
now_s(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int
run_patch(const struct hp_rebuild *rb, const char *file, bool reverse, bool dry, struct hp_err *err)
{
	HP_AUTO(hp_mem) char *log = NULL;
	HP_AUTO(hp_mem) char *full = realpath(file, NULL);
	char name[] = "patch", strip[16], force[] = "-f", silent[] = "-s", no_backup[] = "--no-backup-if-mismatch",
	     exact[] = "-F0";
	char input[] = "-i", back[] = "-R", no_change[] = "--dry-run";
	char *argv[] = { name, strip, force, silent, no_backup, exact, input, full, NULL, NULL, NULL };
	int n = 8;

	if (full == NULL)
		return hp_err_set(err, HP_E_IO, "cannot open patch '%s'", hp_esc(file));
	if (asprintf(&log, "%s/patch.log", rb->work_dir) < 0) {
		log = NULL;
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	}
	(void)snprintf(strip, sizeof(strip), "-p%u", rb->strip);
	if (reverse)
		argv[n++] = back;
	if (dry)
		argv[n] = no_change;
	return hp_command_run(rb->source, argv, log, reverse ? "taking the patch back" : "applying the patch", err);
}

/* Take back the first ${cnt} patches, last one first. What fails here leaves changed sources, so it wins over ${r}. */
static int
unpatch(const struct hp_rebuild *rb, unsigned cnt, int r, struct hp_err *err)
{
	struct hp_err again = { 0 };

	hp_command_forget();
	for (unsigned i = cnt; i-- > 0;) {
		int r2 = run_patch(rb, rb->patches[i], true, false, &again);

		if (r2 < 0) {
			*err = again;
			return hp_err_add(err, "the sources in '%s' still have the patch", hp_esc(rb->source));
		}
	}
	return r;
}

static int
keep_originals(const struct hp_rebuild *rb, struct hp_err *err)
{
	HP_AUTO(hp_arena) struct hp_arena arena = { 0 };
	char **paths;
	size_t cnt;
	int r = hp_tree_list(rb->objects, ".o", &arena, &paths, &cnt, err);

	for (size_t i = 0; i < cnt && r == 0; i++) {
		char *from = hp_arena_printf(&arena, "%s/%s", rb->objects, paths[i]);
		char *to = hp_arena_printf(&arena, "%s/originals/%s", rb->work_dir, paths[i]);

		r = from == NULL || to == NULL ? hp_err_set(err, HP_E_NOMEM, "no memory") : hp_file_copy(from, to, err);
	}
	if (r == 0 && cnt == 0)
		r = hp_err_set(err, HP_E_NOTHING,
		               "the build command left no object file (.o) below '%s' (--objects DIR says where else they are)",
		               hp_esc(rb->objects));
	return r;
}

static int
build_once(struct hp_rebuild *rb, int which, char *const *command, struct hp_err *err)
{
	static const char *const what[2] = { "original build", "patched build" };
	HP_AUTO(hp_mem) char *log = NULL;
	double start = now_s();
	int r;

	if (asprintf(&log, "%s/build-%s.log", rb->work_dir, which == 0 ? "original" : "patched") < 0) {
		log = NULL;
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	}
	hp_note("%s: %s", what[which], command[0]);
	r = hp_command_run(rb->source, command, log, what[which], err);
	rb->seconds[which] += now_s() - start;
	return r;
}

/* 1: an object below the folder is younger than ${since}. */
static int
built_since(const struct hp_rebuild *rb, const struct timespec *since, struct hp_err *err)
{
	HP_AUTO(hp_arena) struct hp_arena arena = { 0 };
	char **paths;
	size_t cnt;
	int r = hp_tree_list(rb->source, ".o", &arena, &paths, &cnt, err);

	for (size_t i = 0; i < cnt && r == 0; i++) {
		const char *path = hp_arena_printf(&arena, "%s/%s", rb->source, paths[i]);
		struct stat st;

		if (path == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory");
		if (stat(path, &st) == 0 && (st.st_mtim.tv_sec > since->tv_sec ||
		                             (st.st_mtim.tv_sec == since->tv_sec && st.st_mtim.tv_nsec >= since->tv_nsec)))
			return 1;
	}
	return r;
}

/* Not every tree can be built a second time (a rule that makes a link fails when the link is there, and `clean` forgets it): the
 * whole second build begins where the first one did. */
static int
renew(const struct hp_rebuild *rb, struct hp_err *err)
{
	HP_AUTO(hp_mem) char *log = NULL;
	int r;

	if (asprintf(&log, "%s/unpack.log", rb->work_dir) < 0) {
		log = NULL;
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	}
	hp_remove_tree(rb->fresh);
	r = hp_command_run(rb->work_dir, rb->unpack, log, "unpacking the sources again", err);
	if (r < 0)
		return r;
	hp_remove_tree(rb->source);
	if (rename(rb->fresh, rb->source) < 0)
		return hp_err_set(err, HP_E_IO, "cannot rename '%s' to '%s': %s", hp_esc(rb->fresh), hp_esc(rb->source),
		                  strerror(errno));
	for (unsigned i = 0; i < rb->patches_cnt && r == 0; i++)
		r = run_patch(rb, rb->patches[i], false, false, err);
	return r;
}

/* The short second build, and the long one when that did not build anything: its rules may not look at file times. */
static int
build_again(struct hp_rebuild *rb, const struct timespec *since, struct hp_err *err)
{
	struct hp_err again = { 0 };
	int r;

	if (rb->again == NULL)
		return build_once(rb, 1, rb->command, err);
	r = build_once(rb, 1, rb->again, &again);
	if (r < 0 && hp_command_was_interrupted()) {
		*err = again;
		return r;
	}
	if (r == 0)
		r = built_since(rb, since, err);
	else
		r = 0;
	if (r != 0)
		return r < 0 ? r : 0;
	hp_note(again.code != 0 ? "the short second build failed; building all"
	                        : "the second build did not compile anything; building all");
	if (rb->unpack != NULL && renew(rb, err) < 0)
		return err->code;
	return build_once(rb, 1, rb->command, err);
}

static int
build_patched(struct hp_rebuild *rb, struct hp_err *err)
{
	/* make(1) compares file times, which tick every few milliseconds: the patched source must be newer than its object. */
	const struct timespec tick = { .tv_nsec = 50 * 1000 * 1000 };
	struct timespec since;
	unsigned applied = 0;
	int r = 0;

	(void)nanosleep(&tick, NULL);
	(void)clock_gettime(CLOCK_REALTIME_COARSE, &since); /* the clock of file times */
	for (; applied < rb->patches_cnt && r == 0; applied += r == 0) {
		/* patch(1) stops half-way at a hunk that does not fit; a dry run first makes each patch all or nothing. */
		r = run_patch(rb, rb->patches[applied], false, true, err);
		if (r == 0)
			r = run_patch(rb, rb->patches[applied], false, false, err);
	}
	if (r == 0)
		r = build_again(rb, &since, err);
	return unpatch(rb, applied, r, err);
}

int
hp_rebuild_original(struct hp_rebuild *rb, struct hp_err *err)
{
	struct hp_command_signals old;
	int r = 0;

	hp_command_catch(&old);
	/* A patch that does not apply is found before the long build; later ones may depend on earlier ones. */
	if (rb->patches_cnt == 1)
		r = run_patch(rb, rb->patches[0], false, true, err);
	if (r == 0)
		r = build_once(rb, 0, rb->command, err);
	if (r == 0)
		r = keep_originals(rb, err);
	hp_command_restore(&old);
	return r;
}

int
hp_rebuild_patched(struct hp_rebuild *rb, struct hp_err *err)
{
	struct hp_command_signals old;
	int r;

	hp_command_catch(&old);
	r = build_patched(rb, err);
	hp_command_restore(&old);
	return r;
}
