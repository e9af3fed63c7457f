#include "applier/unwind.h"

#include <elfutils/libdwfl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "applier/arch.h"
#include "base/cleanup.h"
#include "base/escape.h"

#define VDSO_LEN_MAX ((size_t)1 << 20)

struct hp_unwind {
	const struct hp_plan *plan;
	Dwfl *dwfl;
	const struct hp_task *task;  /* of the unwind that is under way */
	struct hp_frames *frames;
	bool no_cfi;                 /* a step was taken without call frame information */
};

static int
find_no_debuginfo(Dwfl_Module *mod, void **userdata, const char *name, Dwarf_Addr base, const char *file,
                  const char *debuglink, GElf_Word crc, char **ret_name)
{
	(void)mod, (void)userdata, (void)name, (void)base, (void)file, (void)debuglink, (void)crc, (void)ret_name;
	return -1; /* .eh_frame is in the module itself */
}

static int
find_no_elf(Dwfl_Module *mod, void **userdata, const char *name, Dwarf_Addr base, char **ret_name, Elf **ret_elf)
{
	(void)mod, (void)userdata, (void)name, (void)base, (void)ret_name, (void)ret_elf;
	return -1; /* all were given to dwfl_report_elf() */
}

static const Dwfl_Callbacks callbacks = { .find_elf = find_no_elf, .find_debuginfo = find_no_debuginfo };

static bool
read_memory(Dwfl *dwfl, Dwarf_Addr va, Dwarf_Word *ret, void *arg)
{
	struct hp_unwind *u = arg;
	uint8_t word[8];

	(void)dwfl;
	if (hp_proc_read(u->plan->proc, va, word, sizeof(word), NULL) < 0)
		return false;
	*ret = hp_le64_get(word);
	return true;
}

static pid_t
next_thread(Dwfl *dwfl, void *arg, void **thread_arg)
{
	struct hp_unwind *u = arg;

	(void)dwfl;
	if (*thread_arg != NULL)
		return 0;
	*thread_arg = u;
	return u->task->tid;
}

static bool
get_thread(Dwfl *dwfl, pid_t tid, void *arg, void **thread_arg)
{
	struct hp_unwind *u = arg;

	(void)dwfl;
	*thread_arg = u;
	return u->task->tid == tid;
}

static bool
set_registers(Dwfl_Thread *thread, void *thread_arg)
{
	struct hp_unwind *u = thread_arg;
	uint64_t regs[HP_ARCH_DWARF_REGS];
	Dwarf_Word words[HP_ARCH_DWARF_REGS];

	hp_arch_dwarf_regs(&u->task->regs, regs);
	for (unsigned i = 0; i < HP_ARCH_DWARF_REGS; i++)
		words[i] = regs[i];
	return dwfl_thread_state_registers(thread, 0, HP_ARCH_DWARF_REGS, words);
}

static const Dwfl_Thread_Callbacks thread_callbacks = {
	.next_thread = next_thread,
	.get_thread = get_thread,
	.memory_read = read_memory,
	.set_initial_registers = set_registers,
};

