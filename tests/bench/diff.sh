#!/usr/bin/env bash
# The differ: (a) two identical trees against cmp; (b) one changed object among thousands; (c) SQLite with debug information and an
# object ten times as large; (d) kpatch's create-diff-object or SysCare's upatch-diff, when CREATE_DIFF_OBJECT or UPATCH_DIFF is its
# path, on SQLite and on each changed object of the corpus, by size; (e) abidiff, where it is installed, on a type that changed. SQLITE_C: a sqlite3.c; else Debian's source package is fetched. Run through tests/bench/run.
set -eu
d=$B/hpbuild
need() {
	local cmd
	for cmd; do command -v "$cmd" >/dev/null || { echo "skip: $cmd is not installed" && exit 0; }; done
}
need gcc python3 cmp
race() { python3 tests/lib/race.py "$@"; }
few=$(((RUNS + 2) / 3))

sqlite_source() {
	local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	[ -z "${SQLITE_C:-}" ] || { cp "$SQLITE_C" "$W/sqlite3.c" && return 0; }
	command -v dpkg-source >/dev/null && mkdir -p "$W/dl" "$W/lists/partial" || return 1
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' | sort -u |
		awk -v k="$([ -e $keyring ] && echo "[signed-by=$keyring] ")" '$2 ~ /^bookworm/ && $1 ~ /debian/ { print "deb-src " k $0 }' \
			>"$W/src.list"
	(cd "$W/dl" && for verb in update 'source --only-source --download-only sqlite3'; do
		# shellcheck disable=SC2086
		apt-get -qq -o "Dir::Etc::sourcelist=$W/src.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$W/lists" \
			-o APT::Sandbox::User=root $verb
	done && dpkg-source --no-check -x sqlite3_*.dsc src) >"$W/apt.log" 2>&1 || return 1
	(cd "$W/dl/src" && ./configure && make sqlite3.c) >>"$W/apt.log" 2>&1 && cp "$W/dl/src/sqlite3.c" "$W/sqlite3.c"
}

mkdir -p "$W/t/old" "$W/t/new" "$W/s/old" "$W/s/new" "$W/l/old" "$W/l/new"
echo "(a) two identical trees: 2000 objects; bar: cmp takes at least 1/1.3 = 0.77 x"
awk 'BEGIN { for (i = 0; i < 100; i++) printf "int g%d(int); int f%d(int x) { return g%d(x + %d) * %d; }\n", i, i, i, i, i }' >"$W/m.c"
gcc -g -O2 -ffunction-sections -c "$W/m.c" -o "$W/m.o"
for i in $(seq 2000); do cp "$W/m.o" "$W/t/old/m$i.o"; done
cp -r "$W/t/old/." "$W/t/new"
echo "    $(du -sm "$W/t/old" | cut -f1) MB a side"
race "$few" "$d diff -j1 $W/t/old $W/t/new" "for f in $W/t/old/*; do cmp \$f $W/t/new/\${f##*/}; done" "diff -rq $W/t/old $W/t/new"

echo "(b) one changed object among 2000"
sed 's/+ 7)/+ 8)/' "$W/m.c" >"$W/m2.c"
gcc -g -O2 -ffunction-sections -c "$W/m2.c" -o "$W/t/new/m1000.o"
race "$few" "$d diff -j1 $W/t/old $W/t/new" "$d diff -j2 $W/t/old $W/t/new" "$d diff -j1 $W/t/old/m1000.o $W/t/new/m1000.o"

