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
