/* New imports: symbols of other modules for which the baseline has no PLT entry and no GOT slot that fits. The payload gets a
 * word of its own for each, which the applier binds as the dynamic linker would for the baseline; its name and version go into
 * the manifest. The version is the one that a link of the patched objects would have written down.
 *
 * Rules:
 * - The baseline's own import of the name tells the version; so does "name@version" in the object (.symver). A preemptible symbol
 *   of the baseline itself has the version that it is defined with.
 * - Else a library that the baseline needs must provide the name, as far as --sysroot lets it see; the default version counts.
 * - A weak reference may be to a symbol that no library has: it is 0 where the process has none either.
 * - A direct reference (PC-relative, or 32 bits) to what another module defines is refused: only a COPY relocation or a canonical
 *   PLT entry makes that possible, and they come with the link of the baseline.
 * - Thread-local variables and static programs: refused. */
#include "packager/import.h"

#include <string.h>

#include "base/escape.h"
#include "packager/needed.h"

enum { IMPORTS_STEP = 16 };

static const struct hp_sym *
symbol_of(const struct hp_use *use)
{
	return use->rel == NULL ? NULL : &use->item->obj->pair->new_obj->elf->syms[use->rel->sym_idx];
}

/* ${text} from the arena, NULL = there was no room. */
static int
refuse(const struct hp_use *use, struct hp_err *err, const char *text)
{
	return text != NULL ? hp_refuse(use, err, text) : hp_err_set(err, HP_E_NOMEM, "no memory");
}

static int
open_needed(struct hp_pk *pk, struct hp_err *err)
{
	const struct hp_pack_baseline *base = pk->base;

	return pk->needed != NULL ? 0 : hp_needed_open(base->file, base->path, base->sysroot, &pk->needed, err);
}

static const char *
sysroot(const struct hp_pk *pk)
{
	return pk->base->sysroot != NULL ? pk->base->sysroot : "/";
}

/* The baseline imports ${name} in two versions; what the proof saw of the original's references tells which the plain name means.
 */
static const char *
proven_version(const struct hp_pk *pk, const char *name)
{
	const struct hp_known *k = hp_known_name(pk, name);
	const struct hp_mod_slot *slot = NULL;
	const struct hp_mod_plt *plt;

	if (k != NULL && k->has_slot)
		slot = hp_module_slot_at(pk->mod, k->slot);
	if (slot == NULL && k != NULL && k->has_plt) {
		plt = hp_module_plt_at(pk->mod, k->plt);
		slot = plt != NULL ? &pk->mod->slots[plt->slot_idx] : NULL;
	}
	return slot != NULL && strcmp(slot->name, name) == 0 ? slot->version : NULL;
}

/* The plain name, which the baseline imports as ${first} (and as another version too, if ${several}), and no object shows which
 * is meant: the libraries tell. */
static int
default_version(struct hp_pk *pk, const struct hp_use *use, const char *first, bool several, struct hp_import_name *ret,
                struct hp_err *err)
{
	struct hp_needed_sym found;
	int r = open_needed(pk, err);

	if (r == 0)
		r = hp_needed_find(pk->needed, ret->name, NULL, &found, err);
	if (r < 0)
		return r;
	if (r > 0 && (several || strcmp(found.version, first) == 0)) {
		ret->version = found.version;
		return 0;
	}
	if (!several && (r == 0 || found.missing != NULL))
		return 0; /* nothing that is certain speaks against what the baseline has */
	return refuse(use, err,
	              hp_arena_printf(&pk->arena,
	                              "the baseline imports it in version '%s'%s, a new reference would mean %s%s%s (libraries "
	                              "below '%s')",
	                              hp_esc(first), several ? " and another one" : "", r > 0 ? "'" : "an unknown one",
	                              r > 0 ? hp_esc(found.version) : "", r > 0 ? "'" : "", hp_esc(sysroot(pk))));
}

int
hp_import_name(struct hp_pk *pk, const struct hp_use *use, struct hp_import_name *ret, struct hp_err *err)
{
	const char *at = strchr(use->name, '@'), *first = NULL, *proven;
	bool several = false;

	*ret = (struct hp_import_name){ .name = use->name };
	if (at != NULL && at != use->name) {
		ret->name = hp_arena_strndup(&pk->arena, use->name, (size_t)(at - use->name));
		ret->version = at + strspn(at, "@");
		ret->asked = true;
		return ret->name == NULL ? hp_err_set(err, HP_E_NOMEM, "no memory") : 0;
	}
	for (uint32_t i = 0; i < pk->mod->slots_cnt; i++) {
		const struct hp_mod_slot *s = &pk->mod->slots[i];

		if (s->name[0] == '\0' || strcmp(s->name, ret->name) != 0)
			continue;
		several = several || (first != NULL && strcmp(first, s->version) != 0);
		first = s->version;
	}
	proven = proven_version(pk, ret->name);
	if (proven != NULL) {
		ret->version = proven;
		return 0;
	}
	/* Without versions, or its own: no question. */
	if (first == NULL || (!several && (first[0] == '\0' || hp_module_preemptible(pk->mod, ret->name))))
		return 0;
	return default_version(pk, use, first, several, ret, err);
}

