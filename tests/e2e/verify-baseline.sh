#!/bin/sh
# `verify --baseline`: what can be checked against the module's file, each with a package in which only that is wrong, and a near
# miss; without the baseline it says what it could not check.
. tests/lib/sh
need python3 nm readelf
mkpkg=$B/tests/lib/mkpkg
unset HPBUILD_TRUST HPBUILD_KEY
cd "$W"
"$hpbuild" keygen --no-passphrase -o k >/dev/null
cat >p.c <<'END'
#include <stdio.h>
int counter = 5;
int (*handler)(const char *) = puts;
static const int table[4] = { 1, 2, 3, 4 };
__attribute__((noinline)) int callee(int x) { return x * 3 + counter; }
__attribute__((noinline)) int f(int x) { return callee(x) + table[x & 3]; }
int main(int argc, char **argv) { (void)argv; handler("x"); printf("%d\n", f(argc)); return 0; }
END
"$CC" -O1 -fPIE -pie -Wl,--build-id,-z,lazy -fcf-protection=none p.c -o prog
"$CC" -O1 -fPIE -pie -fno-plt -Wl,--build-id,-z,now p.c -o now
"$CC" -O1 -fno-pie -no-pie -Wl,--build-id -fcf-protection=none p.c -o exec

at() { # SYMBOL [FILE]
	echo "0x$(nm "${2:-prog}" | sed -n "s/^\([0-9a-f]*\) . $1\$/\1/p")"
}
slot() { # TYPE NAME [FILE]
	echo "0x$(readelf -rW "${3:-prog}" | sed -n "s/^0*\([0-9a-f]*\) .*R_X86_64_$1 .* $2@.*/\1/p" | head -n 1)"
}
plus() { printf '0x%x' $(($1 + $2)); }
section() { # NAME [FILE]
	echo "0x$(readelf -SW "${2:-prog}" | sed -n "s/^ *\[ *[0-9]*\] $1 *[A-Z_]* *\([0-9a-f]*\) .*/\1/p")"
}

# made CODE FIXUP MKPKG-OPTIONS...: p.hpk, signed; a fixup "-" is none.
made() {
	code=$1 fixup=$2
	shift 2
	if [ "$fixup" = - ]; then
		"$mkpkg" -c "$code" -b "${base:-prog}" -f f "$@" -o p.hpk
	else
		"$mkpkg" -c "$code" -b "${base:-prog}" -f f -x "$fixup" "$@" -o p.hpk
	fi
	"$hpbuild" sign -q --key k.key p.hpk
}
accepted() {
	made "$@"
	"$hpbuild" verify --trust k.pub --baseline "${base:-prog}" p.hpk >out 2>err || fail "$*: $(cat err)"
	expect_text out 'baseline checked \(build ID, CPU, 1 functions, [01] fixups into it\)'
}
refused() { # WORDS ...
	words=$1
	shift
	made "$@"
	expect_exit 5 "$hpbuild" verify --trust k.pub --baseline "${base:-prog}" p.hpk >out 2>err
	expect_text err "$words"
}

call=e800000000c3     # call; ret
jump=ff2500000000     # jmp *x(%rip)
load=8b0500000000c3   # mov x(%rip),%eax; ret
store=890500000000c3  # mov %eax,x(%rip); ret
lea=488d0500000000c3  # lea x(%rip),%rax; ret
absolute=b800000000c3 # mov $x,%eax; ret

