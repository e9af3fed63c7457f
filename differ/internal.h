/* What the files of differ/ share. One struct hp_cmp is the work on one pair of objects: it is made, used and dropped by one
 * thread. Temporary memory is in cmp->arena; what the patch set keeps is in the arenas of the two objects' hp_elf.
 *
 * Order of work (differ/pair.c): hp_side_init, hp_correlate, hp_compare_all, hp_compare_commons, hp_explain_pair, hp_include,
 * hp_gate, hp_verdict_pair.
 */
#ifndef HP_DIFFER_INTERNAL_H
#define HP_DIFFER_INTERNAL_H

#include "base/arena.h"
#include "base/map.h"
#include "differ/reason.h"
#include "formats/dwarf_info.h"
#include "formats/elf_parts.h"
#include "formats/patchset.h"

/* Pseudo relocation types of edges that have no relocation. */
#define HP_EDGE_RESOLVED 0xffff0001u /* the assembler filled the field in itself (same section, local symbol) */
#define HP_EDGE_LSDA 0xffff0002u     /* the function's exception table, found through .eh_frame */

/* One reference of a part to something else. */
struct hp_edge {
	uint64_t off;  /* bytes from the part's start to the field */
	uint32_t type; /* R_<CPU>_*, or HP_EDGE_* */
	struct hp_ref ref;
};

enum hp_ident {
	HP_IDENT_NAME,    /* its symbol's name says what it is; twins are matched by it */
	HP_IDENT_CONTENT, /* equal content means equal: strings, constants, jump tables, compiler-made objects */
	HP_IDENT_WHOLE,   /* special sections; the verdict looks at them as a whole */
};

struct hp_side {
	struct hp_cmp *cmp;
	struct hp_elf *elf;
	const struct hp_parts *parts;
	uint8_t *ident;         /* [parts] enum hp_ident */
	uint8_t *change;        /* [parts] enum hp_change; the pair's array */
	uint32_t *twin;         /* [parts] part of the other side, HP_NONE; the pair's array */
	struct hp_edge **edges; /* [parts] NULL until hp_side_edges() */
	uint32_t *edges_cnt;    /* [parts] */
	uint32_t eh_sec;        /* section index of .eh_frame; with lsda_rel */
	uint32_t *lsda_rel; /* [parts] relocation of .eh_frame that names the function's exception table, HP_NONE; NULL = none */
	uint64_t **points;  /* [secs] places in it that somebody refers to, sorted; NULL until hp_side_points() */
	uint32_t *points_cnt; /* [secs] */
	bool points_ready;
	uint64_t *referrers; /* [parts] order-free hash over who refers to a part; NULL until hp_side_referrers() */
	uint64_t *statics;   /* [parts] hash of function, name, ordinal of static locals, 0; NULL when there are none */
	bool statics_ready;
	struct hp_dwarf *dw; /* NULL until hp_side_dwarf(), and when there is none */
	bool dw_tried;
	bool kernel; /* an object of the Linux kernel */
};

/* Why two parts are not equal. */
struct hp_mismatch {
	enum { HP_MIS_NONE, HP_MIS_LEN, HP_MIS_BYTES, HP_MIS_EDGE, HP_MIS_KIND } kind;
	uint64_t off;                /* bytes from both parts' starts */
	uint32_t old_edge, new_edge; /* HP_MIS_EDGE: index in the part's edges, HP_NONE = no edge on that side */
};

/* How far two sections of anonymous content are the same; see sure.c. */
struct hp_front {
	uint32_t new_sec; /* 0 = not looked at yet */
	uint64_t len;     /* content that begins before this offset is equal, and at the same offset */
};

struct hp_cmp {
	struct hp_arena arena;
	struct hp_pair *pair;
	struct hp_side old_side, new_side;
	struct hp_map content; /* (old part, offset, new part, offset) -> enum in content.c */
	struct hp_front *fronts; /* [old secs] of anonymous sections; NULL until sure.c needs them */
	void **trail;          /* content comparisons that rest on an assumption; see content.c */
	size_t trail_cnt, trail_cap;
	unsigned depth;             /* of nested content comparisons */
	bool loose; /* places in the source that the compiler put into data count as equal: hp_noise_check() */
	uint32_t *
		table; /* [new parts] what made it changed: a constant that it reads, a function whose labels it holds; HP_NONE */
	struct hp_relax **relax;    /* [new parts] shapes of functions, NULL until needed; see relax.c */
	bool *ambiguous;            /* [new parts] a twin exists among several that could not be told apart */
	bool baseline_known;        /* as in hp_diff_options */
	struct hp_reasons *reasons; /* into the arena that outlives the pair's work */
};

/* names.c */
/* hp_name_plain(arena, name): ${name} with the compiler's numbers taken out ("foo.isra.3.cold.1" -> "foo.isra..cold.", "n.2345"
 * -> "n."; lambdas), link-time suffixes (.llvm.N, .lto_priv.N) gone. Names without a number come back as they are. NULL: no
 * memory. */
