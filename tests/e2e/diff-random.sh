#!/bin/sh
# long
# limit: 900
# Properties on random C programs (csmith; HP_SEED, HP_ROUNDS): a program does not differ from itself; nor when locals are renamed,
# lines and comments added, the folder moved; when functions are reordered, one is added or something in one changes, exactly the
# functions whose code differs after linking are reported. What differs is told by tests/lib/difforacle.py, from objdump's text.
set -eu
. tests/lib/sh
. tests/lib/diffsh
need csmith objdump readelf nm

include=/usr/include/csmith
[ -d "$include" ] || include=$(dirname "$(find /usr/include -name csmith.h | head -n 1)")
seed=${HP_SEED:-$(date +%s)}
echo "HP_SEED=$seed"
oracle=tests/lib/difforacle.py

# build FOLDER SOURCE: object and program.
build() {
	mkdir -p "$1"
	cp "$2" "$1/t.c"
	# shellcheck disable=SC2086
	(cd "$1" && $cc_now -w -g -fPIE $flags_now -I"$include" -c t.c -o t.o && $cc_now -pie t.o -o t 2>/dev/null)
}
# answer FOLDER: compare a with it, into $W/answer.
answer() {
	"$hpbuild" diff --json "$W/a/t.o" "$1/t.o" >"$W/answer" || [ $? -lt 5 ] || fail "$what, $1: no answer"
}
nothing() {
	answer "$1"
	python3 "$oracle" none "$W/answer" || fail "$what: $2: $(cat "$W/answer")"
}
exact() {
	answer "$1"
	python3 "$oracle" check "$W/a/t" "$1/t" "$W/answer" >"$W/found" || fail "$what: $2: $(cat "$W/found" "$W/answer")"
	differed=$((differed + $(sed -n 's/ differ, .*//p' "$W/found")))
}

differed=0 pairs=0
for round in $(seq "${HP_ROUNDS:-12}"); do
	seed=$((seed + 1))
	# Functions that are not static are kept, though nobody calls them.
	# csmith leaves a file in the folder that it is called in.
	(cd "$W" && csmith --seed "$seed" --max-funcs 8 --no-volatiles) | sed -E 's/^static ([^=;]*\bfunc_[0-9]+\()/\1/' >"$W/static.c"
	sed -E 's/^([a-z].*\bfunc_[0-9]*[05]\()/static \1/' "$W/static.c" >"$W/a.c"
	# l_N are csmith's locals, p_N its parameters.
	sed -E 's/\b([lp])_([0-9]+)\b/\1_renamed\2/g; s/^int main/\/* a comment\n * of lines *\/\n&/' "$W/a.c" >"$W/b.c"
	printf '\nint unrelated(int x) { return x * 12345 + 1; }\n' | cat "$W/a.c" - >"$W/c.c"
	python3 "$oracle" reorder "$seed" "$W/a.c" >"$W/r.c"
	for n in 1 2 3; do python3 "$oracle" edit "$seed$n" "$W/a.c" >"$W/d$n.c"; done
	case $((seed % 2)) in 0) cc_now=gcc ;; *) cc_now=clang ;; esac
	command -v "$cc_now" >/dev/null || cc_now=gcc
	case $((seed / 2 % 6)) in
	0) flags_now='-O2 -fno-inline' ;;
	1) flags_now='-O2 -ffunction-sections -fdata-sections' ;;
	2) flags_now='-O0' ;;
	3) flags_now='-O1 -fPIC' ;;
	4) flags_now='-Os -fno-inline -ffunction-sections' ;;
	5) flags_now='-O3' ;;
	esac
	what="seed $seed, $cc_now $flags_now"
	build "$W/a" "$W/a.c" || continue
	mkdir -p "$W/other"
	build "$W/other/folder" "$W/a.c"
	nothing "$W/other/folder" 'another folder'
	build "$W/b" "$W/b.c"
	nothing "$W/b" 'renamed locals'
	for edit in c r d1 d2 d3; do
		build "$W/$edit" "$W/$edit.c" || continue # an edit that does not compile
		exact "$W/$edit" "edit $edit"
		pairs=$((pairs + 1))
	done
done
[ "$differed" -gt 0 ] || fail 'no function differed in any pair'
echo "$round programs, $pairs pairs, $differed functions differed"
