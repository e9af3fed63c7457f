"""Check answers of `hpbuild diff --json`.

usage: diffexpect.py LIST
LIST has two lines an answer: "ANSWER.json EXPECTATION...", and what to call it in messages.

verdict=X[,Y]    the verdict is one of these
changed=f,g      exactly these functions changed (also new=, removed=, noise=); "changed=" means none
changed+=f       these are among them; changed!=f: these are not
rule=HP2001,...  reasons with these rules are there; HP2006:name: about this symbol
norule=HP2001    none with these

Answers whose titles differ only in -ffunction-sections must agree, unless sections=differ.
"""

import json
import sys


def without_sections(title):
    return " ".join(w for w in title.split() if w not in ("-ffunction-sections", "-fdata-sections"))


def agree(answers):
    """answers: {title: path}. Objects with and without sections for each function have the same changes and verdict."""
    groups, bad = {}, 0
    for title, path in answers.items():
        with open(path) as f:
            answer = json.load(f)
        found = {(x["change"], x["name"]) for o in answer["objects"] for x in o["functions"]}
        groups.setdefault(without_sections(title), []).append((title, answer["verdict"], found))
    for same in groups.values():
        for title, verdict, found in same[1:]:
            if (verdict, found) != same[0][1:]:
                bad += 1
                print("%s: %s %s, but %s: %s %s" % (title, verdict, sorted(found), *same[0][:2], sorted(same[0][2])))
    return bad


def judge(path, expectations, title):
    with open(path) as f:
        text = f.read()
    try:
        answer = json.loads(text)
        objects = answer["objects"]
    except (ValueError, KeyError):
        print("%s: no answer: %s" % (title, text[-500:]))
        return 1
    got = {c: set() for c in ("changed", "new", "removed", "noise")}
    for o in objects:
        for x in o["functions"]:
            got[x["change"]].add(x["name"])
    rules = {r["rule"] for r in answer["reasons"]}
    rules |= {r["rule"] + ":" + r["symbol"] for r in answer["reasons"]}
    wrong = []
    for e in expectations:
        key, _, value = e.partition("=")
        want = set(value.split(",")) - {""}
        if key == "sections":
            ok = True
        elif key == "verdict":
            ok = answer["verdict"] in want
        elif key == "rule":
            ok = want <= rules
        elif key == "norule":
            ok = not want & rules
        elif key.endswith("+"):
            ok = want <= got[key[:-1]]
        elif key.endswith("!"):
            ok = not want & got[key[:-1]]
        else:
            ok = want == got[key]
        if not ok:
            wrong.append(e)
    if wrong:
        print("%s: not so: %s\n answer: %s, %s" % (title, " ".join(wrong), answer["verdict"], {k: sorted(v) for k, v in got.items()}))
        for r in answer["reasons"]:
            print("  ", r["rule"], r["symbol"], r["message"])
        for o in objects:
            for x in o["functions"]:
                print("  ", x["change"], x["name"], x["source"], x["why"])
    return 1 if wrong else 0


def main(argv):
    with open(argv[1]) as f:
        lines = f.read().splitlines()
    rows = [(a.split()[0], a.split()[1:], title) for a, title in zip(lines[0::2], lines[1::2])]
    bad = sum(judge(*row) for row in rows)
    bad = bad or agree({title: path for path, want, title in rows if "sections=differ" not in want})
    return 1 if bad else 0


sys.exit(main(sys.argv))
