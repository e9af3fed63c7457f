/* What this package has to do with those that are in the process already (applier/plan.h): conflicts, replacement in one switch,
 * variables that live on. Steps of hp_plan_make(), in this order, and of hp_switch(). Nothing of a record is believed before the
 * package inside was verified and its plan has compared both. */
#ifndef HP_APPLIER_REPLACE_H
#define HP_APPLIER_REPLACE_H

#include "applier/plan.h"

/* hp_replace_find(plan, err): targets are found: fill plan->replaced. HP_E_BUSY: an interrupted switch of another package; one
 * that is to be replaced and is newer, or patches more modules; its signature. */
HP_MUST_CHECK int hp_replace_find(struct hp_plan *plan, struct hp_err *err);
/* hp_replace_has(plan, rec): the record's package is among plan->replaced. */
bool hp_replace_has(const struct hp_plan *plan, const struct hp_rec *rec);
/* hp_replace_adopt(plan, err): fill plan->adopted. HP_E_UNPATCHABLE: the same variable, but another type or size. */
HP_MUST_CHECK int hp_replace_adopt(struct hp_plan *plan, struct hp_err *err);
/* hp_replace_originals(plan): entries that a replaced package redirects: what the module had there. */
void hp_replace_originals(struct hp_plan *plan);
/* hp_replace_check(plan, err): HP_E_BUSY: a function belongs to a package that stays, or one that stays replaces this one. */
HP_MUST_CHECK int hp_replace_check(const struct hp_plan *plan, struct hp_err *err);
/* hp_replace_writes(plan, err): fill plan->writes. */
HP_MUST_CHECK int hp_replace_writes(struct hp_plan *plan, struct hp_err *err);
/* hp_replace_is_theirs(plan, va, bytes): the redirection of a package that is replaced. O(log n); no allocation. */
bool hp_replace_is_theirs(const struct hp_plan *plan, uint64_t va, const uint8_t *bytes);

#endif
