/* Preloaded into hpbuild-live: the call number FAULT_AT of the kind FAULT_KIND (ptrace, write, read) fails; with FAULT_EVER all
 * after it fail as well. With FAULT_SIGNAL nothing fails, but before that call the process FAULT_PID gets this signal. The number
 * of calls is written to FAULT_COUNT when the program ends. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static long calls;

/* True when this call is to fail. */
static int
is_fault(const char *kind)
{
	const char *want = getenv("FAULT_KIND"), *at = getenv("FAULT_AT");
	long n = at != NULL ? strtol(at, NULL, 10) : 0;

	if (want == NULL || strcmp(want, kind) != 0)
		return 0;
	calls++;
	if (getenv("FAULT_SIGNAL") != NULL) {
		if (calls == n)
			(void)kill((pid_t)strtol(getenv("FAULT_PID"), NULL, 10), (int)strtol(getenv("FAULT_SIGNAL"), NULL, 10));
		return 0;
	}
	return calls == n || (n > 0 && calls > n && getenv("FAULT_EVER") != NULL);
}

long ptrace(enum __ptrace_request request, ...);

long
ptrace(enum __ptrace_request request, ...)
{
	long pid;
	void *addr, *data;
	va_list ap;

	va_start(ap, request);
	pid = va_arg(ap, long);
	addr = va_arg(ap, void *);
	data = va_arg(ap, void *);
	va_end(ap);
	if (is_fault("ptrace")) {
		errno = EIO;
		return -1;
	}
	return syscall(SYS_ptrace, request, pid, addr, data);
}

ssize_t
pwrite(int fd, const void *buf, size_t len, off_t off)
{
	if (is_fault("write")) {
		errno = EIO;
		return -1;
	}
	return syscall(SYS_pwrite64, fd, buf, len, off);
}

ssize_t
pread(int fd, void *buf, size_t len, off_t off)
{
	if (is_fault("read")) {
		errno = EIO;
		return -1;
	}
	return syscall(SYS_pread64, fd, buf, len, off);
}

ssize_t
process_vm_readv(pid_t pid, const struct iovec *local, unsigned long local_cnt, const struct iovec *remote,
                 unsigned long remote_cnt, unsigned long flags)
{
	if (is_fault("read")) {
		errno = EFAULT;
		return -1;
	}
	return syscall(SYS_process_vm_readv, pid, local, local_cnt, remote, remote_cnt, flags);
}

__attribute__((destructor)) static void
count(void)
{
	const char *path = getenv("FAULT_COUNT");
	FILE *f = path != NULL ? fopen(path, "we") : NULL;

	if (f == NULL)
		return;
	(void)fprintf(f, "%ld\n", calls);
	(void)fclose(f);
}
