#!/bin/sh
# `hpbuild diff` on small changes of every kind: what changed, and what must be refused.
set -eu
. tests/lib/sh
. tests/lib/diffsh

sources same <<'EOF'
int puts(const char *); static int n; int f(int a) { return puts("one") + a + n++; } int g(void) { return f(2); }
----
int puts(const char *); static int n; int f(int a) { return puts("one") + a + n++; } int g(void) { return f(2); }
EOF
every -- verdict=nothing changed= new=

sources comment-and-order <<'EOF'
int puts(const char *);
int a(int x) { return puts("alpha") + x; }
int b(int x) { return puts("beta") * x + a(x); }
int c(int x) { switch (x) { case 0: return puts("0"); case 1: return puts("1"); case 2: return puts("22"); case 3: return b(3);
case 4: return puts("4"); case 5: return a(5); } return x; }
----
int puts(const char *);
int a(int x), b(int x);
/* moved, and a comment */
int c(int y)
{
	switch (y) {
	case 0: return puts("0");
	case 1: return puts("1");
	case 2: return puts("22");
	case 3: return b(3);
	case 4: return puts("4");
	case 5: return a(5);
	}
	return y;
}
int b(int x) { return puts("beta") * x + a(x); }
int a(int x) { return puts("alpha") + x; }
EOF
OPTS='-O0' every -- verdict=nothing changed= new=
OPTS='-O2 -Os' every -fno-inline -- verdict=nothing changed= new=

sources string <<'EOF'
int puts(const char *); int f(void) { return puts("right"); } int g(void) { return puts("other"); }
----
int puts(const char *); int f(void) { return puts("wrong"); } int g(void) { return puts("other"); }
EOF
every -- verdict=hotpatchable changed=f new=

sources string-suffix <<'EOF'
int puts(const char *); int f(void) { return puts("foobar"); } int g(void) { return puts("bar"); }
----
int puts(const char *); int f(void) { return puts("foobaz"); } int g(void) { return puts("bar"); }
EOF
every -- verdict=hotpatchable changed=f

sources float <<'EOF'
double f(double x) { return x * 1.25 + 3.0; } double g(double x) { return x * 2.5; }
----
double f(double x) { return x * 1.35 + 3.0; } double g(double x) { return x * 2.5; }
EOF
every -- verdict=hotpatchable changed=f

sources called-other <<'EOF'
int a(int); int b(int); int f(int x) { return a(x) + 1; } int g(int x) { return a(x) + 2; }
----
int a(int); int b(int); int f(int x) { return b(x) + 1; } int g(int x) { return a(x) + 2; }
EOF
every -- verdict=hotpatchable changed=f

sources new-static <<'EOF'
int f(int x) { return x + 1; }
----
static int __attribute__((noinline)) clamp(int x) { static int calls; calls++; return x > 9 ? 9 : x; }
int f(int x) { return clamp(x) + 1; }
EOF
every -- verdict=hotpatchable changed=f new=clamp rule=HP1003

sources only-new <<'EOF'
int f(int x) { return x + 1; }
----
int f(int x) { return x + 1; }
int h(int x) { return x * f(x); }
EOF
every -- verdict=nothing changed= new=h rule=HP1013

sources table <<'EOF'
static const int table[] = { 1, 4, 9, 16, 25, 36, 49 };
int f(unsigned i) { return i < 7 ? table[i] : 0; }
int g(int x) { return x + 1; }
----
static const int table[] = { 1, 4, 9, 16, 25, 36, 50 };
int f(unsigned i) { return i < 7 ? table[i] : 0; }
int g(int x) { return x + 1; }
EOF
every -fno-pic -fno-pie -- verdict=hotpatchable,refused changed=f
every -fPIC -- verdict=hotpatchable,refused changed=f

sources table-escapes <<'EOF'
void keep(const int *);
static const int table[] = { 1, 4, 9, 16 };
void f(void) { keep(table); }
----
void keep(const int *);
static const int table[] = { 1, 4, 9, 17 };
void f(void) { keep(table); }
EOF
every -- verdict=refused changed=f rule=HP2006

sources table-visible <<'EOF'
const int table[] = { 1, 4, 9, 16 };
int f(unsigned i) { return table[i & 3]; }
----
const int table[] = { 1, 4, 9, 17 };
int f(unsigned i) { return table[i & 3]; }
EOF
every -- verdict=refused changed=f rule=HP2006