/* A file that holds ${data}, for libdwfl, which wants descriptors. */
static int
file_of(struct hp_view data)
{
	int fd = memfd_create("hpbuild-module", MFD_CLOEXEC);

	if (fd >= 0 && write(fd, data.p, data.len) != (ssize_t)data.len) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

static int
vdso_file(const struct hp_proc *proc, const struct hp_area *area)
{
	size_t len = (size_t)(area->end - area->start);
	HP_AUTO(hp_mem) uint8_t *buf = NULL;

	if (len > VDSO_LEN_MAX)
		return -1;
	buf = malloc(len);
	if (buf == NULL || hp_proc_read(proc, area->start, buf, len, NULL) < 0)
		return -1;
	return file_of(hp_view_of(buf, len));
}

/* dwfl_report_elf() owns the descriptor when it succeeds. A module that it does not like is left out: unwinding through it is
 * then incomplete, which is safe. */
static void
report(struct hp_unwind *u, const char *name, int fd, uint64_t bias)
{
	Dwarf_Addr cfi_bias;
	Dwfl_Module *mod;

	if (fd < 0)
		return;
	mod = dwfl_report_elf(u->dwfl, name, name, fd, bias, true);
	if (mod == NULL)
		(void)close(fd);
	else
		(void)dwfl_module_eh_cfi(mod, &cfi_bias);
}

static void
report_all(struct hp_unwind *u)
{
	const struct hp_plan *plan = u->plan;

	dwfl_report_begin(u->dwfl);
	for (size_t i = 0; i < plan->mods.cnt; i++) {
		const struct hp_module *m = &plan->mods.v[i];
		bool vdso = strcmp(m->area->path, "[vdso]") == 0;

		report(u, m->area->path, vdso ? vdso_file(plan->proc, m->area) : hp_module_file(plan->proc, m), m->bias);
	}
	for (uint32_t i = 0; i < plan->rec.targets_cnt; i++)
		if (plan->rec.targets[i].payload_va != 0)
			report(u, "payload", file_of(plan->targets[i].image.file), plan->rec.targets[i].payload_va);
	(void)dwfl_report_end(u->dwfl, NULL, NULL);
}

int
hp_unwind_new(const struct hp_plan *plan, struct hp_unwind **ret, struct hp_err *err)
{
	HP_AUTO(hp_unwind) struct hp_unwind *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for the unwinder");
	u->plan = plan;
	u->dwfl = dwfl_begin(&callbacks);
	if (u->dwfl == NULL)
		return hp_err_set(err, HP_E_NOMEM, "libdw: %s", dwfl_errmsg(-1));
	report_all(u);
	if (!dwfl_attach_state(u->dwfl, NULL, plan->proc->pid, &thread_callbacks, u))
		return hp_err_set(err, HP_E_INTERNAL, "libdw: %s", dwfl_errmsg(-1));
	*ret = u;
	u = NULL;
	return 0;
}

void
hp_unwind_free(struct hp_unwind *u)
{
	if (u == NULL)
		return;
	if (u->dwfl != NULL)
		dwfl_end(u->dwfl);
	free(u);
}

/* libdw falls back to guessing from frame pointers where there is no call frame information; such a step proves nothing. */
static bool
has_cfi(struct hp_unwind *u, uint64_t pc)
{
	Dwfl_Module *mod = dwfl_addrmodule(u->dwfl, pc);
	Dwarf_Addr bias;
	Dwarf_Frame *frame = NULL;
	Dwarf_CFI *cfi = mod != NULL ? dwfl_module_eh_cfi(mod, &bias) : NULL;

	if (cfi == NULL || dwarf_cfi_addrframe(cfi, pc - bias, &frame) != 0)
		return false;
	free(frame);
	return true;
}

static int
add_frame(Dwfl_Frame *state, void *arg)
{
	struct hp_unwind *u = arg;
	bool is_activation;
	Dwarf_Addr pc;

	if (u->frames->cnt == HP_FRAMES_MAX || !dwfl_frame_pc(state, &pc, &is_activation)) {
		u->no_cfi = true;
		return DWARF_CB_ABORT;
	}
	u->frames->is_return[u->frames->cnt] = !is_activation;
	u->frames->pc[u->frames->cnt++] = pc;
	if (!has_cfi(u, is_activation ? pc : pc - 1))
		u->no_cfi = true;
	return DWARF_CB_OK;
}

void
hp_unwind_thread(struct hp_unwind *u, const struct hp_task *task, struct hp_frames *ret)
{
	int r;

	ret->cnt = 0;
	u->task = task;
	u->frames = ret;
	u->no_cfi = false;
	r = dwfl_getthread_frames(u->dwfl, task->tid, add_frame, u);
	ret->complete = r == 0 && !u->no_cfi && ret->cnt > 0;
}

void
hp_unwind_describe(struct hp_unwind *u, const struct hp_frames *frames, char *buf, size_t len)
{
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < frames->cnt && used + 1 < len; i++) {
		uint64_t pc = frames->pc[i] - (frames->is_return[i] ? 1 : 0);
		Dwfl_Module *mod = u != NULL ? dwfl_addrmodule(u->dwfl, pc) : NULL;
		const char *name = mod != NULL ? dwfl_module_addrname(mod, pc) : NULL;
		int n;

		if (name != NULL)
			n = snprintf(buf + used, len - used, "%s%s", i > 0 ? " < " : "", hp_esc(name));
		else
			n = snprintf(buf + used, len - used, "%s0x%" PRIx64, i > 0 ? " < " : "", frames->pc[i]);
		used = n < 0 || (size_t)n >= len - used ? len - 1 : used + (size_t)n;
	}
	if (used + 1 < len && !frames->complete && frames->cnt > 0)
		(void)snprintf(buf + used, len - used, " < ?");
}
