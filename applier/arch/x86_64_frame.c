/* The signal frame of an injected call. Layout: struct rt_sigframe of the kernel, arch/x86/include/asm/sigframe.h; struct
 * sigcontext and struct _fpx_sw_bytes of <asm/sigcontext.h>. */
#include "applier/arch.h"

#include <cpuid.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "base/le.h"

#define REG(name) (offsetof(struct user_regs_struct, name) / 8)

enum {
	FRAME_RETURN = 0, FRAME_UC_FLAGS = 8, FRAME_SS_FLAGS = 32, FRAME_REGS = 48, FRAME_SEGMENTS = FRAME_REGS + 18 * 8,
	FRAME_FPSTATE = FRAME_REGS + 184, FRAME_MASK = FRAME_REGS + 256, FRAME_INFO = FRAME_MASK + 8,
	FRAME_LEN = FRAME_INFO + 128,
};
#define UC_FLAGS 7u          /* UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS */
#define SS_FLAGS_KEEP 4u     /* no valid value: the kernel leaves the alternate stack as it is */
#define XSTATE_LEN_MAX 12288u
#define XSTATE_MAGIC1 0x46505853u
#define XSTATE_MAGIC2 0x46505845u
#define XSTATE_SW 464u       /* of struct _fpx_sw_bytes in the area; ptrace gives the feature mask there */
#define XSTATE_HEADER 512u   /* u64 of the features that are in use */
#define XSTATE_DYNAMIC (UINT64_C(3) << 17) /* AMX: not in frames of threads that never asked for it */

/* -ERESTART*: what the kernel leaves in rax of a thread that a signal or a tracer took out of a system call. */
enum { ERESTARTSYS_ = -512, ERESTARTNOINTR_ = -513, ERESTARTNOHAND_ = -514, ERESTART_RESTARTBLOCK_ = -516, EINTR_ = -4 };

/* Bytes of the standard-format area that holds ${features}. */
static uint32_t
xstate_len(uint64_t features)
{
	uint32_t len = 512 + 64, size, off, c, d;

	for (unsigned i = 2; i < 63; i++) {
		if ((features >> i & 1) == 0)
			continue;
		__cpuid_count(0xd, i, size, off, c, d);
		if (off + size > len)
			len = off + size;
	}
	return len;
}

/* The thread's floating point and vector registers in the form of a signal frame; 0 = cannot be had. */
static size_t
read_xstate(pid_t tid, uint8_t *ret, size_t cap)
{
	uint8_t area[XSTATE_LEN_MAX];
	struct iovec iov = { area, sizeof(area) };
	uint64_t features;
	uint32_t len;

	if (ptrace(PTRACE_GETREGSET, tid, NT_X86_XSTATE, &iov) < 0 || iov.iov_len < XSTATE_HEADER + 64)
		return 0;
	if (hp_le64_get(area + XSTATE_HEADER) & XSTATE_DYNAMIC)
		return 0;
	features = hp_le64_get(area + XSTATE_SW) & ~XSTATE_DYNAMIC;
	len = xstate_len(features);
	if (len > iov.iov_len || len + 4 > cap)
		return 0;
	memcpy(ret, area, len);
	memset(ret + XSTATE_SW, 0, 48);
	hp_le32_put(ret + XSTATE_SW, XSTATE_MAGIC1);
	hp_le32_put(ret + XSTATE_SW + 4, len + 4);
	hp_le64_put(ret + XSTATE_SW + 8, features);
	hp_le32_put(ret + XSTATE_SW + 16, len);
	hp_le32_put(ret + len, XSTATE_MAGIC2);
	return len + 4;
}

/* rt_sigreturn restarts nothing, so the frame must hold what the kernel would have made of an interrupted call. */
static void
settle_restart(struct hp_arch_regs *r)
{
	if ((int64_t)r->v[REG(orig_rax)] < 0)
		return;
	switch ((int64_t)r->v[REG(rax)]) {
	case ERESTARTSYS_:
	case ERESTARTNOINTR_:
	case ERESTARTNOHAND_:
		r->v[REG(rax)] = r->v[REG(orig_rax)];
		r->v[REG(rip)] -= 2;
		return;
	case ERESTART_RESTARTBLOCK_:
		r->v[REG(rax)] = (uint64_t)EINTR_; /* rt_sigreturn forgets the restart block */
		return;
	default:
		return;
	}
}

bool
hp_arch_frame_make(pid_t tid, const struct hp_arch_regs *saved, uint64_t mask, const struct hp_arch_gadgets *gadgets,
                   uint64_t stack_lo, struct hp_arch_frame *ret)
{
	static const uint8_t order[18] = { /* r8..r15 di si bp bx dx ax cx sp ip flags */
		REG(r8),  REG(r9),  REG(r10), REG(r11), REG(r12), REG(r13), REG(r14), REG(r15), REG(rdi),
		REG(rsi), REG(rbp), REG(rbx), REG(rdx), REG(rax), REG(rcx), REG(rsp), REG(rip), REG(eflags),
	};
	struct hp_arch_regs regs = *saved;
	uint8_t xstate[HP_ARCH_FRAME_MAX - FRAME_LEN - 64];
	uint64_t sp = regs.v[REG(rsp)], xstate_va, va;
	size_t xlen = read_xstate(tid, xstate, sizeof(xstate));

	ret->va = 0;
	if (gadgets->syscall_ret_va == 0 || gadgets->sigreturn_va == 0 || xlen == 0 || sp < stack_lo ||
	    sp - stack_lo < HP_ARCH_RED_ZONE + HP_ARCH_FRAME_MAX + 64)
		return false;
	settle_restart(&regs);
	xstate_va = (sp - HP_ARCH_RED_ZONE - xlen) & ~(uint64_t)63;
	va = ((xstate_va - FRAME_LEN) & ~(uint64_t)15) - 8; /* as after a call, like the kernel's own */
	ret->len = (size_t)(xstate_va - va) + xlen;
	if (ret->len > sizeof(ret->bytes))
		return false;
	memset(ret->bytes, 0, ret->len);
	hp_le64_put(ret->bytes + FRAME_RETURN, gadgets->sigreturn_va);
	hp_le64_put(ret->bytes + FRAME_UC_FLAGS, UC_FLAGS);
	hp_le32_put(ret->bytes + FRAME_SS_FLAGS, SS_FLAGS_KEEP);
	for (unsigned i = 0; i < 18; i++)
		hp_le64_put(ret->bytes + FRAME_REGS + (size_t)i * 8, regs.v[order[i]]);
	hp_le16_put(ret->bytes + FRAME_SEGMENTS, (uint16_t)regs.v[REG(cs)]);
	hp_le16_put(ret->bytes + FRAME_SEGMENTS + 6, (uint16_t)regs.v[REG(ss)]);
	hp_le64_put(ret->bytes + FRAME_FPSTATE, xstate_va);
	hp_le64_put(ret->bytes + FRAME_MASK, mask);
	memcpy(ret->bytes + (xstate_va - va), xstate, xlen);
	ret->va = va;
	return true;
}

/* The siginfo is for handlers; rt_sigreturn does not look at it. */
uint64_t
hp_arch_frame_spare(const struct hp_arch_frame *frame)
{
	return frame->va + FRAME_INFO;
}
