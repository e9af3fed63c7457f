#!/bin/sh
# limit: 500
# Another reader, written in Python from man/hpk.5 alone: it lists the same, and it accepts and refuses the same files as hpbuild.
. tests/lib/sh
. tests/lib/real-package
need python3 gcc zstd
unset HPBUILD_TRUST
reader=$TOP/tests/lib/hpk_reader.py
make_objects "$W"
cd "$W"
for k in a b c; do "$hpbuild" keygen --no-passphrase -o $k >/dev/null; done
mkdir good
pack_objects . good/real.hpk
pack_objects . good/plain.hpk --patch-digest-only
"$B/tests/lib/mkpkg" -o good/hand.hpk
"$B/tests/lib/mkpkg" -r -o good/restart.hpk
gcc -O1 -fno-inline -Wl,--build-id=0x0011223344556677 src/main.c src/one.c -o other
"$B/tests/lib/mkpkg" -b prog -f check -b other -f twice -o good/two.hpk
for f in good/*; do "$hpbuild" sign -q --key a.key "$f"; done
"$hpbuild" sign -q --key b.key good/real.hpk

cat >compare.py <<'EOF'
"""compare.py OURS THEIRS: inspect --json -v of hpbuild against the reader's JSON."""
import json, sys
ours, theirs = (json.load(open(f)) for f in sys.argv[1:3])
for key in "id", "signatures", "manifest":
    assert ours[key] == theirs[key], key
form = {"abs64": 1, "abs32": 2, "abs32s": 3, "pc32": 4}
kind = {"payload": 1, "module": 2, "slot": 3, "import": 4, "tls_mod": 5, "tls_off": 6}
assert len(ours["payloads"]) == len(theirs["payloads"])
for a, b in zip(ours["payloads"], theirs["payloads"]):
    assert a["image_file_len"] == b["image_len"]
    mine = [(f["place"], form[f["form"]], kind[f["kind"]], f["module"], f["target"], f["addend"]) for f in a["fixups"]["all"]]
    assert mine == [(f["place"], f["form"], f["kind"], f["module"], f["target"], f["addend"]) for f in b["fixups"]], "fixups"
for n in "patch", "provenance", "vex":
    assert ours["documents"][n + "_len"] == theirs["documents"][n], n
EOF
for f in good/*; do
	python3 "$reader" "$f" a.pub b.pub >theirs || fail "$f: the reader refuses it"
	"$hpbuild" inspect -v --json --trust a.pub --trust b.pub "$f" >ours 2>/dev/null
	python3 compare.py ours theirs || fail "$f: the two readers differ"
done
expect_exit 0 python3 "$reader" --require 2 good/real.hpk a.pub b.pub >out
expect_exit 6 python3 "$reader" --require 2 good/hand.hpk a.pub b.pub 2>err
expect_exit 6 python3 "$reader" good/real.hpk a.pub 2>err
expect_exit 0 python3 "$reader" --ignore-unknown good/real.hpk a.pub >out
expect_exit 6 python3 "$reader" good/hand.hpk c.pub 2>err
"$B/tests/lib/mkpkg" -o unsigned.hpk && expect_exit 6 python3 "$reader" unsigned.hpk a.pub 2>err

# Damaged signed parts, with the signature out of the way (--unverified), so that the rules themselves are compared.
cat >mutate.py <<'EOF'
"""mutate.py READER FLIPPER PKG...: one verdict a mutation from each side; they must be the same."""
import importlib.util, random, struct, subprocess, sys
spec = importlib.util.spec_from_file_location("hpk_reader", sys.argv[1])
reader = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reader)
random.seed(20261124)
cases = []
for path in sys.argv[3:]:
    data = open(path, "rb").read()
    signed_len = struct.unpack_from("<Q", data, 16)[0]
    rows = struct.unpack_from("<I", data, 12)[0]
    table = 24 + 40 * rows
    step = 1 if "real" in path or "two" in path else 7
    for bit in range(0, 8 * table, step):  # every bit of header and table, for the others every seventh
        cases.append((path, data, bit))
    for _ in range(300):
        cases.append((path, data, random.randrange(8 * table, 8 * len(data))))
text = []
for i, (path, data, bit) in enumerate(cases):
    b = bytearray(data)
    b[bit // 8] ^= 1 << bit % 8
    name = "mut/%05d" % i
    open(name, "wb").write(b)
    try:
        reader.read_package(bytes(b))
        mine = 0
    except reader.Malformed as e:
        mine = 7
        why = str(e)
    text.append((name, mine, path, bit, why if mine else ""))
out = subprocess.run([sys.argv[2]] + [t[0] for t in text], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
bad = 0
for (name, mine, path, bit, why), line in zip(text, out, strict=True):
    theirs = 0 if line.split("\t")[0] == "ok" else 7
    if mine != theirs:
        bad += 1
        print("%s bit %d: reader %d (%s), hpbuild %s" % (path, bit, mine, why, line))
print("%d mutations, %d accepted by both, %d disagreements" % (len(text), sum(t[1] == 0 for t in text), bad))
sys.exit(bad > 0)
EOF
mkdir mut
python3 mutate.py "$reader" "$B/tests/lib/parse" good/*.hpk >out || fail "$(tail -n 20 out)"
cat out
