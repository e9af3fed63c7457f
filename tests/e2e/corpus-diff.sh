#!/bin/sh
# long
# limit: 900
# Real security fixes: changed, new and line-only functions equal the corpus's ground truth, verdicts its expectation.
set -eu
. tests/lib/sh
need python3
need zstd
[ -d "${HP_SHARED:-../shared}/corpus/cases" ] || skip "no corpus beside the tree (HP_SHARED)"
python3 tests/lib/diffcheck.py corpus "$hpbuild" "${HP_SHARED:-../shared}/corpus/cases" "$W"
