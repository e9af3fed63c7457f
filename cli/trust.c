#include "cli/trust.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/file.h"

static int
add_env(struct hp_trust *trust, const char *env, struct hp_err *err)
{
	HP_AUTO(hp_mem) char *copy = strdup(env);
	char *rest = copy, *path;
	int r = 0;

	if (copy == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	while (r == 0 && (path = strsep(&rest, ":")) != NULL)
		if (path[0] != '\0')
			r = hp_trust_add_path(trust, path, err);
	if (r < 0)
		(void)hp_err_add(err, "HPBUILD_TRUST");
	return r;
}

int
hp_cli_trust(const struct hp_opt_list *paths, struct hp_trust *ret, struct hp_err *err)
{
	const char *env = getenv("HPBUILD_TRUST");
	int r = 0;

	if (paths->cnt > 0) {
		for (unsigned i = 0; i < paths->cnt && r == 0; i++)
			r = hp_trust_add_path(ret, paths->v[i], err);
	} else if (env != NULL && env[0] != '\0') {
		r = add_env(ret, env, err);
	} else if (hp_path_kind(HP_TRUST_DIR) == HP_PATH_DIR) {
		r = hp_trust_add_path(ret, HP_TRUST_DIR, err);
	}
	if (r == 0 && ret->cnt == 0)
		r = hp_err_set(err, HP_E_SIG, "no trusted key: give --trust, set HPBUILD_TRUST, or put *.pub files into %s",
		               HP_TRUST_DIR);
	return r;
}
