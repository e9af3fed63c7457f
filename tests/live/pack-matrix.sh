#!/bin/sh
# limit: 400
# Packages made from real objects: the patched process answers as the fixed build does, for compilers, optimisation, kinds of
# module, linker options, with and without symbols and function sections.
. tests/lib/sh
. tests/lib/live
can_trace
need cmp
"$hpbuild" keygen --no-passphrase -o "$W/key" >"$W/out" 2>&1

# build SIDE DEFINES: objects and module of one side in $W/SIDE.
build() {
	side=$W/$1
	rm -rf "$side"
	mkdir "$side"
	# shellcheck disable=SC2086 # lists of flags
	{
		$cc $cflags $2 -c tests/live/pack-work.c -o "$side/work.o"
		$cc $cflags -c tests/live/pack-main.c -o "$side/main.o"
		if [ "$mode" = shared ]; then
			$cc -shared $ldflags -Wl,--build-id -o "$side/libwork.so" "$side/work.o"
			$cc -pie -rdynamic -o "$side/prog" "$side/main.o" -L"$side" -lwork -Wl,-rpath,"$side"
		else
			$cc $link $ldflags -Wl,--build-id -o "$side/prog" "$side/main.o" "$side/work.o"
		fi
	} 2>"$W/build.err"
}

# try CC FLAGS MODE LDFLAGS [strip]: one case; MODE is pie, exec or shared.
try() {
	cc=$1 cflags="-g $2" mode=$3 ldflags=$4
	what="$1 $2 $3 $4 ${5:-}"
	case $mode in
	pie) cflags="-fPIE $cflags" link=-pie ;;
	exec) cflags="-fno-pie $cflags" link=-no-pie ;;
	shared) cflags="-fPIC $cflags" ;;
	esac
	if ! build orig '' || ! build fixed -DFIX; then
		echo "left out: $what: $(head -n 1 "$W/build.err")"
		return 0
	fi
	module=$W/orig/prog
	[ "$mode" != shared ] || module=$W/orig/libwork.so
	[ "${5:-}" != strip ] || strip "$module"
	rm -f "$W/fix.hpk" "$W/pipe"
	"$hpbuild" pack --original "$W/orig" --patched "$W/fixed" --baseline "$module" -o "$W/fix.hpk" >"$W/pack.out" 2>"$W/pack.err" ||
		fail "$what: $(cat "$W/pack.err")"
	"$hpbuild" sign -k "$W/key.key" "$W/fix.hpk" >"$W/out" 2>&1
	"$hpbuild" verify --trust "$W/key.pub" --baseline "$module" "$W/fix.hpk" >"$W/out" || fail "$what: verify"
	lines | "$W/fixed/prog" >"$W/want" 2>/dev/null
	mkfifo "$W/pipe"
	start "$W/got" sh -c "exec '$W/orig/prog' <'$W/pipe'"
	exec 3>"$W/pipe"
	lines | head -n 13 >&3
	wait_line "$W/got" '^12: ' 20
	"$hpbuild" apply --trust "$W/key.pub" --pid "$pid" "$W/fix.hpk" >"$W/out" 2>&1 || fail "$what: $(cat "$W/out")"
	lines | tail -n +14 >&3
	exec 3>&-
	wait_gone "$pid" 20
	grep -q '^seen 77$' "$W/got" || fail "$what: no message on the standard error"
	grep -v '^seen' "$W/got" | tail -n +14 >"$W/got.new"
	tail -n +14 "$W/want" >"$W/want.new"
	cmp -s "$W/got.new" "$W/want.new" || {
		diff "$W/got.new" "$W/want.new" >&9 || :
		fail "$what: not what the fixed build answers"
	}
	cases=$((cases + 1))
}

lines() {
	seq 0 12
	echo 77
	seq 3 9
}

cases=0
S='-ffunction-sections -fdata-sections'
compilers="$CC"
case $CC in *clang*) ;; *) if command -v clang >/dev/null; then compilers="$CC clang"; fi ;; esac
for c in $compilers; do
	for mode in pie exec shared; do
		try "$c" "-O2 $S" "$mode" ''
		try "$c" -O2 "$mode" '' strip
		try "$c" "-O2 -fno-plt $S" "$mode" -Wl,-z,now
		[ -n "${LONG:-}" ] || continue
		for o in -O0 -Os -O3; do
			try "$c" "$o $S" "$mode" ''
			try "$c" "$o" "$mode" '' strip
		done
		try "$c" "-O2 -fcf-protection=full $S" "$mode" -Wl,-z,ibtplt
		try "$c" "-O2 -fpatchable-function-entry=8,4 $S" "$mode" ''
		try "$c" "-O2 -fno-plt $S" "$mode" -Wl,--no-relax
	done
	try "$c" "-O0 $S" pie ''
	try "$c" "-Os $S" exec ''
	try "$c" "-O2 -DTLS $S" pie ''
	try "$c" "-O2 -DTLS $S" exec ''
	try "$c" "-O2 $S" shared -Wl,-Bsymbolic
	try "$c" "-O2 $S" shared -Wl,-Bsymbolic-functions
	try "$c" "-O2 -DTLS $S" shared '' strip
	try "$c" "-O0 -DTLS $S" shared ''
	try "$c" "-O2 -DTLS -ftls-model=initial-exec $S" shared '' strip
	try "$c" "-O2 $S" exec -static strip
done
[ "$cases" -ge 10 ] || fail "only $cases cases could be built"
echo "$cases cases"
