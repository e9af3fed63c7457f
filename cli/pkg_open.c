#include "cli/pkg_open.h"

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/file.h"
#include "cli/out.h"
#include "cli/trust.h"

static int
open_unverified(const char *path, struct hp_cli_pkg *ret, struct hp_err *err)
{
	int r = hp_file_read(path, HP_PKG_LEN_MAX, &ret->file, err);

	if (r == 0)
		r = hp_pkg_split(hp_buf_view(&ret->file), &ret->parts, err);
	if (r == 0)
		r = hp_pkg_parse(ret->parts.signed_part, &ret->unverified, err);
	if (r < 0) {
		(void)hp_err_add(err, "'%s'", hp_esc(path));
		return r;
	}
	ret->pkg = &ret->unverified;
	hp_warn("'%s' was NOT verified: nothing below can be trusted", hp_esc(path));
	return 0;
}

int
hp_cli_pkg_open(const char *path, const struct hp_opt_list *trust_paths, bool unverified, struct hp_cli_pkg *ret,
                struct hp_err *err)
{
	static const struct hp_verify_opts opts = { .require = 1, .allow_expired = true };
	HP_AUTO(hp_trust) struct hp_trust trust = { 0 };
	int r;

	*ret = (struct hp_cli_pkg){ 0 };
	if (unverified)
		return open_unverified(path, ret, err);
	r = hp_cli_trust(trust_paths, &trust, err);
	if (r == 0)
		r = hp_verify_file(path, &trust, &opts, &ret->verified, err);
	if (r < 0)
		return r;
	ret->parts = ret->verified->parts;
	ret->pkg = &ret->verified->pkg;
	return 0;
}

void
hp_cli_pkg_release(struct hp_cli_pkg *p)
{
	hp_verified_pkg_free(p->verified);
	hp_pkg_release(&p->unverified);
	hp_buf_release(&p->file);
	*p = (struct hp_cli_pkg){ 0 };
}
