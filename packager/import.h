/* New imports of the payload; the rules are in import.c. */
#ifndef HP_PACKAGER_IMPORT_H
#define HP_PACKAGER_IMPORT_H

#include "packager/internal.h"

/* A symbol that the payload takes from other modules. */
struct hp_import {
	const char *name, *version; /* version "" = none */
	const char *library;        /* that has it, "" = the baseline told the version, or nobody has it */
	bool weak;                  /* all references are weak: 0 where no module has it */
};

/* What a reference to another module means. */
struct hp_import_name {
	const char *name;
	const char *version; /* the version that is meant, NULL = any */
	bool asked;          /* the object itself asks for it */
};

/* hp_import_name(pk, use, ret, err): name and version. HP_E_REFUSED: it cannot be told. */
HP_MUST_CHECK int hp_import_name(struct hp_pk *pk, const struct hp_use *use, struct hp_import_name *ret, struct hp_err *err);
/* hp_import_new(pk, use, want, ret, err): the baseline has nothing for it: a word of the payload, or a stub that jumps through
 * one. HP_E_REFUSED, HP_E_BASELINE: it cannot be an import. */
HP_MUST_CHECK int hp_import_new(struct hp_pk *pk, const struct hp_use *use, const struct hp_import_name *want,
                                struct hp_target *ret, struct hp_err *err);
/* hp_import_number(pk, import, ret, err): its index, made when it is asked for the first time. */
HP_MUST_CHECK int hp_import_number(struct hp_pk *pk, const struct hp_import *import, uint32_t *ret, struct hp_err *err);
/* hp_imports_list(pk, ret, err): imports_cnt of them, for the manifest; in the arena. */
HP_MUST_CHECK int hp_imports_list(struct hp_pk *pk, struct hp_man_import **ret, struct hp_err *err);

#endif
