#!/bin/sh
# `hpbuild keygen`: files, modes, passphrases, and stock minisign as reader of the keys.
. tests/lib/sh
need minisign
need script
cd "$W"

"$hpbuild" keygen --no-passphrase -o plain >out
expect_text out 'not encrypted'
[ "$(stat -c %a plain.key)" = 600 ] || fail "mode of plain.key"
echo data >file
minisign -S -s plain.key -m file >/dev/null </dev/null
minisign -V -p plain.pub -m file >/dev/null

# never overwritten: neither file, and nothing new beside an old one
cp plain.key before
expect_exit 1 "$hpbuild" keygen --no-passphrase -o plain 2>err
expect_text err 'will not overwrite'
cmp plain.key before
touch half.pub
expect_exit 1 "$hpbuild" keygen --no-passphrase -o half 2>err
[ ! -e half.key ] || fail "half.key was written"
ln -s /nonexistent dangling.key
expect_exit 1 "$hpbuild" keygen --no-passphrase -o dangling 2>err

# no terminal: an error that names the way out, and no files
expect_exit 2 "$hpbuild" keygen -o none </dev/null 2>err
expect_text err 'passphrase-fd or --no-passphrase'
[ ! -e none.key ] && [ ! -e none.pub ] || fail "files without a passphrase"
expect_exit 2 "$hpbuild" keygen --passphrase-fd 3 -o none 3</dev/null 2>err
expect_text err 'empty passphrase'
expect_exit 1 "$hpbuild" keygen --passphrase-fd 77 -o none 2>err
expect_exit 2 "$hpbuild" keygen --passphrase-fd 3 --no-passphrase -o none 2>err

# encrypted (1 GiB of memory, as minisign does it): both programs unlock it
"$hpbuild" keygen --json --passphrase-fd 3 -o enc 3<<X >out
secret words
X
expect_text out '"encrypted": true'
echo 'secret words' | minisign -S -s enc.key -m file >/dev/null
minisign -V -p enc.pub -m file >/dev/null
"$B/tests/lib/mkpkg" -o p.hpk
expect_exit 6 "$hpbuild" sign --key enc.key --passphrase-fd 3 p.hpk 3<<X 2>err
secret word
X
expect_text err 'wrong passphrase'
"$hpbuild" sign --key enc.key --passphrase-fd 3 p.hpk 3<<X
secret words
X
"$hpbuild" verify --trust enc.pub p.hpk >out
expect_exit 2 "$hpbuild" sign --key enc.key p.hpk </dev/null 2>err
expect_text err 'use --passphrase-fd'

# on a terminal it asks twice and does not echo; what was typed ahead is dropped
{
	wait_line tty.out 'Passphrase of' 10
	sleep 0.2
	printf 'term pass\n'
	wait_line tty.out 'The same again' 10
	sleep 0.2
	printf 'term pass\n'
	wait_line tty.out 'secret .*tty.key' 60
} | script -qec "'$hpbuild' keygen -o tty" typescript >tty.out
expect_no_text tty.out 'term pass'
[ -s tty.key ] || fail "no key from the terminal: $(cat tty.out)"
expect_text tty.out 'The same again'
