#!/bin/sh
# What compilers write into objects besides the program: file names, dates, checks, tables of C++; jumps of two lengths.
set -eu
. tests/lib/sh
. tests/lib/diffsh

cc_all=${CC_ALL:-gcc clang}
# both FLAGS -- EXPECTATION...: with each compiler, with sections for each function and without.
both() {
	both_flags=$1
	shift 2
	for cc_now in $cc_all; do
		command -v "$cc_now" >/dev/null || continue
		for sect in -ffunction-sections ''; do
			flags_now="$both_flags $sect"
			# shellcheck disable=SC2086
			compile -g $flags_now
			expect_diff "$@"
		done
	done
}

# Two lines more above: data of the sanitizer holds line numbers, which are data of the function that reports.
sources ubsan <<'END'
int f(int a, int b) { return a + b; }
int fix(int a) { return a ^ 1; }
----


int f(int a, int b) { return a + b; }
int fix(int a) { return a ^ 2; }
END
both '-O1 -fsanitize=undefined' -- changed+=fix verdict=hotpatchable,refused

# With a section for each of gcc's tables, it is known what they are: the place in the source is noise, the rest is not.
cc_now=gcc
for opt in '-O1' '-O2 -ffunction-sections -g'; do
	flags_now="$opt -fdata-sections"
	case_name=ubsan
	# shellcheck disable=SC2086
	compile $flags_now -fsanitize=undefined
	expect_diff changed=fix noise=f rule=HP1006:f verdict=hotpatchable
	for tag in one two; do
		[ $tag = one ] || printf '%s\n' ---- '' ''
		echo "struct $tag { int a; }; int f(struct $tag *p) { return p->a; }"
	done >"$W/in"
	sources ubsan-type <"$W/in"
	# shellcheck disable=SC2086
	compile $flags_now -fsanitize=undefined
	expect_diff changed=f noise=
done

sources func-name <<'END'
void note(const char *, const char *); int f(int a) { note(__func__, __FILE__); return a; } int fix(int a) { return a ^ 1; }
----
void note(const char *, const char *); int f(int a) { note(__func__, __FILE__); return a; } int fix(int a) { return a ^ 2; }
END
both -O2 -- verdict=hotpatchable changed=fix

# A date is a string like any other: the function that has it changed.
sources today <<'END'
void note(const char *); int f(int a) { note("Jan  1 2026"); return a; } int g(int a) { note("f"); return a; }
----
void note(const char *); int f(int a) { note("Jan  2 2026"); return a; } int g(int a) { note("f"); return a; }
END
both -O2 -- verdict=hotpatchable changed=f

# A line number that needs a longer instruction: changed, which is right though more than needed.
sources long-line <<'END'
#line 126
void bad(int); int f(int a) { if (a) bad(__LINE__); return a; }
----
#line 129
void bad(int); int f(int a) { if (a) bad(__LINE__); return a; }
END
both -O2 -- new=

# A tail jump over a function that grew: short (2 bytes) before, near (5 bytes) after; and calls across it.
{
	echo 'int sink; __attribute__((noinline)) static void last(int);'
	echo '__attribute__((noinline)) void first(int x) { sink = x; last(x + 1); }'
	echo '__attribute__((noinline)) void mid(int x) { sink += x; }'
	echo '__attribute__((noinline)) static void last(int x) { sink = x * 3; }'
	echo ----
	echo 'int sink; __attribute__((noinline)) static void last(int);'
	echo '__attribute__((noinline)) void first(int x) { sink = x; last(x + 1); }'
	echo '__attribute__((noinline)) void mid(int x) { sink += x; asm volatile(".fill 200,1,0x90"); }'
	echo '__attribute__((noinline)) static void last(int x) { sink = x * 3; }'
} >"$W/in"
sources tail-jump <"$W/in"
both -O2 -- verdict=hotpatchable changed=mid

sources gotos <<'END'
int f(const unsigned char *p, int x) { static const void *const to[] = { &&a, &&b, &&c }; goto *to[*p];
a: x += 3; p++; goto *to[*p]; b: x *= 5; p++; goto *to[*p]; c: return x; }
int g(int x) { return x; }
----
int f(const unsigned char *p, int x) { static const void *const to[] = { &&a, &&b, &&c }; goto *to[*p];
a: x += 4; p++; goto *to[*p]; b: x *= 5; p++; goto *to[*p]; c: return x; }
int g(int x) { return x; }
END
both -O2 -- changed=f

