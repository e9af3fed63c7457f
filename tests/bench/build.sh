#!/usr/bin/env bash
# `hpbuild build`, from a patch to a signed package, against what cannot be avoided: make(1) that finds nothing to do (the original build of
# a tree that is built), and make(1) of the files that the patch touches. The project is hpbuild itself. Run through tests/bench/run.
set -eu
hpbuild=$B/hpbuild
for cmd in gcc make patch; do command -v $cmd >/dev/null || { echo "skip: $cmd is not installed" && exit 0; }; done
few=$(((RUNS + 2) / 3))

mkdir "$W/src"
cp -r Makefile base formats differ packager signer applier cli "$W/src"
cd "$W/src"
build() { make -s -j"$(nproc)" B=out CFLAGS='-O2 -g -ffunction-sections' LDFLAGS=-Wl,--build-id out/hpbuild >"$W/make" 2>&1; }
t0=$EPOCHREALTIME
build || { tail "$W/make" && exit 1; }
t1=$EPOCHREALTIME
cp out/hpbuild "$W/baseline"
"$hpbuild" keygen --no-passphrase -o "$W/k" >"$W/log" 2>&1

ms() { echo $(((${2/./} - ${1/./}) / 1000)); }
median() { sort -n | sed -n "$(((few + 1) / 2))p"; }
printf 'all of it from the start: %d ms, %d objects\n' "$(ms "$t0" "$t1")" "$(find out -name '*.o' | wc -l)"
printf '%-26s %9s %9s %9s %9s\n' 'median, ms' 'make idle' 'make fix' 'build' 'build -'
printf '%-26s %9s %9s %9s %9s\n' '' '' '' '' 'make'

one() { # NAME PATCH FILES: the files that the patch changes
	local i t0 t1 t2 a b c
	for ((i = 0; i < few; i++)); do
		t0=$EPOCHREALTIME
		build
		t1=$EPOCHREALTIME
		echo "$(ms "$t0" "$t1")" >>"$W/idle.$1"
		# shellcheck disable=SC2086
		touch $3
		t0=$EPOCHREALTIME
		build
		t1=$EPOCHREALTIME
		echo "$(ms "$t0" "$t1")" >>"$W/fix.$1"
		"$hpbuild" build --patch "$2" --baseline "$W/baseline" --objects out --key "$W/k.key" -o "$W/fix.hpk" \
			-- make -s -j"$(nproc)" B=out CFLAGS='-O2 -g -ffunction-sections' LDFLAGS=-Wl,--build-id out/hpbuild >"$W/log" 2>&1 ||
			{ tail "$W/log" && exit 1; }
		t2=$EPOCHREALTIME
		echo "$(ms "$t1" "$t2")" >>"$W/build.$1"
		build # the sources are as they were; the objects have to follow
	done
	a=$(median <"$W/idle.$1") b=$(median <"$W/fix.$1") c=$(median <"$W/build.$1")
	printf '%-26s %9d %9d %9d %9d\n' "$1" "$a" "$b" "$c" $((c - a - b))
}

change() { # NAME SED-SCRIPT FILE...: a patch
	local name=$1 script=$2 f
	shift 2
	for f; do
		sed "$script" "$f" >"$W/changed"
		! diff -u --label "a/$f" --label "b/$f" "$f" "$W/changed" >>"$W/$name.patch" || { echo "bench: $f is as before" && exit 1; }
	done
	one "$name" "$W/$name.patch" "$*"
}
change one-file 's/^#define LEVEL 19/#define LEVEL 18/' formats/zst.c
change five-files 's/"no memory"/"out of memory"/' packager/locate.c packager/layout.c packager/resolve.c packager/prove.c packager/pack.c
