/* Instructions whose bytes, operands and lengths are in the manual. */
#include "formats/insn_x86.h"
#include "tests/unit/unit.h"

#define BYTES(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })

static struct hp_insn
decode(const uint8_t *p, size_t len)
{
	struct hp_insn insn;

	assert_true(hp_insn_decode(hp_view_of(p, len), 0, &insn));
	assert_int_equal(insn.len, len);
	return insn;
}

static void
test_branches(void **state)
{
	struct hp_insn i;

	(void)state;
	i = decode(BYTES(0xe8, 0x10, 0, 0, 0)); /* call +16 */
	assert_true(i.branch && i.call && !i.cond && !i.ret);
	assert_int_equal(i.rel_off, 1);
	assert_int_equal(i.rel_len, 4);
	assert_int_equal(i.rel, 16);
	i = decode(BYTES(0xeb, 0xfe)); /* jmp to itself */
	assert_true(i.branch && !i.call && !i.cond);
	assert_int_equal(i.rel, -2);
	assert_int_equal(i.rel_len, 1);
	i = decode(BYTES(0x0f, 0x84, 0, 1, 0, 0)); /* je +256 */
	assert_true(i.branch && i.cond);
	assert_int_equal(i.rel_off, 2);
	assert_int_equal(i.rel, 256);
	i = decode(BYTES(0xff, 0x15, 1, 2, 3, 4)); /* call *disp(%rip) */
	assert_true(i.branch && i.call && i.rip_rel);
	assert_int_equal(i.rel_len, 0);
	assert_int_equal(i.disp, 0x04030201);
	i = decode(BYTES(0xff, 0xe0)); /* jmp *%rax */
	assert_true(i.branch && !i.call && i.rel_len == 0);
	assert_true(decode(BYTES(0xc3)).ret);
	assert_true(decode(BYTES(0xf3, 0xc3)).ret);
}

static void
test_operands(void **state)
{
	struct hp_insn i;

	(void)state;
	i = decode(BYTES(0x83, 0x3d, 0xfb, 0xff, 0xff, 0xff, 0x07)); /* cmpl $7, -5(%rip) */
	assert_true(i.rip_rel && !i.branch);
	assert_int_equal(i.disp_off, 2);
	assert_int_equal(i.disp_len, 4);
	assert_int_equal(i.disp, -5);
	assert_int_equal(i.imm_off, 6);
	assert_int_equal(i.imm_len, 1);
	assert_int_equal(i.imm, 7);
	i = decode(BYTES(0x48, 0xb8, 1, 0, 0, 0, 0, 0, 0, 0x80)); /* movabs */
	assert_int_equal(i.imm_off, 2);
	assert_int_equal(i.imm_len, 8);
	assert_true(i.imm == 0x8000000000000001u);
	i = decode(BYTES(0x48, 0x8b, 0x04, 0x25, 0x78, 0x56, 0x34, 0x12)); /* mov 0x12345678, %rax: absolute, not rip */
	assert_false(i.rip_rel);
	assert_int_equal(i.disp, 0x12345678);
}

static void
test_padding(void **state)
{
	(void)state;
	assert_true(decode(BYTES(0x90)).nop);
	assert_true(decode(BYTES(0xcc)).nop);
	assert_true(decode(BYTES(0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0)).nop);
	assert_true(decode(BYTES(0xf3, 0x0f, 0x1e, 0xfa)).endbr64);
	assert_false(decode(BYTES(0xf3, 0x0f, 0x1e, 0xfa)).nop);
	assert_false(decode(BYTES(0x31, 0xc0)).nop);
}

static void
test_cut_off(void **state)
{
	static const uint8_t code[] = { 0x48, 0xb8, 1, 0, 0, 0, 0, 0, 0, 0x80 };
	struct hp_insn insn;
	char text[64];

	(void)state;
	for (size_t len = 0; len < sizeof(code); len++)
		assert_false(hp_insn_decode(hp_view_of(code, len), 0, &insn));
	assert_false(hp_insn_decode(hp_view_of(code, sizeof(code)), sizeof(code), &insn));
	assert_false(hp_insn_decode(hp_view_of(code, sizeof(code)), UINT64_MAX, &insn));
	hp_insn_text(hp_view_of(code, 3), 0, 0, text, sizeof(text));
	assert_string_equal(text, "(bad)");
	hp_insn_text(hp_view_of("\xe8\x10\0\0\0", 5), 0, 0x1000, text, sizeof(text));
	assert_string_equal(text, "call 0x0000000000001015");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_branches),
		cmocka_unit_test(test_operands),
		cmocka_unit_test(test_padding),
		cmocka_unit_test(test_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
