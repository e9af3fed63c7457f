#!/bin/sh
# A change that triggers each verdict rule, and a near miss that does not, where no other diff-*.sh has them; and that none is missing.
set -eu
. tests/lib/sh
. tests/lib/diffsh

cc_now=gcc flags_now='-O2 -g'
pair() { # NAME OLD NEW EXPECTATION...
	case_name=$1
	mkdir -p "$W/$1"
	printf '%s\n' "$2" >"$W/$1/old.c"
	printf '%s\n' "$3" >"$W/$1/new.c"
	shift 3
	compile -O2 -g -ffunction-sections -fdata-sections ${more:-}
	expect_diff "$@"
}
trees() { # NAME OLD_FILES NEW_FILES EXPECTATION...: files of a folder, "" = the first one only
	case_name=$1
	mkdir -p "$W/$1/old" "$W/$1/new"
	for f in $2; do cp "$W/objects/$f.o" "$W/$1/old/${f%%-*}.o"; done
	for f in $3; do cp "$W/objects/$f.o" "$W/$1/new/${f%%-*}.o"; done
	shift 3
	answers=$((${answers:-0} + 1))
	"$hpbuild" diff --json "$W/$case_name/old" "$W/$case_name/new" >"$W/answer.$answers" || :
	echo "$W/answer.$answers $*" >>"$W/expected"
	echo "$case_name" >>"$W/expected"
}
mkdir -p "$W/objects"
object() { # NAME SOURCE FLAGS...
	printf '%s\n' "$2" >"$W/objects/t.c"
	name=$1
	shift 2
	(cd "$W/objects" && gcc -w -g -O2 "$@" -c t.c -o "$name.o")
}
object a 'int f(int x) { return x * 99 + 1; }'
object a-2 'int f(int x) { return x * 99 + 2; }'
object b 'int g(int x) { return x * 5; }'
trees object-added a 'a-2 b' rule=HP1001 norule=HP1002
trees object-removed 'a b' a-2 rule=HP1002 norule=HP1001
trees object-kept 'a b' 'a-2 b' verdict=hotpatchable norule=HP1001,HP1002

# Data.
pair data-removed 'static int n = 1; int f(int x) { return n++ + x; }' 'int f(int x) { return x; }' rule=HP1004 norule=HP1003
pair data-kept 'static int n = 1; int f(int x) { return n++ + x; }' 'static int n = 1; int f(int x) { return n++ ^ x; }' norule=HP1004,HP1003
pair const-changed 'static const int t[8] = { 1, 2, 3 }; int f(int x) { return t[x]; }' \
	'static const int t[8] = { 1, 2, 4 }; int f(int x) { return t[x]; }' changed=f rule=HP1005
pair const-kept 'static const int t[8] = { 1, 2, 3 }; int f(int x) { return t[x]; }' \
	'static const int t[8] = { 1, 2, 3 }; int f(int x) { return t[x] + 1; }' changed=f norule=HP1005,HP2006
pair size-kept 'char buf[64]; void f(int x) { buf[x] = 1; }' 'char buf[64]; void f(int x) { buf[x] = 2; }' norule=HP2002,HP2001
pair tls-kept '__thread int n; int f(int x) { return n + x; }' '__thread int n; int f(int x) { return n - x; }' \
	verdict=hotpatchable changed=f norule=HP2003
pair storage 'int n = 3; int f(int x) { return n += x; }' 'const int n = 3; int f(int x) { return x; }' verdict=refused rule=HP2016
pair storage-zero 'int n = 0; int f(int x) { return n += x; }' 'int n; int f(int x) { return n -= x; }' norule=HP2016,HP2001
pair variable-type 'unsigned n; int f(int x) { return n / x; }' 'float n; int f(int x) { return n / x; }' verdict=refused rule=HP2010
pair variable-typedef 'unsigned n; int f(int x) { return n / x; }' 'typedef unsigned u; u n; int f(int x) { return n / x + 1; }' \
	norule=HP2010,HP2001
pair enum-added 'enum e { A, B } e; int f(int x) { return x + B; }' 'enum e { A, B, C } e; int f(int x) { return x + C; }' \
	changed=f norule=HP2008

# Functions.
pair func-removed 'int f(int x) { return x; } int g(int x) { return x * 3; }' 'int f(int x) { return x * 99 + 1; }' rule=HP1009
pair func-kept 'int f(int x) { return x; } int g(int x) { return x * 3; }' 'int g(int x) { return x * 3; } int f(int x) { return x * 99 + 1; }' \
	norule=HP1009,HP1011,HP1010,HP1013
