#!/bin/sh
# What kernel macros and compilers put beside functions: counters in names, code elsewhere, labels, tables that must be named.
set -eu
. tests/lib/sh
. tests/lib/diffsh
cc_now=gcc
kernel='asm(".pushsection .discard.reachable; .long 0; .popsection");'

# pr_debug(): descriptors named by a counter of the whole file and with their line, in a table.
debug='struct descriptor { const char *file, *text; unsigned line; char on; }; void note(struct descriptor *, const char *);
#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define pr_debug_(id, text) do { static struct descriptor __attribute__((section("__dyndbg"), used)) id = \
	{ __FILE__, text, __LINE__, 1 }; if (id.on) note(&id, text); } while (0)
#define pr_debug(text) pr_debug_(PASTE(__UNIQUE_ID_ddebug, __COUNTER__), text)'
{
	echo "$kernel"
	echo "$debug"
	echo 'int f(int x) { pr_debug("one"); pr_debug("two"); return x; }'
	echo 'int fix(int x) { return x ^ 1; }'
	echo ----
	echo "$kernel"
	echo "$debug"
	echo 'enum { shift = __COUNTER__ };'
	echo 'int f(int x) { pr_debug("one"); pr_debug("two"); return x; }'
	echo 'int fix(int x) { pr_debug("three"); return x ^ 2; }'
} >"$W/in"
sources unique-id <"$W/in"
every -- verdict=hotpatchable changed=fix rule=HP1008:__dyndbg norule=HP2001,HP2017

# The text is passed as well: another text is another function.
sed '1,/^----$/s/"one"/"uno"/' "$W/in" >"$W/in2"
sources unique-id-text <"$W/in2"
every -- verdict=hotpatchable changed=f,fix

# Other variables with such a counter are variables.
{
	echo "$kernel"
	echo 'int f(int x) { static int __UNIQUE_ID_count12; return __UNIQUE_ID_count12 += x; } int fix(int x) { return x ^ 1; }'
	echo ----
	echo "$kernel"
	echo 'int f(int x) { static int __UNIQUE_ID_count13; return __UNIQUE_ID_count13 += x; } int fix(int x) { return x ^ 2; }'
} >"$W/in"
sources unique-id-variable <"$W/in"
every -- verdict=hotpatchable changed=fix

cc_now=gcc
# A program that lists its calls to the profiler as the kernel does is none.
sources profiled <<'END'
int f(int x) { static int descriptor = 5; return descriptor += x; }
----
int f(int x) { static int descriptor = 6; return descriptor += x; }
END
compile -O2 -fno-pie -pg -mfentry -mrecord-mcount
expect_diff verdict=refused rule=HP2001

# What ran when the kernel started cannot be patched, what is beside it can; in a program it is a section like others.
# init MARK START RUN: MARK, and two functions with these constants instead of 3 and 4.
init() {
	for constants in '3 4' "$2 $3"; do
		[ "$constants" = '3 4' ] || echo ----
		echo "$1 __attribute__((section(\".init.text\"))) int start(int x) { return x * 1234 + ${constants% *}; }"
		echo "int run(int x) { return x * 4321 + ${constants#* }; }"
	done >"$W/in"
	sources init <"$W/in"
	compile -O2
}
init "$kernel" 5 4
expect_diff verdict=refused changed=start rule=HP2005:start
init "$kernel" 3 5
expect_diff verdict=hotpatchable changed=run norule=HP2005
init '' 5 4
expect_diff verdict=hotpatchable changed=start norule=HP2005

# Tables without symbols, also one that says it could be merged (the bug table of s390x).
for flags in a aw awM; do
	size=
	[ "$flags" = awM ] && size=,4
	for line in 7 8; do
		[ "$line" = 7 ] || echo ----
		echo "$kernel asm(\".pushsection __bug_table,\\\"$flags\\\",@progbits$size; .long $line; .popsection\");"
		echo "int f(int x) { return x; }"
	done >"$W/in"
	sources "table-$flags" <"$W/in"
	compile -O2
	expect_diff verdict=nothing changed= rule=HP1008:__bug_table
done

# Static places that test a CPU feature: the slow way is code without a symbol in a section of its own.
# aux BIT_F BIT_G JUMP [JUMP]: two functions; the first one's slow way ends with a jump, or runs on into the second's; the second
# one's ends with a jump, or nobody knows where.
aux() {
	printf '%s\n' "$kernel" 'extern char caps[]; asm('
	for f in "f $1 $3" "g $2 ${4:-jmp}"; do
		# shellcheck disable=SC2086
		set -- $f
		printf '".pushsection .text.%s,\\"ax\\"; .globl %s; .type %s,@function; %s: jmp 6f; 1: movl $1, %%eax; ret;"\n' \
			"$1" "$1" "$1" "$1"
		printf '"2: xorl %%eax, %%eax; ret; .size %s, .-%s; .popsection;"\n' "$1" "$1"
		printf '".pushsection .altinstr_aux,\\"ax\\"; 6: testb $%s, caps(%%rip); jnz 1b;"\n' "$2"
		[ "$3" != jmp ] || echo '"jmp 2b;"'
		echo '".popsection;"'
	done
	echo ');'
}
near() {
	{
		aux "$2" "$3" "$6" "${7:-jmp}"
		echo ----
		aux "$4" "$5" "$6" "${7:-jmp}"
	} >"$W/in"
	sources "$1" <"$W/in"
	compile -O2
}
near aux-second 1 2 1 4 jmp
expect_diff verdict=hotpatchable changed=g rule=HP1008:.altinstr_aux
near aux-first 1 2 4 2 jmp
expect_diff verdict=hotpatchable changed=f
near aux-runs-on 1 2 1 4 on
expect_diff changed=f,g
near aux-same 1 2 1 2 jmp
expect_diff verdict=nothing changed=
near aux-endless 1 2 4 2 jmp on
expect_diff changed=f,g
near aux-endless-same 1 2 1 2 on on
expect_diff verdict=nothing changed=

# Tables of drivers that have the name of what kernel macros make, outside of the kernel's tables: by content, not by name.
for x in 4 9; do
	[ $x = 4 ] || echo ----
	echo '__attribute__((section(".modinfo"), used)) static const char license[] = "GPL";'
	echo "int f(int i) { static const int descriptor[8] = { 1, 2, 3, $x, 5, 6, 7, 8 }; return descriptor[i & 7]; }"
	echo "int g(int i) { static int _rs[2] = { 1, 2 }; return _rs[i & 1]++; }"
done >"$W/in"
sources descriptor <"$W/in"
compile -O2 -ffunction-sections
expect_diff verdict=hotpatchable changed=f

# Labels of the assembler at the start of functions, which riscv64 and loongarch64 keep, all with one name: they are no aliases.
for x in 1 2; do
	[ $x = 1 ] || echo ----
	echo '__attribute__((naked)) void f(void) { asm("start_f: ret"); } __attribute__((naked)) void g(void) { asm("start_g: ret"); }'
	echo "int fix(int x) { return x ^ $x; }"
done >"$W/in"
sources label <"$W/in"
compile -O2 -ffunction-sections
for side in old new; do
	label=$(printf 'L0\001')
	objcopy --redefine-sym start_f="$label" "$W/label/$side/t.o"
	objcopy --redefine-sym start_g="$label" "$W/label/$side/t.o"
done
expect_diff verdict=hotpatchable changed=fix norule=HP2018
check_diffs
