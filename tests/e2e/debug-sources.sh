#!/bin/sh
# Where the names of a stripped baseline come from: each source in its turn, found and named in the result and in the manifest;
# another build's file is refused when it was given and skipped with a note when it was only found.
. tests/lib/sh
need objcopy eu-strip xz nm python3
unset DEBUGINFOD_URLS
cat >"$W/work.c" <<'END'
static int hits;
static __attribute__((noinline)) int count(int x) { hits += x; return hits; }
int work(int x)
{
	for (int i = 0; i < x; i += 3)
		x ^= x * 0x01234567 + (i << 7) + 0x0badcafe;
	if (x == 0x7654321)
		x = x / 12345;
#ifdef FIX
	if (x > 100)
		return count(7);
#endif
	return count(x) * 5 + 2;
}
END
cat >"$W/main.c" <<'END'
int work(int);
int main(int argc, char **argv) { (void)argv; return work(argc); }
END
mkdir "$W/orig" "$W/fixed" "$W/bin"
"$CC" -g -O2 -fPIE -ffunction-sections -c "$W/work.c" -o "$W/orig/work.o"
"$CC" -g -O2 -fPIE -ffunction-sections -DFIX -c "$W/work.c" -o "$W/fixed/work.o"
"$CC" -g -O2 -fPIE -c "$W/main.c" -o "$W/main.o"
"$CC" -pie -Wl,--build-id -o "$W/full" "$W/orig/work.o" "$W/main.o"
"$CC" -pie -Wl,--build-id=0x0102030405060708 -o "$W/other" "$W/orig/work.o" "$W/main.o"
objcopy --only-keep-debug "$W/full" "$W/full.debug"
objcopy --only-keep-debug "$W/other" "$W/other.debug"
prog=$W/bin/prog
id=$(readelf -n "$W/full" | sed -n 's/.*Build ID: //p')
file=.build-id/$(echo "$id" | cut -c 1-2)/$(echo "$id" | cut -c 3-).debug

pack() {
	"$hpbuild" pack --json --original "$W/orig" --patched "$W/fixed" --baseline "$prog" "$@" -o "$W/fix.hpk" >"$W/out" 2>"$W/err"
}

# from SOURCE PACK-OPTIONS...: packed, with names from there.
from() {
	source=$1
	shift
	pack "$@" || fail "$source: $(cat "$W/err")"
	expect_text "$W/out" "\"symbols\": \"$source\""
	"$hpbuild" inspect --unverified "$W/fix.hpk" >"$W/shown" 2>/dev/null
	expect_text "$W/shown" "symbols from +$source\$"
}

# bare: a stripped program without any link.
bare() {
	rm -rf "${prog%/*}"
	mkdir "${prog%/*}"
	strip -o "$prog" "$W/full"
}

# The module's own table, and none.
cp "$W/full" "$prog"
from symtab
bare
from dynsym # work() is long enough to be found by its bytes, and shows where the rest is

# --debug-file beats all others.
mkdir -p "$W/dir/$(dirname "$file")"
cp "$W/full.debug" "$W/dir/$file"
from debug-file --debug-file "$W/full.debug" --debug-dir "$W/dir"
expect_exit 5 pack --debug-file "$W/other.debug" --debug-dir "$W/dir"
expect_text "$W/err" "debug file '.*other.debug' belongs to another build"

# .build-id/ in a folder that was named; another build's file there is skipped.
from build-id --debug-dir "$W/nothing" --debug-dir "$W/dir"
mkdir -p "$W/wrong/$(dirname "$file")"
cp "$W/other.debug" "$W/wrong/$file"
from dynsym --debug-dir "$W/wrong"
expect_text "$W/err" "'.*/wrong/.*' skipped: it belongs to another build"
from build-id --debug-dir "$W/wrong" --debug-dir "$W/dir"
objcopy --remove-section=.note.gnu.build-id "$W/full.debug" "$W/wrong/$file"
from dynsym --debug-dir "$W/wrong"
expect_text "$W/err" 'skipped: it has no build ID'
head -c 900 "$W/full.debug" >"$W/wrong/$file"
from dynsym --debug-dir "$W/wrong"
expect_text "$W/err" 'skipped: it is no ELF file that can be read'
strip -g -o "$W/wrong/$file" "$W/full"
strip -s "$W/wrong/$file"
from dynsym --debug-dir "$W/wrong"
expect_text "$W/err" 'skipped: it has no symbol table'

