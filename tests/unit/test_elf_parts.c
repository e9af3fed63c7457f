/* Parts and references: how an object is split, and what its relocations mean. */
#include "formats/elf_parts.h"
#include "tests/unit/pack_cases.h"

/* Assembly, so that every byte and relocation is known. */
static const char split_s[] =
	"	.text\n"
	"	.globl first, second, alias\n	.type first,@function\n	.type second,@function\n	.type alias,@function\n"
	"first:	call second\n	cmpl $7, words+4(%rip)\n	lea str_b(%rip), %rax\ninner:	ret\n	.size first, .-first\n"
	"	.p2align 4\n"
	"second:\nalias:	jmp *table(,%rax,8)\n	ret\n	.size second, .-second\n	.size alias, .-alias\n"
	"	.section .rodata,\"a\",@progbits\n"
	"	.quad 0x1122334455667788\n" /* bytes without a name */
	"	.type named,@object\nnamed:	.long 5\n	.size named, 4\n"
	"	.section .rodata.str1.1,\"aMS\",@progbits,1\n"
	"str_a:	.string \"alpha\"\nstr_b = str_a + 2\n"
	"	.data\n	.type words,@object\nwords:	.long 1, 2, 3\n	.size words, 12\n"
	"	.section .data.table,\"aw\"\n	.type table,@object\ntable:	.quad first+3, second, words+12\n	.size "
        "table, 24\n"
	"	.bss\n	.type zeros,@object\nzeros:	.zero 32\n	.size zeros, 32\n"
	"	.section .init_array,\"aw\",@init_array\n	.quad first\n";

static struct hp_object *
assemble(const char *name, const char *text)
{
	char src[64], obj[64];

	(void)snprintf(src, sizeof(src), "%s.s", name);
	(void)snprintf(obj, sizeof(obj), "%s.o", name);
	source(src, text);
	sh("gcc -c %s", src);
	return hand_open(scratch(obj));
}

static uint32_t
part_named(const struct hp_parts *parts, const char *name)
{
	uint32_t idx = hand_find(parts, name);

	if (idx == HP_NONE)
		fail_msg("no part %s", name);
	return idx;
}

static void
resolve(const struct hp_parts *parts, uint32_t part, uint32_t rel, struct hp_ref *ret)
{
	struct hp_ref_cursor cur = HP_REF_CURSOR_INIT;
	struct hp_err err = { 0 };

	assert_true(rel < parts->v[part].rels_cnt);
	assert_fine(hp_ref_resolve(parts, part, hp_part_rels(parts, part) + rel, &cur, ret, &err), &err);
}

static void
test_split(void **state)
{
	struct hp_object *o = assemble("split", split_s);
	const struct hp_parts *p = o->parts;
	uint32_t first = part_named(p, "first"), second = part_named(p, "second"), named = part_named(p, "named");

	(void)state;
	assert_int_equal(p->v[first].kind, HP_PART_FUNC);
	assert_int_equal(p->v[first].syms_cnt, 1); /* "inner" does not split it and is no alias */
	assert_int_equal(hand_find(p, "inner"), HP_NONE);
	assert_int_equal(p->v[second].syms_cnt, 2); /* second and alias are one part */
	assert_int_equal(part_named(p, "alias"), second);
	assert_int_equal(p->v[second].off, 32);
	/* padding between the two is no part */
	assert_int_equal(hp_parts_at(p, p->v[first].sec_idx, p->v[first].len), HP_NONE);
	assert_int_equal(hp_parts_at(p, p->v[first].sec_idx, p->v[first].len - 1), first);
	assert_int_equal(p->v[named].kind, HP_PART_RODATA);
	assert_int_equal(p->v[named - 1].kind, HP_PART_ANON);
	assert_int_equal(p->v[named - 1].len, 8);
	assert_int_equal(p->v[part_named(p, "words")].kind, HP_PART_DATA);
	assert_int_equal(p->v[part_named(p, "zeros")].kind, HP_PART_BSS);
	assert_int_equal(hp_part_bytes(p, part_named(p, "zeros")).len, 0);
	for (uint32_t i = 0; i < p->cnt; i++) {
		if (strcmp(hp_part_name(p, i), ".init_array") == 0)
			assert_int_equal(p->v[i].kind, HP_PART_SPECIAL);
		if (strcmp(hp_part_name(p, i), ".rodata.str1.1") == 0)
			assert_int_equal(p->v[i].kind, HP_PART_MERGE);
	}
	hp_object_free(o);
}

