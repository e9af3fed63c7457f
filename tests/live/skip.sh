#!/bin/sh
# apply --all leaves alone what --skip names (user, group, executable, number) and says so; without privilege it sees its own user's
# processes only.
. tests/lib/sh
. tests/lib/live
can_trace
build_tools
need python3
build_victim "$W/one" "-Wl,--build-id=0x$(head -c 20 /dev/urandom | od -An -tx1 | tr -d ' \n')"
cp "$W/one" "$W/two"
cp "$W/one" "$W/three"
make_fix "$W/fix.hpk" "$W/one" answer 7
start_victim "$W/1.out" "$W/one"
one=$pid
start_victim "$W/2.out" "$W/two"
two=$pid
start_victim "$W/3.out" "$W/three"
three=$pid

# all TEXT ARGS...: apply --all with these options gives this summary.
all() {
	text=$1
	shift
	"$hpbuild" apply --all "$@" "$W/fix.hpk" >"$W/out"
	expect_text "$W/out" "^3 processes run the baseline: $text\$"
}
unpatched() {
	"$hpbuild" status "$W/fix.hpk" >"$W/out"
	for p; do expect_text "$W/out" "^process $p \\([a-z]*\\): runs the baseline unpatched\$"; done
}

for rule in "user=$(id -u)" "user=$(id -un)" "group=$(id -g)" "group=$(id -gn)"; do
	all '0 applied, 0 already, 0 failed, 3 skipped' --skip "$rule"
	expect_text "$W/out" "^skipped: process $two \\(two\\): $rule\$"
done
unpatched "$one" "$two" "$three"
# A link to the executable, one that was removed, and a number.
ln -s "$W/one" "$W/link"
rm "$W/two"
all '0 applied, 0 already, 0 failed, 3 skipped' --skip "path=$W/link" --skip "path=$W/two" --skip "pid=$three"
expect_text "$W/out" "^skipped: process $two \\(two\\): path=$W/two\$"
expect_text "$W/out" "^skipped: process $three \\(three\\): pid=$three\$"
all '1 would apply, 0 already, 0 failed, 2 skipped' --dry-run --skip "path=$W/one" --skip "path=$W/two"
all '1 applied, 0 already, 0 failed, 2 skipped' --skip "path=$W/one" --skip "path=$W/two"
wait_line "$W/3.out" '^answer 7$' 20
unpatched "$one" "$two"
[ "$(grep -c '^answer' "$W/1.out")" -eq 1 ] || fail 'a skipped process was patched'
"$hpbuild" apply --all --json --skip "pid=$one" "$W/fix.hpk" >"$W/out"
python3 - "$W/out" "$one" <<'END'
import json, sys
r = json.load(open(sys.argv[1]))
assert (r["matching"], r["done"], r["already"], r["failed"], r["skipped"]) == (3, 1, 1, 0, 1), r
one = [p for p in r["processes"] if p["pid"] == int(sys.argv[2])]
assert len(one) == 1 and one[0]["result"] == "skipped" and one[0]["rule"] == "pid=" + sys.argv[2], one
END
unpatched "$one"

for bad in user=no-such-user group= path=relative pid=x pid=-1 else user; do
	expect_exit 2 "$hpbuild" apply --all --skip "$bad" "$W/fix.hpk" >"$W/out" 2>"$W/err"
	expect_text "$W/err" "--skip '$bad'"
done
expect_exit 2 "$hpbuild" apply --pid "$one" --skip pid=1 "$W/fix.hpk" 2>"$W/err"
unpatched "$one"

# Another user: nobody's own process is patched, root's is neither seen nor touched.
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null 2>&1; then
	as_nobody() {
		setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
	}
	mkdir "$W/nobody"
	cp "$hpbuild" "$hpbuild-live" "$W/nobody"
	chown 65534 "$W/nobody"
	chmod a+x "$W" "$(dirname "$W")"
	as_nobody "$W/nobody/hpbuild" --version >"$W/out" 2>&1 || skip "another user cannot run programs below $W"
	start "$W/4.out" setpriv --reuid 65534 --regid 65534 --clear-groups "$W/one"
	four=$pid
	wait_line "$W/4.out" '^ready' 20
	HPBUILD_STATE=$W/nobody/state as_nobody "$W/nobody/hpbuild" apply --all "$W/fix.hpk" >"$W/out"
	expect_text "$W/out" '^1 process runs the baseline: 1 applied, 0 already, 0 failed$'
	expect_text "$W/out" "process $four "
	unpatched "$one"
	wait_line "$W/4.out" '^answer 7$' 20
fi
