#!/bin/sh
# Hooks of a package (hotpatch.h): when they are called and on what thread; what becomes of the process when one says no, crashes, does
# not return, or when the switch cannot be made after it; hpbuild killed between hook and switch.
. tests/lib/sh
. tests/lib/live
. tests/lib/swap
can_trace
swap_init

# Lines of commands: "v N" sets verdict, "stuck" starts a thread that stays inside stuck(), anything else prints the state. The hooks
# leave a letter each in trace[].
cat >"$W/main.c" <<'C'
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int verdict, trace_len;
char trace[64];
long work(long n), stuck(int fd);
static int pipes[2];
static void *spin(void *arg) {
	for (;;) { void *volatile p = malloc(1 + rand() % 300000); free(p); if (rand() % 64 == 0) usleep(500); }
	return arg;
}
static void *stick(void *arg) { stuck(pipes[0]); return arg; }
int main(int argc, char **argv) {
	char line[100];
	pthread_t t;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = argc > 1 ? atoi(argv[1]) : 0; i > 0; i--) pthread_create(&t, NULL, spin, NULL);
	if (pipe(pipes) != 0) return 1;
	if (argc > 9) { pause(); abort(); } /* the hooks want them */
	printf("ready\n");
	for (;;) {
		errno = 77;
		if (fgets(line, sizeof(line), stdin) == NULL) break;
		if (errno != 77) printf("errno became %d\n", errno);
		if (line[0] == 'v') verdict = atoi(line + 2);
		if (line[0] == 's') pthread_create(&t, NULL, stick, NULL);
		line[strcspn(line, "\n")] = 0;
		printf("%s: work %ld trace %s.\n", line, work(2), trace);
	}
	return 0;
}
C
mkdir "$W/orig" "$W/fixed"
cat >"$W/src/fix.c" <<'C'
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
extern int verdict, trace_len;
extern char trace[];
#ifdef FIX
#include "hotpatch.h"
static char *table;
static void leave(char c) { trace[trace_len++] = c; errno = 5; }
HP_PRE_APPLY(ask) {
	volatile int *nowhere = 0;
	leave('a');
	if (verdict == 100) *nowhere = 1;
	while (verdict == 101) ;
	if (verdict == 102) pause();
	if (verdict == 103 || verdict == 105) return 0;
	table = malloc(200000);
	return verdict;
}
HP_POST_APPLY(begin) { leave('b'); if (verdict == 103) abort(); }
HP_PRE_REVERT(busy) { leave('c'); return verdict; }
HP_POST_REVERT(tidy) { leave('d'); if (verdict == 105) abort(); free(table); table = 0; }
#endif
__attribute__((noinline)) long stuck(int fd) { char c; long n = 0;
	while (read(fd, &c, 1) > 0)
#ifdef FIX
		n += 2;
#else
		n++;
#endif
	return n; }
__attribute__((noinline)) long work(long n) {
	volatile char *volatile p = malloc(100 + n);
	p[0] = 7;
	n += p[0];
	free((void *)p);
#ifdef FIX
	return n * 100 + (table != 0);
#else
	return n;
#endif
}
C
build() { # CC FLAGS LDFLAGS
	# shellcheck disable=SC2086
	"$1" -g -O2 -pthread $2 -c -o "$W/orig/fix.o" "$W/src/fix.c"
	# shellcheck disable=SC2086
	"$1" -g -O2 -pthread $2 -Iinclude -DFIX -c -o "$W/fixed/fix.o" "$W/src/fix.c"
	# shellcheck disable=SC2086
	"$1" -g -O2 -pthread $2 $3 -Wl,--build-id -o "$W/prog" "$W/main.c" "$W/orig/fix.o"
	module=$W/prog
	swap_pack || fail "pack: $(cat "$W/pack.err")"
}
begin() { # THREADS
	rm -f "$W/pipe"
	mkfifo "$W/pipe"
	# shellcheck disable=SC2016
	start "$W/got" sh -c 'exec "$0" "$2" <"$1"' "$W/prog" "$W/pipe" "$1"
	exec 3>"$W/pipe"
	wait_line "$W/got" '^ready' 20
	n=0
}
says() { # PATTERN: what it says when asked now
	n=$((n + 1))
	echo "q$n" >&3
	wait_line "$W/got" "^q$n: $1\.\$" 20
}
verdict() {
	n=$((n + 1))
	echo "v $1 $n" >&3
	wait_line "$W/got" "^v $1 $n:" 20
}
alive() {
	grep -q '^TracerPid:.0$' "/proc/$pid/status" || fail "$1: still traced"
	case $1 in abandoned*) ;; *) expect_no_text "$W/got" 'errno became' ;; esac # its errno is lost
}
end() {
	exec 3>&-
	wait_gone "$pid" 20
}

round() { # THREADS: all four, in order
	begin "$1"
	says 'work 9 trace '
	"$hpbuild" apply --dry-run --pid "$pid" "$W/fix.hpk" >"$W/out"
	expect_text "$W/out" '^2 hooks would be called in the process$'
	says 'work 9 trace '
	"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" 2>"$W/err"
	expect_text "$W/out" '^2 hooks called in the process$'
	[ ! -s "$W/err" ] || fail "$(cat "$W/err")"
	says 'work 901 trace ab'
	"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out"
	expect_text "$W/out" '^already done: '
	says 'work 901 trace ab'
	verdict 6
	expect_exit 10 "$hpbuild" revert --pid "$pid" 2>"$W/err"
	expect_text "$W/err" "pre-revert hook 'busy' said no \(value 6\)"
	[ "$(state "$pid")" = applied ] || fail "a hook said no, but: $(state "$pid")"
	says 'work 901 trace abc'
	verdict 0
	"$hpbuild" revert --json --pid "$pid" >"$W/out"
	expect_text "$W/out" '"hooks": 2,'
	says 'work 9 trace abccd'
	"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out"
	says 'work 901 trace abccdab'
	alive "all hooks"
	end
}

