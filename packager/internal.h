/* What the packager's files share. One struct hp_pk for each baseline of a call of hp_pack(); everything in it lives in its
 * arena.
 *
 * Order: hp_locate() fills objs[] and names, hp_judge() says which objects are in which module, hp_plan_redirects() decides which
 * entries are redirected, hp_resolve() makes items and fixes from the redirected functions outwards, hp_layout_place() gives the
 * items addresses, hp_layout_write() makes image and fixup table.
 */
#ifndef HP_PACKAGER_INTERNAL_H
#define HP_PACKAGER_INTERNAL_H

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/map.h"
#include "formats/elf_module.h"
#include "formats/package.h"
#include "formats/preimage.h"
#include "packager/pack.h"

struct hp_prove_object;

enum { HP_ENTRY_LEN = 5 }; /* bytes of the jump that the applier writes over an entry */

/* Whether an original function was found in the baseline. */
enum hp_func_state {
	HP_FUNC_UNKNOWN,   /* no name, no reference, no content led to it */
	HP_FUNC_PROVEN,    /* equal, at va */
	HP_FUNC_MISMATCH,  /* found by name, but other bytes */
	HP_FUNC_AMBIGUOUS, /* equal at several addresses */
	HP_FUNC_ABSENT,    /* a complete symbol table does not have it */
};

struct hp_place {
	enum hp_func_state state;
	bool by_place;                 /* PROVEN, but by few bytes and its neighbours alone */
	uint64_t va;
	struct hp_preimage_diff *diff; /* for MISMATCH */
};

/* What the proof has found out about one name or one section of an original object. */
struct hp_known {
	bool has_addr, has_plt, has_slot, has_tpoff, has_dtpoff, has_tls_slot;
	uint64_t addr;     /* of the symbol, or of the section's first byte */
	uint64_t plt;      /* PLT entry that calls of it use */
	uint64_t slot;     /* GOT slot with its address */
	uint64_t tpoff;    /* thread-pointer offset of the symbol, or of the section's first byte */
	uint64_t dtpoff;   /* the same in the module's TLS block */
	uint64_t tls_slot; /* GOT slot of its thread-local access */
	const char *from;  /* what showed it first, for messages */
};

enum hp_redirect {
	HP_REDIRECT_NONE,   /* not an entry of its own, or nothing in the baseline to redirect */
	HP_REDIRECT_ENTRY,  /* the baseline's entry jumps to the new body */
	HP_REDIRECT_DIRECT, /* shares its address with other functions: included callers call the new body, nobody else may */
};

struct hp_item;

struct hp_lsda;

/* One pair of the patch set. */
struct hp_pk_obj {
	const struct hp_pair *pair;
	struct hp_pk *pk;        /* whose it is */
	const char *file;        /* STT_FILE name of the original, "" = none */
	bool changed;            /* some part is included */
	bool in_module;
	struct hp_known *secs;   /* per section of the original */
	struct hp_place *places; /* per part of the original */
	enum hp_redirect *redirects; /* per part of the patched side */
	struct hp_item **items;  /* per part of the patched side: its place in the payload, NULL = not there */
	struct hp_lsda *lsdas;   /* likewise; NULL until hp_eh_scan() */
};

enum hp_item_class { HP_ITEM_TEXT, HP_ITEM_RODATA, HP_ITEM_DATA, HP_ITEM_BSS, HP_ITEM_CLASSES };

/* A stretch of the payload. */
struct hp_item {
	enum hp_item_class cls;
	const char *name;      /* for the image's symbol table, "" = none */
	bool func;             /* STT_FUNC, else STT_OBJECT */
	struct hp_pk_obj *obj; /* NULL for what the packager made itself: stubs, cells */
	uint32_t part_idx;     /* of the patched side, HP_NONE = not a whole part */
	uint8_t *bytes;        /* private copy, NULL for BSS */
	uint64_t len, align;
	uint64_t va;           /* in the image, set by hp_layout() */
	struct hp_item *next;  /* in order of creation */
};

/* PEER: an item in the payload of another module of the package. */
enum hp_fix_kind { HP_FIX_ITEM, HP_FIX_MODULE, HP_FIX_SLOT, HP_FIX_CONST, HP_FIX_IMPORT, HP_FIX_PEER };

/* A field of an item that is written when addresses are known. */
struct hp_fix {
	struct hp_item *item;
	uint64_t off;            /* of the field in the item */
	enum hp_fixup_form form;
	enum hp_fix_kind kind;
	struct hp_item *target;  /* ITEM, PEER */
	uint64_t value;          /* MODULE, SLOT: address in the module; CONST: the value; IMPORT, PEER: index in imports */
	int64_t addend;
	const char *what;        /* symbol, for messages */
	struct hp_fix *next;
};

