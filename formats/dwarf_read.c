#include "formats/dwarf_internal.h"

#include <stdlib.h>

#include "base/escape.h"
#include "formats/dwarf_compat.h"

#define INDEX_STEP 64u
#define BLOCKS_MAX 256u /* nested blocks that are searched for their function; compilers refuse more than 256 */

/* What the attributes of the DIE at hand said, besides what goes into its node at once. */
struct die {
	struct hp_dw_node n;
	uint64_t sibling;
	uint64_t bit_size, old_bit_off;
	bool has_bit_size, has_old_bit_off;
};

struct reader {
	struct hp_dwarf *dw;
	struct hp_dw_unit *u;
	struct hp_dw_cur c;
	uint32_t parent;    /* node that gets the next DIE, 0 = none open */
	uint32_t drop;      /* open DIEs that are being dropped */
	uint64_t nodes_max;
};

static uint64_t
digest(struct hp_view v)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < v.len; i++)
		h = (h ^ v.p[i]) * 0x100000001b3u;
	return h;
}

/* An expression of one operation with one constant: DW_OP_plus_uconst (members of DWARF 2), DW_OP_constu (vtable slots). */
static bool
constant_expr(struct hp_view e, bool be, uint64_t *ret)
{
	struct hp_dw_cur c = { e.p, e.p + e.len, be, false };
	uint64_t op = hp_dw_get(&c, 1);

	switch (op) {
	case DW_OP_plus_uconst:
	case DW_OP_constu:
		*ret = hp_dw_uleb(&c);
		break;
	case DW_OP_const1u:
		*ret = hp_dw_get(&c, 1);
		break;
	case DW_OP_const2u:
		*ret = hp_dw_get(&c, 2);
		break;
	default:
		if (op < DW_OP_lit0 || op > DW_OP_lit31)
			return false;
		*ret = op - DW_OP_lit0;
		break;
	}
	return !c.bad && c.p == c.end;
}

/* A number, or the digest of an expression. */
static void
set_value(struct die *d, const struct hp_dw_value *v, bool be, uint64_t scale)
{
	uint64_t x = v->u;

	if (v->cls == HP_DW_C_BLOCK && !constant_expr(v->block, be, &x)) {
		d->n.value = digest(v->block);
		d->n.flags |= HP_DW_HAS_VALUE | HP_DW_OPAQUE;
		return;
	}
	if (v->cls != HP_DW_C_NUM && v->cls != HP_DW_C_BLOCK)
		return;
	d->n.value = x * scale;
	d->n.flags |= HP_DW_HAS_VALUE;
}

/* DW_OP_addr A; DW_OP_addrx I; and for thread-local variables DW_OP_const8u A, DW_OP_form_tls_address. */
/* Any operation that gives a fixed address? Operands are not told from operations: better once too often. A place in the frame is
 * one operation with one number. */
static bool
may_have_address(struct hp_view expr)
{
	struct hp_dw_cur c = { expr.p + 1, expr.p + expr.len, false, false };

	if (expr.p[0] == DW_OP_fbreg) {
		(void)hp_dw_sleb(&c);
		if (c.p == c.end)
			return false;
	}
	for (size_t i = 0; i < expr.len; i++)
		if (expr.p[i] == DW_OP_addr || expr.p[i] == DW_OP_addrx || expr.p[i] == DW_OP_GNU_addr_index ||
		    expr.p[i] == DW_OP_const8u)
			return true;
	return false;
}

static void
set_location(struct reader *rd, struct die *d, const struct hp_dw_value *v)
{
	struct hp_dw_value addr = { 0 };
	struct hp_dw_cur c;
	uint64_t op;

	d->n.flags |= HP_DW_HAS_LOC;
	if (v->cls != HP_DW_C_BLOCK || v->block.len == 0)
		return;
	if (may_have_address(v->block))
		d->n.flags |= HP_DW_SPLIT;
	c = (struct hp_dw_cur){ v->block.p, v->block.p + v->block.len, rd->c.be, false };
	op = hp_dw_get(&c, 1);
	if (op == DW_OP_addr || op == DW_OP_const8u)
		addr.u = hp_dw_get(&c, op == DW_OP_addr ? rd->u->addr_len : 8);
	else if ((op != DW_OP_addrx && op != DW_OP_GNU_addr_index) ||
	         !hp_dw_form(rd->dw, rd->u, DW_FORM_addrx, 0, &c, &addr) || addr.cls != HP_DW_C_ADDR)
		return;
	if (op == DW_OP_const8u) {
		op = hp_dw_get(&c, 1);
		if (op != DW_OP_form_tls_address && op != DW_OP_GNU_push_tls_address)
			return;
	}
	if (c.bad || c.p != c.end)
		return;
	d->n.value = addr.u;
	d->n.flags &= (uint16_t)~HP_DW_SPLIT;
	d->n.flags |= HP_DW_HAS_ADDR;
}

