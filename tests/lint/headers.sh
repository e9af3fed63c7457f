#!/bin/sh
# Each header of the product compiles alone, with gcc and with clang, and guards itself against being included twice.
. tests/lib/lint

compilers=
for c in gcc clang; do
	if command -v $c >/dev/null; then compilers="$compilers $c"; fi
done
[ -n "$compilers" ] || skip 'gcc is not installed'

check() {
	product | grep '\.h$' | while read -r h; do
		case $h in base/banned.h) continue ;; esac # poisons names: not for including twice
		printf '#include "%s"\n#include "%s"\nextern int unused;\n' "$h" "$h" >"$W/one.c"
		for c in $compilers; do
			$c -std=gnu11 -D_GNU_SOURCE -I. -Wall -Wextra -Wundef -Werror -fsyntax-only "$W/one.c" >"$W/cc.out" 2>&1 ||
				echo "$h ($c): $(grep -m 1 -E 'error|warning' "$W/cc.out")"
		done
	done
}

printf '#ifndef A\n#define A\nint f(size_t n);\n#endif\n' | sample base/a.h
rejects '^base/a.h .*size_t'
printf 'struct a { int b; };\n' | sample base/a.h
rejects '^base/a.h .*redefinition'
printf '#ifndef A\n#define A\n#include <stddef.h>\nint f(size_t n);\n#endif\n' | sample base/a.h
accepts

lint
[ "$compilers" = ' gcc clang' ] || skip 'clang is not installed'