for flag in -fpatchable-function-entry=8 -pg '-pg -mfentry' -fcf-protection=full '-fstack-protector-all -D_FORTIFY_SOURCE=2'; do
	case_name='today'
	both "-O2 $flag" -- verdict=hotpatchable changed=f
done

# C++.
command -v g++ >/dev/null || { check_diffs && exit 0; }
language=c++
sources template <<'END'
template <class T> T twice(T x) { return x * 2000 + 7777; } int f(int x) { return twice(x); } long g(long x) { return twice(x); }
----
template <class T> T twice(T x) { return x * 3000 + 7777; } int f(int x) { return twice(x); } long g(long x) { return twice(x); }
END
both '-O1 -fno-inline' -- verdict=hotpatchable changed=_Z5twiceIiET_S0_,_Z5twiceIlET_S0_ rule=HP1010

sources lambda <<'END'
int call(int (*)(int)); int f() { return call([](int x) { return x * 1234 + 1; }); } int g() { return call([](int x) { return x * 1234 + 5; }); }
----
int call(int (*)(int)); int f() { return call([](int x) { return x * 1234 + 2; }); } int g() { return call([](int x) { return x * 1234 + 5; }); }
END
both '-O1' -- verdict=hotpatchable norule=HP2017

# What a lambda holds is a layout too: old ones may be kept on the heap. Its code alone may change, and others may come.
sources lambda-holds <<'END'
int call(void *, int (*)(void *, int)); template <class F> int keep(F f) { return call(new F(f), [](void *p, int n) { return (*(F *)p)(n); }); }
int f(int x, int y) { return keep([x](int n) { return n * 1234 + x; }) + y; }
----
int call(void *, int (*)(void *, int)); template <class F> int keep(F f) { return call(new F(f), [](void *p, int n) { return (*(F *)p)(n); }); }
int f(int x, int y) { return keep([y](int n) { return n * 1234 + y; }) + x; }
END
both '-g -O1' -- verdict=refused rule=HP2007
sources lambda-code <<'END'
int call(void *, int (*)(void *, int)); template <class F> int keep(F f) { return call(new F(f), [](void *p, int n) { return (*(F *)p)(n); }); }
int f(int x, int y) { return keep([x](int n) { return n * 1234 + x; }) + y; }
----
int call(void *, int (*)(void *, int)); template <class F> int keep(F f) { return call(new F(f), [](void *p, int n) { return (*(F *)p)(n); }); }
int f(int x, int y) { return keep([x](int n) { return n * 1235 + x; }) + y; }
END
both '-g -O1' -- verdict=hotpatchable norule=HP2007,HP2017

sources vtable <<'END'
struct A { virtual int a(); virtual int b(); }; int A::a() { return 1; } int A::b() { return 2; } int f(A *p) { return p->b(); }
----
struct A { virtual int a(); virtual int n(); virtual int b(); }; int A::a() { return 1; } int A::b() { return 2; } int A::n() { return 3; }
int f(A *p) { return p->b(); }
END
both -O1 -- verdict=refused rule=HP2015

sources virtual-body <<'END'
struct A { virtual int a(); virtual int b(); }; int A::a() { return 1; } int A::b() { return 2; } int f(A *p) { return p->b(); }
----
struct A { virtual int a(); virtual int b(); }; int A::a() { return 1; } int A::b() { return 3; } int f(A *p) { return p->b(); }
END
both -O1 -- verdict=hotpatchable changed=_ZN1A1bEv norule=HP2015

sources exception <<'END'
void g(); int f(int x) { try { g(); } catch (int e) { return e; } return x; } int h(int x) { try { g(); } catch (long) { } return x; }
----
void g(); int f(int x) { try { g(); } catch (long e) { return 0; } return x; } int h(int x) { try { g(); } catch (long) { } return x; }
END
both -O1 -- verdict=hotpatchable changed+=_Z1fi

sources guard <<'END'
int make(); int f(int x) { static int v = make(); return v + x; } int g(int x) { return x; }
----
int make(); int f(int x) { static int v = make(); return v + x + 1; } int g(int x) { return x; }
END
both -O1 -- verdict=hotpatchable changed=_Z1fi norule=HP2017,HP1003,HP2001
check_diffs
