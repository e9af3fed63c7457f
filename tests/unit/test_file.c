#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/unit/unit.h"

static void
put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void
assert_holds(const char *path, const char *text)
{
	struct hp_buf buf;
	struct hp_err err = { 0 };

	assert_fine(hp_file_read(path, 1 << 20, &buf, &err), &err);
	assert_int_equal(buf.len, strlen(text));
	if (buf.len > 0)
		assert_memory_equal(buf.p, text, buf.len);
	hp_buf_release(&buf);
}

static unsigned
entries(const char *dir)
{
	DIR *d = opendir(dir);
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n - 2;
}

static void
reads_whole_files(void **state)
{
	struct hp_err err = { 0 };
	struct hp_buf buf;
	char *text = malloc(200001);

	(void)state;
	put(scratch("empty"), "");
	assert_holds(scratch("empty"), "");
	memset(text, 'x', 200000);
	text[200000] = '\0';
	put(scratch("big"), text);
	assert_holds(scratch("big"), text);
	free(text);
	assert_fine(hp_file_read(scratch("big"), 200000, &buf, &err), &err);
	hp_buf_release(&buf);
	assert_code(hp_file_read(scratch("big"), 199999, &buf, &err), HP_E_LIMIT, &err);
	assert_null(buf.p);
	/* A file whose size is not known before it is read. */
	assert_fine(hp_file_read("/proc/self/maps", 1 << 20, &buf, &err), &err);
	assert_true(buf.len > 100);
	hp_buf_release(&buf);
	assert_code(hp_file_read("/proc/self/maps", 100, &buf, &err), HP_E_LIMIT, &err);
	assert_int_equal(hp_file_read("/proc/self/maps", 100, &buf, NULL), HP_E_LIMIT);
}

static void
refuses_what_is_no_file(void **state)
{
	struct hp_buf buf;
	struct hp_err err = { 0 };
	char text[512];

	(void)state;
	assert_code(hp_file_read(scratch("missing\n\033[2J"), 10, &buf, &err), HP_E_IO, &err);
	assert_int_equal(err.sys_errno, ENOENT);
	hp_err_format(&err, text, sizeof(text));
	assert_null(strchr(text, '\n'));
	assert_null(strchr(text, '\033'));
	assert_non_null(strstr(text, "No such file"));
	assert_code(hp_file_read(scratch(""), 10, &buf, &err), HP_E_IO, &err);
	assert_int_equal(err.sys_errno, EISDIR);
	/* Opening a FIFO without a writer would wait for ever. */
	assert_int_equal(mkfifo(scratch("fifo"), 0600), 0);
	assert_code(hp_file_read(scratch("fifo"), 10, &buf, &err), HP_E_IO, &err);
	assert_code(hp_file_read("/dev/zero", 10, &buf, &err), HP_E_IO, &err);
	assert_null(buf.p);
	assert_int_equal(symlink("loop", scratch("loop")), 0);
	assert_code(hp_file_read(scratch("loop"), 10, &buf, &err), HP_E_IO, &err);
	assert_int_equal(err.sys_errno, ELOOP);
}

