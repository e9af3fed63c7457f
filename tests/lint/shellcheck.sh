#!/bin/sh
# Every shell script of the tree is free of shellcheck's errors and warnings.
. tests/lib/lint
need shellcheck

check() {
	find . -path ./.git -prune -o -path './build*' -prune -o -type f -size -200k -print | sort | while read -r f; do
		case $f in
		./tests/lib/sh | ./tests/lib/lint) ;;
		*) head -n 1 "$f" | tr -d '\0' | grep -Eq '^#!.*\b(sh|bash)\b' || continue ;;
		esac
		shellcheck -x -S warning -f gcc "$f" || :
	done
}

printf '#!/bin/sh\ncd $1\nunused=1\n' | sample a.sh
rejects 'a.sh:3:.*SC2034'
printf '#!/bin/sh\necho fine\n' | sample a.sh
accepts

lint
