#!/bin/sh
# The type gate: changed types that no object outlives, and changed signatures whose callers all go along; and near misses of both.
set -eu
. tests/lib/sh
. tests/lib/diffsh

# gate NAME OLD NEW EXPECTATION...: the struct or function in the middle of a file is OLD, then NEW.
gate() {
	case_name=$1
	mkdir -p "$W/$1"
	printf '%s\n' "$2" >"$W/$1/old.c"
	printf '%s\n' "$3" >"$W/$1/new.c"
	shift 3
	for cc_now in gcc clang; do
		command -v "$cc_now" >/dev/null || continue
		for flags_now in '-O2 -ffunction-sections' -O0; do
			# shellcheck disable=SC2086
			compile -g -fno-pie $flags_now
			expect_diff "$@"
		done
	done
}
s2='struct s { int a, b; };' s3='struct s { int a, b, c; };' two='int use(int, int);'
gate local "$two $s2 int f(int x) { struct s v = { x, 2 }; v.a += use(v.a, v.b); return v.a * v.b; }" \
	"$two $s3 int f(int x) { struct s v = { x, 2, 3 }; v.a += use(v.a, v.b); return v.a * v.b + v.c; }" \
	verdict=hotpatchable changed=f rule=HP1014 norule=HP2007
gate local-array "$two $s2 int f(int x) { struct s v[4] = { { x, 2 } }; use(v[x].a, 0); return v[x & 3].b; }" \
	"$two $s3 int f(int x) { struct s v[4] = { { x, 2, 3 } }; use(v[x].a, 0); return v[x & 3].c; }" \
	verdict=hotpatchable changed=f rule=HP1014 norule=HP2007
gate local-pointer "$s2 struct s *get(void); int f(int x) { struct s v = { x, 2 }; struct s *p = get(); *p = v; return v.a; }" \
	"$s3 struct s *get(void); int f(int x) { struct s v = { x, 2, 3 }; struct s *p = get(); *p = v; return v.a; }" \
	verdict=refused rule=HP2007
gate static-inline "$s2 static inline int i(int x) { static struct s v; return v.a += x; } int f(int x) { return i(x); }" \
	"$s3 static inline int i(int x) { static struct s v; v.c++; return v.a += x; } int f(int x) { return i(x); }" \
	verdict=refused rule=HP2007
gate member "$two $s2 struct t { int x; struct s s; } t; int f(int x) { struct s v = t.s; return use(v.a, x); }" \
	"$two $s3 struct t { int x; struct s s; } t; int f(int x) { struct s v = t.s; return use(v.a, v.c); }" \
	verdict=refused rule=HP2007
gate static "$s2 int f(int x) { static struct s v; v.a += x; return v.a ^ v.b; }" \
	"$s3 int f(int x) { static struct s v; v.a += x; v.c++; return v.a ^ v.b; }" verdict=refused rule=HP2007
gate by-value "$s2 int f(struct s v) { return v.a + v.b; }" "$s3 int f(struct s v) { return v.a + v.b + v.c; }" \
	verdict=refused rule=HP2007
gate function-pointer "$s2 int (*cb)(struct s); int f(int x) { struct s v = { x, 2 }; return cb(v); }" \
	"$s3 int (*cb)(struct s); int f(int x) { struct s v = { x, 2, 3 }; return cb(v); }" verdict=refused rule=HP2007

apart='__attribute__((noinline, noclone, noipa))'
gcc_only() {
	apart=$(printf 'int %s f(int x' "$1 __attribute__((noinline))")
	gate "$2" "int use(int); $apart) { return use(x) + 3; } int g(int x) { return f(use(x)) * 5; } $4" \
		"int use(int); $apart, int y) { return use(x) + y; } int g(int x) { return f(use(x), use(3)) * 5; } $5" $3
}
gcc_only static sig-static 'verdict=hotpatchable changed=f,g rule=HP1015 norule=HP2009' '' ''
gcc_only '' sig-global 'verdict=hotpatchable changed=f,g rule=HP1015 norule=HP2009' 'int data; int h(void) { return data; }' \
	'int data; int h(void) { return data; }'