struct hp_import;
struct hp_needed;

struct hp_pk {
	struct hp_arena arena;
	const struct hp_patchset *set;
	const struct hp_pack_baseline *base;
	struct hp_pk *all;       /* of the same package, this one among them; they share ${set}, so objs[] have equal indexes */
	size_t all_cnt;
	bool touched;            /* gets a payload */
	uint32_t target;         /* index in the manifest, when touched */
	struct hp_module *mod;
	struct hp_pk_obj *objs;  /* one for each pair of the set */
	size_t objs_cnt;
	struct hp_map names;     /* global name -> struct hp_known * of the original side */
	struct hp_map new_defs;  /* global name -> struct hp_new_def * of the patched side */
	struct hp_map proven;    /* judge.c: name of a proven function -> index in objs, HP_NONE = of several */
	struct hp_map pieces;    /* content (class, alignment, bytes) -> struct hp_item * */
	bool lenient;            /* objects that do not fit are a result, not an error */
	bool direct_functions;   /* the module was linked with -Bsymbolic-functions: exported functions are bound directly */
	struct hp_item *items, **items_tail;
	struct hp_item **unresolved; /* the next item whose references are to be looked at */
	struct hp_layout *layout;
	struct hp_fix *fixes, **fixes_tail;
	struct hp_import *imports; /* see import.h */
	uint32_t imports_cnt;
	struct hp_needed *needed; /* the libraries, opened when something must be looked up there */
	struct hp_find *finds;   /* scratch for one match */
	uint32_t finds_max;      /* relocations of a part for which it has room */
};

struct hp_new_def {
	struct hp_pk_obj *obj;
	uint32_t part_idx;
	uint64_t off; /* bytes from the part's start */
};

/* pack.c: open the module, make objs[]; give everything back. */
HP_MUST_CHECK int hp_pk_start(struct hp_pk *pk, struct hp_err *err);
void hp_pk_finish(struct hp_pk *pk);

/* locate.c: prove the touched objects against the baseline and collect addresses. */
HP_MUST_CHECK int hp_locate(struct hp_pk *pk, struct hp_err *err);
/* judge.c: after locating: what the proof says about one object and one module. */
enum hp_fit {
	HP_FIT_OTHER,   /* it is no part of the module */
	HP_FIT_WHOLE,   /* part of it, and nothing of it differs */
	HP_FIT_DIFFERS, /* the module has other bytes under names that only this object has */
};
enum hp_fit hp_fit_of(const struct hp_pk *pk, const struct hp_pk_obj *obj);
/* hp_list_proven(pk, err): before hp_fit_of(): names of proven functions. */
HP_MUST_CHECK int hp_list_proven(struct hp_pk *pk, struct hp_err *err);
/* hp_proven_elsewhere(pk, obj, name): another object of the set proves a function of this name. */
bool hp_proven_elsewhere(const struct hp_pk *pk, const struct hp_pk_obj *obj, const char *name);
/* hp_first_mismatch(obj): the first part of the original that the module has, but with other bytes; HP_NONE = none. */
uint32_t hp_first_mismatch(const struct hp_pk_obj *obj);
/* assign.c: which objects are part of which modules. HP_E_BASELINE when one is, but differs, or is in none. */
HP_MUST_CHECK int hp_judge(struct hp_pk *pks, size_t cnt, const struct hp_pack_options *opts, struct hp_err *err);
/* duplicates.c: weak definitions that lost against another object's become HP_FUNC_ABSENT; before hp_judge() looks at states. */
HP_MUST_CHECK int hp_mark_lost(struct hp_pk *pk, struct hp_err *err);
/* hp_drop_duplicates(pk, err): of objects that are proven at the same places the one that was linked stays in the module.
 * HP_E_BASELINE when nothing tells which. */
HP_MUST_CHECK int hp_drop_duplicates(struct hp_pk *pk, struct hp_err *err);
/* hp_judge_members(pk, err): only set in_module. */
HP_MUST_CHECK int hp_judge_members(struct hp_pk *pk, struct hp_err *err);
/* copies.c: of ${objects} (one each of pk->objs, counted), clear in_module of those that are in the module only by code which an
 * object has that is proven to a larger part. */
