/* Errors: one enum of codes, one fixed-size record that explains a failure.
 *
 * Every function that can fail returns int: 0 fine, a negative HP_E_* failed; look-ups return 1 found, 0 absent,
 * negative failed. Such a function takes `struct hp_err *err` last. The place that finds the fault calls hp_err_set();
 * callers that know more add a frame with hp_err_add() while the failure travels up. The record never allocates, so it
 * works when memory is gone. ${err} may be NULL: then only the code travels.
 *
 * Threads: a record belongs to one thread at a time.
 */
#ifndef HP_BASE_ERR_H
#define HP_BASE_ERR_H

#include <stddef.h>

/* Values are fixed for ever; gaps between groups are for later members. */
enum hp_code {
	HP_OK = 0,

	/* environment */
	HP_E_IO = -10,    /* a file or system call failed; see err->sys_errno */
	HP_E_NOMEM = -11, /* no memory */

	/* input */
	HP_E_FORMAT = -20, /* malformed: not what its kind of file must look like */
	HP_E_LIMIT = -21,  /* larger than the maximum in formats/limits.h */
	HP_E_ARCH = -22,   /* a CPU, ELF class or relocation type that is not supported */

	/* the change itself */
	HP_E_REFUSED = -40,  /* this change needs a restart */
	HP_E_NOTHING = -41,  /* there is nothing to patch */
	HP_E_BASELINE = -42, /* does not fit the given baseline */

	/* trust */
	HP_E_SIG = -60,     /* signature missing, wrong or not trusted */
	HP_E_EXPIRED = -61, /* expired, or older than allowed */

	/* the live process */
	HP_E_BUSY = -80,        /* target busy, gone, or modified by someone else; nothing was changed */
	HP_E_UNPATCHABLE = -81, /* this target cannot be patched; nothing was changed */
	HP_E_UNDO = -82,        /* a failure could not be undone */

	HP_E_USAGE = -90,    /* wrong command line */
	HP_E_INTERNAL = -99, /* our own mistake */
};

#define HP_ERR_FRAMES 8
#define HP_ERR_TEXT 320

struct hp_err_frame {
	const char *file; /* source file of hpbuild, static storage */
	int line;
	char text[HP_ERR_TEXT];
};

struct hp_err {
	int code;      /* enum hp_code, 0 = no error recorded */
	int sys_errno; /* errno at the time of hp_err_set(), 0 = none */
	unsigned cnt;  /* frames in use; [0] is where the fault was found */
	struct hp_err_frame frame[HP_ERR_FRAMES];
};

#define HP_MUST_CHECK __attribute__((warn_unused_result))

/* hp_err_set(err, code, fmt, ...): record the first frame (dropping what was there) and return ${code}.
 * Untrusted text must have gone through hp_escape() (base/escape.h). errno is kept when code is HP_E_IO. */
#define hp_err_set(err, code, ...) hp_err_set_at((err), (code), __FILE__, __LINE__, __VA_ARGS__)
/* hp_err_add(err, fmt, ...): add context; returns err->code, so `return hp_err_add(...)` works. A full record drops it. Without a
 * record the code is not known here (HP_E_INTERNAL): where ${err} may be NULL, return the code that the callee returned. */
#define hp_err_add(err, ...) hp_err_add_at((err), __FILE__, __LINE__, __VA_ARGS__)

int hp_err_set_at(struct hp_err *err, int code, const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
int hp_err_add_at(struct hp_err *err, const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* hp_err_format(err, buf, len): write the whole story, outermost context first, joined by ": ", without newline.
 * Always terminates ${buf}; truncates. */
void hp_err_format(const struct hp_err *err, char *buf, size_t len);

/* Name ("HP_E_IO") and one-line meaning of a code; never NULL, "?" for an unknown one. */
const char *hp_err_name(int code);
const char *hp_err_meaning(int code);

#endif
