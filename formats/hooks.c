#include "formats/hooks.h"

#include <stddef.h>
#include <string.h>

#include "formats/manifest.h"

#define SECTION ".text.hotpatch."
#define SYMBOL "hp_hook_"

bool
hp_hook_section(const char *name)
{
	return strncmp(name, SECTION, sizeof(SECTION) - 1) == 0;
}

const char *
hp_hook_when(const char *section)
{
	static const struct {
		const char *section, *when;
	} kinds[] = { { SECTION "pre_apply", HP_HOOK_PRE_APPLY },
		      { SECTION "post_apply", HP_HOOK_POST_APPLY },
		      { SECTION "pre_revert", HP_HOOK_PRE_REVERT },
		      { SECTION "post_revert", HP_HOOK_POST_REVERT } };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].section, section) == 0)
			return kinds[i].when;
	return NULL;
}

const char *
hp_hook_name(const char *section, const char *symbol)
{
	const char *moment = section + sizeof(SECTION) - 1, *rest = symbol + sizeof(SYMBOL) - 1;
	size_t len = strlen(moment);

	if (strncmp(symbol, SYMBOL, sizeof(SYMBOL) - 1) != 0 || strncmp(rest, moment, len) != 0 || rest[len] != '_' ||
	    rest[len + 1] == '\0')
		return symbol;
	return rest + len + 1;
}
