#include "cli/coverage.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/file.h"
#include "cli/out.h"
#include "formats/elf_archive.h"
#include "formats/limits.h"

/* All objects are in memory at once; beyond this it must be asked for. */
#define UNASKED_LEN_MAX ((uint64_t)1 << 30)
#define OBJECTS_MAX ((size_t)1 << 20)

struct input {
	struct hp_arena arena;
	struct hp_prove_object *objects;
	size_t cnt, cap;
	uint64_t len; /* bytes of all */
	bool library; /* what is being added */
	bool asked;   /* by an option: failures are errors */
	bool all;
};

static void
input_auto(struct input *in)
{
	for (size_t i = 0; i < in->cnt; i++)
		hp_object_free(in->objects[i].obj);
	hp_arena_release(&in->arena);
}

static int
make_room(struct input *in, struct hp_err *err)
{
	size_t cap = in->cap * 2 + 64;
	struct hp_prove_object *v;

	if (in->cnt < in->cap)
		return 0;
	if (in->cnt >= OBJECTS_MAX)
		return hp_err_set(err, HP_E_LIMIT, "more than %zu objects", OBJECTS_MAX);
	v = hp_arena_array(&in->arena, cap, sizeof(*v));
	if (v == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	if (in->cnt > 0)
		memcpy(v, in->objects, in->cnt * sizeof(*v));
	in->objects = v;
	in->cap = cap;
	return 0;
}

/* Takes ${bytes} over. What is no x86-64 object (of another build, bytecode) has no code of the module. */
static int
add_object(struct input *in, struct hp_buf *bytes, const char *path, struct hp_err *err)
{
	struct hp_prove_object o = { .path = hp_arena_strdup(&in->arena, path), .must_match = in->all && !in->library };
	struct hp_err why = { 0 };
	int r;

	in->len += bytes->len;
	r = make_room(in, err);
	if (r < 0 || o.path == NULL) {
		hp_buf_release(bytes);
		return r < 0 ? r : hp_err_set(err, HP_E_NOMEM, "no memory");
	}
	r = hp_object_open(bytes, o.path, &o.obj, &why);
	if (r < 0 || o.obj->elf->machine != EM_X86_64) {
		hp_object_free(o.obj);
		hp_debug("coverage: '%s' left out: no object file for this CPU", hp_esc(path));
		return 0;
	}
	in->objects[in->cnt++] = o;
	return 0;
}

static int
add_file(struct input *in, const char *path, struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf file = { 0 };
	struct hp_archive_member *members;
	size_t cnt, len = strlen(path);
	int r = hp_file_read(path, HP_ELF_LEN_MAX, &file, err);

	if (r < 0)
		return r;
	if (len < 2 || strcmp(path + len - 2, ".a") != 0) {
		struct hp_buf taken = file;

		file = (struct hp_buf){ 0 };
		return add_object(in, &taken, path, err);
	}
	r = hp_archive_list(hp_buf_view(&file), path, &in->arena, &members, &cnt, err);
	for (size_t i = 0; r == 0 && i < cnt; i++) {
		struct hp_buf copy = { 0 };
		const char *name = hp_arena_printf(&in->arena, "%s(%s)", path, members[i].name);

		r = name == NULL ? hp_err_set(err, HP_E_NOMEM, "no memory")
		                 : hp_buf_add(&copy, members[i].data.p, members[i].data.len, err);
		if (r == 0)
			r = add_object(in, &copy, name, err);
	}
	return r;
}

static int
add_path(struct input *in, const char *path, struct hp_err *err)
{
	char **paths;
	size_t cnt;
	int r;

	if (hp_path_kind(path) != HP_PATH_DIR)
		return add_file(in, path, err);
	r = hp_tree_list(path, ".o", &in->arena, &paths, &cnt, err);
	for (size_t i = 0; r == 0 && i < cnt; i++) {
		const char *full = hp_arena_printf(&in->arena, "%s/%s", path, paths[i]);

		r = full == NULL ? hp_err_set(err, HP_E_NOMEM, "no memory") : add_file(in, full, err);
		if (!in->asked && in->len > UNASKED_LEN_MAX)
			return r;
	}
	return r;
}

static int
measure(struct hp_coverage *cov, struct input *in, const char *original, const struct hp_pack_baseline *base, struct hp_err *err)
{
	struct hp_prove_report report;
	int r = add_path(in, original, err);

	in->library = true;
	for (unsigned i = 0; i < cov->libraries.cnt && r == 0; i++) {
		r = add_path(in, cov->libraries.v[i], err);
		if (r < 0)
			(void)hp_err_add(err, "library '%s'", hp_esc(cov->libraries.v[i]));
	}
	if (r == 0 && !in->asked && in->len > UNASKED_LEN_MAX) {
		hp_note("coverage not measured: more than %llu bytes of objects (ask for it with --coverage)",
		        (unsigned long long)UNASKED_LEN_MAX);
		return 0;
	}
	if (r == 0)
		r = hp_prove(in->objects, in->cnt, base, &report, err);
	if (r == 0)
		hp_coverage_take(cov, in->objects, in->cnt, &report);
	return r;
}

int
hp_coverage_measure(struct hp_coverage *cov, const char *original, const struct hp_pack_baseline *base, struct hp_err *err)
{
	HP_AUTO(input) struct input in = { .asked = cov->all || cov->list || cov->libraries.cnt > 0, .all = cov->all };
	struct hp_err why = { 0 };
	char text[HP_ERR_TEXT];
	int r = measure(cov, &in, original, base, in.asked ? err : &why);

	if (r == 0 || in.asked)
		return r;
	hp_err_format(&why, text, sizeof(text));
	hp_note("coverage not measured: %s", text);
	return 0;
}

void
hp_coverage_take(struct hp_coverage *cov, const struct hp_prove_object *objects, size_t cnt,
                 const struct hp_prove_report *report)
{
	hp_coverage_release(cov);
	cov->known = true;
	cov->report = *report;
	for (size_t i = 0; i < cnt; i++) {
		if (!objects[i].in_module)
			continue;
		cov->objects_cnt++;
		cov->funcs_cnt += objects[i].funcs_cnt - objects[i].absent_cnt;
		cov->proven_cnt += objects[i].proven_cnt;
	}
}

double
hp_coverage_percent(const struct hp_coverage *cov)
{
	uint64_t all = cov->report.proven_len + cov->report.gaps_len;

	return all > 0 ? 100.0 * (double)cov->report.proven_len / (double)all : 100.0;
}

void
hp_coverage_show(const struct hp_coverage *cov)
{
	const struct hp_prove_report *rep = &cov->report;
	bool list = cov->list || hp_arg_verbose > 0;
	unsigned cnt = 0;

	if (!cov->known)
		return;
	for (size_t i = 0; i < rep->gaps_cnt; i++)
		cnt += !rep->gaps[i].startup;
	hp_out("  coverage   %.1f %% of the baseline's code is proven (%u functions of %u objects)", hp_coverage_percent(cov),
	       cov->proven_cnt, cov->objects_cnt);
	if (cnt == 0)
		hp_out(", nothing is from elsewhere\n");
	else
		hp_out("; %llu bytes in %u place%s are from no object%s\n", (unsigned long long)rep->gaps_len, cnt,
		       cnt == 1 ? "" : "s", list ? ":" : " (--coverage lists them)");
	for (size_t i = 0; i < rep->gaps_cnt && list; i++)
		if (!rep->gaps[i].startup)
			hp_out("  unclaimed  0x%llx, %llu bytes of %s: %s\n", (unsigned long long)rep->gaps[i].va,
			       (unsigned long long)rep->gaps[i].len, hp_esc(rep->gaps[i].section),
			       rep->gaps[i].name[0] != '\0' ? hp_esc(rep->gaps[i].name) : "(no name)");
}

json_t *
hp_coverage_json(const struct hp_coverage *cov)
{
	const struct hp_prove_report *rep = &cov->report;
	json_t *list;

	if (!cov->known)
		return json_null();
	list = json_array();
	for (size_t i = 0; i < rep->gaps_cnt; i++)
		if (!rep->gaps[i].startup)
			(void)json_array_append_new(
				list, json_pack("{s:I, s:I, s:o, s:o}", "address", (json_int_t)rep->gaps[i].va, "size",
			                        (json_int_t)rep->gaps[i].len, "section", hp_json_text(rep->gaps[i].section),
			                        "name", hp_json_text(rep->gaps[i].name)));
	return json_pack("{s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "percent", hp_coverage_percent(cov), "proven_size",
	                 (json_int_t)rep->proven_len, "unclaimed_size", (json_int_t)rep->gaps_len, "startup_size",
	                 (json_int_t)rep->startup_len, "objects", (json_int_t)cov->objects_cnt, "functions",
	                 (json_int_t)cov->funcs_cnt, "proven", (json_int_t)cov->proven_cnt, "unclaimed", list);
}

void
hp_coverage_release(struct hp_coverage *cov)
{
	if (cov->known)
		hp_prove_release(&cov->report);
	*cov = (struct hp_coverage){ .libraries = cov->libraries, .list = cov->list, .all = cov->all };
}
