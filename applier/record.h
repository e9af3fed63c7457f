/* The record: what hpbuild leaves in a process about one package, so that `status` and `revert` need nothing else.
 *
 * It is a private mapping of a memfd named "hpbuild:<package id>" (in maps: "/memfd:hpbuild:<32 hex digits> (deleted)"),
 * readable only, written from outside. fork() copies it, exec() drops it. Everything read back is untrusted: the target may have
 * forged it. The reader checks bounds; the package inside must be verified again, and every number is compared with what follows
 * from the verified manifest before it is used.
 *
 * Layout, version 2, little-endian:
 *    0  u8[8] magic "HPRECORD"
 *    8  u32 version            12 u32 state (enum hp_rec_state): the journal; the only field that changes later
 *   16  u64 total_len          24 u64 pkg_off       32 u64 pkg_len (the package file with its signatures)
 *   40  u64 order              grows with every switch of this process; a later package lies on top
 *   48  u64 time               seconds since 1970 of the last switch
 *   56  u8[16] package id
 *   72  u32 targets_cnt        76 u32 entries_cnt
 *   80  u32 variables_cnt      84 u32 zero             (version 1 has neither these eight bytes nor variables)
 *   88  targets, 32 bytes each: u64 module bias, u64 payload address, u64 payload length, u64 unwinder's memory (or 0)
 *       entries, 40 bytes each: u64 address of the entry, u32 target, u32 function (indexes of the manifest),
 *                               u8[8] bytes before, u8[8] bytes after, u64 reserved 0   (only the first HP_ARCH_JUMP_LEN count)
 *       variables, 16 bytes each: u64 address where it lives, u32 target, u32 variable (indexes of the manifest)
 *       package file
 */
#ifndef HP_APPLIER_RECORD_H
#define HP_APPLIER_RECORD_H

#include "applier/proc.h"
#include "base/buf.h"
#include "formats/package.h"

#define HP_REC_VERSION 2u
#define HP_REC_CODE_LEN 8u /* room for the bytes of one entry */

/* What a process with this state looks like, and what may come next. */
enum hp_rec_state {
	HP_REC_BUILDING = 1,  /* the payload is being filled; no entry was touched */
	HP_REC_PREPARED = 2,  /* the payload is complete; no entry was touched */
	HP_REC_SWITCHING = 3, /* entries are being redirected: any of them may be either way */
	HP_REC_APPLIED = 4,   /* all entries are redirected */
	HP_REC_REVERTING = 5, /* entries are being restored: any of them may be either way */
	HP_REC_REVERTED = 6,  /* all entries are as before; the payload stays mapped */
	HP_REC_REPLACED = 7,  /* likewise, but a later package took its place */
};

struct hp_rec_target {
	uint64_t bias;        /* of the module */
	uint64_t payload_va;  /* run-time address of the image's address 0 */
	uint64_t payload_len; /* bytes mapped there */
	uint64_t frames_va;   /* memory of the unwinders for this payload, 0 = none; see ehreg.c */
};

struct hp_rec_entry {
	uint64_t va; /* run-time address of the redirection */
	uint32_t target, func;
	uint8_t before[HP_REC_CODE_LEN], after[HP_REC_CODE_LEN];
};

/* A variable of the package. It lives in the payload, or in that of a package that this one replaced. */
struct hp_rec_var {
	uint64_t va;
	uint32_t target, var;
};

struct hp_rec {
	uint64_t va, len; /* the mapping; va 0: not in a process yet */
	uint32_t version; /* of its layout; 0 = HP_REC_VERSION */
	enum hp_rec_state state;
	uint64_t order, time;
	uint8_t id[HP_PKG_ID_LEN];
	struct hp_rec_target *targets;
	uint32_t targets_cnt;
	struct hp_rec_entry *entries; /* ascending by va */
	uint32_t entries_cnt;
	struct hp_rec_var *vars; /* in the order of the manifest */
	uint32_t vars_cnt;
	struct hp_view package; /* the package file, unverified */
};

struct hp_recs {
	struct hp_rec *v; /* ascending by order */
	size_t cnt;
	size_t bad_cnt; /* mappings with the name of a record that do not hold one */
};

/* hp_rec_len(rec): bytes of its layout. */
uint64_t hp_rec_len(const struct hp_rec *rec);
/* hp_rec_write(rec, ret, err): the whole layout. */
HP_MUST_CHECK int hp_rec_write(const struct hp_rec *rec, struct hp_buf *ret, struct hp_err *err);
/* hp_rec_read(bytes, arena, ret, err): check and take apart; ${ret} points into ${bytes} and ${arena}. HP_E_FORMAT,
 * HP_E_NOMEM. */
HP_MUST_CHECK int hp_rec_read(struct hp_view bytes, struct hp_arena *arena, struct hp_rec *ret, struct hp_err *err);
/* hp_rec_name(id, ret): name of the memfd; 41 chars with the terminator. */
#define HP_REC_NAME_LEN 41u
void hp_rec_name(const uint8_t id[HP_PKG_ID_LEN], char ret[HP_REC_NAME_LEN]);

/* hp_recs_read(proc, areas, arena, ret, err): every record of a process. HP_E_NOMEM. */
HP_MUST_CHECK int hp_recs_read(const struct hp_proc *proc, const struct hp_areas *areas, struct hp_arena *arena,
                               struct hp_recs *ret, struct hp_err *err);
/* hp_rec_set_state(proc, rec, state, err): write the journal of a record in the process, and rec->state. No allocation. */
HP_MUST_CHECK int hp_rec_set_state(const struct hp_proc *proc, struct hp_rec *rec, enum hp_rec_state state, struct hp_err *err);
/* hp_rec_refresh(proc, rec, err): write order, time and the tables of ${rec} anew, before a switch. */
HP_MUST_CHECK int hp_rec_refresh(const struct hp_proc *proc, const struct hp_rec *rec, struct hp_err *err);
/* hp_rec_set_frames(proc, rec, err): write targets[].frames_va. No allocation. */
HP_MUST_CHECK int hp_rec_set_frames(const struct hp_proc *proc, const struct hp_rec *rec, struct hp_err *err);
/* "applied", "interrupted", ... : what `status` calls it. */
const char *hp_rec_state_name(enum hp_rec_state state);

#endif
