/* packself BASELINE OBJECT...: pack every function of the objects as a replacement of itself, and print what the packager found:
 * "function NAME ADDRESS" for each, "proven N of M" at the end. For tests of the pre-image proof. */
#include "formats/limits.h"
#include "packager/pack.h"
#include "tests/lib/hand_set.h"

static void
mark_all(struct hp_patchset *set, struct hp_pair *pair, const char *path)
{
	static const char *const none[] = { NULL };

	hand_pair(set, pair, path, path, path, none);
	for (uint32_t i = 0; i < pair->new_obj->parts->cnt; i++)
		if (pair->new_obj->parts->v[i].kind == HP_PART_FUNC)
			pair->include[i] = true;
}

int
main(int argc, char **argv)
{
	struct hp_buf base = { 0 }, out = { 0 };
	struct hp_pack_baseline module = { .path = argv[1] };
	struct hp_pack_options o = { .baselines = &module, .baselines_cnt = 1, .tool = "packself" };
	struct hp_pack_report rep;
	struct hp_patchset set;
	struct hp_err err = { 0 };
	char text[HP_ERR_FRAMES * HP_ERR_TEXT];
	uint32_t proven = 0, all = 0;

	hand_set(&set, (size_t)argc - 2);
	for (int i = 2; i < argc; i++)
		mark_all(&set, &set.pairs[i - 2], argv[i]);
	if (hp_file_read(argv[1], HP_ELF_LEN_MAX, &base, &err) == 0)
		module.file = hp_buf_view(&base);
	if (err.code != 0 || hp_pack(&set, &o, &out, &rep, &err) < 0) {
		hp_err_format(&err, text, sizeof(text));
		(void)fprintf(stderr, "packself: %s\n", text);
		return 1;
	}
	for (size_t i = 0; i < rep.targets[0].replaced_cnt; i++)
		(void)printf("function %s %llx\n", rep.targets[0].replaced[i].name,
		             (unsigned long long)rep.targets[0].replaced[i].address);
	for (size_t i = 0; i < rep.targets[0].objects_cnt; i++) {
		proven += rep.targets[0].objects[i].proven_cnt;
		all += rep.targets[0].objects[i].funcs_cnt;
	}
	(void)printf("proven %u of %u\n", proven, all);
	hp_pack_report_release(&rep);
	hp_buf_release(&out);
	hp_buf_release(&base);
	hp_patchset_release(&set);
	return 0;
}
