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
	"$hpbuild" pack --json --sysroot "${sysroot:-/}" --original "$W/$1/orig" --patched "$W/$1/patched" --baseline "$2" \
		-o "$W/fix.hpk" >"$W/pack.json" 2>"$W/err"
}

nginx='nginx-CVE-2025-23419' # below
names=
for c in "$corpus"/*; do
	[ "${c##*/}" = "$nginx" ] || names="$names ${c##*/}"
done
# shellcheck disable=SC2086 # words
python3 tests/lib/corpus_table.py "$B" "$corpus" "$W" $names || fail 'an open point'

# The fix of nginx needs a function of libssl that nginx did not use before: from the library, if it is there. A stripped nginx might
# have a function of that name itself.
[ -d "$corpus/$nginx" ] || exit 0
mkdir "$W/$nginx"
zstd -dcq --long=27 "$corpus/$nginx/objects.tar.zst" | tar -x -C "$W/$nginx"
mkdir "$W/nothing"
sysroot=$W/nothing expect_exit 4 pack $nginx "$W/$nginx/orig/_bin/nginx"
expect_text "$W/err" "'ngx_http_ssl_servername' refers to 'SSL_SESSION_get0_hostname': a new import .*libssl.so.3 .not found"
strip -o "$W/stripped" "$W/$nginx/orig/_bin/nginx"
expect_exit 5 pack $nginx "$W/stripped"
expect_text "$W/err" "'SSL_SESSION_get0_hostname': the stripped baseline does not show"
if [ -e /usr/lib/x86_64-linux-gnu/libssl.so.3 ]; then
	pack $nginx "$W/$nginx/orig/_bin/nginx" || fail "$(cat "$W/err")"
	"$hpbuild" inspect --unverified "$W/fix.hpk" >"$W/out" 2>&1
	expect_text "$W/out" 'import SSL_SESSION_get0_hostname@OPENSSL_3.0.0'
fi

# What the release engineer reads who has the wrong baseline: another version, and a module that none of the changed objects went into.
expect_exit 5 pack $nginx "$W/$nginx/patched/_bin/nginx"
expect_text "$W/err" "function 'ngx_http_ssl_servername'.* in the object, but .* in the baseline"
expect_exit 5 pack $nginx "$hpbuild"
expect_text "$W/err" 'none of the changed objects'
