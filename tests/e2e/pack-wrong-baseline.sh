#!/bin/sh
# A baseline of another version, other flags or another compiler: exit status 5, nothing written, and a message with object,
# function, offset, both instructions and the likely cause.
. tests/lib/sh
cat >"$W/work.c" <<'END'
static const int table[] = { 3, 1, 4, 1, 5, 9, 2, 6 };
int first(int x) { return x * 12345 + 678; }
int second(int x) { return first(x) % 97 + x * 31; }
int third(int x) { return second(x) ^ table[x & 7] ^ (x << 5); }
int fourth(int x) { return third(x) + LIMIT; }
int work(int x)
{
#ifdef FIX
	if (x > 100)
		return 7;
#endif
	return fourth(x) * 5 + 2;
}
END
cat >"$W/main.c" <<'END'
int work(int);
int main(int argc, char **argv) { (void)argv; return work(argc); }
END
# unit CC OUT FLAGS...: work.o; program CC OUT: the linked module of $W/base.o.
unit() {
	unit_cc=$1 unit_out=$2
	shift 2
	(cd "$W" && "$unit_cc" -fPIE -DLIMIT="${LIMIT:-500}" "$@" -c work.c -o "$unit_out")
}
program() {
	"$1" -pie -Wl,--build-id -o "$W/prog" "$W/base.o" "$W/main.o"
}
mkdir "$W/orig" "$W/fixed"
"$CC" -O2 -fPIE -c "$W/main.c" -o "$W/main.o"
unit "$CC" orig/work.o -g -O2
unit "$CC" fixed/work.o -g -O2 -DFIX

refused() { # WORDS
	expect_exit 5 "$hpbuild" pack --original "$W/orig" --patched "$W/fixed" --baseline "$W/prog" -o "$W/fix.hpk" >"$W/out" 2>"$W/err"
	expect_text "$W/err" "$1"
	[ ! -e "$W/fix.hpk" ] || fail "a package was written although: $1"
}
where="'work.o': function '[a-z]+'\+0x[0-9a-f]+ is '[a-z].*' in the object, but '[a-z].*' in the baseline \(0x[0-9a-f]+\)"
todo="rebuild the original objects from the baseline's source with its compiler and flags, or give the baseline"

# The right one.
unit "$CC" base.o -g -O2
program "$CC"
"$hpbuild" pack --original "$W/orig" --patched "$W/fixed" --baseline "$W/prog" -o "$W/fix.hpk" >/dev/null
rm "$W/fix.hpk"

# The same version, other flags; the baseline's debug information tells which. clang records none.
unit "$CC" base.o -g -O0
program "$CC"
refused "$where"
refused "$todo"
case $("$CC" --version) in
*clang*) ;;
*) refused "likely cause: other flags: the object has '-O2', the baseline '-O0'" ;;
esac
# Without debug information the count of equal functions has to do.
unit "$CC" base.o -O0
program "$CC"
refused "$where.*likely cause: other flags(, another source or another compiler: .*GCC:| or another source: 0 functions of this object are equal, 5 differ)"

# The same program, another version.
LIMIT=600 unit "$CC" base.o -O2
program "$CC"
refused "'work.o': function 'fourth'\+0x[0-9a-f]+ is '.*0x1F4.*' in the object, but '.*0x258.*' in the baseline"
refused 'likely cause: another source: [34] functions of this object are equal, [12] differ'
LIMIT=600 unit "$CC" base.o -g -O2
program "$CC"
case $("$CC" --version) in
*clang*) refused 'likely cause: another source' ;;
*) refused 'likely cause: another source: compiler and flags are the same' ;;
esac
# Only a constant differs.
sed 's/5, 9, 2, 6/5, 9, 2, 7/' "$W/work.c" >"$W/work2.c"
(cd "$W" && "$CC" -fPIE -DLIMIT=500 -O2 -c work2.c -o base.o)
program "$CC"
case $("$CC" --version) in
*clang*) refused "'work.o': function 'third'.*a string or constant differs" ;;
*) refused "'work.o': constant 'table' differs from the baseline at 0x[0-9a-f]+ .byte \+0x1c.: likely cause: another source: 5 func" ;;
esac

# Functions that are equal, but not where they are in the object: what is between them has another length.
cat >"$W/near.c" <<'END'
int near_first(int x) { return x * 3; }
int near_second(int x)
{
#ifdef LONGER
	x = x * x / 7 + (x ^ 5) * LIMIT;
#endif
	return x + LIMIT;
}
int work(int x) { return x * 5; }
END
mkdir "$W/near" "$W/near/orig" "$W/near/fixed"
for side in orig fixed; do
	flag=
	[ $side = orig ] || flag=-DLONGER
	# shellcheck disable=SC2086
	(cd "$W" && "$CC" -fPIE -DLIMIT=500 $flag -g -O2 -c near.c -o near/$side/near.o)
done
(cd "$W" && "$CC" -fPIE -DLIMIT=500 -DLONGER -g -O2 -c near.c -o base.o)
program "$CC"
expect_exit 5 "$hpbuild" pack --original "$W/near/orig" --patched "$W/near/fixed" --baseline "$W/prog" -o "$W/fix.hpk" >"$W/out" 2>"$W/err"
expect_text "$W/err" "'near.o': contradiction: address of section .*: likely cause: another source.*$todo"

# Another compiler: from the debug information, and from .comment alone.
other=clang
case $("$CC" --version) in *clang*) other=gcc ;; esac
command -v $other >/dev/null || skip "$other is not installed"
unit $other base.o -g -O2
program $other
refused "$where.*likely cause: another compiler: '.*' made the object, '.*' the baseline"
unit $other base.o -O2
program $other
refused "$where.*likely cause: (another compiler: '|other flags, another source or another compiler: the baseline also has code by '.*(clang|GCC))"
# Stripped: nothing of it can be found.
strip "$W/prog"
refused "none of the changed objects \('work.o' ...\) is part of '.*prog', as far as can be seen without its symbols"
refused 'likely cause: .*another compiler: '
unit "$CC" base.o -O0
program "$CC"
strip "$W/prog"
refused 'none of the changed objects .*: (it may have been built from another source, another compiler|.*GCC:)'