const char *hp_name_plain(struct hp_arena *arena, const char *name);
/* hp_name_is_closure(name): a lambda's function, or what belongs to one or to an unnamed type: numbered, see hp_name_plain(). */
bool hp_name_is_closure(const char *name);
/* hp_name_base_len(name): bytes of ${name} before the first compiler suffix: "foo.isra.0.cold" -> 3. */
size_t hp_name_base_len(const char *name);
/* hp_name_is_piece(name): a .cold piece; *ret_len = bytes of its parent's name. */
bool hp_name_is_piece(const char *name, size_t *ret_len);
/* hp_name_is_content(name, kernel): made by the compiler, known by content only: CSWTCH.N, __func__.N, .LC*, ... */
bool hp_name_is_content(const char *name, bool kernel);
/* hp_name_is_kernel_table(section): per-place tables of the Linux kernel, which its loader handles. */
bool hp_name_is_kernel_table(const char *section);
uint64_t hp_hash(const void *p, size_t len);
uint64_t hp_hash_mix(uint64_t a, uint64_t b);

/* side.c */
HP_MUST_CHECK int hp_side_init(struct hp_cmp *cmp, struct hp_side *side, const struct hp_object *obj, uint32_t *twin,
                               uint8_t *change, struct hp_err *err);
void hp_side_release(struct hp_side *side);
/* hp_side_edges(side, part, err): fill side->edges[part], sorted by off. Again: no cost. */
HP_MUST_CHECK int hp_side_edges(struct hp_side *side, uint32_t part, struct hp_err *err);
/* hp_side_lsda(side, err): fill side->lsda_rel from .eh_frame. hp_side_lsda_edge(): that reference as an edge, 1 or 0 of them. */
HP_MUST_CHECK int hp_side_lsda(struct hp_side *side, struct hp_err *err);
uint32_t hp_side_lsda_edge(const struct hp_side *side, uint32_t part, struct hp_edge *ret);
/* hp_side_points(side, err): fill side->points for all sections with anonymous parts. */
HP_MUST_CHECK int hp_side_points(struct hp_side *side, struct hp_err *err);
HP_MUST_CHECK int hp_side_referrers(struct hp_side *side, struct hp_err *err);
/* hp_side_dwarf(side, err): open DWARF. 1 side->dw is there, 0 the object has none. */
HP_MUST_CHECK int hp_side_dwarf(struct hp_side *side, struct hp_err *err);
/* hp_side_name_hash(side, name): hash of the base name, without the numbers of lambdas. */
uint64_t hp_side_name_hash(const struct hp_side *side, const char *name);
/* hp_side_owner(side, part): hash of the base name of a part, the same for a function and its pieces. */
uint64_t hp_side_owner(const struct hp_side *side, uint32_t part);
/* hp_side_line(side, part, off): "src/file.c:12" for a byte of a function, "" unknown; in the arena of the side's hp_elf. */
const char *hp_side_line(struct hp_side *side, uint32_t part, uint64_t off);

/* hp_side_functions(side, map, err): put every function symbol's name with its part into ${map}. */
HP_MUST_CHECK int hp_side_functions(const struct hp_side *side, struct hp_map *map, struct hp_err *err);

static inline const struct hp_part *
hp_side_part(const struct hp_side *side, uint32_t part)
{
	return &side->parts->v[part];
}

/* hp_side_is_hook(side, part): a function that the patch's author marked for the applier to call (include/hotpatch.h). */
bool hp_side_is_hook(const struct hp_side *side, uint32_t part);

static inline bool
hp_part_is_func(const struct hp_part *p)
{
	return p->kind == HP_PART_FUNC;
}

/* Data with a symbol's name. */
static inline bool
hp_part_is_data(const struct hp_part *p)
{
	return p->sym_idx != HP_NONE &&
	       (p->kind == HP_PART_DATA || p->kind == HP_PART_BSS || p->kind == HP_PART_RODATA || p->kind == HP_PART_TLS);
}

static inline bool
hp_part_is_writable(const struct hp_part *p)
{
	return p->kind == HP_PART_DATA || p->kind == HP_PART_BSS || p->kind == HP_PART_TLS;
}

/* correlate.c, group.c */
/* hp_correlate(cmp, err): fill both sides' twin arrays, 1:1, for all parts of HP_IDENT_NAME. One exception: an old function whose
 * name is now an alias of another one's body; see hp_pair_is_joined(). */
HP_MUST_CHECK int hp_correlate(struct hp_cmp *cmp, struct hp_err *err);
struct hp_group {
	uint32_t *olds, *news; /* parts without a twin so far that share a plain name; HP_NONE = matched meanwhile */
	uint32_t olds_cnt, news_cnt;
	bool last;    /* nothing better will be known: match by position too */
	bool matched; /* out: something was */
};
HP_MUST_CHECK int hp_group_match(struct hp_cmp *cmp, struct hp_group *group, struct hp_err *err);
void hp_twin_set(struct hp_cmp *cmp, uint32_t old_part, uint32_t new_part);