static void
set_flag(struct die *d, const struct hp_dw_value *v, enum hp_dw_flags flag)
{
	if (v->cls == HP_DW_C_NUM && v->u != 0)
		d->n.flags |= (uint16_t)flag;
}

static void
set_count(struct die *d, const struct hp_dw_value *v, uint64_t add)
{
	if (v->cls != HP_DW_C_NUM)
		return;
	d->n.value = v->u + add;
	d->n.flags |= HP_DW_HAS_VALUE;
}

/* Which member of the union in the node is in use. */
static bool
has_linkage(const struct hp_dw_node *n)
{
	return n->tag == DW_TAG_subprogram || n->tag == DW_TAG_variable;
}

/* SIZE-OK: a flat switch over all attributes that matter. */
static void
take(struct reader *rd, struct die *d, enum hp_dw_action action, const struct hp_dw_value *v)
{
	struct hp_dw_node *n = &d->n;
	uint32_t ref = v->cls == HP_DW_C_REF ? (uint32_t)v->u : 0;

	switch (action) {
	case HP_DW_A_NAME:
		n->name = v->s;
		break;
	case HP_DW_A_LINKAGE:
		if (has_linkage(n))
			n->linkage = v->s;
		break;
	case HP_DW_A_TYPE:
		n->type = ref;
		break;
	case HP_DW_A_ORIGIN:
		n->origin = ref;
		break;
	case HP_DW_A_SIZE:
		if (v->cls == HP_DW_C_NUM && !has_linkage(n)) {
			n->size = v->u;
			n->flags |= HP_DW_HAS_SIZE;
		}
		break;
	case HP_DW_A_BIT_SIZE:
		d->bit_size = v->u;
		d->has_bit_size = true;
		break;
	case HP_DW_A_OLD_BIT_OFF:
		d->old_bit_off = v->u;
		d->has_old_bit_off = true;
		break;
	case HP_DW_A_BIT_OFF:
	case HP_DW_A_CONST:
		set_value(d, v, rd->c.be, 1);
		break;
	case HP_DW_A_MEMBER:
		set_value(d, v, rd->c.be, 8);
		break;
	case HP_DW_A_UPPER:
		set_count(d, v, 1);
		break;
	case HP_DW_A_COUNT:
		set_count(d, v, 0);
		break;
	case HP_DW_A_ENCODING:
		n->encoding = (uint8_t)v->u;
		break;
	case HP_DW_A_DECLARATION:
		set_flag(d, v, HP_DW_DECLARATION);
		break;
	case HP_DW_A_EXTERNAL:
		set_flag(d, v, HP_DW_EXTERNAL);
		break;
	case HP_DW_A_PROTOTYPED:
		set_flag(d, v, HP_DW_PROTOTYPED);
		break;
	case HP_DW_A_ARTIFICIAL:
		set_flag(d, v, HP_DW_ARTIFICIAL);
		break;
	case HP_DW_A_VIRTUAL:
		set_flag(d, v, HP_DW_VIRTUAL);
		break;
	case HP_DW_A_LOW_PC:
	case HP_DW_A_RANGES:
		if (v->cls == HP_DW_C_ADDR)
			n->value = v->u;
		n->flags |= HP_DW_HAS_CODE;
		break;
	case HP_DW_A_SLOT:
		set_value(d, v, rd->c.be, 1);
		break;
	case HP_DW_A_LOCATION:
		set_location(rd, d, v);
		break;
	case HP_DW_A_FILE:
		n->decl_file = (uint32_t)v->u;
		n->flags |= HP_DW_HAS_FILE;
		break;
	case HP_DW_A_LINE:
		n->decl_line = (uint32_t)v->u;
		break;
	case HP_DW_A_SIBLING:
		d->sibling = v->cls == HP_DW_C_REF ? v->u : 0;
		break;
	case HP_DW_A_SKIP:
	case HP_DW_A_LANG:
	case HP_DW_A_PRODUCER:
	case HP_DW_A_COMP_DIR:
	case HP_DW_A_STMT_LIST:
	case HP_DW_A_STR_BASE:
	case HP_DW_A_ADDR_BASE:
	case HP_DW_A_DWO:
		break;
	}
}

/* Bit-fields: DWARF 4 gives data_bit_offset (already in value); before, bit_offset counted from the most significant bit of a
 * storage unit of byte_size bytes at data_member_location (DWARF 3 section 5.5.6). */
