/* Linked into a victim: before main() it takes something from itself, as CONFINE says:
 *   mdwe        no memory becomes executable that was not (PR_SET_MDWE)
 *   as:N        N pages of address space left       data:N  the same for private writable memory
 *   nofile      no free descriptor                  fsize   no file can grow
 *   full        no room within 2 GiB of its code    locked  memory is locked, also what comes
 */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#define REACH 0x88000000ull

static void
need(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	_exit(42); /* this kernel cannot: the test is skipped */
}

static long
status_pages(const char *name)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[200];
	long kb = -1;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, name, strlen(name)) == 0)
			kb = strtol(line + strlen(name), NULL, 10);
	if (f != NULL)
		(void)fclose(f);
	need(kb >= 0, name);
	return kb / 4;
}

static void
limit(int what, uint64_t value)
{
	struct rlimit r = { value, value };

	need(setrlimit((__typeof__(RLIMIT_AS))what, &r) == 0, "setrlimit");
}

/* Every gap between two mappings that is near the code of this program. */
static void
fill(void)
{
	static char text[65536];
	uint64_t here = (uint64_t)(uintptr_t)fill, lo = here > REACH ? here - REACH : 65536, hi = here + REACH, at = lo;
	int fd = open("/proc/self/maps", O_RDONLY);
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	(void)close(fd);
	for (char *p = text; p != NULL && *p != '\0'; p = strchr(p, '\n'), p += p != NULL) {
		uint64_t start = strtoull(p, &p, 16), end = strtoull(p + 1, NULL, 16), stop = start < hi ? start : hi;

		at &= ~UINT64_C(4095);
		if (at < stop)
			(void)mmap((void *)(uintptr_t)at, stop - at, PROT_NONE,
			           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
		at = end > at ? end : at;
	}
}

/* When the victim has the descriptors that it wants itself: those of a pipe. */
static void *
take_files(void *arg)
{
	while (fcntl(3, F_GETFD) < 0 || fcntl(4, F_GETFD) < 0)
		(void)usleep(1000);
	limit(RLIMIT_NOFILE, 16);
	while (open("/dev/null", O_RDONLY) >= 0)
		;
	need(write(1, "no file\n", 8) == 8, "write");
	return arg;
}

__attribute__((constructor)) static void
confine(void)
{
	const char *how = getenv("CONFINE");
	pthread_t t;

	if (how == NULL)
		return;
	if (strcmp(how, "mdwe") == 0)
		need(prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) == 0, "PR_SET_MDWE");
	if (strncmp(how, "as:", 3) == 0)
		limit(RLIMIT_AS, (uint64_t)(status_pages("VmSize:") + strtol(how + 3, NULL, 10)) * 4096);
	if (strncmp(how, "data:", 5) == 0)
		limit(RLIMIT_DATA, (uint64_t)(status_pages("VmData:") + strtol(how + 5, NULL, 10)) * 4096);
	if (strcmp(how, "nofile") == 0)
		need(pthread_create(&t, NULL, take_files, NULL) == 0, "pthread_create");
	if (strcmp(how, "fsize") == 0)
		limit(RLIMIT_FSIZE, 0);
	if (strcmp(how, "full") == 0)
		fill();
	if (strcmp(how, "locked") == 0)
		need(mlockall(MCL_CURRENT | MCL_FUTURE) == 0, "mlockall");
}
