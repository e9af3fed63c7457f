#!/bin/sh
# `hpbuild key`: keyring with times, names, baselines and revocations; rotation by a statement of the old key.
. tests/lib/sh
need gcc python3
mkpkg=$B/tests/lib/mkpkg
unset HPBUILD_TRUST HPBUILD_KEY
cd "$W"

for k in a b c d; do "$hpbuild" keygen --no-passphrase -o $k >/dev/null; done
id_of() { sed -n '1s/.* //p' "$1.pub"; }
"$mkpkg" -n fix-web -o web.hpk && "$mkpkg" -n fix-db -o db.hpk
for p in web db; do "$hpbuild" sign -q --key a.key $p.hpk; done
refused() { # PATTERN ARG...
	refused_want=$1
	shift
	expect_exit 6 "$hpbuild" verify "$@" >out 2>err
	expect_text err "$refused_want"
}

echo '-- trust and list'
"$hpbuild" key list --keyring ring >out
[ ! -s out ] || fail 'an absent keyring lists keys'
"$hpbuild" key trust --keyring ring a.pub 2>err
expect_text err 'trusted'
[ "$(ls ring)" = "$(id_of a).pub" ] || fail "files: $(ls ring)"
"$hpbuild" verify --trust ring web.hpk >/dev/null
"$hpbuild" key list --keyring ring >out
expect_text out "^$(id_of a)  good  ring/"
"$hpbuild" key list --keyring ring --json >out
expect_text out '"schema": "hpbuild.keys/1"'

echo '-- names'
"$hpbuild" key trust -q --keyring ring --name 'fix-w*' a.pub
"$hpbuild" verify --trust ring web.hpk >/dev/null
refused 'may not sign .fix-db.' --trust ring db.hpk
refused '0 trusted keys, 1 are required' --trust ring --ignore-unknown db.hpk
refused 'may not sign' --trust "ring/$(id_of a).pub" db.hpk # the file alone does not lift the limit
expect_exit 6 "$hpbuild" inspect --trust ring db.hpk >out 2>err
[ ! -s out ] || fail 'shown although the key may not sign it'
printf 'name fix-w*\nnmae x\n' >"ring/$(id_of a).policy"
expect_exit 7 "$hpbuild" verify --trust ring web.hpk 2>err
expect_text err "line 2.*'nmae'.*unknown word"
expect_exit 7 "$hpbuild" key trust --keyring ring2 --name "$(printf 'x\nname *')" b.pub 2>err
[ ! -e ring2 ] || fail 'a policy with a smuggled line was written'

echo '-- times'
rm -r ring
"$hpbuild" key trust -q --keyring ring --not-after 2020-01-01 a.pub 2>err
expect_exit 6 "$hpbuild" verify --trust ring web.hpk 2>err
expect_text err 'no longer valid'
rm -r ring
"$hpbuild" key trust -q --keyring ring --not-before 2200-01-01T00:00:00Z a.pub
refused 'not yet valid' --trust ring web.hpk
"$hpbuild" key list --keyring ring >out
expect_text out 'from  *2200-01-01T00:00:00Z'
for t in 2026-02-30 2026-1-1 '2026-01-01 ' yesterday 2026-01-01T00:00:00; do
	expect_exit 2 "$hpbuild" key trust --keyring ring --not-after "$t" a.pub 2>err
done
expect_exit 7 "$hpbuild" key trust --keyring ring3 --not-before 2026-01-02 --not-after 2026-01-01 a.pub 2>err

echo '-- baselines: by file and by build ID'
rm -r ring
printf 'int f(int x) { return x * 3; }\nint main(void) { return f(1); }\n' >p.c
gcc -O1 -fno-inline -Wl,--build-id=0x0011223344556677 p.c -o prog
gcc -O1 -fno-inline -Wl,--build-id=0x8899aabbccddeeff p.c -o prog2
"$mkpkg" -b prog -f f -o one.hpk && "$mkpkg" -b prog -f f -b prog2 -f f -o two.hpk
for p in one two; do "$hpbuild" sign -q --key a.key $p.hpk; done
"$hpbuild" key trust -q --keyring ring --baseline prog a.pub
"$hpbuild" verify --trust ring one.hpk >/dev/null
refused 'may not sign' --trust ring two.hpk
refused 'may not sign' --trust ring web.hpk
"$hpbuild" key trust -q --keyring ring --baseline prog --baseline 8899aabbccddeeff a.pub
"$hpbuild" verify --trust ring two.hpk >/dev/null
expect_exit 1 "$hpbuild" key trust --keyring ring --baseline nonsense a.pub 2>err

echo '-- a signature of a key that may not sign does not count for --require'
rm -r ring
"$hpbuild" key trust -q --keyring ring --name fix-web a.pub
"$hpbuild" key trust -q --keyring ring --name fix-db b.pub
"$hpbuild" sign -q --key b.key web.hpk
refused 'may not sign' --trust ring --require 2 web.hpk
refused '1 trusted keys, 2 are required' --trust ring --require 2 --ignore-unknown web.hpk
"$hpbuild" verify --trust ring --ignore-unknown web.hpk >/dev/null

