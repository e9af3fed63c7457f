/* Which objects of a build tree went into one module, for trees that hold more than that module's objects. */
#ifndef HP_CLI_MEMBERS_H
#define HP_CLI_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "differ/diff.h"
#include "packager/prove.h"

/* Objects of the original tree; those that only the patched one has. */
struct hp_members {
	struct hp_arena arena;
	struct hp_prove_object *objects; /* sorted by path */
	struct hp_diff_file *files;      /* of the same index */
	bool *changed;                   /* likewise: the two sides differ */
	bool *wanted;                    /* likewise: see hp_members_want() */
	size_t objects_cnt;
	struct hp_diff_file *added;
	size_t added_cnt;
};

/* hp_members_open(original, patched, all, ret, err): two folders; without ${all} only objects that differ in bytes.
 * HP_E_IO, HP_E_FORMAT not an object, LTO bytecode; HP_E_NOMEM. */
HP_MUST_CHECK int hp_members_open(const char *original, const char *patched, bool all, struct hp_members *ret,
                                  struct hp_err *err);
/* hp_members_count(m): after hp_prove(m->objects): how many changed objects are in the module. hp_members_want(): these go along.
 */
size_t hp_members_count(const struct hp_members *m);
void hp_members_want(struct hp_members *m);
/* hp_members_select(m, ret_cnt, err): the wanted pairs, and what was added. NULL: no memory. */
const struct hp_diff_file *hp_members_select(struct hp_members *m, size_t *ret_cnt, struct hp_err *err);
void hp_members_release(struct hp_members *m);

static inline void
hp_members_auto(struct hp_members *m)
{
	hp_members_release(m);
}

#endif
