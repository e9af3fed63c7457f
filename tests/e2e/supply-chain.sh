#!/bin/sh
# What travels signed with a package: source patch and its digest, in-toto provenance, OpenVEX; printed as other tools read them.
. tests/lib/sh
. tests/lib/real-package
need gcc python3
unset HPBUILD_TRUST SOURCE_DATE_EPOCH
make_objects "$W"
cd "$W"
"$hpbuild" keygen --no-passphrase -o k >/dev/null
pack_objects . p.hpk --builder https://ci.example/builder
"$hpbuild" sign -q --key k.key p.hpk

# Nothing is shown before it is verified.
for what in provenance vex patch; do
	"$hpbuild" keygen --no-passphrase -o "other-$what" >/dev/null
	expect_exit 6 "$hpbuild" inspect --trust "other-$what.pub" --$what p.hpk >out 2>err
	[ ! -s out ] || fail "--$what shows something unverified"
	"$hpbuild" inspect --trust k.pub --$what p.hpk >$what
done
cmp patch fix.patch || fail 'another patch came out'
"$hpbuild" inspect --trust k.pub --json p.hpk >inspect.json
"$hpbuild" extract --trust k.pub -o dir p.hpk >/dev/null
cmp dir/source.patch fix.patch || fail 'extract: another patch'

cat >check.py <<'EOF'
import hashlib, json, sys
sha = lambda name: hashlib.sha256(open(name, "rb").read()).hexdigest()
man = json.load(open("inspect.json"))["manifest"]
assert man["source_patch"] == hashlib.blake2b(open("fix.patch", "rb").read(), digest_size=32).hexdigest()
p = json.load(open("provenance"))
assert p == json.load(open("dir/provenance.json"))
assert p["_type"] == "https://in-toto.io/Statement/v1" and p["predicateType"] == "https://slsa.dev/provenance/v1"
subjects = {s["name"]: s["digest"]["sha256"] for s in p["subject"]}
assert subjects == {n: sha("dir/" + n) for n in ("payload.0.elf", "payload.0.fixups")}, subjects
b = p["predicate"]["buildDefinition"]
inputs = {d["name"]: d["digest"]["sha256"] for d in b["resolvedDependencies"]}
want = {"baseline/prog": "prog", "source.patch": "fix.patch", "original/one.o": "orig/one.o", "patched/one.o": "patched/one.o"}
assert inputs == {k: sha(v) for k, v in want.items()}, inputs
assert b["externalParameters"]["patches"] == ["fix.patch"] and b["buildType"].startswith("urn:hpbuild:")
assert any("GNU C" in t for t in b["internalParameters"]["toolchain"]) and b["internalParameters"]["baseline_comment"]
assert p["predicate"]["runDetails"]["builder"]["id"] == "https://ci.example/builder"
v = json.load(open("vex"))
assert v["@context"].startswith("https://openvex.dev/ns/") and v["author"] and v["version"] == 1
assert v["@id"].startswith("urn:") and v["timestamp"] == "2026-09-21T14:13:20Z", v["timestamp"]
assert [s["vulnerability"]["name"] for s in v["statements"]] == ["CVE-2026-0001", "CVE-2026-0002"]
for s in v["statements"]:
    assert s["status"] == "fixed" and s["products"][0]["@id"] == "urn:gnu-build-id:" + man["targets"][0]["build_id"]
    assert s["products"][0]["hashes"]["sha-256"] == sha("prog")
EOF
python3 check.py || fail 'documents'

# A patch may hold anything: on a terminal its control characters are escaped, elsewhere it is what it was.
cp fix.patch keep.patch && printf 'x\033[2J\302\233y\a\n' >>fix.patch
pack_objects . evil.hpk
"$hpbuild" inspect --unverified --patch evil.hpk 2>/dev/null | cmp - fix.patch || fail 'not the same in a pipe'
cat >onterm.py <<'EOF'
import os, pty, sys
seen = []
def read(fd):
    seen.append(os.read(fd, 4096))
    return seen[-1]
pty.spawn(sys.argv[1:], read)
data = b"".join(seen)
assert b"x\\x1b[2J\\xc2\\x9by\\x07" in data, data[-200:]
assert b"\x1b[2J" not in data and b"\x07" not in data
EOF
python3 onterm.py "$hpbuild" inspect --unverified --color never --patch evil.hpk >onterm.out 2>&1 || fail "control characters reach the terminal: $(cat onterm.out)"
mv keep.patch fix.patch

# Only the digest, a document of one's own, nothing at all.
pack_objects . d.hpk --patch-digest-only
expect_exit 3 "$hpbuild" inspect --unverified --patch d.hpk 2>err
"$hpbuild" inspect --unverified --json d.hpk >out 2>/dev/null
expect_text out '"source_patch": "[0-9a-f]{64}"'
printf '{ "@context": "https://openvex.dev/ns/v0.2.0", "@id": "x", "statements": [] }\n' >my.json
pack_objects . v.hpk --vex my.json
"$hpbuild" inspect --unverified --vex v.hpk 2>/dev/null >out
expect_text out '"@id": "x"'
echo '{ "name": "x", "source_patch": "'"$(printf '%064d' 0)"'" }' >bad.json
expect_exit 7 "$hpbuild" pack --original orig --patched patched --baseline prog --meta bad.json --patch fix.patch -o bad.hpk 2>err
expect_text err 'source patch'
expect_exit 7 "$hpbuild" pack --original orig --patched patched --baseline prog --vex fix.patch -o bad.hpk 2>err
[ ! -e bad.hpk ] || fail 'a package was written'
