#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define LONG_FORM "%Y-%m-%dT%H:%M:%SZ"

/* strptime() is lenient (blanks, single digits, day 31 of any month), so the result is written again and compared. */
bool
hp_time_parse(const char *text, uint64_t *ret)
{
	bool day_only = strchr(text, 'T') == NULL;
	char again[HP_TIME_TEXT];
	struct tm tm = { 0 };
	const char *end = day_only ? strptime(text, "%Y-%m-%d", &tm) : strptime(text, LONG_FORM, &tm);
	time_t t;

	if (end == NULL || *end != '\0')
		return false;
	t = timegm(&tm);
	if (t < 0)
		return false;
	hp_time_text((uint64_t)t, again);
	if (day_only)
		again[10] = '\0';
	if (strcmp(again, text) != 0)
		return false;
	*ret = (uint64_t)t;
	return true;
}

void
hp_time_text(uint64_t when, char *ret)
{
	time_t t = (time_t)when;
	struct tm tm;

	if (when > INT64_MAX || gmtime_r(&t, &tm) == NULL || strftime(ret, HP_TIME_TEXT, LONG_FORM, &tm) == 0)
		(void)snprintf(ret, HP_TIME_TEXT, "?");
}

uint64_t
hp_time_now(void)
{
	time_t t = time(NULL);

	return t > 0 ? (uint64_t)t : 0;
}
