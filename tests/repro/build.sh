#!/bin/sh
# long
# limit: 900
# hpbuild itself, built in two folders with different numbers of jobs, is the same file.
. tests/lib/sh

for n in 1 2; do
	mkdir "$W/tree$n"
	cp -r Makefile base formats differ packager signer applier cli tests "$W/tree$n/"
	make -C "$W/tree$n" -s -j$n TZ=UTC-$n all >"$W/log" 2>&1 || fail "build $n: $(tail -n 5 "$W/log")"
done
for p in hpbuild hpbuild-live libhp.a; do
	cmp "$W/tree1/build/$p" "$W/tree2/build/$p" || fail "$p differs"
done
