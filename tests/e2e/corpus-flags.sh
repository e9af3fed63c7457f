#!/bin/bash
# long
# limit: 1800
# Fixes of the corpus (HP_SHARED) built by its own recipes with other flags: each gives a package that verifies, with symbols
# and stripped. A baseline of the same source, but of other flags, is refused with a message that says so. Needs the archives.
. tests/lib/sh
. tests/lib/archive
need make cmake patch
corpus=${HP_SHARED:-../shared}/corpus/cases
[ -d "$corpus" ] || skip "no corpus at $corpus"
open_archive

# built CASE SOURCE SIDE TO FLAGS...: run the recipe in a copy of the source; objects and linked modules to TO/SIDE.
cat >"$W/recipe.py" <<'END'
import json, sys
b = json.load(open(sys.argv[1]))["build"]
print("set -e\n%s\n%s" % (b["configure"], b["make"]))
END
built() {
	local case=$1 src=$2 side=$3 to=$4 tree targets t
	shift 4
	tree=$W/tree
	rm -rf "$tree"
	cp -r "$src" "$tree"
	[ "$side" = patched ] || patch -R -p1 -F0 -s -f -d "$tree" -i "$(realpath "$corpus/$case/fix.patch")"
	python3 "$W/recipe.py" "$corpus/$case/case.json" >"$W/recipe"
	(cd "$tree" && JOBS=1 CFLAGS_CORPUS="$*" LDFLAGS_CORPUS=-Wl,--build-id bash "$W/recipe") >"$W/log" 2>&1 || fail "$case $*: $(tail -n 5 "$W/log")"
	mkdir -p "$to/$side/_bin"
	(cd "$tree" && find . -name '*.o' ! -path './CMakeFiles/*' -print0 | tar --null -T - -cf -) | tar -C "$to/$side" -xf -
	targets=$(python3 -c 'import json, sys; print(*[t.split("/")[-1] for t in json.load(open(sys.argv[1]))["targets"]])' "$corpus/$case/case.json")
	for t in $targets; do
		cp "$(find "$tree" -name "$t" | head -n 1)" "$to/$side/_bin/$t"
	done
}

pack() { # FOLDER BASELINE
	"$hpbuild" pack --original "$1/orig" --patched "$1/patched" --baseline "$2" -o "$W/fix.hpk" >"$W/out" 2>"$W/err"
}

# packs FOLDER: the module that the changed objects are in, in $module.
packs() {
	local m status=5
	for m in "$1"/orig/_bin/*; do
		module=$m status=0
		pack "$1" "$m" || status=$?
		[ "$status" -eq 5 ] || break
	done
	[ "$status" -eq 0 ] || fail "${1##*/}: $(cat "$W/err")"
	strip -o "$W/stripped" "$module"
	pack "$1" "$W/stripped" || fail "${1##*/} stripped: $(cat "$W/err")"
	"$hpbuild" sign --key "$W/key.key" "$W/fix.hpk" >"$W/log" 2>&1
	"$hpbuild" verify --trust "$W/key.pub" --baseline "$module" "$W/fix.hpk" >"$W/log" || fail "${1##*/}: does not verify"
	printf '%-32s %s\n' "${1##*/}" "$(sed -n 's/^  replaces *//p' "$W/out" | tr '\n' ';' | cut -c 1-90)"
}

"$hpbuild" keygen --no-passphrase -o "$W/key" >"$W/log" 2>&1
variants() {
	cat <<'END'
O0 -g -O0
O1 -g -O1
O3 -g -O3
Os -g -Os -ffunction-sections
nodebug -O2
hardened -g -O2 -fstack-protector-strong -fcf-protection -D_FORTIFY_SOURCE=2
noplt -g -O2 -fno-plt -ffunction-sections
entries -g -O2 -fpatchable-function-entry=16,14
END
}
for case in cjson-CVE-2025-57052 yajl-CVE-2022-24795 giflib-CVE-2026-23868; do
	[ -d "$corpus/$case" ] || continue
	source_of "$corpus/$case" "$W/source"
	while read -r name flags; do
		for side in orig patched; do
			# shellcheck disable=SC2086
			built $case "$W/source" $side "$W/${case%%-*}-$name" $flags
		done
		packs "$W/${case%%-*}-$name"
	done < <(variants)
	# The same source, other flags: a release engineer's mistake.
	expect_exit 5 pack "$W/${case%%-*}-O1" "$W/${case%%-*}-O3/orig/_bin/${module##*/}"
	expect_text "$W/err" "likely cause: other flags: the object has '-O1', the baseline '-O3'.*rebuild the original objects"
	echo "$(sed 's/^hpbuild: error: //' "$W/err" | head -n 2)"
	rm -rf "$W/source" "$W/tree"
done