gcc_only static sig-pointer 'verdict=refused changed+=f rule=HP2009' 'void keep(void *); void h(void) { keep(f); }' \
	'void keep(void *); void h(void) { keep(f); }'
gcc_only static sig-table 'verdict=refused changed+=f rule=HP2009' 'void *table[] = { f };' 'void *table[] = { f };'
gcc_only static sig-pointer-gone 'verdict=refused changed+=f rule=HP2009' 'void keep(void *); void h(void) { keep(f); }' \
	'void keep(void *); void h(void) { keep(h); }'

# Compiled for a shared library, others may call it unless it is hidden.
case_name=sig-global
for cc_now in gcc clang; do
	command -v "$cc_now" >/dev/null || continue
	flags_now=-fPIC
	compile -g -O2 -fPIC
	expect_diff verdict=refused rule=HP2009
	flags_now='-fPIC -fvisibility=hidden'
	compile -g -O2 -fPIC -fvisibility=hidden
	expect_diff verdict=hotpatchable rule=HP1015
done

# Callers in other objects: in the package; unchanged; holding the address.
mkdir -p "$W/tree/old" "$W/tree/new"
other() { # OLD NEW: the second object
	printf '%s\n' "$1" >"$W/tree/o.c"
	printf '%s\n' "$2" >"$W/tree/n.c"
	rm -f "$W"/tree/*/*.o
	for side in old new; do
		(cd "$W/tree" && gcc -w -g -O2 -fno-pie -c "../sig-global/$side.c" -o "$side/a.o" && cp "$(printf %.1s "$side").c" b.c &&
			gcc -w -g -O2 -fno-pie -c b.c -o "$side/b.o")
	done
	case_name=tree
	answers=$((answers + 1))
	"$hpbuild" diff --json "$W/tree/old" "$W/tree/new" >"$W/answer.$answers" || :
}
judge() {
	echo "$W/answer.$answers $*" >>"$W/expected"
	echo "other object" >>"$W/expected"
}
other 'int f(int); int k(int x) { return f(x); }' 'int f(int, int); int k(int x) { return f(x, x + 7); }'
judge verdict=hotpatchable changed=f,g,k rule=HP1015
other 'int f(int); int k(int x) { return f(x); }' 'int f(int); int k(int x) { return f(x); }'
judge verdict=refused rule=HP2009
other 'int f(int); int k(int x) { return f(x); } int z;' 'int f(int, int); int k(int x) { return f(x, x + 7); } int z, *y = (int *)f;'
judge verdict=refused rule=HP2009
other 'int k(int x) { return x; }' 'int k(int x) { return x; }'
judge verdict=hotpatchable changed=f,g rule=HP1015
check_diffs

# A plugin may call what the program exports: that shows only in the baseline.
case_name=sig-global
for side in old new; do gcc -w -g -O2 -fno-pie -c "$W/sig-global/$side.c" -o "$W/sig-global/$side/t.o"; done
printf 'int use(int x) { return x + 1; }\nint g(int);\nint main(int c, char **v) { (void)v; return g(c); }\n' >"$W/main.c"
gcc -g -O2 -fno-pie -c "$W/main.c" -o "$W/main.o"
for link in '' -rdynamic; do
	# shellcheck disable=SC2086
	gcc -no-pie $link "$W/main.o" "$W/sig-global/old/t.o" -Wl,--build-id -o "$W/prog$link"
	cp "$W/main.o" "$W/sig-global/old/main.o"
	cp "$W/main.o" "$W/sig-global/new/main.o"
done
pack() {
	"$hpbuild" pack --original "$W/sig-global/old" --patched "$W/sig-global/new" --baseline "$1" -o "$W/out.hpk" 2>"$W/err" >"$W/out"
}
expect_exit 0 pack "$W/prog"
expect_exit 4 pack "$W/prog-rdynamic"
expect_text "$W/err" "signature of 'f' changed, and the baseline exports it"
