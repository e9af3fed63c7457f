/* Manifest: what a package says about itself, as strict UTF-8 JSON that is signed as raw bytes. hpk(5) lists every key.
 *
 * The reader takes signed bytes only, yet treats them as hostile: duplicate keys, unknown keys at levels where the format
 * allows none, wrong types, numbers out of range, bad UTF-8, embedded NUL, nesting beyond the limit are HP_E_FORMAT.
 * All strings and arrays live in the arena that was given to the reader. Names are untrusted text: escape before printing.
 * Addresses are relative to the module's load bias (that is, p_vaddr space of the baseline ELF file).
 */
#ifndef HP_FORMATS_MANIFEST_H
#define HP_FORMATS_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/view.h"
#include "formats/limits.h"

#define HP_DIGEST_LEN 32u /* BLAKE2b-256 */

/* A function of the baseline that is replaced. */
struct hp_man_func {
	const char *name;                /* ELF symbol name */
	uint64_t address;                /* of its first byte in the module */
	uint64_t size;                   /* bytes of the pre-image */
	uint64_t entry;                  /* where the redirection is written: address, or behind a leading endbr64 */
	uint64_t payload;                /* virtual address of the new body in the payload image */
	uint8_t preimage[HP_DIGEST_LEN]; /* digest of the module's bytes [address, address + size) as on disk */
};

/* A symbol that the payload takes from other modules at run time. */
struct hp_man_import {
	const char *name;
	const char *version; /* symbol version, "" = none */
};

/* A function of the payload that the applier calls in the process, see hotpatch.h(3). */
struct hp_man_hook {
	const char *when;    /* HP_HOOK_* */
	const char *name;    /* as the patch's author calls it */
	uint64_t payload;    /* virtual address in the payload image */
};
#define HP_HOOK_PRE_APPLY "pre-apply"
#define HP_HOOK_POST_APPLY "post-apply"
#define HP_HOOK_PRE_REVERT "pre-revert"
#define HP_HOOK_POST_REVERT "post-revert"

/* A writable variable that only the payload has. Object, scope, name, type and size say which one it is: a package that
 * replaces this one uses the live variable of the same identity instead of its own. */
struct hp_man_var {
	const char *object;  /* object that defines it, "" = a global name */
	const char *scope;   /* function that a static local belongs to, "" = none */
	const char *name;    /* as declared, with "#N" behind it for the Nth further one of that name in that function */
	const char *type;    /* digest of its DWARF type, 64 hex digits; "" = not known, and then it cannot be adopted */
	uint64_t size;       /* bytes */
	uint64_t payload;    /* virtual address in the payload image; PAYLOAD fixups with this target mean the variable */
};

struct json_t;

enum hp_man_kind { HP_MAN_EXEC = 1, HP_MAN_PIE = 2, HP_MAN_SHARED = 3 }; /* "exec", "pie", "shared" */

/* One module and its payload; the package has one IMAGE and one FIXUPS chunk for each, with the same index. */
struct hp_man_target {
	const char *name;                      /* base name of the baseline file, for people */
	const char *cpu;                       /* "x86_64" */
	enum hp_man_kind kind;
	uint8_t build_id[HP_BUILD_ID_LEN_MAX]; /* GNU build ID */
	uint32_t build_id_len;                 /* bytes, >= 8 */
	const char *symbols;                   /* where addresses come from: "symtab", "debug-file", ... */
	uint64_t image_len;                    /* bytes of the image in memory, .bss included */
	struct hp_man_func *funcs;             /* sorted by address, disjoint */
	size_t funcs_cnt;
	struct hp_man_import *imports;
	size_t imports_cnt;
	const char **added; /* names of functions that only the payload has, sorted */
	size_t added_cnt;
	struct hp_man_hook *hooks; /* by address: the order in which they run */
	size_t hooks_cnt;
	struct hp_man_var *vars;   /* by address, disjoint */
	size_t vars_cnt;
};

struct hp_man_waiver {
	const char *rule, *symbol, *reason;
	uint64_t expires; /* seconds since 1970, 0 = never */
};

struct hp_manifest {
	const char *name; /* of the hotpatch */
	uint64_t serial;  /* grows with every package of one baseline */
	const char *baseline_name, *baseline_version; /* for people; the build IDs decide. "" = not given */
	struct hp_man_target *targets;
	size_t targets_cnt;
	const char **fixes; /* CVE ids or the like */
	size_t fixes_cnt;
	const char **supersedes; /* package IDs (32 hex digits) */
	size_t supersedes_cnt;
	bool cumulative, out_of_band;
	bool restart_required; /* always explicit; true in a package that only says "restart" */
	uint64_t expires;      /* seconds since 1970, 0 = never */
	struct hp_man_waiver *waivers;
	size_t waivers_cnt;
	const char **toolchain; /* distinct DW_AT_producer strings of the patched objects, sorted */
	size_t toolchain_cnt;
	const char *source_patch; /* BLAKE2b-256 of the source patch, 64 hex digits, "" = not given */
	const char *tool;         /* "hpbuild 0.1.0" */
};

/* hp_man_var_key(v, arena): equal for two variables that are one by object, scope and name; type and size may differ. NULL: no
 * memory. */
const char *hp_man_var_key(const struct hp_man_var *v, struct hp_arena *arena);
const char *hp_man_kind_name(enum hp_man_kind kind); /* "exec", "pie", "shared", "?" */

/* hp_manifest_write(man, ret_json, err): append deterministic JSON (sorted keys, two-space indent, final newline). Every
 * text must be set. HP_E_FORMAT, HP_E_LIMIT: what hp_manifest_read() would refuse; nothing is appended then. */
HP_MUST_CHECK int hp_manifest_write(const struct hp_manifest *man, struct hp_buf *ret_json, struct hp_err *err);
/* hp_manifest_read(json, arena, ret, err): parse and check; all of the fields above are set. HP_E_FORMAT, HP_E_LIMIT,
 * HP_E_NOMEM. */
HP_MUST_CHECK int hp_manifest_read(struct hp_view json, struct hp_arena *arena, struct hp_manifest **ret, struct hp_err *err);
/* hp_manifest_json(man): the JSON value that is written, owned by the caller; NULL: no memory, or text that is not UTF-8. */
struct json_t *hp_manifest_json(const struct hp_manifest *man);

#endif
