#!/bin/sh
# A changed constant table: carried when its address is only read from, however the compiler does it; refused when it may leave.
set -eu
. tests/lib/sh
. tests/lib/diffsh

# Each function has a table of its own; read_*: only read from, out_*: the address leaves.
cat >"$W/tables.c" <<'END'
#include <stddef.h>
#define T(name) static const int name[8] = { __COUNTER__ * 7, 4, 9, 16, 25, 36, 49, LAST }
int use(int); double real(double); void keep(const int *); int two(int, const int *); extern const int *kept; int out(const char *, ...);
struct pair { const int *p; long n; };
struct big { int v[8]; };
T(read_index); int f_index(unsigned i) { return read_index[i & 7]; }
T(read_call); int f_call(unsigned i) { return use(read_call[i & 7]) + 1; }
T(read_tail); int f_tail(unsigned i) { return use(read_tail[i & 7]); }
T(read_loop); int f_loop(int x) { int s = 0; for (int i = 0; i < 8; i++) s += read_loop[i] ^ x; return s; }
T(read_search); int f_search(int x) { for (int i = 0; i < 8; i++) if (read_search[i] == x) return i; return -1; }
T(read_calls); void f_calls(int n) { for (int i = 0; i < n; i++) use(read_calls[i & 7]); }
T(read_void); void f_void(unsigned i, int *to) { *to = read_void[i & 7]; }
T(read_two); int f_two(unsigned i, unsigned k) { return i > k ? read_two[i & 7] : read_two[k & 7] * read_two[0]; }
static const double read_real[8] = { 1.5, 4, 9, 16, 25, 36, 49, LAST }; double f_real(unsigned i) { return read_real[i & 7]; }
static const struct { short a; char b; } read_pairs[4] = { { 1, 2 }, { 3, 4 }, { 5, 6 }, { 7, LAST } };
int f_pairs(unsigned i) { return read_pairs[i & 3].a * read_pairs[i & 3].b; }
static const unsigned char read_bytes[256] = { 1, 2, 3, LAST };
int f_bytes(const unsigned char *s) { int n = 0; while (*s) n = n * 31 + read_bytes[*s++]; return n; }
T(out_passed); void f_passed(void) { keep(out_passed); }
T(out_second); int f_second(int x) { return two(x, out_second + 1) + out_second[x & 7]; }
T(out_stored); void f_stored(void) { kept = out_stored; }
T(out_returned); const int *f_returned(int i) { return &out_returned[i & 7]; }
T(out_struct); struct pair f_struct(int i) { struct pair r = { out_struct, i }; return r; }
T(out_compared); int f_compared(const int *p) { return p == out_compared; }
T(out_compared2); int f_compared2(const int *p, int i) { const int *q = i ? p : out_compared2; return q == out_compared2 ? *q : 2; }
T(out_number); long f_number(void) { return (long)out_number; }
T(out_difference); long f_difference(const int *p) { return p - out_difference; }
T(out_variadic); void f_variadic(void) { out("", out_variadic); }
T(out_memory); void f_memory(const int **p, int i) { p[i] = out_memory + i; }
T(out_data); const int *pointer = out_data + 1; int f_data(int i) { return out_data[i & 7]; }
END
reads='read_index read_call read_tail read_loop read_search read_calls read_void read_two read_real read_pairs read_bytes'
outs='out_passed out_second out_stored out_returned out_struct out_compared out_compared2 out_number out_difference out_variadic
out_memory out_data'
norule="" rule=""
for t in $reads; do norule="$norule${norule:+,}HP2006:$t"; done
for t in $outs; do rule="$rule${rule:+,}HP2006:$t"; done

case_name=tables
mkdir -p "$W/tables"
(echo '#define LAST 64' && cat "$W/tables.c") >"$W/tables/old.c"
(echo '#define LAST 65' && cat "$W/tables.c") >"$W/tables/new.c"
for cc_now in gcc clang; do
	command -v "$cc_now" >/dev/null || continue
	for flags_now in '-O2 -fPIC -ffunction-sections -fdata-sections' '-O2 -fno-pic' '-Os -fPIC' '-O3 -fPIE -fcf-protection'; do
		# shellcheck disable=SC2086
		compile -g -fno-inline $flags_now
		expect_diff verdict=refused "rule=$rule" "norule=$norule"
	done
	# Without optimisation pointers go to the stack; what leaves must be seen all the same.
	flags_now='-O0 -fPIC'
	# shellcheck disable=SC2086
	compile -g $flags_now
	expect_diff verdict=refused "rule=$rule" norule=HP2006:read_index,HP2006:read_two
	# Nothing says what a register means to a caller or a callee: only what is dead on any account is carried.
	flags_now='-O2 -fPIC (no -g)'
	compile -O2 -fPIC -fno-inline
	expect_diff verdict=refused "rule=$rule"
done

# Tables of labels: read to jump, however the table's address is held. Near misses: the address is passed on; an entry is no label.
gotos() { # NAME ENTRY MORE EXPECTATION...
	case_name=$1
	for n in 3 4; do
		cat <<END
void keep(const void *const *); int other(void);
int f(const unsigned char *p, int x) { static const void *const to[] = { &&a, &&b, &&c, $2 }; $3 goto *to[*p];
a: x += $n; p++; goto *to[*p]; b: x *= 5; p++; goto *to[*p]; c: return x; d: p++; x ^= keep != 0; goto *to[*p]; }
END
		[ $n = 4 ] || echo ----
	done >"$W/in"
	sources "$1" <"$W/in"
	shift 3
	for cc_now in gcc clang; do
		command -v "$cc_now" >/dev/null || continue
		for flags_now in '-O1 -fPIE' '-O2 -fPIC' '-O2 -fPIC -ffunction-sections -fdata-sections' '-O3 -fPIE' '-Os -fPIC' $more; do
			# shellcheck disable=SC2086
			compile -g $flags_now
			expect_diff changed=f "$@"
		done
	done
}
more='-O0'
gotos label-table '&&d' '' verdict=hotpatchable norule=HP2006
more=
gotos label-kept '&&d' 'keep(to);' verdict=refused rule=HP2006
gotos label-and-function '&&d, (void *)other' '' verdict=refused rule=HP2006
check_diffs
