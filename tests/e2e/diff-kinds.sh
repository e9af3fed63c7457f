#!/bin/sh
# long
# limit: 600
# `hpbuild diff` on changes of every kind of symbol and section that compilers and assemblers make; with a near miss where one is useful.
set -eu
. tests/lib/sh
. tests/lib/diffsh

# Symbols.
sources symver <<'EOF'
int f_1(int x) { return x * 31 + 1; } int f_2(int x) { return x * 31 + 2; } int g(int x) { return x; }
__asm__(".symver f_1,f@V1\n\t.symver f_2,f@@V2");
----
int f_1(int x) { return x * 31 + 1; } int f_2(int x) { return x * 31 + 3; } int g(int x) { return x; }
__asm__(".symver f_1,f@V1\n\t.symver f_2,f@@V2");
EOF
every -- verdict=hotpatchable changed=f_2,f@@V2 new= removed=

sources symver-import <<'EOF'
int old_f(int), f(int); __asm__(".symver old_f,f@V1"); int k(int x) { return old_f(x) + 1; } int g(int x) { return f(x) + 2; }
----
int old_f(int), f(int); __asm__(".symver old_f,f@V2"); int k(int x) { return old_f(x) + 1; } int g(int x) { return f(x) + 2; }
EOF
every -- verdict=hotpatchable changed=k new=

for vis in protected hidden internal; do
	sources "visible-$vis" <<EOF
int __attribute__((noinline)) f(int x) { return x * 3; } int g(int x) { return f(x) + 1; } int h(int x) { return x * 5; }
----
int __attribute__((noinline, visibility("$vis"))) f(int x) { return x * 3; } int g(int x) { return f(x) + 1; } int h(int x) { return x * 7; }
EOF
	every -fno-pic -fno-pie -- verdict=hotpatchable changed=h new= removed=
	sources "body-$vis" <<EOF
int __attribute__((noinline, visibility("$vis"))) f(int x) { return x * 3; } int g(int x) { return f(x) + 1; }
----
int __attribute__((noinline, visibility("$vis"))) f(int x) { return x * 99; } int g(int x) { return f(x) + 1; }
EOF
	every -fPIC -- verdict=hotpatchable changed=f new= removed=
done

sources weak <<'EOF'
int __attribute__((weak)) f(int x) { return x * 3; } int g(int x) { return f(x) + 1; }
----
int __attribute__((weak)) f(int x) { return x * 99; } int g(int x) { return f(x) + 1; }
EOF
every -- verdict=hotpatchable changed=f new= removed=

sources common <<'EOF'
int c; int f(int x) { return c + x; } int g(int x) { return c - x; }
----
int c; int f(int x) { return c + x * 3; } int g(int x) { return c - x; }
EOF
every -fcommon -- verdict=hotpatchable changed=f norule=HP1003,HP2001,HP2002
sources common-value <<'EOF'
int c; int f(int x) { return c + x; }
----
int c = 5; int f(int x) { return c + x; }
EOF
every -fcommon -fno-pic -fno-pie -- verdict=refused changed= rule=HP2001:c
sources common-zero <<'EOF'
int c; int f(int x) { return c + x; }
----
int c = 0; int f(int x) { return c - x; }
EOF
every -fcommon -- verdict=hotpatchable changed=f norule=HP1003,HP2001,HP2002
sources common-from-value <<'EOF'
int c = 5; int f(int x) { return c + x; }
----
int c; int f(int x) { return c + x; }
EOF
every -fcommon -fno-pic -fno-pie -- verdict=refused changed= rule=HP2001:c
sources common-grows <<'EOF'
char c[8]; int f(int x) { return c[x]; }
----
char c[16]; int f(int x) { return c[x]; }
EOF
every -fcommon -- verdict=refused changed= rule=HP2002:c
sources common-new <<'EOF'
int f(int x) { return x; }
----
int c; int f(int x) { return x + c++; }
EOF
every -fcommon -- verdict=hotpatchable changed=f rule=HP1003:c

