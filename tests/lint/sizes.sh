#!/bin/sh
# Sizes: function body 80 lines (120 with a SIZE-OK: comment above or in it), nesting 4, .c file 800 lines, header 300, line 130.
. tests/lib/lint

check() {
	all_c | while read -r f; do
		max=800
		case $f in *.h) max=300 ;; esac
		n=$(wc -l <"$f")
		[ "$n" -le $max ] || echo "$f: $n lines, limit $max"
		expand "$f" | awk -v f="$f" 'length($0) > 130 { printf "%s:%d: line of %d columns, limit 130\n", f, NR, length($0) }'
		awk -v f="$f" '
			/SIZE-OK: ./ { ok = NR }
			/^{/ { start = NR; deep = 0 }
			start && /^\t\t\t\t\t\t[^\t ]/ && !deep { deep = NR; printf "%s:%d: nested more than 4 deep\n", f, NR }
			/^}/ && start {
				n = NR - start - 1
				max = ok && ok >= start - 12 ? 120 : 80
				if (n > max) printf "%s:%d: function body of %d lines, limit %d\n", f, start, n, max
				start = 0; ok = 0
			}' "$f"
	done
}

body() { # LINES
	printf 'int\nf(void)\n{\n'
	awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) print "\tx++;" }'
	printf '}\n'
}
body 81 | sample base/a.c
rejects 'base/a.c:3: function body of 81 lines, limit 80'
{ echo '/* SIZE-OK: a flat table. */' && body 121; } | sample base/a.c
rejects 'function body of 121 lines, limit 120'
{ echo '/* SIZE-OK: a flat table. */' && body 120 && body 81; } | sample base/a.c
rejects 'base/a.c:128: function body of 81'
yes '' | head -n 801 | sample tests/unit/a.c
rejects '801 lines, limit 800'
yes '' | head -n 301 | sample base/a.h
rejects '301 lines, limit 300'
printf '\t%0123d\n' 0 | sample base/a.c
rejects 'base/a.c:1: line of 131 columns'
printf 'int\nf(void)\n{\n\t\t\t\t\t\tx++;\n}\n' | sample base/a.c
rejects 'base/a.c:4: nested more than 4 deep'
{ body 80 && echo '/* SIZE-OK: a flat table. */' && body 120; } | sample base/a.c
accepts

lint
