#!/bin/sh
# `hpbuild pack` says no: exit status, a message that names the culprit, nothing written. Each refusal has a near miss that passes.
. tests/lib/sh

# Objects of both sides from $W/work.c (-DFIX is the fix) and $W/main.c, linked as "$W/prog" (or libw.so with MODE=shared).
make_sides() { # CFLAGS LDFLAGS
	rm -rf "$W/orig" "$W/fixed" "$W/fix.hpk"
	mkdir "$W/orig" "$W/fixed"
	# shellcheck disable=SC2086
	{
		"$CC" -g -ffunction-sections -fdata-sections $1 -c "$W/work.c" -o "$W/orig/work.o"
		"$CC" -g -ffunction-sections -fdata-sections $1 -DFIX -c "$W/work.c" -o "$W/fixed/work.o"
		"$CC" -g $1 -c "$W/main.c" -o "$W/main.o"
		"$CC" $2 -Wl,--build-id -o "$W/prog" "$W/orig/work.o" "$W/main.o"
	}
}

pack() {
	"$hpbuild" pack --original "$W/orig" --patched "$W/fixed" --baseline "${base:-$W/prog}" "$@" -o "$W/fix.hpk" >"$W/out" 2>"$W/err"
}

refused() { # STATUS WORDS PACK-OPTIONS...
	want=$1 words=$2
	shift 2
	expect_exit "$want" pack "$@"
	cat "$W/out" "$W/err" >"$W/both"
	expect_text "$W/both" "$words"
	[ ! -e "$W/fix.hpk" ] || fail "a package was written although: $words"
}

accepted() {
	pack "$@" || fail "$(cat "$W/out" "$W/err")"
	[ -s "$W/fix.hpk" ] || fail "nothing was written"
	rm "$W/fix.hpk"
}

cat >"$W/main.c" <<'END'
#include <stdio.h>
int work(int);
int main(int argc, char **argv) { (void)argv; if (argc > 7) puts("many"); return work(argc); }
END

# Imports.
cat >"$W/work.c" <<'END'
#include <stdio.h>
#include <stdlib.h>
#include "needs.h"
int work(int x)
{
#ifdef FIX
	if (x > 100)
		NEEDS;
#endif
	return x * 5 + 2;
}
END
needs() {
	echo "#define NEEDS $1" >"$W/needs.h"
}
needs 'puts("x")'
make_sides '-O2 -fPIE' -pie
accepted
# New imports: from a library that the baseline needs, below --sysroot; the version is recorded.
needs 'srand(3)'
make_sides '-O2 -fPIE' -pie
pack || fail "$(cat "$W/out" "$W/err")"
expect_text "$W/out" '^  imports    srand@GLIBC_2.2.5 \(/.*/libc.so.6\)$'
"$hpbuild" inspect --unverified "$W/fix.hpk" >"$W/out" 2>&1
expect_text "$W/out" '^    import srand@GLIBC_2.2.5$'
expect_text "$W/out" 'fixups .* import:1'
rm "$W/fix.hpk"
mkdir -p "$W/root/lib"
refused 4 "'work' refers to 'srand': a new import .* below '$W/root': libc.so.6 .not found" --sysroot "$W/root"
refused 1 'no-such-folder' --sysroot "$W/no-such-folder"
ln -s "$(readlink -f /lib/x86_64-linux-gnu/libc.so.6)" "$W/root/lib/outside.so" # leads nowhere in there
ln -s /lib/outside.so "$W/root/lib/libc.so.6"
refused 4 "libc.so.6 .not found" --sysroot "$W/root"
mkdir -p "$W/root/opt" "$W/root/etc/ld.so.conf.d"
cp /lib/x86_64-linux-gnu/libc.so.6 "$W/root/opt/"
echo 'include /etc/ld.so.conf.d/*.conf' >"$W/root/etc/ld.so.conf"
echo /opt >"$W/root/etc/ld.so.conf.d/a.conf"
accepted --sysroot "$W/root"
strip "$W/prog"
refused 5 '(srand|work).*give (its|the) --debug-file'
needs '{ extern int nobody(void); x += nobody(); }'
make_sides '-O2 -fPIE' -pie
refused 4 "'work' refers to 'nobody': a new import that no library of the baseline provides; below '/': libc.so.6"
needs '{ extern int nobody(void) __attribute__((weak)); if (nobody) x += nobody(); }'
make_sides '-O2 -fPIC' -pie
accepted
needs 'abort()' # is linked in with the rest of the C library
make_sides '-O2 -fno-pie' '-no-pie -static'
accepted
needs 'x += drand48() > 1'
make_sides '-O2 -fno-pie' '-no-pie -static'
refused 4 "'work' refers to 'drand48': a new import, but the baseline is a static program"
# A library that comes before the one that has it was not found: that one might be meant, in a version of its own.
echo 'int first(void) { return 1; }' >"$W/first.c"
"$CC" -shared -fPIC -Wl,-soname,libfirst.so -o "$W/libfirst.so" "$W/first.c"
needs 'srand(3)'
make_sides '-O2 -fPIE' "-pie -Wl,--no-as-needed $W/libfirst.so"
refused 4 "'srand': a new import, whose version is not known: 'libfirst.so' was not found below '/'"
make_sides '-O2 -fPIE' "-pie -Wl,--no-as-needed $W/libfirst.so -Wl,-rpath,\$ORIGIN"
accepted
# What the baseline imports already stays what it is, although the library that it came from is not there to be asked.
cp "$W/main.c" "$W/main.bak"
cat >"$W/main.c" <<'END'
#include <stdlib.h>
int work(int);
int main(int argc, char **argv) { (void)argv; srand(1); return work(argc); }
END
echo 'FIRST_1 { global: *; };' >"$W/first.map"
echo 'void srand(unsigned s) { (void)s; }' >"$W/first.c"
"$CC" -shared -fPIC -Wl,-soname,libfirst.so -Wl,--version-script="$W/first.map" -o "$W/libfirst.so" "$W/first.c"
make_sides '-O2 -fPIE' "-pie -Wl,--no-as-needed $W/libfirst.so"
pack || fail "$(cat "$W/err")"
expect_no_text "$W/out" '^  imports'
rm "$W/fix.hpk"
mv "$W/main.bak" "$W/main.c"
# A name that is declared hidden is the module's own.
needs '{ extern int getppid(void) __attribute__((visibility("hidden"))); x += getppid(); }'
make_sides '-O2 -fPIE' -pie
refused 4 "refers to 'getppid': it is declared hidden"
# Thread-local variables of other modules.
needs '{ extern __thread int elsewhere; x += elsewhere; }'
echo '__thread int elsewhere;' >"$W/first.c"
"$CC" -shared -fPIC -Wl,-soname,libfirst.so -o "$W/libfirst.so" "$W/first.c"
make_sides '-O2 -fPIE' "-pie -Wl,--no-as-needed $W/libfirst.so -Wl,-rpath,\$ORIGIN"
refused 4 "refers to 'elsewhere': a thread-local variable"

