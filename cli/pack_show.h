/* What `hpbuild pack` prints: text, or JSON of schema hpbuild.pack/1. */
#ifndef HP_CLI_PACK_SHOW_H
#define HP_CLI_PACK_SHOW_H

#include "cli/coverage.h"
#include "formats/patchset.h"
#include "packager/pack.h"

/* hp_pack_show(set, report, path, len, signer, json): the package ${path} of ${len} bytes was written; signer: the key's id as
 * text, NULL for an unsigned one. */
void hp_pack_show(const struct hp_patchset *set, const struct hp_pack_report *report, const char *path, size_t len,
                  const char *signer, const struct hp_coverage *cov, bool json);
/* hp_pack_show_verdict(set, json): nothing to patch, or refused, with the reasons. Returns the exit status. */
int hp_pack_show_verdict(const struct hp_patchset *set, bool json);

#endif