static void
test_references(void **state)
{
	struct hp_object *o = assemble("refs", split_s);
	const struct hp_parts *p = o->parts;
	uint32_t first = part_named(p, "first"), second = part_named(p, "second"), words = part_named(p, "words");
	struct hp_view piece;
	struct hp_ref ref;
	uint64_t start;

	(void)state;
	resolve(p, first, 0, &ref); /* call second */
	assert_true(ref.branch && ref.call && ref.pc_rel);
	assert_int_equal(ref.part_idx, second);
	assert_int_equal(ref.off, 0);
	resolve(p, first, 1, &ref); /* cmpl $7, words+4(%rip): an immediate stands behind the displacement */
	assert_false(ref.branch);
	assert_int_equal(ref.part_idx, words);
	assert_int_equal(ref.off, 4);
	assert_int_equal(ref.bias, 5);
	resolve(p, first, 2, &ref); /* a suffix of a string is a string of its own */
	assert_int_equal(p->v[ref.part_idx].kind, HP_PART_MERGE);
	assert_true(hp_merge_piece(p, ref.part_idx, (uint64_t)ref.off, &start, &piece));
	assert_int_equal(piece.len, 4);
	assert_string_equal((const char *)piece.p, "pha");
	resolve(p, second, 0, &ref); /* jmp *table(,%rax,8): an absolute 32-bit displacement, no branch operand */
	assert_false(ref.branch || ref.pc_rel);
	assert_int_equal(ref.part_idx, part_named(p, "table"));
	assert_int_equal(ref.off, 0);
	resolve(p, part_named(p, "table"), 0, &ref);
	assert_int_equal(ref.part_idx, first);
	assert_int_equal(ref.off, 3);
	assert_int_equal(ref.width, 8);
	resolve(p, part_named(p, "table"), 2, &ref); /* one past the end still belongs to its variable */
	assert_int_equal(ref.part_idx, words);
	assert_int_equal(ref.off, 12);
	hp_object_free(o);
}

/* Two jump tables behind each other in one section: each entry counts from the start of its own table. */
static void
test_jump_tables(void **state)
{
	struct hp_object *o =
		assemble("tables", "	.section .text.f,\"ax\",@progbits\n	.type f,@function\n"
	                           "f:	lea .Lt1(%rip), %rdx\n	movslq (%rdx,%rax,4), %rax\n"
	                           "	lea .Lt2(%rip), %rcx\n.La:	nop\n.Lb:	nop\n	ret\n	.size f, .-f\n"
	                           "	.section .rodata,\"a\",@progbits\n"
	                           ".Lt1:	.long .La-.Lt1, .Lb-.Lt1\n.Lt2:	.long .Lb-.Lt2, .La-.Lt2\n");
	const struct hp_parts *p = o->parts;
	uint32_t f = part_named(p, "f"), table = HP_NONE;
	int64_t off[4];
	struct hp_ref ref;

	(void)state;
	for (uint32_t i = 0; i < p->cnt; i++)
		if (p->v[i].kind == HP_PART_ANON)
			table = i;
	assert_int_not_equal(table, HP_NONE);
	for (uint32_t i = 0; i < 4; i++) {
		resolve(p, table, i, &ref);
		assert_int_equal(ref.part_idx, f);
		off[i] = ref.off;
	}
	assert_int_equal(off[1] - off[0], 1);
	assert_int_equal(off[2], off[1]);
	assert_int_equal(off[3], off[0]);
	hp_object_free(o);
}

static void
test_refused(void **state)
{
	struct hp_ref_cursor cur = HP_REF_CURSOR_INIT;
	struct hp_object *o = assemble("bad", split_s);
	struct hp_err err = { 0 };
	struct hp_buf file;
	struct hp_ref ref;
	struct hp_rel rel;

	(void)state;
	rel = *hp_part_rels(o->parts, part_named(o->parts, "first"));
	rel.type = 200;
	assert_int_equal(hp_ref_resolve(o->parts, 0, &rel, &cur, &ref, &err), HP_E_ARCH);
	hp_object_free(o);
	/* a symbol that ends beyond its section */
	source("long.s", "	.text\n	.type f,@function\nf:	ret\n	.size f, 100\n");
	sh("gcc -c long.s");
	slurp("long.o", &file);
	assert_int_equal(hp_object_open(&file, "long.o", &o, &err), HP_E_FORMAT);
	/* an executable is no object */
	sh("echo 'int main(void) { return 0; }' >m.c && $CC m.c -o m");
	slurp("m", &file);
	assert_int_equal(hp_object_open(&file, "m", &o, &err), HP_E_FORMAT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_jump_tables),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
