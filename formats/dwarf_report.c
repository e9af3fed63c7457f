#include "formats/dwarf_types.h"

#include <stdarg.h>

#include "base/escape.h"
#include "formats/dwarf_compat.h"

#define PARTS_MAX 8u /* changes spelled out in one message */

struct parts {
	struct hp_buf text;
	unsigned cnt;
	int r;
};

__attribute__((format(printf, 2, 3))) static void
part(struct parts *p, const char *fmt, ...)
{
	char line[2 * HP_DW_TEXT + HP_ESCAPE_LEN + 128];
	va_list ap;
	int len;

	if (p->cnt++ >= PARTS_MAX || p->r < 0)
		return;
	va_start(ap, fmt);
	len = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (len < 0)
		return;
	if (p->text.len > 0)
		p->r = hp_buf_add(&p->text, "; ", 2, NULL);
	if (p->r == 0)
		p->r = hp_buf_add(&p->text, line, strlen(line), NULL);
}

#define ull(x) ((unsigned long long)(x))

bool
hp_dw_same_item(struct hp_dw_cmp *cmp, const struct hp_dw_item *a, const struct hp_dw_item *b)
{
	const struct hp_dw_node *x = &cmp->old_dw->nodes[a->node], *y = &cmp->new_dw->nodes[b->node];

	switch ((enum hp_dw_item_kind)a->kind) {
	case HP_DW_I_TYPE:
		return hp_dw_same_layout(cmp, a->node, b->node);
	case HP_DW_I_ENUM:
		if (x->tag != y->tag)
			return true; /* an enumerator and a whole enum of one name: nothing to compare */
		return x->tag == DW_TAG_enumerator ? x->value == y->value : hp_dw_same_layout(cmp, a->node, b->node);
	case HP_DW_I_FUNCTION:
		return hp_dw_same_signature(cmp, a->node, b->node);
	case HP_DW_I_VARIABLE:
		return hp_dw_same_type(cmp, x->type, y->type);
	}
	return true;
}

/* "char[4] became char[8]". When the names are equal, say what lies behind them. */
static void
became(struct hp_dw_cmp *cmp, struct parts *p, const char *before, uint32_t old_off, uint32_t new_off)
{
	struct hp_dw_text o = hp_dw_type_text(cmp->old_dw, old_off), n = hp_dw_type_text(cmp->new_dw, new_off);
	uint64_t old_len, new_len;
	unsigned quals;

	if (strcmp(o.s, n.s) == 0) {
		uint32_t x = hp_dw_strip(cmp->old_dw, old_off, &quals), y = hp_dw_strip(cmp->new_dw, new_off, &quals);
		struct hp_dw_text os, ns;

		if (hp_dw_type_size(cmp->old_dw, old_off, &old_len) && hp_dw_type_size(cmp->new_dw, new_off, &new_len) &&
		    old_len != new_len) {
			part(p, "%s%s of %llu bytes became %s of %llu bytes", before, o.s, ull(old_len), n.s, ull(new_len));
			return;
		}
		os = hp_dw_type_text(cmp->old_dw, cmp->old_dw->nodes[x].off);
		ns = hp_dw_type_text(cmp->new_dw, cmp->new_dw->nodes[y].off);
		if (strcmp(os.s, ns.s) == 0)
			part(p, "%s%s changed", before, o.s);
		else
			part(p, "%s%s: %s became %s", before, o.s, os.s, ns.s);
		return;
	}
	part(p, "%s%s became %s", before, o.s, n.s);
}

/* "offset 8", "bit 35 width 3". */
static struct hp_dw_text
place_text(const struct hp_dw_node *m)
{
	struct hp_dw_text t;

	if ((m->flags & HP_DW_OPAQUE) != 0)
		(void)snprintf(t.s, sizeof(t.s), "a computed offset");
	else if ((m->flags & HP_DW_BITFIELD) != 0)
		(void)snprintf(t.s, sizeof(t.s), "bit %llu width %llu", ull(m->value), ull(m->size));
	else
		(void)snprintf(t.s, sizeof(t.s), "offset %llu", ull(m->value / 8));
	return t;
}

