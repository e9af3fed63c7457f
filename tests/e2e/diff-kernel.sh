#!/bin/sh
# What kernel macros put beside functions: code in other sections.
set -eu
. tests/lib/sh
. tests/lib/diffsh
cc_now=gcc
kernel='asm(".pushsection .discard.reachable; .long 0; .popsection");'

# Static places that test a CPU feature: the slow way is code without a symbol in a section of its own.
# aux BIT_F BIT_G JUMP: two functions; the first one's slow way ends with a jump, or runs on into the second's.
aux() {
	printf '%s\n' "$kernel" 'extern char caps[]; asm('
	for f in "f $1 $3" "g $2 jmp"; do
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
		aux "$2" "$3" "$6"
		echo ----
		aux "$4" "$5" "$6"
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

check_diffs
