/* Unwind records and exception tables, on their way from objects into the image. Used by resolve.c, lsda.c and layout.c. */
#ifndef HP_PACKAGER_EHFRAME_H
#define HP_PACKAGER_EHFRAME_H

#include "packager/internal.h"

/* Exception table of a function of the patched side. */
struct hp_lsda {
	uint32_t eh_sec;                      /* the .eh_frame that says so; index in the object's sections */
	const struct hp_rel *personality_rel; /* in it; NULL = none, the rest counts only with it */
	uint8_t personality_enc, table_enc;   /* DW_EH_PE_* of the pointers to it and to the table */
	uint32_t sec_idx;                     /* .gcc_except_table, HP_NONE = only a personality */
	uint64_t off, len;                    /* bytes there, up to the next table */
	struct hp_item *personality;          /* word of the payload with its address; NULL until resolved */
	struct hp_item *item;                 /* copy in the payload */
};

/* ehframe.c: unwind records of the included functions. */
struct hp_eh {
	struct hp_buf frame;      /* .eh_frame with a terminator */
	struct hp_eh_fde {
		struct hp_item *item; /* function */
		uint32_t off;     /* of the FDE in frame */
	} *fdes;
	uint32_t fdes_cnt;
	struct hp_eh_ref {
		struct hp_item *target;
		uint32_t off;     /* of a field in frame: pcrel|sdata4 */
	} *refs;
	uint32_t refs_cnt;
};
/* hp_eh_scan(pk, obj, err): fill in obj->lsdas from the patched side's .eh_frame. */
HP_MUST_CHECK int hp_eh_scan(struct hp_pk *pk, struct hp_pk_obj *obj, struct hp_err *err);
/* lsda.c: hp_lsda_resolve(pk, func, err): copy the exception table of an included function, with what it refers to.
 * HP_E_REFUSED: a form of it that is not supported. */
HP_MUST_CHECK int hp_lsda_resolve(struct hp_pk *pk, struct hp_item *func, struct hp_err *err);
/* hp_eh_collect(pk, ret, err): after hp_lsda_resolve() of all. Fields with addresses are filled in by hp_eh_place(). */
HP_MUST_CHECK int hp_eh_collect(struct hp_pk *pk, struct hp_eh *ret, struct hp_err *err);
/* hp_eh_place(eh, frame_va, hdr_va, ret_hdr, err): items have addresses: fill in the FDEs, make .eh_frame_hdr. */
HP_MUST_CHECK int hp_eh_place(struct hp_eh *eh, uint64_t frame_va, uint64_t hdr_va, struct hp_buf *ret_hdr, struct hp_err *err);

#endif
