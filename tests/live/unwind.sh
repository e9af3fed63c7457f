#!/bin/sh
# C++ exceptions, pthread_cancel() and backtrace() get through patched functions, with libgcc as a library and inside the program; also after
# revert, after the next apply, and when hpbuild was killed.
. tests/lib/sh
. tests/lib/live
can_trace
need g++ mkfifo
build_tools

F='-g -O2 -ffunction-sections -pthread'
# ask LINE PATTERN: send LINE, wait until a new line matches.
ask() {
	before=$(grep -Ec -e "$2" "$out" || :)
	echo "$1" >&3
	left=200
	until [ "$(grep -Ec -e "$2" "$out" || :)" -gt "$before" ]; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || {
			tail -n 5 "$out" >&9
			fail "$name: no answer to '$1' matched $2"
		}
		sleep 0.02
	done
}

# check N TEXT FRAMES: what the program says with label() N, a message TEXT, and the sum FRAMES of the
# frames and of what through() adds.
check() {
	ask trace "^frames $3\$"
	ask throw "^caught $2\$"
	ask cancel '^cancelled 1$'
	ask x "^label $1\$"
}

# round NAME LINK: on one kind of program.
round() {
	name=$1
	shift
	for side in orig fixed; do
		mkdir -p "$W/$name/$side"
		define=
		[ "$side" = orig ] || define=-DFIX
		# shellcheck disable=SC2086
		g++ $F $define -fPIE -c -o "$W/$name/$side/mid.o" tests/live/unwind-mid.cc
	done
	# shellcheck disable=SC2086
	g++ $F -fPIE "$@" -rdynamic -Wl,--build-id -o "$W/$name/prog" tests/live/unwind-main.cc "$W/$name/orig/mid.o"
	"$hpbuild" pack --original "$W/$name/orig" --patched "$W/$name/fixed" --baseline "$W/$name/prog" -o "$W/$name.hpk" >"$W/pack.out" 2>&1 ||
		fail "$name: $(cat "$W/pack.out")"
	"$hpbuild" sign -k "$W/key.key" "$W/$name.hpk" >"$W/pack.out" 2>&1
	out=$W/$name.out
	mkfifo "$W/$name.in"
	start "$out" sh -c "exec '$W/$name/prog' <'$W/$name.in'"
	exec 3>"$W/$name.in"
	wait_line "$out" '^ready' 20
	ask throw '^caught 5$'
	ask trace '^frames'
	frames=$(sed -n 's/^frames //p' "$out" | tail -n 1)
	"$hpbuild" apply --pid "$pid" "$W/$name.hpk" >"$W/apply.out" 2>&1 || fail "$name: $(cat "$W/apply.out")"
	check 7 1005 $((frames + 1))
	maps=$(wc -l <"/proc/$pid/maps")
	for n in 1 2 3; do
		"$hpbuild" revert --pid "$pid" >"$W/apply.out"
		check 1 5 "$frames"
		"$hpbuild" apply --pid "$pid" "$W/$name.hpk" >"$W/apply.out" 2>&1 || fail "$name: $n: $(cat "$W/apply.out")"
		check 7 1005 $((frames + 1))
	done
	[ "$(wc -l <"/proc/$pid/maps")" -eq "$maps" ] || fail "$name: mappings grow"
	kill -KILL "$pid"
	exec 3>&-
}

round shared -pie
round nopie -no-pie
round libgcc_inside -pie -static-libgcc -static-libstdc++
round static -static-pie
cat "$W/apply.out"
