#!/bin/sh
# A static function is not the global one of the same name that another object exports: in a stripped module only .dynsym has that name. The
# object is proven at its own address all the same, and a fix that calls the static function calls that one.
. tests/lib/sh
need strip nm

cat >"$W/other.c" <<'END'
int compare(const int *a, const int *b) { return *a - *b; }
int other(const int *a) { return compare(a, a + 1) * 7; }
END
cat >"$W/own.c" <<'END'
__attribute__((noinline)) static int compare(const int *a, const int *b) { return *a - *b; }
int (*volatile by_pointer)(const int *, const int *);
int use(const int *a, int n)
{
	int sum = LIMIT;
	by_pointer = compare;
	for (int i = 0; i + 1 < n; i++)
		sum += compare(a + i, a + i + 1) > 0 ? i * 3 : -i;
	return sum;
}
END
printf 'int other(const int *), use(const int *, int);\nint main(void) { int a[3] = { 3, 2, 1 }; return other(a) + use(a, 3); }\n' >"$W/main.c"
mkdir "$W/o" "$W/p"
for sections in '' -ffunction-sections; do
	flags="-g -O1 -fPIC -DLIMIT=10 $sections"
	# shellcheck disable=SC2086
	for f in other own main; do "$CC" $flags -c -o "$W/o/$f.o" "$W/$f.c"; done
	# shellcheck disable=SC2086
	"$CC" $flags -ULIMIT -DLIMIT=20 -c -o "$W/p/own.o" "$W/own.c"
	"$CC" -rdynamic -Wl,--build-id -o "$W/prog" "$W/o/other.o" "$W/o/own.o" "$W/o/main.o"
	strip -o "$W/stripped" "$W/prog"
	own=$(nm "$W/prog" | sed -n 's/^0*\([0-9a-f]*\) t compare$/\1/p')
	for module in prog stripped; do
		"$B/tests/lib/proveall" "$W/$module" "$W/o/own.o" >"$W/out"
		expect_text "$W/out" '^proven use '
		expect_text "$W/out" "^(proven|weak) compare $own "
	done
	rm -rf "$W/q" && mkdir "$W/q" && cp "$W/o/own.o" "$W/q/own.o"
	"$hpbuild" pack --original "$W/q" --patched "$W/p" --baseline "$W/stripped" -o "$W/fix.hpk" >"$W/out" 2>"$W/err" ||
		fail "pack: $(cat "$W/err")"
	"$hpbuild" pack --json --original "$W/q" --patched "$W/p" --baseline "$W/prog" -o "$W/fix2.hpk" >"$W/out" 2>"$W/err"
	"$hpbuild" extract --unverified -o "$W/x1" "$W/fix.hpk" >"$W/out" 2>&1
	"$hpbuild" extract --unverified -o "$W/x2" "$W/fix2.hpk" >"$W/out" 2>&1
	for f in "$W"/x1/*fixups*; do cmp "$f" "$W/x2/${f##*/}" || fail "other addresses without symbols ($sections)"; done
	rm -rf "$W/x1" "$W/x2"
done
