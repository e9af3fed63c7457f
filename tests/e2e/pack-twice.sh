#!/bin/sh
# One source compiled twice with other macros: the originals are equal, so both fit the baseline. Equal with the fix too: either will
# do. Not equal: nothing tells which was linked, also when the new bodies have one length.
. tests/lib/sh
mkdir -p "$W/orig/a" "$W/orig/b" "$W/fixed/a" "$W/fixed/b"
cd "$W"
cat >util.c <<'C'
#include <stdio.h>
int util(int n)
{
	printf("util %d\n", n);
#ifdef FIX
	return n > LIMIT ? 1 : n * 7;
#else
	return n * 7;
#endif
}
C
echo 'int util(int); int main(int argc, char **argv) { return util(argc); }' >main.c
compile() { # LIMIT-A LIMIT-B
	for s in a:"$1" b:"$2"; do
		gcc -g -O2 -ffunction-sections -DLIMIT="${s#*:}" -c -o "orig/${s%:*}/util.o" util.c
		gcc -g -O2 -ffunction-sections -DFIX -DLIMIT="${s#*:}" -c -o "fixed/${s%:*}/util.o" util.c
	done
	gcc -Wl,--build-id -o prog main.c orig/b/util.o
}
pack() { rm -f out.hpk && "$hpbuild" pack --original orig --patched fixed --baseline prog -o out.hpk >out 2>err; }

compile 50 50
pack || fail "equal ones: $(cat err)"
expect_text out 'replaces   util '
for limit in 60 5000; do
	compile 50 $limit
	expect_exit 5 pack
	expect_text err "'a/util.o' and 'b/util.o' both fit function 'util' of the baseline .*, but not each other with the fix"
done
