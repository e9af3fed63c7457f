#!/bin/sh
# limit: 400
# Real fixes (HP_SHARED/corpus): each gives a package, with symbols and stripped, that verifies against the baseline and replaces the
# functions that the independent ground truth names; what cannot be packed is refused by name.
. tests/lib/sh
need zstd
need python3
corpus=${HP_SHARED:-../shared}/corpus/cases
[ -d "$corpus" ] || skip "no corpus at $corpus"
"$hpbuild" keygen --no-passphrase -o "$W/key" >"$W/out" 2>&1

# check GROUND-TRUTH PACK-JSON: changed functions of the ground truth, line-number noise aside, that the package does not replace.
cat >"$W/check.py" <<'END'
import json, sys
truth, pack = (json.load(open(f)) for f in sys.argv[1:3])
replaced = {(f["object"], f["name"]) for f in pack["replaced"]}
proven = {o["path"] for o in pack["objects"] if o["in_module"]}
for path, o in truth["objects"].items():
    noise = {x if isinstance(x, str) else x.get("name", x.get("function")) for x in o.get("line_only", [])}
    for f in o.get("functions_changed", []):
        if path in proven and f not in noise and ".cold" not in f and (path, f) not in replaced:
            print("not replaced: %s of %s" % (f, path))
for o in pack["objects"]:
    print("# %s: %d of %d proven" % (o["path"], o["proven"], o["functions"]))
END

unpacked() { # CASE
	[ -d "$W/$1" ] && return 0
	mkdir "$W/$1"
	zstd -dcq --long=27 "$corpus/$1/objects.tar.zst" | tar -x -C "$W/$1"
}

pack() { # CASE BASELINE SUFFIX
	"$hpbuild" pack --json --original "$W/$1/orig" --patched "$W/$1/patched" --baseline "$2" -o "$W/fix.hpk" >"$W/pack$3" 2>"$W/err"
}

packs() { # CASE MODULE
	[ -d "$corpus/$1" ] || return 0
	unpacked "$1"
	strip -o "$W/stripped" "$W/$1/orig/_bin/$2"
	for base in "$W/$1/orig/_bin/$2" "$W/stripped"; do
		pack "$1" "$base" .json || fail "$1 $base: $(cat "$W/err")"
		"$hpbuild" sign -k "$W/key.key" "$W/fix.hpk" >"$W/out" 2>&1
		"$hpbuild" verify --trust "$W/key.pub" --baseline "$base" "$W/fix.hpk" >"$W/out" || fail "$1: verify"
		python3 "$W/check.py" "$corpus/$1/ground_truth.json" "$W/pack.json" >"$W/out"
		expect_no_text "$W/out" '^not replaced'
		expect_exit 5 pack "$1" "$W/$1/patched/_bin/$2" .none
		expect_text "$W/err" 'in the baseline'
		printf '%-24s %-9s %6d bytes, %s\n' "$1" "$(basename "$base" | grep -c stripped | sed 's/1/stripped/; s/0/symbols/')" \
			"$(wc -c <"$W/fix.hpk")" "$(grep '^#' "$W/out" | tr '\n' ' ')"
	done
}

packs redis-CVE-2025-32023 redis-server
packs yajl-CVE-2022-24795 libyajl.so.2
packs dnsmasq-CVE-2026-5172 dnsmasq
packs expat-CVE-2024-45490 libexpat.so.1
packs cjson-CVE-2025-57052 libcjson_utils.so.1.7.15
packs lua5.4-CVE-2022-33099 hplua
packs rsync-token-harden rsync

# The fix of nginx needs a function of libssl that nginx did not use before.
unpacked nginx-CVE-2025-23419
expect_exit 4 pack nginx-CVE-2025-23419 "$W/nginx-CVE-2025-23419/orig/_bin/nginx" .json
expect_text "$W/err" "'ngx_http_ssl_servername' refers to 'SSL_SESSION_get0_hostname': a new import"

# A module that none of the changed objects went into.
unpacked cjson-CVE-2025-57052
expect_exit 5 pack cjson-CVE-2025-57052 "$W/cjson-CVE-2025-57052/orig/_bin/libcjson.so.1.7.15" .json
expect_text "$W/err" 'none of the changed objects'
