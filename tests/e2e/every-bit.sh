#!/bin/sh
# limit: 900
# A real package, signed by two keys that are both trusted: every flipped bit, every cut, every added byte is refused (6 or 7).
. tests/lib/sh
. tests/lib/real-package
need gcc
make_objects "$W"
cd "$W"
for k in a b; do "$hpbuild" keygen --no-passphrase -o $k >/dev/null; done
pack_objects . p.hpk
"$hpbuild" sign -q --key a.key p.hpk && "$hpbuild" sign -q --key b.key p.hpk
"$hpbuild" verify --trust a.pub --trust b.pub --require 2 --baseline prog p.hpk
"$B/tests/lib/flip" p.hpk a.pub b.pub >out || fail "$(cat out)"
cat out
[ "$(sed -n 's/flipped bits: \([0-9]*\) tried, all refused.*/\1/p' out)" -eq $((8 * $(stat -c %s p.hpk))) ] || fail 'not every bit'

# The command itself, on a sample.
size=$(stat -c %s p.hpk)
for at in 0 9 13 17 30 $((size / 3)) $((size / 2)) $((size - 100)) $((size - 1)); do
	cp p.hpk bad.hpk
	byte=$(dd if=p.hpk bs=1 skip="$at" count=1 2>/dev/null | od -An -tu1)
	# shellcheck disable=SC2059
	printf "\\$(printf %o $((byte ^ 16)))" | dd of=bad.hpk bs=1 seek="$at" conv=notrunc 2>/dev/null
	status=0
	"$hpbuild" verify --trust a.pub --trust b.pub bad.hpk >out2 2>err || status=$?
	case $status in 6 | 7) ;; *) fail "byte $at: exit status $status: $(cat err)" ;; esac
done

# Mix and match: the signed part of one good package with the signatures of another.
echo '{ "name": "other", "serial": 5 }' >meta.json
pack_objects . q.hpk
"$hpbuild" sign -q --key a.key q.hpk && "$hpbuild" sign -q --key b.key q.hpk
for f in p q; do
	"$hpbuild" extract --trust a.pub --trust b.pub --signed-part $f.part $f.hpk >/dev/null
	tail -c "+$(($(stat -c %s $f.part) + 1))" $f.hpk >$f.block
done
cat p.part p.block | cmp - p.hpk || fail 'parts do not add up'
for mix in 'p.part q.block' 'q.part p.block'; do
	# shellcheck disable=SC2086
	cat $mix >mixed.hpk
	expect_exit 6 "$hpbuild" verify --trust a.pub --trust b.pub mixed.hpk 2>err
	expect_text err 'wrong signature'
done
