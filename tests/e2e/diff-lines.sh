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

# A constant beside the line number in one call: also when it changes by as much as the line moved.
for new in 41 43; do
	{
		echo 'void bad(int, int, const char *);'
		printf 'int f(int a)\n{\n\tif (a)\n\t\tbad(__LINE__, 40, __func__);\n\treturn a;\n}\n'
		echo ----
		echo 'void bad(int, int, const char *);'
		printf '\n\n\nint f(int a)\n{\n\tif (a)\n\t\tbad(__LINE__, %s, __func__);\n\treturn a;\n}\n' $new
	} >"$W/in"
	sources "beside-$new" <"$W/in"
	every -- verdict=hotpatchable changed=f noise=
done
# Both line numbers of one function moved, one of them not as far: a line was added in between.
{
	echo "$base"
	printf 'int f(int a)\n{\n\tCHECK(a > 1);\n\tuse(a);\n\tCHECK(a < 9);\n\treturn a;\n}\nint fix(int a)\n{\n\treturn a;\n}\n'
	echo ----
	echo "$base"
	printf '\nint f(int a)\n{\n\tCHECK(a > 1);\n\tuse(a);\n\n\n\tCHECK(a < 9);\n\treturn a;\n}\nint fix(int a)\n{\n\treturn a ^ 1;\n}\n'
} >"$W/in"
sources two-shifts <"$W/in"
every -- verdict=hotpatchable changed=fix noise=f
# The real assert(), and its text.
fill() { # EXPRESSION
	printf '#include <assert.h>\n%bint f(int a)\n{\n\tassert(%s);\n\treturn a * 3;\n}\nint fix(int a)\n{\n\treturn a%s;\n}\n' "$2" "$1" "$3"
}
{ fill 'a != 4' '' '' && echo ---- && fill 'a != 4' '/* one\n * two */\n' ' + 1'; } >"$W/in"
sources real-assert <"$W/in"
every -- verdict=hotpatchable changed=fix noise=f
{ fill 'a != 4' '' '' && echo ---- && fill 'a  !=  4' '/* one\n * two */\n' ''; } >"$W/in"
sources assert-text <"$W/in"
every -- verdict=nothing changed= noise=f
{ fill 'a != 4' '' '' && echo ---- && fill 'a != 4 && 1' '/* one\n * two */\n' ''; } >"$W/in"
sources assert-other <"$W/in"
every -- verdict=hotpatchable changed=f noise=

# The file's name is part of the program: another folder is another string, unless it is mapped.
printf 'void note(const char *); int f(int a) { note(__FILE__); return a; }\n----\nvoid note(const char *); int f(int a) { note(__FILE__); return a; }\n' >"$W/in"
sources file-name <"$W/in"
for cc_now in gcc clang; do
	command -v "$cc_now" >/dev/null || continue
	flags_now='(relative)'
	compile -g -O2
	expect_diff verdict=nothing changed=
	flags_now='(absolute)'
	for map in '' yes; do
		for side in old new; do
			# shellcheck disable=SC2086
			"$cc_now" -w -g -O2 ${map:+-ffile-prefix-map=$W/file-name/$side=.} -c "$W/file-name/$side/t.c" -o "$W/file-name/$side/t.o"
		done
		expect_diff "changed=$([ -n "$map" ] || echo f)"
	done
done

# __DATE__ and __TIME__, which differ whenever a file is compiled: the string changed, and nobody can tell that it does not matter.
printf 'void note(const char *, const char *); int f(int a) { note(__DATE__, __TIME__); return a; } int g(int a) { return a; }\n' >"$W/date.c"
{ cat "$W/date.c" && echo ---- && cat "$W/date.c"; } >"$W/in"
sources date <"$W/in"
for cc_now in gcc clang; do
	command -v "$cc_now" >/dev/null || continue
	for seconds in 0 86400; do
		flags_now="+$seconds"
		for side in old new; do
			[ $side = old ] && epoch=1700000000 || epoch=$((1700000000 + seconds))
			mkdir -p "$W/date/$side" && cp "$W/date.c" "$W/date/$side/t.c"
			(cd "$W/date/$side" && SOURCE_DATE_EPOCH=$epoch "$cc_now" -g -O2 -c t.c -o t.o)
		done
		# clang before 16 does not know SOURCE_DATE_EPOCH and uses the time of day: nothing to expect of it.
		strings -a "$W/date/old/t.o" | grep -q 'Nov 14 2023' || continue
		expect_diff "changed=$([ $seconds = 0 ] || echo f)" noise=
	done
done

# The sanitizer's data: a function that did not move is not touched by a change behind it.
{
	printf 'int f(int a, int b)\n{\n\treturn a + b;\n}\nint fix(int a)\n{\n\treturn a ^ 1;\n}\n'
	echo ----
	printf 'int f(int a, int b)\n{\n\treturn a + b;\n}\nint fix(int a)\n{\n\treturn a ^ 2;\n}\n'
} >"$W/in"
sources ubsan-in-place <"$W/in"
OPTS='-O0 -O2' every -fsanitize=undefined -- verdict=hotpatchable changed=fix
check_diffs
