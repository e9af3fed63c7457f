#!/bin/sh
# Several functions at one address (aliases, gcc's and linkers' identical-code folding), of which the fix changes one: the other one must
# never get the new body.
. tests/lib/sh

# side NAME DEFINE: objects of one side.
side() {
	mkdir -p "$W/$1"
	# shellcheck disable=SC2086
	"$CC" -g $flags $2 -ffunction-sections -fdata-sections -c "$W/fold.c" -o "$W/$1/fold.o"
	# shellcheck disable=SC2086
	"$CC" -g $flags -ffunction-sections -c "$W/main.c" -o "$W/$1/main.o"
}

both() { # FLAGS LDFLAGS
	flags=$1
	rm -rf "$W/orig" "$W/fixed"
	side orig ''
	side fixed -DFIX
	# shellcheck disable=SC2086
	"$CC" $2 -Wl,--build-id -o "$W/prog" "$W/orig/main.o" "$W/orig/fold.o" 2>"$W/err" || return 1
}

pack() {
	rm -f "$W/fix.hpk"
	"$hpbuild" pack --json --original "$W/orig" --patched "$W/fixed" --baseline "$W/prog" -o "$W/fix.hpk" >"$W/out" 2>"$W/err"
}

replaced() {
	sed -n '/"replaced": \[/,/\]/s/.*"name": "\([^"]*\)".*/\1/p' "$W/out" | sort -u | tr '\n' ' '
}

cat >"$W/main.c" <<'END'
#include <stdio.h>
#include <stdlib.h>
int first(int x); int second(int x); int use_first(int x); int use_second(int x);
int main(int argc, char **argv)
{
	int x = argc > 1 ? atoi(argv[1]) : 5;
	printf("%d %d %d %d\n", first(x), second(x), use_first(x), use_second(x));
	return 0;
}
END

# Exported functions with equal bodies. gcc -O2 makes one an alias or a jump of the other, linkers fold with --icf.
cat >"$W/fold.c" <<'END'
#include <stdlib.h>
int first(int x) { int s = 0; for (int i = 0; i < x; i++) s += abs(i - 7) * 3; return s; }
#ifdef FIX
int second(int x) { int s = 1; for (int i = 0; i < x; i++) s += abs(i - 7) * 3 + 1; return s; }
#else
int second(int x) { int s = 0; for (int i = 0; i < x; i++) s += abs(i - 7) * 3; return s; }
#endif
int use_first(int x) { return first(x) + 1; }
int use_second(int x) { return second(x) + 2; }
END
for ld in '' -fuse-ld=gold\ -Wl,--icf=all -fuse-ld=lld\ -Wl,--icf=all; do
	for f in -O2 '-O2 -fno-ipa-icf' '-O2 -fPIC -fno-semantic-interposition'; do
		case $CC$f in *clang*fno-ipa*) continue ;; esac
		both "$f" "$ld" 2>/dev/null || continue
		first=$(nm "$W/prog" | sed -n 's/ T first$//p') second=$(nm "$W/prog" | sed -n 's/ T second$//p')
		if [ "$first" = "$second" ]; then
			expect_exit 4 pack
			expect_text "$W/err" "shares its address .* with 'first'"
			[ ! -e "$W/fix.hpk" ] || fail "a package was written"
			echo "folded ($f $ld): refused"
		else
			pack || fail "$f $ld: $(cat "$W/err")"
			case " $(replaced)" in *' first '*) fail "$f $ld: 'first' was replaced: $(cat "$W/out")" ;; esac
			case " $(replaced)" in *' second '*) ;; *) fail "$f $ld: 'second' was not replaced: $(cat "$W/out")" ;; esac
			echo "apart ($f $ld): second alone"
		fi
	done
done

# Local ones: nobody outside can call them, so the callers that are part of the fix call the new body, and the shared entry stays.
cat >"$W/fold.c" <<'END'
#include <stdlib.h>
static __attribute__((noinline)) int one(int x) { int s = 0; for (int i = 0; i < x; i++) s += abs(i - 7) * 3; return s; }
#ifdef FIX
static __attribute__((noinline)) int two(int x) { int s = 1; for (int i = 0; i < x; i++) s += abs(i - 7) * 3 + 1; return s; }
#else
static __attribute__((noinline)) int two(int x) { int s = 0; for (int i = 0; i < x; i++) s += abs(i - 7) * 3; return s; }
#endif
int first(int x) { return one(x) + 3; }
int second(int x) { return two(x) + 4; }
int use_first(int x) { return one(x) + 1; }
int use_second(int x) { return two(x) + 2; }
END
both -O2 '' || fail "$(cat "$W/err")"
status=0
pack || status=$?
case $status in
0)
	case " $(replaced)" in *' first '* | *' use_first '* | *' one '*) fail "the wrong function was replaced: $(replaced)" ;; esac
	echo "local: replaced $(replaced)"
	;;
4) echo "local: refused" ;;
*) fail "exit status $status: $(cat "$W/err")" ;;
esac

# A near miss that must be accepted: both names get the same new body.
cat >"$W/fold.c" <<'END'
#include <stdlib.h>
#ifdef FIX
#define PLUS 1
#else
#define PLUS 0
#endif
int first(int x) { int s = 0; for (int i = 0; i < x; i++) s += abs(i - 7) * 3 + PLUS; return s; }
int second(int x) __attribute__((alias("first")));
int use_first(int x) { return first(x) + 1; }
int use_second(int x) { return second(x) + 2; }
END
both '-O2 -fno-inline' '' || fail "$(cat "$W/err")"
pack || fail "an alias that changes with its function: $(cat "$W/err")"
