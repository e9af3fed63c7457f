/* The result of one pair, and how the results of all become a patch set. */
#ifndef HP_DIFFER_RESULT_H
#define HP_DIFFER_RESULT_H

#include "differ/diff.h"
#include "differ/reason.h"
#include "differ/tree.h"

struct hp_result {
	struct hp_arena arena; /* reasons and producers */
	struct hp_pair pair;   /* owns the objects until merged */
	struct hp_reasons reasons;
	const char **producers; /* DW_AT_producer of the patched object's units, when it has changed functions */
	size_t producers_cnt;
	uint16_t machine; /* EM_*; 0 = not read, the files are identical */
	bool baseline_known; /* as in hp_diff_options; set before the comparison */
	bool keep;        /* something differs in meaning */
};

void hp_result_release(struct hp_result *result);
/* hp_result_merge(results, cnt, opts, set, err): move pairs and reasons into ${set} in order, compute the verdict. */
HP_MUST_CHECK int hp_result_merge(struct hp_result *results, size_t cnt, const struct hp_diff_options *opts,
                                  struct hp_patchset *set, struct hp_err *err);
/* hp_callers_check(tree, results, err): the notes HP_RULE_CALLERS_GO_ALONG become refusals where an object calls the function
 * from code that is not in the package. results: [tree->cnt]. */
HP_MUST_CHECK int hp_callers_check(const struct hp_tree *tree, struct hp_result *results, struct hp_err *err);

#endif
