/* hpbuild verify: signatures, container, expiry; with --baseline also whether the package fits that file. */
#include "cli/cmd.h"

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/file.h"
#include "cli/opts.h"
#include "cli/out.h"
#include "cli/rollback.h"
#include "cli/trust.h"
#include "cli/verify_imports.h"
#include "formats/hash.h"
#include "formats/limits.h"
#include "formats/pkg_baseline.h"
#include "formats/pkg_fixups.h"

static struct hp_opt_list arg_trust, arg_baselines;
static uint64_t arg_require = 1;
static struct hp_rollback arg_rollback;
static const char *arg_sysroot;
static bool arg_ignore_unknown, arg_json;

static const struct hp_opt opts[] = {
	HP_OPT_TRUST(arg_trust),
	{ 0, "require", HP_OPT_U64, &arg_require, "N", "this many trusted keys must have signed (default: 1)" },
	{ 0, "ignore-unknown", HP_OPT_FLAG, &arg_ignore_unknown, NULL, "skip signatures of unknown keys" },
	{ 0, "baseline", HP_OPT_LIST, &arg_baselines, "FILE", "the package must fit this module; may be repeated" },
	{ 0, "sysroot", HP_OPT_STR, &arg_sysroot, "DIR", "where the baselines' libraries are (default: /)" },
	HP_OPT_ROLLBACK(arg_rollback),
	{ 0, "json", HP_OPT_FLAG, &arg_json, NULL, "print JSON" },
	HP_OPT_COMMON,
	HP_OPT_END,
};
static const struct hp_usage usage = {
	"verify", "[--trust PUBKEY|DIR]... [--require N] [--baseline FILE]... PKG",
	"Check a package: signatures first, then everything in it, expiry, and whether a newer one was\n"
	"applied here; with --baseline "
	"also that it was made for this module.",
	1, 1
};

/* What is known of one target besides the package itself. */
struct checked {
	bool baseline;
	uint32_t fixups_cnt;
	struct hp_imports_checked imports;
};

static int
check_baseline(const char *path, struct hp_pkg *pkg, struct checked *checked, struct hp_err *err)
{
	HP_AUTO(hp_buf) struct hp_buf file = { 0 };
	HP_AUTO(hp_module) struct hp_module *mod = NULL;
	size_t idx;
	int r = hp_file_read(path, HP_ELF_LEN_MAX, &file, err);

	if (r == 0)
		r = hp_module_open(hp_buf_view(&file), path, NULL, &mod, err);
	if (r == 0)
		r = hp_pkg_check_baseline(pkg->man, mod->elf, &idx, err);
	if (r == 0)
		r = hp_pkg_check_fixups(pkg, idx, mod, &checked[idx].fixups_cnt, err);
	if (r == 0)
		r = hp_verify_imports(pkg, idx, hp_buf_view(&file), path, arg_sysroot, &pkg->arena, &checked[idx].imports, err);
	if (r == 0)
		checked[idx].baseline = true;
	return r;
}

static json_t *
json_target(const struct hp_man_target *t, const struct checked *c)
{
	json_t *not = json_array();

	if (!c->baseline) {
		static const char *const all[] = { "build_id", "cpu", "functions", "fixups" };

		for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
			(void)json_array_append_new(not, json_string(all[i]));
	}
	if (t->imports_cnt > c->imports.cnt)
		(void)json_array_append_new(not, json_string("imports"));
	return json_pack("{s:o, s:b, s:I, s:I, s:I, s:o}", "name", hp_json_text(t->name), "baseline_checked", c->baseline,
	                 "functions", (json_int_t)t->funcs_cnt, "fixups_checked", (json_int_t)c->fixups_cnt,
	                 "imports_checked", (json_int_t)c->imports.cnt, "not_checked", not);
}

