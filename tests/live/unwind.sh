#!/bin/sh
# C++ exceptions, pthread_cancel(), backtrace() and gdb get through patched functions, with libgcc as a library and inside the
# program; also after revert and after the next apply.
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

# gdb gets through the new functions with what status tells it.
with_gdb() {
	"$hpbuild" status --pid "$pid" --gdb "$W" >"$W/gdb.cmds"
	expect_text "$W/gdb.cmds" '^add-symbol-file .*/hpbuild-[0-9a-f]*-0.elf -o 0x[0-9a-f]*$'
	gdb -q -nx -batch -p "$pid" -ex 'set confirm off' -x "$W/gdb.cmds" -ex bt >"$W/gdb.out" 2>&1
	grep -Eq '^#[0-9]+ .* through ' "$W/gdb.out" || {
		cat "$W/gdb.out" >&9
		fail "$name: gdb does not see the patched function"
	}
	expect_text "$W/gdb.out" '^#[0-9]+ .* main '
}

# The main thread sleeps in the body that the first package put in place of through(): a package that takes its place must not
# replace that.
instead() {
	echo '{ "cumulative": true }' >"$W/meta.json"
	"$hpbuild" pack --original "$W/$name/orig" --patched "$W/$name/again" --baseline "$W/$name/prog" --meta "$W/meta.json" \
		-o "$W/again.hpk" >"$W/pack.out" 2>&1
	"$hpbuild" sign -k "$W/key.key" "$W/again.hpk" >"$W/pack.out" 2>&1
	expect_exit 9 "$hpbuild" apply --timeout 200 --pid "$pid" "$W/again.hpk" 2>"$W/err"
	expect_text "$W/err" "thread $pid is inside function 'through': .* < main"
	"$hpbuild" apply --allow-active through --pid "$pid" "$W/again.hpk" >"$W/apply.out"
	"$hpbuild" revert --all --pid "$pid" >"$W/apply.out"
	[ "$(grep -c '^reverted' "$W/apply.out")" -eq 1 ] || fail "$name: not reverted"
	rm "$W/again.hpk"
}

# round NAME LINK: on one kind of program.
round() {
	name=$1
	shift
	for side in orig fixed again; do
		mkdir -p "$W/$name/$side"
		case $side in orig) define= ;; fixed) define=-DFIX ;; again) define=-DFIX=5 ;; esac
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
	echo wait >&3
	wait_line "$out" '^waiting$' 10
	if command -v gdb >/dev/null 2>&1; then with_gdb; fi
	instead
	kill -KILL "$pid"
	exec 3>&-
}

round shared -pie
round nopie -no-pie
round libgcc_inside -pie -static-libgcc -static-libstdc++
round static -static-pie
# A stripped program with the unwinder inside hides it.
strip "$W/libgcc_inside/prog"
expect_exit 4 "$hpbuild" pack --original "$W/libgcc_inside/orig" --patched "$W/libgcc_inside/fixed" \
	--baseline "$W/libgcc_inside/prog" -o "$W/x.hpk" 2>"$W/err"
expect_text "$W/err" 'unwinder cannot be found'
cat "$W/apply.out"
