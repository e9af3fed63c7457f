#!/bin/sh
# limit: 400
# Real fixes (HP_SHARED/corpus): the table of `make corpus-table` has no open point: what the independent ground truth says is to be
# replaced is proven and packed, with symbols and stripped, or refused by name; another build as the baseline is refused.
. tests/lib/sh
need zstd
need python3
corpus=${HP_SHARED:-../shared}/corpus/cases
[ -d "$corpus" ] || skip "no corpus at $corpus"
pack() { # CASE BASELINE
	"$hpbuild" pack --json --original "$W/$1/orig" --patched "$W/$1/patched" --baseline "$2" -o "$W/fix.hpk" >"$W/pack.json" 2>"$W/err"
}

nginx=nginx-CVE-2025-23419 # below
# shellcheck disable=SC2046 # names
python3 tests/lib/corpus_table.py "$B" "$corpus" "$W" $(cd "$corpus" && ls | grep -vx $nginx) || fail 'an open point'

# The fix of nginx needs a function of libssl that nginx did not use before.
[ -d "$corpus/$nginx" ] || exit 0
mkdir "$W/$nginx"
zstd -dcq --long=27 "$corpus/$nginx/objects.tar.zst" | tar -x -C "$W/$nginx"
expect_exit 4 pack $nginx "$W/$nginx/orig/_bin/nginx"
expect_text "$W/err" "'ngx_http_ssl_servername' refers to 'SSL_SESSION_get0_hostname': a new import"

# What the release engineer reads who has the wrong baseline: another version, and a module that none of the changed objects went into.
expect_exit 5 pack $nginx "$W/$nginx/patched/_bin/nginx"
expect_text "$W/err" "function 'ngx_http_ssl_servername'.* in the object, but .* in the baseline"
expect_exit 5 pack $nginx "$hpbuild"
expect_text "$W/err" 'none of the changed objects'
