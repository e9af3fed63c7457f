#!/bin/sh
# A program with a section and variables of the kernel's names is no kernel: its variables keep their storage and are compared.
. tests/lib/sh
mkdir "$W/orig" "$W/fixed"
cd "$W"
cat >work.c <<'C'
__attribute__((section("__param"), used)) static const int param[] = { 1 };
__attribute__((noinline)) int work(int n)
{
	static int _rs[2] = { START, 1 };
	for (int i = 0; i < n; i++)
		_rs[i & 1] += i * BY;
	return _rs[n & 1];
}
int main(int argc, char **argv) { return work(argc); }
C
pack() { # FLAGS of the fix
	gcc -g -O2 -DSTART=4 -DBY=3 -c -o orig/work.o work.c
	gcc -g -O2 "$@" -c -o fixed/work.o work.c
	gcc -Wl,--build-id -o prog orig/work.o
	rm -f out.hpk
	"$hpbuild" pack --original orig --patched fixed --baseline prog -o out.hpk >out 2>err
}
expect_exit 4 pack -DSTART=9 -DBY=3
expect_text out 'HP2001 initial value'
pack -DSTART=4 -DBY=5 || fail "$(cat err)"
mkdir x
"$hpbuild" extract --unverified -o x out.hpk >/dev/null 2>&1
readelf -sW x/payload.0.elf >syms
expect_text syms 'work'
expect_no_text syms '_rs'
