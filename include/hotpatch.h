/* hotpatch.h: what the author of a hotpatch may use in the patched source. hotpatch.h(3) tells the whole story.
 *
 *   HP_PRE_APPLY(check)    { return enough_memory() ? 0 : 1; }   before the switch; another value than 0 cancels it
 *   HP_POST_APPLY(begin)   { counter = 0; }                      after the switch
 *   HP_PRE_REVERT(busy)    { return in_use; }                    before the package is taken back; not 0 cancels that
 *   HP_POST_REVERT(tidy)   { free(table); }                      after it was taken back
 *
 * With HP_SHADOW defined before the first #include also data of your own for an object of the program:
 *   hp_shadow_get(obj, id), hp_shadow_alloc(), hp_shadow_get_or_alloc(), hp_shadow_free(), hp_shadow_free_all()
 *
 * The macros define functions that hpbuild puts into the package, signed, and calls once in the process, on a borrowed thread.
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

/* Shadow variables: data that belongs to an object of the program, kept beside it because the object cannot grow. A shadow is
 * found by the object's address and a number that the patch chooses. All files of a patch share one table, and a package that
 * replaces this one goes on with it (it is a new variable with a name of its own; its type must not change).
 *
 * Shadows are allocated with calloc() and free(); a table holds any number, in HP_SHADOW_HEADS lists with a lock each. */
#ifdef HP_SHADOW

#include <stdlib.h>

#define HP_SHADOW_HEADS 1024u

struct hp_shadow_ {
	struct hp_shadow_ *next;
	const void *obj;
	unsigned long id;
	unsigned long size;
	/* the data follows: behind four words it is as well aligned as malloc()'s */
};

struct hp_shadow_head_ {
	int lock; /* 1 = taken */
	struct hp_shadow_ *first;
};

HP_C_BEGIN_
extern struct hp_shadow_head_ hp_shadow_table_v1[HP_SHADOW_HEADS];
/* Weak: every file that includes this has one, and they are one. Hidden: it is nobody's else. */
struct hp_shadow_head_ hp_shadow_table_v1[HP_SHADOW_HEADS] __attribute__((weak, visibility("hidden")));
HP_C_END_

/* What sets up, or takes down, the data at ${data}. A constructor that does not return 0 ends the allocation. Both run with the
 * lock of the list held: they must not call functions of this header. */
typedef int (*hp_shadow_ctor)(void *obj, void *data, void *arg);
typedef void (*hp_shadow_dtor)(void *obj, void *data);

#define HP_SHADOW_UNUSED_ __attribute__((unused))

HP_SHADOW_UNUSED_ static inline struct hp_shadow_head_ *
hp_shadow_head_(const void *obj, unsigned long id)
{
	unsigned long h = ((unsigned long)obj >> 4) * 0x9e3779b97f4a7c15ul + id * 0xc2b2ae3d27d4eb4ful;

	return &hp_shadow_table_v1[(h >> 40) % HP_SHADOW_HEADS];
}

/* Held for a few instructions (and the constructor); nobody sleeps with it. */
HP_SHADOW_UNUSED_ static inline void
hp_shadow_lock_(struct hp_shadow_head_ *head)
{
	while (__atomic_exchange_n(&head->lock, 1, __ATOMIC_ACQUIRE) != 0)
		while (__atomic_load_n(&head->lock, __ATOMIC_RELAXED) != 0) {
#if defined(__x86_64__)
			long nr = 24; /* sched_yield(2), without the C library: the holder may have been taken off its CPU */

			__asm__ volatile("syscall" : "+a"(nr) : : "rcx", "r11", "memory");
#endif
		}
}

HP_SHADOW_UNUSED_ static inline void
hp_shadow_unlock_(struct hp_shadow_head_ *head)
{
	__atomic_store_n(&head->lock, 0, __ATOMIC_RELEASE);
}

HP_SHADOW_UNUSED_ static inline void *
hp_shadow_data_(struct hp_shadow_ *s)
{
	return s != 0 ? (void *)(s + 1) : (void *)0;
}

/* The lock is held. */
HP_SHADOW_UNUSED_ static inline struct hp_shadow_ *
hp_shadow_find_(struct hp_shadow_head_ *head, const void *obj, unsigned long id)
{
	struct hp_shadow_ *s = head->first;

	while (s != 0 && (s->obj != obj || s->id != id))
		s = s->next;
	return s;
}

