#!/bin/sh
# hpbuild run: the program is fixed before its first instruction, on every kind of program; it keeps process, input, output, exit status, and
# has no child; what cannot be applied does not begin.
. tests/lib/sh
. tests/lib/live
can_trace
build_tools

cat >"$W/prog.c" <<'END'
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int answer(void);
static int early;
__attribute__((constructor)) static void first(void) { early = answer(); }
int
main(int argc, char **argv)
{
	int c = getchar();
	pid_t child = waitpid(-1, NULL, 0);
	printf("%d %d %c %d %s\n", early, answer(), c, child == -1 && errno == ECHILD, argv[argc - 1]);
	printf("pid %d\n", (int)getpid());
	return argc > 2 ? atoi(argv[1]) : 0;
}
END

# works NAME BASELINE PROGRAM
works() {
	make_fix "$W/$1.hpk" "$2" answer 7
	rc=0
	echo q | sh -c 'echo "shell $$"; exec "$@"' sh "$hpbuild" run --package "$W/$1.hpk" -- "$3" 5 last >"$W/out" 2>"$W/err" || rc=$?
	[ "$rc" -eq 5 ] || fail "$1: exit status $rc: $(cat "$W/err")"
	expect_text "$W/out" '^7 7 q 1 last$'
	[ "$(sed -n 's/^shell //p' "$W/out")" = "$(sed -n 's/^pid //p' "$W/out")" ] || fail "$1: another process"
	[ ! -s "$W/err" ] || fail "$1: $(cat "$W/err")"
}

"$CC" -O2 -fPIC -shared -o "$W/libanswer.so" tests/live/answer.c
"$CC" -O2 -o "$W/uses" "$W/prog.c" "$W/libanswer.so" -Wl,-rpath,"$W"
for kind in pie no-pie static static-pie; do
	fpic=-fPIE
	[ "$kind" != no-pie ] || fpic=-fno-pie
	"$CC" -O2 $fpic -$kind -o "$W/$kind" "$W/prog.c" tests/live/answer.c
	works "$kind" "$W/$kind" "$W/$kind"
done
works library "$W/libanswer.so" "$W/uses"

# Started through the dynamic linker by hand, also with its options.
ld=$(sed -n 's|.* \(/.*/ld-linux[^ ]*\)$|\1|p' /proc/self/maps | head -n 1)
# by_hand PACKAGE LINKER-ARGS...
by_hand() {
	package=$1 rc=0
	shift
	echo q | "$hpbuild" run --package "$W/$package.hpk" -- "$ld" "$@" 5 last >"$W/out" 2>"$W/err" || rc=$?
	[ "$rc" -eq 5 ] || fail "by hand: $*: exit status $rc: $(cat "$W/err")"
	expect_text "$W/out" '^7 7 q 1 last$'
}
by_hand pie "$W/pie"
by_hand no-pie "$W/no-pie"
by_hand library --inhibit-cache --argv0 other "$W/uses"
by_hand library --preload "$W/libanswer.so" "$W/uses"

# Two packages, through PATH, with a message.
export MKFIX_CUMULATIVE=1
make_fix "$W/eight.hpk" "$W/pie" answer 8
unset MKFIX_CUMULATIVE
echo q | PATH=$W:$PATH "$hpbuild" run -v -P "$W/pie.hpk" -P "$W/eight.hpk" -- pie last >"$W/out" 2>"$W/err"
expect_text "$W/out" '^8 8 q 1 last$'
expect_text "$W/err" 'eight.hpk: 1 functions'

# Nothing of the program runs.
refused() {
	code=$1 text=$2
	shift 2
	expect_exit "$code" "$hpbuild" run "$@" >"$W/out" 2>"$W/err" </dev/null
	expect_text "$W/err" "$text"
	[ ! -s "$W/out" ] || fail "the program ran: $(cat "$W/out")"
}
refused 5 'does not run the build' -P "$W/pie.hpk" -- "$W/static" x
"$hpbuild" keygen --no-passphrase -o "$W/other" >/dev/null 2>&1
refused 6 'key|trusted' -P "$W/pie.hpk" --trust "$W/other.pub" -- "$W/pie" x
# A leak check cannot work in a traced process.
export ASAN_OPTIONS=detect_leaks=0
refused 1 'cannot run .*no-such' -P "$W/pie.hpk" -- "$W/no-such" x
refused 5 'does not run the build' -P "$W/pie.hpk" -- "$ld" "$W/no-pie" x
expect_exit 127 "$hpbuild" run -P "$W/pie.hpk" -- "$ld" "$W/no-such" x >"$W/out" 2>"$W/err"
wait_line "$W/err" "ended before its first instruction" 10
refused 2 '--package is missing' -- "$W/pie" x

# Killed at every step: the program is dead, or it stands still and can be killed; never does it run unpatched.
for step in 1 3 5 7 9; do
	HPBUILD_TEST_KILL_AT=$step "$hpbuild" run -P "$W/pie.hpk" -- "$W/pie" x </dev/null >"$W/out" 2>&1 &
	kill_at_end $!
	left=20
	while [ "$left" -gt 0 ] && [ ! -s "$W/out" ]; do
		left=$((left - 1))
		sleep 0.01
	done
	expect_no_text "$W/out" '^1 '
	kill -KILL $! 2>/dev/null || :
done
