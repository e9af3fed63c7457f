#!/bin/sh
# Nothing is left behind by apply, a refused apply, revert, run and a killed hpbuild: no file where programs put temporary ones, no
# descriptor in the process; the state folder has what the man page says.
. tests/lib/sh
. tests/lib/live
can_trace
need strace
build_tools
build_victim "$W/victim"
build_victim "$W/other" -DOTHER -O1
make_fix "$W/fix.hpk" "$W/victim" answer 7
make_fix "$W/wrong.hpk" "$W/other" answer 7
ASAN_OPTIONS=detect_leaks=0 "$W/mkfix" "$W/unsigned.hpk" "$W/victim" answer 8
mkdir "$W/tmp" "$W/cwd" "$W/state"
case $hpbuild in /*) ;; *) hpbuild=$TOP/$hpbuild ;; esac
export TMPDIR="$W/tmp" HPBUILD_STATE="$W/state"

# traced STATUS ARGS...: hpbuild, run in an empty folder, makes no file outside of the state folder. Other programs use /tmp, /run and
# /dev/shm as well, so what counts there is what it asked the kernel to make.
traced() {
	want=$1
	shift
	rc=0
	(cd "$W/cwd" && ASAN_OPTIONS=detect_leaks=0 exec strace -f -qq -e signal=none -o "$W/calls" \
		-e trace=open,openat,creat,mkdir,mkdirat,mknod,mknodat,link,linkat,symlink,symlinkat,rename,renameat,renameat2,bind \
		"$hpbuild" "$@") >"$W/out" 2>"$W/err" || rc=$?
	[ "$rc" -eq "$want" ] || fail "exit status $rc instead of $want: $*: $(cat "$W/err")"
	grep -q 'openat(.*O_RDONLY' "$W/calls" || fail 'strace saw nothing'
	if grep -E 'O_CREAT|O_TMPFILE|(creat|mk[a-z]*|[a-z]*link|link[a-z]*|rename[a-z0-9]*|bind)\(' "$W/calls" |
		grep -v -e ' = -1 E' -e "\"$W/state[/\"]" >"$W/made"; then
		fail "$*: makes files: $(cat "$W/made")"
	fi
	for folder in tmp cwd; do
		[ -z "$(ls -A "$W/$folder")" ] || fail "$*: left in $folder: $(ls -A "$W/$folder")"
	done
}

fds() {
	ls "/proc/$pid/fd" | tr '\n' ' '
}

# clean WHAT: descriptors of the process are those of its start; the state folder is as documented.
clean() {
	[ "$(fds)" = "$before" ] || fail "$1: descriptors: $before before, $(fds) after: $(ls -l "/proc/$pid/fd")"
	(cd "$W/state" && find . ! -type d) | LC_ALL=C sort >"$W/files"
	grep -Evx '\./floor/[0-9a-f]+|\./lock' "$W/files" >"$W/odd" && fail "$1: in the state folder: $(cat "$W/odd")"
	grep -q '^TracerPid:.0$' "/proc/$pid/status" || fail "$1: still traced"
}

start_victim "$W/v.out" "$W/victim" threads 3
before=$(fds)
traced 0 apply --dry-run --pid "$pid" "$W/fix.hpk"
clean 'dry run'
traced 6 apply --pid "$pid" "$W/unsigned.hpk"
clean 'refused: not signed'
traced 5 apply --pid "$pid" "$W/wrong.hpk"
clean 'refused: another build'
[ -z "$(find "$W/state" -type f)" ] || fail 'a refused package is in the state folder'
traced 0 apply --pid "$pid" "$W/fix.hpk"
clean apply
grep -q '^\./floor/' "$W/files" || fail 'no floor in the state folder'
traced 0 apply --all "$W/fix.hpk"
traced 0 status --pid "$pid"
traced 0 revert --pid "$pid"
clean revert
kill -KILL "$pid"

for step in 2 3 4 5 6 7 8 9; do
	start_victim "$W/$step.out" "$W/victim" threads 3
	before=$(fds)
	export HPBUILD_TEST_KILL_AT=$step
	traced 137 apply --pid "$pid" "$W/fix.hpk"
	unset HPBUILD_TEST_KILL_AT
	clean "killed at step $step"
	"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" || fail "step $step: the next apply failed"
	clean "applied after a kill at step $step"
	case $step in [68])
		export HPBUILD_TEST_KILL_AT=$step
		traced 137 revert --pid "$pid"
		unset HPBUILD_TEST_KILL_AT
		clean "revert killed at step $step"
		;;
	esac
	kill -KILL "$pid"
done

# What `run` starts has what it would have without.
start_victim "$W/run.out" "$hpbuild" run --package "$W/fix.hpk" -- "$W/victim" threads 3
wait_line "$W/run.out" '^answer 7$' 20
clean run
[ -z "$(ls -A "$W/tmp")" ] || fail "run: left in tmp: $(ls -A "$W/tmp")"
