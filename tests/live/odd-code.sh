#!/bin/sh
# Code in unusual places: an entry over the edge of a page, functions without unwind data, the C library itself. What is mapped, and how it
# is protected, is the same afterwards.
. tests/lib/sh
. tests/lib/live
can_trace
build_tools

# protections of all mappings of a file
code() { grep -F " $1" "/proc/$pid/maps" | cut -d ' ' -f 2,3; }
# round OUT FILE: $W/fix.hpk on $pid and back.
round() {
	wait_line "$1" '^answer 1$' 20
	code "$2" >"$W/code.before"
	"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" 2>&1 || fail "$2: $(cat "$W/out")"
	wait_line "$1" '^answer 7$' 20
	code "$2" >"$W/code.patched"
	"$hpbuild" revert --pid "$pid" >"$W/out" 2>&1 || fail "$2: $(cat "$W/out")"
	[ -s "$W/code.before" ] && cmp -s "$W/code.before" "$W/code.patched" || fail "$2: protections changed: $(cat "$W/code.patched")"
	code "$2" | cmp -s - "$W/code.before" || fail "$2: protections changed by revert"
	left=200
	until [ "$(tail -n 1 "$1")" = 'answer 1' ]; do
		left=$((left - 1))
		[ $left -gt 0 ] || fail "$2: $(tail -n 1 "$1")"
		sleep 0.02
	done
}

# The redirection lies half in one page and half in the next, at each of the four ways.
for at in 4092 4093 4094 4095; do
	cat >"$W/edge.s" <<S
	.section .text.edge,"ax",@progbits
	.balign 4096
	.skip $at, 0x90
	.globl answer
	.type answer, @function
answer:
	mov \$1, %eax
	ret
	.size answer, .-answer
	.section .note.GNU-stack,"",@progbits
S
	"$CC" -O2 -pthread -Wl,--build-id -o "$W/edge$at" tests/live/victim.c "$W/edge.s"
	[ $((0x$(nm "$W/edge$at" | sed -n 's/ T answer$//p') % 4096)) -eq $at ] || fail "answer is not at $at"
	make_fix "$W/fix.hpk" "$W/edge$at" answer 7
	start_victim "$W/edge$at.out" "$W/edge$at" threads 2
	round "$W/edge$at.out" "$W/edge$at"
	kill -KILL "$pid"
done

# Without unwind data nobody can tell where a thread is, but its stack says where it may be.
build_victim "$W/bare" -fno-asynchronous-unwind-tables -fno-unwind-tables
make_fix "$W/fix.hpk" "$W/bare" answer 7
make_fix "$W/inside.hpk" "$W/bare" never_returns 5
start_victim "$W/bare.out" "$W/bare" inside
wait_line "$W/bare.out" '^answer 1$' 20
expect_exit 9 "$hpbuild" apply --timeout 200 --pid "$pid" "$W/inside.hpk" 2>"$W/err"
expect_text "$W/err" "thread $pid (may be|is) inside function 'never_returns'"
round "$W/bare.out" "$W/bare"
kill -KILL "$pid"

# The C library, which everything in the process uses, the injected calls included.
cat >"$W/libc.c" <<'C'
#include <stdio.h>
#include <unistd.h>
int main(void) {
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	for (int last = -1;; usleep(2000)) {
		int now = getppid() == 7 ? 7 : 1;
		if (now != last) printf("answer %d\n", now);
		last = now;
	}
}
C
"$CC" -O2 -o "$W/libc" "$W/libc.c"
libc=$(ldd "$W/libc" | sed -n 's/.*libc\.so\.6 => \([^ ]*\).*/\1/p')
[ -r "$libc" ] || skip 'no libc.so.6'
make_fix "$W/fix.hpk" "$(readlink -f "$libc")" getppid 7
start_victim "$W/libc.out" "$W/libc"
round "$W/libc.out" "$(readlink -f "$libc")"
