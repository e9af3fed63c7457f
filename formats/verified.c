#include "formats/verified.h"

#include <stdlib.h>

void
hp_verified_pkg_free(struct hp_verified_pkg *pkg)
{
	if (pkg == NULL)
		return;
	hp_pkg_release(&pkg->pkg);
	hp_buf_release(&pkg->file);
	free(pkg);
}
