#include "applier/arch.h"

#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "base/le.h"

/* Index of a member of struct user_regs_struct in hp_arch_regs.v. */
#define REG(name) (offsetof(struct user_regs_struct, name) / 8)

_Static_assert(sizeof(struct user_regs_struct) <= sizeof(struct hp_arch_regs), "registers fit");

int
hp_arch_regs_get(pid_t tid, struct hp_arch_regs *ret)
{
	struct iovec iov = { ret->v, sizeof(ret->v) };

	if (ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &iov) < 0)
		return -1;
	if (iov.iov_len != sizeof(struct user_regs_struct)) {
		errno = EINVAL; /* a compat task gives the i386 layout */
		return -1;
	}
	return 0;
}

int
hp_arch_regs_set(pid_t tid, const struct hp_arch_regs *regs)
{
	struct hp_arch_regs copy = *regs;
	struct iovec iov = { copy.v, sizeof(struct user_regs_struct) };

	return ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &iov) < 0 ? -1 : 0;
}

uint64_t
hp_arch_pc(const struct hp_arch_regs *regs)
{
	return regs->v[REG(rip)];
}

uint64_t
hp_arch_sp(const struct hp_arch_regs *regs)
{
	return regs->v[REG(rsp)];
}

uint64_t
hp_arch_thread_ptr(const struct hp_arch_regs *regs)
{
	return regs->v[REG(fs_base)];
}

/* psABI figure 3.36: rax rdx rcx rbx rsi rdi rbp rsp r8..r15, return address. */
void
hp_arch_dwarf_regs(const struct hp_arch_regs *regs, uint64_t *ret)
{
	static const uint8_t order[HP_ARCH_DWARF_REGS] = {
		REG(rax), REG(rdx), REG(rcx), REG(rbx), REG(rsi), REG(rdi), REG(rbp), REG(rsp), REG(r8),
		REG(r9),  REG(r10), REG(r11), REG(r12), REG(r13), REG(r14), REG(r15), REG(rip),
	};

	for (unsigned i = 0; i < HP_ARCH_DWARF_REGS; i++)
		ret[i] = regs->v[order[i]];
}

bool
hp_arch_jump(uint64_t from, uint64_t to, uint8_t *ret)
{
	int64_t rel = (int64_t)(to - (from + HP_ARCH_JUMP_LEN));

	if (rel < INT32_MIN || rel > INT32_MAX)
		return false;
	ret[0] = 0xe9; /* jmp rel32 */
	hp_le32_put(ret + 1, (uint32_t)rel);
	return true;
}

bool
hp_arch_jump_target(uint64_t from, const uint8_t *code, uint64_t *ret)
{
	if (code[0] != 0xe9)
		return false;
	*ret = from + HP_ARCH_JUMP_LEN + (uint64_t)(int64_t)(int32_t)hp_le32_get(code + 1);
	return true;
}

void
hp_arch_jump_reach(uint64_t from, int64_t *ret_lo, int64_t *ret_hi)
{
	*ret_lo = (int64_t)from + HP_ARCH_JUMP_LEN + INT32_MIN;
	*ret_hi = (int64_t)from + HP_ARCH_JUMP_LEN + INT32_MAX;
}

static void
find(struct hp_view code, uint64_t va, const char *insns, size_t len, uint64_t *ret_va)
{
	const uint8_t *hit = *ret_va == 0 && code.len > 0 ? memmem(code.p, code.len, insns, len) : NULL;

	if (hit != NULL)
		*ret_va = va + (uint64_t)(hit - code.p);
}

bool
hp_arch_find_gadgets(struct hp_view code, uint64_t va, struct hp_arch_gadgets *gadgets)
{
	find(code, va, "\x0f\x05", 2, &gadgets->syscall_va);                              /* syscall */
	find(code, va, "\x0f\x05\xc3", 3, &gadgets->syscall_ret_va);                      /* syscall; ret */
	find(code, va, "\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05", 9, &gadgets->sigreturn_va); /* mov $15, %rax; syscall */
	return gadgets->syscall_va != 0 && gadgets->syscall_ret_va != 0 && gadgets->sigreturn_va != 0;
}

void
hp_arch_call_setup(const struct hp_arch_regs *base, const struct hp_arch_gadgets *gadgets, uint64_t frame_va, long nr,
                   const uint64_t args[6], struct hp_arch_regs *ret)
{
	static const uint8_t order[6] = { REG(rdi), REG(rsi), REG(rdx), REG(r10), REG(r8), REG(r9) };

	*ret = *base;
	for (unsigned i = 0; i < 6; i++)
		ret->v[order[i]] = args[i];
	ret->v[REG(rax)] = (uint64_t)nr;
	ret->v[REG(orig_rax)] = UINT64_MAX; /* not in a system call: the kernel does not try to restart one */
	ret->v[REG(rip)] = frame_va != 0 ? gadgets->syscall_ret_va : gadgets->syscall_va;
	if (frame_va != 0)
		ret->v[REG(rsp)] = frame_va; /* its first word is the address of the sigreturn piece */
}

int64_t
hp_arch_call_result(const struct hp_arch_regs *regs)
{
	return (int64_t)regs->v[REG(rax)];
}

