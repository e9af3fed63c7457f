#!/bin/sh
# `hpbuild diff` on wrong, damaged and unusual input; folders, archives, jobs, JSON.
set -eu
. tests/lib/sh
need gcc
need ar

printf 'int puts(const char *); int f(void) { return puts("a") * 3 + 1; }\n' >"$W/a.c"
printf 'int puts(const char *); int f(void) { return puts("b") * 3 + 1; }\n' >"$W/b.c"
for d in one two; do mkdir -p "$W/$d/sub"; done
gcc -g -O2 -c "$W/a.c" -o "$W/one/x.o"
gcc -g -O2 -c "$W/b.c" -o "$W/two/x.o"
cp "$W/one/x.o" "$W/one/sub/y.o"
cp "$W/one/x.o" "$W/two/sub/y.o"

# bad STATUS PATTERN ARG...: the status, one clear message, nothing on standard output; with --json the error as JSON.
bad() {
	status=$1 pattern=$2
	shift 2
	expect_exit "$status" "$hpbuild" diff "$@" >"$W/out" 2>"$W/err"
	expect_text "$W/err" "$pattern"
	[ ! -s "$W/out" ] || fail "diff $*: wrote to standard output"
	[ "$status" = 2 ] && return 0
	expect_exit "$status" "$hpbuild" diff --json "$@" >"$W/out" 2>"$W/err"
	expect_text "$W/out" hpbuild.error/1
}
bad 2 'two|arguments|ORIGINAL' "$W/one"
bad 2 'number' -j x "$W/one" "$W/two"
bad 1 'No such file' "$W/none.o" "$W/two/x.o"
bad 1 'No such file' "$W/one" "$W/none"
bad 7 'folder' "$W/one" "$W/two/x.o"
head -c 700 "$W/one/x.o" >"$W/cut.o"
bad 7 'cut' "$W/cut.o" "$W/two/x.o"
printf 'hello, this is text\n' >"$W/text.o"
bad 7 'ELF' "$W/text.o" "$W/two/x.o"
bad 7 'ELF' "$W/one/x.o" "$W/text.o"
: >"$W/empty.o"
bad 7 'empty' "$W/empty.o" "$W/two/x.o"
mkdir "$W/nothing"
bad 7 'no object files' "$W/nothing" "$W/two"
bad 7 'no object files' "$W/one" "$W/nothing"
printf 'int main(void) { return 0; }\n' >"$W/m.c"
gcc "$W/m.c" -o "$W/m.exe"
bad 7 'relocatable' "$W/m.exe" "$W/one/x.o"
printf '!<arch>\nnonsense' >"$W/bad.a"
bad 7 'archive' "$W/bad.a" "$W/bad.a"
printf '!<arch>\n' >"$W/empty.a"
bad 7 'without object' "$W/empty.a" "$W/empty.a"
gcc -flto -O2 -c "$W/a.c" -o "$W/lto1.o"
gcc -flto -O2 -c "$W/b.c" -o "$W/lto2.o"
bad 7 'flto' "$W/lto1.o" "$W/lto2.o"
if command -v clang >/dev/null; then
	clang -flto -c "$W/a.c" -o "$W/bc1.o"
	clang -flto -c "$W/b.c" -o "$W/bc2.o"
	bad 7 'bitcode' "$W/bc1.o" "$W/bc2.o"
	if clang --target=aarch64-linux-gnu -c "$W/a.c" -o "$W/arm.o" 2>"$W/err"; then
		bad 7 'CPU' "$W/one/x.o" "$W/arm.o"
	fi
	clang -m32 -c "$W/a.c" -o "$W/x32.o" 2>"$W/err" && bad 7 '64-bit|class' "$W/x32.o" "$W/one/x.o"
fi

# Every length of a damaged object: an error or an answer, never a crash.
size=$(wc -c <"$W/two/x.o")
n=1
while [ "$n" -lt "$size" ]; do
	head -c "$n" "$W/two/x.o" >"$W/cut.o"
	status=0
	"$hpbuild" diff "$W/one/x.o" "$W/cut.o" >"$W/out" 2>"$W/err" || status=$?
	[ "$status" = 7 ] || fail "cut to $n bytes: exit status $status"
	n=$((n + 101))
done

