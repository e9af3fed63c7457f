/* A package for verbs that only show it: verified, or read with --unverified and a loud warning. Expired ones may be shown. */
#ifndef HP_CLI_PKG_OPEN_H
#define HP_CLI_PKG_OPEN_H

#include "cli/opts.h"
#include "formats/verified.h"

struct hp_cli_pkg {
	struct hp_verified_pkg *verified; /* NULL: read with --unverified */
	struct hp_buf file;               /* with --unverified: what parts and pkg point into */
	struct hp_pkg unverified;
	struct hp_pkg_parts parts;
	const struct hp_pkg *pkg; /* the one of the two that is there */
};

/* hp_cli_pkg_open(path, trust, unverified, ret, err): as hp_verify_file(); ${ret} is released with hp_cli_pkg_release() in
 * any case. */
HP_MUST_CHECK int hp_cli_pkg_open(const char *path, const struct hp_opt_list *trust, bool unverified, struct hp_cli_pkg *ret,
                                  struct hp_err *err);
void hp_cli_pkg_release(struct hp_cli_pkg *p);

static inline void
hp_cli_pkg_auto(struct hp_cli_pkg *p)
{
	hp_cli_pkg_release(p);
}

#endif
