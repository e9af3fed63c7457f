#!/bin/sh
# Packages that meet: one that touches another's function is refused by name; a cumulative one, or one that names the other, replaces
# it in one stop, also the functions that it does not have; what revert, the same again, --dry-run and status say; hpbuild killed and
# writes failing in the middle.
. tests/lib/sh
. tests/lib/live
. tests/lib/swap
can_trace
swap_init
what='cumulative packages'
S='-ffunction-sections -fdata-sections'

# FIX is a sum: 1, 2, 4 patch f, g, h; the answer is one digit for each.
scenario fgh <<'C'
APART static long f(long n) {
#if FIX & 1
	return n * 0 + 1 + (FIX & 8) / 4;
#else
	return n * n * 3 - n * n * 3;
#endif
}
APART static long g(long n) {
#if FIX & 2
	return n * 0 + 1 + (FIX & 8) / 4;
#else
	return n * n * 5 - n * n * 5;
#endif
}
APART static long h(long n) {
#if FIX & 4
	return n * 0 + 1 + (FIX & 8) / 4;
#else
	return n * n * 7 - n * n * 7;
#endif
}
APART static long sit(long n) { struct { char c[40]; } volatile s = { { 0 } }; return s.c[n]; }
long fgh(long n) { return f(n + 7) * 100 + g(n + 7) * 10 + h(n + 7) + sit(0); }
C
# package NAME FIX META...: the keys of META as JSON members
package() {
	name=$1 fix=$2
	echo "{ $3 }" >"$W/meta.json"
	FIX=-DFIX=$fix swap_build gcc "-O1 $S" pie '' || fail "$(cat "$W/build.err")"
	swap_pack --name "$name" --meta "$W/meta.json" || fail "$(cat "$W/pack.err")"
	mv "$W/fix.hpk" "$W/$name.hpk"
}
id() { "$hpbuild" inspect "$W/$1.hpk" | sed -n 's/^package *\([0-9a-f]\{32\}\).*/\1/p'; }
package fg 3 '"serial": 1'
package h 4 '"serial": 2'
package f 1 '"serial": 6'
package all 14 '"serial": 4, "cumulative": true'   # g and h, otherwise than fg and h
package f_for_fg 9 "\"serial\": 5, \"supersedes\": [ \"$(id fg)\" ]"
package old 15 '"serial": 1, "cumulative": true'
cp "$W/orig/prog" "$W/prog"

# live VERB ARGS...: on this process, and without the memory of serial numbers that were applied before on this host.
live() {
	rm -rf "$HPBUILD_STATE"
	verb=$1
	shift
	"$hpbuild" "$verb" --pid "$pid" "$@"
}
n=0
is() { # DIGITS: the answer now
	n=$((n + 1))
	printf 'fgh 0\nmark %s\n' $n >&3
	wait_line "$W/got" "^mark $n\$" 20
	got=$(sed -n 's/^fgh 0 = //p' "$W/got" | tail -n 1)
	[ "$got" -eq "$1" ] || fail "$what: step $n: $got instead of $1"
}
apply() { live apply "$W/$1.hpk" >"$W/out" 2>"$W/err" || fail "$what: apply $1: $(cat "$W/err")"; }
revert() { live revert >"$W/out" 2>"$W/err" || fail "$what: revert: $(cat "$W/err")"; }
states() { # "NAME STATE, ..." as status lists them
	"$hpbuild" status --pid "$pid" | sed -n 's/^  [0-9a-f]\{32\}  //p; s/^    name  *\([a-z_]*\),.*/\1/p' | paste -d' ' - - |
		awk '{ printf "%s%s %s", s, $2, $1; s = ", " } END { print "" }'
}
states_are() { [ "$(states)" = "$1" ] || fail "$what: step $n: status says '$(states)' instead of '$1'"; }
end() { exec 3>&- && wait_gone "$pid" 20; }

# Conflict by name; apart from each other they stack.
start_prog "$W/prog"
is 0
apply fg
apply h
is 111
expect_exit 9 live apply "$W/f.hpk" 2>"$W/err"
expect_text "$W/err" "function 'f' belongs to package $(id fg), which is applied"
is 111
# All of both, in one stop.
live apply --dry-run "$W/all.hpk" >"$W/out"
expect_text "$W/out" "^package $(id fg) would be replaced\$"
expect_text "$W/out" "^package $(id h) would be replaced\$"
is 111
apply all
expect_text "$W/out" "^package $(id fg) is replaced\$"
is 33
states_are 'fg replaced, h replaced, all applied'
apply all
expect_text "$W/out" '^already done'
is 33
# What was replaced does not come back by itself, nor on top.
for p in fg h; do
	expect_exit 9 live apply "$W/$p.hpk" 2>"$W/err"
	expect_text "$W/err" "package $(id all), which is applied, replaces this one"
