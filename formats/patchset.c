#include "formats/patchset.h"

#include <stdlib.h>

void
hp_object_free(struct hp_object *obj)
{
	if (obj == NULL)
		return;
	hp_elf_free(obj->elf);
	hp_buf_release(&obj->file);
	free(obj);
}

int
hp_object_open(struct hp_buf *file, const char *path, struct hp_object **ret, struct hp_err *err)
{
	struct hp_object *obj = calloc(1, sizeof(*obj));
	int r;

	if (obj == NULL) {
		hp_buf_release(file);
		return hp_err_set(err, HP_E_NOMEM, "no memory for an object");
	}
	obj->file = *file;
	*file = (struct hp_buf){ 0 };
	r = hp_elf_open(hp_buf_view(&obj->file), path, &obj->elf, err);
	if (r == 0)
		r = hp_parts_new(obj->elf, &obj->parts, err);
	if (r < 0) {
		hp_object_free(obj);
		return r;
	}
	*ret = obj;
	return 0;
}

void
hp_patchset_release(struct hp_patchset *set)
{
	for (size_t i = 0; i < set->pairs_cnt; i++) {
		hp_object_free(set->pairs[i].old_obj);
		hp_object_free(set->pairs[i].new_obj);
	}
	hp_arena_release(&set->arena);
	*set = (struct hp_patchset){ 0 };
}
