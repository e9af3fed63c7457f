#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/cleanup.h"
#include "tests/lib/sample_pkg.h"

static int
read_text(const char *text, size_t len)
{
	HP_AUTO(hp_arena) struct hp_arena arena = { 0 };
	struct hp_manifest *man;

	return hp_manifest_read(hp_view_of(text, len), &arena, &man, NULL);
}

static void
write_sample(struct hp_buf *json)
{
	struct sample s;

	sample_init(&s);
	s.man.targets_cnt = 2;
	assert_int_equal(hp_manifest_write(&s.man, json, NULL), 0);
	sample_release(&s);
}

static void
check_equal(const struct hp_manifest *a, const struct hp_manifest *b)
{
	HP_AUTO(hp_buf) struct hp_buf ja = { 0 }, jb = { 0 };

	assert_int_equal(hp_manifest_write(a, &ja, NULL), 0);
	assert_int_equal(hp_manifest_write(b, &jb, NULL), 0);
	assert_true(hp_view_eq(hp_buf_view(&ja), hp_buf_view(&jb)));
}

static void
test_round_trip(void **state)
{
	HP_AUTO(hp_arena) struct hp_arena arena = { 0 };
	HP_AUTO(hp_buf) struct hp_buf json = { 0 };
	struct hp_manifest *man;
	struct sample s;

	(void)state;
	sample_init(&s);
	s.man.expires = HP_MANIFEST_INT_MAX;
	s.funcs[1].address = 0xfffffffffffffff0;
	s.funcs[1].entry = 0xfffffffffffffff4;
	s.funcs[1].size = 15;
	assert_int_equal(hp_manifest_write(&s.man, &json, NULL), 0);
	assert_int_equal(json.p[json.len - 1], '\n');
	assert_int_equal(hp_manifest_read(hp_buf_view(&json), &arena, &man, NULL), 0);
	check_equal(&s.man, man);
	assert_string_equal(man->name, "fix-alpha");
	assert_string_equal(man->baseline_version, "1.2-3");
	assert_int_equal(man->serial, 7);
	assert_int_equal(man->targets[0].funcs[1].address, 0xfffffffffffffff0);
	assert_int_equal(man->targets[0].kind, HP_MAN_PIE);
	assert_int_equal(man->targets[0].build_id_len, 20);
	assert_int_equal(man->targets[0].build_id[19], 0xc3);
	assert_int_equal(man->targets[0].funcs[0].preimage[31], 0xa1);
	assert_string_equal(man->targets[0].imports[0].version, "GLIBC_2.14");
	assert_string_equal(man->targets[0].added[1], "gamma");
	assert_int_equal(man->waivers[0].expires, 1900000000);
	assert_false(man->restart_required);
	sample_release(&s);
}

/* Every key of every object, removed, renamed, added and of every wrong type, must be refused. */
static unsigned
break_object(json_t *root, json_t *obj)
{
	static const char *const wrong[] = { "null", "-1", "1.5", "true", "\"\"", "\"x\"", "[]", "[1]", "[\"\"]", "{}", "[{}]",
	                                    "[[]]",
					     "9007199254740992", "\"0x\"", "\"0X1\"", "\"0x01\"", "\"0x11111111111111111\"",
					             "\"1\"" };
	HP_AUTO(hp_mem) char **keys = calloc(json_object_size(obj) + 1, sizeof(*keys));
	size_t cnt = 0;
	unsigned refused = 0;
	const char *key;
	json_t *v;

	json_object_foreach(obj, key, v)
		keys[cnt++] = strdup(key);
	for (size_t i = 0; i < cnt; i++) {
		json_t *old = json_incref(json_object_get(obj, keys[i]));
		char *text;

		for (size_t w = 0; w < sizeof(wrong) / sizeof(wrong[0]); w++) {
			json_t *bad = json_loads(wrong[w], JSON_DECODE_ANY, NULL);
			bool same_type = json_typeof(bad) == json_typeof(old) || (json_is_boolean(bad) && json_is_boolean(old));

			(void)json_object_set_new(obj, keys[i], bad);
			text = json_dumps(root, JSON_ENCODE_ANY);
			if (same_type)
				(void)read_text(text, strlen(text)); /* may be fine; must not crash */
			else
				assert_true(read_text(text, strlen(text)) < 0);
			refused += !same_type;
			free(text);
		}
		(void)json_object_del(obj, keys[i]);
		text = json_dumps(root, 0);
		assert_int_equal(read_text(text, strlen(text)), HP_E_FORMAT);
		free(text);
		(void)json_object_set_new(obj, keys[i], old);
	}
	(void)json_object_set_new(obj, "surplus", json_null());
	key = json_dumps(root, 0);
	assert_int_equal(read_text(key, strlen(key)), HP_E_FORMAT);
	free((void *)(uintptr_t)key);
	(void)json_object_del(obj, "surplus");
	for (size_t i = 0; i < cnt; i++)
		free(keys[i]);
	return refused;
}

