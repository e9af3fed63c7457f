/* mapelf FILE: maps the segments of an ELF file where they belong to each other, as a loader does, runs nothing of it, and waits.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SPAN ((size_t)1 << 24)

int
main(int argc, char **argv)
{
	static uint8_t head[4096];
	int fd = open(argc > 1 ? argv[1] : "", O_RDONLY);
	uint8_t *base = mmap(NULL, SPAN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	Elf64_Ehdr e;

	if (fd < 0 || base == MAP_FAILED || read(fd, head, sizeof(head)) < (ssize_t)sizeof(e))
		return 1;
	memcpy(&e, head, sizeof(e));
	for (unsigned i = 0; i < e.e_phnum; i++) {
		Elf64_Phdr p;
		uint64_t skip;

		memcpy(&p, head + e.e_phoff + i * sizeof(p), sizeof(p));
		skip = p.p_vaddr & 4095;
		if (p.p_type == PT_LOAD && mmap(base + p.p_vaddr - skip, p.p_filesz + skip,
		                                ((p.p_flags & PF_R) ? PROT_READ : 0) | ((p.p_flags & PF_X) ? PROT_EXEC : 0),
		                                MAP_PRIVATE | MAP_FIXED, fd, (off_t)(p.p_offset - skip)) == MAP_FAILED)
			return 2;
	}
	printf("ready\n");
	fflush(stdout);
	for (;;)
		(void)pause();
}
