/* What a CPU must supply to the applier. One CPU is compiled in: applier/arch/<cpu>.c.
 *
 * Functions that take a tid need that thread in a ptrace stop of ours.
 */
#ifndef HP_APPLIER_ARCH_H
#define HP_APPLIER_ARCH_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/view.h"

#if defined(__x86_64__)
#define HP_ARCH_NAME "x86_64"
#define HP_ARCH_ELF_MACHINE EM_X86_64
#define HP_ARCH_JUMP_LEN 5u       /* bytes of the redirection */
#define HP_ARCH_RED_ZONE 128u     /* bytes below the stack pointer that belong to the running function; psABI 3.2.2 */
#define HP_ARCH_VA_END 0x7ffffffff000u
#define HP_ARCH_DWARF_REGS 17u
#define HP_ARCH_R_GLOB_DAT R_X86_64_GLOB_DAT   /* the word is the address of a symbol */
#define HP_ARCH_R_JUMP_SLOT R_X86_64_JUMP_SLOT /* likewise, for calls; perhaps not yet */
#else
#error "no applier for this CPU"
#endif

/* General registers as the kernel gives them (NT_PRSTATUS), and what they say. */
struct hp_arch_regs {
	uint64_t v[34];
};

/* hp_arch_regs_get(tid, ret): 0, or -1 (errno): no such stopped thread; EINVAL: not a thread of this word size. */
HP_MUST_CHECK int hp_arch_regs_get(pid_t tid, struct hp_arch_regs *ret);
HP_MUST_CHECK int hp_arch_regs_set(pid_t tid, const struct hp_arch_regs *regs);
uint64_t hp_arch_pc(const struct hp_arch_regs *regs);
uint64_t hp_arch_sp(const struct hp_arch_regs *regs);
/* hp_arch_thread_ptr(regs): where thread-local storage hangs; in the thread's own stack mapping with the usual C libraries. */
uint64_t hp_arch_thread_ptr(const struct hp_arch_regs *regs);
/* hp_arch_dwarf_regs(regs, ret): HP_ARCH_DWARF_REGS values in DWARF numbering, for the unwinder. */
void hp_arch_dwarf_regs(const struct hp_arch_regs *regs, uint64_t *ret);

/* hp_arch_jump(from, to, ret): the redirection, HP_ARCH_JUMP_LEN bytes; false when ${to} is out of reach. */
bool hp_arch_jump(uint64_t from, uint64_t to, uint8_t *ret);
/* hp_arch_jump_target(from, code, ret): where the redirection at ${from} leads; false when it is none. */
bool hp_arch_jump_target(uint64_t from, const uint8_t *code, uint64_t *ret);
/* hp_arch_jump_reach(from, ret_lo, ret_hi): lowest and highest address that a jump at ${from} reaches. */
void hp_arch_jump_reach(uint64_t from, int64_t *ret_lo, int64_t *ret_hi);

/* Pieces of the target's own code that injected calls run through; 0 = not found yet. */
struct hp_arch_gadgets {
	uint64_t syscall_va;     /* enters the kernel */
	uint64_t syscall_ret_va; /* enters the kernel, then returns to the address on the stack */
	uint64_t sigreturn_va;   /* makes the rt_sigreturn call, as the C library's signal restorer does */
};

/* hp_arch_find_gadgets(code, va, gadgets): fill what is still missing from ${code}, which lies at ${va}. True when all are
 * there. */
bool hp_arch_find_gadgets(struct hp_view code, uint64_t va, struct hp_arch_gadgets *gadgets);

/* A signal frame below the stack of a borrowed thread. An injected call runs on top of it: when hpbuild dies, the call completes,
 * returns into the sigreturn piece, and the kernel restores the thread from the frame. While hpbuild lives it puts the
 * registers back itself, because rt_sigreturn ends an interrupted sleep with EINTR where a direct way does not. */
#define HP_ARCH_FRAME_MAX 8192u
struct hp_arch_frame {
	uint64_t va; /* where the bytes belong, and the stack pointer of injected calls; 0 = no frame */
	size_t len;
	uint8_t bytes[HP_ARCH_FRAME_MAX];
};

