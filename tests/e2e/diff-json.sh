#!/bin/sh
# --json keeps to docs/diff.schema.json; --sarif is SARIF 2.1.0 with the rules' texts, on source lines, and says what is waived.
set -eu
. tests/lib/sh
. tests/lib/diffsh

sources kinds <<'END'
struct box { int w, h; };
static const int table[] = { 1, 2, 3 };
int limit = 3;
int f(struct box *b) { return b->w + table[b->h & 1]; }
int gone(void) { return 7; }
int line(void) { extern int note(int); return note(__LINE__); }
----
struct box { int w, h, d; };
static const int table[] = { 1, 2, 4 };
int limit = 4;
static int extra;

int f(struct box *b) { return b->w + table[b->h & 1] + extra++; }
int fresh(void) { return 7; }
int line(void) { extern int note(int); return note(__LINE__); }
END
cc_now=gcc
compile -g -O2
mkdir -p "$W/tree"
for side in old new; do
	mkdir -p "$W/tree/$side/src dir"
	cp "$W/kinds/$side.c" "$W/tree/$side/src dir/t.c"
	(cd "$W/tree/$side/src dir" && gcc -w -g -O2 -c t.c)
done
echo '{ "schema": "hpbuild.waivers/1", "waivers": [ { "rule": "HP2001", "symbol": "limit", "reason": "x", "expires": "9999-01-01" } ] }' \
	>"$W/waivers"
expect_exit 4 "$hpbuild" diff --json --sarif "$W/all.sarif" --waivers "$W/waivers" "$W/tree/old" "$W/tree/new" >"$W/all.json"
expect_exit 3 "$hpbuild" diff --json --sarif "$W/none.sarif" "$W/kinds/old" "$W/kinds/old" >"$W/none.json"
python3 tests/lib/schema.py docs/diff.schema.json "$W/all.json" "$W/none.json" >&9 || fail 'not what docs/diff.schema.json says'
sed 's/"refused"/"maybe"/; s/"why"/"whence"/' "$W/all.json" >"$W/bad.json"
expect_exit 1 python3 tests/lib/schema.py docs/diff.schema.json "$W/bad.json" >"$W/faults"
expect_text "$W/faults" "'maybe' is none of"
expect_text "$W/faults" 'why is missing'
python3 tests/lib/sarif.py "$W/all.sarif" "$W/none.sarif" >"$W/listed" || fail "not SARIF: $(cat "$W/listed")"
for line in 'error HP2007 src%20dir/t.c:1 struct box: size' 'error HP2001 src%20dir/t.c:3 limit: .* \[suppressed\]' \
	'note HP1005 src%20dir/t.c:2 table' 'none function-changed src%20dir/t.c:6 f: changed' 'none function-changed .* gone: removed' \
	'note HP1006 src%20dir/t.c:8 line: only line numbers'; do
	expect_text "$W/listed" "^$line"
done
expect_no_text "$W/listed" 'function-changed .* line:'

# An unwritable file fails, and nothing is left of it.
expect_exit 1 "$hpbuild" diff --sarif "$W/no/such/folder.sarif" "$W/kinds/old" "$W/kinds/new" >"$W/out" 2>"$W/err"
expect_text "$W/err" 'no/such/folder.sarif'
