#include "cli/verify_imports.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "packager/needed.h"

/* What the payload does with an import. */
struct use {
	bool weak; /* every reference may come to nothing */
	int peer;  /* the target whose payload has it, -1 = none */
};

static struct use
find_use(const struct hp_pkg *pkg, size_t idx, uint32_t import)
{
	struct hp_view table = pkg->payloads[idx].fixups;
	struct use use = { .weak = true, .peer = -1 };
	bool any = false;

	for (uint32_t i = 0; i < table.len / HP_FIXUP_LEN; i++) {
		struct hp_fixup f = hp_fixup_get(table, i);

		if (f.import != import)
			continue;
		any = true;
		use.weak = use.weak && f.kind == HP_KIND_IMPORT && f.target == HP_FIXUP_WEAK;
		if (f.kind == HP_KIND_PEER)
			use.peer = f.module;
	}
	use.weak = use.weak && any;
	return use;
}

static int
check_peer(const struct hp_man_target *peer, const char *name, struct hp_err *err)
{
	for (size_t i = 0; i < peer->added_cnt; i++)
		if (strcmp(peer->added[i], name) == 0)
			return 0;
	return hp_err_set(err, HP_E_BASELINE, "import '%s' shall be what the package adds to '%s', which is not so", hp_esc(name),
	                  hp_esc(peer->name));
}

/* 1 it exists or need not, 0 it cannot be told. */
static int
check_import(const struct hp_pkg *pkg, size_t idx, uint32_t i, struct hp_needed *needed, struct hp_err *err)
{
	const struct hp_man_import *import = &pkg->man->targets[idx].imports[i];
	const char *version = import->version[0] != '\0' ? import->version : NULL;
	struct use use = find_use(pkg, idx, i);
	struct hp_needed_sym found;
	int r;

	if (use.peer >= 0) {
		r = check_peer(&pkg->man->targets[use.peer], import->name, err);
		return r < 0 ? r : 1;
	}
	if (hp_needed_is_static(needed))
		return hp_err_set(err, HP_E_BASELINE, "import '%s': a static program, nothing can be bound for it",
		                  hp_esc(import->name));
	r = hp_needed_find(needed, import->name, version, &found, err);
	if (r != 0 || use.weak)
		return r < 0 ? r : 1;
	if (hp_needed_missing(needed) != NULL)
		return 0;
	return hp_err_set(err, HP_E_BASELINE, "import '%s%s%s': no library that the module needs has it: %s",
	                  hp_esc(import->name), version != NULL ? "@" : "", version != NULL ? hp_esc(version) : "",
	                  hp_needed_list(needed));
}

int
hp_verify_imports(const struct hp_pkg *pkg, size_t idx, struct hp_view module, const char *path, const char *sysroot,
                  struct hp_arena *arena, struct hp_imports_checked *ret, struct hp_err *err)
{
	HP_AUTO(hp_needed) struct hp_needed *needed = NULL;
	const struct hp_man_target *t = &pkg->man->targets[idx];
	int r = t->imports_cnt > 0 ? hp_needed_open(module, path, sysroot, &needed, err) : 0;

	*ret = (struct hp_imports_checked){ 0 };
	for (uint32_t i = 0; i < t->imports_cnt && r >= 0; i++) {
		r = check_import(pkg, idx, i, needed, err);
		ret->cnt += r == 1;
	}
	if (r < 0)
		return hp_err_add(err, "'%s'", hp_esc(path));
	if (ret->cnt < t->imports_cnt) {
		ret->missing = hp_arena_strdup(arena, hp_needed_missing(needed));
		if (ret->missing == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory");
	}
	return 0;
}
