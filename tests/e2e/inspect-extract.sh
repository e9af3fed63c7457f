#!/bin/sh
# `hpbuild inspect` and `extract`: trust first, stable output, safe file names, escaped text.
. tests/lib/sh
need readelf
mkpkg=$B/tests/lib/mkpkg
unset HPBUILD_TRUST
cd "$W"

"$hpbuild" keygen --no-passphrase -o a >/dev/null
"$hpbuild" keygen --no-passphrase -o b >/dev/null
"$mkpkg" -n "$(printf 'evil\033[2J/../../x')" -o p.hpk
expect_exit 6 "$hpbuild" inspect --trust a.pub p.hpk >out 2>err
[ ! -s out ] || fail "inspect shows an unsigned package"
expect_exit 6 "$hpbuild" extract --trust a.pub -o dir p.hpk 2>err
[ ! -e dir ] || fail "extract writes from an unsigned package"
"$hpbuild" inspect --unverified p.hpk >out 2>err
expect_text err 'NOT verified'
expect_text out '^verified  *NO'
"$hpbuild" sign -q --key a.key p.hpk
"$hpbuild" inspect --trust a.pub p.hpk >out 2>err
[ ! -s err ] || fail "messages without a reason: $(cat err)"
expect_text out '^verified  *yes'
expect_text out 'evil.x1b.2J'
expect_no_text out "$(printf '\033')"
expect_text out '0x00001139 size 42  *entry 0x113d payload 0x1000 alpha'
expect_text out 'fixups  *3 abs64:1 pc32:2 payload:1 module:1 slot:1'
expect_no_text out 'addend'
"$hpbuild" inspect -v --trust a.pub p.hpk >out
expect_text out '0x00001004 pc32  *module  module 0 target 0x1139 addend -4'
"$hpbuild" inspect --json --trust a.pub p.hpk >j1
"$hpbuild" inspect --json --trust a.pub p.hpk >j2
cmp j1 j2
expect_text j1 '"schema": "hpbuild.inspect/1"'
expect_text j1 '"address": "0x1139"'
expect_exit 6 "$hpbuild" inspect --trust b.pub p.hpk 2>/dev/null

"$hpbuild" extract --trust a.pub -o dir --signed-part part p.hpk >out
[ "$(find dir -type f | sort | tr '\n' ' ')" = 'dir/manifest.json dir/payload.0.elf dir/payload.0.fixups ' ] || fail "files"
readelf -lW dir/payload.0.elf >out
expect_text out 'LOAD .*R E 0x1000'
expect_text dir/manifest.json '"schema": "hpbuild.manifest/1"'
cmp -n "$(stat -c %s part)" part p.hpk
# an existing link is not followed
rm dir/manifest.json && echo keep >precious && ln -s ../precious dir/manifest.json
expect_exit 1 "$hpbuild" extract --trust a.pub -o dir p.hpk >/dev/null 2>err
expect_text precious keep
expect_exit 2 "$hpbuild" extract --trust a.pub p.hpk 2>err
expect_exit 1 "$hpbuild" extract --trust a.pub -o precious p.hpk 2>err
# an expired package can still be looked at
"$mkpkg" -e 5 -o old.hpk && "$hpbuild" sign -q --key a.key old.hpk
"$hpbuild" inspect --trust a.pub old.hpk >out
expect_text out '1970-01-01T00:00:05Z'
