#!/bin/sh
# Size: a function beyond 64 KiB, 500 changed functions in 10 files, a large table; in one package, on one process.
. tests/lib/sh
. tests/lib/live
. tests/lib/swap
can_trace
swap_init
S='-ffunction-sections -fdata-sections'

# generate FILE: 50 changed functions that call each other and read a table of the file.
generate() {
	awk -v f="$1" 'BEGIN {
		print "#ifdef FIX\n# define D 1000\n#else\n# define D 10\n#endif"
		printf "static long v%d[64];\n", f
		for (i = 0; i < 50; i++) {
			printf "long f%d_%d(long n);\n", f, i
			printf "APART long f%d_%d(long n) { v%d[%d] += n; return n * %d + D + v%d[%d]%s; }\n", f, i, f, i, i + 3, f, i,
				(i > 0) ? sprintf(" + f%d_%d(n + 1)", f, i - 1) : ""
		}
	}'
}
for f in 0 1 2 3 4 5 6 7 8 9; do
	generate $f >"$W/text"
	scenario "many$f.c" <"$W/text"
done
{
	for f in 0 1 2 3 4 5 6 7 8 9; do echo "long f${f}_49(long n);"; done
	echo 'long many(long n) { return 0'
	for f in 0 1 2 3 4 5 6 7 8 9; do echo "+ f${f}_49(n + $f)"; done
	echo '; }'
} >"$W/text"
scenario many <"$W/text"
awk 'BEGIN {
	print "static volatile long sink[8];\n__attribute__((optimize(\"O0\"))) APART static long body(long n) {\n\tlong r = n;"
	for (i = 0; i < 1600; i++)
		printf "\tif (sink[%d] == n + %d) r += %d; sink[%d] = r ^ %d;\n", i % 8, i * 7, i, (i + 3) % 8, i * 3
	print "#ifdef FIX\n\tr += 12345;\n#endif"
	print "\treturn r;\n}\nlong huge(long n) { return body(n); }"
}' >"$W/text"
scenario huge <"$W/text"
swap gcc "-O1 $S" pie ''
size=$(nm -S "$W/orig/prog" | sed -n 's/^[0-9a-f]* \([0-9a-f]*\) t body$/\1/p')
[ $((0x$size)) -gt 65536 ] || fail "body() has only 0x$size bytes"
expect_text "$W/pack.out" 'replaces +f9_49 '
[ "$(grep -c '^  replaces' "$W/pack.out")" -eq 501 ] || fail "not 501 functions: $(grep -c '^  replaces' "$W/pack.out")"
sed -n 's/^paused/&/p' "$W/apply.out"
STRIP=1 swap gcc -O1 shared ''