/* "member 'x'", "anonymous union", "base class 'b'". */
static struct hp_dw_text
member_text(const struct hp_dwarf *dw, uint32_t m)
{
	const struct hp_dw_node *x = &dw->nodes[m];
	struct hp_dw_text t, type;

	if (x->name != NULL) {
		(void)snprintf(t.s, sizeof(t.s), "member '%.200s'", hp_esc(x->name));
		return t;
	}
	type = hp_dw_type_text(dw, x->type);
	if (x->tag == DW_TAG_inheritance)
		(void)snprintf(t.s, sizeof(t.s), "base class '%.200s'", type.s);
	else
		(void)snprintf(t.s, sizeof(t.s), "unnamed member %.200s", type.s);
	return t;
}

/* Whether two members are versions of each other: by name, base classes by their class. */
static bool
same_name(struct hp_dw_cmp *cmp, uint32_t a, uint32_t b)
{
	const struct hp_dw_node *x = &cmp->old_dw->nodes[a], *y = &cmp->new_dw->nodes[b];
	unsigned quals;

	if (x->tag != y->tag)
		return false;
	if (x->tag == DW_TAG_inheritance) {
		x = &cmp->old_dw->nodes[hp_dw_strip(cmp->old_dw, x->type, &quals)];
		y = &cmp->new_dw->nodes[hp_dw_strip(cmp->new_dw, y->type, &quals)];
	}
	if (x->name == NULL || y->name == NULL)
		return x->name == y->name;
	return strcmp(x->name, y->name) == 0;
}

/* The child of ${parent} in ${in} that is the version of ${m}; the search starts behind ${from}, the last one found, and wraps
 * round. ${old_side}: m is of the old side. 0 = none. */
static uint32_t
find_twin(struct hp_dw_cmp *cmp, bool old_side, uint32_t m, uint32_t parent, uint32_t from,
          bool (*want)(const struct hp_dw_node *n))
{
	const struct hp_dwarf *in = old_side ? cmp->new_dw : cmp->old_dw;
	uint32_t at = from;

	for (int round = 0; round < 2; round++) {
		while (hp_dw_next_paid(cmp, in, parent, &at, want) && at != 0) {
			if (old_side ? same_name(cmp, m, at) : same_name(cmp, at, m))
				return at;
			if (round == 1 && at == from)
				return 0;
		}
	}
	return 0;
}

static bool
is_moved(const struct hp_dw_node *x, const struct hp_dw_node *y)
{
	return x->value != y->value || ((x->flags ^ y->flags) & (HP_DW_BITFIELD | HP_DW_OPAQUE)) != 0 ||
	       ((x->flags & HP_DW_BITFIELD) != 0 && x->size != y->size);
}

static void
report_retyped(struct hp_dw_cmp *cmp, struct parts *p, uint32_t a, uint32_t b)
{
	const struct hp_dw_node *x = &cmp->old_dw->nodes[a], *y = &cmp->new_dw->nodes[b];
	struct hp_dw_text what = member_text(cmp->old_dw, a), from = place_text(x);
	char before[HP_DW_TEXT + 64];

	cmp->trail_cnt = 0;
	if (hp_dw_same_type(cmp, x->type, y->type))
		return;
	(void)snprintf(before, sizeof(before), "%.220s at %.60s: ", what.s, from.s);
	became(cmp, p, before, x->type, y->type);
}

/* Neighbours that moved by one distance are told together. */
struct moves {
	uint32_t first_old, first_new; /* nodes, 0 = none */
	uint32_t last_old;
	int64_t bits;
	unsigned cnt;
};

