/* Common symbols (-fcommon: "int n;" in several objects is one variable). They have no section, so they are no parts, and a part
 * may be the same variable as a common symbol: "int n;" that became "int n = 5;". */
#include "base/cleanup.h"
#include "differ/internal.h"

static int
index_commons(const struct hp_side *side, struct hp_map *map, struct hp_err *err)
{
	int r = 0;

	for (uint32_t i = 1; i < side->elf->syms_cnt && r == 0; i++)
		if (side->elf->syms[i].sec_idx == HP_SEC_COMMON)
			r = hp_map_put_str(map, side->elf->syms[i].name, side->elf->syms[i].size, err);
	return r;
}

static int
add(struct hp_cmp *cmp, enum hp_rule_id id, const char *name, const char *message, struct hp_err *err)
{
	return hp_reason_add(cmp->reasons, id, cmp->pair->path, name, NULL, err, "%s", message);
}

static int
sizes(struct hp_cmp *cmp, const char *name, uint64_t old_len, uint64_t new_len, struct hp_err *err)
{
	return old_len == new_len ? 0
	                          : hp_reason_add(cmp->reasons, HP_RULE_DATA_SIZE, cmp->pair->path, name, NULL, err,
	                                          "%llu bytes became %llu", (unsigned long long)old_len,
	                                          (unsigned long long)new_len);
}

static bool
starts_as_zero(const struct hp_side *side, uint32_t part)
{
	struct hp_view v = hp_part_bytes(side->parts, part);

	for (size_t i = 0; i < v.len; i++)
		if (v.p[i] != 0)
			return false;
	return hp_side_part(side, part)->rels_cnt == 0;
}

/* Parts of one side that are common symbols of the other: the same variable, not a new or a removed one. */
static int
match_parts(struct hp_cmp *cmp, struct hp_side *side, const struct hp_map *commons, struct hp_err *err)
{
	int r = 0;

	for (uint32_t i = 0; i < side->parts->cnt && r == 0; i++) {
		const struct hp_part *p = hp_side_part(side, i);
		const char *name = hp_part_name(side->parts, i);
		bool old_side = side == &cmp->old_side;
		uint64_t len;

		if ((side->change[i] != HP_NEW && side->change[i] != HP_REMOVED) || !hp_part_is_data(p) ||
		    side->elf->syms[p->sym_idx].bind == STB_LOCAL || !hp_map_get_str(commons, name, &len))
			continue;
		side->change[i] = HP_SAME;
		r = sizes(cmp, name, old_side ? p->len : len, old_side ? len : p->len, err);
		if (r == 0 && p->kind != HP_PART_DATA && p->kind != HP_PART_BSS)
			r = add(cmp, HP_RULE_STORAGE, name, "moved between constant, writable and thread-local storage", err);
		else if (r == 0 && !starts_as_zero(side, i))
			r = add(cmp, HP_RULE_DATA_VALUE, name, "its initial value changed; the process keeps its own", err);
	}
	return r;
}

/* Names that the side defines for other objects, or has as common symbols. */
static int
index_defined(const struct hp_side *side, struct hp_map *map, struct hp_err *err)
{
	int r = 0;

	for (uint32_t i = 1; i < side->elf->syms_cnt && r == 0; i++)
		if (side->elf->syms[i].bind != STB_LOCAL &&
		    (side->elf->syms[i].sec_idx == HP_SEC_COMMON || side->parts->sym_part[i] != HP_NONE))
			r = hp_map_put_str(map, side->elf->syms[i].name, 1, err);
	return r;
}

int
hp_compare_commons(struct hp_cmp *cmp, struct hp_err *err)
{
	HP_AUTO(hp_map) struct hp_map olds = { 0 };
	HP_AUTO(hp_map) struct hp_map news = { 0 };
	HP_AUTO(hp_map) struct hp_map defined = { 0 };
	const struct hp_elf *elf = cmp->new_side.elf;
	int r = index_commons(&cmp->old_side, &olds, err);

	if (r == 0)
		r = index_commons(&cmp->new_side, &news, err);
	if (r == 0 && news.cnt > 0)
		r = index_defined(&cmp->old_side, &defined, err);
	if (r == 0)
		r = match_parts(cmp, &cmp->new_side, &olds, err);
	if (r == 0)
		r = match_parts(cmp, &cmp->old_side, &news, err);
	for (uint32_t i = 1; i < elf->syms_cnt && r == 0; i++) {
		const struct hp_sym *s = &elf->syms[i];
		uint64_t len;

		if (s->sec_idx != HP_SEC_COMMON)
			continue;
		if (hp_map_get_str(&olds, s->name, &len))
			r = sizes(cmp, s->name, len, s->size, err);
		else if (!hp_map_get_str(&defined, s->name, &len))
			r = add(cmp, HP_RULE_DATA_NEW, s->name, "a new common symbol", err);
	}
	return r;
}
