#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Chunks grow with the arena: a small one touches few pages, a large one has few chunks. */
#define CHUNK_MIN ((size_t)4 * 1024)
#define CHUNK_MAX ((size_t)256 * 1024)
#define ALIGN alignof(max_align_t)

struct hp_arena_chunk {
	struct hp_arena_chunk *next;
	size_t used, len; /* bytes of data[] */
	alignas(max_align_t) uint8_t data[];
};

void
hp_arena_init(struct hp_arena *arena)
{
	arena->head = NULL;
	arena->total_len = 0;
}

void
hp_arena_release(struct hp_arena *arena)
{
	struct hp_arena_chunk *next;

	for (struct hp_arena_chunk *c = arena->head; c != NULL; c = next) {
		next = c->next;
		free(c);
	}
	hp_arena_init(arena);
}

static struct hp_arena_chunk *
add_chunk(struct hp_arena *arena, size_t len)
{
	struct hp_arena_chunk *c;

	if (len > SIZE_MAX - sizeof(*c))
		return NULL;
	/* calloc: large chunks come zeroed from the kernel at no cost. */
	c = calloc(1, sizeof(*c) + len);
	if (c == NULL)
		return NULL;
	c->len = len;
	arena->total_len += len;
	return c;
}

void *
hp_arena_alloc(struct hp_arena *arena, size_t len)
{
	struct hp_arena_chunk *c = arena->head;
	void *p;

	if (len > SIZE_MAX - ALIGN)
		return NULL;
	len = len == 0 ? ALIGN : (len + ALIGN - 1) / ALIGN * ALIGN;
	if (c == NULL || c->len - c->used < len) {
		size_t chunk = c == NULL ? CHUNK_MIN : c->len < CHUNK_MAX / 2 ? 2 * c->len : CHUNK_MAX;
		bool big = len > chunk / 4;

		c = add_chunk(arena, big ? len : chunk);
		if (c == NULL)
			return NULL;
		if (big && arena->head != NULL) {
			/* A big block gets its own chunk behind the head, so that the rest of the head is not wasted. */
			c->next = arena->head->next;
			arena->head->next = c;
		} else {
			c->next = arena->head;
			arena->head = c;
		}
	}
	p = c->data + c->used;
	c->used += len;
	return p;
}

void *
hp_arena_array(struct hp_arena *arena, size_t cnt, size_t len)
{
	size_t total;

	if (__builtin_mul_overflow(cnt, len, &total))
		return NULL;
	return hp_arena_alloc(arena, total);
}

char *
hp_arena_strndup(struct hp_arena *arena, const char *s, size_t len)
{
	char *p = len == SIZE_MAX ? NULL : hp_arena_alloc(arena, len + 1);

	if (p != NULL && len > 0)
		memcpy(p, s, len);
	return p;
}

char *
hp_arena_strdup(struct hp_arena *arena, const char *s)
{
	return hp_arena_strndup(arena, s, strlen(s));
}

char *
hp_arena_printf(struct hp_arena *arena, const char *fmt, ...)
{
	va_list ap, ap2;
	char *p = NULL;
	int n;

	va_start(ap, fmt);
	va_copy(ap2, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	if (n >= 0)
		p = hp_arena_alloc(arena, (size_t)n + 1);
	if (p != NULL)
		(void)vsnprintf(p, (size_t)n + 1, fmt, ap2);
	va_end(ap2);
	va_end(ap);
	return p;
}