static void
flush_moves(struct hp_dw_cmp *cmp, struct parts *p, struct moves *m)
{
	const struct hp_dw_node *x = &cmp->old_dw->nodes[m->first_old], *y = &cmp->new_dw->nodes[m->first_new];

	if (m->cnt == 1)
		part(p, "%s moved from %s to %s", member_text(cmp->old_dw, m->first_old).s, place_text(x).s, place_text(y).s);
	else if (m->cnt > 1)
		part(p, "%u members from '%.200s' to '%.200s' moved by %+lld bytes", m->cnt, hp_esc(x->name),
		     hp_esc(cmp->old_dw->nodes[m->last_old].name), (long long)(m->bits / 8));
	m->cnt = 0;
}

static void
add_move(struct hp_dw_cmp *cmp, struct parts *p, struct moves *m, uint32_t a, uint32_t b)
{
	const struct hp_dw_node *x = &cmp->old_dw->nodes[a], *y = &cmp->new_dw->nodes[b];
	int64_t bits = (int64_t)(y->value - x->value);
	bool same_kind =
		((x->flags ^ y->flags) & HP_DW_BITFIELD) == 0 && ((x->flags & HP_DW_BITFIELD) == 0 || x->size == y->size);
	bool plain = same_kind && ((x->flags | y->flags) & HP_DW_OPAQUE) == 0 && x->name != NULL && bits % 8 == 0;

	if (m->cnt > 0 && (!plain || m->bits != bits))
		flush_moves(cmp, p, m);
	if (m->cnt == 0)
		*m = (struct moves){ a, b, a, plain ? bits : INT64_MAX, 0 };
	m->last_old = a;
	m->cnt++;
	if (!plain)
		flush_moves(cmp, p, m);
}

static void
report_moves(struct hp_dw_cmp *cmp, struct parts *p, uint32_t a, uint32_t b)
{
	struct moves m = { 0 };
	uint32_t last = 0;

	for (uint32_t x = hp_dw_next(cmp->old_dw, a, 0, hp_dw_is_data); x != 0;
	     x = hp_dw_next(cmp->old_dw, a, x, hp_dw_is_data)) {
		uint32_t t = find_twin(cmp, true, x, b, last, hp_dw_is_data);

		last = t != 0 ? t : last;
		if (t != 0 && is_moved(&cmp->old_dw->nodes[x], &cmp->new_dw->nodes[t]))
			add_move(cmp, p, &m, x, t);
		else
			flush_moves(cmp, p, &m);
	}
	flush_moves(cmp, p, &m);
}

/* Causes first: what was retyped, removed, added; then what moved because of it. */
static void
report_members(struct hp_dw_cmp *cmp, struct parts *p, uint32_t a, uint32_t b)
{
	uint32_t last = 0;

	for (uint32_t m = hp_dw_next(cmp->old_dw, a, 0, hp_dw_is_data); m != 0;
	     m = hp_dw_next(cmp->old_dw, a, m, hp_dw_is_data)) {
		uint32_t t = find_twin(cmp, true, m, b, last, hp_dw_is_data);

		last = t != 0 ? t : last;
		if (t != 0)
			report_retyped(cmp, p, m, t);
		else
			part(p, "%s at %s removed", member_text(cmp->old_dw, m).s, place_text(&cmp->old_dw->nodes[m]).s);
	}
	last = 0;
	for (uint32_t m = hp_dw_next(cmp->new_dw, b, 0, hp_dw_is_data); m != 0;
	     m = hp_dw_next(cmp->new_dw, b, m, hp_dw_is_data)) {
		uint32_t t = find_twin(cmp, false, m, a, last, hp_dw_is_data);

		if (t != 0)
			last = t;
		else
			part(p, "%s added at %s", member_text(cmp->new_dw, m).s, place_text(&cmp->new_dw->nodes[m]).s);
	}
	report_moves(cmp, p, a, b);
}

