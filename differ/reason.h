/* A growing list of reasons; strings and rows live in the given arena, which outlives the list. One thread at a time. */
#ifndef HP_DIFFER_REASON_H
#define HP_DIFFER_REASON_H

#include "base/arena.h"
#include "base/err.h"
#include "differ/rules.h"
#include "formats/patchset.h"

struct hp_reasons {
	struct hp_arena *arena;
	struct hp_reason *v;
	size_t cnt, cap;
};

/* hp_reason_add(list, id, object, symbol, source, err, fmt, ...): copy a reason into the list. symbol, source: NULL = "".
 * symbol and object are untrusted and stay raw, whoever prints them escapes them; names in the message must have gone through
 * hp_escape(). */
HP_MUST_CHECK int hp_reason_add(struct hp_reasons *list, enum hp_rule_id id, const char *object, const char *symbol,
                                const char *source, struct hp_err *err, const char *fmt, ...)
	__attribute__((format(printf, 7, 8)));
/* hp_reasons_sort(list): refusals first, then rule, object, symbol, source, message; duplicates removed. */
void hp_reasons_sort(struct hp_reasons *list);

#endif
