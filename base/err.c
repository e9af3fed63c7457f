#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	int code;
	const char *name, *meaning;
} codes[] = {
	{ HP_OK, "HP_OK", "no error" },
	{ HP_E_IO, "HP_E_IO", "input/output failed" },
	{ HP_E_NOMEM, "HP_E_NOMEM", "out of memory" },
	{ HP_E_FORMAT, "HP_E_FORMAT", "malformed input" },
	{ HP_E_LIMIT, "HP_E_LIMIT", "input exceeds a limit" },
	{ HP_E_ARCH, "HP_E_ARCH", "unsupported CPU or relocation" },
	{ HP_E_REFUSED, "HP_E_REFUSED", "this change needs a restart" },
	{ HP_E_NOTHING, "HP_E_NOTHING", "nothing to patch" },
	{ HP_E_BASELINE, "HP_E_BASELINE", "baseline mismatch" },
	{ HP_E_SIG, "HP_E_SIG", "signature missing, wrong or not trusted" },
	{ HP_E_EXPIRED, "HP_E_EXPIRED", "expired or too old" },
	{ HP_E_BUSY, "HP_E_BUSY", "target busy, gone or modified by someone else" },
	{ HP_E_UNPATCHABLE, "HP_E_UNPATCHABLE", "this target cannot be patched" },
	{ HP_E_UNDO, "HP_E_UNDO", "a failure could not be undone" },
	{ HP_E_USAGE, "HP_E_USAGE", "wrong usage" },
	{ HP_E_INTERNAL, "HP_E_INTERNAL", "internal error" },
};

static void __attribute__((format(printf, 4, 0)))
fill_frame(struct hp_err_frame *f, const char *file, int line, const char *fmt, va_list ap)
{
	f->file = file;
	f->line = line;
	(void)vsnprintf(f->text, sizeof(f->text), fmt, ap);
}

int
hp_err_set_at(struct hp_err *err, int code, const char *file, int line, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	if (err == NULL)
		return code;
	err->code = code;
	err->sys_errno = code == HP_E_IO ? saved : 0;
	err->cnt = 1;
	va_start(ap, fmt);
	fill_frame(&err->frame[0], file, line, fmt, ap);
	va_end(ap);
	errno = saved;
	return code;
}

int
hp_err_add_at(struct hp_err *err, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	if (err == NULL)
		return HP_E_INTERNAL;
	if (err->cnt < HP_ERR_FRAMES) {
		va_start(ap, fmt);
		fill_frame(&err->frame[err->cnt++], file, line, fmt, ap);
		va_end(ap);
	}
	return err->code;
}

void
hp_err_format(const struct hp_err *err, char *buf, size_t len)
{
	size_t used = 0;

	if (len == 0)
		return;
	buf[0] = '\0';
	for (unsigned i = err->cnt; i-- > 0 && used + 1 < len;) {
		int n = snprintf(buf + used, len - used, "%s%s", used ? ": " : "", err->frame[i].text);

		used = n < 0 || (size_t)n >= len - used ? len - 1 : used + (size_t)n;
	}
	if (err->sys_errno != 0 && used + 1 < len)
		(void)snprintf(buf + used, len - used, "%s%s", used ? ": " : "", strerror(err->sys_errno));
}

const char *
hp_err_name(int code)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].code == code)
			return codes[i].name;
	return "?";
}

const char *
hp_err_meaning(int code)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].code == code)
			return codes[i].meaning;
	return "?";
}