/* 1 ret has the version, 0 a weak reference to nothing; else refused. */
static int
find_version(struct hp_pk *pk, const struct hp_use *use, const struct hp_import_name *want, struct hp_import *ret,
             struct hp_err *err)
{
	const struct hp_sym *sym = symbol_of(use);
	struct hp_needed_sym found;
	int r;

	*ret = (struct hp_import){ .name = want->name, .version = want->version != NULL ? want->version : "", .library = "",
		                   .weak = sym != NULL && sym->bind == STB_WEAK };
	if (hp_module_import(pk->mod, want->name) != NULL &&
	    (want->version != NULL || hp_module_version_of(pk->mod, want->name, &ret->version)))
		return 1;
	/* It may be another object's of this module, of which a stripped one says nothing. */
	if (!pk->mod->has_symtab && !hp_module_preemptible(pk->mod, want->name)) {
		(void)hp_refuse(use, err, "the stripped baseline does not show where it is, and does not import it: give the "
		                          "--debug-file");
		if (err != NULL)
			err->code = HP_E_BASELINE;
		return HP_E_BASELINE;
	}
	if (sym != NULL && sym->vis != STV_DEFAULT)
		return hp_refuse(use, err, "it is declared hidden or protected, but the baseline does not have it");
	r = open_needed(pk, err);
	if (r < 0)
		return r;
	if (hp_needed_is_static(pk->needed))
		return hp_refuse(use, err, "a new import, but the baseline is a static program, and it is not linked in");
	r = hp_needed_find(pk->needed, want->name, want->asked ? want->version : NULL, &found, err);
	if (r < 0)
		return r;
	if (r == 0 && ret->weak)
		return 0;
	if (r == 0)
		return refuse(use, err,
		              hp_arena_printf(&pk->arena, "a new import that no library of the baseline provides; below '%s': %s",
		                              hp_esc(sysroot(pk)), hp_needed_list(pk->needed)));
	if (found.sym.type == STT_TLS)
		return hp_refuse(use, err, "a new import of a thread-local variable");
	if (found.missing != NULL && !want->asked)
		return refuse(use, err,
		              hp_arena_printf(&pk->arena,
		                              "a new import, whose version is not known: '%s' was not found below '%s' (give the "
		                              "--sysroot)",
		                              hp_esc(found.missing), hp_esc(sysroot(pk))));
	ret->version = found.version;
	ret->library = found.library;
	return 1;
}

int
hp_import_number(struct hp_pk *pk, const struct hp_import *import, uint32_t *ret, struct hp_err *err)
{
	struct hp_import *v = pk->imports;

	for (uint32_t i = 0; i < pk->imports_cnt; i++)
		if (strcmp(v[i].name, import->name) == 0 && strcmp(v[i].version, import->version) == 0) {
			v[i].weak = v[i].weak && import->weak;
			*ret = i;
			return 0;
		}
	if (pk->imports_cnt % IMPORTS_STEP == 0) {
		v = hp_arena_array(&pk->arena, pk->imports_cnt + IMPORTS_STEP, sizeof(*v));
		if (v == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory");
		if (pk->imports_cnt > 0)
			memcpy(v, pk->imports, pk->imports_cnt * sizeof(*v));
		pk->imports = v;
	}
	*ret = pk->imports_cnt++;
	v[*ret] = *import;
	return 0;
}

int
hp_import_new(struct hp_pk *pk, const struct hp_use *use, const struct hp_import_name *want, struct hp_target *ret,
              struct hp_err *err)
{
	bool call = use->ref.branch && !use->got, word = use->got || (use->rel != NULL && use->rel->type == R_X86_64_64);
	struct hp_import import;
	uint32_t idx = 0;
	int r = find_version(pk, use, want, &import, err);

	if (r < 0)
		return r;
	if (r == 0 && !call && !word && !use->ref.pc_rel && pk->mod->kind == HP_MAN_EXEC) {
		*ret = (struct hp_target){ .kind = HP_FIX_CONST, .off = use->ref.off }; /* as the link of a program does */
		return 0;
	}
	if (!call && !word)
		return hp_refuse(
			use, err,
			"a direct reference to another module, for which the baseline has no copy (COPY relocation) and no "
			"PLT entry of its own");
	r = hp_import_number(pk, &import, &idx, err);
	if (r < 0)
		return r;
	*ret = (struct hp_target){ .kind = HP_FIX_IMPORT, .value = idx, .off = use->ref.off };
	if (!call)
		return 0;
	ret->off = 0;
	ret->item = hp_item_import_stub(pk, use->name, ret, err);
	if (ret->item == NULL)
		return HP_E_NOMEM;
	ret->kind = HP_FIX_ITEM;
	ret->off = use->ref.off;
	return 0;
}

int
hp_imports_list(struct hp_pk *pk, struct hp_man_import **ret, struct hp_err *err)
{
	struct hp_man_import *v = hp_arena_array(&pk->arena, pk->imports_cnt, sizeof(*v));

	if (v == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	for (uint32_t i = 0; i < pk->imports_cnt; i++)
		v[i] = (struct hp_man_import){ pk->imports[i].name, pk->imports[i].version };
	*ret = v;
	return 0;
}
