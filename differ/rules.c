#include "differ/rules.h"

#include <strings.h>

#include "differ/rules_text.h"

#define RULE(number, title, text) { (enum hp_rule_id)(number), "HP" #number, title, text },

static const struct hp_rule rules[] = { HP_RULES(RULE) };

const struct hp_rule *
hp_rule_get(enum hp_rule_id id)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].id == id)
			return &rules[i];
	return &rules[0];
}

const struct hp_rule *
hp_rule_find(const char *name)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (strcasecmp(rules[i].name, name) == 0)
			return &rules[i];
	return NULL;
}

const struct hp_rule *
hp_rule_all(size_t *ret_cnt)
{
	*ret_cnt = sizeof(rules) / sizeof(rules[0]);
	return rules;
}
