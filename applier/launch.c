#include "applier/launch.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "applier/arch.h"
#include "applier/inject.h"
#include "applier/linkmap.h"
#include "base/cleanup.h"
#include "base/le.h"

#define GO_LIMIT_NS 5000000000u
#define AUXV_LEN 4096u
#define LINKER_CALLS_MAX 4096u /* entries and exits of system calls until it has mapped the program; usually 20 */

enum { EH_ENTRY = 24, EH_LEN = 64, SYSCALL_STOP = SIGTRAP | 0x80 };

int
hp_launch_seize(pid_t pid, struct hp_err *err)
{
	if (ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL) < 0)
		return hp_err_set(err, HP_E_BUSY, "process %d cannot be traced: %s", pid, strerror(errno));
	return 0;
}

/* Run until a stop that ${wanted} describes; signals of the process on the way are handed on. ${go}: PTRACE_CONT or
 * PTRACE_SYSCALL. */
static int
run_to(pid_t pid, int wanted, enum __ptrace_request go, struct hp_err *err)
{
	int status, signal = 0;

	for (;;) {
		if (waitpid(pid, &status, __WALL) < 0) {
			if (errno == EINTR)
				continue;
			return hp_err_set(err, HP_E_BUSY, "process %d is gone", pid);
		}
		if (!WIFSTOPPED(status))
			return hp_err_set(err, HP_E_BUSY, "the program ended before its first instruction");
		if (status >> 8 == wanted)
			return 0;
		signal = status >> 16 == 0 ? WSTOPSIG(status) : 0;
		if (ptrace(status >> 16 == PTRACE_EVENT_STOP && WSTOPSIG(status) != SIGTRAP ? PTRACE_LISTEN : go, pid,
		           NULL, signal) < 0 &&
		    errno != ESRCH)
			return hp_err_set(err, HP_E_BUSY, "process %d cannot be continued: %s", pid, strerror(errno));
	}
}

/* The entry point of the program itself, also when the dynamic linker runs first: getauxval(3), AT_ENTRY. */
static int
find_entry(const struct hp_proc *proc, uint64_t *ret_va, struct hp_err *err)
{
	char auxv[AUXV_LEN];
	ssize_t len = hp_proc_text(proc, "auxv", auxv, sizeof(auxv));

	for (ssize_t i = 0; i + 16 <= len; i += 16)
		if (hp_le64_get((const uint8_t *)auxv + i) == AT_ENTRY) {
			*ret_va = hp_le64_get((const uint8_t *)auxv + i + 8);
			return 0;
		}
	return hp_err_set(err, HP_E_UNPATCHABLE, "process %d (%s): its entry point is not known", proc->pid, proc->comm);
}

/* The entry point of what the dynamic linker has mapped, if it has: the first module besides itself, for it maps the program
 * before auditors and preloads. 1 found, 0 not yet. */
static int
find_mapped(const struct hp_proc *proc, uint64_t linker_va, uint64_t *ret_va, struct hp_err *err)
{
	HP_AUTO(hp_arena) struct hp_arena arena = { 0 };
	struct hp_modules mods;
	struct hp_areas areas;
	uint8_t ehdr[EH_LEN];
	int r = hp_proc_maps(proc, &arena, &areas, err);

	if (r == 0)
		r = hp_modules_read(proc, &areas, &arena, &mods, err);
	for (size_t i = 0; r == 0 && i < mods.cnt; i++) {
		const struct hp_module *mod = &mods.v[i];
		uint64_t va;

		if (hp_modules_at(&mods, linker_va) == mod || strcmp(mod->area->path, "[vdso]") == 0 ||
		    hp_proc_read(proc, mod->start, ehdr, sizeof(ehdr), NULL) < 0)
			continue;
		va = mod->bias + hp_le64_get(ehdr + EH_ENTRY);
		if (va < mod->start || va >= mod->end || !hp_areas_cover(&areas, va, HP_LAUNCH_CODE_LEN, PROT_EXEC))
			continue;
		*ret_va = va;
		return 1;
	}
	return r;
}

/* "ld-linux-x86-64.so.2 PROGRAM": the kernel knows the dynamic linker as the program. It starts at ${*va}; the entry point of the
 * program is known when it has been mapped, which is looked for after every system call. */
