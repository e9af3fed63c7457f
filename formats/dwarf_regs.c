/* How many integer registers calls of a function may use, after its declared types. Always an upper bound: whoever asks wants to
 * know which registers surely carry nothing. System V psABI x86-64, 3.2.3. */
#include "formats/dwarf_compat.h"
#include "formats/dwarf_types.h"

#define ARGS_MAX 6u

/* Floating point of 4 or 8 bytes goes in a vector register. */
static bool
in_vector(const struct hp_dwarf *dw, uint32_t off)
{
	unsigned quals;
	const struct hp_dw_node *t = &dw->nodes[hp_dw_strip(dw, off, &quals)];

	return t->tag == DW_TAG_base_type && t->encoding == DW_ATE_float && (t->flags & HP_DW_HAS_SIZE) != 0 && t->size <= 8;
}

static unsigned
arg_regs(const struct hp_dwarf *dw, const struct hp_dw_node *param)
{
	unsigned quals;
	uint64_t size;
	const struct hp_dw_node *t = &dw->nodes[hp_dw_strip(dw, param->type, &quals)];

	if (param->tag == DW_TAG_unspecified_parameters)
		return ARGS_MAX;
	if (in_vector(dw, param->type))
		return 0;
	if (t->tag == DW_TAG_pointer_type || t->tag == DW_TAG_reference_type || t->tag == DW_TAG_rvalue_reference_type)
		return 1;
	if (param->type == 0 || !hp_dw_type_size(dw, param->type, &size))
		return ARGS_MAX;
	/* Larger ones are on the stack; but C++ may pass a reference to one instead. */
	return size > 8 && size <= 16 ? 2 : 1;
}

static unsigned
ret_regs(const struct hp_dwarf *dw, uint32_t off, bool *ret_hidden)
{
	unsigned quals;
	uint64_t size;
	const struct hp_dw_node *t = &dw->nodes[hp_dw_strip(dw, off, &quals)];

	*ret_hidden = false;
	if (off == 0 || in_vector(dw, off))
		return 0;
	if (t->tag == DW_TAG_pointer_type || t->tag == DW_TAG_reference_type || t->tag == DW_TAG_rvalue_reference_type)
		return 1;
	if (!hp_dw_type_size(dw, off, &size)) {
		*ret_hidden = true;
		return 2;
	}
	/* A large one is returned in memory; C++ does so with small ones too when they have a destructor. */
	*ret_hidden = hp_dw_is_record(t->tag) || size > 16;
	return size > 8 ? 2 : 1;
}

static bool
is_c(uint64_t lang)
{
	return lang == DW_LANG_C89 || lang == DW_LANG_C || lang == DW_LANG_C99 || lang == DW_LANG_C11 || lang == 0x2c /* C17 */;
}

static void
function_regs(const struct hp_dwarf *dw, uint32_t n, struct hp_dwarf_regs *ret)
{
	uint32_t root = hp_dw_origin(dw, n);
	const struct hp_dw_node *x = &dw->nodes[root];
	unsigned args = 0, rets;
	bool hidden;

	rets = ret_regs(dw, x->type, &hidden);
	if (dw->nodes[n].type != 0 && dw->nodes[n].type != x->type) { /* `auto` in the declaration */
		bool more;
		unsigned better = ret_regs(dw, dw->nodes[n].type, &more);

		rets = better > rets ? better : rets;
		hidden |= more;
	}
	for (uint32_t p = hp_dw_next(dw, root, 0, hp_dw_is_param); p != 0 && args < ARGS_MAX;
	     p = hp_dw_next(dw, root, p, hp_dw_is_param))
		args += arg_regs(dw, &dw->nodes[p]);
	args += hidden;
	if ((x->flags & HP_DW_PROTOTYPED) == 0 && is_c(hp_dw_unit_of(dw, root)->id.lang))
		args = ARGS_MAX;
	args = args > ARGS_MAX ? ARGS_MAX : args;
	ret->args = args > ret->args ? args : ret->args;
	ret->rets = rets > ret->rets ? rets : ret->rets;
}

static bool
has_name(const struct hp_dwarf *dw, uint32_t n, const char *name)
{
	const struct hp_dw_node *x = &dw->nodes[n];

	return x->tag == DW_TAG_subprogram &&
	       ((x->linkage != NULL && strcmp(x->linkage, name) == 0) || (x->name != NULL && strcmp(x->name, name) == 0));
}

int
hp_dwarf_regs(struct hp_dwarf *dw, const char *symbol, struct hp_dwarf_regs *ret, struct hp_err *err)
{
	struct hp_dwarf_regs regs = { 0 };
	int r = hp_dw_read(dw, err), found = 0;

	/* Linear: asked only where a changed constant is in a register. All entries of the name count, whatever their scope. */
	for (uint32_t n = 1; n < dw->nodes_cnt && r == 0; n++) {
		if (dw->nodes[n].tag != DW_TAG_subprogram ||
		    (!has_name(dw, n, symbol) && !has_name(dw, hp_dw_origin(dw, n), symbol)))
			continue;
		/* Entries that the compiler makes for functions that nobody declared (__builtin_memcpy) have no parameters. */
		if (dw->nodes[hp_dw_origin(dw, n)].decl_line == 0)
			return 0;
		function_regs(dw, n, &regs);
		found = 1;
	}
	if (found)
		*ret = regs;
	return r < 0 ? r : found;
}