echo '-- revocation'
"$hpbuild" key revoke --keyring ring --reason 'lost in the train' b.pub 2>err
expect_text ring/revoked.keys "^$(id_of b) lost in the train"
"$mkpkg" -n fix-db -o db.hpk && "$hpbuild" sign -q --key b.key db.hpk
refused 'which is revoked' --trust ring web.hpk
refused 'which is revoked' --trust "ring/$(id_of b).pub" db.hpk
"$hpbuild" verify --trust ring --ignore-unknown web.hpk >/dev/null
"$hpbuild" key list --keyring ring >out
expect_text out "^$(id_of b)  revoked: lost in the train"
expect_exit 6 "$hpbuild" key trust --keyring ring b.pub 2>err
"$hpbuild" key revoke -q --keyring ring "$(id_of b)"
[ "$(wc -l <ring/revoked.keys)" -eq 1 ] || fail 'revoked twice, listed twice'
echo 'not a key id' >>ring/revoked.keys
expect_exit 7 "$hpbuild" verify --trust ring --ignore-unknown web.hpk 2>err
expect_text err 'revoked.keys.*line 2'

echo '-- rotation: signed by the old key and by the new one'
rm -r ring
"$mkpkg" -n fix-web -o web.hpk && "$mkpkg" -n fix-db -o db.hpk
for p in web db; do "$hpbuild" sign -q --key c.key $p.hpk; done
"$hpbuild" key trust -q --keyring ring --name fix-web a.pub
"$hpbuild" key rotate -q --key a.key --new-key c.key --retire 2020-01-01 -o ac.rotation
"$hpbuild" key rotate -q --key b.key --new-key d.key -o bd.rotation
refused 'unknown key' --trust ring web.hpk
expect_exit 6 "$hpbuild" key trust --keyring ring bd.rotation 2>err
expect_text err 'which is not trusted here'
for at in 8 12 16 24 40 64 72 80 150; do
	cp ac.rotation bad.rotation
	byte=$(dd if=ac.rotation bs=1 skip=$at count=1 2>/dev/null | od -An -tu1)
	# shellcheck disable=SC2059
	printf "\\$(printf %o $((byte ^ 1)))" | dd of=bad.rotation bs=1 seek=$at conv=notrunc 2>/dev/null
	status=0
	"$hpbuild" key trust --keyring ring bad.rotation 2>err || status=$?
	case $status in 6 | 7) ;; *) fail "byte $at of a statement: exit status $status" ;; esac
done
expect_exit 2 "$hpbuild" key trust --keyring ring --name '*' ac.rotation 2>err # never more than the old key
"$hpbuild" key trust -q --keyring ring ac.rotation
"$hpbuild" verify --trust ring web.hpk >/dev/null
refused 'may not sign' --trust ring db.hpk
"$hpbuild" key list --keyring ring >out
expect_text out "introduced by  $(id_of a)"
expect_text out "^$(id_of a)  no longer valid"
expect_exit 6 "$hpbuild" key trust --keyring ring ac.rotation 2>err # the old key has retired
"$hpbuild" key revoke -q --keyring ring a.pub
refused 'which is revoked' --trust ring web.hpk # and what it introduced goes with it
# a statement is no package signature and the other way round
expect_exit 7 "$hpbuild" verify --trust ring ac.rotation 2>err
expect_exit 7 "$hpbuild" key trust --keyring ring web.hpk 2>err

echo '-- one holder is one vote: rotation makes no second signer, and neither does a second id'
rm -r ring
"$hpbuild" key trust -q --keyring ring a.pub && "$hpbuild" key trust -q --keyring ring b.pub
"$hpbuild" key rotate -q --key a.key --new-key c.key -o ac.rotation && "$hpbuild" key trust -q --keyring ring ac.rotation
"$hpbuild" key rotate -q --key c.key --new-key d.key -o cd.rotation && "$hpbuild" key trust -q --keyring ring cd.rotation
"$mkpkg" -o votes.hpk
for k in a c d; do "$hpbuild" sign -q --key $k.key votes.hpk; done
"$hpbuild" verify --trust ring votes.hpk >/dev/null
refused 'signed by 3 trusted keys of 1 holders' --trust ring --require 2 votes.hpk
"$hpbuild" sign -q --key b.key votes.hpk
"$hpbuild" verify --trust ring --require 2 votes.hpk >/dev/null
refused 'of 2 holders' --trust ring --require 3 votes.hpk
mkdir twins && cp a.pub twins
python3 - <<'EOF2'
import base64
lines = open("a.pub").read().split("\n")
raw = bytearray(base64.b64decode(lines[1]))
raw[2] ^= 1
open("twins/b.pub", "w").write("\n".join([lines[0], base64.b64encode(raw).decode(), ""]))
EOF2
expect_exit 7 "$hpbuild" verify --trust twins votes.hpk 2>err
expect_text err 'one key under two ids'

echo '-- usage'
expect_exit 2 "$hpbuild" key 2>err
expect_exit 2 "$hpbuild" key lost 2>err
expect_exit 2 "$hpbuild" key list --reason x 2>err
expect_exit 2 "$hpbuild" key revoke --keyring ring 2>err
expect_exit 2 "$hpbuild" key rotate --key a.key 2>err
expect_exit 2 "$hpbuild" key revoke --keyring ring --name x a.pub 2>err
"$hpbuild" key --help >out
expect_text out 'list . trust FILE'
