#!/bin/sh
# `hpbuild build`: from a patch to a package on a small make project, and every way in which it must say no.
set -eu
. tests/lib/sh
need patch
need make
src=$W/src
mkdir "$src"

cat >"$src/util.c" <<'EOF'
#include "util.h"
int util_scale(int v) { return v * 3; }
int util_limit(int v)
{
	return v > 100 ? 100 : v;
}
EOF
cat >"$src/util.h" <<'EOF'
struct box { int width; int height; };
int util_scale(int v);
int util_limit(int v);
EOF
cat >"$src/main.c" <<'EOF'
#include <stdio.h>
#include <stdlib.h>
#include "util.h"
struct box b; /* of this layout for as long as the process runs */
int main(int argc, char **argv)
{
	b.width = argc;
	printf("%d %d\n", util_limit(util_scale(atoi(argc > 1 ? argv[1] : "0"))), b.width);
	return 0;
}
EOF
# A second program of the same tree, whose own object changes with the header but is not part of the baseline.
cat >"$src/tool.c" <<'EOF'
#include "util.h"
int main(void) { return util_scale(1); }
EOF
cat >"$src/Makefile" <<EOF
CC = ${CC:-cc}
CFLAGS = -O2 -g -ffunction-sections -fdata-sections
LDFLAGS = -Wl,--build-id
all: prog tool
prog: main.o util.o
	\$(CC) \$(CFLAGS) \$(LDFLAGS) -o \$@ \$^
tool: tool.o util.o
	\$(CC) \$(CFLAGS) \$(LDFLAGS) -o \$@ \$^
main.o util.o tool.o: util.h
EOF
make -s -C "$src" >/dev/null
cp "$src/prog" "$src/tool" "$W/"
cp -r "$src" "$W/pristine"

make_patch() { # make_patch NAME FILE SED-SCRIPT
	cp -r "$W/pristine" "$W/a"
	cp -r "$W/pristine" "$W/b"
	sed -i "$3" "$W/b/$2"
	(cd "$W" && diff -u "a/$2" "b/$2" >"$1.patch") || true
	rm -rf "$W/a" "$W/b"
}
make_patch fix util.c 's/v > 100 ? 100 : v/v > 50 ? 50 : v/'
make_patch comment util.c 's/^int util_limit.*/& \/* the limit *\//'
make_patch layout util.h 's/int width;/int colour; &/'
make_patch broken util.c 's/return v \* 3;/return v * ;/'
sed 's/v > 100/v > 999/' "$W/fix.patch" >"$W/foreign.patch"

unchanged_sources() {
	for f in util.c util.h main.c tool.c; do
		cmp "$src/$f" "$W/pristine/$f" || fail "$f was left changed"
	done
}
build() { "$hpbuild" build --source "$src" --baseline "$W/prog" -o "$W/out.hpk" "$@" -- make -s; }

echo "-- a fix becomes a package"
build --patch "$W/fix.patch"
unchanged_sources
[ -s "$W/out.hpk" ] || fail "no package"
"$hpbuild" inspect --unverified "$W/out.hpk" >"$W/inspect" 2>/dev/null
grep -q util_limit "$W/inspect" || fail "util_limit is not in the package"
if grep -q util_scale "$W/inspect"; then fail "util_scale did not change"; fi
rm "$W/out.hpk"

echo "-- signed in the same step"
"$hpbuild" keygen --no-passphrase -o "$W/k" >/dev/null
build --patch "$W/fix.patch" --key "$W/k.key" --name limit --serial 7
"$hpbuild" verify --trust "$W/k.pub" --baseline "$W/prog" "$W/out.hpk"
rm "$W/out.hpk"

echo "-- two baselines: one package with two targets"
build --patch "$W/fix.patch" --key "$W/k.key" --baseline "$W/tool"
"$hpbuild" verify --trust "$W/k.pub" --baseline "$W/tool" --baseline "$W/prog" "$W/out.hpk" >"$W/verify"
expect_text "$W/verify" 'prog: baseline checked'
expect_text "$W/verify" 'tool: baseline checked'
"$hpbuild" inspect --trust "$W/k.pub" "$W/out.hpk" >"$W/inspect"
[ "$(grep -c ' util_limit$' "$W/inspect")" -eq 2 ] || fail "util_limit is not in both targets"
rm "$W/out.hpk"

echo "-- a stripped baseline: its debug file is found; what comes from no object is listed; all objects must match"
id=$(readelf -n "$W/prog" | sed -n 's/.*Build ID: //p')
mkdir -p "$W/debug/.build-id/${id%"${id#??}"}"
objcopy --only-keep-debug "$W/prog" "$W/debug/.build-id/${id%"${id#??}"}/${id#??}.debug"
cp "$W/prog" "$W/full"
strip "$W/prog"
build --patch "$W/fix.patch" --debug-dir "$W/debug" --coverage --prove-all >"$W/out"
expect_text "$W/out" 'symbols from build-id'
expect_text "$W/out" 'coverage +100.0 % .*, nothing is from elsewhere'
cp "$W/full" "$W/prog"
rm "$W/out.hpk"

echo "-- nothing to patch, a restart, wrong baseline, failures: right exit status, no package, sources as before"
expect_exit 3 build --patch "$W/comment.patch"
expect_exit 4 build --patch "$W/layout.patch"
expect_exit 1 build --patch "$W/foreign.patch"
expect_exit 1 build --patch "$W/broken.patch"
expect_exit 1 build --patch "$W/missing.patch"
expect_exit 2 build
expect_exit 2 "$hpbuild" build --patch "$W/fix.patch" --baseline "$W/prog" -o "$W/out.hpk"
expect_exit 1 "$hpbuild" build --source "$src" --patch "$W/fix.patch" --baseline "$W/prog" -o "$W/out.hpk" -- "$W/no-such-command"
sed -i 's/v \* 3/v * 5/' "$W/pristine/util.c"
make -s -C "$W/pristine" >/dev/null
sed -i 's/v \* 5/v * 3/' "$W/pristine/util.c"
expect_exit 5 "$hpbuild" build --source "$src" --baseline "$W/pristine/prog" --patch "$W/fix.patch" -o "$W/out.hpk" -- make -s
[ ! -e "$W/out.hpk" ] || fail "a package was written"
unchanged_sources
