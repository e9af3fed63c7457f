/* What a variable's type is, in 32 bytes: to tell whether a later package means the same variable. Everything that its storage
 * can hold or lead to counts: members of members, and what pointers point to. Typedefs and qualifiers do not.
 *
 * Each type gets a number when it is referred to for the first time, and is described in the order of the numbers, with
 * references by number; so the text is the same whatever else the unit describes, cycles need no care, and nothing is recursive.
 */
#include "formats/dwarf_types.h"

#include <stdio.h>
#include <stdlib.h>

#include "formats/dwarf_compat.h"
#include "formats/hash.h"

#define TYPES_MAX 65536u /* types that one variable may lead to */

struct digest {
	const struct hp_dwarf *dw;
	uint32_t *numbers;     /* [nodes] number + 1, 0 = none yet */
	struct hp_buf queue;   /* uint32_t nodes in the order of their numbers */
	struct hp_buf text;
	struct hp_err *err;
};

static int
put(struct digest *d, const char *what, uint64_t number, const char *name)
{
	char head[64];
	int n = snprintf(head, sizeof(head), "%s %llu ", what, (unsigned long long)number);
	int r = hp_buf_add(&d->text, head, (size_t)n, d->err);

	/* with its zero byte: no two lists of names give the same text */
	return r == 0 ? hp_buf_add(&d->text, name != NULL ? name : "", name != NULL ? strlen(name) + 1 : 1, d->err) : r;
}

/* The number of the type at DIE offset ${off}. */
static int
refer(struct digest *d, uint32_t off)
{
	unsigned quals;
	uint32_t node = hp_dw_strip(d->dw, off, &quals);
	uint64_t number = d->queue.len / sizeof(node);
	int r;

	if (d->numbers[node] != 0) {
		number = d->numbers[node] - 1;
	} else {
		if (number >= TYPES_MAX)
			return HP_E_LIMIT; /* not an error: nobody will be able to say that it is the same type */
		d->numbers[node] = (uint32_t)number + 1;
		r = hp_buf_add(&d->queue, &node, sizeof(node), d->err);
		if (r < 0)
			return r;
	}
	return put(d, "type", number, NULL);
}

static bool
is_part(const struct hp_dw_node *n)
{
	return hp_dw_is_data(n) || hp_dw_is_param(n) || hp_dw_is_enumerator(n) || n->tag == DW_TAG_subrange_type;
}

static int
describe(struct digest *d, uint32_t node)
{
	const struct hp_dw_node *t = &d->dw->nodes[node];
	bool named = hp_dw_is_record(t->tag) || t->tag == DW_TAG_enumeration_type;
	int r = put(d, "node", node == 0 ? 0 : t->tag, named ? t->name : NULL);

	if (r < 0 || node == 0)
		return r;
	r = put(d, "size", (t->flags & HP_DW_HAS_SIZE) != 0 ? t->size : UINT64_MAX, NULL);
	if (r == 0)
		r = put(d, "encoding", t->encoding, NULL);
	if (r == 0)
		r = refer(d, t->type);
	for (uint32_t i = hp_dw_next(d->dw, node, 0, is_part); i != 0 && r == 0; i = hp_dw_next(d->dw, node, i, is_part)) {
		const struct hp_dw_node *p = &d->dw->nodes[i];

		r = put(d, "part", p->tag, hp_dw_is_param(p) ? NULL : p->name);
		if (r == 0)
			r = put(d, "value", (p->flags & HP_DW_HAS_VALUE) != 0 ? p->value : UINT64_MAX, NULL);
		if (r == 0 && (p->flags & HP_DW_BITFIELD) != 0)
			r = put(d, "bits", p->size, NULL);
		if (r == 0 && p->tag != DW_TAG_subrange_type && p->tag != DW_TAG_enumerator)
			r = refer(d, p->type);
	}
	return r;
}

/* The entry of the variable that lives there. 0 = none. */
static uint32_t
variable_at(const struct hp_dwarf *dw, uint32_t sec_idx, uint64_t off)
{
	for (uint32_t n = 1; n < dw->nodes_cnt; n++) {
		const struct hp_dw_node *x = &dw->nodes[n];
		uint32_t sec;
		uint64_t at;

		if (x->tag == DW_TAG_variable && (x->flags & HP_DW_HAS_ADDR) != 0 && hp_dw_place(dw, x->value, &sec, &at) &&
		    sec == sec_idx && at == off)
			return n;
	}
	return 0;
}

int
hp_dwarf_var_digest(struct hp_dwarf *dw, uint32_t sec_idx, uint64_t off, uint8_t *ret, struct hp_err *err)
{
	struct digest d = { .dw = dw, .err = err };
	int r = hp_dw_read(dw, err);
	uint32_t n, type;

	if (r < 0)
		return r;
	n = variable_at(dw, sec_idx, off);
	type = n == 0 ? 0 : dw->nodes[n].type != 0 ? dw->nodes[n].type : dw->nodes[hp_dw_origin(dw, n)].type;
	if (type == 0)
		return 0;
	d.numbers = calloc(dw->nodes_cnt, sizeof(*d.numbers));
	r = d.numbers != NULL ? refer(&d, type) : hp_err_set(err, HP_E_NOMEM, "no memory for %u types", dw->nodes_cnt);
	for (size_t i = 0; r == 0 && i < d.queue.len / sizeof(uint32_t); i++)
		r = describe(&d, hp_dw_items_of(&d.queue, uint32_t)[i]);
	if (r == 0)
		hp_hash_256(hp_buf_view(&d.text), ret);
	hp_buf_release(&d.queue);
	hp_buf_release(&d.text);
	free(d.numbers);
	if (r == HP_E_LIMIT)
		return 0;
	return r < 0 ? r : 1;
}
