/* Coverage: how much of the baseline's code is proven to come from the given objects, and what comes from none of them.
 *
 * An object that was forgotten may hold an inlined copy of the flaw; nothing else would show it. What the linker and the compiler
 * add by themselves (PLT, padding, start files) does not count, and neither do libraries that were named.
 */
#ifndef HP_CLI_COVERAGE_H
#define HP_CLI_COVERAGE_H

#include <jansson.h>
#include <stdbool.h>

#include "cli/opts.h"
#include "packager/prove.h"

/* Rows of an option table. `c` is a struct hp_coverage. */
#define HP_OPT_COVERAGE(c) \
	{ 0, "library", HP_OPT_LIST, &(c).libraries, "FILE", "linked in as well: archive, object or folder; may be repeated" }, \
	{ 0, "prove-all", HP_OPT_FLAG, &(c).all, NULL, "every object must equal the baseline, not just changed ones" }, \
	{ 0, "coverage", HP_OPT_FLAG, &(c).list, NULL, "list the baseline's code that is from no object" }

struct hp_coverage {
	/* Set by the verb. */
	struct hp_opt_list libraries;
	bool list, all;
	/* Filled in. */
	bool known;
	unsigned objects_cnt;           /* that are part of the module, libraries included */
	unsigned funcs_cnt, proven_cnt; /* their functions, without those that the linker has dropped */
	struct hp_prove_report report;  /* gaps */
};

/* hp_coverage_measure(cov, original, base, err): prove the objects of ${original} (folder, archive or object) and of the
 * libraries. Not being able to is a message, unless ${cov}->all or a library was asked for. HP_E_BASELINE: with all: an object
 * of the module differs; HP_E_IO, HP_E_FORMAT, HP_E_NOMEM. */
HP_MUST_CHECK int hp_coverage_measure(struct hp_coverage *cov, const char *original, const struct hp_pack_baseline *base,
                                      struct hp_err *err);
/* hp_coverage_take(cov, objects, cnt, report): the result of an hp_prove() that has been made already; owns ${report} then. */
void hp_coverage_take(struct hp_coverage *cov, const struct hp_prove_object *objects, size_t cnt,
                      const struct hp_prove_report *report);
/* hp_coverage_percent(cov): proven code, of all that counts; 100 when there is none. */
double hp_coverage_percent(const struct hp_coverage *cov);
void hp_coverage_show(const struct hp_coverage *cov);
json_t *hp_coverage_json(const struct hp_coverage *cov); /* null when it is not known */
void hp_coverage_release(struct hp_coverage *cov);

#endif
