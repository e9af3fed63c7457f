/* A patch set as text for people and as JSON (hpbuild.diff/1, DESIGN section 8). */
#ifndef HP_CLI_DIFF_PRINT_H
#define HP_CLI_DIFF_PRINT_H

#include <jansson.h>

#include "formats/patchset.h"

/* One line of the answer: a function or a data object of one pair. */
struct hp_diff_row {
	const char *name;
	enum hp_change change;
	const char *section, *source, *why;
	bool func;
};
extern const char *const hp_change_names[]; /* by enum hp_change */

/* hp_diff_rows(pair, old_side, each, ctx): call ${each} for every function symbol and every named data object that is not the
 * same, in object order; with ${old_side} for those that only the original has. */
void hp_diff_rows(const struct hp_pair *pair, bool old_side, void (*each)(void *ctx, const struct hp_diff_row *row), void *ctx);

/* hp_diff_text_order(a, b): by everything but the object: a changed header gives the same reason in every object that includes
 * it. hp_diff_by_text(set, refuse, ret_cnt): refusals or notes in that order, then by object; the caller frees it. NULL: no
 * memory. */
int hp_diff_text_order(const struct hp_reason *a, const struct hp_reason *b);
const struct hp_reason **hp_diff_by_text(const struct hp_patchset *set, bool refuse, size_t *ret_cnt);

void hp_diff_print(const struct hp_patchset *set);
/* hp_diff_json(set): a new reference; NULL: no memory. */
json_t *hp_diff_json(const struct hp_patchset *set);
/* hp_diff_json_reasons(set): the "reasons" array alone. */
json_t *hp_diff_json_reasons(const struct hp_patchset *set);
/* hp_diff_sarif(set): SARIF 2.1.0 for code-review pages; a new reference; NULL: no memory. */
json_t *hp_diff_sarif(const struct hp_patchset *set);

#endif