pair func-used 'int f(int x) { return x * 99 + 1; }' 'int h(int x) { return x * 77; } int f(int x) { return h(x) + 2; }' norule=HP1013
cold='void die(void) __attribute__((noreturn, cold)); void log1(int) __attribute__((cold));'
pair pieces "$cold int f(int x) { if (x == 7) { log1(3); die(); } return x * 3; }" \
	"$cold int f(int x) { if (x == 7) { log1(3); die(); } return x * 3 + 1; }" rule=HP1012
pair pieces-both "$cold int f(int x) { if (x == 7) { log1(3); die(); } return x * 3; }" \
	"$cold int f(int x) { if (x == 9) { log1(4); die(); } return x * 5 + 1; }" norule=HP1012
pair long-enough 'int n; void f(int x) { n = x + 1; }' 'int n; void f(int x) { n = x + 2; }' norule=HP2013,HP1006
pair constructor-kept 'int n; static void __attribute__((constructor)) i(void) { n = 1; } int f(int x) { return x * 99 + 1; }' \
	'int n; static void __attribute__((constructor)) i(void) { n = 1; } int f(int x) { return x * 99 + 2; }' verdict=hotpatchable norule=HP2005
pick='static int a(void) { return 1; } static void *p(void) { return a; } int i(void) __attribute__((ifunc("p")));'
pair ifunc-kept "$pick int f(int x) { return x * 99 + 1; }" "$pick int f(int x) { return x * 99 + 2; }" verdict=hotpatchable norule=HP2004
stray='__asm__(".section .text.stray,\"ax\"\n\tmovl $1, %eax\n\tret\n\t.text");'
pair stray-kept "$stray int f(int x) { return x * 99 + 1; }" "$stray int f(int x) { return x * 99 + 2; }" verdict=hotpatchable norule=HP2011
table='struct e { int v; }; static const struct e one __attribute__((section("table"), used)) = { 1 };'
pair custom-kept "$table int f(int x) { return x * 99 + 1; }" "$table int f(int x) { return x * 99 + 2; }" verdict=hotpatchable norule=HP2012
kernel='const char license[] __attribute__((section(".modinfo"))) = "license=GPL";'
bug() { echo "$kernel struct { int place, line; } bug __attribute__((section(\"__bug_table\"))) = { 5, $1 };"; }
pair kernel-table "$(bug 1) int f(int x) { return x * 99 + 1; }" "$(bug 2) int f(int x) { return x * 99 + 2; }" changed=f rule=HP1008
pair kernel-same "$(bug 1) int f(int x) { return x * 99 + 1; }" "$(bug 1) int f(int x) { return x * 99 + 2; }" changed=f norule=HP1008

# Two variables of one name in one function: debug information tells them apart.
twins='int f(int x) { if (x) { static int n; return n += x; } else { static int n; return --n; } }'
swapped='int f(int x) { if (!x) { static int n; return n -= 5; } else { static int n; return n += x * 2; } }'
more=-g0
pair twins-blind "$twins" "$swapped" verdict=refused changed=f rule=HP2017
more=
pair twins-told "$twins" "$twins int g(int x) { return f(x) * 3; }" norule=HP2017

# The build.
object a-slow 'int f(int x) { return x * 99 + 2; }' -O1
object a-nodebug 'int f(int x) { return x * 99 + 2; }' -g0
trees flags a a-slow rule=HP2014
trees flags-same a a-2 verdict=hotpatchable norule=HP2014,HP1007
trees no-debug a a-nodebug rule=HP1007
pair brief-heap 'struct s { int a; } *s; int f(int x) { return s->a + x; }' 'struct s { int a, b; } *s; int f(int x) { return s->b + x; }' \
	norule=HP1014,HP1015 rule=HP2007
hook='__attribute__((used, section(".text.hotpatch.pre_apply"))) static int hook(void) { return 0; } int f(int x) { return x'
pair hook 'int f(int x) { return x * 99 + 1; }' "$hook * 99 + 2; }" rule=HP1016 verdict=hotpatchable
pair no-hook 'int f(int x) { return x * 99 + 1; }' 'static int hook(void) { return 2; } int f(int x) { return x * 99 + hook(); }' norule=HP1016
check_diffs

for rule in $(sed -n 's/^[	 ]*HP_RULE_[A-Z0-9_]* = \([12][0-9]*\),.*/HP\1/p' differ/rules.h); do
	grep -Eq "[ ']rule=[^ ]*$rule" tests/e2e/diff-*.sh || fail "no test triggers $rule"
	grep -Eq "norule=[^ ]*$rule" tests/e2e/diff-*.sh || fail "no near miss of $rule"
done
