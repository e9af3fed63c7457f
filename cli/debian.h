/* A shipped Debian package as the baseline: its source is fetched and rebuilt as it was built for the archive, and the package
 * that was shipped is fetched and compared with the rebuild.
 *
 * Everything happens in one folder, which can be used again for the next fix of the same version: then only what the patch
 * touches is compiled. In it: source/ and binary/ (downloads), src/ (unpacked, built), shipped/PACKAGE/ and rebuilt/PACKAGE/
 * (unpacked packages), originals/ (objects of the build without the fix), the logs, and `state` once all of that is there.
 */
#ifndef HP_CLI_DEBIAN_H
#define HP_CLI_DEBIAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "cli/rebuild.h"

enum hp_deb_same {
	HP_DEB_SAME_ID,    /* the rebuild has the build ID of the shipped module */
	HP_DEB_SAME_IMAGE, /* another build ID, but every loaded byte is the same */
	HP_DEB_DIFFERS,    /* the pre-image proof must tell function by function */
	HP_DEB_MISSING,    /* not in the rebuilt package */
};

/* An executable or shared library of a shipped package. Strings in the arena. */
struct hp_deb_module {
	const char *package;
	const char *path;    /* in the package: "usr/bin/memcached" */
	const char *shipped; /* file */
	const char *rebuilt; /* file, NULL = MISSING */
	const char *debug;   /* debug file of the rebuild, NULL = none */
	enum hp_deb_same same;
	char shipped_id[130], rebuilt_id[130]; /* hexadecimal */
};

struct hp_debian {
	const char *spec;              /* "PACKAGE=VERSION" of the source package */
	const char *const
		*binaries; /* "NAME" or "NAME=VERSION" of binary packages; none = all that the source builds for this CPU */
	unsigned binaries_cnt;
	const char *dir;               /* absolute */
	bool install_deps;
	/* Filled in. */
	struct hp_arena arena;
	const char *version;           /* of the source package, in spec */
	struct hp_rebuild rebuild;     /* the caller sets the patches before both calls */
	struct hp_deb_module *modules; /* sorted by package and path */
	size_t modules_cnt;
};

/* hp_debian_prepare(d, err): fetch, build the original, compare; or find all that in the folder. HP_E_IO: a command failed. */
HP_MUST_CHECK int hp_debian_prepare(struct hp_debian *d, struct hp_err *err);
/* hp_debian_patched(d, err): build with the patches; the objects are in ${dir}/src afterwards. */
HP_MUST_CHECK int hp_debian_patched(struct hp_debian *d, struct hp_err *err);
/* hp_debian_release(d): free the arena; the folder stays. */
void hp_debian_release(struct hp_debian *d);

#endif
