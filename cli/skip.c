#include "cli/skip.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/escape.h"

static const char *const kinds[] = {
	[HP_SKIP_USER] = "user=", [HP_SKIP_GROUP] = "group=", [HP_SKIP_PATH] = "path=", [HP_SKIP_PID] = "pid=",
};

static bool
parse_number(const char *text, id_t *ret)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || n >= UINT_MAX)
		return false;
	*ret = (id_t)n;
	return true;
}

static bool
parse_id(struct hp_skip_rule *rule, const char *value)
{
	const struct passwd *pw = rule->kind == HP_SKIP_USER ? getpwnam(value) : NULL;
	const struct group *gr = rule->kind == HP_SKIP_GROUP ? getgrnam(value) : NULL;

	if (pw != NULL)
		rule->id = pw->pw_uid;
	else if (gr != NULL)
		rule->id = gr->gr_gid;
	else
		return parse_number(value, &rule->id);
	return true;
}

/* A file that is not there now may still be what a process runs. */
static bool
parse_path(struct hp_skip_rule *rule, const char *value)
{
	struct stat st;

	if (value[0] != '/' || strlen(value) >= sizeof(rule->path))
		return false;
	if (realpath(value, rule->path) == NULL)
		memcpy(rule->path, value, strlen(value) + 1);
	if (stat(value, &st) == 0) {
		rule->dev = st.st_dev;
		rule->inode = st.st_ino;
	}
	return true;
}

static int
parse(const char *text, struct hp_skip_rule *ret, struct hp_err *err)
{
	for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		const char *value = text + strlen(kinds[k]);

		if (strncmp(text, kinds[k], strlen(kinds[k])) != 0)
			continue;
		ret->text = text;
		ret->kind = k;
		if (k == HP_SKIP_PATH ? parse_path(ret, value) : parse_id(ret, value))
			return 0;
		return hp_err_set(err, HP_E_USAGE, k == HP_SKIP_PATH ? "--skip '%s': want an absolute path"
		                  : k == HP_SKIP_PID ? "--skip '%s': no process number" : "--skip '%s': not known here",
		                  hp_esc(text));
	}
	return hp_err_set(err, HP_E_USAGE, "--skip '%s': want user=NAME, group=NAME, path=FILE or pid=N", hp_esc(text));
}

int
hp_skip_parse(const struct hp_opt_list *list, struct hp_skip *ret, struct hp_err *err)
{
	for (ret->cnt = 0; ret->cnt < list->cnt; ret->cnt++) {
		int r = parse(list->v[ret->cnt], &ret->v[ret->cnt], err);

		if (r < 0)
			return r;
	}
	return 0;
}

static bool
matches(const struct hp_skip_rule *rule, pid_t pid, const struct hp_live_owner *owner)
{
	switch (rule->kind) {
	case HP_SKIP_USER:
		return owner->uid == rule->id || owner->euid == rule->id;
	case HP_SKIP_GROUP:
		return owner->gid == rule->id || owner->egid == rule->id;
	case HP_SKIP_PATH:
		return strcmp(owner->exe, rule->path) == 0 ||
		       (rule->inode != 0 && owner->exe_inode == rule->inode && owner->exe_dev == rule->dev);
	case HP_SKIP_PID:
		return (id_t)pid == rule->id;
	}
	return false;
}

int
hp_skip_match(const struct hp_skip *skip, pid_t pid, const struct hp_live *live, const struct hp_skip_rule **ret_rule,
              struct hp_err *err)
{
	struct hp_live_owner owner;
	int r = skip->cnt > 0 ? hp_live_owner(live, &owner, err) : 0;

	for (unsigned i = 0; r == 0 && i < skip->cnt; i++)
		if (matches(&skip->v[i], pid, &owner)) {
			*ret_rule = &skip->v[i];
			return 1;
		}
	return r;
}
