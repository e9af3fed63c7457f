#!/bin/sh
# limit: 400
# Threads that hold the locks of the allocator, the dynamic linker and the unwinder most of the time: apply, which calls the unwinder in one
# of them, and revert deadlock nobody, and exceptions and cancellation get through the function in every state.
. tests/lib/sh
. tests/lib/live
can_trace
need g++
build_tools
cat >"$W/work.cc" <<'C'
long work(long n, long (*f)(long)) {
#ifdef FIX
	return f(n) + 47;
#else
	return f(n) + 41;
#endif
}
C
echo 'long plug(long n) { return n; }' >"$W/plug.c"
"$CC" -O1 -fPIC -shared -o "$W/libplug.so" "$W/plug.c"
F='-g -O2 -fPIE -ffunction-sections -pthread'
mkdir "$W/orig" "$W/fixed"
# shellcheck disable=SC2086
g++ $F -c -o "$W/main.o" tests/live/locks.cc
# shellcheck disable=SC2086
(cd "$W/orig" && g++ $F -c ../work.cc && cd ../fixed && g++ $F -DFIX -c ../work.cc)
g++ -pie -pthread -Wl,--build-id -o "$W/locks" "$W/main.o" "$W/orig/work.o"
"$hpbuild" pack --original "$W/orig" --patched "$W/fixed" --baseline "$W/locks" -o "$W/fix.hpk" >"$W/out" 2>&1 || fail "$(cat "$W/out")"
"$hpbuild" sign --key "$W/key.key" "$W/fix.hpk" >"$W/out" 2>&1
mkfifo "$W/in"
start "$W/out.txt" sh -c "exec '$W/locks' '$W/libplug.so' <'$W/in'"
exec 3>"$W/in"
wait_line "$W/out.txt" '^ready' 20
n=0
ask() { # WHAT EACH THREAD SEES
	n=$((n + 1))
	echo >&3
	left=600
	until [ "$(grep -c '^progress' "$W/out.txt")" -ge $n ]; do
		left=$((left - 1))
		[ $left -gt 0 ] || fail "no progress after $n: $(tail -n 2 "$W/out.txt")"
		sleep 0.05
	done
	got=$(sed -n 's/^progress //p' "$W/out.txt" | tail -n 1)
	[ "$got" = "$1 $1 $1 $1" ] || fail "round $n: $got instead of $1 each"
}
ask 41
for i in 1 2 3 4 5 6 7 8 $([ -z "${LONG:-}" ] || seq 9 60); do
	"$hpbuild" apply --timeout 30000 --pid "$pid" "$W/fix.hpk" >"$W/out" 2>&1 || fail "apply $i: $(cat "$W/out")"
	ask 47
	"$hpbuild" revert --timeout 30000 --pid "$pid" >"$W/out" 2>&1 || fail "revert $i: $(cat "$W/out")"
	ask 41
done
expect_no_text "$W/out.txt" wrong
