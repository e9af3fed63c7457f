#!/bin/sh
# Verdict rules: the IDs of differ/rules.h, the table in differ/rules.c and the headings of docs/rules.md are the same set, and
# docs/rules.md has the words of `hpbuild explain`.
. tests/lib/lint

# The title and paragraph of one rule, as one line.
in_docs() { # ID
	sed -n "/^## $1 /,/^## /{
		s/^## $1 //
		/^## /d
		p
	}" docs/rules.md | tr -s ' \n' ' '
}
in_program() { # ID
	"$printer" explain "$1" | sed "1s/^$1: \\(.*\\) ([a-z]*)\$/\\1/" | tr -s ' \n' ' '
}

check() {
	sed -n 's/^[	 ]*HP_RULE_[A-Z0-9_]* = \([12][0-9][0-9][0-9]\),.*/HP\1/p' differ/rules.h | sort >"$W/enum"
	sed -n 's/^[	 ]*{.*"\(HP[12][0-9][0-9][0-9]\)",.*/\1/p' differ/rules.c | sort >"$W/table"
	sed -n 's/^##* \(HP[12][0-9][0-9][0-9]\) .*/\1/p' docs/rules.md | sort >"$W/docs"
	[ -s "$W/enum" ] || echo 'differ/rules.h: no rule found'
	for list in enum table docs; do uniq -d "$W/$list" | sed "s|\$|: twice in the $list|"; done
	for list in table docs; do
		comm -23 "$W/enum" "$W/$list" | sed "s|\$|: in differ/rules.h, not in the $list|"
		comm -13 "$W/enum" "$W/$list" | sed "s|\$|: in the $list, not in differ/rules.h|"
	done
	[ -n "$printer" ] || return 0
	while read -r id; do
		in_docs "$id" >"$W/one"
		in_program "$id" | cmp -s - "$W/one" || echo "docs/rules.md: $id: not the words of 'hpbuild explain $id'"
	done <"$W/enum"
}

printer=
samples() { # ENUM TABLE DOCS: numbers
	for n in $1; do printf '\tHP_RULE_X%s = %s,\n' "$n" "$n"; done | sample differ/rules.h
	for n in $2; do printf '\t{ (enum hp_rule_id)%s, "HP%s", "title",\n' "$n" "$n"; done | sample differ/rules.c
	for n in $3; do printf '## HP%s title\n\ntext,\nmore\n\n' "$n"; done | sample docs/rules.md
}
samples '1001 2001' '1001 2001' '2001'
rejects 'HP1001: in differ/rules.h, not in the docs'
samples '1001' '1001 2001' '1001'
rejects 'HP2001: in the table, not in differ/rules.h'
samples '1001' '1001' '1001 1001'
rejects 'HP1001: twice in the docs'
samples '' '' ''
rejects 'no rule found'
samples '1001 2001' '1001 2001' '1001 2001'
printf '#!/bin/sh\necho "$2: title (refuses)"\necho\necho text, more\n' >"$W/printer"
chmod +x "$W/printer"
printer=$W/printer
accepts
samples '1001' '1001' '1001'
sed -i 's/more/less/' "$W/printer"
rejects 'HP1001: not the words'

printer=$hpbuild
lint
