#!/bin/sh
# A weak definition that lost against another object's is not in effect: its object is still patched, and what it means is the
# definition that was linked. Inline functions of C++ headers: many objects have them, one was linked.
. tests/lib/sh
. tests/lib/live
. tests/lib/swap
can_trace
swap_init
S='-ffunction-sections -fdata-sections'

scenario weakdef.c <<'C'
__attribute__((weak)) long hook(long x) {
#ifdef FIX
	return (x ^ 0x1111111) * 3003 + (x >> 2) * 1000;
#else
	return (x ^ 0x2222222) * 4003 + (x >> 2) * 1001;
#endif
}
__attribute__((weak)) long plain_weak(long x) {
#ifdef FIX
	return (x ^ 0x5555555) * 6003 + (x >> 3) * 4444;
#else
	return (x ^ 0x5555555) * 5003 + (x >> 3) * 3333;
#endif
}
APART long call_hooks(long x) {
#ifdef FIX
	return hook(x) * 100 + plain_weak(x);
#else
	return hook(x) * 10 + plain_weak(x);
#endif
}
C
scenario strongdef.c <<'C'
long hook(long x) {
#if defined(FIX) && defined(BOTH)
	return x * 7 + 70000;
#else
	return (x ^ 0x7654321) * 70007 + (x >> 1) * 5;
#endif
}
APART long more(long x) {
#ifdef FIX
	return (x ^ 0x12345678) * 90001 + (x >> 3) * 777777;
#else
	return (x ^ 0x12345678) * 80001 + (x >> 2) * 777777;
#endif
}
C
scenario weakly <<'C'
long call_hooks(long), more(long), hook(long);
static long (*volatile p)(long) = hook;
long weakly(long n) { return call_hooks(n) * 1000 + more(n) + hook(n) * 3 + p(n); }
C
swap gcc "-O2 $S" pie ''
FIX='-DFIX -DBOTH' swap gcc "-O2 $S" pie ''
swap gcc "-O0" exec ''
STRIP=1 swap gcc "-O2 $S" pie ''
swap gcc "-O2 $S" shared ''
FIX='-DFIX -DBOTH' more gcc "-O1" shared -Wl,-Bsymbolic
forget

# Equal code before the fix, so that the weak one's bytes are those of the strong one. Only the weak one changes.
scenario weakdef.c <<'C'
__attribute__((weak)) long hook(long x) {
#ifdef FIX
	return x * 7 + 70000;
#else
	return (x ^ 0x7654321) * 70007 + (x >> 1) * 5;
#endif
}
APART long call_hooks(long x) {
#ifdef FIX
	return hook(x) * 100 + 1;
#else
	return hook(x) * 10 + 1;
#endif
}
C
scenario strongdef.c <<'C'
long hook(long x) { return (x ^ 0x7654321) * 70007 + (x >> 1) * 5; }
C
scenario weakly <<'C'
long call_hooks(long), hook(long);
long weakly(long n) { return call_hooks(n) * 1000 + hook(n) * 3; }
C
swap gcc "-O2 $S" pie ''
swap gcc "-O0" exec ''
swap gcc "-O2 $S" shared ''
if ! command -v g++ >/dev/null; then exit 0; fi
forget

for i in 1 2 3; do
	scenario com$i <<C
extern "C" long com$i(long n);
struct shape {
	virtual long area(long n);
	virtual ~shape();
	long w;
	shape(long v) : w(v) {}
};
inline shape::~shape() {}
APART inline long shape::area(long n) {
	static long calls;
	calls++;
#ifdef FIX
	static long fresh = 5;
	fresh += calls * 0 + 0;
	return w * n * 1000 + calls + (fresh == 5 ? &fresh != nullptr : 0);
#else
	return w * n + calls;
#endif
}
template <class T> APART T twice(T v) {
#ifdef FIX
	return v * 4 + 1;
#else
	return v * 2 + 1;
#endif
}
APART static long use(shape *s, long n) {
#ifdef FIX
	return s->area(n) + twice(n) + twice((int)n) + $i;
#else
	return s->area(n) + twice(n) + twice((int)n);
#endif
}
long com$i(long n) { shape s($i + 3); return use(&s, n) * 3; }
C
	mv "$W/src/com$i.c" "$W/src/com$i.cc"
done
swap g++ "-O2 $S" pie ''
swap g++ "-O0" shared ''
swap g++ "-O2" exec ''
echo "$swap_cases cases"
