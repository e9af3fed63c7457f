#!/usr/bin/env python3
"""hpk_reader.py [--require N] [--ignore-unknown] [--unverified] PKG [PUBKEY...]

A second reader of hotpatch packages, written from man/hpk.5 alone and sharing no code with hpbuild: it checks every rule of that
page and prints what it found as JSON. Standard library, and the zstd program for decompression. Ed25519 is that of RFC 8032,
section 5.1, in its slowest form. Exit status: 0 fine, 6 signature, 7 malformed, 1 anything else.
"""
import base64
import hashlib
import json
import struct
import subprocess
import sys

MIB = 1 << 20
PAGE = 4096
MAGIC, SIGS_MAGIC = bytes.fromhex("8948504b0d0a1a0a"), bytes.fromhex("894850530d0a1a0a")
MANIFEST, IMAGE, FIXUPS, PATCH, PROVENANCE, VEX = 1, 2, 3, 16, 17, 18
ZSTD, OPTIONAL = 1, 2
TARGET_CHUNKS, DOCUMENTS = (IMAGE, FIXUPS), (PATCH, PROVENANCE, VEX)


class Malformed(Exception):
    status = 7


class Untrusted(Exception):
    status = 6


def check(condition, *what):
    if not condition:
        raise Malformed(" ".join(str(w) for w in what))


# ---- Ed25519, RFC 8032 section 5.1 ----

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def recover_x(y, sign):
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if x2 == 0:
        return None if sign else 0
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * ROOT % P
    if (x * x - x2) % P:
        return None
    return P - x if x & 1 != sign else x


def point(data):
    y = int.from_bytes(data, "little")
    x = recover_x(y & ((1 << 255) - 1), y >> 255)
    y &= (1 << 255) - 1
    return None if x is None else (x, y, 1, x * y % P)


def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(n, p):
    q = (0, 1, 1, 0)
    while n:
        if n & 1:
            q = add(q, p)
        p, n = add(p, p), n >> 1
    return q


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE = (recover_x(BASE_Y, 0), BASE_Y, 1, recover_x(BASE_Y, 0) * BASE_Y % P)


