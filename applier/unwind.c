#include "applier/unwind.h"

#include <elfutils/libdwfl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "applier/arch.h"
#include "base/cleanup.h"
#include "base/escape.h"

#define IMAGE_LEN_MAX ((size_t)64 << 20) /* of an image that is read from memory: vDSO, payloads */

/* What a module is, told by what it defines. */
enum kind {
	KIND_PLAIN,
	KIND_LIBC,  /* also a static program */
	KIND_NAMES, /* has an unwinder inside: every function must be known by its name */
	KIND_GUARD, /* dynamic linker, or an allocator of its own */
};

struct mod_info {
	Dwfl_Module *mod;
	enum kind kind;
	struct hp_unwinder unwinder; /* add_va 0 = none */
};

struct hp_unwind {
	const struct hp_plan *plan;
	Dwfl *dwfl;
	const struct hp_task *task;  /* of the unwind that is under way */
	struct hp_frames *frames;
	bool no_cfi;                 /* a step was taken without call frame information */
	struct mod_info *mods;       /* sorted by nothing: there are few */
	size_t mods_cnt;
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

/* What lies in memory as it does in its file: the vDSO, and the loaded part of a payload. */
static int
memory_file(const struct hp_proc *proc, uint64_t va, uint64_t len)
{
	HP_AUTO(hp_mem) uint8_t *buf = NULL;

	if (len > IMAGE_LEN_MAX)
		return -1;
	buf = malloc((size_t)len);
	if (buf == NULL || hp_proc_read(proc, va, buf, (size_t)len, NULL) < 0)
		return -1;
	return file_of(hp_view_of(buf, (size_t)len));
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
report_payload(struct hp_unwind *u)
{
	const struct hp_plan *plan = u->plan;

	for (uint32_t i = 0; i < plan->rec.targets_cnt; i++)
		if (plan->rec.targets[i].payload_va != 0)
			report(u, "payload", file_of(plan->targets[i].image.file), plan->rec.targets[i].payload_va);
}

/* Payloads of other packages, as they are in memory: what the target makes of them only matters to itself. */
static void
report_others(struct hp_unwind *u)
{
	const struct hp_plan *plan = u->plan;

	for (size_t i = 0; i < plan->recs.cnt; i++)
		for (uint32_t t = 0; t < plan->recs.v[i].targets_cnt && &plan->recs.v[i] != plan->old; t++)
			report(u, "other payload", memory_file(plan->proc, plan->recs.v[i].targets[t].payload_va,
			                                       plan->recs.v[i].targets[t].payload_len),
			       plan->recs.v[i].targets[t].payload_va);
}

static void
report_all(struct hp_unwind *u)
{
	const struct hp_plan *plan = u->plan;

	dwfl_report_begin(u->dwfl);
	for (size_t i = 0; i < plan->mods.cnt; i++) {
		const struct hp_module *m = &plan->mods.v[i];
		bool vdso = strcmp(m->area->path, "[vdso]") == 0;

		report(u, m->area->path, vdso ? memory_file(plan->proc, m->area->start, m->area->end - m->area->start)
		                              : hp_module_file(plan->proc, m),
		       m->bias);
	}
	report_others(u);
	report_payload(u);
	(void)dwfl_report_end(u->dwfl, NULL, NULL);
}

void
hp_unwind_add_payload(struct hp_unwind *u)
{
	dwfl_report_begin_add(u->dwfl);
	report_payload(u);
	(void)dwfl_report_end(u->dwfl, NULL, NULL);
}

/* Looks at the names that tell what the module is. */
static int
look_at_module(Dwfl_Module *mod, void **userdata, const char *name, Dwarf_Addr base, void *arg)
{
	struct hp_unwind *u = arg;
	struct mod_info info = { .mod = mod };
	bool has_poll = false, has_guard = false, is_llvm = false;
	uint64_t whole[2] = { 0 }, single[2] = { 0 };
	int cnt = dwfl_module_getsymtab(mod);

	(void)userdata, (void)name, (void)base;
	for (int i = 1; i < cnt; i++) {
		GElf_Sym sym;
		GElf_Addr va;
		GElf_Word shndx;
		const char *s = dwfl_module_getsym_info(mod, i, &sym, &va, &shndx, NULL, NULL);

		if (s == NULL || shndx == SHN_UNDEF || GELF_ST_TYPE(sym.st_info) != STT_FUNC)
			continue;
		if (s[0] == 'p' && strcmp(s, "poll") == 0)
			has_poll = true;
		else if ((s[0] == 'm' && strcmp(s, "malloc") == 0) || (s[0] == '_' && strcmp(s, "__tls_get_addr") == 0))
			has_guard = true;
		if (s[0] != '_' || s[1] != '_')
			continue;
		if (strcmp(s, "__register_frame_info") == 0)
			whole[0] = va;
		else if (strcmp(s, "__deregister_frame_info") == 0)
			whole[1] = va;
		else if (strcmp(s, "__register_frame") == 0)
			single[0] = va;
		else if (strcmp(s, "__deregister_frame") == 0)
			single[1] = va;
		else if (strcmp(s, "__unw_add_dynamic_fde") == 0)
			is_llvm = true;
	}
	info.unwinder.per_record = is_llvm;
	info.unwinder.add_va = is_llvm ? single[0] : whole[0];
	info.unwinder.remove_va = is_llvm ? single[1] : whole[1];
	info.kind = info.unwinder.add_va != 0 ? KIND_NAMES : has_poll ? KIND_LIBC : has_guard ? KIND_GUARD : KIND_PLAIN;
	u->mods[u->mods_cnt++] = info;
	return DWARF_CB_OK;
}

static int
count_module(Dwfl_Module *mod, void **userdata, const char *name, Dwarf_Addr base, void *arg)
{
	size_t *cnt = arg;

	(void)mod, (void)userdata, (void)name, (void)base;
	++*cnt;
	return DWARF_CB_OK;
}

static int
look_at_modules(struct hp_unwind *u, struct hp_err *err)
{
	size_t cnt = 0;

	(void)dwfl_getmodules(u->dwfl, count_module, &cnt, 0);
	u->mods = calloc(cnt + 1, sizeof(*u->mods));
	if (u->mods == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for %zu modules", cnt);
	(void)dwfl_getmodules(u->dwfl, look_at_module, u, 0);
	return 0;
}

int
hp_unwind_new(const struct hp_plan *plan, struct hp_unwind **ret, struct hp_err *err)
{
	HP_AUTO(hp_unwind) struct hp_unwind *u = calloc(1, sizeof(*u));
	int r;

	if (u == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for the unwinder");
	u->plan = plan;
	u->dwfl = dwfl_begin(&callbacks);
	if (u->dwfl == NULL)
		return hp_err_set(err, HP_E_NOMEM, "libdw: %s", dwfl_errmsg(-1));
	report_all(u);
	r = look_at_modules(u, err);
	if (r < 0)
		return r;
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
	free(u->mods);
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

size_t
hp_unwind_unwinders(const struct hp_unwind *u, struct hp_unwinder ret[HP_UNWINDERS_MAX])
{
	size_t cnt = 0;

	for (size_t i = 0; i < u->mods_cnt && cnt < HP_UNWINDERS_MAX; i++)
		if (u->mods[i].unwinder.add_va != 0 && u->mods[i].unwinder.remove_va != 0)
			ret[cnt++] = u->mods[i].unwinder;
	return cnt;
}

/* Calls in which a thread waits. Allocators and dynamic linkers make none of them, except futex() for their locks. */
static bool
is_waiting(long nr)
{
	static const long waits[] = {
		SYS_poll,      SYS_ppoll,           SYS_select, SYS_pselect6,        SYS_epoll_wait,    SYS_epoll_pwait,
		SYS_nanosleep, SYS_clock_nanosleep, SYS_accept, SYS_accept4,         SYS_recvfrom,      SYS_recvmsg,
		SYS_wait4,     SYS_waitid,          SYS_pause,  SYS_rt_sigtimedwait, SYS_rt_sigsuspend, SYS_read,
		SYS_futex,     SYS_io_getevents,
	};

	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++)
		if (waits[i] == nr)
			return true;
	return false;
}

/* Functions of the C library that may hold a lock of its allocator, of the dynamic linker or, in a static program, of the
 * unwinder. Their inner functions may have no name, but whoever is inside came through one of these. */
static bool
is_guarded(const char *name)
{
	static const char *const prefixes[] = {
		"malloc",
		"calloc",
		"realloc",
		"free",
		"cfree",
		"memalign",
		"aligned_alloc",
		"posix_memalign",
		"valloc",
		"pvalloc",
		"mallopt",
		"mallinfo",
		"_int_",
		"sysmalloc",
		"systrim",
		"arena_",
		"tcache_",
		"_dl_",
		"dlopen",
		"dlclose",
		"dlsym",
		"dlvsym",
		"dlmopen",
		"dladdr",
		"dlinfo",
		"dl_iterate_phdr",
		"_Unwind_",
		"uw_",
		"__register_frame",
		"__deregister_frame",
		"search_object",
		"init_object",
		"backtrace",
		"__libc_malloc",
		"__libc_free",
		"__libc_calloc",
		"__libc_realloc",
		"__libc_memalign",
		"__libc_fork",
		"fork",
		"_Fork",
		"vfork",
		"pthread_exit",
		"pthread_create",
		"exit",
		"__unw_",
		"__sbrk",
		"sbrk",
		"__tls_get_addr",
	};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

static enum kind
kind_of(const struct hp_unwind *u, const Dwfl_Module *mod)
{
	for (size_t i = 0; i < u->mods_cnt; i++)
		if (u->mods[i].mod == mod)
			return u->mods[i].kind;
	return KIND_PLAIN; /* a payload that came later */
}

bool
hp_unwind_at_rest(struct hp_unwind *u, const struct hp_task *task)
{
	long nr = hp_arch_syscall_nr(&task->regs);
	struct hp_frames frames;

	if (nr >= 0 && !is_waiting(nr))
		return false;
	hp_unwind_thread(u, task, &frames);
	if (!frames.complete)
		return false;
	for (size_t i = 0; i < frames.cnt; i++) {
		uint64_t pc = frames.pc[i] - (frames.is_return[i] ? 1 : 0);
		Dwfl_Module *mod = dwfl_addrmodule(u->dwfl, pc);
		enum kind kind = mod != NULL ? kind_of(u, mod) : KIND_GUARD;
		const char *name;

		if (kind == KIND_GUARD || (i > 0 && !frames.is_return[i]))
			return false;
		if (kind == KIND_PLAIN)
			continue;
		name = dwfl_module_addrname(mod, pc);
		if ((name == NULL && (nr < 0 || kind == KIND_NAMES)) || (name != NULL && is_guarded(name)))
			return false;
	}
	return true;
}