HP_MUST_CHECK int hp_drop_copies(struct hp_pk *pk, struct hp_prove_object *objects, struct hp_err *err);
/* mismatch.c: HP_E_BASELINE: where part ${i} of the original, whose state is MISMATCH, differs, and what is the likely cause. */
int hp_say_mismatch(const struct hp_pk *pk, const struct hp_pk_obj *obj, uint32_t i, struct hp_err *err);
/* hp_say_contradiction(pk, obj, err): ${err} holds what two functions of ${obj} say against each other: add the likely cause. */
int hp_say_contradiction(const struct hp_pk *pk, const struct hp_pk_obj *obj, struct hp_err *err);
/* hp_say_none(pk, obj, err): HP_E_BASELINE: no changed object is in the module, such as ${obj}. */
int hp_say_none(const struct hp_pk *pk, const struct hp_pk_obj *obj, struct hp_err *err);
/* outside.c: after planning redirects: HP_E_REFUSED when code or data of the module outside of what is replaced refers to a
 * function whose signature changed. */
HP_MUST_CHECK int hp_check_signatures(struct hp_pk *pk, struct hp_err *err);
/* hp_address_of_name(pk, name, ret, err): address of the module's own definition of global ${name}. 1, 0, HP_E_BASELINE
 * ambiguous. */
HP_MUST_CHECK int hp_address_of_name(struct hp_pk *pk, const char *name, uint64_t *ret, struct hp_err *err);
/* hp_address_of_part(pk, obj, old_part, ret, err): where a part of the original lies in the baseline. 1, 0, HP_E_BASELINE. */
HP_MUST_CHECK int hp_address_of_part(struct hp_pk *pk, struct hp_pk_obj *obj, uint32_t old_part, uint64_t *ret,
                                     struct hp_err *err);
/* hp_known_name(pk, name): what the proof says about a global name, NULL = nothing. */
struct hp_known *hp_known_name(const struct hp_pk *pk, const char *name);

/* note.c: take over what a match found. */
HP_MUST_CHECK int hp_note_finds(struct hp_pk *pk, struct hp_pk_obj *obj, uint32_t part_idx, const struct hp_find *finds,
                                uint32_t cnt, struct hp_err *err);
/* hp_finds_agree(pk, obj, finds, cnt): nothing of what a match found speaks against what is already known; equal bytes with other
 * callees are another function. */
bool hp_finds_agree(const struct hp_pk *pk, const struct hp_pk_obj *obj, const struct hp_find *finds, uint32_t cnt);
/* hp_note_section(pk, obj, sec_idx, va, from, err): the original's section starts at ${va}. */
HP_MUST_CHECK int hp_note_section(struct hp_pk *pk, struct hp_pk_obj *obj, uint32_t sec_idx, uint64_t va, const char *from,
                                  struct hp_err *err);

/* redirect.c: entries, functions that share one address, room for the jump. Sets ${touched}. */
HP_MUST_CHECK int hp_plan_redirects(struct hp_pk *pk, struct hp_err *err);
/* hp_entry_of(mod, va, len): ${va}, or behind a leading endbr64. */
uint64_t hp_entry_of(const struct hp_module *mod, uint64_t va, uint64_t len);
/* hp_is_hook(obj, part_idx): a part of the patched side that the applier calls (include/hotpatch.h). */
bool hp_is_hook(const struct hp_pk_obj *obj, uint32_t part_idx);
/* hp_is_piece(name): a part of another function that has no entry of its own (".cold"). */
bool hp_is_piece(const char *name);

/* resolve.c, target.c: items and fixes of all modules of the package. */
HP_MUST_CHECK int hp_resolve(struct hp_pk *pks, size_t cnt, struct hp_err *err);

/* Where a reference goes. */
struct hp_target {
	enum hp_fix_kind kind;
	struct hp_item *item;
	uint64_t value;
	int64_t off; /* bytes behind the target that are meant */
};
/* The reference that is being resolved. */
struct hp_use {
	struct hp_item *item;      /* that holds the field */
	const struct hp_rel *rel;  /* NULL: resolved by the assembler, found by decoding */
	struct hp_ref ref;
	const char *name;          /* of what is meant, for messages */
	bool got;                  /* a word with the address is what is asked for */
};
/* hp_is_lost(obj, part): the patched side's part has a twin that the module does not have from this object. */
bool hp_is_lost(const struct hp_pk_obj *obj, uint32_t part);
/* hp_target_find(pk, use, ret, err): value of the reference: never a GOT slot or cell unless it is a branch through one. */
HP_MUST_CHECK int hp_target_find(struct hp_pk *pk, const struct hp_use *use, struct hp_target *ret, struct hp_err *err);
/* hp_target_slot(pk, use, branch, ret_slot, err): GOT slot of the module with the address of an imported or preemptible symbol.
 * 1 found, 0 the symbol is the module's own or the payload's, or there is no slot for it. */
