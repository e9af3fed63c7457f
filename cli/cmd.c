#include "cli/cmd.h"

#include <string.h>

#include "cli/out.h"

static void
print_usage(const char *prog, const struct hp_cmd *cmds, unsigned cnt)
{
	hp_out("Usage: %s VERB [options] ...\n\nVerbs:\n", prog);
	for (unsigned i = 0; i < cnt; i++)
		hp_out("  %-10s%s\n", cmds[i].name, cmds[i].help);
	hp_out("\n'%s VERB --help' describes a verb; hpbuild(1) and hpbuild(7) describe the whole.\n", prog);
}

int
hp_cmd_main(const char *prog, const struct hp_cmd *cmds, unsigned cnt, int argc, char **argv)
{
	if (argc < 2) {
		(void)hp_usage_error("", "which verb?");
		return HP_EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_usage(prog, cmds, cnt);
		return hp_out_finish(HP_EXIT_OK);
	}
	if (strcmp(argv[1], "--version") == 0) {
		hp_out("%s %s\n", prog, HP_VERSION);
		return hp_out_finish(HP_EXIT_OK);
	}
	for (unsigned i = 0; i < cnt; i++)
		if (strcmp(argv[1], cmds[i].name) == 0)
			return hp_out_finish(cmds[i].run(argc - 1, argv + 1));
	return hp_usage_error("", "unknown verb '%s'", argv[1]);
}
