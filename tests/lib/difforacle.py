"""An oracle for `hpbuild diff` that shares nothing with it: objdump's text of two linked programs, addresses replaced by what is there.

usage: difforacle.py edit SEED SOURCE        print the C source with one random change in a function
       difforacle.py reorder SEED SOURCE     print it with its functions in another order
       difforacle.py check OLD NEW ANSWER    compare functions of two linked programs (OLD.o, NEW.o: their objects); ANSWER: `hpbuild diff --json` of their objects
       difforacle.py none ANSWER             fail when a function is reported
check fails when a function differs that is not reported, and when one is reported that does not differ.
"""

import collections
import json
import random
import re
import subprocess
import sys


# A function of csmith's: a line that ends with ")", and a body to the next line "}".
FUNCTION = re.compile(r"^[a-z][^;={}\n]*\bfunc_\d+\([^;={}]*\)\n\{.*?^\}\n", re.M | re.S)
EDITS = (
    (r"\b0x[0-9A-F]{2,16}(?=U?L{0,2}\b)", lambda m, r: "0x%X" % (int(m.group(), 16) ^ 1 << r.randrange(7))),
    (r"\bsafe_add_", lambda m, r: "safe_sub_"),
    (r"\bsafe_lshift_", lambda m, r: "safe_rshift_"),
    (r" (==|!=|<=|>=|<|>) ", lambda m, r: " %s " % r.choice([o for o in ("==", "!=", "<", ">") if o != m.group(1)])),
    (r" [|&^] ", lambda m, r: " %s " % r.choice([o for o in "|&^" if o != m.group()[1]])),
)


def edit(seed, text):
    r = random.Random(seed)
    functions = list(FUNCTION.finditer(text))
    for _ in range(1000):
        f = r.choice(functions)
        pattern, change = r.choice(EDITS)
        places = [m for m in re.finditer(pattern, f.group()) if f.group().rfind("\n", 0, m.start()) > f.group().index("{")]
        if places:
            m = r.choice(places)
            at = f.start() + m.start()
            return text[:at] + change(m, r) + text[at + len(m.group()):]
    return text


def reorder(seed, text):
    blocks = [m.group() for m in FUNCTION.finditer(text)]
    random.Random(seed).shuffle(blocks)
    return FUNCTION.sub(lambda m: blocks.pop(), text)


def run(*cmd):
    return subprocess.run(cmd, stdout=subprocess.PIPE, check=True, universal_newlines=True).stdout


def plain(name):
    """Without what compilers number."""
    return re.sub(r"\.\d+", ".", name)


def operand_size(insn):
    """Bytes that an instruction surely reads."""
    if re.search(r"%xmm", insn):
        return 4 if re.match(r"\w+ss |movd|cvt\w+l ", insn) else 8 if re.match(r"\w+sd |movq|mov[lh]p|cvt\w+q ", insn) else 16
    if re.match(r"mov[sz]", insn):
        return 1
    if re.search(r"%r(\w\w|\d+)\b(?!.*%e)", insn.replace("(place)", "").replace("%rip", "")):
        return 8
    return 4 if re.search(r"%e\w\w|%r\d+d", insn) else 1


