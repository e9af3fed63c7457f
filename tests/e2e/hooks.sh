#!/bin/sh
# Hooks in the patched source: found by their section in changed and in new objects, packed with what they call, listed in the manifest
# in the order of their addresses; an unknown kind is refused; hooks alone change nothing.
. tests/lib/sh

mkdir "$W/orig" "$W/fixed" "$W/more"
cat >"$W/a.c" <<'C'
#if HOOKS
#define HP_NO_ERRNO
#include "hotpatch.h"
int ready;
__attribute__((noinline)) static int deep(int n) { return n * ready + 3; }
HP_PRE_APPLY(first) { return deep(1) == 4; }
HP_PRE_APPLY(second) { return deep(2) == 5; }
HP_POST_REVERT(last) { ready = 0; }
#endif
int work(int n);
int work(int n) { return n * 3 + (n ^ 7) * (n ^ FACTOR); }
C
cat >"$W/b.c" <<'C'
#define HP_NO_ERRNO
#include "hotpatch.h"
extern int ready;
HP_POST_APPLY(go) { ready = 1; }
C
printf 'int work(int n);\nint main(int argc, char **argv) { (void)argv; return work(argc); }\n' >"$W/main.c"
compile() { # OUT SOURCE FLAGS...
	compile_out=$1 compile_src=$2
	shift 2
	"$CC" -g -O2 -Iinclude -c "$@" -o "$compile_out" "$compile_src"
}
for split in -ffunction-sections ''; do
	compile "$W/orig/a.o" "$W/a.c" -DFACTOR=9 ${split:+"$split"}
	compile "$W/fixed/a.o" "$W/a.c" -DFACTOR=10 -DHOOKS=1 ${split:+"$split"}
	compile "$W/fixed/b.o" "$W/b.c" ${split:+"$split"}
	"$CC" -Wl,--build-id -o "$W/prog" "$W/main.c" "$W/orig/a.o"
	"$hpbuild" diff "$W/orig" "$W/fixed" >"$W/out"
	expect_text "$W/out" '^    first: called in the process: pre-apply'
	expect_text "$W/out" '^    go: called in the process: post-apply  -- b.o'
	rm -f "$W/fix.hpk"
	"$hpbuild" pack --original "$W/orig" --patched "$W/fixed" --baseline "$W/prog" -o "$W/fix.hpk" >"$W/out"
	"$hpbuild" inspect --unverified "$W/fix.hpk" >"$W/out"
	sed -n 's/^    hook \(.*\) payload.*/\1/p' "$W/out" >"$W/hooks"
	printf 'pre-apply first\npre-apply second\npost-revert last\npost-apply go\n' | sort >"$W/want"
	sort "$W/hooks" | cmp - "$W/want" || fail "hooks: $(cat "$W/hooks")"
	[ "$(grep -n first "$W/hooks" | cut -d: -f1)" -lt "$(grep -n second "$W/hooks" | cut -d: -f1)" ] || fail 'order of hooks'
	expect_text "$W/out" '^    added deep$'
	expect_text "$W/out" '^  functions      1 replaced,'
	python3 tests/lib/hpk_reader.py --unverified "$W/fix.hpk" >"$W/reader.out"
	expect_text "$W/reader.out" '"when": "post-apply"'
done

# Hooks, but no changed function.
rm "$W/fixed/b.o"
compile "$W/fixed/a.o" "$W/a.c" -DFACTOR=9 -DHOOKS=1
expect_exit 3 "$hpbuild" diff "$W/orig" "$W/fixed" >"$W/out"
expect_text "$W/out" 'HP1013'

# A kind of a later version.
sed 's/pre_apply/in_the_middle/' include/hotpatch.h >"$W/hotpatch.h"
"$CC" -g -O2 -I"$W" -DFACTOR=10 -DHOOKS=1 -c -o "$W/fixed/a.o" "$W/a.c"
expect_exit 4 "$hpbuild" diff "$W/orig" "$W/fixed" >"$W/out"
expect_text "$W/out" 'HP2012'
expect_text "$W/out" "a hook of a kind that this version does not know"