static int
skip_linker(const struct hp_proc *proc, uint64_t *va, struct hp_err *err)
{
	HP_AUTO(hp_arena) struct hp_arena arena = { 0 };
	const struct hp_module *mod;
	struct hp_modules mods;
	struct hp_areas areas;
	struct hp_dyn dyn;
	uint64_t linker_va = *va;
	int r = hp_proc_maps(proc, &arena, &areas, err);

	if (r == 0)
		r = hp_modules_read(proc, &areas, &arena, &mods, err);
	mod = r == 0 ? hp_modules_at(&mods, linker_va) : NULL;
	if (mod == NULL || !hp_module_dyn(proc, mod, &arena, &dyn) || !hp_linkmap_is_linker(&dyn))
		return r;
	if (ptrace(PTRACE_SETOPTIONS, proc->pid, NULL, PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD) < 0)
		return hp_err_set(err, HP_E_BUSY, "process %d cannot be traced: %s", proc->pid, strerror(errno));
	for (unsigned i = 0; r == 0 && i < LINKER_CALLS_MAX; i++) {
		if (ptrace(PTRACE_SYSCALL, proc->pid, NULL, NULL) < 0)
			return hp_err_set(err, HP_E_BUSY, "process %d cannot be continued: %s", proc->pid, strerror(errno));
		r = run_to(proc->pid, SYSCALL_STOP, PTRACE_SYSCALL, err);
		if (r == 0)
			r = find_mapped(proc, linker_va, va, err);
	}
	if (r == 0)
		r = hp_err_set(err, HP_E_UNPATCHABLE, "process %d (%s): the dynamic linker does not map the program", proc->pid,
		               proc->comm);
	return r < 0 ? r : 0;
}

static int
run_to_entry(struct hp_launch *l, struct hp_err *err)
{
	uint8_t code[HP_LAUNCH_CODE_LEN];
	struct hp_arch_regs regs;
	pid_t pid = l->proc.pid;
	int r = find_entry(&l->proc, &l->entry_va, err);

	if (r == 0)
		r = skip_linker(&l->proc, &l->entry_va, err);
	if (r == 0)
		r = hp_proc_read(&l->proc, l->entry_va, l->code, sizeof(l->code), err);
	if (r < 0)
		return r;
	hp_arch_trap_code(code);
	r = hp_proc_write(&l->proc, l->entry_va, code, sizeof(code), err);
	if (r == 0 && ptrace(PTRACE_CONT, pid, NULL, NULL) < 0)
		r = hp_err_set(err, HP_E_BUSY, "process %d cannot be continued: %s", pid, strerror(errno));
	if (r == 0)
		r = run_to(pid, SIGTRAP, PTRACE_CONT, err);
	if (r < 0)
		return r;
	if (hp_arch_regs_get(pid, &regs) < 0 || !hp_arch_trap_leave(&regs, l->entry_va) || hp_arch_regs_set(pid, &regs) < 0)
		return hp_err_set(err, HP_E_UNPATCHABLE, "process %d (%s): does not come to its entry point", pid, l->proc.comm);
	hp_arch_circle_code(code);
	r = hp_proc_write(&l->proc, l->entry_va, code, sizeof(code), err);
	if (r == 0 && ptrace(PTRACE_DETACH, pid, NULL, NULL) < 0)
		r = hp_err_set(err, HP_E_BUSY, "process %d cannot be let go: %s", pid, strerror(errno));
	return r;
}

int
hp_launch_hold(pid_t pid, struct hp_launch *ret, struct hp_err *err)
{
	struct hp_launch l = { .proc = HP_PROC_INIT };
	int r = run_to(pid, SIGTRAP | PTRACE_EVENT_EXEC << 8, PTRACE_CONT, err);

	if (r == 0)
		r = hp_proc_open(pid, &l.proc, err);
	if (r == 0)
		r = run_to_entry(&l, err);
	if (r < 0) {
		hp_proc_close(&l.proc);
		return r;
	}
	*ret = l;
	return 0;
}

int
hp_launch_go(struct hp_launch *l, struct hp_err *err)
{
	struct hp_stop stop;
	int r = hp_stop_init(&stop, 64, err);

	if (r < 0)
		return r;
	r = hp_stop_one(&l->proc, &stop, l->proc.pid, hp_now_ns() + GO_LIMIT_NS, err);
	if (r > 0)
		r = hp_proc_write(&l->proc, l->entry_va, l->code, sizeof(l->code), err);
	else if (r == 0)
		r = HP_E_BUSY;
	hp_stop_release(&stop);
	return r;
}

void
hp_launch_exit(struct hp_launch *l, int status)
{
	struct hp_arena arena = { 0 };
	struct hp_areas areas;
	struct hp_borrow b;

	if (hp_proc_maps(&l->proc, &arena, &areas, NULL) == 0 &&
	    hp_borrow_begin(&l->proc, &areas, NULL, hp_now_ns() + GO_LIMIT_NS, &b, NULL) == 0) {
		hp_remote_exit(&b, status);
		if (hp_borrow_end(&b, NULL) < 0)
			(void)kill(l->proc.pid, SIGKILL);
	}
	hp_arena_release(&arena);
	if (hp_proc_exists(&l->proc))
		(void)kill(l->proc.pid, SIGKILL);
}

void
hp_launch_release(struct hp_launch *l)
{
	hp_proc_close(&l->proc);
}
