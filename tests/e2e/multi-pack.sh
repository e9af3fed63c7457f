#!/bin/sh
# One package for several modules: which object goes where, and every way in which it must say no.
. tests/lib/sh
mkdir "$W/src" "$W/orig" "$W/fixed"
cd "$W/src"
CC="gcc -fPIC -g -O2"
mkdir t

# prog = main + util, tool = tool_main + util, libx = x + util; t/check.o is in none. Both programs have a file main.c.
mkdir prog tool
cat >prog/main.c <<'C'
#include "../inline.h"
int util(int), x_call(int);
__attribute__((noinline)) static int step(int n) { return n * BY + inlined(n); }
int main(int argc, char **argv) { return step(argc) + util(argc) + x_call(argc); }
C
cat >tool/main.c <<'C'
int util(int);
int main(int argc, char **argv) { return util(argc) ^ argc; }
C
cat >x.c <<'C'
#include "inline.h"
int util(int);
__attribute__((noinline)) static int step(int n) { return n * BY * 3 - inlined(n + 1); }
int x_call(int n) { return step(n) + util(n) * 2; }
C
cat >inline.h <<'C'
#ifdef FIX
# define BY 11
#else
# define BY 13
#endif
__attribute__((noinline, unused)) static int inlined(int n)
{
	int sum = 17;
	for (int i = 0; i < n; i++)
		sum = sum * 33 ^ i;
	return sum;
}
C
cat >util.c <<'C'
#ifdef FIX
# define LIMIT 100
#else
# define LIMIT 1000
#endif
__attribute__((visibility("hidden"))) int util(int n) { return n > LIMIT ? LIMIT : n * 7; }
C
cat >t/check.c <<'C'
#include "../inline.h"
int main(int argc, char **argv) { return inlined(argc) * BY; }
C
compile() { # DIR FLAGS...
	dir=$1
	shift
	for f in prog/main tool/main x util t/check; do
		mkdir -p "../$dir/$(dirname $f)"
		$CC "$@" -c -o "../$dir/$f.o" $f.c
	done
}
link() { # DIR OUT: modules from the objects of DIR
	mkdir -p "../$2"
	$CC -shared -Wl,--build-id -o "../$2/libx.so" "../$1/x.o" "../$1/util.o"
	$CC -Wl,--build-id -o "../$2/prog" "../$1/prog/main.o" "../$1/util.o" "../$2/libx.so"
	$CC -Wl,--build-id -o "../$2/tool" "../$1/tool/main.o" "../$1/util.o"
}
compile orig
compile fixed -DFIX
link orig built
compile other -O1
link other wrong
cd "$W"
P="--baseline built/prog" L="--baseline built/libx.so" T="--baseline built/tool"

pack() { # ARGS...
	rm -f out.hpk
	"$hpbuild" pack --original orig --patched fixed -o out.hpk "$@" >out 2>err
}
refused() { # CODE TEXT ARGS...
	code=$1 text=$2
	shift 2
	expect_exit "$code" pack "$@"
	expect_text err "$text"
	[ ! -e out.hpk ] || fail "a package was written: $*"
}
target() { # NAME: functions of one target, from the JSON
	python3 - "$1" <<'PY'
import json, sys
pack = json.load(open("out"))
t = [t for t in pack["targets"] if t["name"] == sys.argv[1]][0]
print(*sorted(f["name"] + ":" + f["object"] for f in t["replaced"]))
PY
}

echo '-- a fix for two modules; what is in none must be named'
# shellcheck disable=SC2086
refused 5 "'t/check.o' is part of none of the 2 baselines" $P $L
expect_text err "not in 'built/prog'.*t/check.o.*none of its functions is there"
expect_text err "not in 'built/libx.so'"
# shellcheck disable=SC2086
pack $P $L --outside 't/*' --json
[ "$(target prog)" = 'step:prog/main.o util:util.o' ] || fail "prog: $(target prog)"
[ "$(target libx.so)" = 'step:x.o util:util.o' ] || fail "libx.so: $(target libx.so)"
python3 -c 'import json; p = json.load(open("out")); assert "build_id" not in p and len(p["targets"]) == 2, p'
# shellcheck disable=SC2086
"$hpbuild" keygen --no-passphrase -o k >/dev/null && "$hpbuild" sign -q -k k.key out.hpk
# shellcheck disable=SC2086
"$hpbuild" verify --trust k.pub $P $L out.hpk >v.out
expect_no_text v.out 'NOT checked'
"$hpbuild" verify --trust k.pub $P out.hpk >v.out
expect_text v.out 'libx.so: baseline NOT checked'
expect_exit 5 "$hpbuild" verify --trust k.pub $P --baseline wrong/libx.so out.hpk >v.out 2>v.err
"$hpbuild" extract --trust k.pub -o x out.hpk >/dev/null
for f in x/payload.0.elf x/payload.1.elf; do eu-readelf -h "$f" >/dev/null || fail "$f is no ELF file"; done
grep -o '"name": "[a-z]*/[^"]*"' x/provenance.json | sort >names
for want in baseline/prog baseline/libx.so original/util.o patched/x.o; do grep -q "\"$want\"" names || fail "no $want in the provenance"; done