/* compare.c */
/* hp_compare_parts(cmp, old_part, new_part, ret, err): 1 equal in meaning, 0 different with ${ret} filled. */
HP_MUST_CHECK int hp_compare_parts(struct hp_cmp *cmp, uint32_t old_part, uint32_t new_part, struct hp_mismatch *ret,
                                   struct hp_err *err);
/* hp_compare_edges(cmp, old, new, err): the two references mean the same: 1, 0. */
HP_MUST_CHECK int hp_compare_edges(struct hp_cmp *cmp, const struct hp_edge *old_edge, const struct hp_edge *new_edge,
                                   struct hp_err *err);
/* hp_compare_range(...): bytes and edges of [off, off + len) of two parts. off: bytes from part start, each side its own. */
HP_MUST_CHECK int hp_compare_range(struct hp_cmp *cmp, uint32_t old_part, uint64_t old_off, uint32_t new_part, uint64_t new_off,
                                   uint64_t len, struct hp_mismatch *ret, struct hp_err *err);
/* hp_edges_first(side, part, off): index of the first of a part's edges at or behind ${off}, after hp_side_edges(). */
uint32_t hp_edges_first(const struct hp_side *side, uint32_t part, uint64_t off);
/* hp_compare_all(cmp, err): fill both sides' change arrays. */
HP_MUST_CHECK int hp_compare_all(struct hp_cmp *cmp, struct hp_err *err);

/* relax.c */
/* hp_relax_equal(cmp, old_part, new_part, err): equal functions but for the lengths of jumps and for nops that align: 1, 0.
 * hp_relax_same_place(...): the offsets mean the same place of both versions (equal, where these have no common shape): 1, 0. */
HP_MUST_CHECK int hp_relax_equal(struct hp_cmp *cmp, uint32_t old_part, uint32_t new_part, struct hp_err *err);
HP_MUST_CHECK int hp_relax_same_place(struct hp_cmp *cmp, uint32_t old_part, uint32_t new_part, int64_t old_off, int64_t new_off,
                                      struct hp_err *err);

/* commons.c */
/* hp_compare_commons(cmp, err): common symbols, which are no parts; adds their reasons. After hp_compare_all(). */
HP_MUST_CHECK int hp_compare_commons(struct hp_cmp *cmp, struct hp_err *err);

/* content.c */
/* hp_content_equal(cmp, old, new, err): both references lead to equal anonymous content: 1, 0. */
HP_MUST_CHECK int hp_content_equal(struct hp_cmp *cmp, const struct hp_ref *old_ref, const struct hp_ref *new_ref,
                                   struct hp_err *err);

/* sure.c */
/* hp_surely_equal(cmp, old_part, new_part): a shortcut for the usual unchanged function, without decoding. false: not known. */
bool hp_surely_equal(struct hp_cmp *cmp, uint32_t old_part, uint32_t new_part);

/* explain.c, noise.c */
HP_MUST_CHECK int hp_explain_pair(struct hp_cmp *cmp, struct hp_err *err);
/* hp_noise_check(cmp, old_part, new_part, err): 1 the functions differ in line numbers only. Those in instructions need DWARF on
 * both sides. */
HP_MUST_CHECK int hp_noise_check(struct hp_cmp *cmp, uint32_t old_part, uint32_t new_part, struct hp_err *err);

/* align.c */
/* hp_align_first(cmp, old_part, new_part, ret, ret_old, err): the first instruction that does something else: ret->off in the new
 * function, ${ret_old} in the old. 1, or 0: no such instruction. */
HP_MUST_CHECK int hp_align_first(struct hp_cmp *cmp, uint32_t old_part, uint32_t new_part, struct hp_mismatch *ret,
                                 uint64_t *ret_old, struct hp_err *err);

/* include.c */
HP_MUST_CHECK int hp_include(struct hp_cmp *cmp, struct hp_err *err);

/* verdict.c, verdict_data.c, gate.c: add reasons */
HP_MUST_CHECK int hp_verdict_pair(struct hp_cmp *cmp, struct hp_err *err);
HP_MUST_CHECK int hp_verdict_data(struct hp_cmp *cmp, struct hp_err *err);
HP_MUST_CHECK int hp_verdict_sections(struct hp_cmp *cmp, struct hp_err *err);
/* hp_gate(cmp, err): compare the types of both sides. */
HP_MUST_CHECK int hp_gate(struct hp_cmp *cmp, struct hp_err *err);
/* hp_verdict_escapes(side, part, err): 1 the address of a constant leaves direct reads. */
HP_MUST_CHECK int hp_verdict_escapes(struct hp_side *side, uint32_t part, struct hp_err *err);

/* pair.c */
struct hp_result;
/* hp_pair_compare(ret, err): all of the above for ret->pair, which has at least one object; fills the rest of ${ret}. */
HP_MUST_CHECK int hp_pair_compare(struct hp_result *ret, struct hp_err *err);

#endif
