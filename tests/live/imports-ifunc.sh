#!/bin/sh
# The resolver of an imported IFUNC runs in the process: it may be slow while hpbuild is killed, return nonsense or crash; the process goes on.
. tests/lib/sh
. tests/lib/live
can_trace
"$hpbuild" keygen --no-passphrase -o "$W/key" >"$W/out" 2>&1
HPBUILD_TRUST=$W/key.pub
export HPBUILD_TRUST

# What the resolver does is said by a variable of the process: 0 be good, 1 sleep for a second first, 2 return nonsense, 3 crash, 4 sleep longer
# than anyone waits. It runs when the library is loaded, too, before anything could be said.
cat >"$W/dep.c" <<'C'
#include <sys/syscall.h>
#include <time.h>
__attribute__((visibility("hidden"))) int mood;
void set_mood(int m) { mood = m; }
static long good(long n) { return n * 1000; }
static long (*pick(void))(long) {
	if (mood == 1 || mood == 4) {
		struct timespec ts = { mood == 1 ? 1 : 3, 0 };
		long r;
		__asm__ volatile("syscall" : "=a"(r) : "0"(SYS_nanosleep), "D"(&ts), "S"(0L) : "rcx", "r11", "memory");
	}
	if (mood == 2) return (long (*)(long))16;
	if (mood == 3) *(volatile int *)8 = 1;
	return good;
}
long chosen(long n) __attribute__((ifunc("pick")));
C
cat >"$W/work.c" <<'C'
long chosen(long);
__attribute__((noipa)) long work(long n) {
#ifdef FIX
	return chosen(n) + n;
#else
	return n + 1;
#endif
}
C
cat >"$W/main.c" <<'C'
#include <stdio.h>
#include <string.h>
long work(long);
void set_mood(int);
int main(void) {
	char line[100], what[100];
	long n;
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	while (fgets(line, sizeof(line), stdin) && sscanf(line, "%99s %ld", what, &n) == 2) {
		if (strcmp(what, "mood") == 0) set_mood((int)n);
		printf("%s %ld = %ld\n", what, n, what[0] == 'w' ? work(n) : 0);
	}
	return 0;
}
C
mkdir "$W/orig" "$W/fixed"
gcc -shared -fPIC -O1 -Wl,-soname,libdep.so -o "$W/libdep.so" "$W/dep.c"
gcc -g -O2 -fPIC -c "$W/work.c" -o "$W/orig/work.o"
gcc -g -O2 -fPIC -DFIX -c "$W/work.c" -o "$W/fixed/work.o"
gcc -O1 -Wl,--build-id -o "$W/prog" "$W/main.c" "$W/orig/work.o" "$W/libdep.so" -Wl,-rpath,"$W"
"$hpbuild" pack --original "$W/orig" --patched "$W/fixed" --baseline "$W/prog" -o "$W/fix.hpk" >"$W/out" 2>&1 || fail "$(cat "$W/out")"
"$hpbuild" sign -k "$W/key.key" "$W/fix.hpk" >"$W/out" 2>&1

say() { # LINE WANT
	echo "$1" >&3
	wait_line "$W/got" "^$1 = $2\$" 20
}
mkfifo "$W/pipe"
# shellcheck disable=SC2016
start "$W/got" sh -c 'exec "$0" <"$1"' "$W/prog" "$W/pipe"
exec 3>"$W/pipe"
wait_line "$W/got" '^ready' 20
say 'work 2' 3
areas=$(wc -l <"/proc/$pid/maps")

say 'mood 2' 0
expect_exit 10 "$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" 2>&1
expect_text "$W/out" 'resolver of an IFUNC at .* does not return a function'
say 'work 3' 4
say 'mood 3' 0
expect_exit 9 "$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" 2>&1
expect_text "$W/out" 'running the resolver of an IFUNC.*signal 11'
say 'work 4' 5
[ "$(wc -l <"/proc/$pid/maps")" -eq "$areas" ] || fail 'something is left in the process'

# A resolver that nobody waits for any longer returns into the payload, which therefore stays, as it is.
say 'mood 4' 0
expect_exit 9 "$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" 2>&1
expect_text "$W/out" 'running the resolver of an IFUNC.*does not come back'
say 'work 14' 15

# Killed while the resolver sleeps: it comes to its end, and the thread goes on where it was.
say 'mood 1' 0
"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" 2>&1 &
apply=$!
kill_at_end $apply
until grep -q '^TracerPid:.[1-9]' "/proc/$pid/status" && grep -q hrtimer_nanosleep "/proc/$pid/wchan"; do
	kill -0 $apply || fail "not seen in the resolver: $(cat "$W/out")"
	sleep 0.01
done
kill -KILL $apply
wait $apply || :
say 'work 5' 6
grep -q '^TracerPid:.0$' "/proc/$pid/status" || fail 'still traced'
"$hpbuild" status --pid "$pid" >"$W/out"
say 'mood 0' 0
"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" 2>&1 || fail "$(cat "$W/out")"
say 'work 6' 6006
"$hpbuild" revert --pid "$pid" >"$W/out"
say 'work 7' 8
"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" 2>&1 || fail "$(cat "$W/out")"
say 'work 8' 8008
exec 3>&-
wait_gone "$pid" 20
