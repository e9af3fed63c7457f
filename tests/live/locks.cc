/* locks LIBRARY: threads that hold the locks of the allocator, the dynamic linker and the unwinder most of the time, and threads that come
 * and are cancelled; all go through work(), which throws. "progress" says that each got on since the last time, "sum N" what work()
 * adds. */
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>

long work(long n, long (*f)(long));

static std::atomic<long> rounds[5], sums[5];
static const char *library;

static long
thrower(long n)
{
	throw std::runtime_error(n == 1 ? "one" : "other");
}

static void
step(int i)
{
	std::string keep; /* a destructor that the unwinder must run */
	try {
		keep.assign(100, 'x');
		(void)work(1, thrower);
	} catch (const std::runtime_error &e) {
		if (std::strcmp(e.what(), "one") != 0)
			std::printf("wrong: %s\n", e.what());
	}
	sums[i] = work(0, labs);
	rounds[i]++;
}

static void *
allocate(void *)
{
	for (;;) {
		void *p[64];
		for (size_t i = 0; i < 64; i++)
			p[i] = std::malloc(100 + 5000 * (i % 7));
		for (void *q : p)
			std::free(q);
		step(0);
	}
}

static void *
load(void *)
{
	for (;;) {
		void *lib = dlopen(library, RTLD_NOW);
		if (lib == nullptr || dlsym(lib, "plug") == nullptr)
			std::printf("wrong: %s\n", dlerror());
		else
			dlclose(lib);
		step(1);
	}
}

static void *
unwind(void *)
{
	for (;;)
		step(2);
}

static long
wait_here(long n)
{
	for (;;)
		usleep(100000);
	return n;
}

static void *
short_lived(void *)
{
	(void)work(2, wait_here);
	return nullptr;
}

static void *
cancel(void *)
{
	for (;;) {
		pthread_t t;
		void *r;
		if (pthread_create(&t, nullptr, short_lived, nullptr) != 0)
			continue;
		usleep(200);
		pthread_cancel(t);
		pthread_join(t, &r);
		if (r != PTHREAD_CANCELED)
			std::printf("wrong: not cancelled\n");
		step(3);
	}
}

int
main(int argc, char **argv)
{
	void *(*const runs[])(void *) = { allocate, load, unwind, cancel };
	char line[40];

	library = argc > 1 ? argv[1] : "";
	setvbuf(stdout, nullptr, _IOLBF, 0);
	for (auto run : runs) {
		pthread_t t;
		if (pthread_create(&t, nullptr, run, nullptr) != 0)
			return 1;
	}
	std::printf("ready\n");
	while (std::fgets(line, sizeof(line), stdin) != nullptr) {
		for (int i = 0; i < 4; i++)
			for (long from = rounds[i]; rounds[i] < from + 3;)
				usleep(500);
		std::printf("progress %ld %ld %ld %ld\n", sums[0].load(), sums[1].load(), sums[2].load(), sums[3].load());
	}
	return 0;
}