# .gnu_debuglink: in the three places where gdb looks; by GNU and by elfutils' tools.
link() { # FILE
	bare
	(cd "$W" && cp full.debug prog.debug && objcopy --add-gnu-debuglink=prog.debug "$prog")
	mkdir -p "$(dirname "$1")"
	cp "$W/full.debug" "$1"
}
link "$W/bin/prog.debug"
from debuglink
ln -s bin/prog "$W/link" # the file's own folder counts, not the link's
"$hpbuild" pack --json --original "$W/orig" --patched "$W/fixed" --baseline "$W/link" -o "$W/fix.hpk" >"$W/out"
expect_text "$W/out" '"symbols": "debuglink"'
link "$W/bin/.debug/prog.debug"
from debuglink
link "$W/tree$(realpath "$W")/bin/prog.debug"
from dynsym
from debuglink --debug-dir "$W/tree"
bare
eu-strip -f "$W/bin/eu.debug" -o "$prog" "$W/full"
from debuglink
expect_no_text "$W/err" skipped
printf x >>"$W/bin/eu.debug"
from dynsym
expect_text "$W/err" "eu.debug' skipped: its checksum is not the one in .gnu_debuglink"
expect_no_text "$W/out" eu.debug
from build-id --debug-dir "$W/dir" # the next in the order
# The right sum, but another build.
bare
cp "$W/other.debug" "$W/prog.debug"
cp "$W/other.debug" "$W/bin/prog.debug"
(cd "$W" && objcopy --add-gnu-debuglink=prog.debug "$prog")
from dynsym
expect_text "$W/err" "prog.debug' skipped: it belongs to another build"

# .gnu_debugdata: what Fedora's find-debuginfo makes: an ELF file with the functions that .dynsym lacks, compressed by xz.
mini() { # FILE: into the program
	xz -k -f "$1"
	bare
	objcopy --add-section ".gnu_debugdata=$1.xz" "$prog"
}
nm --format=posix --defined-only "$W/full" | sed -n 's/ [tTD] .*//p' >"$W/keep"
objcopy -S --remove-section .comment --keep-symbols="$W/keep" "$W/full.debug" "$W/mini"
mini "$W/mini"
from gnu_debugdata
from build-id --debug-dir "$W/dir"
cp "$prog" "$W/bin/damaged"
python3 - "$W/mini.xz" <<'END'
import sys
b = bytearray(open(sys.argv[1], 'rb').read())
b[len(b) // 2] ^= 1
open(sys.argv[1], 'wb').write(b)
END
bare
objcopy --add-section ".gnu_debugdata=$W/mini.xz" "$prog"
from dynsym
expect_text "$W/err" '.gnu_debugdata skipped: it is damaged or too large'
objcopy -S --remove-section .comment --keep-symbols="$W/keep" "$W/other.debug" "$W/mini"
mini "$W/mini"
from dynsym
expect_text "$W/err" '.gnu_debugdata. skipped: it belongs to another build'
# It may lack functions: one that it does not name is not "dropped by the linker", it is looked for.
grep -v '^work$' "$W/keep" >"$W/keep2"
objcopy -S --remove-section .comment --keep-symbols="$W/keep2" "$W/full.debug" "$W/mini"
mini "$W/mini"
from gnu_debugdata
expect_text "$W/out" '"name": "work"'
expect_text "$W/out" '"dropped": \[\]'
# A bomb: 100 MB of zeros are 15 kB.
head -c 100000000 /dev/zero | xz -9 >"$W/bomb.xz"
bare
objcopy --add-section ".gnu_debugdata=$W/bomb.xz" "$prog"
from dynsym
expect_text "$W/err" 'too large'

# A debuginfod server is asked only when that is wanted, and says what it lacks.
bare
mkdir -p "$W/www/buildid/$id" "$W/cache"
cp "$W/full.debug" "$W/www/buildid/$id/debuginfo"
start "$W/server" python3 -u -c '
import functools, http.server, sys
h = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
s = http.server.HTTPServer(("127.0.0.1", 0), h)
print("port", s.server_port)
s.serve_forever()' "$W/www"
wait_line "$W/server" '^port' 20
port=$(sed -n 's/^port //p' "$W/server")
export DEBUGINFOD_CACHE_PATH="$W/cache" DEBUGINFOD_URLS="http://127.0.0.1:$port/" no_proxy=127.0.0.1
from dynsym
expect_no_text "$W/server" buildid
from debuginfod --debuginfod
expect_text "$W/server" "GET /buildid/$id/debuginfo"
from build-id --debuginfod --debug-dir "$W/dir"
rm -rf "$W/cache" "$W/www/buildid"
from dynsym --debuginfod
expect_text "$W/err" 'debuginfod: no server has the debug file'
mkdir -p "$W/www/buildid/$id"
cp "$W/other.debug" "$W/www/buildid/$id/debuginfo"
rm -rf "$W/cache"
from dynsym --debuginfod
expect_text "$W/err" 'skipped: it belongs to another build'
rm -rf "$W/cache"
export DEBUGINFOD_URLS=http://127.0.0.1:1/ DEBUGINFOD_TIMEOUT=5
expect_exit 1 pack --debuginfod
expect_text "$W/err" 'no debuginfod server of .* gives an answer'
unset DEBUGINFOD_URLS
expect_exit 1 pack --debuginfod
expect_text "$W/err" 'DEBUGINFOD_URLS names no server'
export DEBUGINFOD_URLS=http://127.0.0.1:1/
mkdir "$W/lib"
: >"$W/lib/libdebuginfod.so.1"
export LD_LIBRARY_PATH="$W/lib"
expect_exit 1 pack --debuginfod
expect_text "$W/err" "needs libdebuginfod.so.1 \(Debian: libdebuginfod1\)"