echo '-- one module alone is as it was'
# shellcheck disable=SC2086
pack $L --json
[ "$(target libx.so)" = 'step:x.o util:util.o' ] || fail "libx.so alone: $(target libx.so)"
python3 -c 'import json; p = json.load(open("out")); assert p["build_id"] == p["targets"][0]["build_id"], p'

echo '-- two programs with a main.c each'
# shellcheck disable=SC2086
pack $P $L $T --outside 't/*' --json
[ "$(target tool)" = 'util:util.o' ] || fail "tool: $(target tool)"

echo '-- a module that nothing concerns'
rm fixed/util.o && cp orig/util.o fixed/util.o
# shellcheck disable=SC2086
pack $P $T $L --outside 't/*'
expect_text out '^  untouched  tool: '
expect_text out '2 modules'
"$hpbuild" inspect --unverified out.hpk >i.out 2>/dev/null
[ "$(grep -c '^target' i.out)" -eq 2 ] || fail 'an untouched module is a target'
cp built/tool tool.stripped && strip tool.stripped
# shellcheck disable=SC2086
refused 5 "none of the changed objects .* is part of 'tool.stripped', as far as can be seen without its symbols" $P --baseline tool.stripped --outside '*'
(cd src && $CC -DFIX -c -o ../fixed/util.o util.c)

echo '-- a second baseline of another build, the same twice, debug files'
# shellcheck disable=SC2086
refused 5 "'(prog/main|x|util).o' is part of .*, but 'wrong/libx.so' has other code|is part of none" $P --baseline wrong/libx.so --outside 't/*'
expect_text err "function '[a-z]*'\+0x[0-9a-f]* is '.*' in the object, but '.*' in the baseline"
# shellcheck disable=SC2086
refused 2 'have the same build ID' $P $P --outside 't/*'
for m in prog libx.so; do
	objcopy --only-keep-debug built/$m $m.debug
	strip -o $m.bare built/$m
done
pack --baseline prog.bare --baseline libx.so.bare --debug-file libx.so.debug --debug-file prog.debug --outside 't/*' --json
[ "$(target prog.bare)" = 'step:prog/main.o util:util.o' ] || fail "stripped prog: $(target prog.bare)"
[ "$(target libx.so.bare)" = 'step:x.o util:util.o' ] || fail "stripped libx: $(target libx.so.bare)"
objcopy --only-keep-debug built/tool tool.debug
refused 5 "'tool.debug' has the build ID of none" --baseline prog.bare --baseline libx.so.bare --debug-file tool.debug --outside 't/*'
cp prog.debug again.debug
refused 2 'are debug files of one baseline' --baseline prog.bare --baseline libx.so.bare --debug-file prog.debug --debug-file again.debug

echo '-- stripped, no debug files: main.o and x.o share an inline function, the proof still tells them apart'
pack --baseline prog.bare --baseline libx.so.bare --outside 't/*' --json
[ "$(target prog.bare)" = 'step:prog/main.o util:util.o' ] || fail "bare prog: $(target prog.bare)"
[ "$(target libx.so.bare)" = 'step:x.o util:util.o' ] || fail "bare libx: $(target libx.so.bare)"

echo '-- stripped: a function that is too small to be seen must not be left out silently'
mkdir -p tiny/o tiny/f
(
	cd tiny
	echo 'int tiny(int v) { return v > LIMIT ? LIMIT : v; }' >tiny.c
	printf 'int tiny(int);\n__attribute__((noinline)) static int far(int n) { int s = 17; for (int i = 0; i < n; i++) s = s * 33 ^ i * BY; return s; }\n' >far.h
	printf '#include "far.h"\nint main(int c, char **v) { return far(c) + tiny(c); }\n' >main.c
	printf '#include "far.h"\nint api(int c) { return far(c + 1) * tiny(c) + 3; }\n' >lib.c
	for f in tiny main lib; do
		$CC -DLIMIT=10 -DBY=5 -c -o o/$f.o $f.c
		$CC -DLIMIT=20 -DBY=7 -c -o f/$f.o $f.c
	done
	gcc -shared -s -Wl,--build-id -o libtiny.so o/lib.o o/tiny.o
	gcc -Wl,--build-id -o tiny.full o/main.o o/tiny.o
	strip -o tiny tiny.full
)
pack_tiny() { "$hpbuild" pack --original tiny/o --patched tiny/f -o out.hpk "$@" >out 2>err; }
got=0
pack_tiny --baseline tiny/tiny --baseline tiny/libtiny.so || got=$?
case $got in
0) [ "$(grep -c 'replaces   tiny ' out)" -eq 2 ] || fail "half of the fix: $(cat out)" ;;
5) expect_text err "'tiny.o' is part of '.*'; whether it is part of '.*', too, cannot be told|too small to be told|was not found" ;;
*) fail "exit status $got: $(cat err)" ;;
esac
pack_tiny --baseline tiny/tiny.full --baseline tiny/libtiny.so || fail "with symbols: $(cat err)"
[ "$(grep -c 'replaces   tiny ' out)" -eq 2 ] || fail "half of the fix: $(cat out)"