static void
finish_member(struct die *d, bool be)
{
	struct hp_dw_node *n = &d->n;

	if (!d->has_bit_size)
		return;
	if (d->has_old_bit_off) {
		uint64_t unit_bits = n->size * 8;

		n->value += be ? d->old_bit_off : unit_bits - d->old_bit_off - d->bit_size;
		n->flags |= HP_DW_HAS_VALUE;
	}
	n->size = d->bit_size;
	n->flags |= HP_DW_BITFIELD;
	n->flags &= (uint16_t)~HP_DW_HAS_SIZE;
}

static int
bad_die(const struct reader *rd, uint64_t off, const char *what, struct hp_err *err)
{
	return hp_err_set(err, HP_E_FORMAT, "'%s': .debug_info: entry at offset %llu %s", hp_esc(rd->dw->elf->path),
	                  (unsigned long long)off, what);
}

static int
read_attrs(struct reader *rd, const struct hp_dw_abbrev *a, struct die *d, struct hp_err *err)
{
	const struct hp_dw_attr *attr = rd->u->abbrevs->attrs + a->attrs_idx;

	for (uint32_t i = 0; i < a->attrs_cnt; i++, attr++) {
		struct hp_dw_value v;

		if (attr->action != HP_DW_A_SKIP) {
			if (!hp_dw_form(rd->dw, rd->u, attr->form, attr->value, &rd->c, &v))
				return bad_die(rd, d->n.off, "has a malformed attribute", err);
			take(rd, d, (enum hp_dw_action)attr->action, &v);
		} else if (attr->form == 0) {
			hp_dw_skip(&rd->c, (uint64_t)attr->value);
		} else if (!hp_dw_form_skip(rd->u, attr->form, &rd->c)) {
			return bad_die(rd, d->n.off, "has a malformed attribute", err);
		}
	}
	if (rd->c.bad)
		return bad_die(rd, d->n.off, "runs past the end of its unit", err);
	return 0;
}

static bool
in_function(const struct reader *rd)
{
	uint16_t tag = rd->parent != 0 ? rd->dw->nodes[rd->parent].tag : 0;

	return tag == DW_TAG_subprogram || tag == DW_TAG_lexical_block || tag == DW_TAG_inlined_subroutine ||
	       tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
}

static bool
is_wanted(const struct reader *rd, const struct hp_dw_abbrev *a, const struct hp_dw_node *n)
{
	uint16_t tag;

	if (rd->drop > 0)
		return false;
	switch ((enum hp_dw_kind)a->kind) {
	case HP_DW_DROP:
		return false;
	case HP_DW_KEEP:
		return true;
	case HP_DW_VAR:
		return !in_function(rd) || n->name != NULL || (n->flags & (HP_DW_HAS_ADDR | HP_DW_SPLIT)) != 0;
	case HP_DW_PARAM:
		tag = rd->parent != 0 ? rd->dw->nodes[rd->parent].tag : 0;
		/* An instance of an inlined function takes its parameters from the origin. */
		return (tag == DW_TAG_subprogram && rd->dw->nodes[rd->parent].origin == 0) || tag == DW_TAG_subroutine_type;
	}
	return false;
}

