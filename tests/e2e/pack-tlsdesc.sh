#!/bin/sh
# One function with two thread-local descriptors in a library, of which the linker kept one and relaxed the other to initial-exec:
# each call must follow what became of its own descriptor, in either order.
. tests/lib/sh
mkdir "$W/orig" "$W/fixed"
cd "$W"
cat >a.c <<'C'
__thread int kept = 11;
__thread int relaxed = 22;
int kept_first(int n) { int *k = &kept, *r = &relaxed; return *k * BY + *r * 5 + n; }
int relaxed_first(int n) { return relaxed * BY + kept * 9 + n; }
C
cat >b.c <<'C'
extern __thread int relaxed __attribute__((tls_model("initial-exec")));
int initial_exec(void) { return relaxed; }
C
CC="gcc -g -O2 -fPIC -mtls-dialect=gnu2 -ffunction-sections"
for f in a b; do
	$CC -DBY=3 -c -o orig/$f.o $f.c
	$CC -DBY=4 -c -o fixed/$f.o $f.c
done
gcc -shared -Wl,--build-id -o lib.so orig/a.o orig/b.o
readelf -rW lib.so >rels
grep -q 'TLSDESC .*kept' rels || fail "no descriptor of 'kept'"
grep -q 'TPOFF64 .*relaxed' rels || fail "no offset of 'relaxed'"
"$hpbuild" pack --original orig --patched fixed --baseline lib.so -o out.hpk >out
"$hpbuild" extract --unverified -o x out.hpk 2>err
# A lea of a descriptor wants the call, a mov of an offset a nop: what follows each RIP-relative access.
for f in kept_first relaxed_first; do
	objdump -d --no-show-raw-insn "x/payload.0.elf" --disassemble=$f |
		awk '/\(%rip\)/ { kind = $2; getline; print kind, $2 }' | sort >got
	printf 'lea call\nmov xchg\n' >want
	diff want got || fail "$f"
done
