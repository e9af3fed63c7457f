#include "cli/rollback.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/escape.h"
#include "cli/out.h"
#include "signer/floor.h"

static const char *
not_empty(const char *value)
{
	return value != NULL && value[0] != '\0' ? value : NULL;
}

/* The folder that apply writes. An unprivileged user patches own processes and remembers in an own folder. */
static char *
state_dir(const struct hp_rollback *rb)
{
	const char *given = rb->state != NULL ? rb->state : not_empty(getenv("HPBUILD_STATE"));
	const char *xdg = not_empty(getenv("XDG_STATE_HOME")), *home = not_empty(getenv("HOME"));
	char *dir;
	int n;

	if (given != NULL)
		n = asprintf(&dir, "%s", given);
	else if (geteuid() != 0 && xdg != NULL)
		n = asprintf(&dir, "%s/hpbuild", xdg);
	else if (geteuid() != 0 && home != NULL)
		n = asprintf(&dir, "%s/.local/state/hpbuild", home);
	else
		n = asprintf(&dir, "%s", HP_STATE_DIR);
	return n < 0 ? NULL : dir;
}

/* The floor that root's applies have raised counts for everybody who does not name another folder. */
static int
check_floor(const struct hp_rollback *rb, const struct hp_verified_pkg *pkg, struct hp_err *err)
{
	HP_AUTO(hp_mem) char *dir = state_dir(rb);
	int r = dir != NULL ? hp_floor_check(dir, &pkg->pkg, err) : hp_err_set(err, HP_E_NOMEM, "no memory");

	if (r == 0 && rb->state == NULL && not_empty(getenv("HPBUILD_STATE")) == NULL && geteuid() != 0)
		r = hp_floor_check(HP_STATE_DIR, &pkg->pkg, err);
	return r;
}

int
hp_rollback_check(const struct hp_rollback *rb, const struct hp_verified_pkg *pkg, struct hp_overrides *ret, struct hp_err *err)
{
	struct hp_overrides over = { 0 };
	uint64_t expires = pkg->pkg.man->expires;
	struct hp_err why = { 0 };
	char text[HP_ERR_TEXT];
	int r = check_floor(rb, pkg, &why);

	if (r < 0 && (r != HP_E_EXPIRED || !rb->allow_downgrade)) {
		*err = why;
		return r;
	}
	if (r < 0) {
		over.downgrade = true;
		hp_err_format(&why, text, sizeof(text));
		hp_warn("DOWNGRADE allowed by --allow-downgrade: %s", text);
	}
	if (expires != 0 && hp_time_now() >= expires) {
		over.expired = true; /* the verifier has let it pass, so it was allowed */
		hp_time_text(expires, text);
		hp_warn("EXPIRED package allowed by --allow-expired: its time ended at %s", text);
	}
	*ret = over;
	return 0;
}

int
hp_rollback_before(const struct hp_rollback *rb, const struct hp_verified_pkg *pkg, int pid, bool dry_run, struct hp_err *err)
{
	HP_AUTO(hp_mem) char *dir = state_dir(rb);
	struct hp_overrides over;
	int r = hp_rollback_check(rb, pkg, &over, err);

	if (r < 0 || dry_run)
		return r;
	r = dir != NULL ? hp_floor_prepare(dir, err) : hp_err_set(err, HP_E_NOMEM, "no memory");
	if (r == 0 && over.downgrade)
		r = hp_floor_record(dir, &pkg->pkg, "allow-downgrade", pid, hp_time_now(), err);
	if (r == 0 && over.expired)
		r = hp_floor_record(dir, &pkg->pkg, "allow-expired", pid, hp_time_now(), err);
	return r;
}

int
hp_rollback_after(const struct hp_rollback *rb, const struct hp_verified_pkg *pkg, struct hp_err *err)
{
	HP_AUTO(hp_mem) char *dir = state_dir(rb);
	int r = dir != NULL ? hp_floor_raise(dir, &pkg->pkg, err) : hp_err_set(err, HP_E_NOMEM, "no memory");

	if (r < 0)
		(void)hp_err_add(err, "APPLIED, but it could not be remembered that older packages are to be refused");
	return r;
}