/* Numbers that older headers lack. */
enum { SYS_IO_PGETEVENTS = 333, SYS_IO_URING_ENTER = 426, SYS_EPOLL_PWAIT2 = 441 };
enum { ERESTARTNOHAND_ = -514 }; /* of the kernel: again, unless a handler runs; then EINTR */

#define EFLAGS_TF 0x100u /* single step */
#define EFLAGS_DF 0x400u /* direction: clear at every function entry; psABI 3.2.1 */
#define SIGRETURN_LEN 9u /* of the sigreturn piece */
#define SYSCALL_LEN 2u

void
hp_arch_func_setup(const struct hp_arch_regs *base, uint64_t frame_va, uint64_t func_va, const uint64_t args[2],
                   struct hp_arch_regs *ret)
{
	*ret = *base;
	ret->v[REG(rdi)] = args[0];
	ret->v[REG(rsi)] = args[1];
	ret->v[REG(rax)] = 0;
	ret->v[REG(orig_rax)] = UINT64_MAX;
	ret->v[REG(eflags)] &= ~(uint64_t)(EFLAGS_TF | EFLAGS_DF);
	ret->v[REG(rip)] = func_va;
	ret->v[REG(rsp)] = frame_va; /* its first word is the return address */
}

bool
hp_arch_func_returned(const struct hp_arch_regs *regs, const struct hp_arch_gadgets *gadgets)
{
	return regs->v[REG(orig_rax)] == SYS_rt_sigreturn && regs->v[REG(rip)] == gadgets->sigreturn_va + SIGRETURN_LEN;
}

uint64_t
hp_arch_func_value(const struct hp_arch_regs *regs)
{
	return regs->v[REG(rdx)];
}

void
hp_arch_func_leave(struct hp_arch_regs *regs, const struct hp_arch_gadgets *gadgets, uint64_t frame_va)
{
	regs->v[REG(orig_rax)] = SYS_getpid;
	regs->v[REG(rip)] = gadgets->syscall_ret_va + SYSCALL_LEN;
	regs->v[REG(rsp)] = frame_va;
}

void
hp_arch_result_code(uint8_t ret[HP_ARCH_RESULT_CODE_LEN])
{
	/* push %rsi; call *%rdi; pop %rsi; mov %rax, (%rsi); ret: the stack is aligned at the call */
	static const uint8_t code[HP_ARCH_RESULT_CODE_LEN] = { 0x56, 0xff, 0xd7, 0x5e, 0x48, 0x89, 0x06, 0xc3 };

	memcpy(ret, code, sizeof(code));
}

long
hp_arch_syscall_nr(const struct hp_arch_regs *regs)
{
	int64_t nr = (int64_t)regs->v[REG(orig_rax)];

	return nr < 0 || nr > INT32_MAX ? -1 : (long)nr;
}

bool
hp_arch_restart_call(struct hp_arch_regs *regs)
{
	/* Each has done nothing when it says EINTR. The calls on sockets say so only with SO_RCVTIMEO or SO_SNDTIMEO. */
	static const long again[] = {
		SYS_epoll_wait,      SYS_epoll_pwait,  SYS_EPOLL_PWAIT2,  SYS_semop,          SYS_semtimedop,
		SYS_rt_sigtimedwait, SYS_io_getevents, SYS_IO_PGETEVENTS, SYS_IO_URING_ENTER, SYS_read,
		SYS_readv,           SYS_write,        SYS_writev,        SYS_recvfrom,       SYS_recvmsg,
		SYS_recvmmsg,        SYS_sendto,       SYS_sendmsg,       SYS_accept,         SYS_accept4,
	};
	long nr = hp_arch_syscall_nr(regs);

	if (nr < 0 || (int64_t)regs->v[REG(rax)] != -EINTR)
		return false;
	for (size_t i = 0; i < sizeof(again) / sizeof(again[0]); i++)
		if (again[i] == nr) {
			regs->v[REG(rax)] = (uint64_t)(int64_t)ERESTARTNOHAND_;
			return true;
		}
	return false;
}

int
hp_arch_xstate_get(pid_t tid, struct hp_arch_xstate *ret)
{
	struct iovec iov = { ret->bytes, sizeof(ret->bytes) };

	ret->len = 0;
	if (ptrace(PTRACE_GETREGSET, tid, NT_X86_XSTATE, &iov) < 0 || iov.iov_len == sizeof(ret->bytes))
		return -1;
	ret->len = iov.iov_len;
	return 0;
}

int
hp_arch_xstate_set(pid_t tid, const struct hp_arch_xstate *state)
{
	struct hp_arch_xstate copy = *state;
	struct iovec iov = { copy.bytes, copy.len };

	return ptrace(PTRACE_SETREGSET, tid, NT_X86_XSTATE, &iov) < 0 ? -1 : 0;
}

void
hp_arch_trap_code(uint8_t ret[2])
{
	ret[0] = ret[1] = 0xcc; /* int3 */
}

bool
hp_arch_trap_leave(struct hp_arch_regs *regs, uint64_t va)
{
	if (regs->v[REG(rip)] != va + 1)
		return false;
	regs->v[REG(rip)] = va;
	return true;
}

void
hp_arch_circle_code(uint8_t ret[2])
{
	ret[0] = 0xeb; /* jmp rel8 */
	ret[1] = 0xfe;
}
