#!/bin/sh
# A package is opened and read once, memory before the signature check is bounded by its size, and files that change or shrink
# while they are read are harmless.
. tests/lib/sh
. tests/lib/real-package
need python3 gcc
unset HPBUILD_TRUST
make_objects "$W"
cd "$W"
for k in a b; do "$hpbuild" keygen --no-passphrase -o $k >/dev/null; done
pack_objects . p.hpk
"$hpbuild" sign -q --key a.key p.hpk

echo '-- opened once'
if command -v strace >/dev/null && strace -o trace true 2>/dev/null; then
	for verb in 'verify --baseline prog' inspect 'extract -o dir' 'inspect --json' 'inspect --vex'; do
		# shellcheck disable=SC2086
		ASAN_OPTIONS=detect_leaks=0 strace -f -o trace -e trace=open,openat,openat2,stat,newfstatat,access "$hpbuild" $verb --trust a.pub p.hpk >/dev/null
		[ "$(grep -c '"p.hpk"' trace)" -eq 1 ] || fail "$verb: $(grep '"p.hpk"' trace)"
	done
	# apply: refused for another reason, but only after the package was read
	ASAN_OPTIONS=detect_leaks=0 strace -f -o trace -e trace=open,openat,openat2 "$hpbuild" apply --dry-run --trust a.pub --pid $$ p.hpk >/dev/null 2>&1 || :
	[ "$(grep -c '"p.hpk"' trace)" -eq 1 ] || fail "apply: $(grep '"p.hpk"' trace)"
else
	echo 'strace is not there or not permitted: not looked at'
fi

echo '-- memory before the check: the file and 16 MiB'
cat >memory.py <<'EOF'
import os, struct, subprocess, sys
hpbuild, trust = sys.argv[1:3]
MAGIC, SIGS = bytes.fromhex("8948504b0d0a1a0a"), bytes.fromhex("894850530d0a1a0a")
def run(head, zeros, tail):  # sparse: what this process holds would count as the child's
    with open("big.hpk", "wb") as f:
        f.write(head)
        f.seek(zeros, 1)
        f.write(tail)
        f.truncate()
    p = subprocess.Popen([hpbuild, "verify", "--trust", trust, "big.hpk"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(p.pid, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_maxrss
base = run(b"", 0, b"")[1]
for mib in 0, 1, 16, 128:
    for rows, raw in (1, 0), (256, 2**63), (2**32 - 1, 2**64 - 1):
        table = struct.pack("<IIIIQQQ", 2, 0, 1, 0, 24 + 40, 8, raw) * min(rows, 256)
        length = 24 + len(table) + (mib << 20)
        head = MAGIC + struct.pack("<IIQ", 1, rows, length) + table
        for block in SIGS + struct.pack("<II", 1, 0) + bytes(72), SIGS + struct.pack("<II", 2**32 - 1, 0), b"x":
            status, rss = run(head, mib << 20, block)
            more = (rss - base) / 1024
            assert status in (6, 7), status
            assert more <= length / 2**20 + 16, "%d MiB more for a file of %d MiB" % (more, mib)
print("bounded: at most the file and 16 MiB")
EOF
case $B in
*-san*) echo 'sanitizers take memory of their own: not measured' ;;
*) python3 memory.py "$hpbuild" a.pub || fail 'memory' ;;
esac

echo '-- files that change'
cp p.hpk good && cp prog good.prog && cp patched/one.o good.o
cat >churn.py <<'EOF'
"""Grow, shrink and damage files in place until the folder `stop` appears."""
import os, sys
files = [(n, open(o, "rb").read()) for n, o in zip(sys.argv[1::2], sys.argv[2::2])]
i = 0
print("churning", flush=True)
while not os.path.exists("stop"):
    for name, data in files:
        i += 1
        with open(name, "r+b") as f:
            if i % 3 == 0:
                f.truncate(len(data) * (i % 17) // 17)
            elif i % 3 == 1:
                f.write(os.urandom(64))
            f.seek(0)
            f.truncate(len(data) if i % 5 else 0)
            f.write(data)
EOF
start churn.out python3 churn.py p.hpk good prog good.prog patched/one.o good.o
wait_line churn.out churning 10
i=0 accepted=0
while [ $i -lt 60 ]; do
	for verb in 'verify --trust a.pub --baseline prog p.hpk' 'inspect --unverified p.hpk' 'diff -j 1 orig patched' \
		'pack --original orig --patched patched --baseline prog -o out.hpk'; do
		status=0
		# shellcheck disable=SC2086
		"$hpbuild" $verb >out 2>err || status=$?
		[ $status -le 8 ] || fail "$verb: exit status $status: $(cat err)"
		if [ $status -eq 0 ]; then accepted=$((accepted + 1)); fi
	done
	i=$((i + 1))
done
mkdir stop
echo "$((4 * i)) runs on changing files, $accepted of them fine, none crashed"
