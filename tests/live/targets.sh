#!/bin/sh
# Where a process lives and whose it is: other namespaces, a chroot, other users, set-user-ID, a file that exists only in memory, a main
# thread that has ended; and what is no target: other word size or CPU, kernel threads, zombies, processes of others.
. tests/lib/sh
. tests/lib/live
can_trace
build_tools
# A build ID of its own: apply --all below must not find the victims of other tests.
build_victim "$W/victim" "-Wl,--build-id=0x$(head -c 20 /dev/urandom | od -An -tx1 | tr -d ' \n')"
build_victim "$W/static" -static
make_fix "$W/fix.hpk" "$W/victim" answer 7
make_fix "$W/static.hpk" "$W/static" answer 7
make_fix "$W/inside.hpk" "$W/victim" never_returns 5

# patched OUT PACKAGE: $pid is patched and back.
patched() {
	"$hpbuild" apply --pid "$pid" "$2" >"$W/out" 2>&1 || fail "$1: $(cat "$W/out")"
	wait_line "$1" '^answer 7$' 20
	[ "$(state "$pid")" = applied ] || fail "$1: $(state "$pid")"
	"$hpbuild" revert --pid "$pid" >"$W/out" 2>&1 || fail "$1: $(cat "$W/out")"
	[ "$(state "$pid")" = reverted ] || fail "$1: $(state "$pid")"
}
gone() {
	kill -KILL "$pid"
	wait_gone "$pid" 10
}
below() { # PID NAME: its descendant that runs this program
	left=100
	until pid=$(pgrep -g 0 -x "$2" | while read -r p; do grep -q "^ready" "$3" && echo "$p"; done | tail -n 1) && [ -n "$pid" ]; do
		left=$((left - 1))
		[ $left -gt 0 ] || fail "no process $2"
		sleep 0.05
	done
	kill_at_end "$pid"
}

# The main thread has ended.
"$CC" -O2 -pthread -o "$W/headless" tests/live/headless.c tests/live/answer.c
make_fix "$W/headless.hpk" "$W/headless" answer 7
start_victim "$W/headless.out" "$W/headless"
left=100
until grep -q '^State:.Z' "/proc/$pid/status"; do
	left=$((left - 1))
	[ $left -gt 0 ] || fail 'the main thread does not end'
	sleep 0.02
done
patched "$W/headless.out" "$W/headless.hpk"
"$hpbuild" apply --pid "$pid" "$W/headless.hpk" >"$W/out"
"$hpbuild" status >"$W/out"
expect_text "$W/out" "^process $pid \\(headless\\)\$"
kill -KILL "$pid"

# A program that is in no file system.
cat >"$W/memfd.c" <<'C'
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
int main(int argc, char **argv) {
	static char buf[1 << 20];
	int in = open(argv[1], O_RDONLY), out = memfd_create("nowhere", MFD_CLOEXEC);
	for (long n; (n = read(in, buf, sizeof(buf))) > 0;)
		if (write(out, buf, n) != n) return 1;
	char *args[] = { "nowhere", argc > 2 ? argv[2] : NULL, NULL }, *env[] = { NULL };
	return fexecve(out, args, env);
}
C
"$CC" -O1 -o "$W/memfd" "$W/memfd.c"
start_victim "$W/memfd.out" "$W/memfd" "$W/victim"
patched "$W/memfd.out" "$W/fix.hpk"
gone
start_victim "$W/memfd2.out" "$W/memfd" "$W/victim" inside
wait_line "$W/memfd2.out" '^answer' 20
expect_exit 9 "$hpbuild" apply --timeout 200 --pid "$pid" "$W/inside.hpk" 2>"$W/err"
expect_text "$W/err" "inside function 'never_returns': .*watch < never_returns < main"
gone

