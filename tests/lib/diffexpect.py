"""Check an answer of `hpbuild diff --json`.

usage: diffexpect.py ANSWER.json EXPECTATION...

verdict=X[,Y]    the verdict is one of these
changed=f,g      exactly these functions changed (also new=, removed=, noise=); "changed=" means none
changed+=f       these are among them
rule=HP2001,...  reasons with these rules are there
norule=HP2001    none with these
"""

import json
import sys


def main(argv):
    with open(argv[1]) as f:
        answer = json.load(f)
    assert answer["schema"] == "hpbuild.diff/1", answer["schema"]
    got = {c: set() for c in ("changed", "new", "removed", "noise")}
    for o in answer["objects"]:
        for x in o["functions"]:
            got[x["change"]].add(x["name"])
    rules = {r["rule"] for r in answer["reasons"]}
    wrong = []
    for e in argv[2:]:
        key, _, value = e.partition("=")
        want = set(value.split(",")) - {""}
        if key == "verdict":
            ok = answer["verdict"] in want
        elif key == "rule":
            ok = want <= rules
        elif key == "norule":
            ok = not want & rules
        elif key.endswith("+"):
            ok = want <= got[key[:-1]]
        else:
            ok = want == got[key]
        if not ok:
            wrong.append(e)
    if wrong:
        print("not so: %s\nanswer: %s, %s" % (" ".join(wrong), answer["verdict"], {k: sorted(v) for k, v in got.items()}))
        for r in answer["reasons"]:
            print("  ", r["rule"], r["symbol"], r["message"])
        for o in answer["objects"]:
            for x in o["functions"]:
                print("  ", x["change"], x["name"], x["source"], x["why"])
    return 1 if wrong else 0


sys.exit(main(sys.argv))
