"""Check SARIF files for what the standard (SARIF 2.1.0, OASIS) requires of the properties that we write, and list their results.

usage: sarif.py FILE...
Prints "LEVEL RULE URI:LINE MESSAGE" for each result, " [suppressed]" behind those that are; exit status 1 with a line for each fault.
"""

import json
import re
import sys

LEVELS = {"none", "note", "warning", "error"}
KEYS = {
    "log": ({"version", "runs"}, {"$schema"}),
    "run": ({"tool", "results"}, {"columnKind"}),
    "driver": ({"name", "rules"}, {"version"}),
    "rule": ({"id"}, {"shortDescription", "fullDescription", "help", "defaultConfiguration"}),
    "result": ({"message", "ruleId", "ruleIndex", "level", "locations"}, {"kind", "suppressions", "occurrenceCount"}),
    "location": (set(), {"physicalLocation", "logicalLocations"}),
    "physical": ({"artifactLocation"}, {"region"}),
}
faults = []


def keys(kind, value):
    must, may = KEYS[kind]
    for k in sorted(must - set(value)):
        faults.append("%s: %s is missing" % (kind, k))
    for k in sorted(set(value) - must - may):
        faults.append("%s: unexpected %s" % (kind, k))


def want(ok, text):
    if not ok:
        faults.append(text)


def check_result(r, rules):
    keys("result", r)
    want(rules[r["ruleIndex"]]["id"] == r["ruleId"], "ruleIndex of %s" % r["ruleId"])
    want(r["level"] in LEVELS, "level %r" % r["level"])
    # 3.27.10: a kind other than "fail" has level "none".
    want((r.get("kind", "fail") == "fail") == (r["level"] != "none"), "kind %r with level %r" % (r.get("kind"), r["level"]))
    want(bool(r["message"]["text"]), "empty message")
    place = "-"
    for where in r["locations"]:
        keys("location", where)
        physical = where["physicalLocation"]
        keys("physical", physical)
        uri, line = physical["artifactLocation"]["uri"], physical.get("region", {}).get("startLine")
        want(re.match(r"^(file:///)?[A-Za-z0-9._~/+@,%-]+$", uri), "uri %r" % uri)
        want(line is None or line > 0, "line %r" % line)
        place = uri + (":%d" % line if line else "")
    for s in r.get("suppressions", []):
        want(s["kind"] in ("external", "inSource"), "suppression")
    print(r["level"], r["ruleId"], place, r["message"]["text"] + (" [suppressed]" if r.get("suppressions") else ""))


def check(path):
    with open(path) as f:
        log = json.load(f)
    keys("log", log)
    want(log["version"] == "2.1.0", "version")
    for run in log["runs"]:
        keys("run", run)
        driver = run["tool"]["driver"]
        keys("driver", driver)
        for rule in driver["rules"]:
            keys("rule", rule)
            want(rule["defaultConfiguration"]["level"] in LEVELS and rule["fullDescription"]["text"], "rule %s" % rule["id"])
        want(len({x["id"] for x in driver["rules"]}) == len(driver["rules"]), "two rules of one id")
        for r in run["results"]:
            check_result(r, driver["rules"])


for name in sys.argv[1:]:
    check(name)
for fault in faults:
    print(fault)
sys.exit(1 if faults else 0)
