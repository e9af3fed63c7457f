#!/bin/bash
# long
# limit: 1200
# The projects' own test suites on the corpus' fixes (HP_SHARED): the vulnerable build, patched by `hpbuild run` before its first
# instruction, gives the same results as the fixed build. Needs the archives (sources with their tests).
. tests/lib/sh
. tests/lib/live
. tests/lib/archive
need zstd tclsh
can_trace
corpus=${HP_SHARED:-../shared}/corpus/cases
[ -d "$corpus" ] || skip "no corpus at $corpus"
"$hpbuild" keygen --no-passphrase -o "$W/key" >/dev/null 2>&1

open_archive

# unpack CASE: its two builds to $W/CASE, its source package to $W/CASE/source.
unpack() {
	mkdir "$W/$1"
	zstd -dcq --long=27 "$corpus/$1/objects.tar.zst" | tar -x -C "$W/$1"
	source_of "$corpus/$1" "$W/$1/source"
}

# wrap NAME PROGRAM: $W/NAME runs PROGRAM with the package applied.
wrap() {
	printf '#!/bin/sh\nexec "%s" run --trust "%s" --package "%s" -- "%s" "$@"\n' "$hpbuild" "$W/key.pub" "$W/fix.hpk" "$2" >"$W/$1"
	chmod +x "$W/$1"
}

# package CASE BASELINE
package() {
	"$hpbuild" pack --original "$W/$1/orig" --patched "$W/$1/patched" --baseline "$2" -o "$W/fix.hpk" >"$W/out" 2>"$W/err" ||
		fail "$1: $(cat "$W/err")"
	"$hpbuild" sign --key "$W/key.key" "$W/fix.hpk" >"$W/out" 2>&1
}

# same NAME FIXED PATCHED LINE: both results are equal, and have this line.
same() {
	cmp "$2" "$3" || fail "$1: $(diff "$2" "$3" | head -n 10)"
	expect_text "$3" "$4"
	printf '%-12s %s\n' "$1" "$(grep -E "$4" "$3" | tail -n 1)"
}

# Tests in programs that use the shared library.
cjson() {
	local c=$W/cjson-CVE-2025-57052 side t
	unpack "${c##*/}"
	package "${c##*/}" "$c/orig/_bin/libcjson_utils.so.1.7.15"
	for side in orig patched; do
		ln -s libcjson.so.1.7.15 "$c/$side/_bin/libcjson.so.1"
		ln -s libcjson_utils.so.1.7.15 "$c/$side/_bin/libcjson_utils.so.1"
	done
	cd "$c/source/tests"
	for t in json_patch_tests misc_utils_tests old_utils_tests; do
		"$CC" -w -O1 -Iunity/src -o "$c/$t" $t.c unity/src/unity.c "$c"/patched/_bin/*.so.1 -lm
		wrap patched "$c/$t"
		LD_LIBRARY_PATH=$c/patched/_bin "$c/$t" >"$W/fixed.$t" 2>&1 || :
		LD_LIBRARY_PATH=$c/orig/_bin "$W/patched" >"$W/patched.$t" 2>&1 || :
		same "cjson $t" "$W/fixed.$t" "$W/patched.$t" '^[1-9][0-9]* Tests [0-9]+ Failures'
	done
	cd "$TOP"
}

# Tests that are linked with the library's objects.
expat() {
	local c=$W/expat-CVE-2024-45490 side
	unpack "${c##*/}"
	cd "$c/source/expat"
	printf '#define XML_CONTEXT_BYTES 1024\n#define XML_DTD 1\n#define XML_NS 1\n#define BYTEORDER 1234\n#define HAVE_GETRANDOM 1\n' >expat_config.h
	for side in orig patched; do
		"$CC" -w -O1 -I. -Ilib -DHAVE_EXPAT_CONFIG_H -DXML_TESTING -Wl,--build-id -o "$c/runtests.$side" \
			tests/{runtests,minicheck,chardata,structdata,memcheck}.c "$c/$side"/lib/.libs/*.o
	done
	package "${c##*/}" "$c/runtests.orig"
	wrap patched "$c/runtests.orig"
	"$c/runtests.patched" -v >"$W/fixed.expat" 2>&1 || :
	"$W/patched" -v >"$W/patched.expat" 2>&1 || :
	same 'expat' "$W/fixed.expat" "$W/patched.expat" 'Checks: [1-9][0-9]*, Failed: 0'
	cd "$TOP"
}

yajl() {
	local c=$W/yajl-CVE-2022-24795 side run
	unpack "${c##*/}"
	package "${c##*/}" "$c/orig/_bin/libyajl.so.2"
	cd "$c/source"
	mkdir -p include/yajl
	cp src/api/*.h include/yajl
	"$CC" -w -O1 -Iinclude -o "$c/yajl_test" test/parsing/yajl_test.c "$c/patched/_bin/libyajl.so.2"
	wrap yajl_test "$c/yajl_test"
	cd test/parsing
	for side in orig patched; do
		run=$c/yajl_test
		[ $side = patched ] || run=$W/yajl_test
		LD_LIBRARY_PATH=$c/$side/_bin sh ./run_tests.sh "$run" 2>&1 | grep -v '^using test binary' >"$W/$side.yajl" || :
	done
	same yajl "$W/patched.yajl" "$W/orig.yajl" 'tests successful'
	cd "$TOP"
}

# The server under its Tcl suite, which starts it many times.
redis() {
	local c=$W/redis-CVE-2025-32023 side
	unpack "${c##*/}"
	package "${c##*/}" "$c/orig/_bin/redis-server"
	mv "$c/source" "$W/r" # for the names of its sockets, which have a limit
	cd "$W/r"
	for side in orig patched; do
		wrap redis-server "$c/orig/_bin/redis-server"
		cp "$W/redis-server" src/redis-server
		[ $side = orig ] || cp "$c/patched/_bin/redis-server" src/redis-server
		./runtest --single unit/hyperloglog --single unit/type/string --single unit/keyspace --clients 2 >"$W/log" 2>&1 || :
		# What was tested, without times and ports.
		sed 's/\x1b\[[0-9;]*m//g' "$W/log" | sed -n 's/ ([0-9.]* [a-z]*)$//; /^\[\(ok\|err\|exception\)\]/p' | sort >"$W/$side.redis"
		sed 's/\x1b\[[0-9;]*m//g' "$W/log" | grep -o 'All tests passed without errors' >>"$W/$side.redis" || fail "redis ($side): $(tail -n 30 "$W/log")"
	done
	same redis "$W/patched.redis" "$W/orig.redis" 'All tests passed without errors'
	grep -c '^\[ok\]' "$W/orig.redis" | sed 's/^/             tests of redis: /'
	cd "$TOP"
}

for suite in cjson expat yajl redis; do
	ls -d "$corpus/$suite-"* >/dev/null 2>&1 || continue
	$suite
done
