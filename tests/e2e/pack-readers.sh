#!/bin/sh
# The payload image is read by tools that are not ours: readelf, eu-elflint, objdump, gdb. And the verb is reproducible.
. tests/lib/sh
need readelf
need objdump
mkdir -p "$W/orig" "$W/fixed"
for side in orig fixed; do
	def=
	[ $side = orig ] || def=-DFIX
	# shellcheck disable=SC2086
	"$CC" -g -O2 -fPIE -ffunction-sections -fdata-sections $def -c tests/live/pack-work.c -o "$W/$side/work.o"
	"$CC" -g -O2 -fPIE -ffunction-sections -c tests/live/pack-main.c -o "$W/$side/main.o"
done
"$CC" -pie -Wl,--build-id -o "$W/prog" "$W/orig/main.o" "$W/orig/work.o"
pack() { # ORIGINAL PATCHED BASELINE OUT
	"$hpbuild" pack --original "$1" --patched "$2" --baseline "$3" -o "$4" >"$W/out"
}
pack "$W/orig" "$W/fixed" "$W/prog" "$W/fix.hpk"
expect_text "$W/out" '^  proven     work.o: ([0-9]+) of \1 functions equal the baseline'
"$hpbuild" extract --unverified -o "$W/x" "$W/fix.hpk" >"$W/out" 2>"$W/err"
image=$(find "$W/x" -type f | while read -r f; do if readelf -h "$f" >/dev/null 2>&1; then echo "$f"; fi; done | head -n 1)
[ -n "$image" ] || fail "no ELF file among what extract wrote: $(find "$W/x")"

readelf -aW "$image" >"$W/readelf" 2>&1
expect_no_text "$W/readelf" '[Ww]arning|[Ee]rror'
expect_text "$W/readelf" ' \.eh_frame_hdr '
expect_text "$W/readelf" ' FUNC +LOCAL +DEFAULT +[0-9]+ work$'
readelf --debug-dump=frames "$image" >"$W/frames" 2>&1
expect_text "$W/frames" ' FDE cie='
expect_no_text "$W/frames" '[Ww]arning'
objdump -d "$image" >"$W/objdump"
expect_text "$W/objdump" '<work>:$'
expect_no_text "$W/objdump" '\(bad\)'
if command -v eu-elflint >/dev/null; then
	eu-elflint --gnu-ld "$image" >"$W/lint" 2>&1 || fail "eu-elflint: $(cat "$W/lint")"
fi
if command -v gdb >/dev/null; then
	gdb -nx -batch -ex 'info symbol work' -ex 'disassemble work' "$image" >"$W/gdb" 2>&1
	expect_text "$W/gdb" '^work in section .text'
fi

# Same bytes in another folder, with other jobs, locale and time zone, over other paths.
mkdir "$W/deep"
cp -r "$W/orig" "$W/deep/a"
cp -r "$W/fixed" "$W/deep/b"
cp "$W/prog" "$W/deep/prog"
(cd "$W/deep" && TZ=Asia/Tokyo LC_ALL=C.UTF-8 "$hpbuild" pack -j 1 --original a/ --patched ./b --baseline prog -o again.hpk >"$W/out")
cmp "$W/fix.hpk" "$W/deep/again.hpk" || fail "the package depends on folder, jobs, locale or time zone"