static void
report_json(const struct hp_verified_pkg *v, const struct checked *checked, const struct hp_overrides *over)
{
	const struct hp_manifest *man = v->pkg.man;
	json_t *signers = json_array(), *targets = json_array();
	char id[2 * HP_PKG_ID_LEN + 1];

	for (uint32_t i = 0; i < v->signers_cnt; i++) {
		hp_key_id_text(v->signers[i], id);
		(void)json_array_append_new(signers, json_string(id));
	}
	for (size_t i = 0; i < man->targets_cnt; i++)
		(void)json_array_append_new(targets, json_target(&man->targets[i], &checked[i]));
	hp_hex(v->pkg.id, HP_PKG_ID_LEN, id);
	hp_out_json(json_pack("{s:s, s:b, s:s, s:s, s:I, s:I, s:b, s:o, s:o, s:{s:b, s:b}}", "schema", "hpbuild.verify/1",
	                      "verified", 1, "id", id, "name", man->name, "serial", (json_int_t)man->serial, "expires",
	                      (json_int_t)man->expires, "restart_required", man->restart_required, "signers", signers, "targets",
	                      targets, "overrides", "downgrade", over->downgrade, "expired", over->expired));
}

static void
report_target(const struct hp_man_target *t, const struct checked *c)
{
	if (c->baseline)
		hp_out("target     %s: baseline checked (build ID, CPU, %zu functions, %u fixups into it)\n", hp_esc(t->name),
		       t->funcs_cnt, c->fixups_cnt);
	else
		hp_out("target     %s: baseline NOT checked (no --baseline): build ID, CPU, %zu functions, fixups\n",
		       hp_esc(t->name), t->funcs_cnt);
	if (t->imports_cnt > c->imports.cnt)
		hp_out("           NOT checked: %zu imports%s%s%s\n", t->imports_cnt - c->imports.cnt,
		       c->baseline ? ", because '" : "", c->baseline ? hp_esc(c->imports.missing) : "",
		       c->baseline ? "' was not found" : "");
}

static void
report_text(const char *path, const struct hp_verified_pkg *v, const struct checked *checked)
{
	const struct hp_manifest *man = v->pkg.man;
	char id[2 * HP_PKG_ID_LEN + 1];

	hp_hex(v->pkg.id, HP_PKG_ID_LEN, id);
	hp_out("'%s': verified\nid         %s\nname       %s\nserial     %llu\n", hp_esc(path), id, hp_esc(man->name),
	       (unsigned long long)man->serial);
	for (uint32_t i = 0; i < v->signers_cnt; i++) {
		hp_key_id_text(v->signers[i], id);
		hp_out("signed by  %s\n", id);
	}
	if (man->restart_required)
		hp_out("note       this fix needs a restart; the package cannot be applied\n");
	for (size_t i = 0; i < man->targets_cnt; i++)
		report_target(&man->targets[i], &checked[i]);
}

static int
verify(const char *path, struct hp_err *err)
{
	const struct hp_verify_opts how = { .require = (uint32_t)arg_require,
		                            .ignore_unknown = arg_ignore_unknown,
		                            .allow_expired = arg_rollback.allow_expired };
	HP_AUTO(hp_verified_pkg) struct hp_verified_pkg *v = NULL;
	HP_AUTO(hp_trust) struct hp_trust trust = { 0 };
	struct checked checked[HP_PKG_TARGETS_MAX] = { 0 };
	struct hp_overrides over;
	int r = hp_cli_trust(&arg_trust, &trust, err);

	if (r == 0)
		r = hp_verify_file(path, &trust, &how, &v, err);
	if (r == 0)
		r = hp_rollback_check(&arg_rollback, v, &over, err);
	for (unsigned i = 0; i < arg_baselines.cnt && r == 0; i++)
		r = check_baseline(arg_baselines.v[i], &v->pkg, checked, err);
	if (r < 0)
		return r;
	if (arg_json)
		report_json(v, checked, &over);
	else
		report_text(path, v, checked);
	return 0;
}

int
hp_cmd_verify(int argc, char **argv)
{
	struct hp_err err = { 0 };
	int first, r = hp_opts_parse(opts, &usage, argc, argv, &first);

	if (r >= 0)
		return r;
	if (arg_require < 1 || arg_require > HP_PKG_SIGS_MAX)
		return hp_usage_error("verify", "--require wants a number from 1 to %u", HP_PKG_SIGS_MAX);
	return verify(argv[first], &err) < 0 ? hp_out_fail(&err, arg_json) : HP_EXIT_OK;
}
