/* proveall MODULE OBJECT...: "STATE NAME ADDRESS LENGTH" for each function of the objects, "member PATH" for each object that is
 * part of the module, "gap SECTION ADDRESS LENGTH NAME" or "startup ..." for code from no object. For tests of the pre-image
 * proof. */
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "formats/limits.h"
#include "packager/prove.h"

static const char *
word(enum hp_prove_state state)
{
	static const char *const words[] = { "unknown", "proven", "weak", "differs", "ambiguous", "absent" };

	return words[state];
}

static void
give_up(const struct hp_err *err)
{
	char text[HP_ERR_FRAMES * HP_ERR_TEXT];

	hp_err_format(err, text, sizeof(text));
	(void)fprintf(stderr, "proveall: %s\n", text);
	exit(1);
}

static void
show(const struct hp_prove_object *o)
{
	if (o->in_module)
		(void)printf("member %s\n", o->path);
	for (uint32_t i = 0; i < o->funcs_cnt; i++)
		(void)printf("%s %s %llx %llu\n", word(o->funcs[i].state), o->funcs[i].name, (unsigned long long)o->funcs[i].va,
		             (unsigned long long)o->funcs[i].len);
}

int
main(int argc, char **argv)
{
	struct hp_buf base = { 0 };
	struct hp_pack_baseline module = { .path = argv[1] };
	struct hp_prove_report rep;
	struct hp_err err = { 0 };
	size_t cnt = argc > 2 ? (size_t)argc - 2 : 0;
	struct hp_prove_object *objects = calloc(cnt + 1, sizeof(*objects));

	if (objects == NULL || argc < 3 || hp_file_read(argv[1], HP_ELF_LEN_MAX, &base, &err) < 0)
		give_up(&err);
	module.file = hp_buf_view(&base);
	for (size_t i = 0; i < cnt; i++) {
		struct hp_buf file = { 0 };

		objects[i].path = argv[i + 2];
		if (hp_file_read(argv[i + 2], HP_ELF_LEN_MAX, &file, &err) < 0 ||
		    hp_object_open(&file, argv[i + 2], &objects[i].obj, &err) < 0)
			give_up(&err);
	}
	if (hp_prove(objects, cnt, &module, &rep, &err) < 0)
		give_up(&err);
	for (size_t i = 0; i < cnt; i++)
		show(&objects[i]);
	for (size_t i = 0; i < rep.gaps_cnt; i++)
		(void)printf("%s %s %llx %llu %s\n", rep.gaps[i].startup ? "startup" : "gap", rep.gaps[i].section,
		             (unsigned long long)rep.gaps[i].va, (unsigned long long)rep.gaps[i].len, rep.gaps[i].name);
	hp_prove_release(&rep);
	for (size_t i = 0; i < cnt; i++)
		hp_object_free(objects[i].obj);
	free(objects);
	hp_buf_release(&base);
	return 0;
}