static void
report_slots(struct hp_dw_cmp *cmp, struct parts *p, uint32_t a, uint32_t b)
{
	const struct hp_dw_node *on = cmp->old_dw->nodes, *nn = cmp->new_dw->nodes;
	uint32_t last = 0;

	for (uint32_t m = hp_dw_next(cmp->old_dw, a, 0, hp_dw_is_virtual); m != 0;
	     m = hp_dw_next(cmp->old_dw, a, m, hp_dw_is_virtual)) {
		uint32_t t = find_twin(cmp, true, m, b, last, hp_dw_is_virtual);

		last = t != 0 ? t : last;
		if (t == 0)
			part(p, "virtual function '%.200s' removed", hp_esc(on[m].name));
		else if (on[m].value != nn[t].value)
			part(p, "virtual function '%.200s' moved from slot %llu to slot %llu", hp_esc(on[m].name),
			     ull(on[m].value), ull(nn[t].value));
	}
	last = 0;
	for (uint32_t m = hp_dw_next(cmp->new_dw, b, 0, hp_dw_is_virtual); m != 0;
	     m = hp_dw_next(cmp->new_dw, b, m, hp_dw_is_virtual)) {
		uint32_t t = find_twin(cmp, false, m, a, last, hp_dw_is_virtual);

		last = t != 0 ? t : last;
		if (t == 0)
			part(p, "virtual function '%.200s' added in slot %llu", hp_esc(nn[m].name), ull(nn[m].value));
	}
}

static void
report_enumerators(struct hp_dw_cmp *cmp, struct parts *p, uint32_t a, uint32_t b)
{
	const struct hp_dw_node *on = cmp->old_dw->nodes, *nn = cmp->new_dw->nodes;
	uint32_t last = 0;

	for (uint32_t m = hp_dw_next(cmp->old_dw, a, 0, hp_dw_is_enumerator); m != 0;
	     m = hp_dw_next(cmp->old_dw, a, m, hp_dw_is_enumerator)) {
		uint32_t t = find_twin(cmp, true, m, b, last, hp_dw_is_enumerator);

		last = t != 0 ? t : last;
		if (t == 0)
			part(p, "enumerator '%.200s' (%lld) removed", hp_esc(on[m].name), (long long)on[m].value);
		else if (on[m].value != nn[t].value)
			part(p, "enumerator '%.200s': %lld became %lld", hp_esc(on[m].name), (long long)on[m].value,
			     (long long)nn[t].value);
	}
}

static void
report_type(struct hp_dw_cmp *cmp, struct parts *p, uint32_t a, uint32_t b)
{
	const struct hp_dw_node *x = &cmp->old_dw->nodes[a], *y = &cmp->new_dw->nodes[b];

	if (x->tag == DW_TAG_enumerator) {
		part(p, "%lld became %lld", (long long)x->value, (long long)y->value);
		return;
	}
	if (x->tag != y->tag)
		part(p, "%s became %s", hp_dw_kind_word(x->tag), hp_dw_kind_word(y->tag));
	if (x->size != y->size)
		part(p, "size %llu became %llu", ull(x->size), ull(y->size));
	if (x->tag == DW_TAG_enumeration_type) {
		report_enumerators(cmp, p, a, b);
	} else {
		report_members(cmp, p, a, b);
		report_slots(cmp, p, a, b);
	}
}

/* Parameters that differ although the whole texts are equal are named one by one. */
static void
report_signature(struct hp_dw_cmp *cmp, struct parts *p, uint32_t a, uint32_t b)
{
	struct hp_dw_text o = hp_dw_signature_text(cmp->old_dw, a), n = hp_dw_signature_text(cmp->new_dw, b);
	const struct hp_dw_node *on = cmp->old_dw->nodes, *nn = cmp->new_dw->nodes;
	uint32_t x, y;
	unsigned i = 1;

	if (strcmp(o.s, n.s) != 0) {
		part(p, "%s became %s", o.s, n.s);
		return;
	}
	if (!hp_dw_same_type(cmp, on[a].type, nn[b].type))
		became(cmp, p, "return type: ", on[a].type, nn[b].type);
	x = hp_dw_next(cmp->old_dw, a, 0, hp_dw_is_param);
	y = hp_dw_next(cmp->new_dw, b, 0, hp_dw_is_param);
	for (; x != 0 && y != 0; i++) {
		char before[48];

		(void)snprintf(before, sizeof(before), "parameter %u: ", i);
		if (!hp_dw_same_type(cmp, on[x].type, nn[y].type))
			became(cmp, p, before, on[x].type, nn[y].type);
		x = hp_dw_next(cmp->old_dw, a, x, hp_dw_is_param);
		y = hp_dw_next(cmp->new_dw, b, y, hp_dw_is_param);
	}
	if (p->cnt == 0)
		part(p, "%s changed", o.s);
}