static int
add_node(struct reader *rd, const struct hp_dw_node *n, struct hp_err *err)
{
	struct hp_dwarf *dw = rd->dw;

	if (dw->nodes_cnt >= rd->nodes_max)
		return hp_err_set(err, HP_E_LIMIT, "'%s': .debug_info: more than %llu entries", hp_esc(dw->elf->path),
		                  (unsigned long long)rd->nodes_max);
	if (dw->nodes_cnt == dw->nodes_cap) {
		uint32_t cap = dw->nodes_cap == 0 ? (uint32_t)(dw->sect[HP_DW_INFO].len / 24) + 64 : dw->nodes_cap * 2;
		struct hp_dw_node *more = cap > dw->nodes_cap ? realloc(dw->nodes, cap * sizeof(*more)) : NULL;

		if (more == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory for %u debug entries", cap);
		dw->nodes = more;
		dw->nodes_cap = cap;
		if (dw->nodes_cnt == 0)
			dw->nodes[dw->nodes_cnt++] = (struct hp_dw_node){ 0 };
	}
	dw->nodes[dw->nodes_cnt] = *n;
	dw->nodes[dw->nodes_cnt].end = dw->nodes_cnt + 1;
	dw->nodes_cnt++;
	return 0;
}

static void
close_node(struct reader *rd)
{
	struct hp_dw_node *n = &rd->dw->nodes[rd->parent];

	n->end = rd->dw->nodes_cnt;
	rd->parent = n->parent;
}

/* One entry, or the null entry that ends a list of children. */
static int
read_die(struct reader *rd, struct hp_err *err)
{
	const uint8_t *sect = rd->dw->sect[HP_DW_INFO].p;
	struct die d = { .n = { .off = (uint32_t)(rd->c.p - sect), .parent = rd->parent } };
	uint64_t code = hp_dw_uleb(&rd->c);
	const struct hp_dw_abbrev *a;
	int r;

	if (code == 0) {
		if (rd->drop > 0)
			rd->drop--;
		else if (rd->parent != 0)
			close_node(rd);
		return 0;
	}
	a = hp_dw_abbrev_find(rd->u->abbrevs, code);
	if (a == NULL)
		return bad_die(rd, d.n.off, "has an unknown abbreviation", err);
	d.n.tag = a->tag;
	r = read_attrs(rd, a, &d, err);
	if (r < 0)
		return r;
	if (is_wanted(rd, a, &d.n)) {
		if (a->tag == DW_TAG_member)
			finish_member(&d, rd->c.be);
		r = add_node(rd, &d.n, err);
		if (r == 0 && a->children)
			rd->parent = rd->dw->nodes_cnt - 1;
		return r;
	}
	if (!a->children)
		return 0;
	if (d.sibling >= (uint64_t)(rd->c.p - sect) && d.sibling <= rd->u->end)
		rd->c.p = sect + d.sibling;
	else
		rd->drop++;
	return 0;
}

static int
read_unit(struct reader *rd, struct hp_err *err)
{
	struct hp_view sect = rd->dw->sect[HP_DW_INFO];

	rd->c = (struct hp_dw_cur){ sect.p + rd->u->die_off, sect.p + rd->u->end, rd->dw->elf->big_endian, false };
	rd->parent = 0;
	rd->drop = 0;
	rd->u->node = rd->dw->nodes_cnt != 0 ? rd->dw->nodes_cnt : 1;
	while (rd->c.p < rd->c.end) {
		int r = read_die(rd, err);

		if (r < 0)
			return r;
	}
	while (rd->parent != 0)
		close_node(rd);
	return 0;
}

static int
make_index(struct hp_dwarf *dw, struct hp_err *err)
{
	uint32_t n = 1;

	dw->index_cnt = dw->sect[HP_DW_INFO].len / INDEX_STEP + 1;
	dw->index = hp_arena_array(&dw->arena, dw->index_cnt, sizeof(*dw->index));
	if (dw->index == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for an index of %zu entries", dw->index_cnt);
	for (size_t i = 0; i < dw->index_cnt; i++) {
		while (n < dw->nodes_cnt && dw->nodes[n].off < i * INDEX_STEP)
			n++;
		dw->index[i] = n;
	}
	return 0;
}

static bool
is_aggregate(uint16_t tag)
{
	return tag == DW_TAG_structure_type || tag == DW_TAG_union_type || tag == DW_TAG_class_type ||
	       tag == DW_TAG_enumeration_type;
}

/* `typedef struct { ... } name;`: the type is known by that name. */
static void
name_anonymous(struct hp_dwarf *dw)
{
	/* `struct a::b {}`: the name is in the declaration. */
	for (uint32_t i = 1; i < dw->nodes_cnt; i++) {
		struct hp_dw_node *n = &dw->nodes[i];

		if (n->name == NULL && n->origin != 0 && (n->flags & HP_DW_DECLARATION) == 0 && is_aggregate(n->tag))
			n->name = dw->nodes[hp_dw_origin(dw, i)].name;
	}
	for (uint32_t i = 1; i < dw->nodes_cnt; i++) {
		const struct hp_dw_node *td = &dw->nodes[i];
		struct hp_dw_node *n;

		if (td->tag != DW_TAG_typedef || td->name == NULL || td->type == 0)
			continue;
		n = &dw->nodes[hp_dw_find(dw, td->type)];
		if (n->name != NULL || (n->flags & HP_DW_DECLARATION) != 0)
			continue;
		if (is_aggregate(n->tag)) {
			n->name = td->name;
			n->flags |= HP_DW_ALIAS;
		}
	}
}

int
hp_dw_read(struct hp_dwarf *dw, struct hp_err *err)
{
	/* The bound keeps memory in proportion: a real entry has 8 bytes or more in the mean. */
	struct reader rd = { .dw = dw, .nodes_max = dw->sect[HP_DW_INFO].len / 3 + 1024 };
	int r;

	if (dw->nodes_read)
		return 0;
	dw->nodes_cnt = 0;
	for (uint32_t i = 0; i < dw->units_cnt; i++) {
		rd.u = &dw->units[i];
		r = read_unit(&rd, err);
		if (r < 0)
			return r;
	}
	r = make_index(dw, err);
	if (r < 0)
		return r;
	name_anonymous(dw);
	dw->nodes_read = true;
	return 0;
}

static void
take_root(struct hp_dw_unit *u, enum hp_dw_action action, const struct hp_dw_value *v, bool *split)
{
	if (action == HP_DW_A_DWO)
		*split = true;
	else if (action == HP_DW_A_STR_BASE)
		u->str_off_base = v->u;
	else if (action == HP_DW_A_ADDR_BASE)
		u->addr_base = v->u;
	else if (action == HP_DW_A_LANG)
		u->id.lang = v->u;
	else if (action == HP_DW_A_STMT_LIST && v->cls == HP_DW_C_NUM)
		u->stmt_list = v->u;
	else if (action == HP_DW_A_NAME && v->s != NULL)
		u->id.name = v->s;
	else if (action == HP_DW_A_COMP_DIR && v->s != NULL)
		u->id.comp_dir = v->s;
	else if (action == HP_DW_A_PRODUCER && v->s != NULL)
		u->id.producer = v->s;
}

/* Twice: strings by index need a base that may stand behind them. Returns 1 when it is a compile unit, else 0. */
int
hp_dw_read_root(struct hp_dwarf *dw, struct hp_dw_unit *u, struct hp_err *err)
{
	struct hp_view sect = dw->sect[HP_DW_INFO];
	const struct hp_dw_abbrev *a = NULL;
	bool split = false;

	for (int pass = 0; pass < 2; pass++) {
		struct hp_dw_cur c = { sect.p + u->die_off, sect.p + u->end, dw->elf->big_endian, false };

		a = hp_dw_abbrev_find(u->abbrevs, hp_dw_uleb(&c));
		if (a == NULL)
			return 0;
		for (uint32_t i = 0; i < a->attrs_cnt; i++) {
			const struct hp_dw_attr *attr = u->abbrevs->attrs + a->attrs_idx + i;
			struct hp_dw_value v;

			if (attr->form == 0)
				hp_dw_skip(&c, (uint64_t)attr->value);
			else if (!hp_dw_form(dw, u, attr->form, attr->value, &c, &v))
				return hp_err_set(err, HP_E_FORMAT, "the first entry is malformed");
			else
				take_root(u, (enum hp_dw_action)attr->action, &v, &split);
		}
	}
	if (split)
		return hp_err_set(err, HP_E_FORMAT,
		                  "its debug information is in a separate .dwo file; build without -gsplit-dwarf");
	return a->tag == DW_TAG_compile_unit;
}

uint32_t
hp_dw_find(const struct hp_dwarf *dw, uint32_t off)
{
	uint32_t n;

	if (off == 0 || off / INDEX_STEP >= dw->index_cnt)
		return 0;
	for (n = dw->index[off / INDEX_STEP]; n < dw->nodes_cnt && dw->nodes[n].off < off; n++)
		continue;
	return n < dw->nodes_cnt && dw->nodes[n].off == off ? n : 0;
}

uint32_t
hp_dw_origin(const struct hp_dwarf *dw, uint32_t n)
{
	for (int i = 0; i < 8 && dw->nodes[n].origin != 0; i++) {
		uint32_t next = hp_dw_find(dw, dw->nodes[n].origin);

		if (next == 0)
			break;
		n = next;
	}
	return n;
}

uint32_t
hp_dw_scope(const struct hp_dwarf *dw, uint32_t n)
{
	return dw->nodes[hp_dw_origin(dw, n)].parent;
}

uint32_t
hp_dw_function_of(const struct hp_dwarf *dw, uint32_t n)
{
	uint32_t p = dw->nodes[n].parent;

	for (unsigned depth = 0; p != 0 && depth < BLOCKS_MAX; depth++, p = dw->nodes[p].parent) {
		if (dw->nodes[p].tag == DW_TAG_subprogram || dw->nodes[p].tag == DW_TAG_inlined_subroutine)
			return hp_dw_origin(dw, p);
	}
	return 0;
}

struct hp_dw_unit *
hp_dw_unit_of(const struct hp_dwarf *dw, uint32_t n)
{
	uint32_t lo = 0, hi = dw->units_cnt, off = dw->nodes[n].off;

	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (dw->units[mid].off <= off)
			lo = mid;
		else
			hi = mid;
	}
	return &dw->units[lo];
}
