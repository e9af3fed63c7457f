#!/bin/sh
# Verdict rules: the IDs of differ/rules.h, their texts in differ/rules_text.h and the headings of docs/rules.md are the same set, and
# docs/rules.md is what `hpbuild explain --markdown` prints.
. tests/lib/lint

check() {
	sed -n 's/^[	 ]*HP_RULE_[A-Z0-9_]* = \([12][0-9][0-9][0-9]\),.*/HP\1/p' differ/rules.h | sort >"$W/enum"
	sed -n 's/^[	 ]*R(\([12][0-9][0-9][0-9]\),.*/HP\1/p' differ/rules_text.h | sort >"$W/text"
	sed -n 's/^##* .*\(HP[12][0-9][0-9][0-9]\).*/\1/p' docs/rules.md | sort >"$W/docs"
	[ -s "$W/enum" ] || echo 'differ/rules.h: no rule found'
	for list in enum text docs; do uniq -d "$W/$list" | sed "s|\$|: twice in the $list|"; done
	for list in text docs; do
		comm -23 "$W/enum" "$W/$list" | sed "s|\$|: in differ/rules.h, not in the $list|"
		comm -13 "$W/enum" "$W/$list" | sed "s|\$|: in the $list, not in differ/rules.h|"
	done
	[ -z "$printer" ] || "$printer" explain --markdown | diff - docs/rules.md >"$W/diff" ||
		echo "docs/rules.md: is not what 'hpbuild explain --markdown' prints: $(sed -n 2p "$W/diff")"
}

printer=
samples() { # ENUM TEXT DOCS: numbers
	for n in $1; do printf '\tHP_RULE_X%s = %s,\n' "$n" "$n"; done | sample differ/rules.h
	for n in $2; do printf '\tR(%s, "title", \\\n' "$n"; done | sample differ/rules_text.h
	for n in $3; do printf '## HP%s: title\n' "$n"; done | sample docs/rules.md
}
samples '1001 2001' '1001 2001' '2001'
rejects 'HP1001: in differ/rules.h, not in the docs'
samples '1001' '1001 2001' '1001'
rejects 'HP2001: in the text, not in differ/rules.h'
samples '1001' '1001' '1001 1001'
rejects 'HP1001: twice in the docs'
samples '' '' ''
rejects 'no rule found'
samples '1001' '1001' '1001'
printf '#!/bin/sh\necho other\n' >"$W/printer"
chmod +x "$W/printer"
printer=$W/printer
rejects 'is not what'
printer=
samples '1001 2001' '1001 2001' '1001 2001'
accepts

if "$hpbuild" explain --help | grep -q -e --markdown; then printer=$hpbuild; fi
lint
