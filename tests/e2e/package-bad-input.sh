#!/bin/sh
# Packages and key files that are none: the right exit status, no crash, nothing written.
. tests/lib/sh
mkpkg=$B/tests/lib/mkpkg
cd "$W"

"$hpbuild" keygen --no-passphrase -o a >/dev/null
"$mkpkg" -o good.hpk && "$hpbuild" sign -q --key a.key good.hpk
size=$(stat -c %s good.hpk)

refuse() { # CODE FILE
	for verb in "verify --trust a.pub" "inspect --trust a.pub" "extract --trust a.pub -o never"; do
		# shellcheck disable=SC2086
		expect_exit "$1" "$hpbuild" $verb "$2" >out 2>err
	done
	[ ! -e never ] || fail "extract wrote from $2"
}

: >empty
refuse 7 empty
echo 'not a package at all, only text' >text
refuse 7 text
expect_exit 7 "$hpbuild" sign --key a.key text 2>err
expect_text text '^not a package'
for n in 1 23 24 100 $((size / 2)) $((size - 72)) $((size - 1)); do
	head -c "$n" good.hpk >cut.hpk
	refuse 7 cut.hpk
	expect_exit 7 "$hpbuild" inspect --unverified cut.hpk 2>err
done
{ cat good.hpk; printf x; } >long
refuse 7 long
cp good.hpk flip && printf '\377' | dd of=flip bs=1 seek=$((size / 2)) conv=notrunc 2>/dev/null
refuse 6 flip
cp good.hpk flip && printf '\377' | dd of=flip bs=1 seek=$((size - 3)) conv=notrunc 2>/dev/null
refuse 6 flip
printf '\376' | dd of=flip bs=1 seek=$((size - 3)) conv=notrunc 2>/dev/null
refuse 6 flip
refuse 1 missing
refuse 1 .
mkfifo fifo && refuse 1 fifo
truncate -s 300M big
refuse 7 big

# what cannot be parsed is not signed
cp good.hpk bad && printf '\377' | dd of=bad bs=1 seek=60 conv=notrunc 2>/dev/null
cp bad bad.before
expect_exit 7 "$hpbuild" sign --key a.key bad 2>err
expect_text err 'refusing to sign'
cmp bad bad.before

# key files
expect_exit 7 "$hpbuild" verify --trust text good.hpk 2>err
expect_exit 7 "$hpbuild" verify --trust a.key good.hpk 2>err
expect_exit 7 "$hpbuild" sign --key a.pub good.hpk 2>err
expect_exit 1 "$hpbuild" sign --key missing good.hpk 2>err
expect_exit 7 "$hpbuild" sign --key good.hpk good.hpk 2>err
mkdir none
expect_exit 6 "$hpbuild" verify --trust none good.hpk 2>err
"$hpbuild" verify --trust a.pub good.hpk >/dev/null
[ -z "$(find . -name '*.tmp')" ] || fail "temporary files are left"