sources assembly <<'EOF'
__asm__(".text\n.globl za\nza:\n\tmovl $1, %eax\n\tret\nzb:\n\tmovl $2, %eax\n\tret\n\tnop\n.Lx:\n\tcall za\n\tjmp zb\nzd = za");
int f(int x) { return x; }
----
__asm__(".text\n.globl za\nza:\n\tmovl $1, %eax\n\tret\nzb:\n\tmovl $3, %eax\n\tret\n\tnop\n.Lx:\n\tcall za\n\tjmp zb\nzd = za");
int f(int x) { return x; }
EOF
every -- verdict=hotpatchable changed=zb new=
sources assembly-grows <<'EOF'
__asm__(".text\n.globl za\nza:\n\tmovl $1, %eax\n\tret\nzb:\n\tmovl $2, %eax\n\tret\n\tnop\nzc:\n\tcall za\n\tjmp zb\nzd = za");
int f(int x) { return x; }
----
__asm__(".text\n.globl za\nza:\n\tmovl $1, %eax\n\tnop\n\tret\nzb:\n\tmovl $2, %eax\n\tret\n\tnop\nzc:\n\tcall za\n\tjmp zb\nzd = za");
int f(int x) { return x; }
EOF
every -- verdict=hotpatchable changed=za new=

sources alias-weak <<'EOF'
int f(int x) { return x * 7 + 3; } extern int g(int x) __attribute__((alias("f"))); extern int h(int) __attribute__((weak, alias("f")));
----
int f(int x) { return x * 7 + 4; } extern int g(int x) __attribute__((alias("f"))); extern int h(int) __attribute__((weak, alias("f")));
EOF
every -- verdict=hotpatchable changed=f,g,h new= removed= norule=HP2018
sources alias-moves <<'EOF'
int f(int x) { return x * 7 + 3; } int h(int x) { return x * 9; } extern int g(int x) __attribute__((alias("f")));
----
int f(int x) { return x * 7 + 3; } int h(int x) { return x * 9; } extern int g(int x) __attribute__((alias("h")));
EOF
every -- verdict=refused rule=HP2018
# Two bodies became one: whoever calls g runs the old one.
sources alias-joined <<'EOF'
int f(int x) { return x * 7 + 3; } int g(int x) { return x * 7 + 4; }
----
int f(int x) { return x * 7 + 3; } extern int g(int x) __attribute__((alias("f")));
EOF
every -- verdict=refused changed=g new= removed= rule=HP2018:g
# The same when they did the same before: then nothing is lost.
sources alias-joined-equal <<'EOF'
int f(int x) { return x * 7 + 3; } int g(int x) { return x * 7 + 3; } int h(int x) { return g(x) ^ x; }
----
int f(int x) { return x * 7 + 3; } extern int g(int x) __attribute__((alias("f"))); int h(int x) { return g(x) ^ x; }
EOF
OPTS=-O0 every -- verdict=nothing changed= new= removed= norule=HP2018

sources ifunc-new <<'EOF'
static int a(void) { return 1; } static void *pick(void) { return a; } int g(void) { return 1; }
----
static int a(void) { return 1; } static void *pick(void) { return a; } int g(void) { return 1; } int f(void) __attribute__((ifunc("pick")));
EOF
every -- verdict=refused rule=HP2004

sources to-global <<'EOF'
static int n = 3; static int __attribute__((noinline)) f(int x) { return x * 3 + n++; } int g(int x) { return f(x) + 1; }
----
int n = 3; int __attribute__((noinline)) f(int x) { return x * 3 + n++; } int g(int x) { return f(x) + 1; }
EOF
every -fno-pic -fno-pie -fcf-protection=none -- verdict=nothing changed= new= rule=HP1011:f norule=HP1003,HP2001
sources to-static <<'EOF'
int n = 3; int __attribute__((noinline)) f(int x) { return x * 3 + n++; } int g(int x) { return f(x) + 1; }
----
static int n = 3; static int __attribute__((noinline)) f(int x) { return x * 5 + n++; } int g(int x) { return f(x) + 1; }
EOF
every -fno-pic -fno-pie -fcf-protection=none -- verdict=hotpatchable changed=f new= rule=HP1011:f norule=HP1003,HP2001

# Sections.
for section in text.unlikely text.startup text.hot; do
	sources "to-$section" <<EOF