if sqlite_source; then
	echo "(c) SQLite -g -O2, one changed function"
	cp "$W/sqlite3.c" "$W/s/new.c"
	sed 's/return SQLITE_VERSION_NUMBER;/return SQLITE_VERSION_NUMBER + 1;/' "$W/sqlite3.c" >"$W/s/new.c"
	cp "$W/sqlite3.c" "$W/s/sqlite3.c" && (cd "$W/s" && gcc -g -O2 -ffunction-sections -fdata-sections -c sqlite3.c -o old/sqlite3.o)
	cp "$W/s/new.c" "$W/s/sqlite3.c" && (cd "$W/s" && gcc -g -O2 -ffunction-sections -fdata-sections -c sqlite3.c -o new/sqlite3.o)
	for side in old new; do
		parts=
		for i in $(seq 10); do
			objcopy --prefix-symbols="c${i}_" "$W/s/old/sqlite3.o" "$W/l/c$i.o"
			parts="$parts $W/l/c$i.o"
		done
		objcopy --prefix-symbols=c5_ "$W/s/$side/sqlite3.o" "$W/l/c5.o"
		# shellcheck disable=SC2086
		ld -r --unique -o "$W/l/$side/all.o" $parts
		rm -f "$W"/l/*.o
	done
	echo "    $(stat -c %s "$W/s/new/sqlite3.o") and $(stat -c %s "$W/l/new/all.o") bytes; growth: linear = their ratio"
	race "$few" "$d diff -j1 $W/s/old/sqlite3.o $W/s/new/sqlite3.o" "$d diff -j1 $W/l/old/all.o $W/l/new/all.o"
	if [ -n "${CREATE_DIFF_OBJECT:-}" ]; then
		echo "(d) create-diff-object on SQLite; bar: 50 x with debug information"
		readelf -sW "$W/s/old/sqlite3.o" >"$W/s/symtab"
		race 3 "$d diff -j1 $W/s/old/sqlite3.o $W/s/new/sqlite3.o" \
			"$CREATE_DIFF_OBJECT $W/s/old/sqlite3.o $W/s/new/sqlite3.o vmlinux $W/s/symtab /dev/null fix $W/s/out.o"
	fi
	if command -v abidiff >/dev/null; then
		echo "(e) abidiff, SQLite with a new member in struct sqlite3; ours also compares the code; bar: 10 x"
		mkdir -p "$W/s/type"
		sed 's/^struct sqlite3 {/&\n  int added;/' "$W/sqlite3.c" >"$W/s/type/sqlite3.c"
		for side in old type; do
			[ $side = type ] || cp "$W/sqlite3.c" "$W/s/sqlite3.c"
			(cd "$W/s/$([ $side = old ] && echo . || echo type)" && gcc -shared -fPIC -g -O2 -o "$W/s/$side/lib.so" sqlite3.c -lm)
		done
		(cd "$W/s/type" && gcc -g -O2 -ffunction-sections -fdata-sections -c sqlite3.c)
		race 3 "$d diff -j1 $W/s/old/sqlite3.o $W/s/type/sqlite3.o" "abidiff $W/s/old/lib.so $W/s/type/lib.so"
	else
		echo "(e) skipped: abidiff (package abigail-tools) is not installed"
	fi
else
	echo "(c) skipped: no source of SQLite (set SQLITE_C)"
fi

if [ -n "${UPATCH_DIFF:-}${CREATE_DIFF_OBJECT:-}" ] && [ -d "${HP_SHARED:-}/corpus/cases" ]; then
	echo "(d) the changed objects of the corpus; bar: 10 x in the median; an empty process costs /bin/true"
	for case in "$HP_SHARED"/corpus/cases/*/; do
		c=$W/c/$(basename "$case")
		mkdir -p "$c"
		zstd -dc --long=27 "$case/objects.tar.zst" | tar -x -C "$c"
		(cd "$c/orig" && find . -name '*.o') | while read -r o; do
			[ -f "$c/patched/$o" ] && ! cmp -s "$c/orig/$o" "$c/patched/$o" || continue
			"$d" diff "$c/orig/$o" "$c/patched/$o" >/dev/null || [ $? -eq 4 ] || continue
			echo "  ${c##*/} $o $(stat -c %s "$c/orig/$o") bytes"
			readelf -sW "$c/orig/$o" >"$W/c/symtab"
			race 3 "$d diff -j1 $c/orig/$o $c/patched/$o" /bin/true \
				${UPATCH_DIFF:+"$UPATCH_DIFF -s $c/orig/$o -p $c/patched/$o -o $W/u.o -r $c/orig/$o"} \
				${CREATE_DIFF_OBJECT:+"$CREATE_DIFF_OBJECT $c/orig/$o $c/patched/$o vmlinux $W/c/symtab /dev/null fix $W/u.o"}
		done
	done
fi
