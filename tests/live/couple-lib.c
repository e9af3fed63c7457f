/* The library of couple.c. */
#include <unistd.h>

int __attribute__((noinline))
lib_number(void)
{
	static volatile int base = 2;

	return base * 5 - 8;
}

int __attribute__((noinline))
lib_extra(void)
{
	static volatile int base = 3;

	return base * 11 - 8;
}

int lib_wait(void);

int __attribute__((noinline))
lib_wait(void)
{
	volatile int calls = 0;

	for (;; calls++)
		(void)usleep(10000);
}
