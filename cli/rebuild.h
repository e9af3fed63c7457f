/* The two builds of `hpbuild build`: original, then the same place with the fix applied.
 *
 * The build command runs in the source folder, as it would without hpbuild. After the first run all objects below the folder are
 * copied away; the patches are applied with patch(1), the command runs again, and the patches are taken back, also after a
 * failure or an interrupt, so that the sources are left as they were found. The objects of the second build stay in place.
 */
#ifndef HP_CLI_REBUILD_H
#define HP_CLI_REBUILD_H

#include <stdbool.h>

#include "base/err.h"

struct hp_rebuild {
	const char *source;         /* folder in which the command runs */
	const char *objects;        /* folder below which it leaves the objects */
	const char *const *patches; /* applied in this order */
	unsigned patches_cnt;
	unsigned strip;             /* -pN of patch(1) */
	char *const *command;       /* terminated by NULL; no shell */
	char *const *again; /* for the second build, NULL = the same; when it compiles nothing, ${command} runs after all */
	char *const *unpack;        /* NULL, or: makes ${fresh}, the sources anew, for trees that cannot be built twice */
	const char *fresh;          /* folder beside ${source}, whose place it takes when ${again} was not enough */
	const char *work_dir;       /* scratch folder, exists; gets originals/ and the logs */
	double seconds[2];          /* out: wall time of the two builds */
};

/* hp_rebuild_original(rb, err): after success ${work_dir}/originals holds the objects of the first build under their relative
 * paths. hp_rebuild_patched(rb, err): those of the second build are in their places. HP_E_IO: a command failed (its log's last
 * lines are printed, the log stays in work_dir), a patch does not apply, interrupted; HP_E_NOTHING: the first build left no
 * object. */
HP_MUST_CHECK int hp_rebuild_original(struct hp_rebuild *rb, struct hp_err *err);
HP_MUST_CHECK int hp_rebuild_patched(struct hp_rebuild *rb, struct hp_err *err);

#endif
