/* The applier: put a verified package into a running process, take it back, tell what is there.
 *
 *   hp_live_open()     one process; everything that it says is untrusted
 *   hp_live_apply()    a verified package
 *   hp_live_revert()   a record of the process, and the package inside it after the caller verified that again
 *   hp_live_close()
 *
 * A failure leaves the process as it was, except HP_E_UNDO, which says what could not be undone. Only one hpbuild at a time can
 * trace a process; a second one gets HP_E_BUSY.
 */
#ifndef HP_APPLIER_APPLIER_H
#define HP_APPLIER_APPLIER_H

#include "applier/record.h"
#include "formats/verified.h"

/* Points in the work, for tests that kill hpbuild there. Values are stable. */
enum hp_step {
	HP_STEP_PLANNED = 1,   /* nothing touched */
	HP_STEP_BORROWED = 2,  /* one thread is held, the payload is mapped */
	HP_STEP_RECORDED = 3,  /* record mapped, thread given back */
	HP_STEP_FILLED = 4,    /* payload filled, record says prepared */
	HP_STEP_STOPPED = 5,   /* all threads stopped and checked */
	HP_STEP_JOURNALED = 6, /* record says switching or reverting */
	HP_STEP_HALF = 7,      /* the first entry is written */
	HP_STEP_WRITTEN = 8,   /* all entries are written, threads still stopped */
	HP_STEP_SWITCHED = 9,  /* record says applied or reverted, threads run */
	HP_STEP_HOOKED = 10,   /* the hooks before a switch have run */
};

struct hp_live_opts {
	bool dry_run;              /* plan and check, touch nothing */
	uint64_t timeout_ns;       /* how long to try to find a good moment */
	const char *const *allow;  /* functions that may be active */
	size_t allow_cnt;
	uint64_t hook_ns;          /* how long one hook may take */
	/* Verify the package of a record of the process, which ${opts} is about to replace. NULL: nothing can be replaced. */
	int (*verify)(const void *arg, const struct hp_rec *rec, struct hp_verified_pkg **ret, struct hp_err *err);
	const void *verify_arg;
	void (*on_step)(void *arg, enum hp_step step); /* NULL: none */
	void *on_step_arg;
};

/* One module of the package in the process. */
struct hp_live_module {
	uint64_t start;      /* where it is loaded, 0 = not any more */
	uint64_t payload_va; /* where its payload is, 0 = nowhere yet */
};

#define HP_LIVE_REPLACED_MAX 16u
struct hp_live_report {
	bool already;         /* nothing to do: the process was in that state */
	bool registered;      /* the payload was made known to an unwinder; with ${already}: to one that was loaded since */
	bool reused;          /* a payload from an earlier apply was used */
	bool unloaded;        /* revert: a module that the package patched is not loaded any more: nothing to restore there */
	bool completed;       /* an interrupted switch was brought to its end */
	size_t funcs_cnt;     /* redirected or restored */
	size_t threads_cnt;   /* stopped in the switch */
	struct hp_live_module modules[HP_PKG_TARGETS_MAX]; /* as many as the package has targets, in its order */
	uint64_t payload_len; /* bytes of address space */
	unsigned attempts;    /* full stops, the last one included */
	uint64_t pause_ns;    /* of the full stop in which the entries were written */
	uint64_t pauses_ns;   /* of all full stops together */
	unsigned borrows;     /* how often one thread was borrowed */
	uint64_t borrow_ns;   /* longest of them */
	uint64_t total_ns;
	size_t replaced_cnt;  /* packages that were replaced in the same switch, or would be */
	uint8_t replaced[HP_LIVE_REPLACED_MAX][HP_PKG_ID_LEN]; /* the first of them */
	size_t adopted_cnt;   /* variables that live on in the storage of a replaced package */
	size_t imports_cnt;   /* new imports that were looked up in the process */
	size_t hooks_cnt;     /* hooks that were called, or that would be */
	char trouble[512];    /* what went wrong after the switch, "" = nothing: a hook that runs when it is too late to cancel */
};

struct hp_live;

/* hp_live_open(pid, ret, err): HP_E_BUSY: gone; HP_E_UNPATCHABLE: a kernel thread; HP_E_IO: no permission. */
HP_MUST_CHECK int hp_live_open(pid_t pid, struct hp_live **ret, struct hp_err *err);
void hp_live_close(struct hp_live *live); /* NULL allowed */
/* Escaped name of its command. */
const char *hp_live_comm(const struct hp_live *live);

/* Whose process it is, and what it runs. Untrusted. */
struct hp_live_owner {
	uid_t uid, euid; /* real and effective */
	gid_t gid, egid;
	char exe[4096];  /* raw path of the executable as the process sees it, also after it was removed */
	dev_t exe_dev;
	ino_t exe_inode; /* 0 = cannot be told */
};
/* hp_live_owner(live, ret, err): HP_E_BUSY: gone, or it cannot be told. */
HP_MUST_CHECK int hp_live_owner(const struct hp_live *live, struct hp_live_owner *ret, struct hp_err *err);

/* hp_live_records(live, err): what is recorded in the process, ascending by order. The result lives until the next call on
 * ${live}. */
HP_MUST_CHECK int hp_live_records(struct hp_live *live, const struct hp_recs **ret, struct hp_err *err);
/* hp_live_record_holds(live, rec): every entry of ${rec}, one of hp_live_records(), has the bytes that its state promises. */
bool hp_live_record_holds(const struct hp_live *live, const struct hp_rec *rec);
/* hp_live_record_unloaded(live, rec): it says applied, but a module of it was unloaded since; it may have been loaded anew,
 * unpatched. */
bool hp_live_record_unloaded(const struct hp_live *live, const struct hp_rec *rec);

/* hp_live_runs(live, pkg, err): 1 the process has every module that ${pkg} patches, 2 some of them, 0 none. */
HP_MUST_CHECK int hp_live_runs(struct hp_live *live, const struct hp_verified_pkg *pkg, struct hp_err *err);

/* hp_live_apply(live, pkg, opts, ret, err): HP_E_BUSY (also: a conflict with an applied package), HP_E_UNPATCHABLE,
 * HP_E_BASELINE: nothing was changed; what opts->verify said of a package that would be replaced; HP_E_USAGE: an allowed function
 * that the package does not have; HP_E_UNDO. */
HP_MUST_CHECK int hp_live_apply(struct hp_live *live, const struct hp_verified_pkg *pkg, const struct hp_live_opts *opts,
                                struct hp_live_report *ret, struct hp_err *err);
/* hp_live_revert(live, pkg, opts, ret, err): take ${pkg} back, which must be the package of one of the records. HP_E_NOTHING:
 * the process has no record of it; HP_E_BUSY: also when a later package lies on top. */
HP_MUST_CHECK int hp_live_revert(struct hp_live *live, const struct hp_verified_pkg *pkg, const struct hp_live_opts *opts,
                                 struct hp_live_report *ret, struct hp_err *err);

static inline void
hp_live_auto(struct hp_live **live)
{
	hp_live_close(*live);
}

#endif
