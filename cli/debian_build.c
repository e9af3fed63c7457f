#include "cli/debian_build.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "cli/cmd.h"
#include "cli/members.h"
#include "cli/out.h"

static const char *
say_same(const struct hp_deb_module *m)
{
	switch (m->same) {
	case HP_DEB_SAME_ID:
		return "the rebuild has the same build ID";
	case HP_DEB_SAME_IMAGE:
		return "the rebuild has another build ID, but every loaded byte is the same";
	case HP_DEB_DIFFERS:
		return "the rebuild has other bytes; each function must be proven";
	case HP_DEB_MISSING:
		break;
	}
	return "not in the rebuilt package; each function must be proven";
}

static void
tell(const struct hp_deb_module *m, bool chosen)
{
	void (*say)(const char *, ...) __attribute__((format(printf, 1, 2))) = chosen ? hp_note : hp_debug;

	say("'%s' of %s, build ID %s: %s%s%s", hp_esc(m->path), hp_esc(m->package), m->shipped_id, say_same(m),
	    m->same == HP_DEB_SAME_IMAGE || m->same == HP_DEB_DIFFERS ? ": " : "",
	    m->same == HP_DEB_SAME_IMAGE || m->same == HP_DEB_DIFFERS ? m->rebuilt_id : "");
}

/* By its path, or, where several packages have that path, by "PACKAGE:PATH". */
static bool
is_named(const struct hp_deb_module *m, const char *name)
{
	size_t len = strlen(m->package);

	if (strncmp(name, m->package, len) == 0 && name[len] == ':')
		name += len + 1;
	while (name[0] == '/')
		name++;
	return strcmp(m->path, name) == 0;
}

static struct hp_packing_base
base_of(const struct hp_deb_module *m)
{
	bool same = m->same == HP_DEB_SAME_ID || m->same == HP_DEB_SAME_IMAGE;

	return (struct hp_packing_base){
		.path = m->shipped, .debug_file = same ? m->debug : NULL, .debug_source = "rebuilt",
		.twin = m->same == HP_DEB_SAME_IMAGE && m->debug != NULL ? m->rebuilt : NULL,
	};
}

static void
tell_coverage(const struct hp_coverage *cov)
{
	hp_note("proof: %u of %u functions of %u objects, %.1f %% of its code", cov->proven_cnt, cov->funcs_cnt, cov->objects_cnt,
	        hp_coverage_percent(cov));
}

/* 1: some changed object is in the module; they are wanted. ret: the module, and its coverage. */
static int
look_at(const struct hp_deb_module *module, struct hp_members *m, struct hp_packing *p, struct hp_packing_base *ret,
        struct hp_err *err)
{
	struct hp_prove_report rep;
	size_t cnt;
	int r;

	*ret = base_of(module);
	ret->coverage = p->coverage;
	r = hp_packing_aim(p, ret, 1, err);
	if (r == 0)
		r = hp_prove(m->objects, m->objects_cnt, p->pack_bases, &rep, err);
	if (r < 0)
		return hp_err_add(err, "module '%s'", hp_esc(module->path));
	cnt = hp_members_count(m);
	tell(module, cnt > 0);
	if (cnt > 0) {
		hp_coverage_take(&ret->coverage, m->objects, m->objects_cnt, &rep);
		tell_coverage(&ret->coverage);
	} else {
		hp_prove_release(&rep);
	}
	hp_members_want(m);
	return cnt > 0;
}

/* Among those that were asked for. */
static bool
is_asked(const struct hp_deb_module *m, const struct hp_opt_list *names)
{
	for (unsigned i = 0; i < names->cnt; i++)
		if (is_named(m, names->v[i]))
			return true;
	return names->cnt == 0;
}

static int
check_names(const struct hp_debian *d, const struct hp_opt_list *names, struct hp_err *err)
{
	for (unsigned i = 0; i < names->cnt; i++) {
		bool found = false;

		for (size_t k = 0; k < d->modules_cnt; k++)
			found |= is_named(&d->modules[k], names->v[i]);
		if (!found)
			return hp_err_set(err, HP_E_USAGE, "no shipped module is called '%s'", hp_esc(names->v[i]));
	}
	return 0;
}

