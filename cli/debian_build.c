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

static bool
is_named(const struct hp_deb_module *m, const char *name)
{
	while (name[0] == '/')
		name++;
	return strcmp(m->path, name) == 0;
}

static void
aim(const struct hp_debian *d, const struct hp_deb_module *m, struct hp_packing *p)
{
	bool same = m->same == HP_DEB_SAME_ID || m->same == HP_DEB_SAME_IMAGE;

	p->baseline = m->shipped;
	p->baseline_name = m->package;
	p->baseline_version = d->version;
	p->debug_file = same ? m->debug : NULL;
	p->debug_source = "rebuilt";
	p->twin = m->same == HP_DEB_SAME_IMAGE && m->debug != NULL ? m->rebuilt : NULL;
}

/* What the proof says about one module. */
struct candidate {
	const struct hp_deb_module *module;
	const struct hp_diff_file *files; /* changed objects that it was linked from, and new ones */
	size_t files_cnt, members_cnt;
};

static void
tell_coverage(const struct hp_coverage *cov)
{
	hp_note("proof: %u of %u functions of %u objects, %.1f %% of its code", cov->proven_cnt, cov->funcs_cnt, cov->objects_cnt,
	        hp_coverage_percent(cov));
}

/* 1: some changed object is in the module. */
static int
look_at(const struct hp_debian *d, const struct hp_deb_module *module, struct hp_members *m, struct hp_packing *p,
        struct candidate *ret, struct hp_err *err)
{
	struct hp_pack_options opts;
	struct hp_prove_report rep;
	int r;

	aim(d, module, p);
	r = hp_packing_read(p, err);
	if (r < 0)
		return r;
	opts = hp_packing_options(p);
	r = hp_prove(m->objects, m->objects_cnt, &opts, &rep, err);
	if (r < 0)
		return r;
	ret->module = module;
	ret->files = hp_members_select(m, &ret->files_cnt, &ret->members_cnt, err);
	tell(module, ret->members_cnt > 0);
	if (ret->members_cnt > 0) {
		hp_coverage_take(&p->coverage, m->objects, m->objects_cnt, &rep);
		tell_coverage(&p->coverage);
	} else {
		hp_prove_release(&rep);
	}
	return ret->files == NULL ? HP_E_NOMEM : ret->members_cnt > 0;
}

/* The module that the changed objects are in. */
static int
choose(struct hp_debian *d, const char *name, struct hp_members *m, struct hp_packing *p, struct candidate *ret,
       struct hp_err *err)
{
	unsigned hits = 0, seen = 0;

	for (size_t i = 0; i < d->modules_cnt; i++) {
		struct candidate c = { 0 };
		int r;

		if (name != NULL && !is_named(&d->modules[i], name))
			continue;
		seen++;
		r = look_at(d, &d->modules[i], m, p, &c, err);
		if (r < 0)
			return hp_err_add(err, "module '%s'", hp_esc(d->modules[i].path));
		if (r == 0)
			continue;
		hits++;
		*ret = c;
	}
	if (seen == 0)
		return hp_err_set(err, HP_E_USAGE, "no shipped module is called '%s'", hp_esc(name != NULL ? name : ""));
	if (hits > 1)
		return hp_err_set(err, HP_E_USAGE,
		                  "the changed objects are in %u modules (listed above): choose one with --module", hits);
	if (hits == 0)
		return hp_err_set(err, HP_E_BASELINE, "none of the changed objects is part of a shipped module");
	aim(d, ret->module, p);
	return hp_packing_read(p, err);
}

static int
pack(struct hp_debian *d, const char *module, struct hp_packing *p)
{
	HP_AUTO(hp_patchset) struct hp_patchset set = { 0 };
	HP_AUTO(hp_members) struct hp_members m = { 0 };
	const char *originals = hp_arena_printf(&d->arena, "%s/originals", d->dir);
	struct candidate c = { 0 };
	struct hp_err err = { 0 };
	size_t changed = 0;
	int r = originals == NULL ? hp_err_set(&err, HP_E_NOMEM, "no memory")
	                          : hp_members_open(originals, d->rebuild.source, true, &m, &err);

	for (size_t i = 0; i < m.objects_cnt; i++)
		changed += m.changed[i];
	if (r == 0 && changed == 0 && m.added_cnt == 0)
		r = hp_err_set(&err, HP_E_NOTHING, "the patch changes no object file");
	if (r == 0)
		r = choose(d, module, &m, p, &c, &err);
	if (r < 0)
		return hp_out_fail(&err, p->json);
	hp_note("%zu of %zu changed objects are in it", c.members_cnt, changed);
	r = hp_packing_diff_files(p, c.files, c.files_cnt, &set);
	return r != HP_EXIT_OK ? r : hp_packing_write(p, &set);
}

int
hp_debian_build(struct hp_debian *d, const char *module, struct hp_packing *p)
{
	struct hp_err err = { 0 };

	if (hp_debian_prepare(d, &err) < 0 || hp_debian_patched(d, &err) < 0)
		return hp_out_fail(&err, p->json);
	hp_note("built in %.1f s and, with the fix, %.1f s", d->rebuild.seconds[0], d->rebuild.seconds[1]);
	return pack(d, module, p);
}