static unsigned
break_all(json_t *root, json_t *v)
{
	unsigned refused = 0;
	const char *key;
	json_t *sub;
	size_t i;

	if (json_is_object(v)) {
		refused += break_object(root, v);
		json_object_foreach(v, key, sub)
			refused += break_all(root, sub);
	}
	json_array_foreach(v, i, sub)
		refused += break_all(root, sub);
	return refused;
}

static void
test_keys_and_types(void **state)
{
	HP_AUTO(hp_buf) struct hp_buf json = { 0 };
	json_t *root;
	char *text;

	(void)state;
	write_sample(&json);
	root = json_loadb((const char *)json.p, json.len, 0, NULL);
	assert_non_null(root);
	assert_true(break_all(root, root) > 500);
	text = json_dumps(root, 0);
	assert_int_equal(read_text(text, strlen(text)), 0); /* all was put back */
	free(text);
	json_decref(root);
}

static void
test_truncated(void **state)
{
	HP_AUTO(hp_buf) struct hp_buf json = { 0 };

	(void)state;
	write_sample(&json);
	for (size_t len = 0; len + 1 < json.len; len++)
		assert_int_equal(read_text((const char *)json.p, len), HP_E_FORMAT);
	assert_int_equal(read_text((const char *)json.p, json.len - 1), 0); /* without the final newline */
}

static void
test_bytes(void **state)
{
	HP_AUTO(hp_buf) struct hp_buf json = { 0 };
	HP_AUTO(hp_mem) char *copy = NULL;
	char *at;

	(void)state;
	write_sample(&json);
	assert_int_equal(hp_buf_add(&json, "", 1, NULL), 0);
	assert_int_equal(read_text((const char *)json.p, json.len), HP_E_FORMAT); /* a zero byte behind */
	copy = strdup((const char *)json.p);
	at = strstr(copy, "fix-alpha");
	for (int c = 0; c < 256; c++) {
		at[3] = (char)c;
		assert_int_equal(read_text(copy, json.len - 1), c < 0x20 || c == '"' || c == '\\' || c >= 0x80 ? HP_E_FORMAT : 0);
	}
	memcpy(at, "\\u0000abc", 9);
	assert_int_equal(read_text(copy, json.len - 1), HP_E_FORMAT);
	memcpy(at, "\\ud800abc", 9);
	assert_int_equal(read_text(copy, json.len - 1), HP_E_FORMAT);
	/* the same key twice */
	at = strstr(copy, "\"cumulative\"");
	memcpy(at, "\"out_of_band\"", 12);
	assert_int_equal(read_text(copy, json.len - 1), HP_E_FORMAT);
}

static int
repeat(const char *head, const char *unit, size_t cnt)
{
	HP_AUTO(hp_buf) struct hp_buf text = { 0 };

	assert_int_equal(hp_buf_add(&text, head, strlen(head), NULL), 0);
	for (size_t i = 0; i < cnt; i++)
		assert_int_equal(hp_buf_add(&text, unit, strlen(unit), NULL), 0);
	return read_text((const char *)text.p, text.len);
}

static void
test_cost(void **state)
{
	(void)state;
	assert_int_equal(repeat("", "[", 17), HP_E_LIMIT);
	assert_int_equal(repeat("", "[", 16), HP_E_FORMAT);
	assert_int_equal(repeat("", "{\"a\":", 1000000), HP_E_LIMIT);
	assert_int_equal(repeat("[0", ",[]", 200000), HP_E_LIMIT);
	assert_int_equal(repeat("[0", ",0", 2000000), HP_E_LIMIT);
	assert_int_equal(repeat("\"", "[", 1000000), HP_E_FORMAT);   /* inside a string brackets cost nothing */
	assert_int_equal(repeat("\"\\\"", "[", 100), HP_E_FORMAT);   /* nor behind an escaped quote */
	assert_int_equal(repeat("", " ", HP_MANIFEST_LEN_MAX + 1), HP_E_LIMIT);
}

