#!/bin/sh
# The proof on a real program, hpbuild itself: every function of its objects is found, at the address that nm says, and without a symbol
# table at the same one.
. tests/lib/sh
need nm
case $B in *-san*) skip "the addresses of the build that this shell test reads are those of an ordinary build" ;; esac
"$CC" -std=gnu11 -D_GNU_SOURCE -O1 -I. -o "$W/packself" tests/lib/packself.c "$B/libhp.a" -lelf -lzstd -lsodium -ljansson -lZydis
nm --defined-only "$hpbuild" | sed -n 's/^0*\([0-9a-f]*\) [tT] \(.*\)$/function \2 \1/p' | sort -u >"$W/truth"
set --
for o in "$B"/formats/*.o "$B"/packager/*.o "$B"/differ/*.o; do
	first=$(nm --defined-only "$o" | sed -n 's/.* T //p' | head -n 1)
	[ -z "$first" ] || ! grep -q "^function $first " "$W/truth" || set -- "$@" "$o"
done
[ $# -ge 20 ] || skip "only $# objects of $B are in $hpbuild"
strip -o "$W/stripped" "$hpbuild"
"$W/packself" "$hpbuild" "$@" >"$W/with"
"$W/packself" "$W/stripped" "$@" >"$W/without"
expect_text "$W/with" '^proven ([0-9]+) of \1$'
grep '^function' "$W/with" | sort -u | comm -23 - "$W/truth" >"$W/wrong"
[ ! -s "$W/wrong" ] || fail "found at addresses that nm does not know: $(head -n 5 "$W/wrong")"
# Stripped, a few may stay unproven; none may be elsewhere.
grep '^function' "$W/without" | sort -u | comm -23 - "$W/truth" >"$W/wrong"
[ ! -s "$W/wrong" ] || fail "stripped: found at wrong addresses: $(head -n 5 "$W/wrong")"
echo "symbols: $(tail -n 1 "$W/with"), stripped: $(tail -n 1 "$W/without")"
