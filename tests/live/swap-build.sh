#!/bin/sh
# `hpbuild build` on trees as real projects have them: libtool's pairs (foo.o and .libs/foo.o), objects out of the source tree,
# several compilation units in one object; the package patches a running process.
. tests/lib/sh
. tests/lib/live
. tests/lib/swap
can_trace
need patch
need make
swap_init
what='build'
src=$W/tree/src obj=$W/tree/obj
mkdir -p "$src" "$obj"
cat >"$src/lib.c" <<'C'
static long state = 4;
long lib_plain(long n)
{
	return n * 12345 + 6;
}
long lib_state(long n)
{
	state += n;
	return state * 10 + lib_plain(n);
}
C
cat >"$src/part.c" <<'C'
static long state = 70;
__attribute__((noinline)) static long helper(long n) { return n * 3 + state; }
long part_value(long n)
{
	return helper(n) * 5 + 1;
}
C
cat >"$src/more.c" <<'C'
static long state = 900;
__attribute__((noinline)) static long helper(long n) { return n * 7 - state; }
long more_value(long n)
{
	return helper(n) + ++state;
}
C
cat >"$src/main.c" <<'C'
#include <stdio.h>
long lib_plain(long), lib_state(long), part_value(long), more_value(long);
int main(void)
{
	long n;
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (scanf("%ld", &n) == 1)
		printf("%ld %ld %ld %ld\n", lib_plain(n), lib_state(n), part_value(n), more_value(n));
	return 0;
}
C
cat >"$W/fix.patch" <<'P'
--- a/lib.c
+++ b/lib.c
@@ -1,7 +1,7 @@
 static long state = 4;
 long lib_plain(long n)
 {
-	return n * 12345 + 6;
+	return n * 54321 + 7;
 }
 long lib_state(long n)
 {
--- a/more.c
+++ b/more.c
@@ -2,5 +2,5 @@
 __attribute__((noinline)) static long helper(long n) { return n * 7 - state; }
 long more_value(long n)
 {
-	return helper(n) + ++state;
+	return helper(n) * 1000 + ++state;
 }
P

# As libtool does: each source is compiled twice, the library is made of .libs/*.o, the archive of the others. joined.o holds
# two compilation units (ld -r).
cat >"$src/Makefile" <<'M'
O ?= .
CFLAGS = -g -O2 $(MORE)
all: $(O)/.libs/libone.so $(O)/libone.a $(O)/prog
$(O)/%.o: %.c
	@mkdir -p $(O)/.libs
	gcc $(CFLAGS) -fPIC -DPIC -c $< -o $(O)/.libs/$*.o
	gcc $(CFLAGS) -c $< -o $@ >/dev/null 2>&1
$(O)/joined.o: $(O)/part.o $(O)/more.o
	ld -r -o $@ $(O)/part.o $(O)/more.o
	ld -r -o $(O)/.libs/joined.o $(O)/.libs/part.o $(O)/.libs/more.o
$(O)/.libs/libone.so: $(O)/lib.o $(O)/joined.o
	gcc -shared -Wl,--build-id $(LDFLAGS) -o $@ $(O)/.libs/lib.o $(O)/.libs/joined.o
$(O)/libone.a: $(O)/lib.o $(O)/joined.o
	rm -f $@
	ar rcs $@ $(O)/lib.o $(O)/joined.o
$(O)/prog: $(O)/main.o $(O)/.libs/libone.so
	gcc -Wl,--build-id -o $@ $(O)/main.o -L$(O)/.libs -lone -Wl,-rpath,$(BASE)
M

# round NAME DIR MORE: build in DIR, make a package for the library that was built before, patch a process that runs it.
round() { # NAME OBJECTS MORE
	what="$1, $3"
	rm -rf "$W/base"
	mkdir "$W/base"
	make -s -C "$src" O="$2" MORE="$3" BASE="$W/base" >"$W/make.out" 2>&1 || fail "$(cat "$W/make.out")"
	cp "$src/$2/.libs/libone.so" "$src/$2/prog" "$W/base"
	"$hpbuild" build --source "$src" --objects "$src/$2" --patch "$W/fix.patch" --baseline "$W/base/libone.so" --key "$W/key.key" -o "$W/fix.hpk" \
		-- make -s O="$2" MORE="$3" BASE="$W/base" >"$W/build.out" 2>"$W/build.err" || fail "$what: $(cat "$W/build.out" "$W/build.err")"
	rm -f "$W/pipe" "$W/got"
	mkfifo "$W/pipe"
	start "$W/got" sh -c "exec '$W/base/prog' <'$W/pipe'"
	exec 3>"$W/pipe"
	echo 2 >&3
	wait_line "$W/got" '^24696 24756 381 15$' 10
	"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" 2>&1 || fail "$what: $(cat "$W/out")"
	echo 2 >&3
	wait_line "$W/got" '^108649 108729 381 -886098$' 10
	"$hpbuild" revert --pid "$pid" >"$W/out" 2>&1 || fail "$what: $(cat "$W/out")"
	echo 2 >&3
	wait_line "$W/got" '^24696 24796 381 15$' 10
	exec 3>&-
	wait_gone "$pid" 10
	make -s -C "$src" O="$2" MORE="$3" BASE="$W/base" >"$W/make.out" 2>&1 || fail "$(cat "$W/make.out")"
	rm -rf "${src:?}/.libs" "$src"/*.o "$src"/*.a "$src/prog" "$src/out" "${obj:?}"/* "$obj/.libs"
}
for more in '' '-ffunction-sections -fdata-sections'; do
	round 'in the tree' . "$more"
	round 'in a folder of the tree' out "$more"
	round 'out of the tree' ../obj "$more"
done
# The scratch folder is on another file system, where copy_file_range() does not work.
if [ -w /dev/shm ] && [ "$(stat -c %d /dev/shm)" != "$(stat -c %d "$W")" ]; then
	TMPDIR=$(mktemp -d /dev/shm/hpbuild-test-XXXXXX)
	export TMPDIR
	trap 'rm -rf "$TMPDIR"; kill_started' EXIT
	round 'scratch folder in memory' . ''
fi
