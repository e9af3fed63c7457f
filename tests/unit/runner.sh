#!/bin/sh
# The test runner and tests/lib/sh: results, skips, limits, filters, clean-up.
. tests/lib/sh

t=$W/tree
mkdir -p "$t/tests/lib" "$t/tests/e2e" "$t/tests/live" "$t/build" "$W/tmp"
cp tests/run "$t/tests/"
cp tests/lib/sh "$t/tests/lib/"

# script NAME SECOND-LINE: a test whose body is standard input.
script() {
	{
		printf '#!/bin/sh\n%s\n. tests/lib/sh\n' "$2"
		cat
	} >"$t/tests/$1.sh"
	chmod +x "$t/tests/$1.sh"
}
run() {
	env -u T -u KEEP -u LONG -u HP_TEST_REQUIRE B=build TMPDIR="$W/tmp" "$@" >"$W/out" 2>&1
}

script e2e/pass '# passes' <<'END'
echo x >"$W/left"; mkdir "$W/locked"; touch "$W/locked/f"; chmod 0 "$W/locked"
[ "$HOME" = "$W" ]
# Settings of the make that started the runner are not those of a test's own make.
[ -z "${MAKEFLAGS:-}${CFLAGS:-}" ]
END
expect_exit 0 run env MAKEFLAGS='-- CFLAGS=-O1' CFLAGS=-O1 "$t/tests/run"
expect_text "$W/out" '^ok +e2e/pass '
expect_text "$W/out" '^1 passed, 0 failed, 0 skipped$'
[ -z "$(ls -A "$W/tmp")" ] || fail "scratch folder was left: $(ls "$W/tmp")"

script e2e/skip '# skips' <<'END'
need no-such-command
END
script live/long '# long' <<'END'
:
END
script live/fails '# fails' <<'END'
expect_exit 3 sh -c 'echo the reason; exit 4' >"$W/o" 2>&1
END
script live/hangs '# limit: 1' <<'END'
sleep 987 & echo $! >"$W/../../sleeper"
sleep 987
END
expect_exit 1 run "$t/tests/run"
expect_text "$W/out" '^skip +e2e/skip .*\(no-such-command is not installed\)'
expect_text "$W/out" '^FAIL +live/fails .*exit status 1'
expect_text "$W/out" '\| the reason'
expect_text "$W/out" 'exit status 4 instead of 3'
expect_text "$W/out" '^FAIL +live/hangs .*limit of 1 s'
expect_text "$W/out" '^1 long tests left out'
expect_text "$W/out" '^failed: live/fails live/hangs$'
expect_text "$W/out" '^1 passed, 2 failed, 1 skipped$'
[ "$(grep -c 'passed, ' "$W/out")" -eq 1 ] || fail 'more than one closing line'
wait_gone "$(cat "$W/tmp/sleeper")" 5
rm "$W/tmp/sleeper"
[ -z "$(ls -A "$W/tmp")" ] || fail 'scratch folder was left after failures'

# Filters; a skip that is required; nothing passed.
expect_exit 0 run "$t/tests/run" tests/e2e/pa
expect_text "$W/out" '^1 passed, 0 failed, 0 skipped$'
expect_exit 0 run "$t/tests/run" live/long
expect_exit 1 run "$t/tests/run" e2e/skip
expect_text "$W/out" '^0 passed, 0 failed, 1 skipped$'
expect_exit 1 run "$t/tests/run" no-such-test
expect_exit 1 run HP_TEST_REQUIRE=clang,no-such-command "$t/tests/run" e2e/
expect_text "$W/out" '^1 passed, 1 failed, 0 skipped$'
expect_exit 0 run KEEP=1 "$t/tests/run" e2e/pass
kept=$(sed -n 's/^kept: //p' "$W/out")
[ -f "$kept/e2e-pass/left" ] || fail 'KEEP=1 kept nothing'
chmod -R u+rwX "$kept"
rm -rf "$kept"

# Interrupted: nothing is left, neither folder nor process.
script live/waits '# waits' <<'END'
echo $$ >"$W/../../waiter"
sleep 987
END
start "$W/out" env B=build TMPDIR="$W/tmp" "$t/tests/run" live/waits
i=0
until [ -s "$W/tmp/waiter" ]; do
	i=$((i + 1))
	[ $i -lt 200 ] || fail 'the waiting test did not start'
	sleep 0.05
done
kill -TERM "$pid"
wait_gone "$pid" 10
wait_gone "$(cat "$W/tmp/waiter")" 5
rm "$W/tmp/waiter"
[ -z "$(ls -A "$W/tmp")" ] || fail 'scratch folder was left after an interruption'

# Order of the lines does not depend on which test ends first.
script e2e/a-slow '# slow' <<'END'
sleep 0.4
END
expect_exit 0 run "$t/tests/run" e2e/a-slow e2e/pass
[ "$(sed -n 's/^ok *\([^ ]*\).*/\1/p' "$W/out" | tr '\n' ' ')" = 'e2e/a-slow e2e/pass ' ] || fail 'order of results'
