/* Thread-local variables that included code refers to. */
#ifndef HP_PACKAGER_TLS_H
#define HP_PACKAGER_TLS_H

#include "packager/internal.h"

/* hp_target_tpoff(pk, use, ret, err): thread-pointer offset of an existing TLS variable of an executable. hp_target_dtpoff():
 * offset of one of a shared library in its TLS block. hp_target_tls_slot(): the baseline's GOT slot of that kind for it (TPOFF,
 * DTPMOD, TLSDESC), in an executable only for those of other modules. */
HP_MUST_CHECK int hp_target_tpoff(struct hp_pk *pk, const struct hp_use *use, uint64_t *ret, struct hp_err *err);
HP_MUST_CHECK int hp_target_dtpoff(struct hp_pk *pk, const struct hp_use *use, uint64_t *ret, struct hp_err *err);
/* hp_tls_slot_offset(mod, slot, ret): a slot that no symbol names: the offset in the module's own block that it stands for. */
bool hp_tls_slot_offset(const struct hp_module *mod, const struct hp_mod_slot *slot, uint64_t *ret);
HP_MUST_CHECK int hp_target_tls_slot(struct hp_pk *pk, const struct hp_use *use, enum hp_slot_kind kind, uint64_t *ret,
                                     struct hp_err *err);
/* tls_code.c: hp_resolve_tls(pk, use, off, left, err): one access to a thread-local variable at offset ${off} of the item;
 * ${left} relocations, this one included, follow in the part. Returns how many were used, or HP_E_REFUSED. */
HP_MUST_CHECK int hp_resolve_tls(struct hp_pk *pk, struct hp_use *use, uint64_t off, uint32_t left, struct hp_err *err);

#endif
