/* Fuzz target: a manifest. What is accepted can be written and read again, and then says the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "formats/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	HP_AUTO(hp_buf) struct hp_buf once = { 0 }, twice = { 0 };
	HP_AUTO(hp_arena) struct hp_arena arena = { 0 };
	struct hp_manifest *man;
	struct hp_err err;

	if (hp_manifest_read(hp_view_of(data, len), &arena, &man, &err) < 0)
		return 0;
	if (hp_manifest_write(man, &once, &err) < 0 || hp_manifest_read(hp_buf_view(&once), &arena, &man, &err) < 0 ||
	    hp_manifest_write(man, &twice, &err) < 0 || !hp_view_eq(hp_buf_view(&once), hp_buf_view(&twice)))
		abort();
	return 0;
}
