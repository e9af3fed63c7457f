#!/bin/sh
# Every input that a fuzz target ever failed on, and its seeds, once more.
. tests/lib/sh

for src in tests/fuzz/fuzz_*.c; do
	[ -e "$src" ] || skip 'no fuzz target'
	t=${src##*/fuzz_}
	t=${t%.c}
	[ -d "tests/fuzz/corpus/$t" ] || fail "tests/fuzz/corpus/$t does not exist"
	"$B/tests/fuzz/replay_$t" "tests/fuzz/corpus/$t" >"$W/$t.out" 2>"$W/$t.err" || {
		tail -n 30 "$W/$t.err"
		fail "$t: exit status $?"
	}
	expect_text "$W/$t.out" '^[1-9][0-9]* inputs$'
	echo "$t: $(cat "$W/$t.out")"
done
