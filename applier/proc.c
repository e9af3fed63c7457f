#include "applier/proc.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "applier/arch.h"
#include "base/cleanup.h"
#include "base/escape.h"
#include "base/le.h"

#define PAGE_LEN 4096u
#define GOING_ROUNDS 1000u /* of 1 ms */
#define MAPS_LEN_MAX ((size_t)64 << 20)

uint64_t
hp_now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

ssize_t
hp_proc_text(const struct hp_proc *proc, const char *name, char *buf, size_t len)
{
	HP_AUTO(hp_fd) int fd = openat(proc->dir_fd, name, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t n = 1;

	if (fd < 0)
		return -1;
	while (used + 1 < len && n > 0) {
		n = read(fd, buf + used, len - 1 - used);
		if (n < 0)
			return -1;
		used += (size_t)n;
	}
	buf[used] = '\0';
	return (ssize_t)used;
}

/* Value of a "Name:\tvalue" line of a status file, NULL when there is no such line. */
static const char *
status_field(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, len) == 0 && line[len] == ':')
			return line + len + 1 + strspn(line + len + 1, " \t");
	}
	return NULL;
}

int
hp_proc_ids(const struct hp_proc *proc, const char *name, id_t *ret_real, id_t *ret_effective)
{
	char text[4096];
	const char *value = hp_proc_text(proc, "status", text, sizeof(text)) > 0 ? status_field(text, name) : NULL;

	return value != NULL && sscanf(value, "%u %u", ret_real, ret_effective) == 2 ? 0 : HP_E_BUSY;
}

static bool
is_dead(const char *status)
{
	const char *state = status_field(status, "State");

	return state == NULL || *state == 'Z' || *state == 'X';
}

static bool
has_other_threads(const char *status)
{
	const char *threads = status_field(status, "Threads");

	return threads != NULL && strtol(threads, NULL, 10) > 1;
}

/* An address space that is gone reads as an empty file, where one that lives says EIO for what it does not have. */
bool
hp_proc_has_memory(const struct hp_proc *proc)
{
	char byte;

	return pread(proc->mem_fd, &byte, 1, 0) != 0;
}

bool
hp_proc_exists(const struct hp_proc *proc)
{
	char text[4096];

	return hp_proc_text(proc, "status", text, sizeof(text)) > 0 && !is_dead(text) && hp_proc_has_memory(proc);
}

bool
hp_proc_is_going(const struct hp_proc *proc)
{
	const struct timespec ts = { 0, 1000000 };

	for (unsigned i = 0; i < GOING_ROUNDS && hp_proc_exists(proc); i++)
		(void)nanosleep(&ts, NULL);
	return !hp_proc_exists(proc);
}

/* The main thread has ended and others go on: what it hides of the process, /proc/TID of any of them shows (it exists for threads
 * too, though no listing has it). Replaces proc->dir_fd; false: none lives. */
static bool
look_through_thread(struct hp_proc *proc, char *text, size_t len)
{
	pid_t tids[64];
	size_t cnt;

	if (hp_proc_tasks(proc, tids, sizeof(tids) / sizeof(tids[0]), &cnt, NULL) < 0)
		return false;
	for (size_t i = 0; i < cnt && i < sizeof(tids) / sizeof(tids[0]); i++) {
		struct hp_proc thread = { .pid = proc->pid, .mem_fd = -1 };
		const char *group;
		char path[64];

		(void)snprintf(path, sizeof(path), "/proc/%d", tids[i]);
		thread.dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (thread.dir_fd >= 0 && hp_proc_text(&thread, "status", text, len) > 0 && !is_dead(text) &&
		    (group = status_field(text, "Tgid")) != NULL && strtol(group, NULL, 10) == proc->pid) {
			hp_fd_auto(&proc->dir_fd);
			proc->dir_fd = thread.dir_fd;
			proc->tid = tids[i];
			return true;
		}
		hp_fd_auto(&thread.dir_fd);
	}
	return false;
}

