/* The program around pack-work.c: a line in with a number, a line out. */
#include <stdio.h>
#include <stdlib.h>

int work(int n, char *buf, size_t len);
int helper_in_main(int x);
extern int shared_table[8];
int shared_table[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

int
helper_in_main(int x)
{
	return x * 3;
}

int
main(void)
{
	char line[64], out[512];

	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		work((int)strtol(line, NULL, 10), out, sizeof(out));
		printf("%s\n", out);
	}
	return 0;
}