sources initial-value <<'EOF'
int limit = 10; int f(int x) { return x > limit; }
----
int limit = 12; int f(int x) { return x > limit; }
EOF
every -- verdict=refused changed= rule=HP2001

sources zero-moves <<'EOF'
int limit = 0; int f(int x) { return x > limit; }
----
int limit; int f(int x) { return x > limit + 1; }
EOF
every -- verdict=hotpatchable changed=f norule=HP2001

sources size-grows <<'EOF'
static char buf[64]; char *f(int i) { buf[i & 63] = 1; return buf; }
----
static char buf[128]; char *f(int i) { buf[i & 63] = 1; return buf; }
EOF
every -- verdict=refused rule=HP2002

sources pointer-table <<'EOF'
static const char *names[] = { "a", "b", "c" }; const char *f(int i) { names[0] = "z"; return names[i]; }
----
static const char *names[] = { "a", "b", "d" }; const char *f(int i) { names[0] = "z"; return names[i]; }
EOF
every -- verdict=refused rule=HP2001

sources constructor <<'EOF'
void start(int); static void __attribute__((constructor)) init(void) { start(1); } int f(void) { return 1; }
----
void start(int); static void __attribute__((constructor)) init(void) { start(2); } int f(void) { return 1; }
EOF
every -- verdict=refused changed=init rule=HP2005

sources constructor-new <<'EOF'
void start(int); int f(void) { return 1; }
----
void start(int); static void __attribute__((constructor)) init(void) { start(2); } int f(void) { return 1; }
EOF
every -- verdict=refused changed= new=init rule=HP2005

sources thread-local <<'EOF'
int f(void) { return 1; }
----
static __thread int n; int f(void) { return n++; }
EOF
every -- verdict=refused changed=f rule=HP2003

sources thread-local-used <<'EOF'
static __thread int n; int f(void) { return n++; }
----
static __thread int n; int f(void) { return n += 2; }
EOF
every -- verdict=hotpatchable changed=f norule=HP2003

sources ifunc <<'EOF'
static int a(void) { return 1; } static int b(void) { return 2; } int use;
static void *pick(void) { return use ? (void *)a : (void *)b; } int f(void) __attribute__((ifunc("pick")));
----
static int a(void) { return 1; } static int b(void) { return 2; } int use;
static void *pick(void) { return use > 3 ? (void *)a : (void *)b; } int f(void) __attribute__((ifunc("pick")));
EOF
every -- verdict=refused rule=HP2004

sources struct-grows <<'EOF'
struct box { int w, h; }; int f(struct box *b) { return b->w; } int g(struct box *b) { return b->h; }
----
struct box { int w, h, d; }; int f(struct box *b) { return b->w; } int g(struct box *b) { return b->h + 1; }
EOF
every -- verdict=refused changed=g rule=HP2007

sources struct-padding <<'EOF'
struct box { char c; int h; }; int f(struct box *b) { return b->h; }
----
struct box { char c, d; int h; }; int f(struct box *b) { return b->h + b->d; }
EOF
every -- verdict=refused changed=f rule=HP2007

sources struct-new <<'EOF'
int f(int *p) { return *p; }
----
struct pair { int a, b; }; int f(int *p) { struct pair q = { *p, 2 }; return q.a * q.b; }
EOF
every -- verdict=hotpatchable changed=f norule=HP2007

sources enum <<'EOF'
enum kind { A, B, C }; int f(enum kind k) { return k == C; }
----
enum kind { A, NEW, B, C }; int f(enum kind k) { return k == C; }
EOF
every -- verdict=refused changed=f rule=HP2008

sources too-short <<'EOF'
int g; void f(void) { } int h(void) { f(); return g; }
----
int g; void f(void) { g++; } int h(void) { f(); return g; }
EOF
OPTS='-O2 -Os' every -fcf-protection=none -fno-inline -- verdict=refused changed+=f rule=HP2013

sources scope <<'EOF'
static int __attribute__((noinline)) f(int x) { return x * 3; } int g(int x) { return f(x) + 1; }
----
int __attribute__((noinline)) f(int x) { return x * 3; } int g(int x) { return f(x) + 1; }
EOF
every -fno-pic -fno-pie -fcf-protection=none -- verdict=nothing changed= rule=HP1011