static void
writes_replace_whole_files(void **state)
{
	struct hp_err err = { 0 };
	struct stat st;
	mode_t mask = umask(027);

	(void)state;
	assert_int_equal(mkdir(scratch("w"), 0700), 0);
	assert_fine(hp_file_write(scratch("w/a"), hp_view_of("new", 3), 0666, &err), &err);
	assert_holds(scratch("w/a"), "new");
	assert_int_equal(stat(scratch("w/a"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_fine(hp_file_write(scratch("w/a"), hp_view_of(NULL, 0), 0600, &err), &err);
	assert_holds(scratch("w/a"), "");
	assert_int_equal(stat(scratch("w/a"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(umask(mask), 027); /* given back */
	assert_int_equal(entries(scratch("w")), 1);

	/* Relative, in the folder itself. */
	assert_int_equal(chdir(scratch("w")), 0);
	assert_fine(hp_file_write("b", hp_view_of("b", 1), 0666, &err), &err);
	assert_holds("b", "b");
	assert_int_equal(chdir("/"), 0);
}

static void
write_to_bad_places_fails(void **state)
{
	struct hp_err err = { 0 };
	struct stat st;

	(void)state;
	assert_code(hp_file_write(scratch("no/such/x"), hp_view_of("x", 1), 0666, &err), HP_E_IO, &err);
	assert_int_equal(err.sys_errno, ENOENT);
	assert_int_equal(mkdir(scratch("dir"), 0700), 0);
	assert_int_equal(mkdir(scratch("dir/target"), 0700), 0);
	assert_code(hp_file_write(scratch("dir/target"), hp_view_of("x", 1), 0666, &err), HP_E_IO, &err);
	assert_int_equal(err.sys_errno, EISDIR);
	/* Devices, FIFOs and links (root could lose /dev/null or /dev/stdout) are not replaced. */
	assert_int_equal(mkfifo(scratch("dir/fifo"), 0600), 0);
	assert_code(hp_file_write(scratch("dir/fifo"), hp_view_of("x", 1), 0666, &err), HP_E_IO, &err);
	assert_int_equal(lstat(scratch("dir/fifo"), &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(symlink("fifo", scratch("dir/to-fifo")), 0);
	assert_code(hp_file_write(scratch("dir/to-fifo"), hp_view_of("x", 1), 0666, &err), HP_E_IO, &err);
	assert_int_equal(lstat(scratch("dir/to-fifo"), &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(entries(scratch("dir")), 3);
}

/* In a child whose files may not grow beyond 4 KiB, as on a full disk. */
static void
failed_write_keeps_the_old_content(void **state)
{
	static char data[100000];
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(mkdir(scratch("full"), 0700), 0);
	put(scratch("full/pkg"), "old");
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		const struct rlimit lim = { 4096, 4096 };
		struct hp_err err = { 0 };
		int r;

		(void)signal(SIGXFSZ, SIG_IGN);
		if (setrlimit(RLIMIT_FSIZE, &lim) < 0)
			_exit(2);
		r = hp_file_write(scratch("full/pkg"), hp_view_of(data, sizeof(data)), 0666, &err);
		_exit(r == HP_E_IO && err.sys_errno == EFBIG ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_holds(scratch("full/pkg"), "old");
	assert_int_equal(entries(scratch("full")), 1); /* no temporary file left */
}

/* Killed at a random moment: the old content or the new, never a part. */
static void
killed_write_leaves_old_or_new(void **state)
{
	enum { LEN = 3 << 20 };
	struct rnd r = rnd_start("kill");
	struct hp_err err = { 0 };
	char *data = malloc(LEN);
	unsigned olds = 0, news = 0;

	(void)state;
	memset(data, 'n', LEN);
	assert_int_equal(mkdir(scratch("kill"), 0700), 0);
	for (int i = 0; i < 30; i++) {
		struct hp_buf buf;
		pid_t pid;

		put(scratch("kill/pkg"), "old");
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			_exit(hp_file_write(scratch("kill/pkg"), hp_view_of(data, LEN), 0666, NULL) != 0);
		(void)usleep((useconds_t)rnd_below(&r, 8000));
		(void)kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		assert_fine(hp_file_read(scratch("kill/pkg"), LEN, &buf, &err), &err);
		if (buf.len == LEN) {
			news++;
			assert_memory_equal(buf.p, data, LEN);
		} else {
			olds++;
			assert_int_equal(buf.len, 3);
			assert_memory_equal(buf.p, "old", 3);
		}
		hp_buf_release(&buf);
	}
	print_message("killed writes: %u old, %u new\n", olds, news);
	free(data);
}

static void
path_kinds(void **state)
{
	(void)state;
	assert_int_equal(mkdir(scratch("k"), 0700), 0);
	put(scratch("k/file"), "");
	assert_int_equal(mkfifo(scratch("k/fifo"), 0600), 0);
	assert_int_equal(symlink("file", scratch("k/link")), 0);
	assert_int_equal(symlink("nowhere", scratch("k/dangling")), 0);
	assert_int_equal(hp_path_kind(scratch("k/nothing")), HP_PATH_MISSING);
	assert_int_equal(hp_path_kind(scratch("k/dangling")), HP_PATH_MISSING);
	assert_int_equal(hp_path_kind(scratch("k/file")), HP_PATH_FILE);
	assert_int_equal(hp_path_kind(scratch("k/link")), HP_PATH_FILE);
	assert_int_equal(hp_path_kind(scratch("k")), HP_PATH_DIR);
	assert_int_equal(hp_path_kind(scratch("k/fifo")), HP_PATH_OTHER);
}

static void
trees_are_listed_in_one_order(void **state)
{
	static const char *const dirs[] = { "t", "t/b", "t/b/deep", "t/a", "t/empty", "t/x.o" };
	static const char *const files[] = { "t/z.o", "t/a/1.o",     "t/b/deep/q.o",        "t/b/2.o",       "t/a.o", "t/a-b.o",
		                             "t/B.o", "t/notes.txt", "t/x.o/in-a-folder.o", "t/bad\nname.o", "t/.o" };
	static const char *const want[] = { ".o", "B.o", "a-b.o", "a.o", "a/1.o", "b/2.o", "b/deep/q.o", "bad\nname.o", "link.o",
		                            "x.o/in-a-folder.o", "z.o" };
	struct hp_arena arena = { 0 };
	struct hp_err err = { 0 };
	char **paths;
	size_t cnt;

	(void)state;
	for (size_t i = 0; i < CNT(dirs); i++)
		assert_int_equal(mkdir(scratch(dirs[i]), 0700), 0);
	for (size_t i = 0; i < CNT(files); i++)
		put(scratch(files[i]), "");
	assert_int_equal(symlink("z.o", scratch("t/link.o")), 0);
	assert_int_equal(symlink("..", scratch("t/b/up.o")), 0);      /* to a folder: not followed */
	assert_int_equal(symlink("self.o", scratch("t/self.o")), 0);  /* a loop */
	assert_int_equal(symlink("gone", scratch("t/dangling.o")), 0);
	assert_int_equal(mkfifo(scratch("t/fifo.o"), 0600), 0);

	assert_fine(hp_tree_list(scratch("t"), ".o", &arena, &paths, &cnt, &err), &err);
	assert_int_equal(cnt, CNT(want));
	for (size_t i = 0; i < cnt; i++)
		assert_string_equal(paths[i], want[i]);
	assert_fine(hp_tree_list(scratch("t"), NULL, &arena, &paths, &cnt, &err), &err);
	assert_int_equal(cnt, CNT(want) + 1);
	assert_fine(hp_tree_list(scratch("t/empty"), ".o", &arena, &paths, &cnt, &err), &err);
	assert_int_equal(cnt, 0);
	assert_non_null(paths);
	hp_arena_release(&arena);
}

static void
listing_fails_clearly(void **state)
{
	struct hp_arena arena = { 0 };
	struct hp_err err = { 0 };
	char **paths = NULL;
	size_t cnt = 99;
	int dfd;

	(void)state;
	assert_code(hp_tree_list(scratch("no-folder"), NULL, &arena, &paths, &cnt, &err), HP_E_IO, &err);
	put(scratch("plain"), "");
	assert_code(hp_tree_list(scratch("plain"), NULL, &arena, &paths, &cnt, &err), HP_E_IO, &err);
	assert_int_equal(err.sys_errno, ENOTDIR);

	/* 64 folders below the first are fine, one more is not. */
	assert_int_equal(mkdir(scratch("deep"), 0700), 0);
	dfd = open(scratch("deep"), O_RDONLY | O_DIRECTORY);
	for (int i = 0; i < 65; i++) {
		int next;

		assert_int_equal(mkdirat(dfd, "d", 0700), 0);
		if (i < 64) {
			struct hp_err e = { 0 };

			cnt = 99;
			assert_fine(hp_tree_list(scratch("deep"), NULL, &arena, &paths, &cnt, &e), &e);
			assert_int_equal(cnt, 0);
		}
		next = openat(dfd, "d", O_RDONLY | O_DIRECTORY);
		assert_true(next >= 0);
		(void)close(dfd);
		dfd = next;
	}
	(void)close(dfd);
	cnt = 99;
	assert_code(hp_tree_list(scratch("deep"), NULL, &arena, &paths, &cnt, &err), HP_E_LIMIT, &err);
	assert_int_equal(cnt, 99); /* results are written on success only */
	hp_arena_release(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_whole_files),
		cmocka_unit_test(refuses_what_is_no_file),
		cmocka_unit_test(writes_replace_whole_files),
		cmocka_unit_test(write_to_bad_places_fails),
		cmocka_unit_test(failed_write_keeps_the_old_content),
		cmocka_unit_test(killed_write_leaves_old_or_new),
		cmocka_unit_test(path_kinds),
		cmocka_unit_test(trees_are_listed_in_one_order),
		cmocka_unit_test(listing_fails_clearly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
