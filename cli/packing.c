#include "cli/packing.h"

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/file.h"
#include "cli/cmd.h"
#include "cli/out.h"
#include "cli/pack_show.h"
#include "cli/passphrase.h"
#include "differ/diff.h"
#include "formats/limits.h"
#include "formats/package.h"
#include "signer/sign.h"

static void
forget_bases(struct hp_packing *p)
{
	for (size_t i = 0; i < p->bases_cnt; i++) {
		hp_buf_release(&p->bases[i].bytes);
		hp_buf_release(&p->bases[i].debug_bytes);
		hp_buf_release(&p->bases[i].twin_bytes);
		hp_debug_found_release(&p->bases[i].found);
		hp_coverage_release(&p->bases[i].coverage);
	}
	p->bases_cnt = 0;
}

static int
set_bases(struct hp_packing *p, const struct hp_packing_base *bases, size_t cnt, struct hp_err *err)
{
	int r = 0;

	forget_bases(p);
	if (cnt > HP_PKG_TARGETS_MAX)
		return hp_err_set(err, HP_E_USAGE, "%zu modules; a package can have %u", cnt, HP_PKG_TARGETS_MAX);
	for (size_t i = 0; i < cnt && r == 0; i++) {
		p->bases[i] = bases[i];
		p->bases_cnt++; /* also on failure: to be released */
		r = hp_file_read(p->bases[i].path, HP_ELF_LEN_MAX, &p->bases[i].bytes, err);
	}
	return r;
}

/* Debug file (read, or looked for) and twin. */
static int
complete(const struct hp_packing *p, struct hp_packing_base *b, struct hp_err *err)
{
	int r = 0;

	if (b->debug_file == NULL)
		r = hp_debug_find(&p->search, b->path, hp_buf_view(&b->bytes), &b->found, err);
	else if (b->debug_bytes.len == 0)
		r = hp_file_read(b->debug_file, HP_ELF_LEN_MAX, &b->debug_bytes, err);
	if (r >= 0)
		r = b->twin != NULL ? hp_file_read(b->twin, HP_ELF_LEN_MAX, &b->twin_bytes, err) : 0;
	return r;
}

/* All that belongs to the baselines, and the packager's view of it. */
static int
complete_all(struct hp_packing *p, struct hp_err *err)
{
	for (size_t i = 0; i < p->bases_cnt; i++) {
		struct hp_packing_base *b = &p->bases[i];
		bool found;
		int r = complete(p, b, err);

		if (r < 0)
			return r;
		found = b->found.path != NULL;
		p->pack_bases[i] = (struct hp_pack_baseline){
			.path = b->path, .file = hp_buf_view(&b->bytes), .debug_path = found ? b->found.path : b->debug_file,
			.debug = hp_buf_view(found ? &b->found.bytes : &b->debug_bytes),
			.debug_source = found ? b->found.source : b->debug_source, .debug_partial = b->found.partial,
			.twin_path = b->twin, .twin = hp_buf_view(&b->twin_bytes), .sysroot = p->sysroot,
		};
	}
	return 0;
}

int
hp_packing_aim(struct hp_packing *p, const struct hp_packing_base *bases, size_t cnt, struct hp_err *err)
{
	int r = set_bases(p, bases, cnt, err);

	return r < 0 ? r : complete_all(p, err);
}

/* Empty: none, or no ELF file. The id lives as long as ${file}. */
static struct hp_view
id_of(const struct hp_buf *file, const char *path)
{
	HP_AUTO(hp_elf) struct hp_elf *elf = NULL;
	struct hp_view id = { 0 };

	if (hp_elf_open(hp_buf_view(file), path, &elf, NULL) < 0 || !hp_elf_build_id(elf, &id))
		return (struct hp_view){ 0 };
	return id;
}

/* One baseline takes the debug file as it is, and the packager says what does not fit; of several the one with its build ID. */
static int
add_debug_file(struct hp_packing *p, const char *path, struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf file = { 0 };
	struct hp_packing_base *owner = p->bases_cnt == 1 ? &p->bases[0] : NULL;
	struct hp_view id;
	int r = hp_file_read(path, HP_ELF_LEN_MAX, &file, err);

	if (r < 0)
		return r;
	id = id_of(&file, path);
	for (size_t i = 0; i < p->bases_cnt && owner == NULL && id.len > 0; i++)
		if (hp_view_eq(id, id_of(&p->bases[i].bytes, p->bases[i].path)))
			owner = &p->bases[i];
	if (owner == NULL)
		return hp_err_set(err, HP_E_BASELINE, "debug file '%s' has the build ID of none of the baselines", hp_esc(path));
	if (owner->debug_file != NULL)
		return hp_err_set(err, HP_E_USAGE, "'%s' and '%s' are debug files of one baseline", hp_esc(owner->debug_file),
		                  hp_esc(path));
	owner->debug_file = path;
	owner->debug_bytes = file;
	file = (struct hp_buf){ 0 };
	return 0;
}

static int
open_baselines(struct hp_packing *p, struct hp_err *err)
{
	struct hp_packing_base bases[HP_OPT_LIST_MAX];
	int r;

	for (unsigned i = 0; i < p->baselines.cnt; i++)
		bases[i] = (struct hp_packing_base){ .path = p->baselines.v[i] };
	r = set_bases(p, bases, p->baselines.cnt, err);
	for (unsigned i = 0; i < p->debug_files.cnt && r == 0; i++)
		r = add_debug_file(p, p->debug_files.v[i], err);
	return r < 0 ? r : complete_all(p, err);
}

