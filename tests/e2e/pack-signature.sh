#!/bin/sh
# A function gets another parameter and all callers in the given objects go along: hot only if nothing else in the module refers to
# it. Another object, which `pack` does not get to see, may call it or hold its address.
. tests/lib/sh
cd "$W"
cat >work.c <<'X'
#ifdef FIX
__attribute__((noinline)) int scaled(int a, int b) { return a * a * 7 + b * 3 + 11; }
int work(int x) { return scaled(x, 5) + 2; }
#else
__attribute__((noinline)) int scaled(int a) { return a * a * 7 + 11; }
int work(int x) { return scaled(x) + 1; }
#endif
X
main='int work(int); int scaled(int); int main(int argc, char **argv) { (void)argv; return work(argc)'
echo "$main; }" >none.c
echo "$main + scaled(argc); }" >call.c
echo "$main; } int (*held)(int) = scaled;" >data.c
echo "$main + ((long)(void *)scaled + argc == 7); }" >taken.c
for CC in gcc clang; do
	command -v "$CC" >/dev/null || continue
	for flags in '-fPIE -pie' '-fno-pie -no-pie'; do
		# shellcheck disable=SC2086 # flags are several words
		for m in none call data taken; do
			mkdir -p o p
			"$CC" -O2 -g ${flags% *} -ffunction-sections -c work.c -o o/work.o
			"$CC" -O2 -g ${flags% *} -ffunction-sections -DFIX -c work.c -o p/work.o
			"$CC" -O2 -g $flags -Wl,--build-id -o prog $m.c o/work.o
			if [ $m = none ]; then
				expect_exit 0 "$hpbuild" pack --original o --patched p --baseline prog -o $m.hpk >out 2>err
				expect_text out 'replaces   scaled'
			else
				expect_exit 4 "$hpbuild" pack --original o --patched p --baseline prog -o $m.hpk >out 2>err
				expect_text err "the signature of 'scaled' changed, and the baseline refers to it at 0x[0-9a-f]*, outside"
				[ ! -e $m.hpk ] || fail "$m.hpk was written"
			fi
			rm -rf o p ./*.hpk
		done
	done
	# In a shared library: who exports it, and who does not.
	echo '{ global: work; local: *; };' >hidden.map
	echo '{ global: *; };' >open.map
	# Addresses as small as 0x1100 are found anywhere by chance.
	echo 'void pad(void) { __asm__(".fill 0x12340, 1, 0xc3"); }' >pad.c
	for map in hidden open; do
		mkdir -p o p
		"$CC" -O2 -g -fPIC -ffunction-sections -c work.c -o o/work.o
		"$CC" -O2 -g -fPIC -ffunction-sections -DFIX -c work.c -o p/work.o
		"$CC" -shared -Wl,--build-id -Wl,--version-script=$map.map -o libwork.so pad.c o/work.o
		want=$([ $map = open ] && echo 4 || echo 0)
		expect_exit "$want" "$hpbuild" pack --original o --patched p --baseline libwork.so -o $map.hpk >out 2>err
		[ $map = hidden ] || expect_text err "signature of 'scaled' changed, and the baseline exports it"
		rm -rf o p ./*.hpk
	done
done
