/* Arena: many small zeroed blocks, freed together.
 *
 * Everything that lives as long as one object pair, module or package is taken from one arena; there are no single frees.
 * A failed allocation returns NULL and leaves the arena usable. An arena belongs to one thread at a time.
 */
#ifndef HP_BASE_ARENA_H
#define HP_BASE_ARENA_H

#include <stddef.h>

struct hp_arena_chunk;

struct hp_arena {
	struct hp_arena_chunk *head; /* chunk that is being filled */
	size_t total_len;            /* bytes taken from malloc, for tests and limits */
};

/* hp_arena_init(arena): an empty arena; allocates nothing. A zeroed struct is also an empty arena. */
void hp_arena_init(struct hp_arena *arena);
/* hp_arena_release(arena): free all blocks; the arena is empty again. */
void hp_arena_release(struct hp_arena *arena);

/* hp_arena_alloc(arena, len): zeroed, aligned for any type. NULL: no memory. O(1) amortised plus the zeroing. */
void *hp_arena_alloc(struct hp_arena *arena, size_t len) __attribute__((malloc, alloc_size(2)));
/* hp_arena_array(arena, cnt, len): as above for ${cnt} items of ${len} bytes, NULL also on overflow. cnt 0 gives a pointer. */
void *hp_arena_array(struct hp_arena *arena, size_t cnt, size_t len) __attribute__((malloc));
/* hp_arena_strndup(arena, s, len): terminated copy of ${len} bytes. */
char *hp_arena_strndup(struct hp_arena *arena, const char *s, size_t len);
char *hp_arena_strdup(struct hp_arena *arena, const char *s);
char *hp_arena_printf(struct hp_arena *arena, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static inline void
hp_arena_auto(struct hp_arena *arena)
{
	hp_arena_release(arena);
}

#endif