/* Not all modules of an object are in one process: a program that was linked with the archive, and the shared library of the same
 * objects. So several are a package only when that was asked for. */
static int
check_hits(size_t hits, const struct hp_opt_list *names, struct hp_err *err)
{
	if (hits == 0)
		return hp_err_set(err, HP_E_BASELINE, "none of the changed objects is part of a shipped module");
	if (hits > 1 && names->cnt == 0)
		return hp_err_set(err, HP_E_USAGE,
		                  "the changed objects are in %zu modules (listed above): choose with --module; several make one "
		                  "package for processes that have all of them",
		                  hits);
	return 0;
}

/* The modules that the changed objects are in. */
static int
choose(struct hp_debian *d, const struct hp_opt_list *names, struct hp_members *m, struct hp_packing *p, struct hp_err *err)
{
	struct hp_packing_base *bases = hp_arena_array(&d->arena, d->modules_cnt, sizeof(*bases));
	const struct hp_deb_module *first = NULL;
	bool one_package = true;
	size_t hits = 0;
	int r = bases == NULL ? hp_err_set(err, HP_E_NOMEM, "no memory") : check_names(d, names, err);

	for (size_t i = 0; i < d->modules_cnt && r >= 0; i++) {
		const struct hp_deb_module *module = &d->modules[i];

		if (!is_asked(module, names))
			continue;
		r = look_at(module, m, p, &bases[hits], err);
		if (r == 0 && names->cnt > 0)
			r = hp_err_set(err, HP_E_BASELINE, "none of the changed objects is part of '%s'", hp_esc(module->path));
		if (r <= 0)
			continue;
		hits++;
		first = first != NULL ? first : module;
		one_package &= strcmp(first->package, module->package) == 0;
	}
	if (r >= 0)
		r = check_hits(hits, names, err);
	if (r < 0) {
		for (size_t i = 0; i < hits; i++)
			hp_coverage_release(&bases[i].coverage);
		return r;
	}
	p->baseline_name = one_package ? first->package : hp_arena_strndup(&d->arena, d->spec, strcspn(d->spec, "="));
	p->baseline_version = d->version;
	return hp_packing_aim(p, bases, hits, err);
}

static int
pack(struct hp_debian *d, const struct hp_opt_list *modules, struct hp_packing *p)
{
	HP_AUTO(hp_patchset) struct hp_patchset set = { 0 };
	HP_AUTO(hp_members) struct hp_members m = { 0 };
	const char *originals = hp_arena_printf(&d->arena, "%s/originals", d->dir);
	const struct hp_diff_file *files = NULL;
	struct hp_err err = { 0 };
	size_t changed = 0, cnt = 0;
	int r = originals == NULL ? hp_err_set(&err, HP_E_NOMEM, "no memory")
	                          : hp_members_open(originals, d->rebuild.source, true, &m, &err);

	for (size_t i = 0; i < m.objects_cnt; i++)
		changed += m.changed[i];
	if (r == 0 && changed == 0 && m.added_cnt == 0)
		r = hp_err_set(&err, HP_E_NOTHING, "the patch changes no object file");
	if (r == 0)
		r = choose(d, modules, &m, p, &err);
	if (r == 0)
		files = hp_members_select(&m, &cnt, &err);
	if (r < 0 || files == NULL)
		return hp_out_fail(&err, p->json);
	for (size_t i = 0; i < m.objects_cnt; i++)
		if (m.changed[i] && !m.wanted[i])
			hp_debug("changed, but in none of the modules: '%s'", hp_esc(m.objects[i].path));
	hp_note("%zu of %zu changed objects are in %s", cnt - m.added_cnt, changed, p->bases_cnt > 1 ? "them" : "it");
	r = hp_packing_diff_files(p, files, cnt, &set);
	return r != HP_EXIT_OK ? r : hp_packing_write(p, &set);
}

int
hp_debian_build(struct hp_debian *d, const struct hp_opt_list *modules, struct hp_packing *p)
{
	struct hp_err err = { 0 };

	if (hp_debian_prepare(d, &err) < 0 || hp_debian_patched(d, &err) < 0)
		return hp_out_fail(&err, p->json);
	hp_note("built in %.1f s and, with the fix, %.1f s", d->rebuild.seconds[0], d->rebuild.seconds[1]);
	return pack(d, modules, p);
}
