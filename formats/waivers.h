/* Waiver file: refusals that a person has accepted. JSON, "hpbuild.waivers/1", described in hpbuild-diff(1). It is written by
 * people: unknown, missing and repeated keys are errors, so that a typing mistake does not pass for an accepted risk.
 */
#ifndef HP_FORMATS_WAIVERS_H
#define HP_FORMATS_WAIVERS_H

#include "base/arena.h"
#include "base/err.h"

struct hp_waiver {
	const char *rule;   /* "HP2001" */
	const char *symbol; /* "*" = every one */
	const char *reason;
	const char *expires; /* "2027-01-31": the last day on which it counts, UTC */
};

/* hp_waivers_read(path, arena, ret, ret_cnt, err): all in ${arena}. HP_E_IO, HP_E_FORMAT, HP_E_LIMIT (1 MiB, 4096 waivers). */
HP_MUST_CHECK int hp_waivers_read(const char *path, struct hp_arena *arena, struct hp_waiver **ret, size_t *ret_cnt,
                                  struct hp_err *err);

#endif