# Folders and archives give the same answer, for any number of jobs; added and removed objects are named.
expect_exit 0 "$hpbuild" diff --json "$W/one" "$W/two" >"$W/dirs.json"
expect_text "$W/dirs.json" '"path": "x.o"'
expect_no_text "$W/dirs.json" 'sub/y.o'
for j in 1 2 7; do
	expect_exit 0 "$hpbuild" diff -j "$j" --json "$W/one" "$W/two" >"$W/j.json"
	cmp "$W/dirs.json" "$W/j.json" || fail "-j $j gives another answer"
done
for d in one two; do (cd "$W/$d" && ar rcs "../$d.a" x.o sub/y.o); done
expect_exit 0 "$hpbuild" diff "$W/one.a" "$W/two.a" >"$W/out"
expect_text "$W/out" 'changed +f'
expect_exit 3 "$hpbuild" diff "$W/one.a" "$W/one.a" >"$W/out"
expect_exit 3 "$hpbuild" diff "$W/one" "$W/one" >"$W/out"
printf 'int g(int x) { return x * 5 + 2; }\n' >"$W/g.c"
gcc -g -O2 -c "$W/g.c" -o "$W/two/added.o"
expect_exit 0 "$hpbuild" diff --json "$W/one" "$W/two" >"$W/out"
expect_text "$W/out" 'HP1001'
expect_exit 0 "$hpbuild" diff --json "$W/two" "$W/one" >"$W/out"
expect_text "$W/out" 'HP1002'

# Two compilers are refused, a removed DWARF is noted.
if command -v clang >/dev/null; then
	clang -g -O2 -c "$W/b.c" -o "$W/clang.o"
	expect_exit 4 "$hpbuild" diff "$W/one/x.o" "$W/clang.o" >"$W/out"
	expect_text "$W/out" HP2014
fi
gcc -O2 -c "$W/a.c" -o "$W/a0.o"
gcc -O2 -c "$W/b.c" -o "$W/b0.o"
expect_exit 0 "$hpbuild" diff "$W/a0.o" "$W/b0.o" >"$W/out"
expect_text "$W/out" HP1007

# explain knows every rule that diff may name.
"$hpbuild" explain >"$W/rules"
[ "$(wc -l <"$W/rules")" -gt 30 ] || fail 'explain lists too few rules'
expect_exit 0 "$hpbuild" explain HP2007 hp1006 >"$W/out"
expect_text "$W/out" 'HP2007.*layout'
expect_exit 2 "$hpbuild" explain HP9999 2>"$W/err"

# Waivers: of the right rule and symbol, until their day.
printf 'int limit = 1; int f(int x) { return x * 3 + limit; }\n' >"$W/a.c"
printf 'int limit = 2; int f(int x) { return x * 3 - limit; }\n' >"$W/b.c"
gcc -g -O2 -c "$W/a.c" -o "$W/v1.o"
gcc -g -O2 -c "$W/b.c" -o "$W/v2.o"
waiver() { # RULE SYMBOL EXPIRES
	printf '{"schema":"hpbuild.waivers/1","waivers":[{"rule":"%s","symbol":"%s","reason":"test","expires":"%s"}]}\n' "$@" >"$W/waivers"
}
expect_exit 4 "$hpbuild" diff "$W/v1.o" "$W/v2.o" >"$W/out"
waiver HP2001 limit 2999-01-01
expect_exit 0 "$hpbuild" diff --json --waivers "$W/waivers" "$W/v1.o" "$W/v2.o" >"$W/out"
expect_text "$W/out" '"waived": true'
for w in 'HP2001 limit 2001-01-01' 'HP2001 other 2999-01-01' 'HP2002 limit 2999-01-01'; do
	# shellcheck disable=SC2086
	waiver $w
	expect_exit 4 "$hpbuild" diff --waivers "$W/waivers" "$W/v1.o" "$W/v2.o" >"$W/out"
done
waiver HP1003 limit 2999-01-01
expect_exit 7 "$hpbuild" diff --waivers "$W/waivers" "$W/v1.o" "$W/v2.o" 2>"$W/err"
echo '{' >"$W/waivers"
expect_exit 7 "$hpbuild" diff --waivers "$W/waivers" "$W/v1.o" "$W/v2.o" 2>"$W/err"
expect_exit 1 "$hpbuild" diff --waivers "$W/none" "$W/v1.o" "$W/v2.o" 2>"$W/err"
