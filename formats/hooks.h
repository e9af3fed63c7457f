/* Hooks of a patch's author, as include/hotpatch.h makes them: a function in a section that says when it is called. */
#ifndef HP_FORMATS_HOOKS_H
#define HP_FORMATS_HOOKS_H

#include <stdbool.h>

/* hp_hook_section(name): the section holds hooks, of whatever kind. */
bool hp_hook_section(const char *name);
/* hp_hook_when(section): HP_HOOK_* of formats/manifest.h; NULL = none, or of a kind that is not known. */
const char *hp_hook_when(const char *section);
/* hp_hook_name(section, symbol): the name that the author gave the hook; points into ${symbol}. */
const char *hp_hook_name(const char *section, const char *symbol);

#endif