sources section-moves <<'EOF'
int __attribute__((section(".text.hot"))) f(int x) { return x * 3; } int g(int x) { return f(x) + 1; }
----
int __attribute__((section(".text.other"))) f(int x) { return x * 3; } int g(int x) { return f(x) + 1; }
EOF
every -fno-inline -- verdict=nothing changed=

sources static-local-renamed <<'EOF'
int f(void) { static int n; return ++n; } int g(void) { static int m = 4; return ++m; }
----
int f(void) { static int k; return ++k; } int g(void) { static int m = 4; return ++m; }
EOF
every -- verdict=hotpatchable changed=f

sources static-locals-reordered <<'EOF'
int f(void) { static int n = 3; return ++n; } int g(void) { static int n = 7; return n += 2; } int h(int x) { return x; }
----
int g(void) { static int n = 7; return n += 2; } int h(int x) { return x + 1; } int f(void) { static int n = 3; return ++n; }
EOF
every -- verdict=hotpatchable changed=h norule=HP2001,HP2017

sources static-local-removed <<'EOF'
int e(void) { static int n; return ++n; } int f(void) { static int n; return n += 3; } int g(void) { static int n; return n += 5; }
----
int e(void) { return 1; } int f(void) { static int n; return n += 3; } int g(void) { static int n; return n += 5; }
EOF
every -- verdict=hotpatchable changed=e

sources const-local-renamed <<'EOF'
int use(const int *); int f(int x) { static const int t[] = { 3, 5, 8, 13 }; return use(t + x); }
----
int use(const int *); int f(int x) { static const int u[] = { 3, 5, 8, 13 }; return use(u + x); }
EOF
every -- verdict=nothing changed=
sources const-local-renamed-changed <<'EOF'
int use(const int *); int f(int x) { static const int t[] = { 3, 5, 8, 13 }; return use(t + 1 + (x & 1)); }
----
int use(const int *); int f(int x) { static const int u[] = { 2, 5, 8, 13 }; return use(u + 1 + (x & 1)); }
EOF
every -- verdict=hotpatchable changed=f

sources custom-section <<'EOF'
struct e { int v; }; static const struct e one __attribute__((section("table"), used)) = { 1 }; int f(void) { return 1; }
----
struct e { int v; }; static const struct e one __attribute__((section("table"), used)) = { 1 };
static const struct e two __attribute__((section("table"), used)) = { 2 }; int f(void) { return 1; }
EOF
every -- verdict=refused changed= rule=HP2012

sources stray-code <<'EOF'
__asm__(".section .text.stray,\"ax\"\n\tmovl $1, %eax\n\tmovl $2, %eax\n\tret\n\tmovl $9, %eax\n\t.text"); int f(void) { return 1; }
----
__asm__(".section .text.stray,\"ax\"\n\tmovl $1, %eax\n\tmovl $3, %eax\n\tret\n\tmovl $9, %eax\n\t.text"); int f(void) { return 1; }
EOF
every -- verdict=refused changed= rule=HP2011

sources alias-split <<'EOF'
int f(int x) { return x * 7 + 3; } int g(int x) __attribute__((alias("f")));
----
int f(int x) { return x * 7 + 4; } int g(int x) { return x * 7 + 3; }
EOF
every -- verdict=refused rule=HP2018

sources alias-kept <<'EOF'
int f(int x) { return x * 7 + 3; } int g(int x) __attribute__((alias("f")));
----
int f(int x) { return x * 7 + 4; } int g(int x) __attribute__((alias("f")));
EOF
every -- verdict=hotpatchable changed=f,g norule=HP2018

sources signature <<'EOF'
static int __attribute__((noinline, noclone)) f(int x) { return x * 7 + 1000; } int g(int x) { return f(x); } int h(int x) { return x; }
----
static int __attribute__((noinline, noclone)) f(int x, int y) { return x * 7 + y + 1000; } int g(int x) { return f(x, 2); } int h(int x) { return x; }
EOF
# clang may give f the constant and leave g as it was: then an unchanged caller of another signature is refused.
every -- verdict=hotpatchable,refused changed+=f

sources function-pointer <<'EOF'
static int __attribute__((noinline)) f(int x) { return x * 7; } int (*p)(int) = f; int g(void) { return p(3); }
----
static int __attribute__((noinline)) f(int x) { return x * 8; } int (*p)(int) = f; int g(void) { return p(3); }
EOF
every -- verdict=hotpatchable changed=f norule=HP2001
check_diffs
