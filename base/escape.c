#include "base/escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* No C1 control, and no character that reorders or hides text (Unicode: Bidi_Control, Default_Ignorable, noncharacters). */
static bool
is_calm(uint32_t cp)
{
	static const struct {
		uint32_t first, last;
	} bad[] = {
		{ 0x80, 0x9f },     { 0xad, 0xad },     { 0x61c, 0x61c },   { 0x180e, 0x180e },
		{ 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0xfe00, 0xfe0f },
		{ 0xfeff, 0xfeff }, { 0xfff0, 0xfffb }, { 0xfffe, 0xffff }, { 0xe0000, 0xe0fff },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (cp >= bad[i].first && cp <= bad[i].last)
			return false;
	return true;
}

/* Length of the well-formed, harmless UTF-8 sequence at ${p}, 0 if there is none (RFC 3629 table 3-7 bounds). */
static size_t
utf8_len(const uint8_t *p, size_t len)
{
	uint32_t cp;
	size_t n;

	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		n = 2, cp = p[0] & 0x1f;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		n = 3, cp = p[0] & 0x0f;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		n = 4, cp = p[0] & 0x07;
	else
		return 0;
	if (n > len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | (p[i] & 0x3f);
	}
	if ((n == 3 && cp < 0x800) || (n == 4 && (cp < 0x10000 || cp > 0x10ffff)) || (cp >= 0xd800 && cp <= 0xdfff))
		return 0;
	return is_calm(cp) ? n : 0;
}

struct hp_escaped
hp_escape_strn(const char *s, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	struct hp_escaped e = { { 0 } };
	const uint8_t *p = (const uint8_t *)s;
	const size_t room = HP_ESCAPE_LEN - 4; /* keeps "..." and the terminator */
	size_t o = 0;

	for (size_t i = 0; i < len;) {
		size_t n = p[i] >= 0x20 && p[i] < 0x7f ? 1 : utf8_len(p + i, len - i);
		bool raw = n > 0 && p[i] != '\\';
		size_t need = raw ? n : p[i] == '\\' ? 2 : 4;

		if (o + need > room) {
			memcpy(e.text + o, "...", 3);
			break;
		}
		if (raw) {
			memcpy(e.text + o, p + i, n);
			i += n;
		} else if (p[i] == '\\') {
			memcpy(e.text + o, "\\\\", 2);
			i++;
		} else {
			e.text[o] = '\\';
			e.text[o + 1] = 'x';
			e.text[o + 2] = hex[p[i] >> 4];
			e.text[o + 3] = hex[p[i] & 15];
			i++;
		}
		o += need;
	}
	return e;
}

struct hp_escaped
hp_escape_str(const char *s)
{
	return s == NULL ? hp_escape_strn("(null)", 6) : hp_escape_strn(s, strlen(s));
}
