/* A patch set as text for people and as JSON (hpbuild.diff/1, DESIGN section 8). */
#ifndef HP_CLI_DIFF_PRINT_H
#define HP_CLI_DIFF_PRINT_H

#include <jansson.h>

#include "formats/patchset.h"

void hp_diff_print(const struct hp_patchset *set);
/* hp_diff_json(set): a new reference; NULL: no memory. */
json_t *hp_diff_json(const struct hp_patchset *set);
/* hp_diff_json_reasons(set): the "reasons" array alone. */
json_t *hp_diff_json_reasons(const struct hp_patchset *set);

#endif
