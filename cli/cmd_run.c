/* hpbuild run: start a program with packages applied before its first instruction. */
#include "cli/cmd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "applier/launch.h"
#include "base/cleanup.h"
#include "base/escape.h"
#include "cli/live_common.h"
#include "cli/opts.h"
#include "cli/out.h"
#include "cli/rollback.h"
#include "cli/trust.h"

#define PACKAGES_MAX 64u

static struct hp_opt_list arg_trust, arg_packages;
static uint64_t arg_timeout = HP_LIVE_TIMEOUT_MS, arg_require = 1;
static struct hp_rollback arg_rollback;
static bool arg_ignore_unknown;

static const struct hp_opt opts[] = {
	HP_OPT_TRUST(arg_trust),
	{ 'P', "package", HP_OPT_LIST, &arg_packages, "PKG", "apply this package; several are applied in the order given" },
	{ 0, "timeout", HP_OPT_U64, &arg_timeout, "MS", "look for a good moment this long (default: 3000)" },
	{ 0, "require", HP_OPT_U64, &arg_require, "N", "this many trusted keys must have signed (default: 1)" },
	{ 0, "ignore-unknown", HP_OPT_FLAG, &arg_ignore_unknown, NULL, "skip signatures of unknown keys" },
	HP_OPT_ROLLBACK(arg_rollback),
	HP_OPT_COMMON,
	HP_OPT_END,
};
static const struct hp_usage usage = {
	"run", "[options] --package PKG -- PROGRAM ARGS...",
	"Start a program with packages applied before its first instruction. The program takes the\n"
	"place of this command: same process, same input and output, its own exit status.",
	1, -1
};

struct packages {
	struct hp_verified_pkg *v[PACKAGES_MAX];
	unsigned cnt;
	struct hp_trust trust; /* a later one may replace an earlier one, which is verified again then */
};

static void
packages_auto(struct packages *p)
{
	while (p->cnt > 0)
		hp_verified_pkg_free(p->v[--p->cnt]);
	hp_trust_release(&p->trust);
}

static int
verify_all(struct packages *ret, struct hp_err *err)
{
	const struct hp_verify_opts how = { .require = (uint32_t)arg_require, .ignore_unknown = arg_ignore_unknown,
		                            .allow_expired = arg_rollback.allow_expired };
	int r = hp_cli_trust(&arg_trust, &ret->trust, err);

	for (unsigned i = 0; r == 0 && i < arg_packages.cnt && i < PACKAGES_MAX; i++) {
		r = hp_verify_file(arg_packages.v[i], &ret->trust, &how, &ret->v[ret->cnt], err);
		if (r < 0)
			return r;
		r = hp_rollback_before(&arg_rollback, ret->v[ret->cnt++], (int)getpid(), false, err);
	}
	return r;
}

/* The program stands at its entry point. */
static int
apply_all(pid_t pid, const struct packages *packages, struct hp_err *err)
{
	HP_AUTO(hp_live) struct hp_live *live = NULL;
	struct hp_live_opts o;
	int r = hp_live_open(pid, &live, err);

	hp_cli_live_opts(arg_timeout, false, NULL, &packages->trust, &o);
	for (unsigned i = 0; r == 0 && i < packages->cnt; i++) {
		struct hp_live_report report;

		r = hp_live_apply(live, packages->v[i], &o, &report, err);
		if (r == 0)
			r = hp_rollback_after(&arg_rollback, packages->v[i], err);
		if (r < 0)
			return hp_err_add(err, "package '%s'", hp_esc(arg_packages.v[i]));
		if (report.trouble[0] != '\0')
			hp_warn("process %d (%s), package '%s': %s", pid, hp_live_comm(live), hp_esc(arg_packages.v[i]),
			        report.trouble);
		hp_debug("%s: %zu functions, %.1f ms", arg_packages.v[i], report.funcs_cnt, (double)report.total_ns / 1e6);
	}
	return r;
}

/* The helper, no child of the program: the program must not find a child that it did not make. */
static int
help(pid_t pid, int sock, const struct packages *packages)
{
	struct hp_launch launch;
	struct hp_err err = { 0 };
	pid_t self = getpid();
	char c = 0;
	int r = 0;

	if (write(sock, &self, sizeof(self)) != (ssize_t)sizeof(self) || read(sock, &c, 1) != 1)
		return HP_EXIT_FAILED;
	r = hp_launch_seize(pid, &err);
	if (r < 0)
		return hp_out_fail(&err, false);
	if (write(sock, &c, 1) != 1)
		return HP_EXIT_FAILED;
	(void)close(sock);
	r = hp_launch_hold(pid, &launch, &err);
	if (r < 0)
		return hp_out_fail(&err, false);
	r = apply_all(pid, packages, &err);
	if (r == 0)
		r = hp_launch_go(&launch, &err);
	if (r < 0) { /* the message first: whoever waits for the program shall find it */
		r = hp_out_fail(&err, false);
		hp_launch_exit(&launch, r);
	}
	hp_launch_release(&launch);
	return r;
}

/* Fork twice. 0 in the program's process, with the helper's process id; 1 in the helper. Each side keeps its own end. */
static int
make_helper(const int socks[2], pid_t *ret_helper, struct hp_err *err)
{
	pid_t pid = fork();

	if (pid < 0)
		return hp_err_set(err, HP_E_IO, "cannot make a process: %s", strerror(errno));
	if (pid == 0) {
		pid = fork();
		if (pid != 0)
			_exit(pid < 0);
		(void)close(socks[0]);
		return 1;
	}
	(void)close(socks[1]);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (read(socks[0], ret_helper, sizeof(*ret_helper)) != (ssize_t)sizeof(*ret_helper))
		return hp_err_set(err, HP_E_IO, "cannot make a process");
	return 0;
}

/* Where Yama restricts ptrace(2) to ancestors, the helper is let in; that ends when it ends. */
static int
become(char **args, int sock, pid_t helper, struct hp_err *err)
{
	char c = 'k';

	(void)prctl(PR_SET_PTRACER, helper, 0, 0, 0);
	if (write(sock, &c, 1) != 1 || read(sock, &c, 1) != 1)
		return hp_err_set(err, HP_E_IO, "the helper of this command ended");
	(void)execvp(args[0], args);
	return hp_err_set(err, HP_E_IO, "cannot run '%s'", hp_esc(args[0]));
}

static int
run(char **args, struct hp_err *err)
{
	__attribute__((cleanup(packages_auto))) struct packages packages = { .cnt = 0 };
	pid_t pid = getpid(), helper;
	int socks[2];
	int r = verify_all(&packages, err);

	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks) < 0)
		return hp_err_set(err, HP_E_IO, "cannot make a socket");
	r = make_helper(socks, &helper, err);
	if (r == 1)
		return help(pid, socks[1], &packages);
	return r == 0 ? become(args, socks[0], helper, err) : r;
}

int
hp_cmd_run(int argc, char **argv)
{
	struct hp_err err = { 0 };
	int first, r = hp_opts_parse(opts, &usage, argc, argv, &first);

	if (r >= 0)
		return r;
	if (arg_packages.cnt == 0)
		return hp_usage_error("run", "--package is missing");
	if (arg_require < 1 || arg_require > HP_PKG_SIGS_MAX)
		return hp_usage_error("run", "--require wants a number from 1 to %u", HP_PKG_SIGS_MAX);
	if (arg_timeout > 3600000)
		return hp_usage_error("run", "--timeout wants at most an hour (3600000)");
	r = run(argv + first, &err);
	return r < 0 ? hp_out_fail(&err, false) : r;
}
