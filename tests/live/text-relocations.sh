#!/bin/sh
# A module with text relocations (code without -fPIC in a library or PIE): functions that have none are replaced and may use what needs
# one; a function with one is refused by name when packed, and by apply, the process unharmed.
. tests/lib/sh
. tests/lib/live
can_trace
build_tools
cat >"$W/work.c" <<'EOF'
int shared_value = 40;
static int calls;
__attribute__((noinline)) int
absolute(int n)
{
#ifdef FIX_ABSOLUTE
	n += 1000;
#endif
	calls++;
	return shared_value + n;
}
__attribute__((noinline)) int
plain(int n)
{
	for (int i = 0; i < 3; i++)
		n = n * 5 + 3;
#ifdef FIX_PLAIN
	n += shared_value + calls;
	n += absolute(2);
#endif
	return n;
}
EOF
cat >"$W/main.c" <<'EOF'
#include <stdio.h>
int absolute(int n), plain(int n);
int
main(void)
{
	char line[64];

	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin) != NULL)
		printf("%d ", absolute(1)), printf("%d\n", plain(5));
	return 0;
}
EOF
case $CC in *clang*) skip 'clang makes 8-byte unwind pointers with -mcmodel=large, which pack refuses' ;; esac
for side in orig plain absolute; do
	mkdir "$W/$side"
	case $side in orig) fix=NONE ;; plain) fix=FIX_PLAIN ;; *) fix=FIX_ABSOLUTE ;; esac
	"$CC" -g -O2 -fno-pic -mcmodel=large -D$fix -c "$W/work.c" -o "$W/$side/work.o"
done
"$CC" -g -O2 -fPIE -c "$W/main.c" -o "$W/main.o"
{
	"$CC" -shared -Wl,-z,notext,--build-id -o "$W/libwork.so" "$W/orig/work.o"
	"$CC" -pie -o "$W/prog" "$W/main.o" -L"$W" -lwork -Wl,-rpath,"$W"
	"$CC" -pie -Wl,-z,notext,--build-id -o "$W/pie" "$W/main.o" "$W/orig/work.o"
} 2>"$W/ld.err" || skip "the linker makes no text relocations: $(head -n 1 "$W/ld.err")"

# one MODULE PROGRAM
one() {
	readelf -d "$W/$1" | grep -q TEXTREL || fail "$1 has no text relocation"
	expect_exit 4 "$hpbuild" pack --original "$W/orig" --patched "$W/absolute" --baseline "$W/$1" -o "$W/no.hpk" >"$W/out" 2>"$W/err"
	expect_text "$W/err" "'work.o': function 'absolute' has a text relocation in the baseline, at offset 0x[0-9a-f]*: .*-fPIC"
	"$hpbuild" pack --original "$W/orig" --patched "$W/plain" --baseline "$W/$1" -o "$W/$1.hpk" >"$W/out" 2>"$W/err" ||
		fail "$1: $(cat "$W/err")"
	"$hpbuild" sign -k "$W/key.key" "$W/$1.hpk" >"$W/out" 2>&1
	rm -f "$W/pipe"
	mkfifo "$W/pipe"
	start "$W/got" sh -c "exec '$W/$2' <'$W/pipe'"
	exec 3>"$W/pipe"
	echo >&3
	wait_line "$W/got" '^41 718$' 20
	# A package of another maker.
	make_fix "$W/other.hpk" "$W/$1" absolute 7
	maps=$(wc -l <"/proc/$pid/maps")
	expect_exit 10 "$hpbuild" apply --pid "$pid" "$W/other.hpk" >"$W/out" 2>"$W/err"
	expect_text "$W/err" "function 'absolute' has a text relocation at offset 0x[0-9a-f]*:"
	[ "$(wc -l <"/proc/$pid/maps")" -eq "$maps" ] || fail 'the process was touched'
	echo >&3
	"$hpbuild" apply --pid "$pid" "$W/$1.hpk" >"$W/out" 2>"$W/err" || fail "$1: $(cat "$W/err")"
	echo >&3
	wait_line "$W/got" '^41 803$' 20
	"$hpbuild" revert --pid "$pid" >"$W/out"
	echo >&3
	exec 3>&-
	wait_gone "$pid" 20
	[ "$(tr '\n' ';' <"$W/got")" = '41 718;41 718;41 803;41 718;' ] || fail "$1: $(cat "$W/got")"
}
one libwork.so prog
one pie pie
