/* Views: a read-only window onto bytes that somebody else owns, with checked reads.
 *
 * Input files are reached only through views; no struct is ever cast onto input bytes. A read that would leave the view
 * returns false and does not touch the result. Offsets are bytes from the start of the view. All functions are O(1).
 */
#ifndef HP_BASE_VIEW_H
#define HP_BASE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/le.h"

struct hp_view {
	const uint8_t *p;
	size_t len; /* bytes */
};

static inline struct hp_view
hp_view_of(const void *p, size_t len)
{
	return (struct hp_view){ p, len };
}

/* hp_view_has(v, off, len): the window [off, off+len) lies inside. */
static inline bool
hp_view_has(struct hp_view v, uint64_t off, uint64_t len)
{
	return off <= v.len && len <= v.len - off;
}

static inline bool
hp_view_sub(struct hp_view v, uint64_t off, uint64_t len, struct hp_view *ret)
{
	if (!hp_view_has(v, off, len))
		return false;
	*ret = hp_view_of(off > 0 ? v.p + off : v.p, (size_t)len); /* v.p may be NULL when the view is empty */
	return true;
}

static inline bool
hp_view_u32(struct hp_view v, uint64_t off, uint32_t *ret)
{
	if (!hp_view_has(v, off, 4))
		return false;
	*ret = hp_le32_get(v.p + off);
	return true;
}

static inline bool
hp_view_u64(struct hp_view v, uint64_t off, uint64_t *ret)
{
	if (!hp_view_has(v, off, 8))
		return false;
	*ret = hp_le64_get(v.p + off);
	return true;
}

static inline bool
hp_view_eq(struct hp_view a, struct hp_view b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* hp_view_str(v, off): the zero-terminated string at ${off}, NULL when no terminator lies inside. O(length). */
static inline const char *
hp_view_str(struct hp_view v, uint64_t off)
{
	if (off >= v.len || memchr(v.p + off, 0, v.len - (size_t)off) == NULL)
		return NULL;
	return (const char *)v.p + off;
}

#endif
