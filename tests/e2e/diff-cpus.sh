#!/bin/sh
# Objects of other CPUs: what their own relocations mean.
set -eu
. tests/lib/sh
. tests/lib/diffsh
need clang

# assemble CPU: both sources, which are assembly.
assemble() {
	cc_now=$1
	for side in old new; do
		mkdir -p "$W/$case_name/$side"
		clang --target="$1-linux-gnu" -x assembler -c "$W/$case_name/$side.c" -o "$W/$case_name/$side/t.o" ||
			skip "clang does not assemble for $1"
	done
}

# load REFERENCE STRINGS: a function of s390x that loads the address of a string.
load() {
	printf '\t.section .text.f,"ax",@progbits\n\t.globl f\n\t.type f,@function\n'
	printf 'f:\t%s\n\tbrasl %%r14, puts@PLT\n\tbr %%r14\n\t.size f, .-f\n' "$1"
	printf '\t.section .rodata.str1.2,"aMS",@progbits,1\n'
	printf '%s\n' "$2"
}

# s390x counts from the start of an instruction, two bytes before the field. On the way to an entry of the GOT as well: taken for
# two bytes further on, nobody reads the first two letters of a string.
for insn in 'lgrl %r2, .LC1@GOT' 'larl %r2, .LC1'; do
	{
		load "$insn" '.LC0: .string "first"
.LC1: .string "ab hello"'
		echo ----
		load "$insn" '.LC1: .string "xy hello"
.LC0: .string "first"'
	} >"$W/in"
	sources s390-string <"$W/in"
	assemble s390x
	expect_diff verdict=hotpatchable changed=f

	{
		load "$insn" '.LC0: .string "a"
.LC1: .string "b"'
		echo ----
		load "$insn" '.LC1: .string "b"
.LC0: .string "c"'
	} >"$W/in"
	sources s390-string-moved <"$W/in"
	assemble s390x
	expect_diff verdict=nothing changed=
done
check_diffs
