#!/bin/sh
# The source line and the reason that are shown are those of the change, not of a jump or a register before it.
set -eu
. tests/lib/sh
. tests/lib/diffsh

# shown FUNCTION SOURCE WHY: compares the answer of the last case.
shown() {
	"$hpbuild" diff "$W/$case_name/old/t.o" "$W/$case_name/new/t.o" >"$W/shown" || :
	expect_text "$W/shown" "^    changed  $1  $2  $3"
}

sources jump-over <<'END'
int a(int), b(int);
int f(int x)
{
	if (x == 3)
		return -1;
	x = a(x);
	x = b(x);
	return x;
}
----
int a(int), b(int);
int f(int x)
{
	if (x == 3)
		return -1;
	x = a(x);
	if (x > 9)
		x = a(x + 7);
	x = b(x);
	return x;
}
END
for cc_now in gcc clang; do
	command -v "$cc_now" >/dev/null || continue
	for flags_now in -O0 -O2; do
		compile -g $flags_now
		shown f 't\.c:[78]' 'instruction at '
	done
done

sources through-inline <<'END'
int use(int, int);
static inline __attribute__((always_inline)) int scale(int x)
{
	return x * 1000;
}
int f(int x, int y)
{
	return use(scale(x), y) + y;
}
----
int use(int, int);
static inline __attribute__((always_inline)) int scale(int x)
{
	return x * 1001;
}
int f(int x, int y)
{
	return use(scale(x), y) + y;
}
END
for cc_now in gcc clang; do
	command -v "$cc_now" >/dev/null || continue
	compile -g -O2
	shown f 't\.c:4' 'immediate 0x3e8 became 0x3e9, in scale\(\), inlined'
done

sources table-reader <<'END'
static const int table[] = { 1, 4, 9, 16 };
int f(unsigned i)
{
	i *= 3;
	i ^= 5;
	return table[i & 3];
}
----
static const int table[] = { 1, 4, 9, 17 };
int f(unsigned i)
{
	i *= 3;
	i ^= 5;
	return table[i & 3];
}
END
cc_now=gcc
compile -g -O2 -fPIC
shown f 't\.c:6' "reads constant 'table', which changed"
