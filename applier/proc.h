/* A process seen from outside: /proc/PID and its memory. Nothing here stops or traces it.
 *
 * All files are opened relative to one descriptor of /proc/PID, which stays bound to that very process: when it dies and the
 * number is used again, every access fails instead of reaching the newcomer. Whatever is read is untrusted: names may hold
 * any byte, mappings may change between two reads.
 */
#ifndef HP_APPLIER_PROC_H
#define HP_APPLIER_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"

struct hp_proc {
	pid_t pid;
	pid_t tid;      /* whom dir_fd belongs to */
	int dir_fd;     /* /proc/PID, or /proc/TID of another thread when the main one has ended */
	int mem_fd;     /* /proc/PID/mem, read and write, bound to the address space at the time of opening */
	char comm[64];  /* escaped command name, for messages */
};

/* One line of /proc/PID/maps. */
struct hp_area {
	uint64_t start, end; /* [start, end) */
	uint64_t off;        /* file offset of start */
	uint64_t dev, inode; /* 0, 0 = anonymous */
	uint32_t prot;       /* PROT_* */
	bool shared;
	const char *path;    /* raw text behind the inode, "" = none; lives in the arena given to hp_proc_maps() */
};

struct hp_areas {
	struct hp_area *v; /* ascending, disjoint */
	size_t cnt;
};

#define HP_PROC_INIT { .pid = 0, .dir_fd = -1, .mem_fd = -1 }

/* hp_proc_open(pid, ret, err): HP_E_BUSY: no such process or a zombie; HP_E_UNPATCHABLE: no address space (kernel thread);
 * HP_E_IO: no permission. Closed with hp_proc_close(). */
HP_MUST_CHECK int hp_proc_open(pid_t pid, struct hp_proc *ret, struct hp_err *err);
void hp_proc_close(struct hp_proc *proc);

/* hp_proc_check(proc, calls, err): whether a switch may be tried at all: every task free of seccomp, or we may suspend it
 * (HP_E_UNPATCHABLE; a filter may kill for a call that it does not know, so it is never probed; without ${calls} nothing is
 * called) and of a tracer (HP_E_BUSY, naming it), executable of our CPU and word size (HP_E_UNPATCHABLE). */
HP_MUST_CHECK int hp_proc_check(const struct hp_proc *proc, bool calls, struct hp_err *err);

/* hp_proc_ids(proc, name, ret_real, ret_effective): of the "Uid" or "Gid" line of its status file. HP_E_BUSY: gone. */
HP_MUST_CHECK int hp_proc_ids(const struct hp_proc *proc, const char *name, id_t *ret_real, id_t *ret_effective);

/* hp_proc_task_filtered(proc, tid): under seccomp, or it cannot be known. */
bool hp_proc_task_filtered(const struct hp_proc *proc, pid_t tid);

/* hp_proc_maps(proc, arena, ret, err): HP_E_BUSY when the process is gone. O(size of maps). */
HP_MUST_CHECK int hp_proc_maps(const struct hp_proc *proc, struct hp_arena *arena, struct hp_areas *ret, struct hp_err *err);
/* hp_area_at(areas, va): the area that holds ${va}, NULL = none. O(log n). */
const struct hp_area *hp_area_at(const struct hp_areas *areas, uint64_t va);
/* hp_areas_cover(areas, va, len, prot): every byte of [va, va+len) is mapped with at least ${prot}. */
bool hp_areas_cover(const struct hp_areas *areas, uint64_t va, uint64_t len, uint32_t prot);

/* hp_proc_read/write(proc, va, buf, len, err): all or HP_E_BUSY. Writing reaches private read-only mappings too (that is how
 * code is changed without ever making it writable in the target). No allocation. */
HP_MUST_CHECK int hp_proc_read(const struct hp_proc *proc, uint64_t va, void *buf, size_t len, struct hp_err *err);
HP_MUST_CHECK int hp_proc_write(const struct hp_proc *proc, uint64_t va, const void *buf, size_t len, struct hp_err *err);

/* hp_proc_is_private(proc, va): 1 the page at ${va} is the process's own copy (or anonymous), 0 it is a page of a file, or not
 * there yet; -1 not known. */
int hp_proc_is_private(const struct hp_proc *proc, uint64_t va);

/* hp_proc_tasks(proc, tids, cap, ret_cnt, err): thread ids; ret_cnt may exceed ${cap}, then only ${cap} were stored. No
 * allocation. */
HP_MUST_CHECK int hp_proc_tasks(const struct hp_proc *proc, pid_t *tids, size_t cap, size_t *ret_cnt, struct hp_err *err);

/* hp_proc_text(proc, name, buf, len): contents of the small file /proc/PID/${name}, terminated; bytes read, <0 when that
 * failed. */
ssize_t hp_proc_text(const struct hp_proc *proc, const char *name, char *buf, size_t len);
/* hp_proc_has_memory(proc): the address space that was opened still has tasks; not after an exec. Cheap. */
bool hp_proc_has_memory(const struct hp_proc *proc);
/* hp_proc_exists(proc): still there, not a zombie, and not another program by exec. */
bool hp_proc_exists(const struct hp_proc *proc);
/* hp_proc_is_going(proc): one of its threads was lost: so it is killed, or in exit or exec; true when that is over within a
 * second. */
bool hp_proc_is_going(const struct hp_proc *proc);

/* hp_proc_sharer(proc): another process that has the same address space and is no thread of ${proc}: a vfork child before it
 * calls exec, or what clone(2) with CLONE_VM made. 0 = none, or not known. O(number of processes). */
pid_t hp_proc_sharer(const struct hp_proc *proc);

/* hp_proc_has_deep_sleeper(proc, tids, cap): a thread is in uninterruptible sleep; ${tids}: room for listing. */
bool hp_proc_has_deep_sleeper(const struct hp_proc *proc, pid_t *tids, size_t cap);

/* Monotonic clock in nanoseconds. */
uint64_t hp_now_ns(void);

static inline void
hp_proc_auto(struct hp_proc *proc)
{
	hp_proc_close(proc);
}

#endif