typedef void mutate_fn(struct sample *s);

static void mut_no_targets(struct sample *s) { s->man.targets_cnt = 0; }
static void mut_same_id(struct sample *s) { s->man.targets_cnt = 2; memset(s->targets[1].build_id, 0xc3, 20); }
static void mut_short_id(struct sample *s) { s->targets[0].build_id_len = 7; }
static void mut_long_id(struct sample *s) { s->targets[0].build_id_len = 65; }
static void mut_kind(struct sample *s) { s->targets[0].kind = (enum hp_man_kind)9; }
static void mut_order(struct sample *s) { s->funcs[1].address = 0x1000; s->funcs[1].entry = 0x1000; }
static void mut_overlap(struct sample *s) { s->funcs[1].address = s->funcs[1].entry = 0x1139 + 41; }
static void mut_no_size(struct sample *s) { s->funcs[0].size = 0; }
static void mut_wrap(struct sample *s) { s->funcs[1].address = s->funcs[1].entry = UINT64_MAX - 3; }
static void mut_entry(struct sample *s) { s->funcs[0].entry = 0x1139 + 42; }
static void mut_no_name(struct sample *s) { s->funcs[0].name = ""; }
static void mut_null_name(struct sample *s) { s->funcs[0].name = NULL; }
static void mut_utf8(struct sample *s) { s->funcs[0].name = "a\xff"; }
static void mut_added(struct sample *s) { s->added[0] = "zeta"; }
static void mut_hex(struct sample *s) { s->supersedes[0] = "0011"; }
static void mut_upper(struct sample *s) { s->supersedes[0] = "00112233445566778899AABBCCDDEEFF"; }
static void mut_patch(struct sample *s) { s->man.source_patch = "00"; }
static void mut_serial(struct sample *s) { s->man.serial = HP_MANIFEST_INT_MAX + 1; }
static void mut_huge(struct sample *s) { s->man.serial = UINT64_MAX; }
static void mut_image(struct sample *s) { s->targets[0].image_len = HP_PKG_RAW_LEN_MAX + 1; }
static void mut_no_funcs(struct sample *s) { s->targets[0].funcs_cnt = 0; }

static void
test_writer_refuses(void **state)
{
	static mutate_fn *const bad[] = { mut_no_targets, mut_same_id, mut_short_id,  mut_long_id, mut_kind,  mut_order,
	                                    mut_overlap,
					  mut_no_size,    mut_wrap,    mut_entry,     mut_no_name, mut_utf8,  mut_null_name,
					          mut_added,
					  mut_hex,        mut_upper,   mut_patch,     mut_serial,  mut_huge,  mut_image,
					             mut_no_funcs };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		HP_AUTO(hp_buf) struct hp_buf json = { 0 };
		struct sample s;
		int r;

		sample_init(&s);
		bad[i](&s);
		r = hp_manifest_write(&s.man, &json, NULL);
		if (r != HP_E_FORMAT && r != HP_E_LIMIT)
			fail_msg("mutation %zu: %d", i, r);
		assert_int_equal(json.len, 0);
		sample_release(&s);
	}
}

static struct hp_man_hook hooks[2];
static struct hp_man_var vars[2];
#define DIGEST "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void
give_hooks_and_vars(struct sample *s)
{
	hooks[0] = (struct hp_man_hook){ HP_HOOK_PRE_APPLY, "check", 0x1000 };
	hooks[1] = (struct hp_man_hook){ HP_HOOK_POST_REVERT, "tidy", 0x1040 };
	vars[0] = (struct hp_man_var){ "a.o", "count", "calls", DIGEST, 8, 0x3000 };
	vars[1] = (struct hp_man_var){ "", "", "total", "", 4, 0x3008 };
	s->targets[0].hooks = hooks;
	s->targets[0].hooks_cnt = 2;
	s->targets[0].vars = vars;
	s->targets[0].vars_cnt = 2;
}