static const char *
display_name(struct hp_dwarf *dw, const struct hp_dw_item *it)
{
	const struct hp_dw_node *x = &dw->nodes[it->node];

	if (it->kind == HP_DW_I_FUNCTION || it->kind == HP_DW_I_VARIABLE || (x->flags & HP_DW_ALIAS) != 0)
		return it->name;
	return hp_arena_printf(&dw->arena, "%s %s", x->tag == DW_TAG_enumerator ? "enumerator" : hp_dw_kind_word(x->tag),
	                       it->name);
}

/* "file.c:12" of the new side, else of the old, else the unit's name. */
static int
set_source(struct hp_dw_cmp *cmp, const struct hp_dw_item *a, const struct hp_dw_item *b, struct hp_type_diff *ret,
           struct hp_err *err)
{
	const char *file;
	uint64_t line;
	int r = hp_dw_source(cmp->new_dw, b->node, &file, &line, err);

	if (r == 0)
		r = hp_dw_source(cmp->old_dw, a->node, &file, &line, err);
	if (r < 0)
		return r;
	if (r > 0)
		ret->source = hp_arena_printf(&cmp->new_dw->arena, "%s:%llu", file, ull(line));
	else
		ret->source = hp_dw_unit_of(cmp->new_dw, b->node)->id.name;
	return ret->source != NULL ? 0 : hp_err_set(err, HP_E_NOMEM, "no memory for a difference of types");
}

int
hp_dw_report(struct hp_dw_cmp *cmp, const struct hp_dw_item *a, const struct hp_dw_item *b, struct hp_type_diff *ret,
             struct hp_err *err)
{
	const struct hp_dw_node *x = &cmp->old_dw->nodes[a->node], *y = &cmp->new_dw->nodes[b->node];
	struct parts p = { 0 };

	switch ((enum hp_dw_item_kind)a->kind) {
	case HP_DW_I_TYPE:
		ret->kind = x->size != y->size ? HP_TYPE_SIZE : HP_TYPE_MEMBER;
		report_type(cmp, &p, a->node, b->node);
		break;
	case HP_DW_I_ENUM:
		ret->kind = HP_TYPE_ENUM;
		report_type(cmp, &p, a->node, b->node);
		break;
	case HP_DW_I_FUNCTION:
		ret->kind = HP_TYPE_SIGNATURE;
		report_signature(cmp, &p, a->node, b->node);
		break;
	case HP_DW_I_VARIABLE:
		ret->kind = HP_TYPE_VARIABLE;
		became(cmp, &p, "", x->type, y->type);
		break;
	}
	if (p.cnt == 0)
		part(&p, "changed");
	if (p.cnt > PARTS_MAX) {
		char more[48];
		int len = snprintf(more, sizeof(more), "; and %u more", p.cnt - PARTS_MAX);

		if (p.r == 0 && len > 0)
			p.r = hp_buf_add(&p.text, more, (size_t)len, NULL);
	}
	ret->brief = a->kind == HP_DW_I_TYPE && hp_dw_is_brief(cmp, cmp->old_dw, a->node) &&
	             hp_dw_is_brief(cmp, cmp->new_dw, b->node);
	ret->name = display_name(cmp->new_dw, b);
	ret->message = p.r == 0 ? hp_arena_strndup(&cmp->new_dw->arena, (const char *)p.text.p, p.text.len) : NULL;
	hp_buf_release(&p.text);
	if (ret->name == NULL || ret->message == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for a difference of types");
	return set_source(cmp, a, b, ret, err);
}
