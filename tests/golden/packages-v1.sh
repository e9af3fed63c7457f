#!/bin/sh
# Packages and keys of format version 1 stay readable: they verify, and the same contents come out of them.
. tests/lib/sh
need minisign python3
unset HPBUILD_TRUST
v1=$TOP/tests/fixtures/v1
cd "$W"

mkdir out
for p in one restart expires two real modules imports; do
	"$hpbuild" verify --trust "$v1/a.pub" --trust "$v1/b.pub" "$v1/$p.hpk" >/dev/null || fail "$p"
	"$hpbuild" extract --trust "$v1/a.pub" --trust "$v1/b.pub" -o "out/$p" "$v1/$p.hpk" >/dev/null
	python3 "$TOP/tests/lib/hpk_reader.py" "$v1/$p.hpk" "$v1/a.pub" "$v1/b.pub" >/dev/null || fail "$p: second reader"
done
(cd out && sha256sum -c --quiet "$v1/SHA256SUMS") || fail 'other contents'
[ "$(find out -type f | wc -l)" -eq "$(wc -l <"$v1/SHA256SUMS")" ] || fail 'other files'
"$hpbuild" verify --trust "$v1/a.pub" --trust "$v1/b.pub" --require 2 "$v1/two.hpk" >/dev/null
expect_exit 6 "$hpbuild" verify --trust "$v1/c.pub" "$v1/one.hpk" 2>err
"$hpbuild" verify --trust "$v1/a.pub" --baseline "$v1/prog" "$v1/real.hpk" >/dev/null
"$hpbuild" verify --trust "$v1/a.pub" --baseline "$v1/duo" --baseline "$v1/libduo.so" "$v1/modules.hpk" >verify.out
expect_no_text verify.out 'NOT checked'
"$hpbuild" verify --trust "$v1/a.pub" --baseline "$v1/uses" "$v1/imports.hpk" >/dev/null

# detached signature, both ways
"$hpbuild" extract --trust "$v1/a.pub" --signed-part part "$v1/real.hpk" >/dev/null
minisign -V -p "$v1/a.pub" -x "$v1/real.minisig" -m part >minisign.out
expect_text minisign.out golden
cp "$v1/real.hpk" again.hpk
"$hpbuild" sign -q --attach "$v1/real.minisig" --pubkey "$v1/a.pub" again.hpk
cmp again.hpk "$v1/real.hpk" || fail 'attach gives another file'

# secret keys, one of them encrypted, sign as they did: Ed25519 is deterministic
for k in a a-encrypted; do
	cp "$v1/one.hpk" again.hpk
	echo golden | "$hpbuild" sign -q --key "$v1/$k.key" --passphrase-fd 0 again.hpk
	cmp again.hpk "$v1/one.hpk" || fail "$k signs differently"
done

# keyring and rotation
cp -r "$v1/ring" ring
"$hpbuild" verify --trust ring "$v1/one.hpk" >/dev/null
expect_exit 6 "$hpbuild" verify --trust ring "$v1/expires.hpk" 2>err
expect_text err 'may not sign'
"$hpbuild" key list --keyring ring >list
[ "$(grep -c '^[0-9A-F]\{16\}  good  ' list)" -eq 3 ] || fail "$(cat list)"
rm ring/50C60FBF73548A1E.*
"$hpbuild" key trust -q --keyring ring "$v1/a-to-c.rotation"
diff -r ring "$v1/ring" || fail 'the rotation gives another keyring'
