#!/bin/sh
# Every verdict rule of the differ is explained in docs/rules.md under a heading of its own, and the other way round.
. tests/lib/lint

check() {
	grep -Eo '"HP[12][0-9]{3}"' differ/rules.c | tr -d '"' | sort >"$W/code"
	grep -Eo '^#+ HP[12][0-9]{3}\b' docs/rules.md | grep -Eo 'HP[0-9]+' | sort >"$W/docs"
	uniq -d "$W/docs" | sed 's|$|: two headings in docs/rules.md|'
	sort -u -o "$W/code" "$W/code"
	sort -u -o "$W/docs" "$W/docs"
	comm -23 "$W/code" "$W/docs" | sed 's|$|: in differ/rules.c, not in docs/rules.md|'
	comm -13 "$W/code" "$W/docs" | sed 's|$|: in docs/rules.md, not in differ/rules.c|'
	[ -s "$W/code" ] || echo 'differ/rules.c: no rule found'
}

samples() { # CODE DOCS
	printf '%b\n' "$1" | sample differ/rules.c
	printf '%b\n' "$2" | sample docs/rules.md
}
samples '{ "HP2001", x },\n{ "HP1001", y }' '## HP2001 a'
rejects 'HP1001: in differ/rules.c, not'
samples '{ "HP2001", x }' '## HP2001 a\n## HP2002 b'
rejects 'HP2002: in docs/rules.md, not'
samples '{ "HP2001", x }' '## HP2001 a\n## HP2001 b'
rejects 'HP2001: two headings'
samples 'none' 'none'
rejects 'no rule found'
samples '{ "HP2001", x }' '## HP2001 a\nsee HP1009'
accepts

lint
