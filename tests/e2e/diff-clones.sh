#!/bin/sh
# long
# limit: 600
# `hpbuild diff` on what compilers number and split: static locals, clones and pieces of functions; and what C++ adds.
set -eu
. tests/lib/sh
. tests/lib/diffsh

# Static locals. "Baseline's storage": no HP1003 (new), HP1004 (gone), HP2001, HP2017 for what is the same variable.
same=norule=HP1003,HP1004,HP2001,HP2017
sources renumbered <<'EOF'
int f(int x) { static int n = 3; return n += x; } int g(int x) { static int n = 7; return n ^= x; }
----
int e(int x) { static int k = 5; return k -= x; } int f(int x) { static int n = 3; return n += x; }
int g(int x) { static int n = 7; return n ^= x; }
EOF
every -- verdict=nothing changed= new=e norule=HP2001,HP2017,HP1004
sources renumbered-equal <<'EOF'
int f(int x) { static int n; return n += x; } int g(int x) { static int n; return n ^= x; }
----
int g(int x) { static int n; return n ^= x; } int e(int x) { return x * 3; } int f(int x) { static int n; return n += x * 2; }
EOF
every -- verdict=hotpatchable changed=f new=e $same
sources added <<'EOF'
int f(int x) { static int n = 3; return n += x; }
----
int f(int x) { static int k = 5; static int n = 3; k++; return n += x * k; }
EOF
every -- verdict=hotpatchable changed=f new= norule=HP2001,HP2017,HP1004
# Another variable of the same name before it: which is which only debug information tells.
sources added-same-name <<'EOF'
int f(int x) { static int n = 3; return n += x; }
----
int e(int x) { static int n = 3; return n -= x; } int f(int x) { static int n = 3; return n += x + 1; }
EOF
every -- verdict=hotpatchable changed=f new=e norule=HP2001,HP2017,HP1004
sources removed-same-name <<'EOF'
int e(int x) { static int n = 3; return n -= x; } int f(int x) { static int n = 3; return n += x; }
----
int e(int x) { return x; } int f(int x) { static int n = 3; return n += x + 1; }
EOF
every -- verdict=hotpatchable changed=e,f new= norule=HP1003,HP2001,HP2017
sources two-in-one <<'EOF'
int f(int x) { if (x) { static int n = 1; return n += x; } else { static int n = 2; return --n; } }
----
int f(int x) { if (x) { static int n = 1; return n += x * 3; } else { static int n = 2; return --n; } }
EOF
every -- verdict=hotpatchable changed=f $same
sources two-in-one-equal <<'EOF'
int f(int x) { if (x) { static int n; return n += x; } else { static int n; return --n; } }
----
int f(int x) { if (x) { static int n; return n += x * 3; } else { static int n; return --n; } }
EOF
every -- verdict=hotpatchable changed=f $same
# The blocks changed places, and so did the variables' numbers.
sources two-swapped <<'EOF'
int use(int); int f(int x) { if (x) { static int n = 1; return n += use(x); } else { static int n = 2; return n -= 5; } }
----
int use(int); int f(int x) { if (!x) { static int n = 2; return n -= 6; } else { static int n = 1; return n += use(x); } }
EOF
every -- verdict=refused changed=f rule=HP2001
sources in-inlined <<'EOF'
static inline __attribute__((always_inline)) int tick(int x) { static int n = 4; return n += x; }
int f(int x) { return tick(x); } int g(int x) { return tick(x + 1); } int h(int x) { static int n = 9; return n -= x; }
----
static inline __attribute__((always_inline)) int tick(int x) { static int n = 4; return n += x * 2; }
int h(int x) { static int n = 9; return n -= x; } int g(int x) { return tick(x + 1); } int f(int x) { return tick(x); }
EOF
every -- verdict=hotpatchable changed=f,g new= $same
sources in-inlined-new-caller <<'EOF'
static inline __attribute__((always_inline)) int tick(int x) { static int n; return n += x; }
int f(int x) { return tick(x); } int h(int x) { static int n; return n -= x; }
----
static inline __attribute__((always_inline)) int tick(int x) { static int n; return n += x; }
int k(int x) { return tick(x) * 3; } int h(int x) { static int n; return n -= x + k(x); } int f(int x) { return tick(x); }
EOF
every -- verdict=hotpatchable changed=h new=k $same
sources type-changes <<'EOF'
int f(int x) { static int n; return n += x; }
----
int f(int x) { static float n; return n += x; }
EOF
every -- verdict=refused changed=f rule=HP2010
sources size-changes <<'EOF'
int f(int x) { static char n[4]; return n[x] += x; }
----
int f(int x) { static char n[8]; return n[x] += x; }
EOF
every -- verdict=refused rule=HP2002
# A constant of its own is no storage.
sources const-local <<'EOF'
int f(unsigned x) { static const int t[5] = { 1, 5, 9, 3, 2 }; return t[x % 5]; } int g(unsigned x) { static const int t[5] = { 8, 6, 1, 2, 0 }; return t[x % 5]; }
----
int e(unsigned x) { static const int t[5] = { 7, 7, 7, 2, 1 }; return t[x % 5]; }
int f(unsigned x) { static const int t[5] = { 1, 5, 9, 3, 2 }; return t[x % 5]; } int g(unsigned x) { static const int t[5] = { 8, 6, 1, 2, 3 }; return t[x % 5]; }
EOF
every -- verdict=hotpatchable,refused changed=g new=e norule=HP2001,HP2017

