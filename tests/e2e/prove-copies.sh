#!/bin/sh
# Objects that only hold a copy of the module's code are not part of it: a test that includes the source file, a client with a static
# function of the server's. Objects that share inline functions of C++ are, both.
. tests/lib/sh
need strip g++

cat >"$W/lib.c" <<'END'
#include <string.h>
static unsigned hash(const char *s)
{
	unsigned h = 5381;
	for (size_t i = 0, n = strlen(s); i < n; i++)
		h = h * 33 + (unsigned char)s[i] * 7;
	return h;
}
unsigned lib_hash(const char *a, const char *b) { return hash(a) ^ (hash(b) << 3) ^ (strcmp(a, b) > 0 ? 77 : 99); }
unsigned lib_mix(const char *a, unsigned n) { return n < 100 ? hash(a) * n + 17 : hash(a) / n + 19; }
END
cat >"$W/test.c" <<'END'
#include "lib.c"
#include <stdio.h>
int main(int argc, char **argv)
{
	for (int i = 1; i + 1 < argc; i++)
		printf("%u %u\n", lib_hash(argv[i], argv[i + 1]), lib_mix(argv[i], 3));
	return lib_mix("abc", 5) != 1234;
}
END
cat >"$W/client.c" <<'END'
#include <stdio.h>
#include <string.h>
static unsigned hash(const char *s)
{
	unsigned h = 5381;
	for (size_t i = 0, n = strlen(s); i < n; i++)
		h = h * 33 + (unsigned char)s[i] * 7;
	return h;
}
int client_send(const char *name, FILE *f) { return fprintf(f, "%s has %u\n", name, hash(name)); }
int client_twice(const char *name, FILE *f) { return client_send(name, f) + client_send(name, stdout) * (hash(name) & 1 ? 3 : 5); }
END
printf 'unsigned lib_hash(const char *, const char *);\nint main(int c, char **v) { return lib_hash(v[0], v[c - 1]) == 5; }\n' >"$W/main.c"
for f in lib test client main; do "$CC" -g -O2 -fno-inline -fPIC -c -o "$W/$f.o" "$W/$f.c"; done
"$CC" -Wl,--build-id -o "$W/prog" "$W/main.o" "$W/lib.o"
strip -o "$W/stripped" "$W/prog"
for module in prog stripped; do
	"$B/tests/lib/proveall" "$W/$module" "$W/test.o" "$W/client.o" "$W/lib.o" "$W/main.o" >"$W/out"
	grep '^member' "$W/out" | sort >"$W/members"
	printf 'member %s/lib.o\nmember %s/main.o\n' "$W" "$W" | cmp - "$W/members" || fail "members of $module: $(cat "$W/members")"
	expect_no_text "$W/out" '^gap'
done

# Neither is complete: --gc-sections took a function of each. All that is left of the second is inline code of the header.
printf 'template <class T> T twice(T v) { static T sum; sum += v * 3; return sum > 1000 ? sum - 2 * v : sum + v; }\n' >"$W/h.h"
printf '#include "h.h"\nlong one(long v) { return twice(v) + twice(v + 1); }\nlong gone1(long v) { return v * v / 7; }\n' >"$W/one.cc"
printf '#include "h.h"\nlong two(long v) { return twice(v) * 5; }\nlong gone2(long v) { return v * v / 9; }\n' >"$W/two.cc"
printf 'long one(long), two(long);\nint main(int c, char **) { return one(c) + two(c) == 12345; }\n' >"$W/prog2.cc"
for f in one two prog2; do g++ -g -O1 -fno-inline -ffunction-sections -c -o "$W/$f.o" "$W/$f.cc"; done
g++ -Wl,--build-id,--gc-sections -o "$W/prog2" "$W/prog2.o" "$W/one.o" "$W/two.o"
"$B/tests/lib/proveall" "$W/prog2" "$W/one.o" "$W/two.o" "$W/prog2.o" >"$W/out"
[ "$(grep -c '^member' "$W/out")" -eq 3 ] || fail "$(cat "$W/out")"
