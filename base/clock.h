/* Points in time as text, UTC only: "2026-01-31" (its first second) or "2026-01-31T23:59:59Z" (RFC 3339). Seconds since 1970. */
#ifndef HP_BASE_CLOCK_H
#define HP_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define HP_TIME_TEXT 32

/* hp_time_parse(text, ret): false: not a time in one of the two forms, or before 1970. Days that do not exist are none. */
bool hp_time_parse(const char *text, uint64_t *ret);
/* hp_time_text(when, ret): the long form; "?" for what no calendar has. ret: HP_TIME_TEXT chars. */
void hp_time_text(uint64_t when, char *ret);
/* hp_time_now(): the clock of this host; 0 if it stands before 1970. */
uint64_t hp_time_now(void);

#endif
