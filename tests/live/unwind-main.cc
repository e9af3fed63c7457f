// A line in ("throw", "trace", "cancel", "wait"), a line out. The main thread waits in read(), where others are borrowed.
#include <dlfcn.h>
#include <execinfo.h>
#include <pthread.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>

extern "C" int through(int n, int (*next)(int));
extern "C" int label();

namespace {

struct noisy {
	const char *what;
	~noisy() { std::printf("end of %s\n", what); }
};

int fds[2];

int
throws(int n)
{
	throw std::runtime_error(std::to_string(n));
}

int
traces(int)
{
	void *frames[64];

	return backtrace(frames, 64);
}

int
waits(int)
{
	char c;

	return (int)read(fds[0], &c, 1);
}

int
sleeps(int)
{
	std::printf("waiting\n");
	return (int)pause();
}

void *
cancelled(void *)
{
	noisy n = { "thread" };

	return (void *)(long)through(0, waits);
}

void
cancel()
{
	pthread_t t;
	void *result;

	if (pthread_create(&t, nullptr, cancelled, nullptr) != 0)
		return;
	usleep(20000);
	pthread_cancel(t);
	pthread_join(t, &result);
	std::printf("cancelled %d\n", result == PTHREAD_CANCELED);
}

void
catches()
{
	noisy n = { "try" };

	try {
		through(5, throws);
	} catch (const std::exception &e) {
		std::printf("caught %s\n", e.what());
	}
}

}

int
main()
{
	char line[64];

	setvbuf(stdout, nullptr, _IOLBF, 0);
	if (pipe(fds) != 0)
		return 1;
	std::printf("ready %d\n", (int)getpid());
	while (std::fgets(line, sizeof(line), stdin) != nullptr) {
		if (std::strcmp(line, "throw\n") == 0)
			catches();
		else if (std::strcmp(line, "trace\n") == 0)
			std::printf("frames %d\n", through(0, traces));
		else if (std::strcmp(line, "cancel\n") == 0)
			cancel();
		else if (std::strcmp(line, "wait\n") == 0)
			through(0, sleeps);
		std::printf("label %d\n", label());
	}
	return 0;
}
