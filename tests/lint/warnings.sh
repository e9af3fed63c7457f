#!/bin/sh
# No warning from clang in any source (gcc's show in `make DEV=1`). LONG=1: the whole build with gcc and with clang.
# limit: 900
. tests/lib/lint
need clang make

flags=$(make -s --no-print-directory CC=clang DEV=1 SAN= print-HP_CFLAGS)
check() {
	# Victims of live tests and benchmarks are programs of their own kind: compiled by their scripts, without base/banned.h.
	all_c | grep '\.c$' | grep -v -e '^tests/live/' -e '^tests/bench/' | while read -r f; do
		eval "clang $flags -fsyntax-only \"\$f\"" >"$W/cc.out" 2>&1 || grep -E -m 3 '(error|warning):' "$W/cc.out" || echo "$f: clang failed"
	done
}

here=$PWD
printf 'int f(int a);\nint f(int a) { int b; return a; }\n' >"$W/bad.c"
if eval "clang $flags -fsyntax-only \"\$W/bad.c\"" >"$W/cc.out" 2>&1; then fail 'the lint does not see an unused variable'; fi

cd "$here"
lint

[ -n "${LONG:-}" ] || exit 0
for c in gcc clang; do
	make -s --no-print-directory -j2 CC=$c DEV=1 SAN= B="$W/build-$c" all tests-bin >"$W/make.out" 2>&1 || {
		grep -E 'error|warning' "$W/make.out" >&9 || tail -n 20 "$W/make.out" >&9
		fail "make DEV=1 CC=$c"
	}
done
