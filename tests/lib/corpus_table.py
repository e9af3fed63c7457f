"""The proof of the baseline on every case of a corpus, as a table.

usage: corpus_table.py BUILD CASES_DIR SCRATCH [NAME...]
One row for each module that changed objects were linked into:

replace    functions that the fix has to replace, by the corpus' own ground truth (line-number noise and .cold parts aside)
symbols    how many of them are proven, at the address that the module's symbol table gives, in the module with symbols
stripped   the same for the module after strip(1)
objects    of all functions of the changed objects, those that are proven: with symbols, stripped (a few bytes that are not unique count as
           proven only where their place is known for sure)
wrong      exit status with the module that was built with the fix as the baseline: 5, unless its code is the same
outcome    sizes of the two packages, which replace them all and verify against their baselines; or why there is none

Exit status 1: a function to be replaced is not proven, a package lacks one, a wrong baseline is taken, or the outcome is not what the
case expects. What is not proven is named below its row.
"""

import json
import os
import subprocess
import sys

from diffcheck import correct, expected, unpack

ROW = "%-26s %-25s %7s %7s %8s %7s %7s %5s  %s"


def run(*cmd):
    p = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return p.returncode, p.stdout.decode(errors="replace"), p.stderr.decode(errors="replace")


def must(*cmd):
    code, out, err = run(*cmd)
    if code != 0:
        raise SystemExit("%s: exit status %d: %s" % (" ".join(cmd), code, err))
    return out


def symbols(module):
    """{name: set of addresses} of the symbol table."""
    out = {}
    for line in must("nm", "--defined-only", module).splitlines():
        va, _, name = line.split(" ", 2)
        out.setdefault(name, set()).add(int(va, 16))
    return out


class Proof:
    """What the proof says of some objects: which are in the module, and {(object, function): (state, address)}."""

    def __init__(self, build, module, where, objects):
        self.members, self.functions = set(), {}
        for path in objects:
            self.add(path, must(build + "/tests/lib/proveall", module, where + "/orig/" + path))

    def add(self, path, text):
        rows = [line.split(" ") for line in text.splitlines()]
        if not any(r[0] == "member" for r in rows):
            return
        self.members.add(path)
        for r in rows:
            if r[0] in ("unknown", "proven", "weak", "differs", "ambiguous"):
                self.functions[path, r[1]] = r[0], int(r[2], 16)

    def proven(self, wanted):
        return {f for f in wanted if self.functions.get(f, ("", 0))[0] == "proven"}


class Case:
    def __init__(self, build, cases, scratch, name):
        self.build, self.hpbuild, self.scratch, self.name = build, build + "/hpbuild", scratch, name
        self.where, truth, case = unpack(cases, name, scratch)
        self.expects = case["hotpatchable_expectation"]["answer"]
        changed, noise, _ = expected(truth)
        correct(name, changed, noise)
        self.wanted = {(path, f) for path, names in changed.items() for f in names if ".cold" not in f}
        self.objects = sorted(p for p in truth["objects"] if os.path.exists(self.where + "/orig/" + p))
        self.wrong, self.seen, self.packed = [], set(), []

    def pack(self, module, to):
        return run(self.hpbuild, "pack", "--json", "--original", self.where + "/orig", "--patched", self.where + "/patched",
                   "--baseline", module, "-o", to)

    def outcome(self, modules, wanted):
        """The packages for both modules, or why not."""
        texts = []
        for module in modules:
            to = os.path.join(self.scratch, "case.hpk")
            code, out, _ = self.pack(module, to)
            answer = json.loads(out)
            self.packed.append(code == 0)
            if code != 0:
                texts.append("refused (%d): %s" % (code, why(answer)))
                continue
            lacks = wanted - {(f["object"], f["name"]) for f in answer["replaced"]}
            self.wrong += ["not replaced: %s of %s" % (f, path) for path, f in sorted(lacks)]
            must(self.hpbuild, "sign", "-k", self.scratch + "/key.key", to)
            must(self.hpbuild, "verify", "--trust", self.scratch + "/key.pub", "--baseline", module, to)
            texts.append("%d bytes" % os.path.getsize(to))
        return texts[0] if texts[0] == texts[1] else " / ".join(texts)

    def unproven(self, kind, proof, wanted):
        for f in sorted(wanted - proof.proven(wanted)):
            state = proof.functions.get(f, ("not in the module", 0))[0]
            self.wrong.append("%s: %s of %s: %s" % (kind, f[1], f[0], state))

    def row(self, module):
        path = self.where + "/orig/_bin/" + module
        stripped = os.path.join(self.scratch, "stripped")
        must("strip", "-o", stripped, path)
        both = [Proof(self.build, m, self.where, self.objects) for m in (path, stripped)]
        if not both[0].members and not both[1].members:
            return
        self.seen |= both[0].members
        wanted = {f for f in self.wanted if f[0] in both[0].members}
        table = symbols(path)
        for kind, proof in zip(("symbols", "stripped"), both):
            self.unproven(kind, proof, wanted)
            for f in sorted(proof.proven(proof.functions)):
                if f[1] in table and proof.functions[f][1] not in table[f[1]]:
                    self.wrong.append("%s: %s of %s: proven at a wrong address" % (kind, f[1], f[0]))
        objects = ["%d/%d" % (len(p.proven(p.functions)), len(p.functions)) for p in both]
        other = self.where + "/patched/_bin/" + module
        code = self.pack(other, os.path.join(self.scratch, "none.hpk"))[0] if os.path.exists(other) else None
        count = ["%d/%d" % (len(p.proven(wanted)), len(wanted)) for p in both]
        outcome = self.outcome((path, stripped), wanted)
        if code == 0:
            self.wrong.append("the module with the fix is taken as the baseline")
        print(ROW % (self.name, module, len(wanted), *count, *objects, "-" if code is None else code, outcome))

    def judge(self):
        for module in sorted(os.listdir(self.where + "/orig/_bin")):
            self.row(module)
        lost = {f for f in self.wanted if f[0] not in self.seen}
        if lost:
            print(ROW % (self.name, "(no module)", len(lost), "", "", "", "", "", "the objects are in none of the linked modules"))
        if self.packed and (self.expects == "yes" and not all(self.packed) or self.expects == "no" and any(self.packed)):
            self.wrong.append("expected: %s" % self.expects)
        for w in self.wrong:
            print("    " + w)
        return bool(self.wrong)


def why(answer):
    refused = [r for r in answer.get("reasons", []) if r["severity"] == "refuse" and not r["waived"]]
    if refused:
        return "; ".join(sorted({r["rule"] + " " + r["symbol"] for r in refused}))
    return answer.get("error", {}).get("message", "no reason given")


def main(argv):
    build, cases, scratch, names = argv[1], argv[2], argv[3], argv[4:]
    must(build + "/hpbuild", "keygen", "--no-passphrase", "-o", scratch + "/key")
    print(ROW % ("case", "module", "replace", "symbols", "stripped", "objects", "", "wrong", "outcome"))
    bad = 0
    for name in sorted(os.listdir(cases)):
        if not names or name in names:
            bad += Case(build, cases, scratch, name).judge()
    print("%d cases with an open point" % bad)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
