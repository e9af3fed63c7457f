#!/bin/sh
# Coroutines: stacks that no thread owns. One that sleeps inside the old function finishes in it, whenever that is; a call that begins
# later runs the new one; one that is running, on its own stack, is seen and named.
. tests/lib/sh
. tests/lib/live
can_trace
build_tools
cat >"$W/co.c" <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>
long work(long n, void (*yield)(void));
static ucontext_t home, co[2];
static int cur;
static void yield(void) { swapcontext(&co[cur], &home); }
static void wait_long(void) { for (;;) usleep(2000); }
static void run(int stay) { printf("result %ld\n", work(cur, stay ? wait_long : yield)); }
static void resume(int i) { cur = i; swapcontext(&home, &co[i]); }
static void begin(int i, int stay) {
	getcontext(&co[i]);
	co[i].uc_stack.ss_sp = malloc(65536);
	co[i].uc_stack.ss_size = 65536;
	co[i].uc_link = &home;
	makecontext(&co[i], (void (*)(void))run, 1, stay);
	resume(i);
}
int main(void) {
	char line[40];
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("ready\n");
	while (fgets(line, sizeof(line), stdin)) {
		if (line[0] == 's') printf("stay\n");
		switch (line[0]) {
		case 'a': begin(0, 0); break;
		case 'b': begin(1, 0); break;
		case 'A': resume(0); break;
		case 'B': resume(1); break;
		case 's': begin(0, 1); break;
		}
		printf("done %s", line);
	}
	return 0;
}
C
cat >"$W/work.c" <<'C'
long work(long n, void (*yield)(void)) {
	long before = n * 10;
	yield();
#ifdef FIX
	yield();
	return before + 7000;
#else
	return before + 1000;
#endif
}
C
F='-g -O2 -fPIE -ffunction-sections'
mkdir "$W/orig" "$W/fixed"
# shellcheck disable=SC2086
(cd "$W/orig" && "$CC" $F -c ../work.c && cd ../fixed && "$CC" $F -DFIX -c ../work.c &&
	cd .. && "$CC" $F -w -pie -Wl,--build-id -o co co.c orig/work.o)
"$hpbuild" pack --original "$W/orig" --patched "$W/fixed" --baseline "$W/co" -o "$W/fix.hpk" >"$W/out" 2>&1 || fail "$(cat "$W/out")"
"$hpbuild" sign --key "$W/key.key" "$W/fix.hpk" >"$W/out" 2>&1
mkfifo "$W/in"
start "$W/out.txt" sh -c "exec '$W/co' <'$W/in'"
exec 3>"$W/in"
wait_line "$W/out.txt" '^ready' 20
tell() { # COMMAND RESULTS SO FAR
	echo "$1" >&3
	n=$((n + 1))
	left=400
	until [ "$(grep -c '^done' "$W/out.txt")" -ge $n ]; do
		left=$((left - 1))
		[ $left -gt 0 ] || fail "no answer to $1"
		sleep 0.02
	done
	got=$(sed -n 's/^result //p' "$W/out.txt" | tr '\n' ' ')
	[ "$got" = "$2" ] || fail "after $1: results $got instead of $2"
}
n=0
tell a ''
"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" 2>&1 || fail "$(cat "$W/out")"
tell b ''
tell A '1000 '
tell B '1000 '
"$hpbuild" revert --pid "$pid" >"$W/out" 2>&1 || fail "$(cat "$W/out")"
echo B >&3
wait_line "$W/out.txt" '^result 7010$' 20
echo s >&3
wait_line "$W/out.txt" '^stay$' 20
sleep 0.2
expect_exit 9 "$hpbuild" apply --timeout 200 --pid "$pid" "$W/fix.hpk" 2>"$W/err"
expect_text "$W/err" "inside function 'work': .*wait_long < work < run"