# Clones and pieces, which gcc makes.
only_gcc() {
	cc_now=gcc
	for sect in '-ffunction-sections -fdata-sections' ''; do
		flags_now="-O2 $sect"
		# shellcheck disable=SC2086
		compile -g $flags_now
		"$hpbuild" diff --json "$W/$case_name/old/t.o" "$W/$case_name/new/t.o" >"$W/clone.json" 2>&1 || :
		expect_diff "$@"
	done
}
# has SIDE NAME...: the compiler did make what the case is about.
has() {
	has_side=$1
	shift
	for has_name; do nm "$W/$case_name/$has_side/t.o" | grep -q " $has_name\$" || fail "$case_name: no $has_name"; done
}
body='{ int s = 0; for (int i = 0; i < x; i++) s += use(i * k) ^ (k << 3); return s; }'
sources constprop <<EOF
int use(int); static int __attribute__((noinline)) h(int x, int k) $body
int f(int x) { return h(x, 7); } int g(int x) { return h(x + 1, 7); }
----
int use(int); static int __attribute__((noinline)) h(int x, int k) { int s = 1; for (int i = 0; i < x; i++) s += use(i * k) ^ (k << 3); return s; }
int f(int x) { return h(x, 7); } int g(int x) { return h(x + 1, 7); }
EOF
only_gcc verdict=hotpatchable changed=h.constprop.0 new= removed=
has old h.constprop.0
sources constprop-vanishes <<EOF
int use(int); static int __attribute__((noinline)) h(int x, int k) $body
int f(int x) { return h(x, 7) + 1; } int g(int x) { return h(x + 1, 7); }
----
int use(int); static int __attribute__((noinline)) h(int x, int k) $body
int f(int x) { return h(x, 7) + 1; } int g(int x) { return h(x + 1, use(x)); }
EOF
only_gcc verdict=hotpatchable changed+=g new=h
has old h.constprop.0
has new h
sources constprop-appears <<EOF
int use(int); static int __attribute__((noinline)) h(int x, int k) $body
int f(int x) { return h(x, 7); } int g(int x) { return h(x + 1, use(x)); }
----
int use(int); static int __attribute__((noinline)) h(int x, int k) $body
int f(int x) { return h(x, 7); } int g(int x) { return h(x + 1, 7); }
EOF
only_gcc verdict=hotpatchable changed=f,g new=h.constprop.0 removed=h
# Two clones, and another one before them: numbers move.
sources constprop-renumbered <<EOF
int use(int); static int __attribute__((noinline)) h(int x, int k) $body
int f(int x) { return h(x, 7) + h(x * 2, 7); }
static int __attribute__((noinline)) d(int x, int k) { return use(x ^ k) * use(k) + 1; } int g(int x) { return d(x, 5); }
----
int use(int); static int __attribute__((noinline)) e(int x, int k) { return use(x + k) * use(x - k); } int k(int x) { return e(x, 3) - e(x + 1, 3); }
static int __attribute__((noinline)) d(int x, int k) { return use(x ^ k) * use(k) + 1; } int g(int x) { return d(x, 5); }
static int __attribute__((noinline)) h(int x, int k) $body int f(int x) { return h(x, 7) + h(x * 2, 7); }
EOF
only_gcc verdict=nothing changed= new=e.constprop.0,k
s='struct s { int a, b[30]; }; int use(int), keep(struct s *); static int __attribute__((noinline))'
sources isra <<EOF
$s h(struct s *s, int x) { return use(s->a + x) * 3 + 1; } int f(struct s *s) { return h(s, 3) + 1 + h(s, 5); }
----
$s h(struct s *s, int x) { return use(s->a + x) * 5 + 1; } int f(struct s *s) { return h(s, 3) + 1 + h(s, 5); }
EOF
only_gcc verdict=hotpatchable changed=h.isra.0 new= removed=
has old h.isra.0
sources isra-vanishes <<EOF
$s h(struct s *s, int x) { return use(s->a + x) * 3 + 1; } int f(struct s *s) { return h(s, 3) + 1 + h(s, 5); }
----
$s h(struct s *s, int x) { return use(s->a + x) * 3 + keep(s); } int f(struct s *s) { return h(s, 3) + 1 + h(s, 5); }
EOF
only_gcc verdict=hotpatchable changed=f new=h removed=h.isra.0
has old h.isra.0
has new h
sources part <<'EOF'
int use(int); static int h(int *p) { if (!p) return 0; int s = 0; for (int i = 0; i < *p; i++) s += use(i) * use(s + i) + use(s ^ i); return s; }
int f(int *p) { return h(p) + 1; } int g(int *p) { return h(p) * 3; } int k(int *p) { return h(p) - 3; } int l(int *p) { return h(p) ^ 3; }
----
int use(int); static int h(int *p) { if (!p) return 0; int s = 2; for (int i = 0; i < *p; i++) s += use(i) * use(s + i) + use(s ^ i); return s; }
int f(int *p) { return h(p) + 1; } int g(int *p) { return h(p) * 3; } int k(int *p) { return h(p) - 3; } int l(int *p) { return h(p) ^ 3; }
EOF
only_gcc verdict=hotpatchable changed=h.part.0 new= removed=
has old h.part.0
cold='int use(int); void die(int) __attribute__((noreturn, cold)); void note(int) __attribute__((cold));'
sources cold-appears <<EOF
$cold int f(int x) { return use(x) * 3; } int g(int x) { return use(x + 1); }
----
$cold int f(int x) { if (x == 9) { note(x); die(3); } return use(x) * 3; } int g(int x) { return use(x + 1); }
EOF
only_gcc verdict=hotpatchable changed=f new=f.cold
has new f.cold
sources cold-vanishes <<EOF
$cold int f(int x) { if (x == 9) { note(x); die(3); } return use(x) * 3; } int g(int x) { if (x == 7) { note(x); die(4); } return use(x + 1); }
----
$cold int f(int x) { return use(x) * 3; } int g(int x) { if (x == 7) { note(x); die(4); } return use(x + 1); }
EOF
only_gcc verdict=hotpatchable changed=f new= removed=f.cold
has old f.cold g.cold
# The piece of another function before it grew.
sources cold-moves <<EOF
$cold int g(int x) { if (x == 7) { note(x); die(4); } return use(x + 1); } int f(int x) { if (x == 9) { note(x); die(3); } return use(x) * 3; }
----
$cold int g(int x) { if (x == 7) { note(x); note(x + 1); note(x + 2); die(4); } return use(x + 1); }
int f(int x) { if (x == 9) { note(x); die(3); } return use(x) * 3; }
EOF
only_gcc verdict=hotpatchable changed=g,g.cold new= removed=
has old f.cold g.cold
# Both pieces and clones at once, of one function.
sources cold-of-clone <<EOF
$cold static int __attribute__((noinline)) h(int x, int k) { if (x == 9) { note(k); die(3); } return use(x * k) * 3; } int f(int x) { return h(x, 7); }
----
$cold static int __attribute__((noinline)) h(int x, int k) { if (x == 9) { note(k); die(4); } return use(x * k) * 3; } int f(int x) { return h(x, 7); }
EOF
only_gcc verdict=hotpatchable changed=h.constprop.0,h.constprop.0.cold new= removed=

