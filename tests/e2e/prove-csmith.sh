#!/bin/sh
# long
# limit: 1500
# Random C programs (csmith), by gcc and clang, each optimisation, PIE and not, with and without function sections, stripped: every
# function of the objects is proven at its true address or reported, never matched at another one. SEEDS="1 2" chooses programs.
. tests/lib/sh
need csmith
need nm
include=$(dpkg -L libcsmith-dev csmith 2>/dev/null | sed -n 's|/csmith.h$||p' | head -n 1)
[ -n "$include" ] || skip "csmith.h is not installed (libcsmith-dev)"
sanitize=
case $B in *-san*) sanitize=-fsanitize=address,undefined ;; esac
# shellcheck disable=SC2086 # words
"$CC" -std=gnu11 -D_GNU_SOURCE -O1 -I. $sanitize -o "$W/proveall" tests/lib/proveall.c "$B/libhp.a" \
	-lelf -lzstd -lsodium -ljansson -lZydis
cat >"$W/other.c" <<'EOF'
#include <stdio.h>
int other_one(int x) { return x * 3 + 1; }
static int twice(int x) { return 2 * x; }
int (*other_ptr)(int) = twice;
void other_say(const char *s) { printf("%s %d\n", s, other_ptr(other_one(4))); }
EOF
total=0 proven=0 weak=0 builds=0
: >"$W/reported"

# compare NAME MODULE: what is said about it against the symbol table of the unstripped one.
compare() {
	"$W/proveall" "$W/$2" "$W/other.o" "$W/prog.o" >"$W/out.$2" || fail "$1: $2"
	sed -n 's/^\(proven\|weak\) \([^ ]*\) \([^ ]*\) .*/\2 \3/p' "$W/out.$2" | sort -u | comm -23 - "$W/truth" >"$W/wrong"
	[ ! -s "$W/wrong" ] || fail "$1: $2 matched at another address: $(head -n 3 "$W/wrong" | tr '\n' ' ')"
}

# one NAME COMPILER FLAGS...
one() {
	name=$1 cc=$2
	shift 2
	"$cc" -w "$@" -I"$include" -c "$W/prog.c" -o "$W/prog.o"
	"$cc" -w "$@" -c "$W/other.c" -o "$W/other.o"
	link=-pie
	case $* in *-fno-pie*) link=-no-pie ;; esac
	"$cc" $link -Wl,--build-id -o "$W/linked" "$W/other.o" "$W/prog.o"
	strip -o "$W/stripped" "$W/linked"
	nm --defined-only "$W/linked" | sed -n 's/^0*\([0-9a-f]*\) [tTwW] \(.*\)$/\2 \1/p' | sort -u >"$W/truth"
	compare "$name" linked
	compare "$name" stripped
	grep -E '^(unknown|differs|ambiguous|absent|gap) ' "$W/out.linked" >"$W/unproven" &&
		fail "$name: not proven with symbols: $(head -n 3 "$W/unproven" | tr '\n' ' ')"
	total=$((total + $(grep -cE '^(proven|weak|unknown|differs|ambiguous|absent) ' "$W/out.stripped")))
	proven=$((proven + $(grep -c '^proven ' "$W/out.stripped" || :)))
	weak=$((weak + $(grep -c '^weak ' "$W/out.stripped" || :)))
	builds=$((builds + 1))
	grep -E '^(unknown|differs|ambiguous|absent) ' "$W/out.stripped" | sed "s/^/$name: /" >>"$W/reported" || :
}

for seed in ${SEEDS:-1 2 3}; do
	(cd "$W" && csmith --seed "$seed" --max-funcs 8 >prog.c)
	for cc in gcc clang; do
		command -v "$cc" >/dev/null || continue
		for opt in -O0 -O1 -O2 -O3 -Os; do
			for pie in -fPIE -fno-pie; do
				one "seed $seed $cc $opt $pie" "$cc" $opt $pie
				one "seed $seed $cc $opt $pie sections" "$cc" $opt $pie -ffunction-sections -fdata-sections
			done
		done
	done
done
echo "$builds builds, $total functions stripped: $proven proven, $weak by their place, $((total - proven - weak)) reported"
sort "$W/reported" | head -n 40
