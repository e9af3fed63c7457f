/* Source and binary packages of the Debian archives that this machine already uses, without touching its configuration: a source
 * list of our own is derived from apt's, and the indexes, the cache and the downloads live in a folder of ours. apt checks the
 * archives' signatures and the files' digests.
 */
#ifndef HP_CLI_APT_H
#define HP_CLI_APT_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"

struct hp_apt {
	struct hp_arena *arena; /* the caller's */
	const char *dir;        /* absolute; apt/, apt.log and the downloads go there */
	const char *log;
	char *opts[16];         /* what makes apt-get use our folders, ends in NULL */
};

/* hp_apt_open(apt, arena, dir, err): make the lists and fetch the indexes. HP_E_IO: no archive with a known keyring, no network.
 */
HP_MUST_CHECK int hp_apt_open(struct hp_apt *apt, struct hp_arena *arena, const char *dir, struct hp_err *err);
/* hp_apt_source(apt, spec, err): download the source package ${spec} ("NAME=VERSION") to ${dir}/source and unpack it to
 * ${dir}/src. ret_dsc: path of its .dsc file. */
HP_MUST_CHECK int hp_apt_source(struct hp_apt *apt, const char *spec, const char **ret_dsc, struct hp_err *err);
/* hp_apt_binary(apt, name, version, err): download a binary package and unpack it to ${dir}/shipped/${name}. */
HP_MUST_CHECK int hp_apt_binary(struct hp_apt *apt, const char *name, const char *version, struct hp_err *err);
/* hp_apt_build_deps(apt, install, err): what the source in ${dir}/src needs to be built. HP_E_IO: something is missing, and
 * ${install} is false; the message names it. */
HP_MUST_CHECK int hp_apt_build_deps(struct hp_apt *apt, bool install, struct hp_err *err);

#endif