int
hp_proc_open(pid_t pid, struct hp_proc *ret, struct hp_err *err)
{
	HP_AUTO(hp_proc) struct hp_proc proc = HP_PROC_INIT;
	char text[4096], path[64];
	ssize_t n;

	proc.pid = proc.tid = pid;
	(void)snprintf(path, sizeof(path), "/proc/%d", pid);
	proc.dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (proc.dir_fd < 0)
		return hp_err_set(err, errno == ENOENT ? HP_E_BUSY : HP_E_IO, "no process %d", pid);
	if (hp_proc_text(&proc, "status", text, sizeof(text)) < 0)
		return hp_err_set(err, HP_E_BUSY, "process %d is gone", pid);
	if (is_dead(text) && !(has_other_threads(text) && look_through_thread(&proc, text, sizeof(text))))
		return hp_err_set(err, HP_E_BUSY, "process %d is gone", pid);
	n = hp_proc_text(&proc, "comm", path, sizeof(path));
	if (n > 0 && path[n - 1] == '\n')
		path[n - 1] = '\0';
	(void)snprintf(proc.comm, sizeof(proc.comm), "%.63s", n > 0 ? hp_esc(path) : "?");
	if (status_field(text, "VmSize") == NULL)
		return hp_err_set(err, HP_E_UNPATCHABLE, "process %d (%s) is a kernel thread", pid, proc.comm);
	proc.mem_fd = openat(proc.dir_fd, "mem", O_RDWR | O_CLOEXEC);
	if (proc.mem_fd < 0 && (errno == EACCES || errno == EPERM))
		return hp_err_set(err, HP_E_IO,
		                  "cannot open the memory of process %d (%s), which is another user's or privileged "
		                  "(it needs CAP_SYS_PTRACE)", pid, proc.comm);
	if (proc.mem_fd < 0)
		return hp_err_set(err, errno == ENOENT || errno == ESRCH ? HP_E_BUSY : HP_E_IO,
		                  "cannot open the memory of process %d (%s)", pid, proc.comm);
	*ret = proc;
	proc.dir_fd = proc.mem_fd = -1;
	return 0;
}

void
hp_proc_close(struct hp_proc *proc)
{
	hp_fd_auto(&proc->dir_fd);
	hp_fd_auto(&proc->mem_fd);
	proc->dir_fd = proc->mem_fd = -1;
}

static int
check_exe(const struct hp_proc *proc, struct hp_err *err)
{
	HP_AUTO(hp_fd) int fd = openat(proc->dir_fd, "exe", O_RDONLY | O_CLOEXEC);
	uint8_t ehdr[20];

	if (fd < 0 || pread(fd, ehdr, sizeof(ehdr), 0) != (ssize_t)sizeof(ehdr))
		return 0; /* the modules in memory are looked at later anyhow */
	if (ehdr[EI_CLASS] != ELFCLASS64)
		return hp_err_set(err, HP_E_UNPATCHABLE, "process %d (%s) is a 32-bit process", proc->pid, proc->comm);
	if (hp_le16_get(ehdr + 18) != HP_ARCH_ELF_MACHINE)
		return hp_err_set(err, HP_E_UNPATCHABLE, "process %d (%s) runs code for another CPU (ELF machine %u)", proc->pid,
		                  proc->comm, hp_le16_get(ehdr + 18));
	return 0;
}

/* PTRACE_O_SUSPEND_SECCOMP of ptrace(2): what can be known before it is tried. */
static bool
may_suspend_seccomp(void)
{
	struct hp_proc self = { .dir_fd = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC), .mem_fd = -1 };
	char text[4096];
	ssize_t n = self.dir_fd >= 0 ? hp_proc_text(&self, "status", text, sizeof(text)) : -1;
	const char *caps = n > 0 ? status_field(text, "CapEff") : NULL;
	const char *mode = n > 0 ? status_field(text, "Seccomp") : NULL;

	hp_fd_auto(&self.dir_fd);
	return caps != NULL && (strtoull(caps, NULL, 16) >> CAP_SYS_ADMIN & 1) && (mode == NULL || *mode == '0');
}

bool
hp_proc_task_filtered(const struct hp_proc *proc, pid_t tid)
{
	char name[64], text[4096];
	const char *field;

	(void)snprintf(name, sizeof(name), "task/%d/status", tid);
	if (hp_proc_text(proc, name, text, sizeof(text)) < 0)
		return true;
	field = status_field(text, "Seccomp");
	return field != NULL && *field != '0';
}

static int
check_task(const struct hp_proc *proc, pid_t tid, bool may_suspend, struct hp_err *err)
{
	char name[64], text[4096], comm[64] = "?";
	const char *field;
	long tracer;

	(void)snprintf(name, sizeof(name), "task/%d/status", tid);
	if (hp_proc_text(proc, name, text, sizeof(text)) < 0 || is_dead(text))
		return 0; /* a thread that has ended needs no check */
	field = status_field(text, "Seccomp");
	if (field != NULL && *field != '0' && !may_suspend)
		return hp_err_set(
			err, HP_E_UNPATCHABLE,
			"thread %d of process %d (%s) is under seccomp (mode %c), and this command may not suspend that "
			"(it needs CAP_SYS_ADMIN, and to be free of seccomp itself)",
			tid, proc->pid, proc->comm, *field);
	field = status_field(text, "TracerPid");
	tracer = field != NULL ? strtol(field, NULL, 10) : 0;
	if (tracer != 0) {
		char path[64];
		FILE *f;

		(void)snprintf(path, sizeof(path), "/proc/%ld/comm", tracer);
		f = fopen(path, "re");
		if (f != NULL) {
			if (fgets(comm, sizeof(comm), f) != NULL)
				comm[strcspn(comm, "\n")] = '\0';
			(void)fclose(f);
		}
		return hp_err_set(err, HP_E_BUSY, "thread %d of process %d (%s) is traced by process %ld (%s)", tid, proc->pid,
		                  proc->comm, tracer, hp_esc(comm));
	}
	return 0;
}