# Calls and jumps lead to code.
accepted $call "0x1001 pc32 module $(at callee) -4"
refused 'fixup 0 at 0x1001 .pc32, module.: a call or jump leads to what is no code' $call "0x1001 pc32 module $(at counter) -4"
refused 'a call or jump leads to what is no code' $call "0x1001 pc32 module $(at handler) -4"
refused 'the module has nothing at' $call "0x1001 pc32 module 0x900000 -4"
refused 'the module has nothing at' $call "0x1001 pc32 module $(at callee) 0x900000"
# ... or to an entry of the PLT.
plt=$(section .plt)
accepted $call "0x1001 pc32 module $(plus "$plt" 16) -4"
refused 'into the PLT, but to no entry of it' $call "0x1001 pc32 module $(plus "$plt" 17) -4"
refused 'into the PLT, but to no entry of it' $call "0x1001 pc32 module $plt -4"
# Jumps through memory: a slot, or a pointer of the program; never code.
accepted $jump "0x1002 pc32 module $(slot JUMP_SLOT printf) -4"
accepted $jump "0x1002 pc32 module $(at handler) -4"
refused 'takes its address from code' $jump "0x1002 pc32 module $(at callee) -4"
refused 'in the GOT, but no slot' $jump "0x1002 pc32 module $(plus "$(slot JUMP_SLOT printf)" 4) -4"
# Data.
accepted $load "0x1002 pc32 module $(at counter) -4"
accepted $load "0x1002 pc32 module $(at table) -4"
accepted $store "0x1002 pc32 module $(at counter) -4"
refused 'a store to what is read-only' $store "0x1002 pc32 module $(at table) -4"
refused 'data is read from, or written to, the code of a function' $load "0x1002 pc32 module $(at callee) -4"
refused 'data is read from, or written to, the code of a function' $load "0x1002 pc32 module $plt -4"
refused 'the module has nothing at' $load "0x1002 pc32 module 0x900000 -4"
# An address may be anything's that is there.
for s in callee counter table; do accepted $lea "0x1003 pc32 module $(at $s) -4"; done
refused 'the module has nothing at' $lea "0x1003 pc32 module 0x900000 -4"
accepted $lea "0x2000 abs64 module $(at counter) 0"
refused 'the module has nothing at' $lea "0x2000 abs64 module 0x900000 0"
# 32-bit addresses only where the module's are fixed.
refused '32-bit address of position-independent code' $absolute "0x1001 abs32 module $(at counter) 0"
base="exec"
accepted $absolute "0x1001 abs32 module $(at counter exec) 0"
base=
# Words that the dynamic linker fills in with an address.
refused 'not known before the first call' $call "0x2000 abs64 slot $(slot JUMP_SLOT printf) 0"
refused 'does not fill in the word at' $call "0x2000 abs64 slot $(at counter) 0"
refused 'puts no address of a symbol into' $call "0x2000 abs64 slot $(section .init_array) 0"
accepted $call "0x2000 abs64 slot $(at handler) 0"
base=now
accepted $call "0x2000 abs64 slot $(slot GLOB_DAT printf now) 0"
base=

# Imports: those of the libraries that the module needs, by name and version; weak ones may be missing.
for import in printf printf@GLIBC_2.2.5 fopencookie; do
	accepted $call - -m $import
	expect_no_text out NOT
done
refused "import 'no_such_function': no library that the module needs has it: .*libc.so.6" $call - -m no_such_function
refused "import 'printf@NONE_1': no library" $call - -m printf@NONE_1
refused "import 'no_such_function': no library" $call '0x2000 abs64 import 0 0' -m no_such_function
made $call '0x2000 abs64 import 1 0' -m no_such_function # 1: weak
"$hpbuild" verify --trust k.pub --baseline prog p.hpk >/dev/null
mkdir empty
made $call - -m printf -m fopencookie
"$hpbuild" verify --trust k.pub --baseline prog --sysroot empty p.hpk >out
expect_text out "NOT checked: 2 imports, because 'libc.so.6' was not found"
"$hpbuild" verify --trust k.pub --baseline prog --sysroot empty --json p.hpk >out
expect_text out '"imports_checked": 0'
"$CC" -O1 -static -Wl,--build-id p.c -o static
base=static
refused "import 'printf': a static program" $call - -m printf
base=

# Build ID, CPU and pre-images.
made $call "0x1001 pc32 module $(at callee) -4"
expect_exit 5 "$hpbuild" verify --trust k.pub --baseline now p.hpk 2>err
expect_text err 'found build ID'
python3 - <<'END'
import struct
b = bytearray(open("prog", "rb").read())
b[18:20] = struct.pack("<H", 183)
open("arm", "wb").write(b)
END
expect_exit 7 "$hpbuild" verify --trust k.pub --baseline arm p.hpk 2>err
expect_text err 'ELF machine 183'
python3 - "$(at f)" <<'END'
import sys
b = bytearray(open("prog", "rb").read())
b[int(sys.argv[1], 16) + 2] ^= 1
open("other", "wb").write(b)
END
expect_exit 5 "$hpbuild" verify --trust k.pub --baseline other p.hpk 2>err
expect_text err "function 'f'.*found digest"
# Stripped.
strip -o stripped prog
"$hpbuild" verify --trust k.pub --baseline stripped p.hpk >/dev/null

# Two modules: what leads into the one that is given.
"$mkpkg" -c $call -b prog -f f -x "0x1001 pc32 module $(at callee) -4" -b now -f f -m nobody -o two.hpk
"$hpbuild" sign -q --key k.key two.hpk
"$hpbuild" verify --trust k.pub --baseline prog --json two.hpk >out
python3 - <<'END'
import json
t = json.load(open("out"))["targets"]
assert t[0]["baseline_checked"] and t[0]["fixups_checked"] == 1 and t[0]["not_checked"] == [], t
assert not t[1]["baseline_checked"], t
assert t[1]["not_checked"] == ["build_id", "cpu", "functions", "fixups", "imports"], t
END
"$hpbuild" verify --trust k.pub two.hpk >out
expect_text out '^target +baseline: baseline NOT checked \(no --baseline\): build ID, CPU, 1 functions, fixups'
expect_text out 'NOT checked: 1 imports'
