/* Rollback floor: for each baseline (build ID) the highest serial that was applied on this host, in a state folder.
 *
 *   DIR/floor/BUILDID     "hpbuild-floor 1\nserial N\nid PACKAGEID\n"; replaced whole, only ever raised, only by `apply`
 *   DIR/overrides.log     one line for each use of --allow-downgrade or --allow-expired by `apply`
 *
 * A package whose serial is below the floor of one of its targets is too old. Equal is fine: the same package again, or another
 * host's. Damaged state is an error, not "no floor". Concurrent writers are kept apart by a lock.
 */
#ifndef HP_SIGNER_FLOOR_H
#define HP_SIGNER_FLOOR_H

#include "base/err.h"
#include "formats/package.h"

/* hp_floor_check(dir, pkg, err): HP_E_EXPIRED: too old, with both serials; HP_E_FORMAT: damaged state; HP_E_IO. A folder that is
 * not there has no floor. Reads only. */
HP_MUST_CHECK int hp_floor_check(const char *dir, const struct hp_pkg *pkg, struct hp_err *err);
/* hp_floor_prepare(dir, err): make the folder, and see that it can be written: before anything is done that must be remembered.
 */
HP_MUST_CHECK int hp_floor_prepare(const char *dir, struct hp_err *err);
/* hp_floor_raise(dir, pkg, err): floors of the package's targets to its serial, where that is higher. */
HP_MUST_CHECK int hp_floor_raise(const char *dir, const struct hp_pkg *pkg, struct hp_err *err);
/* hp_floor_record(dir, pkg, what, pid, now, err): a line in overrides.log, on disk when this returns. */
HP_MUST_CHECK int hp_floor_record(const char *dir, const struct hp_pkg *pkg, const char *what, int pid, uint64_t now,
                                  struct hp_err *err);

#endif
