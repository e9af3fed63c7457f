#!/usr/bin/env bash
# Packages: verify and inspect against `minisign -V` and b2sum of the same bytes; size against bsdiff, `zstd -19 --patch-from`, and a
# .deb of the module, on the corpus. Run through tests/bench/run.
set -eu
hpbuild=$B/hpbuild
unset HPBUILD_TRUST
need() {
	local cmd
	for cmd; do command -v "$cmd" >/dev/null || { echo "skip: $cmd is not installed" && exit 0; }; done
}
need minisign zstd b2sum sha512sum gcc python3

# median COMMAND...: of RUNS wall times, in microseconds; the output goes nowhere.
median() {
	local i t0 t1
	for ((i = 0; i < RUNS; i++)); do
		t0=$EPOCHREALTIME
		"$@" >/dev/null 2>&1 || { echo "bench: fails: $*" >&2 && exit 1; }
		t1=$EPOCHREALTIME
		echo $((${t1/./} - ${t0/./}))
	done | sort -n | sed -n "$(((RUNS + 1) / 2))p"
}
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

cd "$W"
"$hpbuild" keygen --no-passphrase -o k >/dev/null
mkdir -p o p
printf 'int limit(int n) { return n > 100 ? 100 : n; }\nint main(int c, char **v) { (void)v; return limit(c); }\n' >one.c
gcc -g -O2 -fno-inline -ffunction-sections -c -o o/one.o one.c
sed 's/100/50/g' one.c >two.c && mv two.c one.c
gcc -g -O2 -fno-inline -ffunction-sections -c -o p/one.o one.c
gcc -Wl,--build-id -o prog o/one.o
make_package() { # NAME ARG...
	local out=$1
	shift
	"$hpbuild" pack -q --original o --patched p --baseline prog -o "$out" "$@" >/dev/null
	"$hpbuild" sign -q --key k.key "$out"
}
make_package small.hpk
"$B/tests/lib/mkpkg" -i 33554432 -o large.hpk && "$hpbuild" sign -q --key k.key large.hpk

printf '%-24s %9s %12s %12s %12s %12s %12s\n' 'verify, median' bytes 'verify us' 'inspect us' 'minisign' b2sum sha512sum
for size in small large; do
	"$hpbuild" extract --trust k.pub --signed-part part $size.hpk >/dev/null
	"$hpbuild" sign -q --key k.key --minisig part.minisig $size.hpk
	v=$(median "$hpbuild" verify --trust k.pub $size.hpk)
	i=$(median "$hpbuild" inspect --trust k.pub $size.hpk)
	m=$(median minisign -V -p k.pub -m part)
	b=$(median b2sum part)
	s=$(median sha512sum part)
	printf '%-24s %9d %12d %12d %12d %12d %12d\n' "$size" "$(stat -c %s $size.hpk)" "$v" "$i" "$m" "$b" "$s"
	printf '%-24s %9s verify / minisign -V %s, verify / b2sum %s, verify / sha512sum %s, inspect / minisign -V %s\n' '  ratios' '' \
		"$(ratio "$v" "$m")" "$(ratio "$v" "$b")" "$(ratio "$v" "$s")" "$(ratio "$i" "$m")"
done

corpus=$HP_SHARED/corpus/cases
[ -d "$corpus" ] || { echo 'skip: no corpus (HP_SHARED)' && exit 0; }
command -v bsdiff >/dev/null || echo 'bsdiff is not installed: its column is empty'
printf '\n%-24s %8s %8s %8s %8s %8s %8s %8s %9s\n' 'size, bytes' module .deb bsdiff zstd-19 payload code package payload/
printf '%-24s %8s %8s %8s %8s %8s %8s %8s %9s\n' '(stripped module)' '' '' '' --patch '' '' whole 'best peer'

