#!/bin/sh
# Several packages on one process, reverted in any order; the same one twice; a file that changes meanwhile; a process that ends
# meanwhile; a function that one thread never leaves.
. tests/lib/sh
. tests/lib/live
. tests/lib/swap
can_trace
swap_init
S='-ffunction-sections -fdata-sections'
what='stacked packages'

scenario first <<'C'
APART static long callee(long n) {
#if FIX & 1
	return n * 5 + 1000;
#else
	return n * 3 + 10;
#endif
}
APART static long caller(long n) {
	static long calls;
	calls++;
#if FIX & 2
	return callee(n) * 2 + 500000 + calls;
#else
	return callee(n) + 100000 + calls;
#endif
}
APART static long third(long n) {
#if FIX & 4
	return n * 123456;
#else
	return n * 654321;
#endif
}
long first(long n) { return caller(n) + third(n); }
C
for f in 1 2 3 4; do
	FIX=-DFIX=$f swap_build gcc "-O2 $S" pie '' || fail "$(cat "$W/build.err")"
	swap_pack --name "fix$f" || fail "$(cat "$W/pack.err")"
	mv "$W/fix.hpk" "$W/$f.hpk"
	cp "$W/fixed/prog" "$W/prog$f"
done
cp "$W/orig/prog" "$W/prog0"
id() { "$hpbuild" inspect "$W/$1.hpk" | sed -n 's/^package *\([0-9a-f]\{32\}\).*/\1/p'; }

n=0
# is PROGRAM: the process answers now as this build does (but for the number of calls before).
is() {
	n=$((n + 1))
	ask $n
	calls=$(grep -c '^first' "$W/got")
	i=0
	while [ $i -lt "$calls" ]; do
		echo "first $((i % 3))"
		i=$((i + 1))
	done | "$W/prog$1" | tail -n 3 >"$W/b"
	grep '^first' "$W/got" | tail -n 3 >"$W/a"
	cmp -s "$W/a" "$W/b" || {
		diff "$W/a" "$W/b" >&9 || :
		fail "step $n: the process does not answer as build $1"
	}
	kill -0 "$pid" || fail "the process is gone"
}
apply() { "$hpbuild" apply --pid "$pid" "$W/$1.hpk" >"$W/out" 2>&1; }

start_prog
is 0
apply 1 || fail "$(cat "$W/out")"
is 1
apply 1 || fail "the same package again: $(cat "$W/out")"
expect_text "$W/out" 'already'
is 1
# Another function on top, then the lower one away: its function is not in the upper package, yet the upper one's caller was
# built against the original. Either answer is clear; what runs is one of the builds.
got=0
apply 4 || got=$?
if [ $got -eq 0 ]; then
	got=0
	"$hpbuild" revert --pid "$pid" --id "$(id 1)" >"$W/out" 2>&1 || got=$?
	echo "out of order: $got: $(cat "$W/out")"
	case $got in
	0) is 4 ;;
	4 | 9 | 10) grep -q . "$W/out" || fail 'no message' ;;
	*) fail "revert out of order: exit status $got: $(cat "$W/out")" ;;
	esac
	"$hpbuild" revert --pid "$pid" --id "$(id 4)" >"$W/out" 2>&1 || fail "$(cat "$W/out")"
	[ $got -eq 0 ] || "$hpbuild" revert --pid "$pid" --id "$(id 1)" >"$W/out" 2>&1 || fail "$(cat "$W/out")"
else
	[ $got -eq 9 ] || [ $got -eq 10 ] || [ $got -eq 4 ] || fail "a second package: exit status $got: $(cat "$W/out")"
	is 1
	"$hpbuild" revert --pid "$pid" >"$W/out" 2>&1 || fail "$(cat "$W/out")"
fi
is 0
# Two packages that replace the same function: the second on top, or refused; never both half.
apply 1 || fail "$(cat "$W/out")"
got=0
apply 3 || got=$?
if [ $got -eq 0 ]; then
	is 3
	got=0
	"$hpbuild" revert --pid "$pid" --id "$(id 1)" >"$W/out" 2>&1 || got=$?
	[ $got -eq 0 ] && is 3 || [ $got -eq 9 ] || [ $got -eq 10 ] || [ $got -eq 4 ] || fail "out of order: $got: $(cat "$W/out")"
	echo "same function: reverting the lower one: $got"
	is 3
	"$hpbuild" revert --pid "$pid" >"$W/out" 2>&1 || fail "$(cat "$W/out")"
	is 1
else
	echo "same function: refused: $(cat "$W/out")"
	expect_text "$W/out" "callee"
	is 1
fi
"$hpbuild" revert --pid "$pid" >"$W/out" 2>&1 || fail "$(cat "$W/out")"
is 0
# Many rounds, two packages in turns.
for i in 1 2 3 4 5; do
	apply 3 || fail "$(cat "$W/out")"
	is 3
	"$hpbuild" revert --pid "$pid" >"$W/out" 2>&1 || fail "$(cat "$W/out")"
	is 0
	apply 2 || fail "$(cat "$W/out")"
	is 2
	"$hpbuild" revert --pid "$pid" >"$W/out" 2>&1 || fail "$(cat "$W/out")"
	is 0
done
expect_exit 3 "$hpbuild" revert --pid "$pid" >"$W/out" 2>"$W/err"
"$hpbuild" revert --pid "$pid" --id "$(id 1)" >"$W/out" 2>&1 || fail "revert twice: $(cat "$W/out")"
expect_text "$W/out" '^already done'

# The file changes under the reader: each apply either applies one whole package, or refuses; nothing else.
(
	while :; do
		cp "$W/1.hpk" "$W/swapping.hpk"
		cp "$W/3.hpk" "$W/swapping.hpk"
		: >"$W/swapping.hpk"
	done
) 2>/dev/null &
swapper=$!
kill_at_end $swapper
applied=0
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
	got=0
	"$hpbuild" apply --pid "$pid" "$W/swapping.hpk" >"$W/out" 2>"$W/err" || got=$?
	case $got in
	0)
		applied=$((applied + 1))
		name=$("$hpbuild" status --pid "$pid" | sed -n 's/^    name  *fix\([0-9]\),.*/\1/p' | tail -n 1)
		is "$name"
		"$hpbuild" revert --pid "$pid" >"$W/out" 2>&1 || fail "$(cat "$W/out")"
		;;
	1 | 6 | 7) is 0 ;;
	*) fail "swapped file: exit status $got: $(cat "$W/err")" ;;
	esac
done
kill -KILL $swapper
wait $swapper 2>/dev/null || :
echo "$applied of 12 applied"

# The process ends in the middle.
for i in 1 2 3 4 5 6; do
	(sleep "0.00$i" && kill -KILL "$pid") &
	got=0
	apply 1 || got=$?
	wait $! || :
	[ $got -eq 0 ] || [ $got -eq 9 ] || fail "a process that ended: exit status $got: $(cat "$W/out")"
	exec 3>&-
	wait_gone "$pid" 10
	start_prog
	n=0
	is 0
done
expect_exit 9 "$hpbuild" apply --pid 4194303 "$W/1.hpk" >"$W/out" 2>"$W/err"
