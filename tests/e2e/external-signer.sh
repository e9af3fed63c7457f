#!/bin/sh
# A key that hpbuild never sees: signed by a command, or by hand through --print-digest and --attach; every answer is checked.
. tests/lib/sh
need minisign
mkpkg=$B/tests/lib/mkpkg
token=$B/tests/lib/token
unset HPBUILD_TRUST HPBUILD_KEY
cd "$W"

mkdir vault
"$token" new vault/seed token.pub
"$token" new vault/other other.pub
"$mkpkg" -o p.hpk && cp p.hpk unsigned.hpk
sign() { "$hpbuild" sign -q --pubkey token.pub --signer "$@"; }

# The command learns which key is meant, and gets the digest that --print-digest tells.
cat >signer.sh <<END2
#!/bin/sh
echo "\$HPBUILD_KEY_ID" >asked
tee digest | "$token" sign vault/seed
END2
chmod +x signer.sh
sign ./signer.sh p.hpk
"$hpbuild" verify --trust token.pub p.hpk >/dev/null
[ "$(cat asked)" = "$(sed -n '1s/.* //p' token.pub)" ] || fail "key id: $(cat asked)"
[ "$(cat digest)" = "$("$hpbuild" sign --print-digest p.hpk)" ] || fail 'another digest'

# Beside an ordinary key.
"$hpbuild" keygen --no-passphrase -o a >/dev/null
"$hpbuild" sign -q --key a.key p.hpk
"$hpbuild" verify --trust token.pub --trust a.pub --require 2 p.hpk >/dev/null

# Answers that are none: nothing is written.
cp unsigned.hpk q.hpk
expect_exit 6 sign "$token sign vault/other" q.hpk 2>err
expect_text err 'not one of this key'
expect_exit 1 sign 'exit 3' q.hpk 2>err
expect_text err 'status 3'
expect_exit 1 sign 'kill -9 $$' q.hpk 2>err
expect_text err 'signal 9'
expect_exit 1 sign ./no-such-signer q.hpk 2>err
expect_exit 7 sign 'echo hello' q.hpk 2>err
expect_text err 'no signature'
expect_exit 7 sign true q.hpk 2>err
expect_exit 7 sign 'cat; cat /dev/zero' q.hpk 2>err
expect_text err 'more than a signature'
expect_exit 7 sign "$token sign vault/seed | tr 0-9 a-j" q.hpk 2>err
expect_exit 6 sign 'cat' q.hpk 2>err # 128 digits, yet no signature
cmp q.hpk unsigned.hpk || fail 'the package was changed'

# What cannot be parsed never reaches the signer.
cp unsigned.hpk bad.hpk && printf '\377' | dd of=bad.hpk bs=1 seek=60 conv=notrunc 2>/dev/null
rm asked
expect_exit 7 sign ./signer.sh bad.hpk 2>err
[ ! -e asked ] || fail 'the signer was asked about a malformed package'

# minisign as the signer: it prints its own kind of file.
minisign -G -W -p m.pub -s m.key >/dev/null
"$hpbuild" extract --unverified --signed-part part q.hpk >/dev/null 2>&1
"$hpbuild" sign -q --pubkey m.pub --signer 'minisign -S -s m.key -m part -x part.sig </dev/null >/dev/null && cat part.sig' q.hpk
"$hpbuild" verify --trust m.pub q.hpk >/dev/null

expect_exit 2 "$hpbuild" sign --signer true p.hpk 2>err
expect_exit 2 "$hpbuild" sign --signer true --pubkey token.pub --attach x p.hpk 2>err
expect_exit 2 "$hpbuild" sign --pubkey token.pub p.hpk 2>err
