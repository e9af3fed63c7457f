#!/bin/sh
# The rollback floor: apply raises it, older packages are refused afterwards (8), overrides are loud and recorded, verify only looks.
. tests/lib/sh
. tests/lib/live
can_trace
need gcc
cd "$W"

cat >prog.c <<'EOF'
#include <stdio.h>
#include <unistd.h>
#ifndef ANSWER
#define ANSWER 1
#endif
int answer(void);
int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	for (;;) {
		printf("answer %d\n", answer());
		usleep(20000);
	}
}
EOF
printf '__attribute__((noinline)) int answer(void)\n{\n\tstatic volatile int n;\n\treturn ANSWER + (n++ & 0) + (n & 0);\n}\n' >answer.c
mkdir o p2 p3
for d in o:1 p2:2 p3:3; do
	gcc -g -O2 -DANSWER="${d#*:}" -c -o "${d%:*}/answer.o" answer.c
	gcc -g -O2 -c -o "${d%:*}/main.o" prog.c
done
gcc -Wl,--build-id -o prog o/main.o o/answer.o
"$hpbuild" keygen --no-passphrase -o key >/dev/null
HPBUILD_TRUST=$W/key.pub
export HPBUILD_TRUST
make() { # NAME SERIAL PATCHED EXPIRES
	echo "{ \"name\": \"$1\", \"expires\": $4 }" >meta.json
	"$hpbuild" pack -q --original o --patched "$3" --baseline prog --meta meta.json --serial "$2" -o "$1.hpk" >/dev/null 2>err || fail "$(cat err)"
	"$hpbuild" sign -q --key key.key "$1.hpk"
}
make old 4 p2 0
make new 5 p3 0
make ended 6 p3 1000
state=$W/state
[ ! -e "$state" ] || fail 'state before anything was applied'
for p in old new; do "$hpbuild" verify $p.hpk >/dev/null; done
[ ! -e "$state" ] || fail 'verify wrote state'

echo '-- apply raises the floor, a dry run does not'
start_victim out ./prog
"$hpbuild" apply --dry-run --pid "$pid" new.hpk >/dev/null
[ ! -e "$state" ] || fail 'a dry run wrote state'
"$hpbuild" apply --pid "$pid" new.hpk >/dev/null
wait_line out '^answer 3$' 20
file=$(ls "$state"/floor/*)
expect_text "$file" '^serial 5$'
"$hpbuild" revert --pid "$pid" >/dev/null

echo '-- older ones are refused, by verify too; the process is as it was'
for verb in verify "apply --pid $pid" "apply --dry-run --pid $pid"; do
	# shellcheck disable=SC2086
	expect_exit 8 "$hpbuild" $verb old.hpk 2>err
	expect_text err 'serial 4 is older than 5 of package [0-9a-f]{32}'
done
"$hpbuild" status --pid "$pid" >st
expect_no_text st '  applied$'
"$hpbuild" verify new.hpk >/dev/null
"$hpbuild" verify --state "$W/elsewhere" old.hpk >/dev/null

echo '-- an override is loud and recorded, and does not lower the floor'
"$hpbuild" verify --json --allow-downgrade old.hpk >json 2>err
expect_text err 'warning: DOWNGRADE allowed'
expect_text json '"downgrade": true'
[ ! -e "$state/overrides.log" ] || fail 'verify recorded something'
"$hpbuild" apply -q --allow-downgrade --pid "$pid" old.hpk >/dev/null 2>err
expect_text err 'warning: DOWNGRADE allowed'
expect_text "$state/overrides.log" "allow-downgrade package [0-9a-f]{32} serial 4 process $pid\$"
expect_text "$file" '^serial 5$'
"$hpbuild" revert --pid "$pid" >/dev/null
expect_exit 8 "$hpbuild" apply --pid "$pid" old.hpk 2>err

echo '-- expiry likewise'
expect_exit 8 "$hpbuild" apply --pid "$pid" ended.hpk 2>err
expect_text err 'expired'
expect_text "$file" '^serial 5$'
"$hpbuild" apply -q --allow-expired --pid "$pid" ended.hpk >/dev/null 2>err
expect_text err 'warning: EXPIRED package allowed'
expect_text "$state/overrides.log" "allow-expired package [0-9a-f]{32} serial 6 process $pid\$"
expect_text "$file" '^serial 6$'
"$hpbuild" revert --pid "$pid" >/dev/null

echo '-- damaged state is no licence; what cannot be remembered is not done'
for text in '' 'serial 0' 'hpbuild-floor 1
serial 06
id 00112233445566778899aabbccddeeff' 'hpbuild-floor 2
serial 6
id 00112233445566778899aabbccddeeff'; do
	printf '%s\n' "$text" >"$file"
	expect_exit 7 "$hpbuild" verify new.hpk 2>err
	expect_exit 7 "$hpbuild" apply --allow-downgrade --pid "$pid" new.hpk 2>err
done
echo x >not-a-folder
expect_exit 1 "$hpbuild" apply --state not-a-folder --pid "$pid" new.hpk 2>err
expect_exit 1 "$hpbuild" apply --state /proc/1/nothing --pid "$pid" new.hpk 2>err
"$hpbuild" status --pid "$pid" >st
expect_no_text st '  applied$'
