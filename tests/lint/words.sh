#!/bin/sh
# Words that do not belong into the tree: paths of one machine, work left open without an issue number; and file hygiene.
. tests/lib/lint

files() {
	find . -path ./.git -prune -o -path './build*' -prune -o -type f ! -name LICENSE ! -path './tests/fuzz/corpus/*' -print | sort |
		xargs -r grep -lI '' /dev/null | sed 's|^\./||' # text files
}

# Pieces, so that this file does not find itself.
machine='/(wor''k|hom''e/[a-z]+|Use''rs)/|/tm''p/wt\b|local''host:[0-9]'
hosts='(registry|proxy)\.[a-z]+\.(org|com)|(deb|ftp)[a-z.]*\.debian\.org'
open='\b(TO''DO|FIX''ME|XX''X|HA''CK)\b'

check() {
	files | while read -r f; do
		grep -En "$machine" "$f" | sed "s|^|$f:|; s|\$|  (path of one machine)|" || :
		grep -En "$hosts" "$f" | sed "s|^|$f:|; s|\$|  (host of a registry)|" || :
		grep -En "$open" "$f" | grep -Ev 'TO''DO\(#[0-9]+\)' | sed "s|^|$f:|; s|\$|  (open work needs TO""DO(#issue))|" || :
		case $f in
		*.[ch] | *.sh | *.md | *.[1357] | Makefile | tests/run | tests/lib/*)
			grep -n '[ 	]$' "$f" | sed "s|^|$f:|; s|\$|  (blank at the end of the line)|" || :
			[ -z "$(tail -c 1 "$f")" ] || echo "$f: no newline at the end"
			;;
		esac
		if grep -q "$(printf '\r')" "$f"; then echo "$f: carriage return"; fi
	done
	# One name, one file: a message, an archive member or a search result means one place.
	find . -path ./.git -prune -o -path './build*' -prune -o -name '*.[ch]' ! -name internal.h -print | awk -F/ '
		seen[$NF] { print $0 ": the name is taken by " seen[$NF] }
		{ seen[$NF] = $0 }'
}

printf '/wor''k/main/x\n' | sample README.md
rejects 'README.md:1:.*path of one machine'
printf '/* TO''DO: later */\n' | sample base/a.c
rejects 'base/a.c:1:.*open work'
printf 'blank \n' | sample base/a.c
rejects 'base/a.c:1:.*blank'
printf 'no end' | sample base/a.c
rejects 'no newline'
echo | sample base/a.c
echo | sample differ/arch/a.c
rejects 'a.c: the name is taken'
printf '/* TO''DO(#12): later; mktemp XXXXXX */\n' | sample base/a.c
accepts

lint
