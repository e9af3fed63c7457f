#!/bin/sh
# `hpbuild sign` and `verify`: who signed, what is required, baselines, expiry, and stock minisign on both sides.
. tests/lib/sh
need minisign
mkpkg=$B/tests/lib/mkpkg
unset HPBUILD_TRUST HPBUILD_KEY
cd "$W"

for k in a b c; do "$hpbuild" keygen --no-passphrase -o $k >/dev/null; done
mkdir ring && cp a.pub b.pub ring
"$mkpkg" -o p.hpk
cp p.hpk unsigned.hpk

expect_exit 6 "$hpbuild" verify --trust a.pub p.hpk 2>err
expect_text err 'not signed'
chmod 640 p.hpk
"$hpbuild" sign --key a.key p.hpk 2>/dev/null
[ "$(stat -c %a p.hpk)" = 640 ] || fail "mode of the package"
"$hpbuild" verify --trust a.pub p.hpk >out
expect_text out 'signed by'
expect_text out 'baseline NOT checked'
expect_exit 6 "$hpbuild" verify --trust c.pub p.hpk 2>err
expect_text err 'unknown key'
expect_exit 6 "$hpbuild" verify --trust ring --require 2 p.hpk 2>err
HPBUILD_KEY=b.key "$hpbuild" sign -q p.hpk
"$hpbuild" verify --trust ring --require 2 p.hpk >/dev/null
HPBUILD_TRUST=a.pub:b.pub "$hpbuild" verify --require 2 p.hpk >/dev/null
expect_exit 6 "$hpbuild" verify --trust a.pub p.hpk 2>/dev/null
"$hpbuild" verify --trust a.pub --ignore-unknown p.hpk >/dev/null
expect_exit 6 "$hpbuild" verify --trust a.pub --ignore-unknown --require 2 p.hpk 2>/dev/null
cp p.hpk again.hpk
"$hpbuild" sign -q --key a.key again.hpk
cmp p.hpk again.hpk
expect_exit 2 "$hpbuild" sign p.hpk 2>err
expect_text err 'give --key'
expect_exit 2 "$hpbuild" verify --require 0 --trust ring p.hpk 2>err
expect_exit 6 "$hpbuild" verify --json --trust c.pub p.hpk >out 2>/dev/null
expect_text out '"code": "HP_E_SIG"'
[ -d /etc/hpbuild/trusted.d ] || { expect_exit 6 "$hpbuild" verify p.hpk 2>err; expect_text err 'no trusted key: give --trust'; }
"$hpbuild" verify --json --trust ring p.hpk >out
expect_text out '"schema": "hpbuild.verify/1"'

# detached signatures: ours for minisign, minisign's for us
"$hpbuild" extract --trust ring --signed-part part p.hpk >/dev/null
"$hpbuild" sign -q --key a.key --minisig part.minisig --comment 'checked by two' p.hpk
minisign -V -p a.pub -m part >out
expect_text out 'checked by two'
printf x >>part
! minisign -V -p a.pub -m part >/dev/null 2>&1 || fail "minisign accepts a changed part"
"$hpbuild" extract --unverified --signed-part part2 unsigned.hpk >/dev/null 2>&1
minisign -G -W -p m.pub -s m.key >/dev/null
minisign -S -s m.key -m part2 >/dev/null </dev/null
cp unsigned.hpk att.hpk
"$hpbuild" sign -q --attach part2.minisig --pubkey m.pub att.hpk
"$hpbuild" verify --trust m.pub att.hpk >/dev/null
expect_exit 6 "$hpbuild" sign -q --attach part2.minisig --pubkey a.pub att.hpk 2>/dev/null
minisign -S -l -s m.key -m part2 -x legacy.minisig >/dev/null </dev/null
expect_exit 7 "$hpbuild" sign -q --attach legacy.minisig --pubkey m.pub att.hpk 2>err
expect_text err 'legacy'
"$hpbuild" sign --print-digest unsigned.hpk >out
! command -v b2sum >/dev/null || [ "$(cat out)" = "$(b2sum part2 | cut -d' ' -f1)" ] || fail "digest"
"$hpbuild" sign -q --key m.key att.hpk
"$hpbuild" verify --trust m.pub att.hpk >/dev/null

# comments that no signature covers are shown nowhere
sed '1s/.*/untrusted comment: approved by the BOSS/' a.pub >boss.pub
sed '1s/.*/untrusted comment: approved by the BOSS/' part2.minisig >boss.minisig
cp unsigned.hpk boss.hpk
"$hpbuild" sign -v --attach boss.minisig --pubkey m.pub boss.hpk >out 2>&1
"$hpbuild" sign -v --key a.key boss.hpk >>out 2>&1
for verb in verify inspect 'inspect --json'; do
	# shellcheck disable=SC2086
	"$hpbuild" $verb -v --trust boss.pub --trust m.pub boss.hpk >>out 2>&1
done
"$hpbuild" key list --keyring ring >>out 2>&1
expect_no_text out BOSS

# expiry
"$mkpkg" -e 1000 -o old.hpk
"$hpbuild" sign -q --key a.key old.hpk
expect_exit 8 "$hpbuild" verify --trust a.pub old.hpk 2>err
"$hpbuild" verify --trust a.pub --allow-expired old.hpk >/dev/null

# baselines
printf 'int f(int x) { return x * 3; }\nint g(int x) { return f(x) + 1; }\nint main(void) { return g(1); }\n' >p.c
printf 'int f(int x) { return x * 7; }\n' >l.c
"$CC" -O1 -fno-inline -Wl,--build-id=0x0011223344556677 p.c -o prog
"$CC" -O1 -shared -fPIC -Wl,--build-id=0x8899aabbccddeeff l.c -o lib.so
"$mkpkg" -b prog -f f -b lib.so -f f -o two.hpk
"$hpbuild" sign -q --key a.key two.hpk
"$hpbuild" verify --trust a.pub --baseline lib.so --baseline prog two.hpk >out
expect_no_text out NOT
"$hpbuild" verify --trust a.pub --baseline lib.so two.hpk >out
expect_text out 'NOT checked'
expect_exit 5 "$hpbuild" verify --trust a.pub --baseline /bin/sh two.hpk 2>err
expect_text err 'found build ID [0-9a-f]*, expected 0011223344556677'
"$CC" -O2 -fno-inline -Wl,--build-id=0x0011223344556677 -DX p.c -o other
printf 'int h(int x) { return x * 5; }\nint f(int x) { return x * 4; }\nint main(void) { return h(1) + f(2); }\n' >q.c
"$CC" -O1 -fno-inline -Wl,--build-id=0x0011223344556677 q.c -o same-id
expect_exit 5 "$hpbuild" verify --trust a.pub --baseline same-id two.hpk 2>err
expect_text err "function 'f'.*found digest [0-9a-f]{64}, expected [0-9a-f]{64}"
strip prog && "$hpbuild" verify --trust a.pub --baseline prog two.hpk >/dev/null
