#!/bin/sh
# Shadow variables (hotpatch.h): data beside objects of the program, seen by all files of a patch and by the package that replaces it,
# made once by many threads, freed by a hook while threads use others; constructors that refuse.
. tests/lib/sh
. tests/lib/live
. tests/lib/swap
can_trace
swap_init

cat >"$W/main.c" <<'C'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
struct conn { int number; };
long touch(struct conn *c), drop(struct conn *c);
static struct conn all[8], shared;
static long made;
static void *work(void *arg) { /* an object of its own, and one for all */
	struct conn *mine = calloc(1, sizeof(*mine));
	for (;;) {
		long n = touch(mine) * 0, max;
		usleep(1000 + rand() % 1000); /* or there is never a moment without a thread inside */
		touch(mine);
		touch(mine);
		max = drop(mine);
		if (n != 0 || max < 0 || max > 300) printf("BAD %ld\n", max);
		if (touch(&shared) % 100 == 1) __atomic_add_fetch(&made, 1, __ATOMIC_RELAXED);
	}
	free(mine);
	return arg;
}
int main(int argc, char **argv) {
	char line[100], what[20];
	int k;
	pthread_t t;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = argc > 1 ? atoi(argv[1]) : 0; i > 0; i--) pthread_create(&t, NULL, work, NULL);
	while (fgets(line, sizeof(line), stdin) != NULL && sscanf(line, "%19s %d", what, &k) == 2) {
		if (strcmp(what, "touch") == 0) printf("%s %d = %ld\n", what, k, touch(&all[k]));
		else if (strcmp(what, "drop") == 0) printf("%s %d = %ld\n", what, k, drop(&all[k]));
		else printf("%s %d\n", what, k);
	}
	return 0;
}
C
cat >"$W/src/a.c" <<'C'
struct conn { int number; };
#ifdef FIX
#define HP_SHADOW
#define HP_NO_ERRNO
#include "hotpatch.h"
static long begun;
static int begin(void *obj, void *data, void *arg) { begun++; *(long *)data = *(long *)arg; return ((struct conn *)obj)->number; }
#if FIX == 2
HP_POST_REVERT(tidy) { hp_shadow_free_all(7, 0); }
#endif
#endif
long touch(struct conn *c);
__attribute__((noinline)) long touch(struct conn *c) {
#ifdef FIX
	long from = 0, *n = hp_shadow_get_or_alloc(c, 7, sizeof(*n), begin, &from);
	if (n == 0) return -1;
	return __atomic_add_fetch(n, 1, __ATOMIC_RELAXED) * (FIX == 2 ? 100 : 1);
#else
	volatile long none = 0;
	return c->number * none;
#endif
}
C
cat >"$W/src/b.c" <<'C'
struct conn { int number; };
#ifdef FIX
#define HP_SHADOW
#define HP_NO_ERRNO
#include "hotpatch.h"
static long last;
static void end(void *obj, void *data) { (void)obj; last = *(long *)data; }
#endif
long drop(struct conn *c);
__attribute__((noinline)) long drop(struct conn *c) {
#ifdef FIX
	long *n = hp_shadow_get(c, 7), had = n != 0 ? *n : -2;
	hp_shadow_free(c, 8, end); /* another number: nothing */
	if (n != 0 && hp_shadow_alloc(c, 7, 8, 0, 0) != 0) return -3; /* there is one already */
	hp_shadow_free(c, 7, end);
	if (hp_shadow_get(c, 7) != 0) return -4;
	return had < 0 ? 0 : had;
#else
	volatile long none = 0;
	return none * c->number;
#endif
}
C
build() { # CC FLAGS LDFLAGS
	rm -rf "$W/orig" "$W/fixed"
	mkdir "$W/orig" "$W/fixed"
	for f in a b; do "$1" -g -pthread $2 -c -o "$W/orig/$f.o" "$W/src/$f.c"; done
	"$1" -g -O1 -pthread $2 $3 -Wl,--build-id -o "$W/prog" "$W/main.c" "$W/orig/a.o" "$W/orig/b.o"
	module=$W/prog
	for v in 1 2; do
		for f in a b; do "$1" -g -pthread $2 -Iinclude -DFIX=$v -c -o "$W/fixed/$f.o" "$W/src/$f.c"; done
		echo "{ \"serial\": $v, \"cumulative\": true }" >"$W/meta.json"
		swap_pack --name "v$v" --meta "$W/meta.json" || fail "pack: $(cat "$W/pack.err")"
		mv "$W/fix.hpk" "$W/$v.hpk"
	done
}
n=0
says() { # COMMAND NUMBER ANSWER
	n=$((n + 1))
	echo "$1 $2" >&3
	echo "mark $n" >&3
	wait_line "$W/got" "^mark $n\$" 20
	got=$(grep "^$1 $2 = " "$W/got" | tail -n 1)
	[ "$got" = "$1 $2 = $3" ] || fail "$what: step $n: '$got' instead of $3"
}
apply() {
	rm -rf "$HPBUILD_STATE"
	"$hpbuild" apply --timeout 20000 --pid "$pid" "$W/$1.hpk" >"$W/out" 2>"$W/err" || fail "$what: apply $1: $(cat "$W/err")"
	[ ! -s "$W/err" ] || fail "$what: $(cat "$W/err")"
}
round() { # THREADS CC FLAGS LDFLAGS
	threads=$1
	shift
	what="$*, $threads threads"
	build "$@"
	rm -f "$W/pipe" "$W/got"
	mkfifo "$W/pipe"
	# shellcheck disable=SC2016
	start "$W/got" sh -c 'exec "$0" "$2" <"$1"' "$W/prog" "$W/pipe" "$threads"
	exec 3>"$W/pipe"
	n=0
	says touch 1 0
	apply 1
	says touch 1 1
	says touch 1 2
	says touch 2 1
	says drop 1 2
	says drop 1 0
	says touch 1 1
	apply 2
	expect_text "$W/out" 'variables? of it live on$'
	says touch 1 200
	says drop 2 1
	"$hpbuild" revert --timeout 20000 --pid "$pid" >"$W/out" 2>"$W/err" || fail "$what: revert: $(cat "$W/err")"
	expect_text "$W/out" '^1 hook called in the process$'
	[ ! -s "$W/err" ] || fail "$what: $(cat "$W/err")"
	says touch 1 0
	apply 1
	says touch 1 1 # the hook has freed it
	[ "$threads" -eq 0 ] || for i in 1 2 3 4 5; do
		apply 2
		"$hpbuild" revert --timeout 20000 --pid "$pid" >"$W/out" 2>"$W/err" || fail "$what: revert $i: $(cat "$W/err")"
		apply 1
	done
	says touch 1 "$([ "$threads" -eq 0 ] && echo 2 || echo 1)"
	expect_no_text "$W/got" BAD
	exec 3>&-
	wait_gone "$pid" 20
}
round 0 gcc "-O2 -fPIE -ffunction-sections -fdata-sections" -pie
round 4 gcc "-O1 -fno-pie" -no-pie
if command -v clang >/dev/null; then round 4 clang "-O2 -fPIE" -pie; fi
"$hpbuild" inspect "$W/1.hpk" >"$W/out"
[ "$(grep -c '^    variable hp_shadow_table_v1 size 16384 ' "$W/out")" -eq 1 ] || fail 'one table for all files'
