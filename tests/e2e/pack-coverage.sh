#!/bin/sh
# Code of the baseline that comes from no given object is listed, so that a forgotten object with an inlined copy of the flaw is
# seen; named libraries and start files do not count. --prove-all holds unchanged objects to the baseline, too.
. tests/lib/sh
need python3
cat >"$W/flaw.h" <<'END'
static inline __attribute__((always_inline)) int flaw(int x)
{
#ifdef FIX
	if (x > 1000)
		return -1;
#endif
	return x * 12345 / 7 + (x ^ 0x5a5a5a5a);
}
END
printf '#include "flaw.h"\nint in_a(int x) { return flaw(x) + 2; }\n' >"$W/a.c"
printf '#include "flaw.h"\nint in_b(int x) { return flaw(x) * 3; }\nint also_b(int x) { return x %% 77 * 991 + 0x1234567; }\n' >"$W/b.c"
printf 'int in_a(int); int in_b(int); int also_b(int);\nint main(int argc, char **argv) { (void)argv; return in_a(argc) + in_b(argc) + also_b(argc); }\n' >"$W/main.c"
build() { # FOLDER CFLAGS
	mkdir -p "$W/$1"
	for c in a b main; do
		# shellcheck disable=SC2086 # words
		"$CC" -O2 -fPIE -ffunction-sections $2 -c "$W/$c.c" -o "$W/$1/$c.o"
	done
}
build orig ''
build fixed -DFIX
"$CC" -pie -Wl,--build-id -o "$W/prog" "$W/orig/a.o" "$W/orig/b.o" "$W/orig/main.o"
strip -o "$W/stripped" "$W/prog"

pack() {
	rm -f "$W/fix.hpk"
	"$hpbuild" pack --original "$W/orig" --patched "$W/fixed" --baseline "$base" "$@" -o "$W/fix.hpk" >"$W/out" 2>"$W/err"
}
size() { # FUNCTION
	printf %d "0x$(nm -S "$W/prog" | sed -n "s/^[^ ]* \([0-9a-f]*\) T $1\$/\1/p")"
}
address() {
	nm "$W/prog" | sed -n "s/^0*\([0-9a-f]*\) T $1\$/0x\1/p"
}

# Everything is there.
base=$W/prog
pack --coverage
expect_text "$W/out" 'coverage +100.0 % of the baseline.s code is proven \(4 functions of 3 objects\), nothing is from elsewhere'
expect_no_text "$W/out" unclaimed

# b.o is forgotten: its fix would be, too.
mkdir "$W/spare"
mv "$W/orig/b.o" "$W/spare/b.o"
mv "$W/fixed/b.o" "$W/spare/b-fixed.o"
pack
expect_text "$W/out" 'bytes in 2 places are from no object \(--coverage lists them\)'
expect_no_text "$W/out" unclaimed
for list in -v --coverage; do
	pack $list
	expect_text "$W/out" "unclaimed +$(address in_b), $(size in_b) bytes of .text: in_b\$"
	expect_text "$W/out" "unclaimed +$(address also_b), $(size also_b) bytes of .text: also_b\$"
	expect_no_text "$W/out" 'unclaimed.*(_start|frame_dummy|tm_clones|in_a|main|_init|plt)'
done
pack --json
python3 - "$W/out" "$(size in_b)" "$(size also_b)" <<'END'
import json, sys
c = json.load(open(sys.argv[1]))["coverage"]
sizes = [int(x) for x in sys.argv[2:4]]
assert [u["name"] for u in sorted(c["unclaimed"], key=lambda u: u["name"])] == ["also_b", "in_b"], c
assert c["unclaimed_size"] == sum(sizes) == sum(u["size"] for u in c["unclaimed"]), c
assert c["objects"] == 2 and c["proven"] == 2 and c["startup_size"] > 0, c
assert abs(c["percent"] - 100 * c["proven_size"] / (c["proven_size"] + sum(sizes))) < 0.01, c
END
base=$W/stripped
pack --coverage
expect_text "$W/out" "unclaimed +$(address in_b), .* bytes of .text: \(no name\)\$"
base=$W/prog

# A library that was linked in, named.
ar rcs "$W/libb.a" "$W/spare/b.o"
for lib in "$W/libb.a" "$W/spare/b.o" "$W/spare"; do
	pack --coverage --library "$lib"
	expect_text "$W/out" 'nothing is from elsewhere'
done
base=$W/stripped
pack --coverage --library "$W/libb.a"
expect_text "$W/out" 'nothing is from elsewhere'
base=$W/prog
expect_exit 1 pack --library "$W/nowhere.a"
expect_text "$W/err" "library '.*nowhere.a'"

# An unchanged object that is not the baseline's.
printf 'int in_b(int x) { return x; }\nint also_b(int x) { return x %% 77 * 991 + 0x1234567; }\n' >"$W/b.c"
"$CC" -O2 -fPIE -ffunction-sections -c "$W/b.c" -o "$W/orig/b.o"
cp "$W/orig/b.o" "$W/fixed/b.o"
pack
[ -s "$W/fix.hpk" ] || fail 'nothing was written'
expect_exit 5 pack --prove-all
expect_text "$W/err" "orig/b.o': function 'in_b'\+0x0 is '.*' in the object, but '.*' in the baseline \($(address in_b)\)"
[ ! -e "$W/fix.hpk" ] || fail 'a package was written'
# Neither an object of another program nor a file that is no object is in the way.
cp "$W/spare/b.o" "$W/orig/b.o"
cp "$W/spare/b.o" "$W/fixed/b.o"
printf 'int other(int x) { return x * 31337 + 99; }\nint main(void) { return other(4); }\n' >"$W/tool.c"
"$CC" -O2 -fPIE -ffunction-sections -c "$W/tool.c" -o "$W/orig/tool.o"
cp "$W/orig/tool.o" "$W/fixed/tool.o"
echo bytecode >"$W/orig/x.o"
cp "$W/orig/x.o" "$W/fixed/x.o"
pack --prove-all
expect_text "$W/out" 'nothing is from elsewhere'
