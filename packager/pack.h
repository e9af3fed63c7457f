/* Packager: from a patch set and the shipped module to the signed part of a package.
 *
 * In the order of work: prove that the original objects are what the module was linked from (which also finds the addresses of
 * what they refer to), resolve every reference of the included code, lay out the payload image, write the manifest.
 * Nothing is guessed: what cannot be resolved for certain is HP_E_BASELINE (does not fit this module) or HP_E_REFUSED (fits, but
 * needs something that a payload cannot have), with the symbol, object and function in the message.
 *
 * No global state; two packings may run in two threads when their patch sets are two.
 */
#ifndef HP_PACKAGER_PACK_H
#define HP_PACKAGER_PACK_H

#include "base/buf.h"
#include "formats/limits.h"
#include "formats/patchset.h"

/* A shipped module, and where the names come from that it may have lost. */
struct hp_pack_baseline {
	const char *path;    /* for messages; its base name goes into the manifest */
	struct hp_view file; /* all of it */
	const char *debug_path;
	struct hp_view debug;     /* separate debug file, len 0 = none */
	const char *debug_source; /* how it was found, for the manifest; NULL = "debug-file" */
	bool debug_partial;       /* it may lack functions */
	const char *twin_path;
	struct hp_view twin; /* len 0 = none. A rebuild of the baseline to which the debug file belongs: it must load the same */
	const char *sysroot; /* folder with the libraries that the module needs, NULL = "/" */
};

struct hp_pack_options {
	const struct hp_pack_baseline *baselines; /* targets of the package in this order; one at least */
	size_t baselines_cnt;
	const char *baseline_name, *baseline_version; /* for the manifest when meta has none; NULL = from the path, unknown */
	struct hp_view meta;       /* JSON of --meta, len 0 = none; see hpbuild-pack(1) */
	const char *name;          /* of the hotpatch; NULL = from meta, else made from the first baseline's name */
	uint64_t serial;           /* 0 = from meta, else 1 */
	const char *tool;          /* "hpbuild 0.1.0" */
	/* With several baselines: changed objects that belong to none of them must match one of these (fnmatch(3), whole path).
	 */
	const char *const *outside;
	size_t outside_cnt;
	void (*tell)(void *ctx, const char *line); /* what stands in the way, object by object; NULL = nobody listens */
	void *tell_ctx;
};

/* What became of one object that contains a change, in one module. */
struct hp_pack_object {
	const char *path;
	bool in_module;       /* else: it is no part of this module */
	uint32_t funcs_cnt;   /* functions of the original object */
	uint32_t proven_cnt;  /* of them, equal to the baseline's bytes */
	uint32_t dropped_cnt; /* of them, not in the baseline: the linker left them out */
};

struct hp_pack_func {
	const char *name, *object;
	uint64_t address;  /* in the baseline; 0 for an added one */
	uint64_t old_size; /* bytes; 0 for an added one */
	uint64_t new_size;
};

struct hp_pack_import {
	const char *name, *version; /* "" = no version */
	const char *library; /* that has it, path below the sysroot; "" = the baseline itself told the version, or nobody */
};

/* One baseline. Nothing of the fix is in an untouched one: it is no target of the package. */
struct hp_pack_target {
	const char *name;     /* base name of the baseline file */
	bool touched;
	struct hp_pack_object *objects;
	size_t objects_cnt;
	struct hp_pack_func *replaced, *added; /* sorted by address; by name */
	size_t replaced_cnt, added_cnt;
	const char **dropped; /* changed functions that the linker left out of the baseline, sorted */
	size_t dropped_cnt;
	struct hp_pack_import *imports; /* in the order of the manifest */
	size_t imports_cnt;
	const char *symbols;  /* where names came from, as in struct hp_module */
	char build_id[2 * HP_BUILD_ID_LEN_MAX + 1];
	uint64_t image_len;   /* bytes of the image in memory */
	uint64_t file_len;    /* bytes of the image file */
	uint64_t code_len;    /* bytes of included code */
	uint32_t fixups_cnt;
};

/* For people and tests. Strings and arrays live in arena; released with hp_pack_report_release(). */
struct hp_pack_report {
	struct hp_arena arena;
	const char *name;     /* of the hotpatch */
	uint64_t serial;
	struct hp_pack_target *targets; /* one for each baseline, in the order of the options */
	size_t targets_cnt;
};

/* hp_pack(set, opts, ret_signed_part, ret_report, err): ${set} must be hotpatchable. ret_signed_part: appended to.
 * Several baselines: each changed object goes into every module whose bytes prove it. A baseline whose symbols show that no
 * changed object is in it stays untouched. HP_E_BASELINE: the objects are not what the baseline was linked from, or an address
 * cannot be found for certain; an object is in none of several baselines; HP_E_REFUSED: needs what is not supported, named;
 * HP_E_NOTHING: no changed function is in the baseline; HP_E_ARCH, HP_E_FORMAT, HP_E_NOMEM. ret_report is set on success only.
 * O(size of the changed objects + module). */
HP_MUST_CHECK int hp_pack(const struct hp_patchset *set, const struct hp_pack_options *opts, struct hp_buf *ret_signed_part,
                          struct hp_pack_report *ret_report, struct hp_err *err);
void hp_pack_report_release(struct hp_pack_report *report);

#endif