/* hp_arch_frame_make(tid, saved, mask, gadgets, stack_lo, ret): false when it cannot be: a piece is missing, or no room above
 * ${stack_lo}. */
bool hp_arch_frame_make(pid_t tid, const struct hp_arch_regs *saved, uint64_t mask, const struct hp_arch_gadgets *gadgets,
                        uint64_t stack_lo, struct hp_arch_frame *ret);

/* hp_arch_call_setup(base, gadgets, frame_va, nr, args, ret): registers that make system call ${nr}, all others as in ${base};
 * frame_va 0: without a frame. An interrupted call of the thread is not restarted while they are in force. */
void hp_arch_call_setup(const struct hp_arch_regs *base, const struct hp_arch_gadgets *gadgets, uint64_t frame_va, long nr,
                        const uint64_t args[6], struct hp_arch_regs *ret);
/* hp_arch_func_setup(base, frame_va, func_va, args, ret): registers that call a function of the target with two arguments, on top
 * of a frame; it returns into the sigreturn piece. */
void hp_arch_func_setup(const struct hp_arch_regs *base, uint64_t frame_va, uint64_t func_va, const uint64_t args[2],
                        struct hp_arch_regs *ret);
/* hp_arch_func_returned(regs): the thread is about to make the call of the sigreturn piece: the function is done. */
bool hp_arch_func_returned(const struct hp_arch_regs *regs, const struct hp_arch_gadgets *gadgets);
/* hp_arch_func_value(regs): then, the second word of what it returned. (The first one's register holds the number of the call.)
 */
uint64_t hp_arch_func_value(const struct hp_arch_regs *regs);
/* hp_arch_func_leave(regs, gadgets, frame_va): make a harmless system call instead of rt_sigreturn, and rt_sigreturn after it
 * when nobody interferes: at the end of the call the thread is where an injected system call leaves it. */
void hp_arch_func_leave(struct hp_arch_regs *regs, const struct hp_arch_gadgets *gadgets, uint64_t frame_va);
/* hp_arch_result_code(ret): HP_ARCH_RESULT_CODE_LEN bytes of code: a function of two arguments that calls the first one, stores
 * what it returns where the second one points to, and returns. (The sigreturn piece would overwrite the register.) */
#define HP_ARCH_RESULT_CODE_LEN 8u
void hp_arch_result_code(uint8_t ret[HP_ARCH_RESULT_CODE_LEN]);
/* hp_arch_frame_spare(frame): address of 8 bytes in a frame that nobody reads. */
uint64_t hp_arch_frame_spare(const struct hp_arch_frame *frame);
/* hp_arch_syscall_nr(regs): the system call that the thread is in, -1 = none. */
long hp_arch_syscall_nr(const struct hp_arch_regs *regs);

/* hp_arch_restart_call(regs): some calls end with EINTR when a tracer stops their thread, although no signal came (signal(7):
 * those that do so after SIGCONT). Ask the kernel to make such a call again, and to give EINTR only when a signal handler runs.
 * True: registers were changed. */
bool hp_arch_restart_call(struct hp_arch_regs *regs);

/* A program that is held at its entry point: two bytes of code each.
 * hp_arch_trap_code(ret): a breakpoint. hp_arch_trap_leave(regs, va): the thread ran into it at ${va}: registers as before;
 * false: elsewhere. hp_arch_circle_code(ret): a jump to itself. */
void hp_arch_trap_code(uint8_t ret[2]);
bool hp_arch_trap_leave(struct hp_arch_regs *regs, uint64_t va);
void hp_arch_circle_code(uint8_t ret[2]);

/* Floating point and vector registers. */
#define HP_ARCH_XSTATE_MAX 12288u
struct hp_arch_xstate {
	size_t len; /* 0 = not read */
	uint8_t bytes[HP_ARCH_XSTATE_MAX];
};
HP_MUST_CHECK int hp_arch_xstate_get(pid_t tid, struct hp_arch_xstate *ret);
HP_MUST_CHECK int hp_arch_xstate_set(pid_t tid, const struct hp_arch_xstate *state);

/* hp_arch_call_result(regs): what the call returned: a value or a negative errno. */
int64_t hp_arch_call_result(const struct hp_arch_regs *regs);

#endif
