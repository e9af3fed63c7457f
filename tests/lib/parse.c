/* parse FILE...: split and parse packages without any signature check; for each a line "ok" or "CODE<tab>message". For tests that
 * compare verdicts on thousands of files. */
#include <stdio.h>

#include "base/file.h"
#include "formats/package.h"

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct hp_buf file = { 0 };
		struct hp_pkg_parts parts;
		struct hp_err err = { 0 };
		struct hp_pkg pkg;
		char text[1024];
		int r = hp_file_read(argv[i], HP_PKG_LEN_MAX, &file, &err);

		if (r == 0)
			r = hp_pkg_split(hp_buf_view(&file), &parts, &err);
		if (r == 0)
			r = hp_pkg_parse(parts.signed_part, &pkg, &err);
		if (r == 0) {
			hp_pkg_release(&pkg);
			(void)puts("ok");
		} else {
			hp_err_format(&err, text, sizeof(text));
			(void)printf("%s\t%s\n", hp_err_name(r), text);
		}
		hp_buf_release(&file);
	}
	return 0;
}
