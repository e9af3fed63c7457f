#include "cli/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "cli/out.h"

#define TAIL_LEN 4096

/* Set by SIGINT, SIGTERM, SIGHUP: the running command gets the terminal's signal too; we only have to clean up behind it. */
static volatile sig_atomic_t arg_interrupted;

static void
on_signal(int sig)
{
	arg_interrupted = sig;
}

void
hp_command_catch(struct hp_command_signals *ret_old)
{
	static const int sigs[3] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction sa = { .sa_handler = on_signal };

	arg_interrupted = 0;
	for (int i = 0; i < 3; i++)
		(void)sigaction(sigs[i], &sa, &ret_old->v[i]);
}

void
hp_command_restore(const struct hp_command_signals *old)
{
	static const int sigs[3] = { SIGINT, SIGTERM, SIGHUP };

	for (int i = 0; i < 3; i++)
		(void)sigaction(sigs[i], &old->v[i], NULL);
}

bool
hp_command_was_interrupted(void)
{
	return arg_interrupted != 0;
}

void
hp_command_forget(void)
{
	arg_interrupted = 0;
}

static void
show_tail(const char *log)
{
	HP_AUTO(hp_stdio) FILE *f = fopen(log, "re");
	char buf[TAIL_LEN + 1];
	size_t n;

	if (f == NULL || fseek(f, 0, SEEK_END) < 0)
		return;
	(void)fseek(f, ftell(f) > TAIL_LEN ? -TAIL_LEN : -ftell(f), SEEK_END);
	n = fread(buf, 1, TAIL_LEN, f);
	buf[n] = '\0';
	hp_warn("the command's last words:\n%s", buf);
}

/* Run ${argv} in ${dir}, output appended to ${log}. Returns the wait status, or a negative code. */
static int
start_and_wait(const char *dir, char *const *argv, const char *log, struct hp_err *err)
{
	HP_AUTO(hp_fd) int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	int status;
	pid_t pid;

	if (fd < 0)
		return hp_err_set(err, HP_E_IO, "cannot write '%s'", hp_esc(log));
	pid = fork();
	if (pid < 0)
		return hp_err_set(err, HP_E_IO, "cannot start '%s'", hp_esc(argv[0]));
	if (pid == 0) {
		int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

		(void)signal(SIGINT, SIG_DFL);
		(void)signal(SIGTERM, SIG_DFL);
		(void)signal(SIGHUP, SIG_DFL);
		if (null >= 0 && chdir(dir) == 0 && dup2(null, 0) >= 0 && dup2(fd, 1) >= 0 && dup2(fd, 2) >= 0)
			(void)execvp(argv[0], argv);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return hp_err_set(err, HP_E_IO, "cannot wait for '%s'", hp_esc(argv[0]));
	return status;
}

int
hp_command_run(const char *dir, char *const *argv, const char *log, const char *what, struct hp_err *err)
{
	int status = start_and_wait(dir, argv, log, err);

	if (status < 0)
		return status;
	if (status != 0 && !arg_interrupted)
		show_tail(log);
	errno = 0; /* a command's failure is no system call's */
	if (arg_interrupted)
		return hp_err_set(err, HP_E_IO, "interrupted by signal %d during %s", (int)arg_interrupted, what);
	if (status == 0)
		return 0;
	errno = 0; /* the command's fault, not a system call's */
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return hp_err_set(err, HP_E_IO, "%s: cannot run '%s'", what, hp_esc(argv[0]));
	return hp_err_set(err, HP_E_IO, "%s: '%s' ended with %s %d (log: %s)", what, hp_esc(argv[0]),
	                  WIFEXITED(status) ? "status" : "signal", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status),
	                  hp_esc(log));
}
