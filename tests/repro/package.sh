#!/bin/sh
# The same inputs give the same package, documents and signature included: other folder, time zone, locale, umask, order of files, -j.
# And `inspect --compare` says where packages differ.
. tests/lib/sh
. tests/lib/real-package
need gcc
make_objects "$W/a"
"$hpbuild" keygen --no-passphrase -o "$W/k" >/dev/null
mkdir "$W/other place"
cp -r "$W/a" "$W/other place/ä b"
(cd "$W/other place/ä b" && mv patched p && mkdir patched && cp p/one.o patched && cp p/main.o patched && touch -d 2001-01-01 ./*/*.o)

pack() { # DIR OUT JOBS ARG...
	dir=$1 out=$2 jobs=$3
	shift 3
	(cd "$dir" && "$hpbuild" pack -q -j "$jobs" --original orig --patched patched --baseline prog --meta meta.json --patch fix.patch \
		-o "$out" "$@") >"$W/out" 2>"$W/err" || fail "$(cat "$W/err")"
	"$hpbuild" sign -q --key "$W/k.key" "$out"
}
cmp_tool() { "$hpbuild" inspect --compare --trust "$W/k.pub" "$@"; }

export SOURCE_DATE_EPOCH=1790000000
n=0
for jobs in 1 2 7; do
	for tz in UTC Asia/Kolkata America/St_Johns; do
		for lc in C C.UTF-8 tr_TR.UTF-8; do
			n=$((n + 1))
			dir=$W/a
			[ $((n % 2)) -eq 0 ] || dir="$W/other place/ä b"
			(umask $((n % 2 * 77)) && TZ=$tz LC_ALL=$lc LANG=$lc pack "$dir" "$W/$n.hpk" $jobs)
			cmp "$W/1.hpk" "$W/$n.hpk" || { cmp_tool "$W/1.hpk" "$W/$n.hpk" || :; fail "package $n differs"; }
		done
	done
done
echo "$n packages, all the same"
cmp_tool "$W/1.hpk" "$W/2.hpk" >"$W/out"
expect_text "$W/out" '^no difference$'

# Not the empty truth.
differs() { # NAME PATTERN...
	name=$1
	shift
	expect_exit 1 cmp_tool "$W/1.hpk" "$W/$name.hpk" >"$W/out"
	for pattern; do expect_text "$W/out" "$pattern"; done
}
pack "$W/a" "$W/serial.hpk" 1 --serial 9
differs serial '^manifest.serial$' '^  A  4$' '^  B  9$' '^provenance.predicate.buildDefinition.externalParameters.serial$'
SOURCE_DATE_EPOCH=1
pack "$W/a" "$W/time.hpk" 1
differs time '^OpenVEX.timestamp$'
expect_no_text "$W/out" '^(manifest|payload|provenance)'
SOURCE_DATE_EPOCH=1790000000
pack "$W/a" "$W/digest.hpk" 1 --patch-digest-only
differs digest '^source patch$' '^  B  "not there"$'
"$hpbuild" keygen --no-passphrase -o "$W/l" >/dev/null
cp "$W/1.hpk" "$W/twice.hpk" && "$hpbuild" sign -q --key "$W/l.key" "$W/twice.hpk"
expect_exit 1 cmp_tool --trust "$W/l.pub" "$W/1.hpk" "$W/twice.hpk" >"$W/out"
expect_text "$W/out" '^signature of [0-9A-F]{16}$'
expect_text "$W/out" '^the signed parts are the same$'
sed -i 's/^	puts.*/	if (n < 0)\n		return -2;\n&/' "$W/a/src/one.c"
(cd "$W/a/src" && gcc -g -O2 -ffunction-sections -fdata-sections -c -o ../patched/one.o one.c)
pack "$W/a" "$W/code.hpk" 1
differs code "^payload.0.elf .text.* from byte 0x" '^provenance.*resolvedDependencies'
expect_exit 1 cmp_tool --json "$W/1.hpk" "$W/code.hpk" >"$W/out"
expect_text "$W/out" '"schema": "hpbuild.compare/1"'
expect_exit 6 "$hpbuild" inspect --compare --trust "$W/l.pub" "$W/1.hpk" "$W/2.hpk" 2>"$W/err"
expect_exit 2 "$hpbuild" inspect --compare "$W/1.hpk" 2>"$W/err"
expect_exit 2 "$hpbuild" inspect "$W/1.hpk" "$W/2.hpk" 2>"$W/err"
