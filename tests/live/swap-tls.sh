#!/bin/sh
# limit: 400
# Thread-local variables that exist, in every model that compilers write: general and local dynamic, descriptors, initial and local
# exec, with and without PLT; in libraries through the baseline's slots, in executables relaxed as the linker did; own variables,
# static ones, those of another module. Two threads see different values, before and after.
. tests/lib/sh
. tests/lib/live
can_trace
"$hpbuild" keygen --no-passphrase -o "$W/key" >"$W/out" 2>&1
cat >"$W/data.c" <<'END'
__thread int far = 1000;
END
cat >"$W/work.c" <<'END'
extern __thread int far;
static __thread int own = 10, other = 20;
__thread int global = 100;
int bump(int by)
{
	own += by;
	other += 2 * by;
	global += 3 * by;
	far += 4 * by;
#ifdef FIX
	return 1000000 + own + other + global + far;
#else
	return own + other + global + far;
#endif
}
END
cat >"$W/main.c" <<'END'
#include <pthread.h>
#include <stdio.h>
int bump(int by);
static pthread_barrier_t turn;
static void *second(void *arg)
{
	for (;;) {
		pthread_barrier_wait(&turn);
		printf("second %d\n", bump(5));
		fflush(stdout);
		pthread_barrier_wait(&turn);
	}
	return arg;
}
int main(void)
{
	pthread_t t;
	char line[16];
	pthread_barrier_init(&turn, NULL, 2);
	pthread_create(&t, NULL, second, NULL);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		printf("first %d\n", bump(1));
		pthread_barrier_wait(&turn);
		pthread_barrier_wait(&turn);
	}
	return 0;
}
END

# try CC FLAGS MODE [strip]
try() {
	cc=$1 flags=$2 mode=$3
	what="$1 $2 $3 ${4:-}"
	rm -rf "$W/orig" "$W/fixed" "$W/pipe" "$W/fix.hpk"
	mkdir "$W/orig" "$W/fixed"
	case $mode in
	pie) pic=-fPIE link=-pie ;;
	exec) pic=-fno-pie link=-no-pie ;;
	shared) pic=-fPIC link=-shared ;;
	esac
	# shellcheck disable=SC2086 # words
	$cc -O2 $pic $flags -c "$W/work.c" -o "$W/orig/work.o" 2>"$W/err" || {
		echo "left out: $what: $(head -n 1 "$W/err")"
		return 0
	}
	# shellcheck disable=SC2086
	{
		$cc -O2 $pic $flags -DFIX -c "$W/work.c" -o "$W/fixed/work.o"
		$cc -O2 -fPIC -shared "$W/data.c" -o "$W/libdata.so"
		module=$W/prog
		if [ "$mode" = shared ]; then
			$cc -shared -Wl,--build-id "$W/orig/work.o" -L"$W" -ldata -Wl,-rpath,"$W" -o "$W/libwork.so"
			$cc -O2 "$W/main.c" -o "$W/prog" -pthread -L"$W" -lwork -Wl,-rpath,"$W"
			module=$W/libwork.so
		else
			$cc -O2 $pic -c "$W/main.c" -o "$W/main.o"
			$cc $link -pthread -Wl,--build-id "$W/main.o" "$W/orig/work.o" -L"$W" -ldata -Wl,-rpath,"$W" -o "$W/prog"
		fi
	}
	[ "${4:-}" != strip ] || strip "$module"
	"$hpbuild" pack --original "$W/orig" --patched "$W/fixed" --baseline "$module" -o "$W/fix.hpk" >"$W/out" 2>"$W/err" ||
		fail "$what: $(cat "$W/err")"
	"$hpbuild" sign -k "$W/key.key" "$W/fix.hpk" >"$W/out" 2>&1
	"$hpbuild" verify --trust "$W/key.pub" --baseline "$module" "$W/fix.hpk" >"$W/out" || fail "$what: verify"
	mkfifo "$W/pipe"
	start "$W/got" sh -c "exec '$W/prog' <'$W/pipe'"
	exec 3>"$W/pipe"
	printf '\n\n' >&3
	wait_line "$W/got" '^second 1230$' 20
	"$hpbuild" apply --trust "$W/key.pub" --pid "$pid" "$W/fix.hpk" >"$W/out" 2>&1 || fail "$what: $(cat "$W/out")"
	printf '\n' >&3
	exec 3>&-
	wait_gone "$pid" 20
	printf 'first 1140\nsecond 1180\nfirst 1150\nsecond 1230\nfirst 1001160\nsecond 1001280\n' >"$W/want"
	cmp -s "$W/want" "$W/got" || fail "$what: $(cat "$W/got")"
	cases=$((cases + 1))
}

cases=0
compilers=$CC
if [ -n "${LONG:-}" ]; then compilers='gcc clang'; fi
for c in $compilers; do
	for mode in shared pie exec; do
		try "$c" -fPIC "$mode"
		try "$c" '-fPIC -fno-plt' "$mode" strip
		try "$c" '-fPIC -mtls-dialect=gnu2' "$mode" strip
		[ -n "${LONG:-}" ] || continue
		try "$c" '-fPIC -mtls-dialect=gnu2' "$mode"
		try "$c" '-fPIC -ftls-model=initial-exec' "$mode" strip
	done
	try "$c" '' pie
	try "$c" '' exec strip
done
[ "$cases" -ge 8 ] || fail "only $cases cases could be built"
echo "$cases cases"