# Started by the dynamic linker as a command: the main program of the process is another.
ld=$(sed -n 's|.* \(/.*/ld-linux[^ ]*\)$|\1|p' "/proc/self/maps" | head -n 1)
if [ -x "$ld" ]; then
	start_victim "$W/ld.out" "$ld" "$W/victim"
	patched "$W/ld.out" "$W/fix.hpk"
	gone
	start "$W/ldrun.out" "$hpbuild" run --package "$W/fix.hpk" -- "$ld" "$W/victim"
	wait_line "$W/ldrun.out" '^answer 7$' 20
	expect_no_text "$W/ldrun.out" '^answer 1$'
fi

# No processes of ours: kernel thread, zombie.
if [ -e /proc/2/status ] && ! grep -q '^VmSize' /proc/2/status; then
	expect_exit 10 "$hpbuild" apply --pid 2 "$W/fix.hpk" 2>"$W/err"
	expect_text "$W/err" 'is a kernel thread'
fi
start "$W/zombie.out" sh -c 'sleep 0.3 & echo "child $!"; exec sleep 60'
wait_line "$W/zombie.out" '^child' 10
zombie=$(sed -n 's/^child //p' "$W/zombie.out")
left=100
until grep -qs '^State:.Z' "/proc/$zombie/status"; do
	left=$((left - 1))
	[ $left -gt 0 ] || fail 'no zombie'
	sleep 0.02
done
expect_exit 9 "$hpbuild" apply --pid "$zombie" "$W/fix.hpk" 2>"$W/err"
expect_text "$W/err" 'is gone'

# Another CPU: a module with the right build ID. Another word size: a program.
"$CC" -O2 -fPIC -shared -Wl,--build-id -o "$W/libanswer.so" tests/live/answer.c
make_fix "$W/lib.hpk" "$W/libanswer.so" answer 7
printf '\267\000' | dd of="$W/libanswer.so" bs=1 seek=18 conv=notrunc status=none # EM_AARCH64
"$CC" -O1 -o "$W/mapelf" tests/live/mapelf.c
start_victim "$W/mapelf.out" "$W/mapelf" "$W/libanswer.so"
expect_exit 10 "$hpbuild" apply --pid "$pid" "$W/lib.hpk" 2>"$W/err"
expect_text "$W/err" "module 'libanswer.so' is for another CPU"
gone
cat >"$W/small.c" <<'C'
void _start(void) { for (;;) __asm__ volatile("int $0x80" : : "a"(29)); } /* pause() */
C
if "$CC" -m32 -O1 -ffreestanding -fno-pie -no-pie -nostdlib -static -o "$W/small" "$W/small.c" 2>"$W/err"; then
	start "$W/small.out" "$W/small"
	sleep 0.2
	if kill -0 "$pid" 2>/dev/null; then
		expect_exit 10 "$hpbuild" apply --pid "$pid" "$W/fix.hpk" 2>"$W/err"
		expect_text "$W/err" 'is a 32-bit process'
		gone
	else
		echo 'not here: 32-bit programs'
	fi
fi

[ "$(id -u)" -eq 0 ] || skip 'root is needed for the rest'
need setpriv unshare chroot pgrep
chmod 755 "$W"

# A chroot, whose paths mean nothing outside.
mkdir -p "$W/root/bin"
cp "$W/static" "$W/root/bin/jailed"
start_victim "$W/chroot.out" chroot "$W/root" /bin/jailed
patched "$W/chroot.out" "$W/static.hpk"
gone

