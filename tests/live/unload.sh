#!/bin/sh
# A library that was patched is unloaded, and perhaps loaded again, there or elsewhere, while other memory lies where it was: status
# says so, revert writes nowhere, apply patches the new one with fresh variables, and nothing grows.
. tests/lib/sh
. tests/lib/live
can_trace
build_tools

cat >"$W/plug.c" <<'C'
static long calls;
__attribute__((noipa)) static long part(long n) { return n + ++calls; }
long plug(long n) {
#ifdef FIX
	static long news;
	return part(n) * 100 + 1000000 + ++news;
#else
	return part(n) * 1000;
#endif
}
C
F='-g -O2 -fPIC -ffunction-sections -fdata-sections'
mkdir "$W/orig" "$W/fixed"
# shellcheck disable=SC2086
(cd "$W/orig" && "$CC" $F -c ../plug.c && cd ../fixed && "$CC" $F -DFIX -c ../plug.c)
"$CC" -shared -Wl,--build-id -o "$W/libplug.so" "$W/orig/plug.o"
"$CC" -O2 -pthread -D_GNU_SOURCE -o "$W/main" tests/live/plug-main.c tests/live/answer.c
"$hpbuild" pack --original "$W/orig" --patched "$W/fixed" --baseline "$W/libplug.so" -o "$W/fix.hpk" >"$W/out" 2>&1 || fail "$(cat "$W/out")"
"$hpbuild" sign --key "$W/key.key" "$W/fix.hpk" >"$W/out" 2>&1
make_fix "$W/both.hpk" "$W/main" answer 7 "$W/libplug.so" plug 9

begin() {
	rm -f "$W/in"
	mkfifo "$W/in"
	run=$((${run:-0} + 1))
	out=$W/$run.txt
	start "$out" sh -c "exec '$W/main' '$W/libplug.so' <'$W/in'"
	exec 3>"$W/in"
	wait_line "$out" '^ready' 20
	n=0
}
end() {
	exec 3>&-
	wait_gone "$pid" 10
}
ask() { # COMMAND ANSWER
	n=$((n + 1))
	echo "$1" >&3
	wait_line "$out" "^$n $1 " 20
	expect_text "$out" "^$n $1 $2\$"
}
apply() {
	"$hpbuild" apply --pid "$pid" "$W/${1:-fix}.hpk" >"$W/out" 2>&1 || fail "line $n: $(cat "$W/out")"
	expect_text "$W/out" "^${2:-applied}: "
	[ "$(state "$pid")" = applied ] || fail "line $n: $(state "$pid")"
}
revert() {
	"$hpbuild" revert --pid "$pid" >"$W/out" 2>&1 || fail "line $n: $(cat "$W/out")"
	[ "$(state "$pid")" = reverted ] || fail "line $n: $(state "$pid")"
}
is() { [ "$(state "$pid")" = "$1" ] || fail "line $n: status says $(state "$pid") instead of $1"; }

# Unloaded; reverted; loaded again at the same place.
begin
ask open elsewhere
ask call '2000 1'
apply
ask call '1000301 1'
ask call '1000402 1'
ask close unmapped
is unloaded
"$hpbuild" status --json --pid "$pid" >"$W/out"
expect_text "$W/out" '"state": "unloaded"'
expect_exit 5 "$hpbuild" apply --pid "$pid" "$W/fix.hpk" 2>"$W/err"
revert
expect_text "$W/out" 'unloaded since: nothing to restore'
ask open again
ask call '2000 1'
apply
ask call '1000301 1'
# Not reverted, loaded again at the same place: runs unpatched, and status knows.
ask close unmapped
ask open again
ask call '2000 1'
is unloaded
"$hpbuild" status "$W/fix.hpk" >"$W/out"
expect_text "$W/out" "^process $pid .*runs the baseline unpatched\$"
apply
ask call '1000301 1'
apply fix 'already done'
revert
ask call '4000 1'
# Reverted, then loaded anew: variables of the patch begin anew as well.
ask close unmapped
ask open again
apply
ask call '1000201 1'
revert
end

# Another package on the module that was loaded again: the first one's record is no word about that.
make_fix "$W/other.hpk" "$W/libplug.so" plug 9
begin
ask open elsewhere
apply
ask call '1000201 1'
ask close unmapped
ask open again
"$hpbuild" apply --pid "$pid" "$W/other.hpk" >"$W/out" 2>&1 || fail "$(cat "$W/out")"
ask call '9 1'
"$hpbuild" status --pid "$pid" >"$W/out"
expect_text "$W/out" '^  [0-9a-f]{32}  prepared$'
expect_text "$W/out" '^  [0-9a-f]{32}  applied$'
"$hpbuild" revert --pid "$pid" >"$W/out"
ask call '2000 1'
"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" 2>&1 || fail "$(cat "$W/out")"
ask call '1000301 1'
end

# Something else lies at the old place.
begin
ask open elsewhere
apply
ask call '1000201 1'
ask close unmapped
ask fill filled
is unloaded
revert
ask look unchanged
end
begin
ask open elsewhere
apply
ask close unmapped
ask fill filled
ask open elsewhere
is unloaded
apply
ask call '1000201 1'
ask look unchanged
revert
ask call '3000 1'
ask look unchanged
end

# Nothing grows.
begin
for i in 1 2 3 4 5 6 7 8; do
	ask open '.*'
	apply
	ask call '1000201 1'
	ask close unmapped
	[ $i -ne 2 ] || maps=$(wc -l <"/proc/$pid/maps")
done
[ "$(wc -l <"/proc/$pid/maps")" -le "$maps" ] || fail "mappings: $maps after 2 rounds, now $(wc -l <"/proc/$pid/maps")"
end

# One of two modules of a package.
begin
ask open elsewhere
apply both
ask call '9 7'
ask close unmapped
is unloaded
ask call '0 7'
revert
ask call '0 1'
ask open again
ask call '2000 1'
apply both
ask call '9 7'
ask close unmapped
ask open again
ask call '2000 7'
is unloaded
apply both
ask call '9 7'
revert
ask call '3000 1'
end

# Killed at every step of patching the module that was loaded again.
for pkg in fix both; do
	case $pkg in fix) new='1000[2-4]0[1-9] 1' old='[2-5]000 1' ;; both) new='9 7' old='[2-5]000 1' ;; esac
	for step in 1 4 5 6 7 8 9; do
		begin
		ask open elsewhere
		apply $pkg
		ask close unmapped
		ask open again
		rc=0
		HPBUILD_TEST_KILL_AT=$step "$hpbuild" apply --pid "$pid" "$W/$pkg.hpk" >/dev/null 2>&1 || rc=$?
		[ "$rc" -eq 137 ] || fail "step $step: exit status $rc"
		case $step:$pkg:$(state "$pid") in
		1:*:unloaded | [45]:fix:prepared | [45678]:both:interrupted | [678]:fix:interrupted | 9:*:applied) ;;
		*) fail "$pkg, step $step: $(state "$pid")" ;;
		esac
		[ "$((step % 2))" -eq 0 ] || revert_first=1
		if [ -n "${revert_first:-}" ] && [ "$(state "$pid")" != prepared ]; then
			revert
			ask call "$old"
		fi
		revert_first=
		apply $pkg '(applied|already done)'
		ask call "$new"
		revert
		ask call "$old"
		end
	done
done