int
hp_packing_open(struct hp_packing *p, struct hp_err *err)
{
	int r = open_baselines(p, err);

	if (r == 0 && p->meta != NULL)
		r = hp_file_read(p->meta, HP_MANIFEST_LEN_MAX, &p->meta_bytes, err);
	if (r == 0 && p->meta != NULL && p->meta_bytes.len == 0)
		r = hp_err_set(err, HP_E_FORMAT, "meta file '%s' is empty", hp_esc(p->meta));
	if (r == 0)
		r = hp_supply_open(&p->supply, err);
	if (r == 0 && p->key != NULL)
		r = hp_cli_seckey(p->key, p->passphrase_fd, &p->seckey, err);
	return r;
}

void
hp_packing_release(struct hp_packing *p)
{
	forget_bases(p);
	hp_buf_release(&p->meta_bytes);
	hp_supply_release(&p->supply);
	hp_seckey_free(p->seckey);
	p->seckey = NULL;
}

/* The package's file: signed part and, with a key, its record. */
static int
make_file(const struct hp_packing *p, struct hp_view signed_part, struct hp_buf *ret, struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf bare = { 0 };
	int r = hp_pkg_join(signed_part, NULL, 0, &bare, err);

	if (r == 0 && p->seckey != NULL)
		return hp_sign_pkg(hp_buf_view(&bare), p->seckey, ret, err);
	if (r == 0) {
		*ret = bare;
		bare = (struct hp_buf){ 0 };
	}
	return r;
}

static void
tell(void *ctx, const char *line)
{
	(void)ctx;
	hp_note("%s", line);
}

static int
make_package(const struct hp_packing *p, const struct hp_patchset *set, struct hp_pack_report *ret_report, size_t *ret_len,
             struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf signed_part = { 0 };
	HP_AUTO(hp_buf) struct hp_buf file = { 0 };
	const struct hp_pack_options o = {
		.baselines = p->pack_bases, .baselines_cnt = p->bases_cnt, .meta = hp_buf_view(&p->meta_bytes), .name = p->name,
		.serial = p->serial, .baseline_name = p->baseline_name, .baseline_version = p->baseline_version,
		.outside = p->outside.v, .outside_cnt = p->outside.cnt, .tool = "hpbuild " HP_VERSION, .tell = tell,
	};
	int r = hp_pack(set, &o, &signed_part, ret_report, err);

	if (r < 0)
		return r;
	r = hp_supply_add(&p->supply, set, p->pack_bases, p->bases_cnt, &signed_part, err);
	if (r == 0)
		r = make_file(p, hp_buf_view(&signed_part), &file, err);
	if (r == 0)
		r = hp_file_write(p->out, hp_buf_view(&file), 0644, err);
	*ret_len = file.len;
	if (r < 0)
		hp_pack_report_release(ret_report);
	return r;
}

static void
show_progress(void *ctx, size_t done, size_t total, const char *path)
{
	(void)ctx;
	hp_progress(done, total, path);
}

/* ${r}: how the comparison ended. */
static int
judge_verdict(const struct hp_packing *p, int r, const struct hp_err *err, struct hp_patchset *set)
{
	int status;

	if (r < 0)
		return hp_out_fail(err, p->json);
	if (set->verdict == HP_HOTPATCHABLE)
		return HP_EXIT_OK;
	status = hp_pack_show_verdict(set, p->json);
	hp_patchset_release(set);
	return status;
}

static struct hp_diff_options
diff_options(const struct hp_packing *p)
{
	return (struct hp_diff_options){ .jobs = (unsigned)p->jobs,
		                         .waivers_path = p->waivers,
		                         .baseline_known = true,
		                         .progress = show_progress };
}

int
hp_packing_diff(const struct hp_packing *p, const char *original, const char *patched, struct hp_patchset *ret)
{
	struct hp_diff_options opts = diff_options(p);
	struct hp_err err = { 0 };
	int r = hp_diff(original, patched, &opts, ret, &err);

	return judge_verdict(p, r, &err, ret);
}

int
hp_packing_diff_files(const struct hp_packing *p, const struct hp_diff_file *files, size_t cnt, struct hp_patchset *ret)
{
	struct hp_diff_options opts = diff_options(p);
	struct hp_err err = { 0 };
	int r = hp_diff_files(files, cnt, &opts, ret, &err);

	return judge_verdict(p, r, &err, ret);
}

int
hp_packing_write(const struct hp_packing *p, const struct hp_patchset *set)
{
	struct hp_pack_report report;
	struct hp_err err = { 0 };
	size_t len = 0;

	if (make_package(p, set, &report, &len, &err) < 0)
		return hp_out_fail(&err, p->json);
	hp_pack_show(p, set, &report, len);
	hp_pack_report_release(&report);
	return HP_EXIT_OK;
}

static int
measure(struct hp_packing *p, const char *original, struct hp_err *err)
{
	int r = 0;

	for (size_t i = 0; i < p->bases_cnt && r == 0; i++) {
		p->bases[i].coverage = p->coverage;
		r = hp_coverage_measure(&p->bases[i].coverage, original, &p->pack_bases[i], err);
	}
	return r;
}

int
hp_packing_make(struct hp_packing *p, const char *original, const char *patched)
{
	struct hp_patchset set = { 0 };
	struct hp_err err = { 0 };
	int status = hp_packing_diff(p, original, patched, &set);

	if (status != HP_EXIT_OK)
		return status;
	if (measure(p, original, &err) < 0)
		status = hp_out_fail(&err, p->json);
	else
		status = hp_packing_write(p, &set);
	hp_patchset_release(&set);
	return status;
}