# Own PID, mount, network, IPC and user namespaces; the program lies in a file system that only its namespace has.
if unshare --pid --mount --net --ipc --uts --fork --mount-proc true 2>"$W/err"; then
	mkdir "$W/mnt"
	start "$W/ns.out" unshare --kill-child --pid --mount --net --ipc --uts --fork --mount-proc sh -c \
		"mount -t tmpfs none '$W/mnt' && cp '$W/victim' '$W/mnt/spaced' && exec '$W/mnt/spaced' inside"
	below "$pid" spaced "$W/ns.out"
	[ ! -e "$W/mnt/spaced" ] || fail 'the program is visible'
	wait_line "$W/ns.out" '^answer' 20
	expect_text "$W/ns.out" '^ready 1$'
	expect_exit 9 "$hpbuild" apply --timeout 200 --pid "$pid" "$W/inside.hpk" 2>"$W/err"
	expect_text "$W/err" "inside function 'never_returns': .*watch < never_returns < main"
	patched "$W/ns.out" "$W/fix.hpk"
	"$hpbuild" apply --all "$W/fix.hpk" >"$W/out" 2>&1 || :
	[ "$(state "$pid")" = applied ] || fail '--all does not see other namespaces'
	gone
	# hpbuild inside as well.
	unshare --pid --mount --fork --mount-proc sh -c "
		'$W/victim' >'$W/both.out' &
		pid=\$!
		until grep -q '^answer 1' '$W/both.out'; do sleep 0.05; done
		'$hpbuild' apply --pid \$pid '$W/fix.hpk' && '$hpbuild' status --pid \$pid && '$hpbuild' revert --pid \$pid
		kill -KILL \$pid" >"$W/out" 2>&1 || fail "$(cat "$W/out")"
	expect_text "$W/out" '^  [0-9a-f]{32}  applied$'
	expect_text "$W/out" '^reverted: '
else
	echo "not here: namespaces: $(cat "$W/err")"
fi
if setpriv --reuid 65534 --regid 65534 --clear-groups unshare --user --map-root-user true 2>"$W/err"; then
	start_victim "$W/userns.out" setpriv --reuid 65534 --regid 65534 --clear-groups unshare --user --map-root-user "$W/victim"
	patched "$W/userns.out" "$W/fix.hpk"
	gone
else
	echo "not here: user namespaces: $(cat "$W/err")"
fi

# Other users. An unprivileged hpbuild patches its own processes, also when it may not see map_files, and says whose the others are.
as_nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups env HPBUILD_STATE="$W/nobody-state" "$@"; }
chmod 755 "$B" "$(dirname "$B")" 2>/dev/null || :
if as_nobody test -x "$hpbuild" && as_nobody test -r "$W/fix.hpk"; then
	mkdir "$W/nobody-state"
	chown 65534 "$W/nobody-state"
	start_victim "$W/theirs.out" setpriv --reuid 65534 --regid 65534 --clear-groups "$W/victim"
	patched "$W/theirs.out" "$W/fix.hpk"
	as_nobody "$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" 2>&1 || fail "own process: $(cat "$W/out")"
	as_nobody "$hpbuild" revert --pid "$pid" >"$W/out" 2>&1 || fail "own process: $(cat "$W/out")"
	gone
	cp "$W/victim" "$W/suid"
	chmod 4755 "$W/suid"
	for prog in suid victim; do
		if [ $prog = suid ]; then
			start_victim "$W/$prog.out" setpriv --reuid 65534 --regid 65534 --clear-groups "$W/suid"
			grep -q '^Uid:.65534.0.0' "/proc/$pid/status" || echo 'not here: set-user-ID programs'
		else
			start_victim "$W/$prog.out" "$W/victim"
		fi
		maps=$(wc -l <"/proc/$pid/maps")
		expect_exit 1 as_nobody "$hpbuild" apply --pid "$pid" "$W/fix.hpk" 2>"$W/err"
		expect_text "$W/err" "memory of process $pid \\($prog\\), which is another user.s or privileged .*CAP_SYS_PTRACE"
		as_nobody "$hpbuild" status >"$W/out" 2>&1 || fail "status as nobody: $(cat "$W/out")"
		[ "$(wc -l <"/proc/$pid/maps")" -eq "$maps" ] || fail 'mappings changed'
		patched "$W/$prog.out" "$W/fix.hpk"
		gone
	done
else
	echo 'not here: another user cannot reach the build'
fi
