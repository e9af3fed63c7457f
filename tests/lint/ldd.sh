#!/bin/sh
# libdw and libdwarf cannot share a process: hpbuild has no libdw, hpbuild-live neither libdwarf nor Zydis.
. tests/lib/lint
need ldd

# loads FILE PATTERN: lines of ldd's output FILE that name a forbidden library.
loads() {
	grep -E "^[ 	]*lib($2)\\.so" "$1" | sed "s|^[ 	]*|$(basename "$1"): must not load |" || :
}

check() {
	ldd "$B/hpbuild" >"$W/hpbuild"
	ldd "$B/hpbuild-live" >"$W/hpbuild-live"
	loads "$W/hpbuild" 'dw|asm|debuginfod'
	loads "$W/hpbuild-live" 'dwarf|Zydis'
	for p in hpbuild hpbuild-live; do
		grep 'not found' "$W/$p" || :
		grep -q 'libc\.so' "$W/$p" || echo "$p: ldd says nothing about it"
	done
}

printf '\tlibdw.so.1 => /lib/libdw.so.1 (0x1)\n\tlibdwarf.so.1 => x\n' >"$W/prog"
[ "$(loads "$W/prog" 'dw|asm')" = 'prog: must not load libdw.so.1 => /lib/libdw.so.1 (0x1)' ] || fail 'the lint does not see libdw'
[ "$(loads "$W/prog" 'dwarf|Zydis' | wc -l)" -eq 1 ] || fail 'the lint does not see libdwarf'

lint
