#!/bin/sh
# limit: 400
# Patched functions with exception tables of their own: handlers for types of the C++ library, of the module and of one file, for
# everything, clean-ups, rethrown and filtered exceptions, pieces that the compiler set aside; thrown below, inside and by other
# modules; C clean-ups. Before, after and after the revert: what the builds answer.
. tests/lib/sh
. tests/lib/live
. tests/lib/swap
can_trace
need g++
swap_init
S='-ffunction-sections -fdata-sections'

# Types: the library's, the module's, one that only this file knows; in the order in which they are tried.
scenario types <<'C'
#include <new>
#include <stdexcept>
#include <string>
struct own { long v; virtual ~own() {} };
struct derived : own {};
namespace { struct hidden { long v; }; }
extern "C" long types(long n);
APART long thrower(long n) {
	switch (n % 7) {
	case 0: throw n;
	case 1: throw std::runtime_error("x");
	case 2: { derived d; d.v = n; throw d; }
	case 3: throw hidden{n};
	case 4: throw std::bad_alloc();
	case 5: throw "text";
	default: return n;
	}
}
APART long catcher(long n) {
	long r = 0;
#ifdef FIX
	n++;
#endif
	try { r = thrower(n); }
	catch (long v) { r = v + 1000; }
	catch (const std::runtime_error &e) { r = 2000 + e.what()[0]; }
	catch (own &o) { r = 3000 + o.v; }
	catch (hidden h) { r = 4000 + h.v; }
	catch (const std::exception &) { r = 5000; }
	catch (...) { r = 6000; }
	return r;
}
long types(long n) {
	long r = 0;
	for (long i = 0; i < 7; i++) r = r * 3 + catcher(n + i);
	return r;
}
C

# Clean-ups run in the right order, a rethrown exception goes on to the handler above, which is patched as well.
scenario cleans <<'C'
#include <string>
static long trace;
struct guard { long id; explicit guard(long i) : id(i) {} ~guard() { trace = trace * 10 + id; } };
extern "C" long cleans(long n);
APART void deepest(long n) { guard a(1); if (n != 1) throw std::string("deep"); }
APART void middle(long n) {
	guard b(2);
	try { deepest(n); }
	catch (const std::string &s) {
		guard c(3);
#ifdef FIX
		guard d(4);
#endif
		if (n > 1) throw;
	}
}
APART long top(long n) {
	trace = 0;
	try { guard e(5); middle(n); }
	catch (const std::string &s) {
#ifdef FIX
		trace += 100000000;
#endif
		return trace * 10 + (long)s.size();
	}
	return trace;
}
long cleans(long n) { return top(n) * 3 + n; }
C

# Thrown and caught in one function, in a loop, with a part that is rarely run.
scenario inside <<'C'
#include <stdexcept>
extern "C" long inside(long n);
__attribute__((cold)) APART static long rare(long n) { if (n == 77) throw std::logic_error("never"); return n + 9; }
APART long looping(long n) {
	long r = 0;
	for (long i = 0; i < 5; i++) {
		try {
			if (__builtin_expect(i == n, 0)) throw std::out_of_range("here");
			if (__builtin_expect(i == n + 2, 0)) r += rare(i);
			r += i;
		} catch (const std::logic_error &e) {
#ifdef FIX
			r += 500;
#else
			r += 300;
#endif
		}
	}
	return r;
}
long inside(long n) { return looping(n) * 3 + n; }
C

# The library calls back and throws through its own frames.
scenario sorted <<'C'
#include <algorithm>
#include <map>
#include <vector>
extern "C" long sorted(long n);
APART long at(const std::map<long, long> &m, long k) {
#ifdef FIX
	k *= 2;
#endif
	try { return m.at(k); }
	catch (const std::exception &) { return -k; }
}
long sorted(long n) {
	std::map<long, long> m{{0, 5}, {2, 7}};
	std::vector<long> v{3, 1, 2};
	try { std::sort(v.begin(), v.end(), [n](long a, long b) { if (n == 2) throw a; return a < b; }); }
	catch (long a) { return 40 + a + at(m, n); }
	return at(m, n) * 10 + v[0];
}
C
for file in types cleans inside sorted; do mv "$W/src/$file.c" "$W/src/$file.cc"; done
swap g++ "-O2 $S" pie ''
more g++ "-O2 $S" exec ''
swap g++ "-O2" shared ''
more g++ "-O0 $S" pie ''
more g++ "-O2 $S -fno-plt" shared -Wl,-z,now
more g++ "-Os" exec ''
more g++ "-O2 $S" pie '-static-libstdc++ -static-libgcc'
more g++ "-O2 $S" static ''
if command -v clang++ >/dev/null; then
	swap clang++ "-O2 $S" pie ''
	more clang++ "-O1 $S" exec ''
	more clang++ "-O0" shared ''
fi
forget

# A stripped module still shows the types of other modules, in the words that its dynamic linker fills in.
scenario bare <<'C'
#include <stdexcept>
#include <string>
extern "C" long bare(long n);
APART long thrower(long n) {
	if (n == 0) throw n;
	if (n == 1) throw std::runtime_error(std::to_string(n));
	return n;
}
APART long catcher(long n) {
	std::string s = "x";
#ifdef FIX
	n++;
#endif
	try { return thrower(n) + (long)s.size(); }
	catch (long v) { return v + 1000 + (long)s.size(); }
	catch (const std::runtime_error &e) { return 2000 + e.what()[0] + (long)s.size(); }
}
long bare(long n) { return catcher(n) * 3 + n; }
C
mv "$W/src/bare.c" "$W/src/bare.cc"
STRIP=1 swap g++ "-O2 $S" pie ''
STRIP=1 more g++ "-O2" shared ''
STRIP=1 more g++ "-O2 $S" exec ''
if command -v clang++ >/dev/null; then STRIP=1 more clang++ "-O2 $S" pie ''; fi
forget

# C has clean-ups, which run when a thread is cancelled or an exception passes.
scenario cleanup <<'C'
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>
static sem_t ready;
static long cleaned;
static void undo(long *p) { cleaned += *p; }
APART static void inner(long n) {
	__attribute__((cleanup(undo))) long mine = n + 1;
#ifdef FIX
	mine += 10;
#endif
	sem_post(&ready);
	for (;;) pause();
}
static void *thread(void *arg) { inner((long)arg); return NULL; }
long cleanup(long n) {
	pthread_t t;
	void *r;
	sem_init(&ready, 0, 0);
	cleaned = 0;
	pthread_create(&t, NULL, thread, (void *)n);
	sem_wait(&ready);
	pthread_cancel(t);
	pthread_join(t, &r);
	return cleaned * 10 + (r == PTHREAD_CANCELED);
}
C
swap gcc "-O2 $S -fexceptions" pie ''
more gcc "-O0 -fexceptions" shared ''
echo "$swap_cases cases"
