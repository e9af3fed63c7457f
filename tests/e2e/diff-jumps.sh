#!/bin/sh
# Without a section for each function, jumps between functions are resolved by the assembler, and get longer when another function grows.
set -eu
. tests/lib/sh
. tests/lib/diffsh
need nm

cc_now=gcc flags_now=-c
# asm NAME OLD_MIDDLE F OLD_LAST NEW_MIDDLE F NEW_LAST: function f, another one behind it, and last, which f jumps to.
asm() {
	case_name=$1
	mkdir -p "$W/$1"
	for side in old new; do
		{
			printf '\t.text\n\t.p2align 4\n\t.globl f\n\t.type f, @function\nf:\n%s\n\t.size f, .-f\n' "$3"
			printf '\t.p2align 4\n\t.globl middle\n\t.type middle, @function\nmiddle:\n\tmovl $%s, %%eax\n' "$([ $side = old ] && echo 1 || echo 2)"
			printf '\t.fill %s, 1, 0x90\n\tret\n\t.size middle, .-middle\n' "$2"
			for name in last other; do
				printf '\t.p2align 4\n\t.type %s, @function\n%s:\n\tmovl $7, %%ebx\n\tret\n\t.size %s, .-%s\n' $name $name $name $name
			done
			printf '\t.section .rodata\n\t.p2align 2\n.Ltable:\n%s\n' "$4"
		} >"$W/$1/$side.s"
		mkdir -p "$W/$1/$side"
		(cd "$W/$1/$side" && cp "../$side.s" t.s && gcc -c t.s -o t.o)
		shift 4
		set -- "$case_name" "$@"
	done
}
# bytes SIDE: how long f and g are.
bytes() {
	nm -S "$W/$case_name/$1/t.o" | sed -n 's/^[0-9a-f]* 0*\([0-9a-f]*\) T [fg]$/\1/p'
}
moved() {
	[ "$(bytes old)" != "$(bytes new)" ] || fail "$case_name: the compiler did not make what this is about"
	expect_diff "$@"
}
tail='	testl %edi, %edi
	je last
	movl $5, %eax
1:	subl $1, %edi
	jne 1b
	jmp last'
asm tail 20 "$tail" '' 400 "$tail" ''
moved changed=middle verdict=hotpatchable norule=HP2013
asm target 20 "$tail" '' 400 "$(echo "$tail" | sed 's/jmp last/jmp other/')" ''
moved changed=f,middle
asm condition 20 "$tail" '' 400 "$(echo "$tail" | sed 's/je last/jne last/')" ''
moved changed=f,middle
asm immediate 20 "$tail" '' 400 "$(echo "$tail" | sed 's/\$5/$6/')" ''
moved changed=f,middle
# A jump within the function to another instruction.
asm inner 20 "$tail" '' 400 "$(printf '%s' "$tail" | sed 's/^1:\(.*\)/\1\n1:/')" ''
moved changed=f,middle
# Nops that align a loop, and nops of the source.
loop='	testl %edi, %edi
	je last
	.p2align 4
1:	subl $1, %edi
	jne 1b
	jmp last'
asm aligned 20 "$loop" '' 400 "$loop" ''
expect_diff changed=middle
asm not-aligned 20 "$tail" '' 400 "$(printf '%s' "$tail" | sed 's/^\tmovl/\tnop\n&/')" ''
moved changed=f,middle
# Jump tables: labels move with the code; a label elsewhere is a change, also when it has the old distance by chance.
switch='	testl %edi, %edi
	je last
	leaq .Ltable(%rip), %rdx
	movslq (%rdx,%rdi,4), %rax
	addq %rdx, %rax
	jmp *%rax
.La:	movl $5, %eax
.Lb:	addl $8, %eax
	nop
.Lc:	addl $9, %eax
	jmp last'
labels() { for l; do printf '\t.long %s-.Ltable\n' "$l"; done; }
asm table 20 "$switch" "$(labels .La .Lb .Lc)" 400 "$switch" "$(labels .La .Lb .Lc)"
moved changed=middle
asm table-other 20 "$switch" "$(labels .La .Lb .Lc)" 400 "$switch" "$(labels .La .Lc .Lc)"
moved changed=f,middle
by_chance="$(labels .La .Lb) $(printf '\n\t.long .Lc-.Ltable-4')"
asm table-by-chance 20 "$switch" "$(labels .La .Lb .Lc)" 400 "$switch" "$by_chance"
moved changed=f,middle

# The same from C.
longer=
for cc_now in gcc clang; do
	command -v "$cc_now" >/dev/null || continue
	order=$([ $cc_now = gcc ] && echo -fno-toplevel-reorder || :)
	apart='__attribute__((noinline, used)) static'
	sources over <<EOF
int sink, tab[9]; $apart void last(int x) { sink = x * 3; } void mid(int x) { sink += x; }
void g(int x) { sink = x; last(x + 2); }
void f(int x) { for (int i = 0; i < x; i++) tab[i] += x; switch (x) { case 0: sink = 4; break;
case 1: sink += x; break; case 2: sink -= 4; break; case 3: sink *= 9; break; case 4: sink ^= 5; break; case 5: tab[1] = 3; } last(x + 1); }
----
int sink, tab[9]; $apart void last(int x) { sink = x * 3; } void mid(int x) { sink += x; __asm__ volatile(".fill 300,1,0x90"); }
void g(int x) { sink = x; last(x + 2); }
void f(int x) { for (int i = 0; i < x; i++) tab[i] += x; switch (x) { case 0: sink = 4; break;
case 1: sink += x; break; case 2: sink -= 4; break; case 3: sink *= 9; break; case 4: sink ^= 5; break; case 5: tab[1] = 3; } last(x + 1); }
EOF
	for flags_now in -O1 -O2 -O3 -Os '-O2 -fPIC' '-O2 -fno-pic'; do
		# shellcheck disable=SC2086
		compile -g $flags_now $order
		[ "$(bytes old)" = "$(bytes new)" ] || longer="$longer $cc_now"
		expect_diff verdict=hotpatchable changed=mid
	done
	case $longer in *$cc_now*) ;; *) fail "$cc_now made no jump longer" ;; esac
done
check_diffs
