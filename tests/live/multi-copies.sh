#!/bin/sh
# One module or two? lld maps the first page of a file twice, which is one module; a library in a second namespace, or as a second
# file with the same build ID, is two, and a package for it is refused by name.
. tests/lib/sh
. tests/lib/live
can_trace
build_tools

# patched NAME BASELINE PROGRAM: apply, new answer, revert, old answer.
patched() {
	make_fix "$W/$1.hpk" "$2" answer 7
	start_victim "$W/$1.out" "$3"
	wait_line "$W/$1.out" '^answer 1$' 20
	"$hpbuild" apply --pid "$pid" "$W/$1.hpk" >"$W/out"
	wait_line "$W/$1.out" '^answer 7$' 20
	"$hpbuild" revert --pid "$pid" >"$W/out"
	[ "$(state "$pid")" = reverted ] || fail "$1: not reverted"
	kill -KILL "$pid"
}

if command -v ld.lld >/dev/null && command -v clang >/dev/null; then
	CC="clang -fuse-ld=lld -Wl,--build-id"
	for kind in '-fPIE -pie' '-fno-pie -no-pie' '-static -fno-pie' '-fPIE -static-pie'; do
		name=lld$(echo "$kind" | tr -d ' -')
		# shellcheck disable=SC2086 # lists of words
		$CC -O2 -pthread $kind -o "$W/$name" tests/live/victim.c tests/live/answer.c
		patched "$name" "$W/$name" "$W/$name"
	done
	$CC -O2 -fPIC -shared -o "$W/liblld.so" tests/live/answer.c
	$CC -O2 -pthread -o "$W/lldlib" tests/live/victim.c "$W/liblld.so" -Wl,-rpath,"$W"
	patched lldlib "$W/liblld.so" "$W/lldlib"
	# A file that is mapped whole, to be read, right below its own module is no second one.
	$CC -O2 -o "$W/lldmapped" tests/live/mapped.c tests/live/answer.c -ldl
	make_fix "$W/mapped.hpk" "$W/lldmapped" answer 7
	start_victim "$W/mapped.out" "$W/lldmapped"
	"$hpbuild" apply --pid "$pid" "$W/mapped.hpk" >"$W/out"
	wait_line "$W/mapped.out" '^answer 7$' 20
	kill -KILL "$pid"
else
	echo "without lld"
fi

# Two copies of a library: dlmopen(), and a copy of the file under another name. Which one is meant? Nobody can say.
gcc -O2 -fPIC -shared -Wl,--build-id -o "$W/libcopy.so" tests/live/answer.c
cp "$W/libcopy.so" "$W/libother.so"
cat >"$W/copies.c" <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv) {
	void *first = dlopen(argv[1], RTLD_NOW), *second = NULL;
	if (argc > 2)
		second = strcmp(argv[2], "namespace") == 0 ? dlmopen(LM_ID_NEWLM, argv[1], RTLD_NOW) : dlopen(argv[2], RTLD_NOW);
	int (*answer)(void) = first ? (int (*)(void))dlsym(first, "answer") : NULL;
	if (answer == NULL || (argc > 2 && (second == NULL || dlsym(second, "answer") == (void *)answer)))
		return 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	for (int last = -1;; usleep(5000))
		if (answer() != last)
			printf("answer %d\n", last = answer());
}
C
gcc -O2 -o "$W/copies" "$W/copies.c" -ldl
make_fix "$W/copy.hpk" "$W/libcopy.so" answer 7
for second in namespace "$W/libother.so"; do
	start_victim "$W/copies.out" "$W/copies" "$W/libcopy.so" "$second"
	expect_exit 10 "$hpbuild" apply --pid "$pid" "$W/copy.hpk" 2>"$W/err"
	expect_text "$W/err" "'libcopy.so'.* is loaded twice, at 0x[0-9a-f]* and 0x[0-9a-f]*"
	[ -z "$(state "$pid")" ] || fail "$second: a record was left"
	expect_no_text "$W/copies.out" 'answer 7'
	kill -KILL "$pid"
	wait_gone "$pid" 10
done
# One of them alone is patched.
start_victim "$W/copies.out" "$W/copies" "$W/libother.so"
"$hpbuild" apply --pid "$pid" "$W/copy.hpk" >"$W/out"
wait_line "$W/copies.out" '^answer 7$' 20