int f(int x) { return x * 3; } int g(int x) { return f(x) + 1; }
----
int __attribute__((section(".$section"))) f(int x) { return x * 3; } int g(int x) { return f(x) + 1; }
EOF
	every -fno-inline -- verdict=nothing changed= new= removed=
	sources "in-$section" <<EOF
int __attribute__((section(".$section"))) f(int x) { return x * 3; } int g(int x) { return f(x) + 1; }
----
int f(int x) { return x * 99; } int g(int x) { return f(x) + 1; }
EOF
	every -fno-inline -- verdict=hotpatchable changed=f new= removed=
done

for section in init_array fini_array ctors dtors preinit_array init_array.00150 ctors.65400; do
	sources "$section" <<EOF
int n; static void a(void) { n = 1; } static void b(void) { n = 2; } int f(int x) { return x; }
static void (*const list)(void) __attribute__((section(".$section"), used)) = a;
----
int n; static void a(void) { n = 1; } static void b(void) { n = 2; } int f(int x) { return x; }
static void (*const list)(void) __attribute__((section(".$section"), used)) = b;
EOF
	every -- verdict=refused rule=HP2005
done
sources constructor-priority <<'EOF'
int n; static void __attribute__((constructor(150))) a(void) { n = 1; }
----
int n; static void __attribute__((constructor(160))) a(void) { n = 1; }
EOF
every -- verdict=refused changed= rule=HP2005
sources destructor <<'EOF'
void stop(int); static void __attribute__((destructor)) a(void) { stop(1); } int f(void) { return 1; }
----
void stop(int); static void __attribute__((destructor)) a(void) { stop(2); } int f(void) { return 1; }
EOF
every -- verdict=refused changed=a rule=HP2005

# An inline asm that describes a place of its function in a section of its own: nobody reads the new entry.
sources asm-table <<'EOF'
int f(int x) { __asm__ volatile("1: nop\n\t.pushsection places,\"a\"\n\t.quad 1b\n\t.popsection"); return x * 3; } int g(int x) { return x; }
----
int f(int x) { __asm__ volatile("1: nop\n\t.pushsection places,\"a\"\n\t.quad 1b\n\t.popsection"); return x * 99; } int g(int x) { return x; }
EOF
every -- verdict=refused changed=f rule=HP2012
sources asm-table-other <<'EOF'
int f(int x) { __asm__ volatile("1: nop\n\t.pushsection places,\"a\"\n\t.quad 1b\n\t.popsection"); return x * 3; } int g(int x) { return x; }
----
int f(int x) { __asm__ volatile("1: nop\n\t.pushsection places,\"a\"\n\t.quad 1b\n\t.popsection"); return x * 3; } int g(int x) { return x * 99; }
EOF
every -- verdict=hotpatchable changed=g norule=HP2012
# Code out of line in a section of its own, jumped to and back.
sources asm-code <<'EOF'
int f(int x) { __asm__ goto("jmp %l0\n\t.pushsection .text.slow,\"ax\"\n\tmovl $1, %%eax\n\tjmp %l0\n\t.popsection" :::: out); out: return x; }
----
int f(int x) { __asm__ goto("jmp %l0\n\t.pushsection .text.slow,\"ax\"\n\tmovl $2, %%eax\n\tjmp %l0\n\t.popsection" :::: out); out: return x; }
EOF
every -- verdict=refused rule=HP2011

# Strings and constants.
sources suffix-owner <<'EOF'
int puts(const char *); int f(void) { return puts("a foobar"); } int g(void) { return puts("foobar"); } int h(void) { return puts("bar"); }
----
int puts(const char *); int f(void) { return puts("another"); } int g(void) { return puts("foobar"); } int h(void) { return puts("bar"); }
EOF
every -- verdict=hotpatchable changed=f
every -fno-merge-constants -- verdict=hotpatchable changed=f
sources suffix-moves <<'EOF'
int puts(const char *); int g(void) { return puts("foobar"); } int h(void) { return puts("bar"); } int z(void) { return puts("r"); }
----
int puts(const char *); int f(void) { return puts("a foobar"); } int g(void) { return puts("foobar"); } int h(void) { return puts("bar"); }
int z(void) { return puts("r"); }
EOF
every -- verdict=nothing changed= new=f
every -fno-merge-constants -- verdict=nothing changed= new=f

