#!/bin/sh
# The same inputs give the same bytes: diff and pack in another folder, with other numbers of threads, locale, time zone, umask.
. tests/lib/sh
need gcc

mkdir "$W/src" "$W/a" "$W/a/orig" "$W/a/patched"
cat >"$W/src/one.c" <<'END'
#include <stdio.h>
static int limit = 10;
static const char *name(int n) { return n > limit ? "many" : "few"; }
__attribute__((noinline)) int check(int n)
{
#ifdef FIX
	if (n < 0)
		return -1;
#endif
	puts(name(n));
	return n * 3 + limit;
}
END
cat >"$W/src/two.c" <<'END'
int check(int n);
__attribute__((noinline)) int twice(int n)
{
#ifdef FIX
	if (n > 1000)
		n = 1000;
#endif
	return check(n) + check(n + 1);
}
END
cat >"$W/src/main.c" <<'END'
int twice(int n);
int main(int argc, char **argv) { (void)argv; return twice(argc) & 1; }
END
for f in one two main; do
	flags='-g -O2 -ffunction-sections -fdata-sections'
	# shellcheck disable=SC2086
	(cd "$W/src" && gcc $flags -c -o "$W/a/orig/$f.o" $f.c && gcc $flags -DFIX -c -o "$W/a/patched/$f.o" $f.c)
done
gcc -Wl,--build-id -o "$W/a/prog" "$W"/a/orig/*.o
mkdir "$W/other place"
cp -r "$W/a" "$W/other place/ä b"
touch -d '2001-01-01' "$W/other place/ä b"/*/*.o

first() { (cd "$W/a" && TZ=UTC LC_ALL=C "$@"); }
second() { (cd "$W/other place/ä b" && umask 077 && TZ=Asia/Kolkata LC_ALL=C.UTF-8 SOURCE_DATE_EPOCH=1 "$@"); }

expect_exit 0 first "$hpbuild" diff -j 1 --json orig patched >"$W/diff1"
expect_exit 0 second "$hpbuild" diff -j 4 --json orig patched >"$W/diff2"
cmp "$W/diff1" "$W/diff2" || fail 'diff --json differs'

expect_exit 0 first "$hpbuild" pack -j 1 --original orig --patched patched --baseline prog --name fix -o "$W/1.hpk"
expect_exit 0 second "$hpbuild" pack -j 4 --original orig --patched patched --baseline prog --name fix -o "$W/2.hpk"
cmp "$W/1.hpk" "$W/2.hpk" || fail 'the packages differ'

# Not the empty truth: another input gives another package.
expect_exit 0 first "$hpbuild" pack --original orig --patched patched --baseline prog --name other -o "$W/3.hpk"
if cmp -s "$W/1.hpk" "$W/3.hpk"; then fail 'another name gave the same package'; fi
