/* hotpatch.h: what the author of a hotpatch may use in the patched source. hotpatch.h(3) tells the whole story.
 *
 *   HP_PRE_APPLY(check)    { return enough_memory() ? 0 : 1; }   before the switch; another value than 0 cancels it
 *   HP_POST_APPLY(begin)   { counter = 0; }                      after the switch
 *   HP_PRE_REVERT(busy)    { return in_use; }                    before the package is taken back; not 0 cancels that
 *   HP_POST_REVERT(tidy)   { free(table); }                      after it was taken back
 *
 * These define functions that hpbuild puts into the package, signed, and calls once in the process, on a borrowed thread.
 * The header needs nothing of hpbuild at run time. C99 with GNU extensions, or C++; gcc or clang.
 */
#ifndef HOTPATCH_H
#define HOTPATCH_H

/* A hook must leave errno as it was, for the thread that it runs on belongs to the program. Define HP_NO_ERRNO before the first
 * #include for a program that does not use errno, and for hooks that do not change it. */
#ifdef HP_NO_ERRNO
#define HP_ERRNO_SAVE_ 0
#define HP_ERRNO_RESTORE_(saved) ((void)(saved))
#else
#include <errno.h>
#define HP_ERRNO_SAVE_ errno
#define HP_ERRNO_RESTORE_(saved) ((void)(errno = (saved)))
#endif

#ifdef __cplusplus
#define HP_C_BEGIN_ extern "C" {
#define HP_C_END_ }
#else
#define HP_C_BEGIN_
#define HP_C_END_
#endif

/* The section tells hpbuild when the function is called. The value comes back in the second register of a structure of two
 * words, which the return into the kernel's signal trampoline leaves alone. */
struct hp_hook_result_ {
	long zero, value;
};

#define HP_HOOK_(moment, name, type, call)                                                                                      \
	HP_C_BEGIN_                                                                                                             \
	static type name(void);                                                                                                 \
	static struct hp_hook_result_ hp_hook_##moment##_##name(void)                                                           \
		__attribute__((used, noinline, section(".text.hotpatch." #moment)));                                            \
	static struct hp_hook_result_ hp_hook_##moment##_##name(void)                                                           \
	{                                                                                                                       \
		int hp_saved_ = HP_ERRNO_SAVE_;                                                                                 \
		struct hp_hook_result_ hp_result_ = { 0, 0 };                                                                   \
		call;                                                                                                           \
		HP_ERRNO_RESTORE_(hp_saved_);                                                                                   \
		return hp_result_;                                                                                              \
	}                                                                                                                       \
	HP_C_END_                                                                                                               \
	static type name(void)

#define HP_PRE_APPLY(name) HP_HOOK_(pre_apply, name, int, hp_result_.value = name())
#define HP_POST_APPLY(name) HP_HOOK_(post_apply, name, void, name())
#define HP_PRE_REVERT(name) HP_HOOK_(pre_revert, name, int, hp_result_.value = name())
#define HP_POST_REVERT(name) HP_HOOK_(post_revert, name, void, name())

#endif
