#!/bin/sh
# SECURITY.md: every row of its table names a test or fuzz target, and all of them exist.
# shellcheck disable=SC2016 # backquotes of Markdown
. tests/lib/lint

check() {
	[ -e SECURITY.md ] || return 0
	sed -n '/^| attack /,/^$/p' SECURITY.md | sed '1,2d' | while read -r row; do
		case $row in
		*'`tests/'*) ;;
		'') continue ;;
		*) echo "SECURITY.md: no test in the row: $row" ;;
		esac
		echo "$row" | grep -o '`\(tests\|base\|formats\|signer\)/[^`]*`' | tr -d '`' | while read -r f; do
			[ -e "$f" ] || echo "SECURITY.md: $f does not exist"
		done
	done
}

row='| attack | defence | shown by |\n| --- | --- | --- |\n'
printf '%b| tampering | signed | `tests/e2e/no-such.sh` |\n' "$row" | sample SECURITY.md
rejects 'no-such.sh does not exist'
printf '%b| tampering | signed | trust us |\n' "$row" | sample SECURITY.md
rejects 'no test in the row'
printf '%b| tampering | signed | `tests/a.sh` |\n' "$row" | sample SECURITY.md
echo | sample tests/a.sh
accepts

lint