sources switch-table <<'EOF'
int f(int x) { switch (x) { case 0: return 31; case 1: return 7; case 2: return 90; case 3: return 12; case 4: return 55; } return -1; }
int g(int x) { switch (x) { case 0: return 3; case 1: return 71; case 2: return 9; case 3: return 112; case 4: return 5; } return -2; }
----
int f(int x) { switch (x) { case 0: return 31; case 1: return 7; case 2: return 91; case 3: return 12; case 4: return 55; } return -1; }
int g(int x) { switch (x) { case 0: return 3; case 1: return 71; case 2: return 9; case 3: return 112; case 4: return 5; } return -2; }
EOF
every -- verdict=hotpatchable changed=f
sources switch-renumbered <<'EOF'
int f(int x) { switch (x) { case 0: return 31; case 1: return 7; case 2: return 90; case 3: return 12; case 4: return 55; } return -1; }
int g(int x) { switch (x) { case 0: return 3; case 1: return 71; case 2: return 9; case 3: return 112; case 4: return 5; } return -2; }
----
int n(int x) { switch (x) { case 0: return 1; case 1: return 17; case 2: return 90; case 3: return 12; case 4: return 8; } return -1; }
int g(int x) { switch (x) { case 0: return 3; case 1: return 71; case 2: return 9; case 3: return 112; case 4: return 5; } return -2; }
int f(int x) { switch (x) { case 0: return 31; case 1: return 7; case 2: return 90; case 3: return 12; case 4: return 55; } return -1; }
EOF
every -- verdict=nothing changed= new=n

sources computed-goto <<'EOF'
int f(const unsigned char *p, int x) { static const void *const to[] = { &&a, &&b, &&c }; goto *to[*p];
a: x += 3; p++; goto *to[*p]; b: x *= 5; p++; goto *to[*p]; c: return x; } int g(int x) { return x; }
----
int f(const unsigned char *p, int x) { static const void *const to[] = { &&a, &&b, &&c }; goto *to[*p];
a: x += 3; p++; goto *to[*p]; b: x *= 5; p++; goto *to[*p]; c: return x; } int g(int x) { return x * 99; }
EOF
every -- verdict=hotpatchable changed=g
every -fPIC -- verdict=hotpatchable changed=g

# What is never "no change".
sources only-table <<'EOF'
static const unsigned char t[256] = { 1, 2, 3 }; int f(unsigned char i) { return t[i]; }
----
static const unsigned char t[256] = { 1, 2, 4 }; int f(unsigned char i) { return t[i]; }
EOF
every -- verdict=hotpatchable,refused changed=f rule=HP1005:t
sources only-float <<'EOF'
float f(float x) { return x * 1.5f; } double g(double x) { return x + 0.1; }
----
float f(float x) { return x * 1.5f; } double g(double x) { return x + 0.2; }
EOF
every -- verdict=hotpatchable changed=g
sources only-constructor <<'EOF'
int n, start(int); static void __attribute__((constructor)) init(void) { n = start(10); } int f(void) { return n; }
----
int n, start(int); static void __attribute__((constructor)) init(void) { n = start(11); } int f(void) { return n; }
EOF
every -- verdict=refused changed=init rule=HP2005:init
sources only-cold <<'EOF'
void die(int) __attribute__((noreturn, cold)); void note(int) __attribute__((cold));
int f(int x) { if (x == 7) { note(3); die(4); } return x * 3; }
----
void die(int) __attribute__((noreturn, cold)); void note(int) __attribute__((cold));
int f(int x) { if (x == 7) { note(3); die(5); } return x * 3; }
EOF
every -- verdict=hotpatchable changed+=f
# gcc makes a piece of it, and then its body is the same.
cc_now=gcc flags_now='-O2 -freorder-blocks-and-partition'
compile -g -O2 -freorder-blocks-and-partition
expect_diff verdict=hotpatchable changed=f,f.cold
check_diffs
