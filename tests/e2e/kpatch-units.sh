#!/bin/sh
# long
# Object pairs of the Linux kernel on five CPUs: changed and new functions equal their table.
set -eu
. tests/lib/sh
need python3
[ -f "${HP_SHARED:-../shared}/kpatch-units/expect.json" ] || skip "no kernel pairs beside the tree (HP_SHARED)"
python3 tests/lib/diffcheck.py kpatch "$hpbuild" "${HP_SHARED:-../shared}/kpatch-units"