# Checks that are put in by macros and flags, in functions of real headers.
fortify() { # FLAGS... -- EXPECTATION...
	for cc_now in gcc clang; do
		command -v "$cc_now" >/dev/null || continue
		for sect in -ffunction-sections ''; do
			flags_now="-O2 $sect -D_FORTIFY_SOURCE=2 -fstack-protector-strong"
			# shellcheck disable=SC2086
			compile -g $flags_now
			expect_diff "$@"
		done
	done
}
sources fortify <<'EOF'
#include <string.h>
#include <stdio.h>
void use(char *); void f(const char *s) { char b[16]; strcpy(b, s); use(b); } void g(const char *s) { char b[32]; sprintf(b, "%s!", s); use(b); }
----
#include <string.h>
#include <stdio.h>
/* longer */
void use(char *); void f(const char *s) { char b[24]; strcpy(b, s); use(b); } void g(const char *s) { char b[32]; sprintf(b, "%s!", s); use(b); }
EOF
fortify verdict=hotpatchable changed=f new= noise=

# C++.
command -v g++ >/dev/null || { check_diffs && exit 0; }
language=c++
sources rtti <<'EOF'
#include <typeinfo>
struct P { int p; }; struct Q { int q; }; struct X : P { int x; }; const std::type_info *f() { return &typeid(X); } int g(int x) { return x; }
----
#include <typeinfo>
struct P { int p; }; struct Q { int q; }; struct X : Q { int x; }; const std::type_info *f() { return &typeid(X); } int g(int x) { return x; }
EOF
every -- verdict=refused changed=_Z1fv rule=HP2015:_ZTI1X
sources rtti-other <<'EOF'
struct P { int p; }; struct X : P { int x; virtual int v(); }; int X::v() { return 1; } int g(int x) { return x; }
----
struct P { int p; }; struct X : P { int x; virtual int v(); }; int X::v() { return 1; } int g(int x) { return x * 99; }
struct Y : X { int v(); }; int Y::v() { return 3; }
EOF
every -- verdict=hotpatchable changed=_Z1gi norule=HP2015:_ZTI1X,HP2015:_ZTV1X
sources lambda <<'EOF'
int call(int (*)(int)); int f() { return call([](int x) { return x * 1234 + 1; }); } int g() { return call([](int x) { return x * 1234 + 5; }); }
----
int call(int (*)(int)); int f() { return call([](int x) { return x * 1234 + 2; }); } int g() { return call([](int x) { return x * 1234 + 5; }); }
EOF
every -- verdict=hotpatchable changed+= new= removed= norule=HP2017
# Compilers number them: by function, or (clang) through the whole file.
sources lambda-renumbered <<'EOF'
int call(int (*)(int)); int g() { return call([](int x) { return x * 1234 + 5; }); } int f() { return call([](int x) { return x * 1234 + 1; }); }
----
int call(int (*)(int)); int h() { return call([](int x) { return x - 3; }); } int f() { return call([](int x) { return x * 1234 + 1; }); }
int g() { return call([](int x) { return x * 1234 + 5; }); }
EOF
every -- verdict=nothing changed=
sources lambda-before <<'EOF'
int call(int (*)(int)); int f() { return call([](int x) { return x * 1234 + 5; }); }
----
int call(int (*)(int)); int f() { call([](int x) { return x - 3; }); return call([](int x) { return x * 1234 + 5; }); }
EOF
every -- verdict=hotpatchable changed=_Z1fv removed= norule=HP2017
# One more, and the other one changed: whoever keeps the old one would go on with it, or run the wrong one.
sources lambda-before-changed <<'EOF'
int call(int (*)(int)); int f() { return call([](int x) { return x * 1234 + 5; }); }
----
int call(int (*)(int)); int f() { call([](int x) { return x - 3; }); return call([](int x) { return x * 1234 + 6; }); }
EOF
every -- verdict=refused changed=_Z1fv rule=HP2017
sources table-only <<'EOF'
void g(); int f(int x) { try { g(); } catch (int) { return 1; } return x; } int h(int x) { try { g(); } catch (long) { return 2; } return x; }
----
void g(); int f(int x) { try { g(); } catch (short) { return 1; } return x; } int h(int x) { try { g(); } catch (long) { return 2; } return x; }
EOF
every -- verdict=hotpatchable changed+=_Z1fi changed!=_Z1hi,_Z1hi.cold new=
sources table-moves <<'EOF'
void g(); int h(int x) { try { g(); } catch (long) { return 2; } return x; } int k(int x) { return x; }
----
void g(); int f(int x) { try { g(); } catch (int) { return 1; } return x; } int h(int x) { try { g(); } catch (long) { return 2; } return x; }
int k(int x) { return x * 99; }
EOF
every -- verdict=hotpatchable changed=_Z1ki new+=_Z1fi
sources guard-new <<'EOF'
int make(); int f(int x) { return x; } int g(int x) { static int v = make(); return v + x; }
----
int make(); int f(int x) { static int v = make(); return v + x; } int g(int x) { static int v = make(); return v + x; }
EOF
every -- verdict=hotpatchable changed=_Z1fi rule=HP1003:_ZGVZ1fiE1v,HP1003:_ZZ1fiE1v norule=HP2017,HP1003:_ZGVZ1giE1v
sources guard-initial <<'EOF'
int make(int); int f(int x) { static int v = make(1); return v + x; }
----
int make(int); int f(int x) { static int v = make(2); return v + x; }
EOF
every -- verdict=hotpatchable changed=_Z1fi norule=HP1003,HP2017
sources comdat <<'EOF'
inline int i(int x) { return x * 1001; } int f(int x) { return i(x) + 1; } int g(int x) { return x; }
----
inline int i(int x) { return x * 1001; } int f(int x) { return i(x) + 1; } int g(int x) { return x * 99; }
EOF
every -fno-inline -- verdict=hotpatchable changed=_Z1gi norule=HP1010
check_diffs
