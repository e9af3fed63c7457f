#!/bin/sh
# A thread that waits on a small stack of its own making, that of a signal handler: what lies below it in the same mapping is other data of
# the program, and stays as it is.
. tests/lib/sh
. tests/lib/live
can_trace
build_tools
cat >"$W/small.c" <<'C'
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>
int answer(void);
/* the handler needs some hundred bytes besides the kernel's frame */
enum { ROOM = 512 };
static unsigned char area[1 << 17] __attribute__((aligned(4096)));
static void handler(int signo) {
	char c;
	(void)signo;
	while (read(0, &c, 1) < 0)
		;
}
int main(void) {
	size_t len = getauxval(AT_MINSIGSTKSZ) + ROOM, below = sizeof(area) / 2;
	stack_t ss = { .ss_sp = area + below, .ss_size = len };
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_ONSTACK };
	unsigned bad = 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	memset(area, 0x5a, sizeof(area));
	sigaltstack(&ss, NULL);
	sigaction(SIGUSR1, &sa, NULL);
	printf("ready\n");
	raise(SIGUSR1);
	for (size_t i = 0; i < below; i++) bad += area[i] != 0x5a;
	printf("bad %u answer %d\n", bad, answer());
	sleep(60);
	return 0;
}
C
"$CC" -O2 -Wl,-z,now -Wl,--build-id -o "$W/small" "$W/small.c" tests/live/answer.c
make_fix "$W/fix.hpk" "$W/small" answer 77
mkfifo "$W/in"
# shellcheck disable=SC2016
start "$W/out.txt" sh -c 'exec "$0" <"$1"' "$W/small" "$W/in"
exec 3>"$W/in"
wait_line "$W/out.txt" '^ready' 20
sleep 0.2
"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" 2>&1 || fail "$(cat "$W/out")"
echo >&3
wait_line "$W/out.txt" '^bad' 20
expect_text "$W/out.txt" '^bad 0 answer 77$'
