#!/bin/sh
# The archive of the libraries defines only hp_* names for others, and no variable that can change.
. tests/lib/lint

case $B in *-san*) skip 'a sanitizer adds names of its own' ;; esac
need nm objdump ar

# archive FILE: problems in one archive.
archive() {
	nm -A -g --defined-only "$1" | awk '$NF !~ /^hp_[a-z0-9_]+$/ && NF > 2 { print $1 " " $NF ": exported, but not called hp_*" }'
	objdump -t "$1" | awk '/file format/ { o = $1 } $0 ~ / O \.t?(data|bss)\t/ { print o " " $NF ": a variable that can change (" $(NF - 2) ")" }'
	ar t "$1" | sort | uniq -d | sed 's|$|: two members of the archive have this name|'
}

make_archive() { # SOURCE
	printf '%s\n' "$1" >"$W/m.c"
	"$CC" -O1 -c -o "$W/m.o" "$W/m.c"
	rm -f "$W/m.a"
	ar rcsD "$W/m.a" "$W/m.o"
	archive "$W/m.a" >"$W/m.out"
}
make_archive 'int helper(void) { return 1; }'
expect_text "$W/m.out" 'helper: exported'
make_archive 'int hp_f(void) { static int calls; return ++calls; }'
expect_text "$W/m.out" 'calls.*can change'
make_archive 'int hp_level = 3;'
expect_text "$W/m.out" 'hp_level: a variable'
make_archive 'static int g(void) { return 1; } int hp_f(void) { static const char *const t[] = { "a", "b" }; return g() + (t[hp_f()] != 0); }'
[ ! -s "$W/m.out" ] || fail "refuses a good archive: $(cat "$W/m.out")"

check() {
	archive "$B/libhp.a"
}
lint
