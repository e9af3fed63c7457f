#!/bin/sh
# long
# limit: 900
# Properties on random C programs (csmith; HP_SEED, HP_ROUNDS): a program does not differ from itself; nor when locals are renamed, lines
# and comments added, the folder moved, an unrelated function added; and every function whose code is not the same is reported.
set -eu
. tests/lib/sh
. tests/lib/diffsh
need csmith objdump

include=/usr/include/csmith
[ -d "$include" ] || include=$(dirname "$(find /usr/include -name csmith.h | head -n 1)")
seed=${HP_SEED:-$(date +%s)}
echo "HP_SEED=$seed"

# changed OLD NEW: names of changed and new functions.
changed() {
	"$hpbuild" diff --json "$1" "$2" >"$W/answer" || [ $? -lt 5 ] || fail "seed $seed: no answer"
	python3 -c 'import json, sys
for o in json.load(open(sys.argv[1]))["objects"]:
    for f in o["functions"]: print(f["change"], f["name"])' "$W/answer"
}
build() { # FOLDER SOURCE FLAGS...
	mkdir -p "$1"
	cp "$2" "$1/t.c"
	dir=$1
	shift 2
	# shellcheck disable=SC2086
	(cd "$dir" && $cc_now -w -g -fno-inline $flags_now -I"$include" -c t.c -o t.o "$@")
}
# code FILE: bytes of each function, calls and data by name, so that two versions can be compared by eye or by diff.
code() {
	objdump -dr --no-show-raw-insn "$1" | awk '/^[0-9a-f]+ <.*>:$/ { f = $2; next } f { sub(/^ *[0-9a-f]+:/, ""); print f, $0 }'
}

for round in $(seq "${HP_ROUNDS:-8}"); do
	seed=$((seed + 1))
	csmith --seed "$seed" --max-funcs 8 --no-volatiles >"$W/a.c"
	# l_N are csmith's locals, p_N its parameters.
	sed -E 's/\b([lp])_([0-9]+)\b/\1_renamed\2/g; s/^int main/\/* a comment\n * of lines *\/\n&/' "$W/a.c" >"$W/b.c"
	printf '\nint unrelated(int x) { return x * 12345 + 1; }\n' | cat "$W/a.c" - >"$W/c.c"
	# One constant of one function: what differs in the code must be what is reported.
	sed '/^static.*func_1(void)$/,/^}/s/return \(.*\);/return \1 + 1;/' "$W/a.c" >"$W/d.c"
	for cc_now in gcc clang; do
		command -v "$cc_now" >/dev/null || continue
		for flags_now in '-O2 -ffunction-sections -fdata-sections' '-O1'; do
			what="seed $seed, $cc_now $flags_now"
			build "$W/a" "$W/a.c"
			for other in a b c; do
				build "$W/other/folder" "$W/$other.c"
				got=$(changed "$W/a/t.o" "$W/other/folder/t.o" | grep -v '^noise' || :)
				[ "$got" = "$([ $other = c ] && echo new unrelated || :)" ] || fail "$what, edit $other: $got"
			done
			# A function that returns a struct cannot return 1 more.
			grep -Eq '^static (const )?(struct|union) .*func_1\(void\)$' "$W/d.c" && continue
			build "$W/d" "$W/d.c"
			changed "$W/a/t.o" "$W/d/t.o" | sed -n 's/^changed //p' | sort >"$W/reported"
			code "$W/a/t.o" >"$W/a.code"
			code "$W/d/t.o" >"$W/d.code"
			if cmp -s "$W/a.code" "$W/d.code"; then
				[ ! -s "$W/reported" ] || fail "$what: $(cat "$W/reported"), but the code is the same"
			else
				grep -q '^func_1$' "$W/reported" || fail "$what: func_1 differs and is not reported"
			fi
		done
	done
done
echo "$round programs"
