/* The main thread ends; another goes on, and says "answer N" when that changes. Threads come and go beside it. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

int answer(void);

static void *
nothing(void *arg)
{
	return arg;
}

static void *
watch(void *arg)
{
	for (int last = -1;; (void)usleep(2000)) {
		pthread_t t;
		int now = answer();

		if (now != last)
			printf("answer %d\n", now);
		last = now;
		if (pthread_create(&t, NULL, nothing, NULL) == 0)
			(void)pthread_join(t, NULL);
	}
	return arg;
}

int
main(void)
{
	pthread_t t;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (pthread_create(&t, NULL, watch, NULL) != 0)
		return 1;
	printf("ready %d\n", (int)getpid());
	pthread_exit(NULL);
}