def ed25519_valid(public, message, signature):
    a, r, s = point(public), point(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    left, right = times(s, BASE), add(r, times(h, a))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


def read_pubkey(path):
    lines = open(path, "rb").read().split(b"\n")
    raw = base64.b64decode(lines[1], validate=True)
    check(len(raw) == 42 and raw[:2] == b"Ed", path, "is no public key")
    return raw[2:10], raw[10:]


# ---- whole file ----

def split(data):
    check(len(data) <= 256 * MIB, "file too large")
    check(len(data) >= 24 and data[:8] == MAGIC, "no magic")
    version, _, length = struct.unpack_from("<IIQ", data, 8)
    check(version == 1, "version", version)
    check(24 <= length <= len(data), "length of the signed part", length)
    block = data[length:]
    check(len(block) >= 16 and block[:8] == SIGS_MAGIC, "no signature block")
    count, zero = struct.unpack_from("<II", block, 8)
    check(count <= 32 and zero == 0 and len(block) == 16 + 72 * count, "signature block")
    records = [(block[16 + 72 * i : 24 + 72 * i], block[24 + 72 * i : 88 + 72 * i]) for i in range(count)]
    check(all(a[0] < b[0] for a, b in zip(records, records[1:])), "order of records")
    return data[:length], records


def check_signatures(signed, records, keys, require, ignore_unknown):
    digest = hashlib.blake2b(signed).digest()
    valid = []
    if not records:
        raise Untrusted("not signed")
    for key_id, signature in records:
        if key_id not in keys:
            if not ignore_unknown:
                raise Untrusted("unknown key")
        elif not ed25519_valid(keys[key_id], digest, signature):
            raise Untrusted("wrong signature")
        else:
            valid.append(key_id)
    if len(valid) < require:
        raise Untrusted("too few keys")
    return valid


# ---- signed part ----

def unzstd(frame, raw_len):
    """One frame of RFC 8878, walked block by block, and then given to the zstd program."""
    check(len(frame) >= 5 and frame[:4] == bytes.fromhex("28b52ffd"), "not a zstd frame")
    flags = frame[4]
    single, checksum, dictionary = flags >> 5 & 1, flags >> 2 & 1, (0, 1, 2, 4)[flags & 3]
    size_len = (1 if single else 0, 2, 4, 8)[flags >> 6]
    check(size_len, "zstd frame without content size")
    at = 5 + (0 if single else 1)
    check(int.from_bytes(frame[at : at + dictionary], "little") == 0, "zstd dictionary")
    at += dictionary
    size = int.from_bytes(frame[at : at + size_len], "little") + (256 if size_len == 2 else 0)
    check(size == raw_len, "zstd content size", size, "expected", raw_len)
    at += size_len
    last = 0
    while not last:
        check(at + 3 <= len(frame), "zstd frame is cut short")
        head = int.from_bytes(frame[at : at + 3], "little")
        last, kind = head & 1, head >> 1 & 3
        at += 3 + (1 if kind == 1 else head >> 3)
    check(at + 4 * checksum == len(frame), "zstd frame ends elsewhere")
    run = subprocess.run(["zstd", "-dcq", "--memory=512MB"], input=frame, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    check(run.returncode == 0 and len(run.stdout) == raw_len, "damaged zstd frame")
    return run.stdout


def read_chunks(signed):
    rows = struct.unpack_from("<I", signed, 12)[0]
    end = 24 + 40 * rows
    check(1 <= rows <= 256 and end <= len(signed), "rows", rows)
    chunks, table, before, total = {}, [], None, 0
    for i in range(rows):
        cid, index, flags, zero, off, stored, raw = struct.unpack_from("<IIIIQQQ", signed, 24 + 40 * i)
        known = cid == MANIFEST or cid in TARGET_CHUNKS or cid in DOCUMENTS
        check(before is None or (index, cid) > before, "row", i, "order")
        check(flags & ~3 == 0 and zero == 0, "row", i, "flags or reserved bytes")
        check(off == end and stored <= len(signed) - off, "row", i, "place")
        check(known or flags & OPTIONAL, "row", i, "unknown required chunk")
        before, end = (index, cid), off + stored
        if not known:
            continue
        check(bool(flags & OPTIONAL) == (cid in DOCUMENTS), "row", i, "optional flag")
        check(cid != MANIFEST or (index == 0 and flags == 0), "row", i, "manifest")
        check(cid not in DOCUMENTS or (index == 0 and raw > 0), "row", i, "document")
        check(flags & ZSTD or raw == stored, "row", i, "lengths")
        check(raw // 1024 <= stored, "row", i, "ratio")
        total += raw
        check(total <= 256 * MIB, "too much unpacked")
        data = signed[off:end]
        chunks[cid, index] = unzstd(data, raw) if flags & ZSTD else data
        table.append({"id": cid, "index": index, "raw_len": raw, "stored_len": stored})
    check(end == len(signed), "chunks end early")
    check((MANIFEST, 0) in chunks, "no manifest")
    return chunks, table


# ---- manifest ----

def unique(pairs):
    obj = dict(pairs)
    check(len(obj) == len(pairs), "duplicate key")
    return obj


def no_constant(name):
    raise Malformed(name)


def cost(value, depth=1):
    """Depth, containers, values."""
    if not isinstance(value, (dict, list)):
        return depth - 1, 0, 1
    parts = [cost(v, depth + 1) for v in (value.values() if isinstance(value, dict) else value)]
    return max([depth] + [p[0] for p in parts]), 1 + sum(p[1] for p in parts), 1 + sum(p[2] for p in parts)


def is_int(v, top=2**53 - 1):
    return isinstance(v, int) and not isinstance(v, bool) and 0 <= v <= top


def is_text(v):
    return isinstance(v, str) and "\0" not in v and len(v.encode("utf-8", "surrogatepass")) <= 4096


def is_name(v):
    return is_text(v) and v != ""


def is_hex(v, low, high):
    return isinstance(v, str) and low <= len(v) <= high and len(v) % 2 == 0 and set(v) <= set("0123456789abcdef")


def is_address(v):
    return (isinstance(v, str) and v[:2] == "0x" and 1 <= len(v) - 2 <= 16 and set(v[2:]) <= set("0123456789abcdef")
            and (v == "0x0" or v[2] != "0"))


def is_list(v, most, each):
    return isinstance(v, list) and len(v) <= most and all(each(e) for e in v)


def keys(obj, **types):
    """A key with '_opt' behind it here may be absent."""
    want = {key.replace("_opt", ""): test for key, test in types.items()}
    must = {key for key in types if not key.endswith("_opt")}
    check(isinstance(obj, dict) and must <= set(obj) <= set(want), "keys", obj if not isinstance(obj, dict) else sorted(set(obj) ^ set(want)))
    for key in obj:
        check(want[key](obj[key]), "value of", key)
    return True


def ascending(names):
    raw = [n.encode() for n in names]
    return raw == sorted(raw)


def is_function(f):
    return keys(f, name=is_name, address=is_address, size=is_int, entry=is_address, payload=is_address, preimage=lambda v: is_hex(v, 64, 64))


def is_hook(h):
    return keys(h, when=lambda v: v in ("pre-apply", "post-apply", "pre-revert", "post-revert"), name=is_name, payload=is_address)


def is_variable(v):
    return keys(v, object=is_text, scope=is_text, name=is_name, type=lambda t: t == "" or is_hex(t, 64, 64), size=is_int, payload=is_address)


def check_additions(t):
    hooks, variables = t.get("hooks", []), t.get("variables", [])
    at = [int(h["payload"], 16) for h in hooks]
    check(all(a < b for a, b in zip(at, at[1:])), "order of hooks")
    low, seen = 0, set()
    for v in variables:
        start, name = int(v["payload"], 16), (v["object"], v["scope"], v["name"])
        check(start >= low and v["size"] > 0 and start + v["size"] < 2**64, "place of variable", v["name"])
        check(name not in seen, "two variables", name)
        seen.add(name)
        low = start + v["size"]


def is_target(t):
    keys(t, name=is_name, cpu=is_name, kind=lambda v: v in ("exec", "pie", "shared"), build_id=lambda v: is_hex(v, 16, 128), symbols=is_text,
         image_len=lambda v: is_int(v, 256 * MIB), functions=lambda v: is_list(v, 65536, is_function),
         imports=lambda v: is_list(v, 65536, lambda i: keys(i, name=is_name, version=is_text)), added=lambda v: is_list(v, 65536, is_name),
         hooks_opt=lambda v: is_list(v, 256, is_hook) and v != [], variables_opt=lambda v: is_list(v, 65536, is_variable) and v != [])
    check_additions(t)
    check(ascending(t["added"]), "order of added")
    low = 0
    for f in t["functions"]:
        start, entry = int(f["address"], 16), int(f["entry"], 16)
        check(start >= low and f["size"] > 0 and start + f["size"] < 2**64, "place of", f["name"])
        check(start <= entry < start + f["size"], "entry of", f["name"])
        low = start + f["size"]
    return True


def read_manifest(raw):
    check(len(raw) <= 16 * MIB, "manifest too large")
    try:
        man = json.loads(raw.decode("utf-8", "strict"), object_pairs_hook=unique, parse_constant=no_constant)
        json.dumps(man, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as e:
        raise Malformed(str(e)) from e
    depth, containers, values = cost(man)
    check(depth <= 16 and containers <= 2**17 and values <= 2**20, "manifest costs too much")
    keys(man, schema=lambda v: v == "hpbuild.manifest/1", name=is_name, serial=is_int,
         baseline=lambda v: keys(v, name=is_text, version=is_text), targets=lambda v: is_list(v, 64, is_target) and v != [],
         fixes=lambda v: is_list(v, 4096, is_name), supersedes=lambda v: is_list(v, 4096, lambda s: is_hex(s, 32, 32)),
         cumulative=lambda v: isinstance(v, bool), out_of_band=lambda v: isinstance(v, bool),
         restart_required=lambda v: isinstance(v, bool), expires=is_int,
         waivers=lambda v: is_list(v, 4096, lambda w: keys(w, rule=is_name, symbol=is_text, reason=is_text, expires=is_int)),
         toolchain=lambda v: is_list(v, 4096, is_name) and ascending(v), source_patch=lambda v: v == "" or is_hex(v, 64, 64), tool=is_text)
    ids = [t["build_id"] for t in man["targets"]]
    check(len(set(ids)) == len(ids), "two targets with one build ID")
    check(man["restart_required"] or any(t["functions"] for t in man["targets"]), "no functions")
    return man


# ---- payload ----

def eh_frame_ok(image, segs, at, size):
    """.eh_frame_hdr at `at`, and the records that it points to."""
    def part(va, length):
        return any(s["va"] <= va and va + length <= s["va"] + s["file"] for s in segs)

    check(size >= 8 and part(at, size), "PT_GNU_EH_FRAME place")
    version, ptr_enc = image[at], image[at + 1]
    check(version == 1 and ptr_enc == 0x1B, "eh_frame_hdr")
    va = at + 4 + struct.unpack_from("<i", image, at + 4)[0]
    seg = next((s for s in segs if s["va"] <= va < s["va"] + s["file"]), None)
    check(seg is not None, "eh_frame place")
    end = seg["va"] + seg["file"]
    while va != end:
        check(va + 4 <= end, "eh_frame record")
        length = struct.unpack_from("<I", image, va)[0]
        if length == 0:
            return
        check(length < 0xFFFFFFF0 and va + 4 + length <= end, "eh_frame record")
        va += 4 + length


def read_image(image):
    check(len(image) >= 64 and image[:7] == b"\x7fELF\x02\x01\x01", "ELF ident")
    kind, machine, version = struct.unpack_from("<HHI", image, 16)
    phoff, phentsize, phnum = struct.unpack_from("<Q", image, 32)[0], *struct.unpack_from("<HH", image, 54)
    check(kind == 3 and machine == 62 and version == 1, "ELF header")
    check(phentsize == 56 and 1 <= phnum <= 64 and phoff + 56 * phnum <= len(image), "program headers")
    segs, headers = [], []
    for i in range(phnum):
        ptype, flags, off, va, _, filesz, memsz, align = struct.unpack_from("<IIQQQQQQ", image, phoff + 56 * i)
        if ptype == 1:
            check(off == va and va % PAGE == 0 and align >= PAGE and align & (align - 1) == 0, "PT_LOAD place")
            check(flags in (4, 5, 6) and 0 < memsz and filesz <= memsz and va + memsz <= 256 * MIB, "PT_LOAD size or flags")
            check(off + filesz <= len(image), "PT_LOAD beyond the file")
            check(not segs or (segs[-1]["va"] + segs[-1]["mem"] + PAGE - 1) // PAGE * PAGE <= va, "PT_LOAD order")
            segs.append({"va": va, "mem": memsz, "file": filesz, "flags": flags})
        elif ptype == 0x6474E550:
            headers.append((off, va, filesz))
        else:
            check(ptype in (0, 4, 6, 0x6474E551, 0x6474E553), "program header type", ptype)
    check(1 <= len(segs) <= 4 and len(headers) <= 1, "number of segments")
    for off, va, size in headers:
        check(off == va, "PT_GNU_EH_FRAME offset")
        eh_frame_ok(image, segs, va, size)
    return segs, (segs[-1]["va"] + segs[-1]["mem"] + PAGE - 1) // PAGE * PAGE


def read_fixups(raw, mem, targets, imports):
    check(len(raw) % 32 == 0 and len(raw) // 32 <= 1 << 22, "fixup table length")
    fixups, end = [], 0
    for i in range(0, len(raw), 32):
        place, form, kind, module, imp, target, addend = struct.unpack_from("<QBBHIQq", raw, i)
        size = {1: 8, 2: 4, 3: 4, 4: 4}.get(form)
        check(size and 1 <= kind <= 7, "fixup form or kind")
        check(place >= end and place + size <= mem, "fixup place")
        end = place + size
        check(module < targets if kind in (2, 3, 5, 6, 7) else module == 0, "fixup module")
        check(imp < imports if kind in (4, 7) else imp == 0xFFFFFFFF, "fixup import")
        check(target == 0 if kind in (5, 6) else target <= 1 if kind == 4 else target <= mem if kind == 1 else True, "fixup target")
        check(kind not in (4, 7) or form == 1, "fixup form of an import")
        fixups.append({"place": hex(place), "form": form, "kind": kind, "module": module, "target": hex(target), "addend": addend})
    return fixups


def check_target(index, man, chunks):
    t, image, fixups = man["targets"][index], chunks[IMAGE, index], chunks[FIXUPS, index]
    if not image:
        check(man["restart_required"] and not t["functions"] and not fixups and t["image_len"] == 0, "empty image")
        return {"image_len": 0, "fixups": []}
    segs, mem = read_image(image)
    check((t["image_len"] + PAGE - 1) // PAGE * PAGE == mem, "image_len")
    for f in t["functions"]:
        va = int(f["payload"], 16)
        check(any(s["va"] <= va < s["va"] + s["mem"] and s["flags"] & 1 for s in segs), "payload of", f["name"])
    for h in t.get("hooks", []):
        va = int(h["payload"], 16)
        check(any(s["va"] <= va < s["va"] + s["mem"] and s["flags"] & 1 for s in segs), "payload of hook", h["name"])
    for v in t.get("variables", []):
        va = int(v["payload"], 16)
        check(any(s["va"] <= va and va + v["size"] <= s["va"] + s["mem"] and s["flags"] & 2 for s in segs), "payload of variable", v["name"])
    return {"image_len": len(image), "fixups": read_fixups(fixups, mem, len(man["targets"]), len(t["imports"]))}


def read_signed_part(signed):
    chunks, table = read_chunks(signed)
    man = read_manifest(chunks[MANIFEST, 0])
    want = {(c, i) for c in TARGET_CHUNKS for i in range(len(man["targets"]))}
    check({k for k in chunks if k[0] in TARGET_CHUNKS} == want, "chunks of targets")
    if (PATCH, 0) in chunks:
        check(hashlib.blake2b(chunks[PATCH, 0], digest_size=32).hexdigest() == man["source_patch"], "digest of the patch")
    payloads = [check_target(i, man, chunks) for i in range(len(man["targets"]))]
    documents = {n: len(chunks.get((c, 0), b"")) for n, c in (("patch", PATCH), ("provenance", PROVENANCE), ("vex", VEX))}
    return {"id": hashlib.blake2b(signed).hexdigest()[:32], "manifest": man, "payloads": payloads, "documents": documents,
            "chunks": table}


def read_package(data, pubkeys=None, require=1, ignore_unknown=False):
    """pubkeys None: signatures are not checked."""
    signed, records = split(data)
    signers = [] if pubkeys is None else check_signatures(signed, records, pubkeys, require, ignore_unknown)
    found = read_signed_part(signed)
    found["signatures"] = ["%016X" % int.from_bytes(r[0], "little") for r in records]
    found["signers"] = ["%016X" % int.from_bytes(k, "little") for k in signers]
    return found


def main(args):
    require, ignore_unknown, unverified, names = 1, False, False, []
    while args:
        arg = args.pop(0)
        if arg == "--require":
            require = int(args.pop(0))
        elif arg == "--ignore-unknown":
            ignore_unknown = True
        elif arg == "--unverified":
            unverified = True
        else:
            names.append(arg)
    try:
        with open(names[0], "rb") as f:
            data = f.read()
        pubkeys = None if unverified else dict(read_pubkey(n) for n in names[1:])
        print(json.dumps(read_package(data, pubkeys, require, ignore_unknown), indent=1, sort_keys=True))
    except (Malformed, Untrusted) as e:
        print("hpk_reader: %s: %s" % (names[0], e), file=sys.stderr)
        return e.status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
