#include "signer/policy.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/escape.h"
#include "formats/hash.h"
#include "formats/limits.h"
#include "formats/minisign.h"

/* Lists grow in the arena: room for the most that is allowed would be large, so count first. */
static size_t
count_lines(struct hp_view text)
{
	size_t cnt = 1;

	for (size_t i = 0; i < text.len; i++)
		cnt += text.p[i] == '\n';
	return cnt;
}

static int
add_name(struct hp_policy *p, const char *value, struct hp_arena *arena, struct hp_err *err)
{
	const char *copy;

	if (strlen(value) > HP_NAME_LEN_MAX || p->names_cnt == HP_POLICY_LIST_MAX)
		return hp_err_set(err, HP_E_LIMIT, "too long a name, or more than %u", HP_POLICY_LIST_MAX);
	copy = hp_arena_strdup(arena, value);
	if (copy == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for a policy");
	p->names[p->names_cnt++] = copy;
	return 0;
}

static int
add_baseline(struct hp_policy *p, const char *value, struct hp_err *err)
{
	struct hp_policy_id id = { .len = (uint32_t)(strlen(value) / 2) };

	if (p->baselines_cnt == HP_POLICY_LIST_MAX)
		return hp_err_set(err, HP_E_LIMIT, "more than %u baselines", HP_POLICY_LIST_MAX);
	if (id.len < HP_BUILD_ID_LEN_MIN || id.len > HP_BUILD_ID_LEN_MAX || !hp_unhex(value, id.len, id.id))
		return hp_err_set(err, HP_E_FORMAT, "'%s' is not a build ID", hp_esc(value));
	p->baselines[p->baselines_cnt++] = id;
	return 0;
}

static int
read_time(const char *value, uint64_t *dest, struct hp_err *err)
{
	if (*dest != 0)
		return hp_err_set(err, HP_E_FORMAT, "stands here twice");
	if (!hp_time_parse(value, dest) || *dest == 0)
		return hp_err_set(err, HP_E_FORMAT, "'%s' is not a time like 2026-01-31T00:00:00Z or 2026-01-31", hp_esc(value));
	return 0;
}

static int
read_word(struct hp_policy *p, const char *word, const char *value, struct hp_arena *arena, struct hp_err *err)
{
	if (strcmp(word, "not-before") == 0)
		return read_time(value, &p->not_before, err);
	if (strcmp(word, "not-after") == 0)
		return read_time(value, &p->not_after, err);
	if (strcmp(word, "name") == 0)
		return add_name(p, value, arena, err);
	if (strcmp(word, "baseline") == 0)
		return add_baseline(p, value, err);
	if (strcmp(word, "introduced-by") == 0 && !p->introduced && hp_key_id_parse(value, p->introduced_by)) {
		p->introduced = true;
		return 0;
	}
	return hp_err_set(err, HP_E_FORMAT, "unknown word, or wrong value '%s'", hp_esc(value));
}

/* line: one line without newline, terminated. */
static int
read_line(struct hp_policy *p, char *line, struct hp_arena *arena, struct hp_err *err)
{
	char *value;
	int r;

	if (line[0] == '\0' || line[0] == '#')
		return 0;
	value = strchr(line, ' ');
	if (value == NULL || value[1] == '\0' || value[1] == ' ' || strpbrk(line, "\r\t") != NULL)
		return hp_err_set(err, HP_E_FORMAT, "'%s': expected a word, one blank and a value", hp_esc(line));
	*value++ = '\0';
	r = read_word(p, line, value, arena, err);
	if (r < 0)
		(void)hp_err_add(err, "'%s'", hp_esc(line));
	return r;
}

int
hp_policy_read(struct hp_view text, struct hp_arena *arena, struct hp_policy *ret, struct hp_err *err)
{
	size_t lines = count_lines(text), no = 0;
	struct hp_policy p = { .names = hp_arena_array(arena, lines, sizeof(*p.names)),
		               .baselines = hp_arena_array(arena, lines, sizeof(*p.baselines)) };
	char *copy = hp_arena_strndup(arena, (const char *)text.p, text.len), *line;

	if (p.names == NULL || p.baselines == NULL || copy == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for a policy");
	if (strlen(copy) != text.len)
		return hp_err_set(err, HP_E_FORMAT, "a zero byte");
	while ((line = strsep(&copy, "\n")) != NULL) {
		int r = read_line(&p, line, arena, err);

		no++;
		if (r < 0) {
			(void)hp_err_add(err, "line %zu", no);
			return r;
		}
	}
	if (p.not_after != 0 && p.not_before >= p.not_after)
		return hp_err_set(err, HP_E_FORMAT, "not-after does not come after not-before");
	*ret = p;
	return 0;
}

static int
add_line(struct hp_buf *buf, const char *word, const char *value, struct hp_err *err)
{
	int r = hp_buf_add(buf, word, strlen(word), err);

	if (r == 0)
		r = hp_buf_add(buf, " ", 1, err);
	if (r == 0)
		r = hp_buf_add(buf, value, strlen(value), err);
	return r == 0 ? hp_buf_add(buf, "\n", 1, err) : r;
}

int
hp_policy_write(const struct hp_policy *p, struct hp_buf *ret, struct hp_err *err)
{
	char text[2 * HP_BUILD_ID_LEN_MAX + 1];
	int r = 0;

	if (p->not_before != 0) {
		hp_time_text(p->not_before, text);
		r = add_line(ret, "not-before", text, err);
	}
	if (r == 0 && p->not_after != 0) {
		hp_time_text(p->not_after, text);
		r = add_line(ret, "not-after", text, err);
	}
	for (size_t i = 0; i < p->names_cnt && r == 0; i++) {
		if (p->names[i][0] == '\0' || p->names[i][0] == ' ' || strpbrk(p->names[i], "\r\n\t") != NULL)
			return hp_err_set(err, HP_E_FORMAT, "'%s' cannot stand in a policy", hp_esc(p->names[i]));
		r = add_line(ret, "name", p->names[i], err);
	}
	for (size_t i = 0; i < p->baselines_cnt && r == 0; i++) {
		hp_hex(p->baselines[i].id, p->baselines[i].len, text);
		r = add_line(ret, "baseline", text, err);
	}
	if (r == 0 && p->introduced) {
		hp_key_id_text(p->introduced_by, text);
		r = add_line(ret, "introduced-by", text, err);
	}
	return r;
}

bool
hp_policy_empty(const struct hp_policy *p)
{
	return p->not_before == 0 && p->not_after == 0 && p->names_cnt == 0 && p->baselines_cnt == 0 && !p->introduced;
}

static bool
allows_baseline(const struct hp_policy *p, const struct hp_man_target *t)
{
	for (size_t i = 0; i < p->baselines_cnt; i++)
		if (hp_view_eq(hp_view_of(p->baselines[i].id, p->baselines[i].len), hp_view_of(t->build_id, t->build_id_len)))
			return true;
	return p->baselines_cnt == 0;
}

bool
hp_policy_allows(const struct hp_policy *p, const struct hp_manifest *man)
{
	bool named = p->names_cnt == 0;

	for (size_t i = 0; i < p->names_cnt && !named; i++)
		named = fnmatch(p->names[i], man->name, 0) == 0;
	for (size_t i = 0; i < man->targets_cnt && named; i++)
		named = allows_baseline(p, &man->targets[i]);
	return named;
}
