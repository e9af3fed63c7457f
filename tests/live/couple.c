/* couple LIBRARY|- [MODE]: prints "ready", then "numbers N N" whenever number() of the program or lib_number() of the library
 * gives another one than before. With "-" the library is not loaded. MODE inside: one thread never leaves lib_wait(). */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int (*lib_number)(void);
static void (*lib_wait)(void);

int __attribute__((noinline))
number(void)
{
	static volatile int base = 1;

	return base * 3 - 2;
}

int __attribute__((noinline))
extra(void)
{
	static volatile int base = 4;

	return base * 7 - 2;
}

static void *
wait_inside(void *arg)
{
	(void)arg;
	lib_wait();
	return NULL;
}

int
main(int argc, char **argv)
{
	void *lib = argc > 1 && strcmp(argv[1], "-") != 0 ? dlopen(argv[1], RTLD_NOW) : NULL;
	int was[2] = { -1, -1 };
	pthread_t t;

	if (lib != NULL) {
		*(void **)&lib_number = dlsym(lib, "lib_number");
		*(void **)&lib_wait = dlsym(lib, "lib_wait");
	}
	if (argc > 2 && pthread_create(&t, NULL, wait_inside, NULL) != 0)
		return 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	for (;; (void)usleep(2000)) {
		int now[2] = { number(), lib_number != NULL ? lib_number() : 0 };

		if (now[0] != was[0] || now[1] != was[1])
			printf("numbers %d %d\n", now[0], now[1]);
		was[0] = now[0];
		was[1] = now[1];
	}
}