static void mut_when(struct sample *s) { (void)s; hooks[0].when = "later"; }
static void mut_hook_order(struct sample *s) { (void)s; hooks[1].payload = 0x1000; }
static void mut_var_order(struct sample *s) { (void)s; vars[1].payload = 0x2000; }
static void mut_var_overlap(struct sample *s) { (void)s; vars[1].payload = 0x3007; }
static void mut_var_empty(struct sample *s) { (void)s; vars[1].size = 0; }
static void mut_var_wrap(struct sample *s) { (void)s; vars[1].payload = UINT64_MAX - 3; }
static void mut_var_type(struct sample *s) { (void)s; vars[1].type = "00"; }
static void mut_var_twice(struct sample *s) { (void)s; vars[1].object = "a.o", vars[1].scope = "count", vars[1].name = "calls"; }

static void
test_hooks_and_variables(void **state)
{
	static mutate_fn *const bad[] = { mut_when,      mut_hook_order, mut_var_order, mut_var_overlap,
		                          mut_var_empty, mut_var_wrap,   mut_var_type,  mut_var_twice };
	HP_AUTO(hp_arena) struct hp_arena arena = { 0 };
	HP_AUTO(hp_buf) struct hp_buf json = { 0 };
	struct hp_manifest *man;
	struct hp_err err = { 0 };
	struct sample s;
	char *at;

	(void)state;
	sample_init(&s);
	assert_int_equal(hp_manifest_write(&s.man, &json, &err), 0);
	assert_null(memmem(json.p, json.len, "\"hooks\"", 7)); /* as the first version wrote it */
	assert_null(memmem(json.p, json.len, "\"variables\"", 11));
	json.len = 0;
	give_hooks_and_vars(&s);
	assert_int_equal(hp_manifest_write(&s.man, &json, &err), 0);
	assert_int_equal(hp_manifest_read(hp_buf_view(&json), &arena, &man, &err), 0);
	assert_int_equal(man->targets[0].hooks_cnt, 2);
	assert_string_equal(man->targets[0].hooks[1].when, "post-revert");
	assert_int_equal(man->targets[0].hooks[1].payload, 0x1040);
	assert_int_equal(man->targets[0].vars_cnt, 2);
	assert_string_equal(hp_man_var_key(&man->targets[0].vars[0], &arena), hp_man_var_key(&vars[0], &arena));
	vars[1] = (struct hp_man_var){ "a.o", "countc", "alls", "", 1, 0 };
	assert_string_not_equal(hp_man_var_key(&vars[1], &arena), hp_man_var_key(&vars[0], &arena));
	assert_string_equal(man->targets[0].vars[0].type, DIGEST);
	/* an empty list is not another way to leave it out */
	assert_int_equal(hp_buf_add(&json, "", 1, NULL), 0);
	at = strstr((char *)json.p, "\"hooks\": [");
	assert_non_null(at);
	memset(at + 10, ' ', (size_t)(strchr(at, ']') - at - 10));
	assert_int_equal(read_text((const char *)json.p, json.len - 1), HP_E_FORMAT);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		give_hooks_and_vars(&s);
		bad[i](&s);
		if (hp_manifest_write(&s.man, &json, NULL) != HP_E_FORMAT)
			fail_msg("mutation %zu", i);
	}
	sample_release(&s);
}

static void
test_near_misses(void **state)
{
	HP_AUTO(hp_buf) struct hp_buf json = { 0 };
	struct sample s;

	(void)state;
	sample_init(&s);
	s.funcs[1].address = s.funcs[1].entry = 0x1139 + 42; /* right behind */
	s.targets[0].build_id_len = 64;
	s.man.serial = HP_MANIFEST_INT_MAX;
	assert_int_equal(hp_manifest_write(&s.man, &json, NULL), 0);
	s.targets[0].build_id_len = 8;
	s.targets[0].funcs_cnt = 0;
	s.man.restart_required = true;
	assert_int_equal(hp_manifest_write(&s.man, &json, NULL), 0);
	sample_release(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_keys_and_types), cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_bytes),      cmocka_unit_test(test_cost),           cmocka_unit_test(test_writer_refuses),
		cmocka_unit_test(test_near_misses), cmocka_unit_test(test_hooks_and_variables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
