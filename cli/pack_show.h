/* What `hpbuild pack` prints: text, or JSON of schema hpbuild.pack/1. */
#ifndef HP_CLI_PACK_SHOW_H
#define HP_CLI_PACK_SHOW_H

#include <stdbool.h>
#include <stddef.h>

struct hp_pack_report;
struct hp_packing;
struct hp_patchset;

/* hp_pack_show(p, set, report, len): the package of ${len} bytes was written. */
void hp_pack_show(const struct hp_packing *p, const struct hp_patchset *set, const struct hp_pack_report *report, size_t len);
/* hp_pack_show_verdict(set, json): nothing to patch, or refused, with the reasons. Returns the exit status. */
int hp_pack_show_verdict(const struct hp_patchset *set, bool json);

#endif