/* hp_shadow_get(obj, id): the data, NULL = there is none. It stays good until it is freed: who frees must know that nobody uses
 * it. */
HP_SHADOW_UNUSED_ static inline void *
hp_shadow_get(const void *obj, unsigned long id)
{
	struct hp_shadow_head_ *head = hp_shadow_head_(obj, id);
	struct hp_shadow_ *s;

	hp_shadow_lock_(head);
	s = hp_shadow_find_(head, obj, id);
	hp_shadow_unlock_(head);
	return hp_shadow_data_(s);
}

/* ${must_be_new}: NULL when it is there already. */
HP_SHADOW_UNUSED_ static inline void *
hp_shadow_make_(void *obj, unsigned long id, unsigned long size, hp_shadow_ctor ctor, void *arg, int must_be_new)
{
	struct hp_shadow_head_ *head = hp_shadow_head_(obj, id);
	struct hp_shadow_ *made, *have;

	if (size + sizeof(*made) < size)
		return 0;
	made = (struct hp_shadow_ *)calloc(1,
	                                   sizeof(*made) + size); /* outside of the lock, and only for nothing if it is there */
	hp_shadow_lock_(head);
	have = hp_shadow_find_(head, obj, id);
	if (have == 0 && made != 0) {
		made->obj = obj;
		made->id = id;
		made->size = size;
		if (ctor == 0 || ctor(obj, hp_shadow_data_(made), arg) == 0) {
			made->next = head->first;
			head->first = have = made;
			made = 0;
			must_be_new = 0;
		}
	}
	hp_shadow_unlock_(head);
	free(made);
	return must_be_new ? (void *)0 : hp_shadow_data_(have);
}

/* hp_shadow_alloc(obj, id, size, ctor, arg): ${size} bytes, zero and then as ${ctor} (NULL: none) leaves them. NULL: there is one
 * already, no memory, or the constructor refused. */
HP_SHADOW_UNUSED_ static inline void *
hp_shadow_alloc(void *obj, unsigned long id, unsigned long size, hp_shadow_ctor ctor, void *arg)
{
	return hp_shadow_make_(obj, id, size, ctor, arg, 1);
}

/* hp_shadow_get_or_alloc(): the one that is there, else a new one. NULL: no memory, or the constructor refused. */
HP_SHADOW_UNUSED_ static inline void *
hp_shadow_get_or_alloc(void *obj, unsigned long id, unsigned long size, hp_shadow_ctor ctor, void *arg)
{
	void *data = hp_shadow_get(obj, id);

	return data != 0 ? data : hp_shadow_make_(obj, id, size, ctor, arg, 0);
}

/* hp_shadow_free(obj, id, dtor): ${dtor} (NULL: none), then it is gone. Nothing happens when there is none. */
HP_SHADOW_UNUSED_ static inline void
hp_shadow_free(const void *obj, unsigned long id, hp_shadow_dtor dtor)
{
	struct hp_shadow_head_ *head = hp_shadow_head_(obj, id);
	struct hp_shadow_ *s, **at;

	hp_shadow_lock_(head);
	at = &head->first;
	while ((s = *at) != 0 && (s->obj != obj || s->id != id))
		at = &s->next;
	if (s != 0) {
		*at = s->next;
		if (dtor != 0)
			dtor((void *)(unsigned long)s->obj, hp_shadow_data_(s));
	}
	hp_shadow_unlock_(head);
	free(s);
}

/* hp_shadow_free_all(id, dtor): those of all objects; in a HP_POST_REVERT hook, for example. */
HP_SHADOW_UNUSED_ static inline void
hp_shadow_free_all(unsigned long id, hp_shadow_dtor dtor)
{
	for (unsigned i = 0; i < HP_SHADOW_HEADS; i++) {
		struct hp_shadow_head_ *head = &hp_shadow_table_v1[i];
		struct hp_shadow_ *gone = 0, *s, **at;

		hp_shadow_lock_(head);
		at = &head->first;
		while ((s = *at) != 0) {
			if (s->id != id) {
				at = &s->next;
				continue;
			}
			*at = s->next;
			if (dtor != 0)
				dtor((void *)(unsigned long)s->obj, hp_shadow_data_(s));
			s->next = gone;
			gone = s;
		}
		hp_shadow_unlock_(head);
		while ((s = gone) != 0) {
			gone = s->next;
			free(s);
		}
	}
}

#endif /* HP_SHADOW */

#endif
