#!/bin/sh
# `hpbuild build` of a tree compiled with -flto: its objects hold no code to prove or to take; the first is refused by name, the
# sources are as before and nothing is written.
. tests/lib/sh
need patch make
mkdir "$W/src"
printf 'int scale(int v) { return v * 12345 + 6; }\n' >"$W/src/scale.c"
printf 'int scale(int v);\nint main(int argc, char **argv) { (void)argv; return scale(argc); }\n' >"$W/src/main.c"
cat >"$W/fix.patch" <<'END'
--- a/scale.c
+++ b/scale.c
@@ -1 +1 @@
-int scale(int v) { return v * 12345 + 6; }
+int scale(int v) { return v * 54321 + 7; }
END
cp "$W/src/scale.c" "$W/scale.c"

# try CC FLAGS...
try() {
	# shellcheck disable=SC2016 # for make
	printf 'CC = %s\nCFLAGS = %s\nprog: main.o scale.o\n\t$(CC) $(CFLAGS) -Wl,--build-id -o $@ $^\n' "$1" "$2" >"$W/src/Makefile"
	rm -f "$W/src"/*.o "$W/src/prog"
	make -s -C "$W/src" >"$W/log" 2>&1 || {
		echo "left out: $1 $2: $(tail -n 1 "$W/log")"
		return 0
	}
	cp "$W/src/prog" "$W/prog"
	rm -f "$W/src"/*.o
	expect_exit "$3" "$hpbuild" build --patch "$W/fix.patch" --source "$W/src" --baseline "$W/prog" -o "$W/fix.hpk" \
		-- make -s prog >"$W/out" 2>"$W/err"
	cmp "$W/scale.c" "$W/src/scale.c"
	tried=$((tried + 1))
}

tried=0
for flags in '-O2 -flto' '-O2 -flto -ffat-lto-objects'; do
	try gcc "$flags" 7
	expect_text "$W/err" "'scale.o'.*-flto"
	[ ! -e "$W/fix.hpk" ] || fail 'a package was written'
done
if command -v clang >/dev/null && command -v ld.lld >/dev/null; then
	try clang '-O2 -flto -fuse-ld=lld' 7
	expect_text "$W/err" "scale.o'.*-flto"
fi
[ "$tried" -ge 2 ] || fail 'nothing could be built'
# The same without it.
try gcc -O2 0
[ -s "$W/fix.hpk" ] || fail 'no package'
