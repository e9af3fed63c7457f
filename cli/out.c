#include "cli/out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"
#include "cli/cmd.h"
#include "cli/opts.h"

static bool arg_write_failed;
static int arg_write_errno;

static void
saw_write(bool ok)
{
	if (!ok && !arg_write_failed) {
		arg_write_failed = true;
		arg_write_errno = errno;
	}
}

void
hp_out(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	saw_write(vfprintf(stdout, fmt, ap) >= 0);
	va_end(ap);
}

void
hp_out_bytes(const void *p, size_t len)
{
	saw_write(fwrite(p, 1, len, stdout) == len);
}

void
hp_out_lines(const void *p, size_t len)
{
	const char *s = p;
	bool term = isatty(STDOUT_FILENO) == 1;

	for (size_t i = 0; i < len && term; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '\t' || c == '\n' || (c >= ' ' && c < 0x7f))
			hp_out("%c", c);
		else
			hp_out("\\x%02x", c);
	}
	if (!term)
		hp_out_bytes(p, len);
}

void
hp_out_json(json_t *value)
{
	char *text = json_dumps(value, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_ENSURE_ASCII);

	if (text != NULL) {
		hp_out("%s\n", text);
	} else {
		errno = ENOMEM;
		saw_write(false);
	}
	free(text);
	json_decref(value);
}

json_t *
hp_json_text(const char *s)
{
	json_t *value = json_string(s);

	return value != NULL ? value : json_string(hp_esc(s));
}

static void __attribute__((format(printf, 3, 0)))
message(const char *sgr, const char *label, const char *fmt, va_list ap)
{
	(void)fflush(stdout);
	(void)fprintf(stderr, "hpbuild: %s%s%s", hp_color(sgr), label, hp_color("0"));
	(void)vfprintf(stderr, fmt, ap);
	(void)fputc('\n', stderr);
}

void
hp_note(const char *fmt, ...)
{
	va_list ap;

	if (hp_arg_quiet > 0)
		return;
	va_start(ap, fmt);
	message("", "", fmt, ap);
	va_end(ap);
}

void
hp_debug(const char *fmt, ...)
{
	va_list ap;

	if (hp_arg_verbose == 0)
		return;
	va_start(ap, fmt);
	message("", "", fmt, ap);
	va_end(ap);
}

void
hp_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message("1;33", "warning: ", fmt, ap);
	va_end(ap);
}

int
hp_usage_error(const char *verb, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message("1;31", "", fmt, ap);
	va_end(ap);
	(void)fprintf(stderr, "hpbuild: see 'hpbuild %s --help'\n", verb);
	return HP_EXIT_USAGE;
}

int
hp_exit_status(int code)
{
	switch ((enum hp_code)code) {
	case HP_OK:
		return HP_EXIT_OK;
	case HP_E_USAGE:
		return HP_EXIT_USAGE;
	case HP_E_NOTHING:
		return HP_EXIT_NOTHING;
	case HP_E_REFUSED:
		return HP_EXIT_REFUSED;
	case HP_E_BASELINE:
		return HP_EXIT_BASELINE;
	case HP_E_SIG:
		return HP_EXIT_SIGNATURE;
	case HP_E_FORMAT:
	case HP_E_LIMIT:
	case HP_E_ARCH:
		return HP_EXIT_FORMAT;
	case HP_E_EXPIRED:
		return HP_EXIT_EXPIRED;
	case HP_E_BUSY:
		return HP_EXIT_BUSY;
	case HP_E_UNPATCHABLE:
		return HP_EXIT_UNPATCHABLE;
	case HP_E_UNDO:
		return HP_EXIT_UNDO;
	case HP_E_IO:
	case HP_E_NOMEM:
	case HP_E_INTERNAL:
		break;
	}
	return HP_EXIT_FAILED;
}

static void __attribute__((format(printf, 3, 4)))
message_text(const char *sgr, const char *label, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(sgr, label, fmt, ap);
	va_end(ap);
}

int
hp_out_fail(const struct hp_err *err, bool json)
{
	char text[HP_ERR_FRAMES * HP_ERR_TEXT];
	int status = hp_exit_status(err->code);

	hp_err_format(err, text, sizeof(text));
	message_text("1;31", "error: ", "%s", text);
	for (unsigned i = 0; hp_arg_verbose > 0 && i < err->cnt; i++)
		message_text("", "", "  at %s:%d: %s", err->frame[i].file, err->frame[i].line, err->frame[i].text);
	if (json)
		hp_out_json(json_pack("{s:s, s:{s:s, s:i, s:s, s:s}}", "schema", "hpbuild.error/1", "error", "code",
		                      hp_err_name(err->code), "exit", status, "meaning", hp_err_meaning(err->code), "message",
		                      text));
	return status;
}

int
hp_out_finish(int status)
{
	saw_write(fflush(stdout) == 0);
	if (!arg_write_failed)
		return status;
	(void)fprintf(stderr, "hpbuild: error: cannot write to standard output: %s\n", strerror(arg_write_errno));
	return status == HP_EXIT_OK ? HP_EXIT_FAILED : status;
}

const char *
hp_color(const char *sgr)
{
	/* The few sequences in use; a table keeps this free of buffers. */
	static const char *const known[][2] = {
		{ "0", "\033[0m" },       { "1", "\033[1m" },       { "1;31", "\033[1;31m" },
		{ "1;32", "\033[1;32m" }, { "1;33", "\033[1;33m" },
	};
	const char *no = getenv("NO_COLOR");

	if (strcmp(hp_arg_color, "never") == 0)
		return "";
	if (strcmp(hp_arg_color, "always") != 0 && ((no != NULL && no[0] != '\0') || !isatty(STDERR_FILENO)))
		return "";
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i][0], sgr) == 0)
			return known[i][1];
	return "";
}

void
hp_progress(size_t done, size_t total, const char *what)
{
	if (hp_arg_quiet > 0 || !isatty(STDERR_FILENO))
		return;
	if (done >= total)
		(void)fputs("\r\033[K", stderr);
	else
		(void)fprintf(stderr, "\r\033[K%zu/%zu %s", done, total, what);
	(void)fflush(stderr);
}

void
hp_prompt(const char *text, bool answered)
{
	(void)fputs(answered ? "\n" : text, stderr);
	if (!answered)
		(void)fputs(": ", stderr);
	(void)fflush(stderr);
}
