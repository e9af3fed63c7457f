#!/bin/sh
# A package for two modules when something fails in between: a write, a read or a ptrace call, hpbuild killed at a step (with LONG=1
# every one, else some). Afterwards both modules are patched, or none; after a kill in the switch the next command brings both to
# one side.
. tests/lib/sh
. tests/lib/live
can_trace
case $B in *-san*) skip "sanitizers want to be loaded first" ;; esac
build_tools
own_id() { echo "-Wl,--build-id=0x$(head -c 20 /dev/urandom | od -An -tx1 | tr -d ' \n')"; } # `apply --all` of another run finds others
"$CC" -O2 -fPIC -shared "$(own_id)" -o "$W/libpair.so" tests/live/couple-lib.c
"$CC" -O2 -pthread "$(own_id)" -o "$W/pair" tests/live/couple.c -ldl
make_fix "$W/fix.hpk" "$W/pair" number 7 "$W/libpair.so" lib_number 8
"$CC" -D_GNU_SOURCE -O1 -fPIC -shared -o "$W/fault.so" tests/live/fault-preload.c

bytes() { # NAME MODULE: the first bytes of a function in the process, less an endbr64
	b=$(sed -n "s,-.*/$2\$,,p" "/proc/$pid/maps" | head -n 1)
	dd if="/proc/$pid/mem" bs=1 skip=$((0x$b + 0x$(nm "$W/$2" | sed -n "s/ T $1\$//p"))) count=9 status=none | od -An -tx1 | tr -d ' \n'
}
sides() { # "old old", "new new", "new old" or "old new": program and library
	for s_m in number:pair lib_number:libpair.so; do
		case $(bytes "${s_m%:*}" "${s_m#*:}") in e9* | f30f1efae9*) printf 'new ' ;; *) printf 'old ' ;; esac
	done
}
check() { # EXPECTED...: one of these, and the process runs freely
	got=$(sides) found=
	for want; do [ "$got" != "$want " ] || found=1; done
	[ -n "$found" ] || fail "$what: $got"
	grep -q '^State:.[SR]' "/proc/$pid/status" || fail "$what: $(grep State "/proc/$pid/status")"
	grep -q '^TracerPid:.0$' "/proc/$pid/status" || fail "$what: still traced"
}

# with_fault KIND K VERB ARGS...
with_fault() {
	what="$3, $1 $2" kind=$1 k=$2 rc=0
	shift 2
	env LD_PRELOAD="$W/fault.so" FAULT_KIND="$kind" FAULT_AT="$k" FAULT_COUNT="$W/count" "$hpbuild" "$@" >"$W/out" 2>"$W/err" || rc=$?
	case $1:$rc in
	apply:0) check 'new new' && [ "$(state "$pid")" = applied ] || fail "$what: $(state "$pid")" ;;
	apply:1 | apply:5 | apply:9 | apply:10) check 'old old' ;;
	revert:0) check 'old old' && [ "$(state "$pid")" = reverted ] || fail "$what: $(state "$pid")" ;;
	revert:1 | revert:5 | revert:9 | revert:10) check 'new new' ;;
	*) fail "$what: exit status $rc: $(cat "$W/err")" ;;
	esac
}

tries=0
for kind in write ptrace read; do
	case $kind in read) step=401 ;; ptrace) step=97 ;; write) step=4 ;; esac
	[ -z "${LONG:-}" ] || step=1
	k=1
	while :; do
		start_victim "$W/pair.out" "$W/pair" "$W/libpair.so"
		with_fault "$kind" "$k" apply --timeout 300 --pid "$pid" "$W/fix.hpk"
		last=$(cat "$W/count")
		"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" 2>"$W/err" || fail "$what: the next apply: $(cat "$W/err")"
		check 'new new'
		with_fault "$kind" "$k" revert --timeout 300 --pid "$pid"
		"$hpbuild" revert --pid "$pid" >"$W/out" 2>"$W/err" || [ $? -eq 3 ] || fail "$what: the next revert: $(cat "$W/err")"
		check 'old old'
		kill -KILL "$pid"
		tries=$((tries + 1))
		[ "$k" -le "$last" ] || break
		k=$((k + step))
	done
done
echo "$tries faults"

steps="6 7 8"
[ -z "${LONG:-}" ] || steps="1 2 3 4 5 6 7 8 9"
for step in $steps; do
	for next in apply revert; do
		what="killed at step $step, then $next"
		start_victim "$W/pair.out" "$W/pair" "$W/libpair.so"
		rc=0
		HPBUILD_TEST_KILL_AT=$step "$hpbuild" apply --pid "$pid" "$W/fix.hpk" >/dev/null 2>&1 || rc=$?
		[ "$rc" -eq 137 ] || fail "$what: exit status $rc"
		case $step in
		[1-6]) check 'old old' ;;
		7) check 'new old' 'old new' ;; # between the two entries: that is what the journal is for
		[89]) check 'new new' ;;
		esac
		case $step in [678]) [ "$(state "$pid")" = interrupted ] || fail "$what: $(state "$pid")" ;; esac
		if [ "$next" = apply ]; then
			"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out"
			check 'new new'
			HPBUILD_TEST_KILL_AT=7 "$hpbuild" revert --pid "$pid" >/dev/null 2>&1 || :
			check 'new old' 'old new'
		fi
		"$hpbuild" revert --pid "$pid" >"$W/out" 2>&1 || [ $? -eq 3 ] || fail "$what: revert: $(cat "$W/out")"
		check 'old old'
		kill -KILL "$pid"
	done
done