# The address of a function that is only called through a lazy slot so far; in 32 bits it cannot be had.
needs 'x += (int)(long)puts'
make_sides '-O1 -fPIE' '-pie -Wl,-z,lazy'
accepted
make_sides '-O1 -fPIE' '-pie -Wl,-z,now'
accepted
make_sides '-O1 -fno-pie' '-no-pie -Wl,-z,lazy'
refused 4 "refers to 'puts': a direct reference to another module"
# Data of another module without a COPY relocation in the baseline: by a GOT slot, not directly.
needs 'putc(3, stderr)'
make_sides '-O2 -fPIC' -pie
accepted
make_sides '-O2 -fno-pie' -no-pie
refused 4 "refers to 'stderr': a direct reference to another module"

# The wrong baseline.
needs 'puts("x")'
make_sides '-O2 -fPIE' -pie
cp "$W/prog" "$W/good"
"$CC" -g -O0 -fPIE -c "$W/work.c" -o "$W/other.o"
"$CC" -pie -Wl,--build-id -o "$W/prog" "$W/other.o" "$W/main.o"
refused 5 "function 'work'\+0x0 is '.*' in the object, but '.*' in the baseline"
"$CC" -pie -Wl,--build-id=none -o "$W/prog" "$W/orig/work.o" "$W/main.o"
refused 5 'no build ID'
base=$W/orig/work.o
refused 7 'not an executable or shared library'
base=$W/main.c
refused 7 'main.c'
base=$W/missing
refused 1 'missing'
base=$W/good
for len in 0 10 63 3000 15000; do
	head -c $len "$W/good" >"$W/cut"
	base=$W/cut
	refused 7 'cut'
done
base=$W/good

# The wrong debug file.
"$CC" -g -pie -Wl,--build-id=0x0102030405060708 -o "$W/prog2" "$W/orig/work.o" "$W/main.o"
objcopy --only-keep-debug "$W/prog2" "$W/other.debug"
objcopy --only-keep-debug "$W/good" "$W/good.debug"
refused 5 'belongs to another build' --debug-file "$W/other.debug"
cp "$W/good" "$W/stripped"
strip "$W/stripped"
base=$W/stripped
accepted --debug-file "$W/good.debug"
refused 5 'give its --debug-file'
base=$W/good

# Bad descriptions.
echo '{ "name": "a", "colour": "red" }' >"$W/meta.json"
refused 7 "unknown key 'colour'" --meta "$W/meta.json"
printf '{ "serial": 4, "fixes": ["CVE-2026-1"] }' >"$W/meta.json"
accepted --meta "$W/meta.json"
refused 2 'number' --serial many
expect_exit 2 "$hpbuild" pack --original "$W/orig" 2>"$W/err"
expect_text "$W/err" '--patched'

# Nothing to patch.
rm -rf "$W/fixed"
cp -r "$W/orig" "$W/fixed"
refused 3 'nothing to patch'
