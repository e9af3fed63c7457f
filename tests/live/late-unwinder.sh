#!/bin/sh
# An unwinder that is loaded after apply, as backtrace() and pthread_cancel() of a C program do it: apply again makes the payload known to
# it; without that, unwinding ends at the patched function and nothing worse happens.
. tests/lib/sh
. tests/lib/live
can_trace
build_tools
cat >"$W/main.c" <<'C'
#include <execinfo.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
long through(long n, long (*f)(long));
static int cleaned;
static long frames(long n) {
	void *v[64];
	return backtrace(v, 64) + n;
}
static long wait_here(long n) {
	for (;;) pause();
	return n;
}
static void clean(void *p) { (void)p; cleaned++; }
static void *victim(void *p) {
	pthread_cleanup_push(clean, NULL);
	through(1, wait_here);
	pthread_cleanup_pop(0);
	return p;
}
static long plain(long n) { return n; }
int main(void) {
	char line[40];
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("ready\n");
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strcmp(line, "plain")) printf("plain %ld\n", through(0, plain));
		if (!strcmp(line, "trace")) printf("trace %ld\n", through(0, frames));
		if (!strcmp(line, "cancel")) {
			pthread_t t;
			void *r;
			cleaned = 0;
			pthread_create(&t, NULL, victim, NULL);
			usleep(50000);
			pthread_cancel(t);
			pthread_join(t, &r);
			printf("cancel %d %d\n", r == PTHREAD_CANCELED, cleaned);
		}
	}
	return 0;
}
C
cat >"$W/through.c" <<'C'
long through(long n, long (*f)(long)) {
#ifdef FIX
	return f(n) + 1000;
#else
	return f(n) + 2000;
#endif
}
C
F='-g -O2 -fPIE -ffunction-sections -fno-optimize-sibling-calls'
mkdir "$W/orig" "$W/fixed"
# shellcheck disable=SC2086
(cd "$W/orig" && "$CC" $F -c ../through.c && cd ../fixed && "$CC" $F -DFIX -c ../through.c &&
	cd .. && "$CC" $F -pthread -w -pie -Wl,--build-id -o main main.c orig/through.o)
"$hpbuild" pack --original "$W/orig" --patched "$W/fixed" --baseline "$W/main" -o "$W/fix.hpk" >"$W/out" 2>&1 || fail "$(cat "$W/out")"
"$hpbuild" sign --key "$W/key.key" "$W/fix.hpk" >"$W/out" 2>&1

begin() {
	rm -f "$W/in"
	mkfifo "$W/in"
	run=$((${run:-0} + 1))
	out=$W/$run.txt
	start "$out" sh -c "exec '$W/main' <'$W/in'"
	exec 3>"$W/in"
	wait_line "$out" '^ready' 20
	! grep -q libgcc_s "/proc/$pid/maps" || skip 'the C library loads its unwinder at once'
}
ask() { # COMMAND ANSWER
	before=$(grep -c "^$1 " "$out" || :)
	echo "$1" >&3
	left=200
	until [ "$(grep -c "^$1 " "$out")" -gt "$before" ]; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || fail "no answer to $1: $(tail -n 3 "$out")"
		sleep 0.02
	done
	got=$(sed -n "s/^$1 //p" "$out" | tail -n 1)
	echo "$got" | grep -Eq "^($2)\$" || fail "$1: $got instead of $2"
}
apply() { "$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" 2>&1 || fail "$(cat "$W/out")"; }

# As many frames as the fixed function has.
begin
apply
ask plain 1000
ask cancel '1 1'
grep -q libgcc_s "/proc/$pid/maps" || fail 'no unwinder was loaded'
ask trace '[0-9]*'
cut=$got
apply
expect_text "$W/out" '^already done'
expect_text "$W/out" '^made known to an unwinder'
ask trace '[0-9]*'
whole=$got
[ "$whole" -gt "$cut" ] || fail "$whole frames, $cut before"
ask cancel '1 1'
apply
expect_no_text "$W/out" '^made known'
"$hpbuild" revert --pid "$pid" >"$W/out"
ask trace $((whole + 1000))
apply
ask trace "$whole"
kill -KILL "$pid"
exec 3>&-
# Loaded between revert and apply.
begin
apply
"$hpbuild" revert --pid "$pid" >"$W/out"
ask trace '[0-9]*'
apply
ask trace "$whole"
ask cancel '1 1'
kill -KILL "$pid"
