#include "cli/external.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/escape.h"
#include "formats/hash.h"
#include "formats/limits.h"

struct pipes {
	int in[2], out[2];
};

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static void
pipes_auto(struct pipes *p)
{
	for (int i = 0; i < 2; i++) {
		close_fd(&p->in[i]);
		close_fd(&p->out[i]);
	}
}

static int
spawn(const char *command, const struct pipes *p, pid_t *ret, struct hp_err *err)
{
	char *const argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, strdup(command), NULL };
	posix_spawn_file_actions_t acts;
	int r = argv[2] != NULL ? posix_spawn_file_actions_init(&acts) : ENOMEM;

	if (r == 0) {
		r = posix_spawn_file_actions_adddup2(&acts, p->in[0], STDIN_FILENO);
		if (r == 0)
			r = posix_spawn_file_actions_adddup2(&acts, p->out[1], STDOUT_FILENO);
		if (r == 0)
			r = posix_spawn(ret, "/bin/sh", &acts, NULL, argv, environ);
		(void)posix_spawn_file_actions_destroy(&acts);
	}
	free(argv[2]);
	errno = r;
	return r == 0 ? 0 : hp_err_set(err, HP_E_IO, "cannot run the signer '%s'", hp_esc(command));
}

/* Everything that the signer prints, up to a limit. The digest fits into the pipe, so writing first cannot block for ever. */
static int
talk(struct pipes *p, const char *hex, struct hp_buf *ret, struct hp_err *err)
{
	int r = hp_buf_reserve(ret, (size_t)HP_KEY_FILE_LEN_MAX + 1, err);
	ssize_t n;

	if (r < 0)
		return r;
	close_fd(&p->in[0]);
	close_fd(&p->out[1]);
	/* EPIPE: a signer that does not read has its reasons; what it prints decides. */
	if (write(p->in[1], hex, strlen(hex)) < 0 && errno != EPIPE)
		return hp_err_set(err, HP_E_IO, "cannot write to the signer");
	close_fd(&p->in[1]);
	while (ret->len <= HP_KEY_FILE_LEN_MAX) {
		n = read(p->out[0], ret->p + ret->len, (size_t)HP_KEY_FILE_LEN_MAX + 1 - ret->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return hp_err_set(err, HP_E_IO, "cannot read from the signer");
		if (n == 0)
			return 0;
		ret->len += (size_t)n;
	}
	return hp_err_set(err, HP_E_FORMAT, "the signer prints more than a signature");
}

static int
wait_for(pid_t pid, struct hp_err *err)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return hp_err_set(err, HP_E_IO, "cannot wait for the signer");
	errno = 0;
	if (WIFSIGNALED(status))
		return hp_err_set(err, HP_E_IO, "the signer was killed by signal %d", WTERMSIG(status));
	return WEXITSTATUS(status) == 0 ? 0 : hp_err_set(err, HP_E_IO, "the signer ended with status %d", WEXITSTATUS(status));
}

static int
read_answer(struct hp_view text, const uint8_t *key_id, struct hp_sig_record *ret, struct hp_err *err)
{
	struct hp_minisig sig;
	char hex[2 * HP_SIG_LEN + 1];

	if (text.len > 0 && text.p[text.len - 1] == '\n' && text.len == sizeof(hex))
		text.len--;
	if (text.len == sizeof(hex) - 1) {
		memcpy(hex, text.p, text.len);
		hex[text.len] = '\0';
		memcpy(ret->key_id, key_id, sizeof(ret->key_id));
		if (hp_unhex(hex, HP_SIG_LEN, ret->sig))
			return 0;
	}
	if (hp_minisign_read_sig(text, &sig, NULL) < 0)
		return hp_err_set(err, HP_E_FORMAT,
		                  "the signer printed %zu bytes that are no signature (128 hexadecimal digits, or a file of "
		                  "minisign)",
		                  text.len);
	*ret = sig.rec;
	return 0;
}

int
hp_external_sign(const char *command, const uint8_t *key_id, const uint8_t digest[64], struct hp_sig_record *ret,
                 struct hp_err *err)
{
	HP_AUTO(pipes) struct pipes p = { { -1, -1 }, { -1, -1 } };
	HP_AUTO(hp_buf) struct hp_buf answer = { 0 };
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
	char hex[130], id[17];
	pid_t pid;
	int r, waited;

	hp_hex(digest, 64, hex);
	hex[128] = '\n';
	hex[129] = '\0';
	hp_key_id_text(key_id, id);
	if (setenv("HPBUILD_KEY_ID", id, 1) < 0)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	if (pipe2(p.in, O_CLOEXEC) < 0 || pipe2(p.out, O_CLOEXEC) < 0)
		return hp_err_set(err, HP_E_IO, "cannot make a pipe");
	r = spawn(command, &p, &pid, err);
	if (r < 0)
		return r;
	(void)sigaction(SIGPIPE, &ignore, &old);
	r = talk(&p, hex, &answer, err);
	pipes_auto(&p);
	waited = wait_for(pid, r == 0 ? err : NULL);
	(void)sigaction(SIGPIPE, &old, NULL);
	if (r == 0)
		r = waited;
	return r == 0 ? read_answer(hp_buf_view(&answer), key_id, ret, err) : r;
}
