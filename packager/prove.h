/* The pre-image proof alone: which of these objects is the module made of, and which of its code comes from none of them?
 *
 * Build trees hold objects of other programs, of tests, and the same sources compiled twice; only the proof tells which of them
 * were linked into one module. The rest of the module (coverage) is code that nobody has looked at: of libraries, of the
 * compiler's start files, or of an object that was forgotten and may hold an inlined copy of the flaw.
 */
#ifndef HP_PACKAGER_PROVE_H
#define HP_PACKAGER_PROVE_H

#include "packager/pack.h"

enum hp_prove_state {
	HP_PROVE_UNKNOWN,   /* its bytes do not tell it from other code, or are not there */
	HP_PROVE_PROVEN,
	HP_PROVE_WEAK,      /* equal, but short, and only its neighbours say that it is this one */
	HP_PROVE_DIFFERS,   /* the module has other bytes under that name or at that place */
	HP_PROVE_AMBIGUOUS, /* equal at several places */
	HP_PROVE_ABSENT,    /* a complete symbol table does not have it */
};

struct hp_prove_func {
	const char *name; /* lives as long as the object */
	enum hp_prove_state state;
	uint64_t va;      /* PROVEN, WEAK: in the module */
	uint64_t len;     /* bytes */
};

struct hp_prove_object {
	/* Set by the caller. */
	const char *path;
	struct hp_object *obj; /* original; stays the caller's */
	bool must_match;       /* when it is in the module, one function that differs is an error */
	/* Filled in: functions with code, and how many of them are what. The rest could not be told from others. */
	bool in_module;
	struct hp_prove_func *funcs; /* in the report's arena; NULL without a report */
	uint32_t funcs_cnt, proven_cnt; /* proven: the weak ones, too */
	uint32_t differ_cnt;   /* other bytes than the module has under that name or at that place */
	uint32_t absent_cnt;   /* a complete symbol table does not have them */
	uint64_t proven_len;   /* bytes of the proven ones */
	uint64_t first_va;     /* lowest address of a proven function */
};

/* Code of the module that no object claims: from symbol to symbol, where there are any. */
struct hp_prove_gap {
	uint64_t va, len;
	const char *name;    /* "" = none known */
	const char *section; /* "" = the module has no section headers */
	bool startup;        /* holds the entry point or the compiler's own start and end functions */
};

/* Arrays and strings in arena; released with hp_prove_release(). */
struct hp_prove_report {
	struct hp_arena arena;
	/* Bytes of code, without PLT entries and padding: */
	uint64_t proven_len;  /* proven */
	uint64_t gaps_len;    /* from no object */
	uint64_t startup_len; /* likewise, but of the compiler's start files */
	struct hp_prove_gap *gaps;     /* sorted by address; padding is none */
	size_t gaps_cnt;
};

/* hp_prove(objects, cnt, base, ret, err): against one module. ret NULL = membership only.
 * HP_E_BASELINE no build ID, debug file of another build, a must_match object that differs; HP_E_FORMAT, HP_E_ARCH, HP_E_NOMEM.
 * An object that differs is a result. O(size of the objects x size of the module's code) without a symbol table. */
HP_MUST_CHECK int hp_prove(struct hp_prove_object *objects, size_t cnt, const struct hp_pack_baseline *base,
                           struct hp_prove_report *ret, struct hp_err *err);
void hp_prove_release(struct hp_prove_report *report);

#endif
