/* An object that is not what the baseline was linked from: what is different, and what is the likely reason.
 *
 * The reason is a help for whoever has to find the right build: compilers leave their names in .comment, and with debug
 * information also their flags (DW_AT_producer, DWARF 5 section 3.1.1) for each source file. Nothing is decided by it. */
#include "packager/internal.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/escape.h"
#include "formats/dwarf_info.h"

enum { TEXT = 300, FLAGS = 100 };

static const struct hp_dwarf_unit *
find_unit(struct hp_dwarf *dw, const char *name)
{
	const struct hp_dwarf_unit *units;
	size_t cnt;

	if (dw == NULL || hp_dwarf_units(dw, &units, &cnt, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < cnt; i++)
		if (name == NULL || strcmp(units[i].name, name) == 0)
			return &units[i];
	return NULL;
}

/* "GNU C17 12.2.0 -march=x86-64 -g -O2": where the flags begin. */
static size_t
name_len(const char *producer)
{
	const char *flags = strstr(producer, " -");

	return flags != NULL ? (size_t)(flags - producer) : strlen(producer);
}

static bool
has_word(const char *text, const char *word, size_t len)
{
	for (const char *p = text; (p = strstr(p, " -")) != NULL; p++)
		if (strncmp(p + 1, word, len) == 0 && (p[1 + len] == ' ' || p[1 + len] == '\0'))
			return true;
	return false;
}

/* Flags that do not change code. */
static bool
is_path(const char *flag, size_t len)
{
	return memmem(flag, len, "-prefix-map=", 12) != NULL;
}

/* Flags of ${a} that ${b} lacks. */
static void
list_flags(const char *a, const char *b, char *ret)
{
	size_t used = 0;

	ret[0] = '\0';
	for (const char *p = strstr(a, " -"); p != NULL; p = strstr(p + 1, " -")) {
		size_t len = strcspn(p + 1, " ");

		if (has_word(b, p + 1, len) || is_path(p + 1, len) || used + len + 2 > FLAGS)
			continue;
		used += (size_t)snprintf(ret + used, FLAGS - used, "%s%.*s", used > 0 ? " " : "", (int)len, p + 1);
	}
}

/* Both sides with debug information of this source file. */
static bool
by_producer(const char *object, const char *base, char *ret)
{
	char more[FLAGS], less[FLAGS];

	if (object[0] == '\0' || base[0] == '\0')
		return false;
	if (name_len(object) != name_len(base) || strncmp(object, base, name_len(object)) != 0) {
		(void)snprintf(ret, TEXT, "another compiler: '%.*s' made the object, '%.*s' the baseline",
		               (int)name_len(object) > 120 ? 120 : (int)name_len(object), object,
		               (int)name_len(base) > 120 ? 120 : (int)name_len(base), base);
		return true;
	}
	list_flags(object, base, more);
	list_flags(base, object, less);
	if (more[0] == '\0' && less[0] == '\0')
		(void)snprintf(ret, TEXT, "another source: compiler and flags are the same");
	else
		(void)snprintf(ret, TEXT, "other flags: the object has '%s', the baseline '%s'", more, less);
	return true;
}

static struct hp_view
comment_of(const struct hp_elf *elf)
{
	uint32_t idx = hp_elf_find_sec(elf, ".comment");

	return idx != HP_NONE ? elf->secs[idx].data : hp_view_of(NULL, 0);
}

/* The next string of a section of strings; NULL at the end. */
static const char *
next_string(struct hp_view v, uint64_t *pos)
{
	while (*pos < v.len) {
		const char *s = hp_view_str(v, *pos);

		if (s == NULL)
			return NULL;
		*pos += strlen(s) + 1;
		if (s[0] != '\0')
			return s;
	}
	return NULL;
}

/* The first string of ${a} that ${b} has not; linkers sign as well and are left out. */
static const char *
only_in(struct hp_view a, struct hp_view b)
{
	const char *mine, *theirs;
	uint64_t i = 0;

	while ((mine = next_string(a, &i)) != NULL) {
		bool hit = strncmp(mine, "Linker: ", 8) == 0;
		uint64_t j = 0;

		while (!hit && (theirs = next_string(b, &j)) != NULL)
			hit = strcmp(mine, theirs) == 0;
		if (!hit)
			return mine;
	}
	return NULL;
}

/* The start files of a module are often another compiler's, so one that the object does not name means less: only when most
 * functions are ${unlike}. */
static bool
by_comment(const struct hp_elf *object, const struct hp_elf *base, bool unlike, char *ret)
{
	struct hp_view a = comment_of(object), b = comment_of(base);
	const char *mine = b.len > 0 ? only_in(a, b) : NULL, *theirs = only_in(b, a);

	if (mine != NULL && theirs != NULL)
		(void)snprintf(ret, TEXT, "another compiler: '%.120s' made the object, '%.120s' the baseline", mine, theirs);
	else if (mine != NULL)
		(void)snprintf(ret, TEXT, "another compiler: '%.120s' made the object, but no part of the baseline", mine);
	else if (theirs != NULL && unlike)
		(void)snprintf(ret, TEXT,
		               "other flags, another source or another compiler: the baseline also has code by '%.120s'", theirs);
	else
		return false;
	return true;
}

static uint32_t
count(const struct hp_pk_obj *obj, enum hp_func_state state)
{
	const struct hp_parts *parts = obj->pair->old_obj->parts;
	uint32_t n = 0;

	for (uint32_t i = 0; i < parts->cnt; i++)
		n += parts->v[i].kind == HP_PART_FUNC && parts->v[i].len > 0 && obj->places[i].state == state;
	return n;
}

static void
likely_cause(const struct hp_pk *pk, const struct hp_pk_obj *obj, char *ret)
{
	HP_AUTO(hp_dwarf) struct hp_dwarf *dw = NULL, *base_dw = NULL;
	uint32_t equal = count(obj, HP_FUNC_PROVEN), other = count(obj, HP_FUNC_MISMATCH);
	struct hp_elf *elf = obj->pair->old_obj->elf;
	const struct hp_dwarf_unit *unit, *base;

	/* What cannot be read says nothing. */
	if (hp_dwarf_open(elf, &dw, NULL) <= 0)
		dw = NULL;
	if (hp_dwarf_open(pk->mod->debug != NULL ? pk->mod->debug : pk->mod->elf, &base_dw, NULL) <= 0)
		base_dw = NULL;
	unit = find_unit(dw, NULL);
	base = unit != NULL ? find_unit(base_dw, unit->name) : NULL;
	if ((base != NULL && by_producer(unit->producer, base->producer, ret)) ||
	    by_comment(elf, pk->mod->elf, equal <= other, ret))
		return;
	if (equal > 0 && equal > other)
		(void)snprintf(ret, TEXT, "another source: %" PRIu32 " functions of this object are equal, %" PRIu32 " %s", equal,
		               other, other == 1 ? "differs" : "differ");
	else
		(void)snprintf(ret, TEXT,
		               "other flags or another source: %" PRIu32 " functions of this object are equal, %" PRIu32 " %s",
		               equal, other, other == 1 ? "differs" : "differ");
}

static int
say_cause(const struct hp_pk *pk, const struct hp_pk_obj *obj, struct hp_err *err)
{
	char cause[TEXT];

	likely_cause(pk, obj, cause);
	(void)hp_err_set(err, HP_E_BASELINE,
	                 "rebuild the original objects from the baseline's source with its compiler and flags, or give the "
	                 "baseline that they belong to");
	return hp_err_add(err, "likely cause: %s", hp_esc(cause));
}

int
hp_say_contradiction(const struct hp_pk *pk, const struct hp_pk_obj *obj, struct hp_err *err)
{
	char text[HP_ERR_TEXT];

	hp_err_format(err, text, sizeof(text));
	(void)say_cause(pk, obj, err);
	return hp_err_add(err, "'%s': %s", hp_esc(obj->pair->path), text);
}

int
hp_say_mismatch(const struct hp_pk *pk, const struct hp_pk_obj *obj, uint32_t i, struct hp_err *err)
{
	const struct hp_parts *parts = obj->pair->old_obj->parts;
	const struct hp_place *place = &obj->places[i];
	const struct hp_preimage_diff *d = place->diff;

	(void)say_cause(pk, obj, err);
	if (parts->v[i].kind != HP_PART_FUNC)
		return hp_err_add(err, "'%s': constant '%s' differs from the baseline at 0x%" PRIx64 " (byte +0x%" PRIx64 ")",
		                  hp_esc(obj->pair->path), hp_esc(hp_part_name(parts, i)), place->va, d->off);
	return hp_err_add(err,
	                  "'%s': function '%s'+0x%" PRIx64 " is '%s' in the object, but '%s' in the baseline (0x%" PRIx64 "): %s",
	                  hp_esc(obj->pair->path), hp_esc(hp_part_name(parts, i)), d->off, d->old_text, d->base_text,
	                  place->va + d->off, d->cause);
}

int
hp_say_none(const struct hp_pk *pk, const struct hp_pk_obj *obj, struct hp_err *err)
{
	char cause[TEXT] = "another source, another compiler or other flags";
	bool known = by_comment(obj->pair->old_obj->elf, pk->mod->elf, true, cause);

	(void)hp_err_set(err, HP_E_BASELINE, "%s%s", known ? "likely cause: " : "it may have been built from ", hp_esc(cause));
	return hp_err_add(err, "none of the changed objects ('%s' ...) is part of '%s'%s", hp_esc(obj->pair->path),
	                  hp_esc(pk->base->path),
	                  !pk->mod->has_symtab ? ", as far as can be seen without its symbols (give its --debug-file)" : "");
}