done
expect_exit 9 live apply "$W/old.hpk" 2>"$W/err"
expect_text "$W/err" "package $(id all) .* is newer"
live revert --id "$(id fg)" >"$W/out"
expect_text "$W/out" '^already done'
is 33
revert
is 0
states_are 'fg replaced, h replaced, all reverted'
# Again, with the payloads that are there; revert of all.
apply fg
is 110
apply all
is 33
apply f
is 133
live revert --all >"$W/out"
[ "$(grep -c '^reverted:' "$W/out")" -eq 2 ] || fail "revert --all: $(cat "$W/out")"
is 0
# One that names what it replaces.
apply h
apply fg
is 111
live apply --json "$W/f_for_fg.hpk" >"$W/out"
expect_text "$W/out" "\"$(id fg)\""
is 301
states_are 'all reverted, f reverted, h applied, fg replaced, f_for_fg applied'
revert
is 1
live revert --all >"$W/out"
is 0
end

# Nobody vouches for what is to be replaced: refused.
start_prog "$W/prog"
n=0
is 0
"$hpbuild" keygen --no-passphrase -o "$W/other" >"$W/keygen.out" 2>&1
cp "$W/all.hpk" "$W/all2.hpk"
"$hpbuild" sign -k "$W/other.key" "$W/all2.hpk" >"$W/out" 2>&1
apply fg
expect_exit 6 live apply --ignore-unknown --trust "$W/other.pub" "$W/all2.hpk" 2>"$W/err"
expect_text "$W/err" "package $(id fg) in the process"
is 110
end

# Killed at every step: it runs on, as one of the builds for each function; status tells; apply or revert finishes.
# (With LONG=1 all steps, and every write below.)
steps='3 6 7 8' every=3
[ -z "${LONG:-}" ] || { steps='1 2 3 4 5 6 7 8 9'; every=1; }
for step in $steps; do
	for next in apply revert; do
		what="killed at $step, $next"
		start_prog "$W/prog"
		n=0
		is 0
		apply fg
		apply h
		rc=0
		export HPBUILD_TEST_KILL_AT=$step
		live apply "$W/all.hpk" >"$W/out" 2>&1 || rc=$?
		unset HPBUILD_TEST_KILL_AT
		[ "$rc" -eq 137 ] || fail "$what: exit status $rc"
		grep -q '^State:.[SR]' "/proc/$pid/status" || fail "$what: $(grep State "/proc/$pid/status")"
		case $step in
		[12]) states_are 'fg applied, h applied' ;;
		[345]) states_are 'fg applied, h applied, all prepared' || states_are 'all prepared, fg applied, h applied' ;;
		6 | 7 | 8) states_are 'fg interrupted, h interrupted, all interrupted' ;;
		9) states_are 'fg replaced, h replaced, all applied' ;;
		esac
		case $step in
		[678])
			expect_exit 9 live apply "$W/f.hpk" 2>"$W/err"
			expect_text "$W/err" "switch of package $(id all) was interrupted"
			;;
		esac
		case $step:$next in
		*:apply)
			apply all
			is 33
			states_are 'fg replaced, h replaced, all applied'
			revert
			is 0
			;;
		[12345]:revert)
			revert # the last one, h
			is 110
			;;
		*:revert)
			revert
			is 0
			states_are 'fg replaced, h replaced, all reverted'
			expect_exit 3 live revert 2>"$W/err"
			apply fg
			is 110
			;;
		esac
		end
	done
done

# A write to the process fails: undone, the old packages are as they were.
"$CC" -D_GNU_SOURCE -O1 -fPIC -shared -o "$W/fault.so" tests/live/fault-preload.c
case $B in *-san*) exit 0 ;; esac # sanitizers want to be loaded first
k=1 failed=0
while :; do
	start_prog "$W/prog"
	n=0
	is 0
	apply fg
	apply h
	rc=0
	rm -rf "$HPBUILD_STATE"
	env LD_PRELOAD="$W/fault.so" FAULT_KIND=write FAULT_AT="$k" FAULT_COUNT="$W/count" \
		"$hpbuild" apply --timeout 300 --pid "$pid" "$W/all.hpk" >"$W/out" 2>"$W/err" || rc=$?
	last=$(cat "$W/count")
	what="write $k of $last fails ($rc)"
	if [ "$rc" -ne 0 ]; then
		failed=$((failed + 1))
		is 111
		case $(states) in
		*interrupted* | *'all applied'* | *replaced*) fail "$what: $(states)" ;;
		*'fg applied, h applied'*) ;;
		*) fail "$what: $(states)" ;;
		esac
	fi
	apply all
	is 33
	end
	[ $k -le "$last" ] || break
	k=$((k + every))
done
[ $failed -gt $((8 / every)) ] || fail "only $failed writes failed"
echo "$failed of $last writes failed"
