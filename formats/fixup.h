/* Fixups: the only relocations that a payload needs when it goes into a process. One flat table a target, made when packing;
 * the applier computes value and writes it, it decides nothing.
 *
 * On disk (hpk(5), chunk FIXUPS): HP_FIXUP_LEN bytes a record, little-endian, sorted by place, no two records overlap:
 *   0 u64 place    byte offset in the payload image (= its virtual address)
 *   8 u8  form     enum hp_fixup_form: what is written
 *   9 u8  kind     enum hp_fixup_kind: what the value is relative to
 *  10 u16 module   index into the manifest's targets; the module whose address is meant (for MODULE, SLOT, TLS*, PEER)
 *  12 u32 import   index into the target's imports (for IMPORT, PEER), else 0xffffffff
 *  16 u64 target   PAYLOAD: virtual address in the image; MODULE, SLOT: address relative to the module's load bias; IMPORT:
 *                  HP_FIXUP_WEAK or 0; PEER: virtual address in the module's image; else 0
 *  24 i64 addend
 *
 * With B = load address of the payload, M = load bias of the module (what is added to its p_vaddr; 0 for non-PIE):
 *   PAYLOAD  V = B + target + addend            MODULE  V = M + target + addend
 *   SLOT     V = *(u64 *)(M + target) + addend: the value that the dynamic linker has put into a GOT slot
 *   IMPORT   V = I + addend, I = what the dynamic linker would bind the import to for the target's module; only with ABS64. With
 *            HP_FIXUP_WEAK, V = addend where no module has it
 *   PEER     V = P + target + addend, P = load address of the module's payload: what the package adds to that module under the
 *            name of the import, which no module in the process may define, and which this module can see; only with ABS64
 *   ABS64 writes V; ABS32 needs V < 2^32; ABS32S needs -2^31 <= V < 2^31; PC32 writes V - (B + place), same signed range.
 * Anything out of range is an overflow: refused when packing where it can be seen there, and again when applying.
 */
#ifndef HP_FORMATS_FIXUP_H
#define HP_FORMATS_FIXUP_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/view.h"

#define HP_FIXUP_LEN 32u
#define HP_FIXUP_NO_IMPORT 0xffffffffu
#define HP_FIXUP_WEAK 1u /* target of an IMPORT: a weak reference */

enum hp_fixup_form {
	HP_FORM_ABS64 = 1,
	HP_FORM_ABS32 = 2,
	HP_FORM_ABS32S = 3,
	HP_FORM_PC32 = 4,
};

enum hp_fixup_kind {
	HP_KIND_PAYLOAD = 1,
	HP_KIND_MODULE = 2,
	HP_KIND_SLOT = 3,
	HP_KIND_IMPORT = 4,
	HP_KIND_TLS_MOD = 5, /* reserved: this version neither writes nor applies it */
	HP_KIND_TLS_OFF = 6, /* reserved, likewise */
	HP_KIND_PEER = 7,    /* something new in the payload of another module of the package */
};

struct hp_fixup {
	uint64_t place;
	enum hp_fixup_form form;
	enum hp_fixup_kind kind;
	uint16_t module;
	uint32_t import;
	uint64_t target;
	int64_t addend;
};

/* hp_fixup_len(form): bytes written at place: 8 or 4; 0 for an unknown form. */
unsigned hp_fixup_len(enum hp_fixup_form form);
const char *hp_fixup_form_name(enum hp_fixup_form form); /* "abs64", "?" */
const char *hp_fixup_kind_name(enum hp_fixup_kind kind); /* "payload", "?" */

/* hp_fixup_add(buf, f, err): append one record. */
HP_MUST_CHECK int hp_fixup_add(struct hp_buf *buf, const struct hp_fixup *f, struct hp_err *err);
/* hp_fixups_check(table, image_len, targets_cnt, ret_cnt, err): the whole table is well-formed: whole records, known form and
 * kind, places sorted, inside the image and disjoint, module and import indexes in range, reserved fields as said above.
 * HP_E_FORMAT otherwise. O(records). */
HP_MUST_CHECK int hp_fixups_check(struct hp_view table, uint64_t image_len, uint32_t targets_cnt, uint32_t imports_cnt,
                                  uint32_t *ret_cnt, struct hp_err *err);
/* hp_fixup_get(table, idx): record ${idx} of a table that hp_fixups_check() accepted. */
struct hp_fixup hp_fixup_get(struct hp_view table, uint32_t idx);

/* hp_fixup_encode(f, value, place_va, ret_bytes): write the field for V = ${value} at run-time address ${place_va}.
 * ret_bytes: hp_fixup_len() bytes. HP_E_REFUSED when it does not fit. */
HP_MUST_CHECK int hp_fixup_encode(const struct hp_fixup *f, uint64_t value, uint64_t place_va, uint8_t *ret_bytes,
                                  struct hp_err *err);

#endif