HP_MUST_CHECK int hp_target_slot(struct hp_pk *pk, const struct hp_use *use, bool branch, uint64_t *ret_slot,
                                 struct hp_err *err);

/* hp_refuse(use, err, fmt): HP_E_REFUSED with symbol, function and object in front. */
int hp_refuse(const struct hp_use *use, struct hp_err *err, const char *text);

/* item.c */
/* hp_item_new(pk, cls, name, bytes, len, align): at the end of the list; ${bytes} NULL = zero. NULL: no memory. */
struct hp_item *hp_item_new(struct hp_pk *pk, enum hp_item_class cls, const char *name, const uint8_t *bytes, uint64_t len,
                            uint64_t align);
/* hp_item_of_part(pk, obj, part_idx): the item of a part, made when it is asked for the first time. */
struct hp_item *hp_item_of_part(struct hp_pk *pk, struct hp_pk_obj *obj, uint32_t part_idx);
/* hp_item_of_piece(pk, piece, align): read-only bytes, shared by content. */
struct hp_item *hp_item_of_piece(struct hp_pk *pk, struct hp_view piece, uint64_t align);
/* hp_item_stub(pk, name, slot_va), hp_item_cell(pk, target, name): a jump through a slot of the module; a word with an address.
 * hp_item_import_stub(pk, name, import): a jump through a word with the address of an import. Only calls go to a stub, no pointer
 * ever leads there: it needs no endbr64. */
struct hp_item *hp_item_stub(struct hp_pk *pk, const char *name, uint64_t slot_va, struct hp_err *err);
struct hp_item *hp_item_import_stub(struct hp_pk *pk, const char *name, const struct hp_target *import, struct hp_err *err);
struct hp_item *hp_item_cell(struct hp_pk *pk, const struct hp_target *target, const char *name, struct hp_err *err);
HP_MUST_CHECK int hp_fix_new(struct hp_pk *pk, struct hp_item *item, uint64_t off, enum hp_fixup_form form,
                             const struct hp_target *target, int64_t addend, const char *what, struct hp_err *err);

/* layout.c: addresses of the items, of all modules before the first is written; then image file and fixup table. ret_mem_len:
 * bytes in memory. hp_layout_release(): in between, or after a failure. */
HP_MUST_CHECK int hp_layout_place(struct hp_pk *pk, struct hp_err *err);
HP_MUST_CHECK int hp_layout_write(struct hp_pk *pk, struct hp_buf *ret_image, struct hp_buf *ret_fixups, uint64_t *ret_mem_len,
                                  struct hp_err *err);
void hp_layout_release(struct hp_pk *pk);

/* identity.c: writable variables that only the payload has.
 * hp_is_variable(item): a later package may mean it, and then the applier says where it lives: references to it are fixups. */
bool hp_is_variable(const struct hp_item *it);
/* hp_identify(pk, ret, err): fill ret->vars; after the layout. */
HP_MUST_CHECK int hp_identify(struct hp_pk *pk, struct hp_man_target *ret, struct hp_err *err);

/* report.c: hp_is_replaced(item): an entry of the baseline leads to it. hp_is_added(item): a function with a name of its own that
 * only the payload has; pieces and stubs are not worth a line. */
bool hp_is_replaced(const struct hp_item *item);
bool hp_is_added(const struct hp_item *item);
/* hp_describe(pk, item, ret): a replaced function for the manifest. */
void hp_describe(const struct hp_pk *pk, const struct hp_item *item, struct hp_man_func *ret);
const char *hp_base_name(const char *path);
int hp_cmp_str(const void *a, const void *b); /* for qsort(3) on const char * */
/* hp_report(pks, cnt, man, payloads, ret, err): ${man} and ${payloads} have the touched modules only. */
HP_MUST_CHECK int hp_report(const struct hp_pk *pks, size_t cnt, const struct hp_manifest *man, const struct hp_payload *payloads,
                            struct hp_pack_report *ret, struct hp_err *err);

/* meta.c: fields that people give. Sets name, serial, baseline_*, fixes, supersedes, flags, expires, source_patch of ${man}. */
HP_MUST_CHECK int hp_meta_read(struct hp_view json, struct hp_arena *arena, struct hp_manifest *man, struct hp_err *err);

#endif