int
hp_proc_check(const struct hp_proc *proc, bool calls, struct hp_err *err)
{
	HP_AUTO(hp_mem) pid_t *tids = NULL;
	bool may_suspend = !calls || may_suspend_seccomp();
	size_t cap = 256, cnt;
	int r;

	r = check_exe(proc, err);
	if (r < 0)
		return r;
	for (;; cap = cnt + cnt / 2) {
		free(tids);
		tids = calloc(cap, sizeof(*tids));
		if (tids == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory for %zu thread ids", cap);
		r = hp_proc_tasks(proc, tids, cap, &cnt, err);
		if (r < 0)
			return r;
		if (cnt <= cap)
			break;
	}
	for (size_t i = 0; i < cnt; i++) {
		r = check_task(proc, tids[i], may_suspend, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* "start-end perms offset major:minor inode      path" */
static bool
parse_line(char *line, struct hp_area *ret)
{
	unsigned major, minor;
	char perms[5];
	int used = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 "%n", &ret->start, &ret->end, perms, &ret->off,
	           &major, &minor, &ret->inode, &used) != 7)
		return false;
	ret->dev = (uint64_t)major << 32 | minor;
	ret->prot = (perms[0] == 'r' ? PROT_READ : 0u) | (perms[1] == 'w' ? PROT_WRITE : 0u) | (perms[2] == 'x' ? PROT_EXEC : 0u);
	ret->shared = perms[3] == 's';
	ret->path = line + used + strspn(line + used, " ");
	return ret->start < ret->end;
}

/* The kernel hands out maps page by page, so the text is read whole before it is looked at. */
static int
read_maps(const struct hp_proc *proc, char **ret, struct hp_err *err)
{
	HP_AUTO(hp_mem) char *text = NULL;
	size_t cap = 65536;

	for (;; cap *= 4) {
		ssize_t n;

		free(text);
		text = malloc(cap);
		if (text == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory for %zu bytes of maps", cap);
		n = hp_proc_text(proc, "maps", text, cap);
		if (n <= 0)
			return hp_err_set(err, HP_E_BUSY, "process %d (%s) is gone", proc->pid, proc->comm);
		if ((size_t)n + 1 < cap)
			break;
		if (cap > MAPS_LEN_MAX)
			return hp_err_set(err, HP_E_UNPATCHABLE, "process %d (%s): too many mappings", proc->pid, proc->comm);
	}
	*ret = text;
	text = NULL;
	return 0;
}

int
hp_proc_maps(const struct hp_proc *proc, struct hp_arena *arena, struct hp_areas *ret, struct hp_err *err)
{
	HP_AUTO(hp_mem) char *text = NULL;
	struct hp_areas areas = { 0 };
	size_t lines = 0;
	char *copy;
	int r;

	r = read_maps(proc, &text, err);
	if (r < 0)
		return r;
	for (const char *p = text; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	copy = hp_arena_strdup(arena, text);
	areas.v = hp_arena_array(arena, lines, sizeof(*areas.v));
	if (copy == NULL || areas.v == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %zu mappings", lines);
	while (areas.cnt < lines) {
		char *end = strchr(copy, '\n');
		struct hp_area *a = &areas.v[areas.cnt];

		if (end == NULL)
			break;
		*end = '\0';
		if (!parse_line(copy, a) || (areas.cnt > 0 && a->start < a[-1].end))
			return hp_err_set(err, HP_E_BUSY, "process %d: odd line in maps: '%s'", proc->pid, hp_esc(copy));
		areas.cnt++;
		copy = end + 1;
	}
	*ret = areas;
	return 0;
}

const struct hp_area *
hp_area_at(const struct hp_areas *areas, uint64_t va)
{
	size_t lo = 0, hi = areas->cnt;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (areas->v[mid].end <= va)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < areas->cnt && areas->v[lo].start <= va ? &areas->v[lo] : NULL;
}

bool
hp_areas_cover(const struct hp_areas *areas, uint64_t va, uint64_t len, uint32_t prot)
{
	uint64_t end;

	if (__builtin_add_overflow(va, len, &end))
		return false;
	while (va < end) {
		const struct hp_area *a = hp_area_at(areas, va);

		if (a == NULL || (a->prot & prot) != prot)
			return false;
		va = a->end;
	}
	return true;
}

int
hp_proc_read(const struct hp_proc *proc, uint64_t va, void *buf, size_t len, struct hp_err *err)
{
	uint8_t *p = buf;

	while (len > 0) {
		ssize_t n = va <= INT64_MAX ? pread(proc->mem_fd, p, len, (off_t)va) : -1;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return hp_err_set(err, HP_E_BUSY, "process %d (%s): cannot read memory at 0x%" PRIx64, proc->pid,
			                  proc->comm,
			                  va);
		p += n;
		va += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int
hp_proc_write(const struct hp_proc *proc, uint64_t va, const void *buf, size_t len, struct hp_err *err)
{
	const uint8_t *p = buf;

	while (len > 0) {
		ssize_t n = va <= INT64_MAX ? pwrite(proc->mem_fd, p, len, (off_t)va) : -1;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return hp_err_set(err, HP_E_BUSY, "process %d (%s): cannot write memory at 0x%" PRIx64, proc->pid,
			                  proc->comm, va);
		p += n;
		va += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* Linux, Documentation/admin-guide/mm/pagemap.rst: 64 bits a page: 63 present, 62 swapped out, 61 of a file or shared. */
int
hp_proc_is_private(const struct hp_proc *proc, uint64_t va)
{
	HP_AUTO(hp_fd) int fd = openat(proc->dir_fd, "pagemap", O_RDONLY | O_CLOEXEC);
	uint8_t word[8];
	uint64_t page;

	if (fd < 0 || pread(fd, word, sizeof(word), (off_t)(va / PAGE_LEN * sizeof(word))) != (ssize_t)sizeof(word))
		return -1;
	page = hp_le64_get(word);
	return (page >> 62 & 3) != 0 && (page >> 61 & 1) == 0;
}

bool
hp_proc_has_deep_sleeper(const struct hp_proc *proc, pid_t *tids, size_t cap)
{
	size_t cnt;

	if (hp_proc_tasks(proc, tids, cap, &cnt, NULL) < 0)
		return false;
	for (size_t i = 0; i < cnt && i < cap; i++) {
		char name[64], text[512];
		const char *state;

		(void)snprintf(name, sizeof(name), "task/%d/stat", tids[i]);
		state = hp_proc_text(proc, name, text, sizeof(text)) > 0 ? strrchr(text, ')') : NULL; /* "tid (comm) S ..." */
		if (state != NULL && state[1] == ' ' && state[2] == 'D')
			return true;
	}
	return false;
}

pid_t
hp_proc_sharer(const struct hp_proc *proc)
{
	DIR *dir = opendir("/proc");
	const struct dirent *e;
	pid_t found = 0;

	while (dir != NULL && found == 0 && (e = readdir(dir)) != NULL) {
		long pid = strtol(e->d_name, NULL, 10);

		if (pid > 0 && pid != proc->pid && syscall(SYS_kcmp, (pid_t)pid, proc->tid, KCMP_VM, 0, 0) == 0)
			found = (pid_t)pid;
	}
	if (dir != NULL)
		(void)closedir(dir);
	return found;
}

/* getdents64 into a buffer on the stack: opendir() would allocate, and this runs while the target is stopped. */
int
hp_proc_tasks(const struct hp_proc *proc, pid_t *tids, size_t cap, size_t *ret_cnt, struct hp_err *err)
{
	HP_AUTO(hp_fd) int fd = openat(proc->dir_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_Alignas(8) char buf[32768];
	size_t cnt = 0;
	long n = -1;

	while (fd >= 0 && (n = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0) {
		/* struct linux_dirent64: u64 ino, s64 off, u16 reclen, u8 type, char name[] */
		for (long pos = 0; pos < n; pos += hp_le16_get((const uint8_t *)buf + pos + 16)) {
			long tid = strtol(buf + pos + 19, NULL, 10);

			if (tid <= 0)
				continue; /* "." and ".." */
			if (cnt < cap)
				tids[cnt] = (pid_t)tid;
			cnt++;
		}
	}
	if (n < 0 || cnt == 0)
		return hp_err_set(err, HP_E_BUSY, "process %d (%s) is gone", proc->pid, proc->comm);
	*ret_cnt = cnt;
	return 0;
}
