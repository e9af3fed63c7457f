/* Verdict rules: stable IDs, HP1xxx noted, HP2xxx refused. docs/rules.md has one paragraph for each; a lint compares the two.
 * IDs are never reused. */
#ifndef HP_DIFFER_RULES_H
#define HP_DIFFER_RULES_H

#include <stdbool.h>
#include <stddef.h>

enum hp_rule_id {
	HP_RULE_OBJECT_NEW = 1001,
	HP_RULE_OBJECT_REMOVED = 1002,
	HP_RULE_DATA_NEW = 1003,
	HP_RULE_DATA_REMOVED = 1004,
	HP_RULE_CONST_CHANGED = 1005,
	HP_RULE_LINE_NOISE = 1006,
	HP_RULE_NO_DWARF = 1007,
	HP_RULE_KERNEL_TABLE = 1008,
	HP_RULE_FUNC_REMOVED = 1009,
	HP_RULE_COMDAT = 1010,
	HP_RULE_SCOPE = 1011,
	HP_RULE_PIECES = 1012,
	HP_RULE_UNREACHED = 1013,
	HP_RULE_TYPE_BRIEF = 1014,
	HP_RULE_CALLERS_GO_ALONG = 1015,
	HP_RULE_HOOK = 1016,

	HP_RULE_DATA_VALUE = 2001,
	HP_RULE_DATA_SIZE = 2002,
	HP_RULE_TLS = 2003,
	HP_RULE_IFUNC = 2004,
	HP_RULE_INIT = 2005,
	HP_RULE_CONST_ESCAPES = 2006,
	HP_RULE_TYPE_LAYOUT = 2007,
	HP_RULE_TYPE_ENUM = 2008,
	HP_RULE_SIGNATURE = 2009,
	HP_RULE_VARIABLE_TYPE = 2010,
	HP_RULE_STRAY_CODE = 2011,
	HP_RULE_SECTION = 2012,
	HP_RULE_TOO_SHORT = 2013,
	HP_RULE_PRODUCER = 2014,
	HP_RULE_VTABLE = 2015,
	HP_RULE_STORAGE = 2016,
	HP_RULE_AMBIGUOUS = 2017,
	HP_RULE_ALIAS_SPLIT = 2018,
};

struct hp_rule {
	enum hp_rule_id id;
	const char *name;  /* "HP2003" */
	const char *title; /* half a line */
	const char *text;  /* the paragraph */
};

/* hp_rule_get(id): never NULL. */
const struct hp_rule *hp_rule_get(enum hp_rule_id id);
/* hp_rule_find(name): by "HP2003" (any case), NULL = no such rule. */
const struct hp_rule *hp_rule_find(const char *name);
/* hp_rule_all(ret_cnt): the table, sorted by ID. */
const struct hp_rule *hp_rule_all(size_t *ret_cnt);

static inline bool
hp_rule_refuses(enum hp_rule_id id)
{
	return id >= 2000;
}

#endif
