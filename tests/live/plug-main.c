/* plug-main LIBRARY: reads commands, a line each:
 *   open   dlopen() the library        close  dlclose() it, and say whether it is unmapped
 *   call   plug(1) of the library, and own()
 *   fill   map writable memory where the library was and write a pattern; look  is the pattern still there
 *   exit   end
 */
#include <dlfcn.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int answer(void);

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#define FILL_LEN 16384u /* of the library, from its first page on */

static uint8_t *base;

static int
is_mapped(const void *p)
{
	return msync((void *)((uintptr_t)p & ~(uintptr_t)4095), 1, MS_ASYNC) == 0;
}

static const char *
fill(uint8_t *filled)
{
	if (mmap(base, FILL_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != base)
		return "failed";
	memset(base, 0xa5, FILL_LEN);
	return filled == NULL ? "filled" : "?";
}

static const char *
look(const uint8_t *p)
{
	for (size_t i = 0; i < FILL_LEN; i++)
		if (p[i] != 0xa5)
			return "changed";
	return "unchanged";
}

int
main(int argc, char **argv)
{
	long (*plug)(long) = NULL;
	uint8_t *filled = NULL;
	struct link_map *map;
	void *lib = NULL;
	char line[80];

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("ready %d\n", (int)getpid());
	for (int n = 1; fgets(line, sizeof(line), stdin) != NULL; n++) {
		line[strcspn(line, "\n")] = '\0';
		if (strcmp(line, "open") == 0) {
			lib = dlopen(argc > 1 ? argv[1] : "", RTLD_NOW);
			if (lib == NULL) {
				printf("%s\n", dlerror());
				return 1;
			}
			plug = (long (*)(long))dlsym(lib, "plug");
			(void)dlinfo(lib, RTLD_DI_LINKMAP, &map);
			printf("%d open %s\n", n, (uint8_t *)map->l_addr == base ? "again" : "elsewhere");
			base = (uint8_t *)map->l_addr;
		} else if (strcmp(line, "close") == 0) {
			(void)dlclose(lib);
			printf("%d close %s\n", n, is_mapped(base) ? "mapped" : "unmapped");
			plug = NULL;
		} else if (strcmp(line, "call") == 0) {
			printf("%d call %ld %d\n", n, plug != NULL ? plug(1) : 0, answer());
		} else if (strcmp(line, "fill") == 0) {
			printf("%d fill %s\n", n, fill(filled));
			filled = base;
		} else if (strcmp(line, "look") == 0) {
			printf("%d look %s\n", n, look(filled));
		} else {
			break;
		}
	}
	return 0;
}