deb_of() { # MODULE: size of a package that holds it alone
	rm -rf deb && mkdir -p deb/DEBIAN deb/usr/lib && cp "$1" deb/usr/lib/module
	printf 'Package: module\nVersion: 1\nArchitecture: amd64\nMaintainer: x <x@example.org>\nDescription: x\n' >deb/DEBIAN/control
	dpkg-deb -Zxz --root-owner-group -b deb m.deb >/dev/null && stat -c %s m.deb
}
one() { # CASE MODULE
	local name=$1 module=$2 orig patched bs='' z payload code whole best deb=''
	[ -d "$corpus/$name" ] || return 0
	rm -rf case && mkdir case
	zstd -dcq --long=27 "$corpus/$name/objects.tar.zst" | tar -x -C case
	orig=case/m.orig patched=case/m.patched
	strip -o $orig "case/orig/_bin/$module" && strip -o $patched "case/patched/_bin/$module"
	if ! "$hpbuild" pack --json --original case/orig --patched case/patched --baseline "case/orig/_bin/$module" \
		--patch "$corpus/$name/fix.patch" -o fix.hpk >pack.json 2>err; then
		printf '%-24s %8d not packed: %s\n' "$name" "$(stat -c %s $patched)" "$(grep -o 'error: .*\|refused.*' err | head -n 1 | cut -c 1-80)"
		return 0
	fi
	zstd -q -f -19 --long=27 --patch-from=$orig $patched -o z.out 2>err && z=$(stat -c %s z.out)
	if command -v bsdiff >/dev/null; then bsdiff $orig $patched bs.out && bs=$(stat -c %s bs.out); fi
	if command -v dpkg-deb >/dev/null; then deb=$(deb_of $patched); fi
	payload=$(python3 tests_reader fix.hpk)
	code=$(python3 -c 'import json; print(json.load(open("pack.json"))["code_size"])')
	whole=$(stat -c %s fix.hpk)
	best=$z
	if [ -n "$bs" ] && [ "$bs" -lt "$best" ]; then best=$bs; fi
	printf '%-24s %8d %8s %8s %8d %8d %8d %8d %9s%s\n' "$name" "$(stat -c %s $patched)" "$deb" "$bs" "$z" "$payload" "$code" "$whole" \
		"$(ratio "$payload" "$best")" "$([ "$payload" -le $((4096 + 2 * code)) ] || echo '  above 4 KiB + 2 x code')"
	ratio "$payload" "$best" >>ratios && echo >>ratios
}
# Stored bytes of images and fixups: what is left when metadata is set aside.
cat >tests_reader <<'END2'
import struct, sys
d = open(sys.argv[1], "rb").read()
rows = [struct.unpack_from("<IIIIQQQ", d, 24 + 40 * i) for i in range(struct.unpack_from("<I", d, 12)[0])]
print(sum(r[5] for r in rows if r[0] in (2, 3)))
END2
one redis-CVE-2025-32023 redis-server
one yajl-CVE-2022-24795 libyajl.so.2
one dnsmasq-CVE-2026-5172 dnsmasq
one dnsmasq-CVE-2026-2291 dnsmasq
one expat-CVE-2024-45490 libexpat.so.1
one cjson-CVE-2025-57052 libcjson_utils.so.1.7.15
one lua5.4-CVE-2022-33099 hplua
one rsync-token-harden rsync
one nginx-CVE-2025-23419 nginx
for c in giflib-CVE-2026-23868 libxml2-CVE-2025-49794; do
	[ ! -d "$corpus/$c" ] || one $c "$(zstd -dcq --long=27 "$corpus/$c/objects.tar.zst" | tar -t | sed -n 's|^\(\./\)\{0,1\}orig/_bin/\(..*\)|\2|p' | head -n 1)"
done
[ ! -s ratios ] || printf 'payload / best peer: median %s of %d packages\n' "$(sort -n ratios | sed -n "$((($(wc -l <ratios) + 1) / 2))p")" "$(wc -l <ratios)"
