#include "cli/passphrase.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/out.h"

/* For the signal handler: the terminal's mode before echo was turned off. */
static struct termios arg_saved_mode;

static void
restore_and_die(int sig)
{
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &arg_saved_mode);
	(void)raise(sig); /* SA_RESETHAND: the default action now */
}

static int
read_without_echo(struct hp_secret *s, struct hp_err *err)
{
	static const int sigs[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction act = { .sa_handler = restore_and_die, .sa_flags = (int)SA_RESETHAND }, old[4];
	struct termios mode;
	int r;

	if (tcgetattr(STDIN_FILENO, &arg_saved_mode) < 0)
		return hp_err_set(err, HP_E_IO, "cannot read the terminal's mode");
	mode = arg_saved_mode;
	mode.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	for (size_t i = 0; i < 4; i++)
		(void)sigaction(sigs[i], &act, &old[i]);
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &mode) < 0)
		r = hp_err_set(err, HP_E_IO, "cannot turn the terminal's echo off");
	else
		r = hp_secret_read_line(STDIN_FILENO, s, err);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &arg_saved_mode);
	for (size_t i = 0; i < 4; i++)
		(void)sigaction(sigs[i], &old[i], NULL);
	return r;
}

static int
ask(const char *prompt, struct hp_secret **ret, struct hp_err *err)
{
	int r = hp_secret_new(HP_PASSPHRASE_MAX, ret, err);

	if (r < 0)
		return r;
	hp_prompt(prompt, false);
	r = read_without_echo(*ret, err);
	hp_prompt(prompt, true);
	return r;
}

static int
ask_terminal(bool confirm, const char *hint, struct hp_secret **ret, struct hp_err *err)
{
	HP_AUTO(hp_secret) struct hp_secret *again = NULL;
	int r;

	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return hp_err_set(err, HP_E_USAGE, "a passphrase is needed, and there is no terminal to ask: use %s", hint);
	r = ask("Passphrase of the secret key", ret, err);
	if (r == 0 && confirm && (*ret)->len == 0)
		return hp_err_set(err, HP_E_USAGE, "empty passphrase: use --no-passphrase if that is meant");
	if (r == 0 && confirm)
		r = ask("The same again", &again, err);
	if (r == 0 && again != NULL && (again->len != (*ret)->len || memcmp(again->p, (*ret)->p, again->len) != 0))
		r = hp_err_set(err, HP_E_USAGE, "the two passphrases differ");
	return r;
}

int
hp_cli_passphrase(uint64_t fd, bool confirm, const char *hint, struct hp_secret **ret, struct hp_err *err)
{
	HP_AUTO(hp_secret) struct hp_secret *s = NULL;
	int r;

	if (fd == HP_NO_FD) {
		r = ask_terminal(confirm, hint, &s, err);
	} else if (fd > INT_MAX) {
		return hp_err_set(err, HP_E_USAGE, "--passphrase-fd: no such file descriptor");
	} else {
		r = hp_secret_new(HP_PASSPHRASE_MAX, &s, err);
		if (r == 0)
			r = hp_secret_read_line((int)fd, s, err);
		if (r == 0 && s->len == 0)
			r = hp_err_set(err, HP_E_USAGE, "--passphrase-fd: got an empty passphrase");
		if (r < 0)
			(void)hp_err_add(err, "reading the passphrase");
	}
	if (r < 0)
		return r;
	*ret = s;
	s = NULL;
	return 0;
}

int
hp_cli_seckey(const char *path, uint64_t fd, struct hp_seckey **ret, struct hp_err *err)
{
	HP_AUTO(hp_seckey_file) struct hp_seckey_file *file = NULL;
	HP_AUTO(hp_secret) struct hp_secret *pass = NULL;
	int r = hp_seckey_open(path, &file, err);

	if (r == 0 && file->encrypted)
		r = hp_cli_passphrase(fd, false, "--passphrase-fd", &pass, err);
	return r == 0 ? hp_seckey_unlock(file, pass, ret, err) : r;
}