for c in gcc clang; do
	command -v $c >/dev/null || continue
	build $c -fPIE -pie
	round 0
	round 8
done
build gcc -fno-pie '-no-pie -static'
round 4
build gcc -fPIE -pie
"$hpbuild" inspect "$W/fix.hpk" >"$W/out"
expect_text "$W/out" '^    hook pre-apply ask payload 0x'

# It says no: nothing is left, not even a mapping.
begin 2
verdict 5
expect_exit 10 "$hpbuild" apply --pid "$pid" "$W/fix.hpk" 2>"$W/err"
expect_text "$W/err" "pre-apply hook 'ask' said no \(value 5\)"
[ -z "$(state "$pid")" ] || fail "said no, but: $(state "$pid")"
! grep -q hpbuild: "/proc/$pid/maps" || fail 'the record stays mapped'
says 'work 9 trace a'
verdict 0
"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out"
says 'work 901 trace aab'
alive 'said no'
end

# It crashes, loops, sleeps: it is abandoned, and its thread goes on with what it did.
for v in 100 101 102; do
	begin 1
	verdict $v
	expect_exit 10 "$hpbuild" apply --hook-timeout 300 --pid "$pid" "$W/fix.hpk" 2>"$W/err"
	case $v in 100) text='it crashed \(signal 11\)' ;; *) text='it did not return within 300 ms, and was abandoned' ;; esac
	expect_text "$W/err" "pre-apply hook 'ask'.*$text"
	expect_text "$W/err" 'the payload stays mapped, not in use'
	[ "$(state "$pid")" = prepared ] || fail "$v: $(state "$pid")"
	says 'work 9 trace a'
	verdict 0
	"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out"
	says 'work 901 trace aab'
	alive "abandoned $v"
	end
done

# One that fails when it is too late: applied all the same, with a warning.
begin 1
verdict 103
"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" 2>"$W/err"
expect_text "$W/err" "post-apply hook 'begin'.*it crashed \(signal 6\)"
[ "$(state "$pid")" = applied ] || fail "too late, but: $(state "$pid")"
says 'work 900 trace ab'
alive 'abandoned too late'
end

# The switch cannot be made: what the first hook did is undone by the last.
begin 1
echo stuck >&3
wait_line "$W/got" '^stuck:' 20
expect_exit 9 "$hpbuild" apply --timeout 300 --pid "$pid" "$W/fix.hpk" 2>"$W/err"
expect_text "$W/err" "inside function 'stuck'"
[ -z "$(state "$pid")" ] || fail "not switched, but: $(state "$pid")"
says 'work 9 trace ad'
alive stuck
end

# And when that one crashes, the message has both; the package stays, for nobody knows.
begin 1
echo stuck >&3
wait_line "$W/got" '^stuck:' 20
verdict 105
expect_exit 9 "$hpbuild" apply --timeout 300 --pid "$pid" "$W/fix.hpk" 2>"$W/err"
expect_text "$W/err" "post-revert hook 'tidy'.*it crashed \(signal 6\)"
expect_text "$W/err" "inside function 'stuck'"
[ "$(state "$pid")" = prepared ] || fail "crash after a failed switch: $(state "$pid")"
says 'work 9 trace ad'
end

# hpbuild is killed between hook and switch: the hook is called again.
begin 1
rc=0
HPBUILD_TEST_KILL_AT=10 "$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" 2>&1 || rc=$?
[ "$rc" -eq 137 ] || fail "not killed: $rc"
[ "$(state "$pid")" = prepared ] || fail "killed: $(state "$pid")"
says 'work 9 trace a'
"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out"
says 'work 901 trace aab'
rc=0
HPBUILD_TEST_KILL_AT=10 "$hpbuild" revert --pid "$pid" >"$W/out" 2>&1 || rc=$?
[ "$rc" -eq 137 ] || fail "not killed: $rc"
[ "$(state "$pid")" = applied ] || fail "killed: $(state "$pid")"
"$hpbuild" revert --pid "$pid" >"$W/out"
says 'work 9 trace aabccd'
alive killed
end

# Before the first instruction of the program.
echo q0 | "$hpbuild" run --package "$W/fix.hpk" -- "$W/prog" >"$W/got" 2>"$W/err" || fail "run: $(cat "$W/err")"
expect_text "$W/got" '^q0: work 901 trace ab\.$'
# One that fails after the switch is said there, too; the program runs, patched.
sed -i 's/^int verdict,/int verdict = 103,/' "$W/main.c"
build gcc '' ''
echo q0 | "$hpbuild" run --package "$W/fix.hpk" -- "$W/prog" >"$W/got" 2>"$W/err" || fail "run: $(cat "$W/err")"
expect_text "$W/got" '^q0: work 900 trace ab\.$'
expect_text "$W/err" "post-apply hook 'begin'.*it crashed \(signal 6\)"
