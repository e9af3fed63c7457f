#!/bin/sh
# A changed object of which nothing is seen in the one baseline: never left out in silence when that may only be for want of symbols.
. tests/lib/sh
mkdir "$W/orig" "$W/fixed"
cd "$W"
cat >main.c <<'C'
#include <stdio.h>
struct ops { int (*limit)(int); };
extern const struct ops ops;
__attribute__((noinline)) int work(int n)
{
	int sum = 0;
	for (int i = 0; i < n; i++)
		sum += printf("%d\n", i) * BY;
	return sum;
}
int main(int argc, char **argv) { return work(ops.limit(argc)); }
C
cat >tiny.c <<'C'
struct ops { int (*limit)(int); };
static int limit(int n) { return n > BY; }
const struct ops ops = { limit };
C
cat >large.c <<'C'
#include <stdio.h>
struct ops { int (*limit)(int); };
static int limit(int n)
{
	for (int i = 0; i < n; i++)
		printf("limit %d\n", i * i);
	return n > BY;
}
const struct ops ops = { limit };
C
for f in main tiny large; do
	gcc -g -O2 -ffunction-sections -DBY=3 -c -o $f.o $f.c
	gcc -g -O2 -ffunction-sections -DBY=5 -c -o $f.fixed.o $f.c
done
sides() { # NAME: main and this one; "prog"
	rm -f orig/* fixed/*
	cp main.o "$1.o" orig
	cp main.fixed.o fixed/main.o
	cp "$1.fixed.o" "fixed/$1.o"
	gcc -Wl,--build-id -o prog main.o "$1.o"
	gcc -Wl,--build-id -Wl,-x -o prog.x main.o "$1.o"
	strip -x -o prog.stripx prog
	strip -o prog.bare prog
}
pack() { # BASELINE ARGS...
	rm -f out.hpk
	baseline=$1
	shift
	"$hpbuild" pack --original orig --patched fixed --baseline "$baseline" -o out.hpk "$@" >out 2>err
}

echo '-- too small to be searched for: refused, unless it is named as no part'
sides tiny
for b in prog.bare prog.x prog.stripx; do
	expect_exit 5 pack $b
	expect_text err "whether the changed object 'tiny.o' is part of '$b' cannot be told without symbols"
	[ ! -e out.hpk ] || fail "a package of half of the fix for $b"
	pack $b --outside tiny.o
	expect_text out 'replaces   work '
done
pack prog
expect_text out 'replaces   limit '

echo '-- a static function that only data refers to, in a symbol table without static functions: found by its bytes'
sides large
for b in prog prog.bare prog.x prog.stripx; do
	pack $b || fail "$b: $(cat err)"
	expect_text out 'replaces   limit '
	expect_text out 'replaces   work '
done

echo '-- really not in it: left out, with symbols or without'
sides tiny
cp large.o orig/other.o
cp large.fixed.o fixed/other.o
for b in prog prog.bare; do
	pack $b --outside tiny.o || fail "$b: $(cat err)"
	expect_text out 'not part   other.o'
done