class Program:
    def __init__(self, path):
        self.symbols, self.sections = [], []
        for line in run("readelf", "-SW", path).splitlines():
            m = re.match(r"\s*\[\s*\d+\] (\.\S+)\s+(\S+)\s+([0-9a-f]{16}) ([0-9a-f]+) ([0-9a-f]+)", line)
            if m and int(m.group(3), 16):
                self.sections.append((int(m.group(3), 16), int(m.group(5), 16), int(m.group(4), 16), m.group(1), m.group(2)))
        for line in run("nm", "-S", path).splitlines():
            m = re.match(r"([0-9a-f]{16}) ([0-9a-f]{16}) \w (\S+)$", line)
            if m:
                self.symbols.append((int(m.group(1), 16), int(m.group(2), 16), plain(m.group(3))))
        self.symbols.sort()
        with open(path, "rb") as f:
            self.file = f.read()
        own = {line.split()[-1] for line in run("nm", path + ".o").splitlines() if re.search(r" [tT] ", line)}
        self.text = collections.defaultdict(list)  # name -> lines of objdump
        self.where = {}
        name = None
        for line in run("objdump", "-d", "--no-show-raw-insn", path).splitlines():
            m = re.match(r"([0-9a-f]+) <(.*)>:$", line)
            if m:
                name = m.group(2) if m.group(2) in own else None
                if name is None:
                    continue
                self.where[name] = int(m.group(1), 16)
            elif name and line.startswith(" "):
                self.text[name].append(line)

    def bytes_at(self, at, size):
        for start, length, off, _, kind in self.sections:
            if start <= at < start + length and kind != "NOBITS":
                return self.file[off + at - start:off + min(at - start + size, length)]
        return b""

    def named(self, at):
        for start, size, name in self.symbols:
            if start <= at < start + size:
                return name, at - start
        return None

    def section(self, at):
        return next((s[3] for s in self.sections if s[0] <= at < s[0] + s[1]), None)

    def content(self, at, insn, name):
        """Bytes without a name: a jump table's targets, a constant of the operand's size."""
        if self.section(at) != ".rodata":
            return self.section(at) or "elsewhere"
        size = operand_size(insn)
        if not re.match(r"lea|jmp|notrack|movslq|mov \S+\(,", insn):
            return self.bytes_at(at, size).hex()
        start = self.where[name]
        end = next(a + s for a, s, n in self.symbols if a == start and s)
        targets = []
        for i in range(0, 4096, 4):
            entry = at + int.from_bytes(self.bytes_at(at + i, 4), "little", signed=True)
            if not start <= entry < end:
                break
            targets.append(entry - start)
        return str(targets) if targets else self.bytes_at(at, 4).hex()

    def normal(self, name):
        """The function's instructions, with places by name and content."""
        start, out = self.where[name], []
        for line in self.text[name]:
            _, _, insn = line.strip().partition(":\t")
            insn = re.sub(r"\s+", " ", insn).strip()
            bare = insn.partition(" #")[0].strip()
            if re.match(r"((cs|data16) )*(nop|xchg %ax,%ax)", bare):
                continue
            m = re.search(r"# ([0-9a-f]+)(?: <.*>)?$", insn) or re.search(r" ([0-9a-f]+) <[^>]*>$", bare)
            if m:
                at = int(m.group(1), 16)
                where = self.named(at)
                text = "%s+%x" % where if where else self.content(at, bare, name)
                bare = re.sub(r"-?0x[0-9a-f]+\(%rip\)", "(place)", re.sub(r" [0-9a-f]+ <[^>]*>$", "", bare))
                inner = where and where[0] == plain(name)
                bare += " [inner %s]" % where[1] if inner else " [%s]" % text
            out.append((int(line.strip().partition(":")[0], 16) - start, bare))
        return out


def aligned(a, b):
    """Equal instructions in one order; jumps within the function go to the same instruction."""
    if len(a) != len(b):
        return False
    places = dict(zip((o for o, _ in a), (n for n, _ in b)))
    for (_, x), (_, y) in zip(a, b):
        x, y = (re.sub(r"^(jmp|j\w+)\S*", r"\1", t) for t in (x, y))
        inner = re.search(r"\[inner (\d+)\]$", x), re.search(r"\[inner (\d+)\]$", y)
        if all(inner):
            if x[:inner[0].start()] != y[:inner[1].start()]:
                return False
            to = int(inner[0].group(1)), int(inner[1].group(1))
            if places.get(to[0], to[0]) != to[1]:
                return False
        elif x != y:
            return False
    return True


def same_bodies(olds, news):
    left = list(news)
    for o in olds:
        twin = next((n for n in left if aligned(o, n)), None)
        if twin is None:
            return False
        left.remove(twin)
    return not left


def check(old_path, new_path, answer_path):
    old, new = Program(old_path), Program(new_path)
    with open(answer_path) as f:
        answer = json.load(f)
    reported = collections.defaultdict(set)
    readers = set()
    for o in answer["objects"]:
        readers |= {plain(f["name"]) for f in o["functions"] if re.search("constant|string", f["why"])}
        for f in o["functions"]:
            reported[plain(f["name"])].add(f["change"])
    groups = collections.defaultdict(lambda: ([], []))
    for side, program in enumerate((old, new)):
        for name in program.text:
            groups[plain(name)][side].append(program.normal(name))
    differ = {n for n, (a, b) in groups.items() if not same_bodies(a, b)}
    missed = sorted(n for n in differ if not reported.get(n))
    # The reader of a constant or string that changed has the same code.
    extra = sorted(n for n in set(reported) - differ if "changed" in reported[n] and not readers & {n})
    for text, names in (("differ, but are not reported", missed), ("are reported, but do not differ", extra)):
        if names:
            print("functions that %s: %s" % (text, " ".join(names)))
    print("%d differ, %d functions" % (len(differ), len(groups)))
    return 1 if missed or extra else 0


def main(argv):
    if argv[1] == "check":
        return check(*argv[2:])
    if argv[1] == "none":
        with open(argv[2]) as f:
            return 1 if any(o["functions"] for o in json.load(f)["objects"]) else 0
    with open(argv[3]) as f:
        sys.stdout.write({"edit": edit, "reorder": reorder}[argv[1]](int(argv[2]), f.read()))
    return 0


sys.exit(main(sys.argv))