echo '-- a new object that both use: nothing tells where it is linked'
cp -r fixed fixed.keep
cat >src/new.c <<'C'
int helper(int n) { static int calls; return n + ++calls; }
C
sed 's/^int x_call.*/int helper(int);\n__attribute__((noinline)) int x_call(int n) { return helper(step(n)) + util(n) * 2; }/' src/x.c >src/x2.c
sed 's/^int main.*/int helper(int);\nint main(int argc, char **argv) { return helper(step(argc)) + util(argc) + x_call(argc); }/' src/prog/main.c >src/prog/main2.c
(cd src && $CC -DFIX -c -o ../fixed/new.o new.c && $CC -DFIX -c -o ../fixed/x.o x2.c)
# shellcheck disable=SC2086
pack $P $L --outside 't/*' --json
python3 -c 'import json; p = json.load(open("out")); assert [f["name"] for t in p["targets"] for f in t["added"]] == ["helper"], p'
(cd src && $CC -DFIX -c -o ../fixed/prog/main.o prog/main2.c)
# shellcheck disable=SC2086
refused 4 "the new object 'new.o' is used in 'built/prog' and in 'built/libx.so'" $P $L --outside 't/*'

echo '-- what the fix changes in one module and another one would miss: refused by name; the near miss is packed'
rm -rf fixed && mkdir -p peer/src peer/o peer/f
cat >peer/src/lib.c <<'C'
#ifdef FIX
const long tab[4] = { 10, 20, 30, 40 };
#else
const long tab[4] = { 1, 2, 3, 4 };
#endif
__attribute__((noinline)) long get(long n) { static long calls; return tab[n & 3] * 7 + calls++; }
C
cat >peer/src/prog.c <<'C'
extern const long tab[4];
long get(long n);
__attribute__((noinline)) static long work(long n)
{
#ifdef READ
	return tab[n & 3] * 3 + get(n) * BY;
#else
	return tab[1] * 0 + get(n) * BY + n;
#endif
}
int main(int argc, char **argv) { return work(argc); }
C
cat >waive.json <<'C'
{ "schema": "hpbuild.waivers/1", "waivers": [ { "rule": "HP2006", "symbol": "tab", "reason": "a test", "expires": "2099-01-31" } ] }
C
peer() { # FLAGS...: both sides, and the modules
	(
		cd peer/src
		$CC -c -o ../o/lib.o lib.c && $CC -DFIX -c -o ../f/lib.o lib.c
		$CC "$@" -DBY=1 -c -o ../o/prog.o prog.c && $CC "$@" -DBY=2 -c -o ../f/prog.o prog.c
		cd ..
		$CC -shared -Wl,--build-id -o liba.so o/lib.o
		$CC -Wl,--build-id -o prog o/prog.o ./liba.so
	)
}
pack_peer() { "$hpbuild" pack --original peer/o --patched peer/f --baseline peer/prog --baseline peer/liba.so --waivers waive.json -o out.hpk >out 2>err; }
peer -DREAD
expect_exit 4 pack_peer
expect_text err "'work' refers to 'tab': data that the fix changes or adds in another module \('liba.so'\)"
peer
pack_peer

cat >peer/src/lib.c <<'C'
#ifdef FIX
VIS long added(long n) { return n * 31 + 1; }
__attribute__((noinline)) long get(long n) { static long calls; return added(n) + calls++; }
#else
__attribute__((noinline)) long get(long n) { static long calls; return n + calls++; }
#endif
C
cat >peer/src/prog.c <<'C'
long get(long n);
#if BY == 2
long added(long n) OWN;
__attribute__((noinline)) static long work(long n) { return get(n) * 2 + added(n); }
#else
__attribute__((noinline)) static long work(long n) { return get(n) + n; }
#endif
int main(int argc, char **argv) { return work(argc); }
C
both_add() { # VIS OWN
	(cd peer/src && $CC "-DVIS=$1" -DFIX -c -o ../f/lib.o lib.c && $CC "-DOWN=$2" -DBY=2 -c -o ../f/prog.o prog.c)
}
peer "-DOWN=" && both_add '' ''
pack_peer # see live/multi-added
expect_text out 'adds       added'
both_add '' '{ return n * 5 - 3; } long unused(long n)'
expect_exit 4 pack_peer
expect_text err "'get' refers to 'added': the fix adds it here and to another module, and the dynamic linker would bind both to one"
both_add '__attribute__((visibility("hidden"), noinline))' '{ return n * 5 - 3; } long unused(long n)'
pack_peer
