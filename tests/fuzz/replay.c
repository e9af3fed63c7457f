/* A plain main for a fuzz target: feeds it every file of the folders and files given, without libFuzzer. `make check` replays the
 * corpora this way with any compiler; also to look at one finding in a debugger. The last line says how many inputs it read. */
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
feed(const char *path)
{
	HP_AUTO(hp_buf) struct hp_buf buf = { 0 };
	struct hp_err err = { 0 };
	char text[1024];
	uint8_t *exact;

	if (hp_file_read(path, (uint64_t)64 << 20, &buf, &err) < 0) {
		hp_err_format(&err, text, sizeof(text));
		(void)fprintf(stderr, "replay: %s\n", text);
		exit(1);
	}
	(void)fprintf(stderr, "%s\n", path); /* the last one printed is the one that crashed */
	/* A block of exactly this length, so that a sanitizer sees the first byte beyond it. */
	exact = malloc(buf.len > 0 ? buf.len : 1);
	if (exact == NULL)
		exit(1);
	if (buf.len > 0)
		memcpy(exact, buf.p, buf.len);
	(void)LLVMFuzzerTestOneInput(exact, buf.len);
	free(exact);
}

int
main(int argc, char **argv)
{
	struct hp_arena arena = { 0 };
	size_t total = 0;

	for (int i = 1; i < argc; i++) {
		char **paths;
		size_t cnt;

		if (hp_path_kind(argv[i]) != HP_PATH_DIR) {
			feed(argv[i]);
			total++;
			continue;
		}
		if (hp_tree_list(argv[i], NULL, &arena, &paths, &cnt, NULL) < 0)
			exit(1);
		for (size_t k = 0; k < cnt; k++) {
			const char *path = hp_arena_printf(&arena, "%s/%s", argv[i], paths[k]);

			if (path == NULL)
				exit(1);
			feed(path);
		}
		total += cnt;
	}
	hp_arena_release(&arena);
	(void)printf("%zu inputs\n", total);
	return 0;
}
