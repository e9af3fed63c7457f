#!/bin/sh
# Line numbers that only moved are noise; a constant that looks like one is not.
set -eu
. tests/lib/sh
. tests/lib/diffsh

base='void bad(const char *, int, const char *); void use(int); void use2(int, int);
#define CHECK(x) ((x) ? (void)0 : bad(#x, __LINE__, __func__))'

{
	echo "$base"
	printf 'int f(int a)\n{\n\tCHECK(a > 1);\n\tuse(a);\n\tCHECK(a < 9);\n\treturn a;\n}\nint fix(int a)\n{\n\treturn a;\n}\n'
	echo ----
	echo "$base"
	printf '/* a\n * longer\n * comment */\n'
	printf 'int f(int a)\n{\n\tCHECK(a > 1);\n\tuse(a);\n\tCHECK(a < 9);\n\treturn a;\n}\nint fix(int a)\n{\n\treturn a + 1;\n}\n'
} >"$W/in"
sources assert <"$W/in"
every -- verdict=hotpatchable changed=fix noise=f rule=HP1006

# A real change beside a line number that moved.
sed 's/a < 9/a < 10/; s/return a + 1/return a/' "$W/assert/new.c" >"$W/assert/new2.c"
mv "$W/assert/new2.c" "$W/assert/new.c"
every -- verdict=hotpatchable changed=f noise=

# A constant that changes by the shift, but is no line of its own statement.
{
	echo "$base"
	printf 'int f(int a)\n{\n\tuse(100);\n\tuse(a);\n\tuse(5);\n\treturn a;\n}\n'
	echo ----
	echo "$base"
	printf '\n\n\nint f(int a)\n{\n\tuse(103);\n\tuse(a);\n\tuse(5);\n\treturn a;\n}\n'
} >"$W/in"
sources shifted-constant <"$W/in"
every -- verdict=hotpatchable changed=f noise=

# It is the line of another statement of this function, not of its own.
{
	echo "$base"
	printf 'int f(int a)\n{\n\tuse(7);\n\tuse(a);\n\tuse(1);\n\treturn a;\n}\n'
	echo ----
	echo "$base"
	printf '\n\n\nint f(int a)\n{\n\tuse(10);\n\tuse(a);\n\tuse(1);\n\treturn a;\n}\n'
} >"$W/in"
sources other-line <"$W/in"
every -- verdict=hotpatchable changed=f noise=

# A compare is no place for a line number, even with the very value.
{
	echo "$base"
	printf 'int f(int a)\n{\n\tif (a > 5)\n\t\tuse(a);\n\treturn a;\n}\n'
	echo ----
	echo "$base"
	printf '\n\n\nint f(int a)\n{\n\tif (a > 8)\n\t\tuse(a);\n\treturn a;\n}\n'
} >"$W/in"
sources compare <"$W/in"
every -- verdict=hotpatchable changed=f noise=

# Without a shift nothing can be noise.
{
	echo "$base"
	printf 'int f(int a)\n{\n\tuse2(a, 5);\n\treturn a;\n}\n'
	echo ----
	echo "$base"
	printf 'int f(int a)\n{\n\tuse2(a, 6);\n\treturn a;\n}\n'
} >"$W/in"
sources no-shift <"$W/in"
every -- verdict=hotpatchable changed=f noise=

# Without DWARF nothing is proven.
case_name=assert
sed 's/a < 10/a < 9/' "$W/assert/new.c" >"$W/assert/new2.c"
mv "$W/assert/new2.c" "$W/assert/new.c"
cc_now=gcc
compile -O2 -g0
expect_diff changed=f noise= rule=HP1007
check_diffs
