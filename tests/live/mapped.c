/* A program whose own file is mapped whole, read only, right below itself, as libraries for backtraces do. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int answer(void);

static int
find_end(struct dl_phdr_info *info, size_t size, void *arg)
{
	char **range = arg;

	(void)size;
	range[0] = (char *)(info->dlpi_addr);
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_LOAD)
			range[1] = (char *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz);
	return 1; /* the program comes first */
}

int
main(void)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	char *range[2];
	struct stat st;
	size_t len;

	if (fd < 0 || fstat(fd, &st) < 0)
		return 1;
	(void)dl_iterate_phdr(find_end, range);
	len = ((size_t)st.st_size + 4095) & ~(size_t)4095;
	if (mmap(range[0] - len, len, PROT_READ, MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd, 0) == MAP_FAILED)
		return 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	for (int last = -1;; (void)usleep(5000))
		if (answer() != last)
			printf("answer %d\n", last = answer());
}
