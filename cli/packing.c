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
#include "packager/pack.h"
#include "signer/sign.h"

int
hp_packing_read(struct hp_packing *p, struct hp_err *err)
{
	int r;

	hp_buf_release(&p->baseline_bytes);
	hp_buf_release(&p->debug_bytes);
	hp_buf_release(&p->twin_bytes);
	hp_debug_found_release(&p->found);
	r = hp_file_read(p->baseline, HP_ELF_LEN_MAX, &p->baseline_bytes, err);
	if (r == 0 && p->debug_file != NULL)
		r = hp_file_read(p->debug_file, HP_ELF_LEN_MAX, &p->debug_bytes, err);
	else if (r == 0)
		r = hp_debug_find(&p->search, p->baseline, hp_buf_view(&p->baseline_bytes), &p->found, err);
	if (r > 0)
		r = 0;
	if (r == 0 && p->twin != NULL)
		r = hp_file_read(p->twin, HP_ELF_LEN_MAX, &p->twin_bytes, err);
	return r;
}

int
hp_packing_open(struct hp_packing *p, struct hp_err *err)
{
	int r = p->baseline != NULL ? hp_packing_read(p, err) : 0;

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
	hp_buf_release(&p->baseline_bytes);
	hp_buf_release(&p->debug_bytes);
	hp_buf_release(&p->twin_bytes);
	hp_debug_found_release(&p->found);
	hp_buf_release(&p->meta_bytes);
	hp_supply_release(&p->supply);
	hp_coverage_release(&p->coverage);
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

struct hp_pack_options
hp_packing_options(const struct hp_packing *p)
{
	bool found = p->found.path != NULL;

	return (struct hp_pack_options){
		.baseline_path = p->baseline, .baseline = hp_buf_view(&p->baseline_bytes),
		.debug_path = found ? p->found.path : p->debug_file,
		.debug = hp_buf_view(found ? &p->found.bytes : &p->debug_bytes),
		.debug_source = found ? p->found.source : p->debug_source, .debug_partial = p->found.partial,
		.twin_path = p->twin,
		.twin = hp_buf_view(&p->twin_bytes), .meta = hp_buf_view(&p->meta_bytes), .name = p->name, .serial = p->serial,
		.baseline_name = p->baseline_name, .baseline_version = p->baseline_version, .tool = "hpbuild " HP_VERSION,
	};
}

static int
make_package(const struct hp_packing *p, const struct hp_patchset *set, struct hp_pack_report *ret_report, size_t *ret_len,
             struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf signed_part = { 0 };
	HP_AUTO(hp_buf) struct hp_buf file = { 0 };
	struct hp_pack_options o = hp_packing_options(p);
	const char *debug_path = o.debug_path != NULL ? o.debug_path : "";
	const struct hp_supply_file inputs[] = { { p->baseline, o.baseline }, { debug_path, o.debug } };
	int r = hp_pack(set, &o, &signed_part, ret_report, err);

	if (r < 0)
		return r;
	r = hp_supply_add(&p->supply, set, inputs, 2, &signed_part, err);
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
	return (struct hp_diff_options){ .jobs = (unsigned)p->jobs, .waivers_path = p->waivers, .progress = show_progress };
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
	char signer[17];
	size_t len = 0;

	if (make_package(p, set, &report, &len, &err) < 0)
		return hp_out_fail(&err, p->json);
	if (p->seckey != NULL)
		hp_key_id_text(p->seckey->key_id, signer);
	hp_pack_show(set, &report, p->out, len, p->seckey != NULL ? signer : NULL, &p->coverage, p->json);
	hp_pack_report_release(&report);
	return HP_EXIT_OK;
}

int
hp_packing_make(struct hp_packing *p, const char *original, const char *patched)
{
	struct hp_pack_options opts = hp_packing_options(p);
	struct hp_patchset set = { 0 };
	struct hp_err err = { 0 };
	int status = hp_packing_diff(p, original, patched, &set);

	if (status != HP_EXIT_OK)
		return status;
	if (hp_coverage_measure(&p->coverage, original, &opts, &err) < 0)
		status = hp_out_fail(&err, p->json);
	else
		status = hp_packing_write(p, &set);
	hp_patchset_release(&set);
	return status;
}
